"""The throttle without Redis: one row per call in `call_slots`, and the hold in the connection's own row.

Every admission is one short transaction under a lock of the connection, so that it is right with any number of
processes: on SQLite the write transaction itself is the lock, on PostgreSQL an advisory one, since a lock of the row
would wait for every import that is just writing rows of that company. `services/throttle` calls it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from crm.db import changed, end_reading, transaction
from crm.domain import throttle as rules
from crm.domain.errors import NotFound
from crm.models import CallSlot, Connection
from crm.services.grants import Clock
from crm.services.throttle_places import Ask, Place

LOCK_CLASS = 7_231
"""First half of the advisory lock's number; the second is the connection's id."""


def admit(ask: Ask, finished: Iterable[Place], *, clock: Clock) -> Place | float:
    """A place, or the seconds until there may be one."""
    end_reading()
    with transaction() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(select(func.pg_advisory_xact_lock(LOCK_CLASS, ask.connection_id)))
        now = clock()  # only now: waiting for the lock may have taken a while
        record(session, finished)
        held = _held(session, ask.connection_id)
        pause = rules.pause(
            now.timestamp(),
            lambda window, number: _nth_newest(session, ask.connection_id, now, window, number),
            batch=ask.batch,
            urgent=ask.urgent,
        )
        if held is not None:
            pause = max(pause, (held - now).total_seconds())
        if pause > 0:
            return pause
        slot = CallSlot(connection_id=ask.connection_id, at=now + timedelta(seconds=rules.ARRIVAL), batch=ask.batch)
        session.add(slot)
        prune(session, ask.connection_id, now=now)
        session.flush()
        return Place(ask.connection_id, ask.batch, slot_id=slot.id)


def record(session: Session, finished: Iterable[Place]) -> None:
    """Write down when these ended; those that were admitted by Redis get their row now."""
    for place in finished:
        if place.ended_at is None or place.recorded:
            continue
        if place.slot_id is None:
            session.add(CallSlot(connection_id=place.connection_id, at=place.ended_at, batch=place.batch))
        else:
            changed(update(CallSlot).where(CallSlot.id == place.slot_id).values(at=place.ended_at))
        place.recorded = True


def prune(session: Session, connection_id: int, *, now: datetime) -> None:
    old = now - timedelta(seconds=rules.KEPT)
    changed(delete(CallSlot).where(CallSlot.connection_id == connection_id, CallSlot.at < old))


def recent(
    session: Session, connection_id: int, *, now: datetime
) -> tuple[list[tuple[int, float, bool]], datetime | None]:
    """(id, moment, batch) of every call that still counts, and until when the company is held."""
    rows = session.execute(
        select(CallSlot.id, CallSlot.at, CallSlot.batch)
        .where(CallSlot.connection_id == connection_id, CallSlot.at >= now - timedelta(seconds=rules.KEPT))
        .order_by(CallSlot.id)
    )
    return [(row.id, row.at.timestamp(), row.batch) for row in rows], _held(session, connection_id)


def hold(connection_id: int, until: datetime) -> None:
    """In the open transaction; an earlier hold that lasts longer stays."""
    changed(
        update(Connection)
        .where(
            Connection.id == connection_id,
            (Connection.held_until.is_(None)) | (Connection.held_until < until),
        )
        .values(held_until=until)
    )


def _held(session: Session, connection_id: int) -> datetime | None:
    row = session.execute(select(Connection.held_until).where(Connection.id == connection_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such connection.")
    held: datetime | None = row.held_until
    return held


def _nth_newest(session: Session, connection_id: int, now: datetime, window: rules.Window, number: int) -> float | None:
    query = select(CallSlot.at).where(
        CallSlot.connection_id == connection_id, CallSlot.at < now + timedelta(seconds=rules.WRONG_CLOCK)
    )
    if window.batches:
        query = query.where(CallSlot.batch.is_(True))
    at = session.scalar(query.order_by(CallSlot.at.desc()).offset(number - 1).limit(1))
    return at.astimezone(UTC).timestamp() if at else None
