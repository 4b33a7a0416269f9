"""Where QuickBooks says something else than a contact, field by field, and what becomes of each difference.

From the local mirror, for the contact's page. What each difference would come to decides `domain/merging` when a side
changes; here stands what is so now: a person is asked, ours is on its way, or both are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from crm.db import db
from crm.domain import shared_fields
from crm.domain.phones import region_of
from crm.domain.shared_fields import TITLES
from crm.models import Connection, Contact, Customer, Link, OutboxEntry
from crm.queries import conflicts

ON_ITS_WAY = ("pending", "frozen")


@dataclass(frozen=True, slots=True)
class Difference:
    field: str
    title: str
    theirs: str
    """As QuickBooks has it; "nothing" where it has none."""
    conflict_id: int | None = None
    """The open conflict about it."""
    on_its_way: bool = False
    """Ours waits to be sent, or is being sent."""


def of_contact(contact: Contact, linked: Sequence[Customer]) -> list[Difference]:
    """Every shared field in which a linked customer (not gone) says something else."""
    if not linked:
        return []
    query = (
        select(Link.connection_id, Link.remote_id, Link.base, Connection.country)
        .join(Connection, Connection.id == Link.connection_id)
        .where(Link.kind == "customer", Link.local_id == contact.id)
    )
    links = {(row.connection_id, row.remote_id): row for row in db.session.execute(query)}
    found: list[tuple[str, str]] = []
    for customer in linked:
        link = links.get((customer.connection_id, customer.remote_id))
        if link is not None and customer.gone_at is None:
            found += _differing(contact, customer, link)
    if not found:
        return []
    asked, leaving = conflicts.open_fields(contact.id), _leaving(contact.id)
    return [Difference(name, TITLES[name], text, asked.get(name), name in leaving) for name, text in found]


def _differing(contact: Contact, customer: Customer, link: Any) -> list[tuple[str, str]]:
    region = region_of(link.country)
    theirs = shared_fields.read(customer.record, region)
    lines = shared_fields.lines_here(contact, contact.points, region)
    merged = shared_fields.compare(link.base, contact, lines, theirs)
    return [(name, theirs.shown(name) or "nothing") for name in TITLES if name not in merged.agreed]


def _leaving(contact_id: int) -> set[str]:
    mine = (OutboxEntry.kind == "customer", OutboxEntry.local_id == contact_id)
    entries = select(OutboxEntry.fields).where(*mine, OutboxEntry.state.in_(ON_ITS_WAY))
    return {name for fields in db.session.scalars(entries) for name in fields}
