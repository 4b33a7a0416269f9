"""Claiming what may go out of the outbox now: which connections and entries are due, and taking the next of them.

An entry is claimed by one compare-and-set on `available_at`, which raises `attempts`; whoever lost a claim changes
nothing any more. `sending` claims round by round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from crm.db import transaction
from crm.domain.directions import EVERYTHING
from crm.models import Connection, Link, OutboxEntry, OutboxNeed
from crm.providers.accounting import registry
from crm.providers.accounting.base import Spec
from crm.services.sync import settings
from crm.services.sync.outbox.kinds import OUTGOING
from crm.services.sync.outbox.outbox import OPEN

CLAIM = timedelta(minutes=1)
"""Longer than making the bodies of a batch takes."""
LEASE = timedelta(minutes=4)
"""Longer than pushing and settling a batch takes, waiting for its turn included; then a dead worker is replaced."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Entries that are ours until the lease lapses: id -> the attempt that this is."""

    connection_id: int
    spec: Spec
    entries: Mapping[int, int]
    frozen: bool


def due(session: Session, *, now: datetime) -> list[int]:
    """Connections with entries that could go out now. Each is asked for its first one only: an index finds it."""
    found = session.scalars(select(Connection.id).where(*_open_for_writing(now)).order_by(Connection.id)).all()
    return [id_ for id_ in found if _has_due(session, id_, now)]


def _has_due(session: Session, connection_id: int, now: datetime) -> bool:
    if settings.current(session, connection_id, EVERYTHING).paused:
        return False
    mine = (OutboxEntry.connection_id == connection_id, OutboxEntry.available_at <= now)
    waiting = (OutboxEntry.state == "pending", OutboxEntry.kind.in_(_kinds(session, connection_id)), *_free())
    ways = ((OutboxEntry.state == "frozen",), waiting)
    return any(session.scalars(select(OutboxEntry.id).where(*mine, *way).limit(1)).first() is not None for way in ways)


def claim_next(connection_id: int, *, now: datetime) -> Claim | None:
    """The next entries, if the connection may be written to: frozen ones first, and only those of one key.

    What is frozen is finished, whatever became of its kind; while all of the company is paused it waits as well.
    """
    with transaction() as session:
        row = session.execute(
            select(Connection.provider).where(Connection.id == connection_id, *_open_for_writing(now))
        ).one_or_none()
        if row is None or settings.current(session, connection_id, EVERYTHING).paused:
            return None
        spec = registry.spec(row.provider)
        mine = (OutboxEntry.connection_id == connection_id, OutboxEntry.available_at <= now)
        key = session.scalar(
            select(OutboxEntry.request_key)
            .where(*mine, OutboxEntry.state == "frozen")
            .order_by(OutboxEntry.frozen_at, OutboxEntry.id)
            .limit(1)
        )
        which = (OutboxEntry.state == "frozen", OutboxEntry.request_key == key) if key else (
            OutboxEntry.state == "pending",
            OutboxEntry.kind.in_([kind for kind in _kinds(session, connection_id) if kind in spec.push_kinds]),
            *_free(),
        )  # fmt: skip
        until = now + (LEASE if key else CLAIM)
        ids = select(OutboxEntry.id).where(*mine, *which).order_by(OutboxEntry.id).limit(spec.push_size)
        taken = session.execute(
            update(OutboxEntry)
            .where(OutboxEntry.id.in_(ids.with_for_update(skip_locked=True).scalar_subquery()),
                   OutboxEntry.available_at <= now)
            .values(attempts=OutboxEntry.attempts + 1, available_at=until)
            .returning(OutboxEntry.id, OutboxEntry.attempts),
            execution_options={"synchronize_session": False},
        ).all()  # fmt: skip
        entries = {row.id: row.attempts for row in taken}
        return Claim(connection_id, spec, entries, bool(key)) if entries else None


def ours(session: Session, claim: Claim, state: str) -> list[OutboxEntry]:
    found = session.scalars(
        select(OutboxEntry)
        .where(OutboxEntry.id.in_(claim.entries), OutboxEntry.state == state)
        .order_by(OutboxEntry.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return [entry for entry in found if entry.attempts == claim.entries[entry.id]]


def _open_for_writing(now: datetime) -> tuple[Any, ...]:
    return (
        Connection.state == "connected", Connection.read_only.is_(False),
        or_(Connection.held_until.is_(None), Connection.held_until <= now),
    )  # fmt: skip


def _kinds(session: Session, connection_id: int) -> list[str]:
    return [kind for kind in OUTGOING if settings.current(session, connection_id, kind).allows_out]


def _free() -> tuple[Any, ...]:
    """Nothing of the same object is on its way, and nothing it needs has yet to come there by an entry of its own.

    What is needed and neither linked nor on its way does not keep it: `freezing` parks it.
    """
    other, needed, entry = aliased(OutboxEntry), aliased(OutboxEntry), OutboxEntry
    same = (other.connection_id == entry.connection_id, other.kind == entry.kind, other.local_id == entry.local_id)
    linked = exists(select(Link.id).where(
        Link.connection_id == entry.connection_id, Link.kind == OutboxNeed.kind, Link.local_id == OutboxNeed.local_id,
        Link.state == "linked",
    ))  # fmt: skip
    coming = exists(select(needed.id).where(
        needed.connection_id == entry.connection_id, needed.kind == OutboxNeed.kind,
        needed.local_id == OutboxNeed.local_id, needed.state.in_(OPEN), needed.id != entry.id,
    ))  # fmt: skip
    return (
        ~exists(select(other.id).where(*same, other.state == "frozen")),
        ~exists(select(OutboxNeed.id).where(OutboxNeed.entry_id == entry.id, ~linked, coming)),
    )
