"""Helpers of the outbox's tests: a company that may be written to, contacts to be created there, and counts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, Contact, Customer, Link, OutboxEntry
from crm.services import contacts, sync
from crm.services.audit import Actor
from crm.services.identity_keys import refresh_contacts
from sandbox import Served
from tests.flows.imports import add_contact, everything
from tests.quickbooks import connect

PERSON = Actor("rosa@example.com", source="person", shown_as="Rosa")


def writable(served: Served, **values: Any) -> Connection:
    """A connection whose first plan was approved."""
    given: dict[str, Any] = {"country": "US", "currency": "USD", "read_only": False} | values
    return connect(served, **given)


def new_contacts(*names: str, **values: Any) -> list[int]:
    with transaction() as session:
        ids = [add_contact(name, **values).id for name in names]
        refresh_contacts(session, ids)
    return ids


def ask(connection_id: int, ids: list[int]) -> int:
    with transaction() as session:
        return sync.ask_create(session, ids, connection_id, actor=PERSON, now=clock.now()).noted


def edit(contact_id: int, values: dict[str, str] | None = None, **more: Any) -> None:
    with transaction():
        version = contacts.find(contact_id).version
        contacts.change(contact_id, values or {}, version=version, actor=PERSON, now=clock.now(), **more)


def entries(**where: Any) -> list[OutboxEntry]:
    """As they are stored now, oldest first."""
    db.session.remove()
    return list(db.session.scalars(select(OutboxEntry).filter_by(**where).order_by(OutboxEntry.id)))


def only(**where: Any) -> OutboxEntry:
    [entry] = entries(**where)
    return entry


def due_now(**values: Any) -> None:
    """Nothing waits for its pause or lease any more."""
    with transaction() as session:
        for entry in session.scalars(select(OutboxEntry).where(OutboxEntry.state.in_(("pending", "frozen")))):
            entry.available_at = clock.now()
            for name, value in values.items():
                setattr(entry, name, value)


def linked_contact(connection_id: int, *where: Any) -> tuple[int, str]:
    """A contact that is linked to an active customer without jobs, and the customer's id there."""
    query = (
        select(Link.local_id, Link.remote_id)
        .join(Customer, (Customer.connection_id == Link.connection_id) & (Customer.remote_id == Link.remote_id))
        .join(Contact, (Link.kind == "customer") & (Contact.id == Link.local_id))
        .where(Link.connection_id == connection_id, Link.kind == "customer", Customer.active, *where)
        .order_by(Link.id)
    )
    row = db.session.execute(query).first()
    assert row is not None
    return row.local_id, row.remote_id


def there(served: Served, remote_id: str) -> dict[str, Any]:
    """The customer as the served company holds it."""
    return next(row for row in everything(served, "Customer") if row["Id"] == remote_id)


def named(served: Served, name: str) -> list[dict[str, Any]]:
    return [row for row in everything(served, "Customer") if row["DisplayName"] == name]


def calls(served: Served) -> dict[str, int]:
    return served.sandbox.counters.snapshot().get(served.realm, {})
