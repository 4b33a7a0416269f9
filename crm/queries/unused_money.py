"""Payments and credits of a customer that stand unused in the books: what an invoice's page offers to apply."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as Day
from decimal import Decimal

from sqlalchemy import select

from crm.db import db
from crm.models import Connection, Contact, Link, OutboxEntry, Payment, SalesDocument
from crm.queries import open_items

WAITS = ("pending", "parked", "skipped", "frozen")


@dataclass(frozen=True, slots=True)
class Unused:
    key: str
    """Names it in a form: `payment:<remote id>` or `credit_memo:<remote id>`."""
    kind: str
    remote_id: str
    number: str
    date: Day | None
    amount: Decimal
    """What nothing has used."""
    customer: str
    payment_id: int = 0


def for_invoice(document: SalesDocument) -> list[Unused]:
    """The oldest first, payments before credits: those of the invoice's own customer, in its currency. A payment with
    a change on its way is left out until that has arrived."""
    contact = db.session.get(Contact, document.contact_id) if document.contact_id else None
    connection = db.session.get(Connection, document.connection_id) if document.connection_id else None
    if contact is None or connection is None or not document.customer_remote_id:
        return []
    found = _payments(document, connection)
    items = open_items.of_contact(db.session(), contact, connection)
    found += [
        Unused(f"credit_memo:{one.key}", "credit_memo", one.key, one.number, one.date, one.balance, one.customer)
        for one in items.of(document.customer_remote_id).credits if one.currency == (document.currency or one.currency)
    ]  # fmt: skip
    return found


def _payments(document: SalesDocument, connection: Connection) -> list[Unused]:
    waits = (
        select(OutboxEntry.id)
        .join(Link, (Link.kind == "payment") & (Link.local_id == OutboxEntry.local_id))
        .where(OutboxEntry.kind == "payment", OutboxEntry.state.in_(WAITS), Link.connection_id == Payment.connection_id,
               Link.remote_id == Payment.remote_id)
        .exists()
    )  # fmt: skip
    home = connection.currency or "USD"
    query = (
        select(Payment)
        .where(Payment.connection_id == connection.id, Payment.customer_remote_id == document.customer_remote_id,
               Payment.contact_id == document.contact_id, Payment.void.is_(False), Payment.gone_at.is_(None),
               Payment.unapplied > 0, ~waits)
        .order_by(Payment.date, Payment.id)
    )  # fmt: skip
    return [
        Unused(f"payment:{one.remote_id}", "payment", one.remote_id, one.reference, one.date, one.unapplied,
               one.customer_remote_id, one.id)
        for one in db.session.scalars(query) if (one.currency or home) == (document.currency or home)
    ]  # fmt: skip
