"""What the sync badge of contacts rests on: one statement for one contact, and one for a page of a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, literal, select, union_all

from crm.db import db
from crm.domain.sync_badges import Badge, Standing, badge_of
from crm.models import Conflict, Connection, Contact, Link, OutboxEntry

OPEN = ("parked", "frozen", "pending", "skipped")
"""States of an open entry, the one that speaks first in front."""
KIND = "customer"


@dataclass(frozen=True, slots=True)
class Shown:
    """A badge with where it leads."""

    badge: Badge
    entry_id: int | None = None
    conflict_id: int | None = None
    """The first that is open."""


def one(contact_id: int) -> Shown | None:
    """The badge of one contact; None when there is no such contact."""
    entry = _first_entry()
    asked = (
        select(func.min(Conflict.id))
        .where(Conflict.kind == KIND, Conflict.local_id == Contact.id, Conflict.state == "open")
        .scalar_subquery()
    )
    query = (
        select(Contact.link_state, Link.state, OutboxEntry.id, OutboxEntry.state, OutboxEntry.error, asked,
               Connection.read_only, Connection.state)
        .outerjoin(Link, (Link.kind == KIND) & (Link.local_id == Contact.id))
        .outerjoin(OutboxEntry, OutboxEntry.id == entry)
        .outerjoin(Connection, Connection.id == func.coalesce(OutboxEntry.connection_id, Link.connection_id))
        .where(Contact.id == contact_id)
        .order_by(Link.id)
        .limit(1)
    )  # fmt: skip
    row = db.session.execute(query).first()
    if row is None:
        return None
    link_state, link, entry_id, entry_state, error, conflict_id, read_only, state = row
    standing = Standing(
        link_state, gone=link == "gone", entry=entry_state or "", entry_id=entry_id, error=error or "",
        conflicts=int(conflict_id is not None), read_only=bool(read_only), live=state in (None, "connected"),
    )  # fmt: skip
    return Shown(badge_of(standing), entry_id, conflict_id)


def of_page(contacts: Sequence[tuple[int, str]]) -> dict[int, Badge]:
    """Badges of (id, link state) in a list where something of ours waits or is asked; the others say their link."""
    if not contacts:
        return {}
    links = dict(contacts)
    waits = select(OutboxEntry.local_id, OutboxEntry.state, literal(0)).where(
        OutboxEntry.kind == KIND, OutboxEntry.local_id.in_(links), OutboxEntry.state.in_(OPEN)
    )
    asks = select(Conflict.local_id, literal(""), literal(1)).where(
        Conflict.kind == KIND, Conflict.local_id.in_(links), Conflict.state == "open"
    )
    found: dict[int, tuple[str, int]] = {}
    for id_, state, number in db.session.execute(union_all(waits, asks)):
        before, conflicts = found.get(id_, ("", 0))
        found[id_] = (_louder(before, state), conflicts + number)
    return {
        id_: badge_of(Standing(links[id_], entry=entry, conflicts=conflicts))
        for id_, (entry, conflicts) in found.items()
    }


def _louder(one: str, other: str) -> str:
    states = [state for state in OPEN if state in (one, other)]
    return states[0] if states else ""


def _first_entry() -> Any:
    loudness = case({state: place for place, state in enumerate(OPEN)}, value=OutboxEntry.state)
    return (
        select(OutboxEntry.id)
        .where(OutboxEntry.kind == KIND, OutboxEntry.local_id == Contact.id, OutboxEntry.state.in_(OPEN))
        .order_by(loudness, OutboxEntry.id)
        .limit(1)
        .correlate(Contact)
        .scalar_subquery()
    )
