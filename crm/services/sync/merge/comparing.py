"""A page of linked contacts held against their customers of the books: what stands on both sides, and what to do.

`enrich` carries it out, decisions about conflicts start from it. What was changed here and when comes from the outbox,
what a person was asked about and has not decided from the conflicts. The number of statements does not grow with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain import shared_fields
from crm.domain.directions import DIRECTIONS, OFF, Direction
from crm.domain.merging import Merged, left_alone
from crm.domain.policies import ASK, QUICKBOOKS, emptied
from crm.domain.shared_fields import Theirs
from crm.models import Contact, ContactPoint, Customer, Link, OutboxEntry
from crm.services.sync import settings
from crm.services.sync.merge import conflicts
from crm.services.sync.merge.enrich_told import Decided
from crm.services.sync.outbox import outbox
from crm.services.sync.work import Books

KIND = "customer"
POINTS = table_of(ContactPoint)


@dataclass(frozen=True, slots=True)
class Edits:
    """What was changed here and has not arrived there yet."""

    moments: Mapping[str, datetime | None]
    """Shared field -> when."""
    waiting: bool
    """An entry still absorbs edits; else all of it is on its way."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A contact and the customer of the books it is linked to. `record` is the stored one."""

    contact_id: int
    remote_id: str
    record: Mapping[str, Any]
    active: bool
    updated_at: datetime | None = None
    """When the customer was last changed there."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A linked contact held against its customer."""

    entry: Linked
    contact: Any
    """Row of the contact."""
    lines: Sequence[Any]
    link: Any
    """Row of the link with id, base, state and what plans left; None where there is none (any more)."""
    theirs: Theirs
    merged: Merged
    edited: Mapping[str, datetime | None]

    @property
    def base(self) -> Mapping[str, str]:
        return self.link.base if self.link else {}

    def left(self, field: str) -> bool:
        """Whether a plan was approved without this field, and nobody has edited it since."""
        at = self.link.left.get(field) if self.link else None
        edited = self.edited.get(field)
        return at is not None and (edited is None or edited <= datetime.fromisoformat(at))


@dataclass(frozen=True, slots=True)
class Known:
    """What the open transaction holds about a page, read with a fixed number of statements."""

    contacts: Mapping[int, Any]
    points: Mapping[int, list[Any]]
    links: Mapping[str, Any]
    edits: Mapping[int, Edits]
    open: Mapping[int, Mapping[str, datetime | None]]
    """Contact -> fields a person was asked about and has not decided -> when ours was changed."""
    policies: Mapping[str, str]
    direction: Direction
    off: bool


def compare_linked(session: Session, contact_ids: Sequence[int], *, books: Books) -> dict[int, Compared]:
    """Each of these contacts held against its customer as the mirror knows it; those without one are left out."""
    linked = linked_of(session, books.id, contact_ids)
    if not linked:
        return {}
    known = look(session, linked, books)
    found = (held_against(entry, known, books, None) for entry in linked)
    return {compared.contact.id: compared for compared in found if compared is not None}


def linked_of(session: Session, connection_id: int, contact_ids: Sequence[int]) -> list[Linked]:
    """The customers these contacts are linked to, without those that are gone there."""
    customer = (Customer.connection_id == Link.connection_id) & (Customer.remote_id == Link.remote_id)
    found = session.execute(
        select(Link.local_id, Customer.remote_id, Customer.record, Customer.active, Customer.remote_updated_at)
        .join(Customer, customer)
        .where(Link.connection_id == connection_id, Link.kind == KIND, Link.local_id.in_(contact_ids),
               Customer.gone_at.is_(None))
        .order_by(Link.local_id)
    )  # fmt: skip
    return [Linked(*row) for row in found]


def look(session: Session, linked: Sequence[Linked], books: Books) -> Known:
    session.flush()
    ids = [entry.contact_id for entry in linked]
    # No stronger: whoever only refers to a contact (a log line, a document) must never wait for who merges it.
    held = select(table_of(Contact)).where(Contact.id.in_(ids)).order_by(Contact.id).with_for_update(key_share=True)
    found = session.execute(held)
    setting = settings.current(session, books.id, KIND)
    return Known(
        contacts={row.id: row for row in found},
        points=_points_of(session, ids),
        links=_links_of(session, books.id, linked),
        edits=edits_of(session, books.id, KIND, ids),
        open=conflicts.undecided(session, books.id, KIND, ids),
        policies=setting.policies,
        direction=DIRECTIONS[setting.direction],
        off=setting.direction == OFF,
    )


def _points_of(session: Session, contact_ids: Sequence[int]) -> dict[int, list[Any]]:
    points: dict[int, list[Any]] = {}
    mine = select(POINTS).where(ContactPoint.contact_id.in_(contact_ids))
    for point in session.execute(mine.order_by(ContactPoint.contact_id, ContactPoint.position)):
        points.setdefault(point.contact_id, []).append(point)
    return points


def _links_of(session: Session, connection_id: int, linked: Sequence[Linked]) -> dict[str, Any]:
    remote_ids = [entry.remote_id for entry in linked]
    mine = (Link.connection_id == connection_id, Link.kind == KIND, Link.remote_id.in_(remote_ids))
    wanted = select(Link.id, Link.remote_id, Link.base, Link.state, Link.left).where(*mine)
    return {row.remote_id: row for row in session.execute(wanted)}


def held_against(entry: Linked, known: Known, books: Books, decided: Decided | None) -> Compared | None:
    contact, link = known.contacts.get(entry.contact_id), known.links.get(entry.remote_id)
    if contact is None:
        return None
    base = link.base if link else {}
    theirs = shared_fields.read(entry.record, books.region)
    lines = shared_fields.lines_here(contact, known.points.get(contact.id, ()), books.region)
    asked = known.open.get(contact.id, {})
    edits = known.edits.get(contact.id)
    edited: dict[str, datetime | None] = {name: at for name, at in asked.items() if at is not None}
    edited |= edits.moments if edits else {}
    chosen = decided.fields if decided else frozenset()
    rules = {
        **known.policies,
        # What a person was asked about stays theirs to decide, until both sides agree by themselves.
        **dict.fromkeys(asked, ASK),
        **{emptied(name): ASK for name in asked},
        **{emptied(name): QUICKBOOKS for name in chosen},
    }
    merged = shared_fields.compare(
        base, contact, lines, theirs, policies=rules, edited=edited, theirs_at=entry.updated_at
    )
    if not known.direction.comes_in:
        merged = left_alone(merged, base, [name for name in merged.taken if name not in chosen])
    return Compared(entry, contact, lines, link, theirs, merged, edited)


def edits_of(session: Session, connection_id: int, kind: str, ids: Sequence[int]) -> dict[int, Edits]:
    """Object -> what its open outbox entries say was changed here; one statement for a page."""
    mine = (OutboxEntry.connection_id == connection_id, OutboxEntry.kind == kind, OutboxEntry.local_id.in_(ids))
    rows = session.execute(
        select(OutboxEntry.local_id, OutboxEntry.state, OutboxEntry.fields)
        .where(*mine, OutboxEntry.state.in_(outbox.OPEN))
        .order_by(OutboxEntry.id)
    )
    found: dict[int, Edits] = {}
    for local_id, state, fields in rows:
        known = found.get(local_id, Edits({}, False))
        moments = {name: datetime.fromisoformat(at) for name, at in fields.items()}
        found[local_id] = Edits({**known.moments, **moments}, known.waiting or state in outbox.WAITING)
    return found
