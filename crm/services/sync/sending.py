"""Sending what waits in the outbox: claim, freeze, push, settle, until nothing is due or the time slice is over.

Called by the task `crm.tasks.outbox.send`. Any number of workers may send for one connection: an entry is claimed by
one compare-and-set on `available_at`, which raises `attempts`; whoever lost a claim changes nothing any more. Making
the bodies and freezing them with their key is one transaction, storing what came of them another; in between, while
the books are asked, none is open. A worker killed anywhere leaves entries that the next one takes up when the lease
has lapsed: frozen ones go out again word for word with the same key, and nothing else goes with them.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import exists, or_, select, tuple_, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, aliased

from crm import clock as system_clock
from crm.bell import ring
from crm.db import changed, db, end_reading, transaction
from crm.domain.directions import EVERYTHING
from crm.domain.errors import OutcomeUnknown, ProviderError
from crm.models import Connection, Link, OutboxEntry, OutboxNeed
from crm.providers.accounting import registry
from crm.providers.accounting.base import Accounting, Pushed, Spec
from crm.services.sync import lookups, settings, settling
from crm.services.sync.kinds import OUTGOING
from crm.services.sync.kinds.port import Nothing, Park, Prepared, Send, Wait
from crm.services.sync.outbox import OPEN, TASK
from crm.services.sync.verdicts import Sent, drop, park, sent_of
from crm.services.sync.waiting import active_again
from crm.services.sync.work import Batch, books_of

log = logging.getLogger(__name__)

OpenBooks = Callable[..., AbstractContextManager[Accounting]]
NOT_THERE = "It belongs to something that is not in QuickBooks and is not on its way there. Create that there first."
CLAIM = timedelta(minutes=1)
"""Longer than making the bodies of a batch takes."""
LEASE = timedelta(minutes=4)
"""Longer than pushing and settling a batch takes, waiting for its turn included; then a dead worker is replaced."""
SLICE = timedelta(minutes=3)
"""Then the worker lets go, so that one company does not keep others waiting; the bell is rung at once."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Entries that are ours until the lease lapses: id -> the attempt that this is."""

    connection_id: int
    spec: Spec
    entries: Mapping[int, int]
    frozen: bool


def send(
    connection_id: int,
    *,
    clock: Callable[[], datetime] = system_clock.now,
    open_books: OpenBooks | None = None,
    jitter: Callable[[], float] = random.random,
) -> int:
    """Send what is due; answers how many entries were pushed. What fails is kept on its entry, never raised."""
    until, pushed = clock() + SLICE, 0
    try:
        while claim := _claim(connection_id, now=clock()):
            pushed += _round(claim, open_books or _books(), clock=clock, jitter=jitter)
            if clock() >= until:
                with transaction():
                    ring(TASK, connection_id)
                break
    except OperationalError as error:
        # The database is away. What is claimed stays as it is; the next worker goes on when the lease has lapsed.
        log.warning("sending for connection %s stopped: %s", connection_id, type(error).__name__)
    return pushed


def _books() -> OpenBooks:
    from crm.services import connections  # it starts imports itself, so it may import this package

    return connections.books


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


def tend_outbox(*, now: datetime) -> list[int]:
    """Ring for every connection that has something due: bells that were lost, leases that lapsed, pauses that ended."""
    active_again(now=now)
    found = due(db.session(), now=now)
    for connection_id in found:
        ring(TASK, connection_id)
    return found


# --- claim ----------------------------------------------------------------------------------------------------


def _open_for_writing(now: datetime) -> tuple[Any, ...]:
    return (
        Connection.state == "connected", Connection.read_only.is_(False),
        or_(Connection.held_until.is_(None), Connection.held_until <= now),
    )  # fmt: skip


def _kinds(session: Session, connection_id: int) -> list[str]:
    return [kind for kind in OUTGOING if settings.current(session, connection_id, kind).allows_out]


def _free() -> tuple[Any, ...]:
    """Nothing of the same object is on its way, and nothing it needs has yet to come there by an entry of its own.

    What is needed and neither linked nor on its way does not keep it: `_lost_needs` parks it.
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


def _lost_needs(session: Session, entries: Sequence[OutboxEntry]) -> dict[int, tuple[str, int]]:
    """Entry -> an object it needs that has no link of any state. Nothing brings it there: else it was not claimed."""
    link = exists(select(Link.id).where(
        Link.connection_id == OutboxEntry.connection_id, Link.kind == OutboxNeed.kind,
        Link.local_id == OutboxNeed.local_id,
    ))  # fmt: skip
    query = (
        select(OutboxNeed.entry_id, OutboxNeed.kind, OutboxNeed.local_id)
        .join(OutboxEntry, OutboxEntry.id == OutboxNeed.entry_id)
        .where(OutboxNeed.entry_id.in_([entry.id for entry in entries]), ~link)
        .order_by(OutboxNeed.id)
    )
    return {entry_id: (kind, local_id) for entry_id, kind, local_id in session.execute(query)}


def _claim(connection_id: int, *, now: datetime) -> Claim | None:
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


# --- one batch ------------------------------------------------------------------------------------------------


def _round(claim: Claim, open_books: OpenBooks, *, clock: Callable[[], datetime], jitter: Callable[[], float]) -> int:
    """From a claim to what came of it; answers how many went out."""
    sent = _frozen(claim) if claim.frozen else _freeze_all(claim, clock=clock, jitter=jitter)
    end_reading()
    if sent:
        _go_out(claim.connection_id, sent, _holding(sent, clock), open_books, clock=clock, jitter=jitter)
    return len(sent)


def _go_out(
    connection_id: int,
    sent: Sequence[Sent],
    hold: Callable[[], None],
    open_books: OpenBooks,
    *,
    clock: Callable[[], datetime],
    jitter: Callable[[], float],
) -> None:
    """Push and settle. What nobody understands is tried again one by one, always with the key they have: by then any of
    them may have been done."""
    started = time.monotonic()
    try:
        with open_books(connection_id, clock=clock) as books:
            answers, found = _ask(books, sent, hold, clock)
        took = int((time.monotonic() - started) * 1000)
        settling.settle(connection_id, sent, answers, found, now=clock(), jitter=jitter(), took=took)
    except OperationalError:
        raise
    except Exception as error:
        if not isinstance(error, ProviderError):
            log.exception("sending for connection %s failed", connection_id)
        if len(sent) == 1 or settling.passes(error):
            settling.call_failed(connection_id, sent, error, now=clock(), jitter=jitter())
            return
        for one in sent:
            _go_out(connection_id, [one], hold, open_books, clock=clock, jitter=jitter)


def _holding(sent: Sequence[Sent], clock: Callable[[], datetime]) -> Callable[[], None]:
    """Called before each call: renews the lease of these entries once a minute of it is used up."""
    attempts = [(one.entry_id, one.attempt) for one in sent]
    last = clock()

    def hold() -> None:
        nonlocal last
        now = clock()
        if now - last < CLAIM:
            return
        last = now
        ours = tuple_(OutboxEntry.id, OutboxEntry.attempts).in_(attempts) & (OutboxEntry.state == "frozen")
        with transaction():
            changed(update(OutboxEntry).where(ours).values(available_at=now + LEASE))

    return hold


def _ask(
    books: Accounting, sent: Sequence[Sent], hold: Callable[[], None], clock: Callable[[], datetime]
) -> tuple[dict[int, Pushed], lookups.Found]:
    """Push them, then read whatever must be known to settle them. Entry id -> outcome; one for every entry."""
    known = lookups.recall(books, sent, now=clock(), hold=hold)
    going = [one for one in sent if one.entry_id not in known.answers and one.entry_id not in known.again]
    by_item = {}
    if going:
        hold()
        by_item = {done.item: done for done in books.push([one.draft for one in going], key=going[0].key)}
    silence = OutcomeUnknown("QuickBooks did not say what became of this.")
    answers = {one.entry_id: by_item.get(one.draft.item) or Pushed(one.draft.item, error=silence) for one in going}
    found = lookups.explain(books, going, answers, hold=hold)
    return answers | dict(known.answers), replace(found, again=known.again)


def _frozen(claim: Claim) -> list[Sent]:
    """Those of the claim that are still ours, as they were frozen."""
    with transaction() as session:
        entries = _ours(session, claim, "frozen")
        return [sent_of(entry) for entry in entries]


def _ours(session: Session, claim: Claim, state: str) -> list[OutboxEntry]:
    found = session.scalars(
        select(OutboxEntry)
        .where(OutboxEntry.id.in_(claim.entries), OutboxEntry.state == state)
        .order_by(OutboxEntry.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return [entry for entry in found if entry.attempts == claim.entries[entry.id]]


# --- freeze ---------------------------------------------------------------------------------------------------


def _freeze_all(claim: Claim, *, clock: Callable[[], datetime], jitter: Callable[[], float]) -> list[Sent]:
    """Make and freeze their bodies. Where that fails each is tried alone, so that one bad entry stops no other."""
    try:
        return _freeze(claim, now=clock())
    except OperationalError:
        raise
    except Exception as error:
        if len(claim.entries) == 1:
            log.exception("preparing entry %s failed", *claim.entries)
            settling.we_failed(claim.connection_id, claim.entries, error, now=clock(), jitter=jitter())
            return []
    for entry_id, attempt in claim.entries.items():
        alone = replace(claim, entries={entry_id: attempt})
        sent = _freeze_all(alone, clock=clock, jitter=jitter)
        settling.due_now([one.entry_id for one in sent], now=clock())  # each has a key of its own: the next rounds
    return []


def _freeze(claim: Claim, *, now: datetime) -> list[Sent]:
    with transaction() as session:
        for kind, local_ids in _objects(session, claim).items():
            OUTGOING[kind].hold(session, local_ids)
        entries = _ours(session, claim, "pending")
        connection = session.get_one(Connection, claim.connection_id, populate_existing=True)
        if not connection.live or connection.read_only:
            for entry in entries:
                entry.available_at = now
            return []
        batch = Batch(session, books_of(connection), now)
        key, body = uuid4().hex, registry.body(connection.provider)
        prepared: dict[int, Prepared] = {
            entry_id: Park("reference", NOT_THERE, {"kind": kind, "local_id": local_id})
            for entry_id, (kind, local_id) in _lost_needs(session, entries).items()
        }
        for kind in sorted({entry.kind for entry in entries}):
            mine = [e for e in entries if e.kind == kind and e.id not in prepared]
            prepared |= OUTGOING[kind].prepare(batch, mine, body=body)
        frozen = [entry for entry in entries if _become(batch, entry, prepared[entry.id], key)]
        session.flush()
        return [sent_of(entry) for entry in frozen]


def _objects(session: Session, claim: Claim) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    mine = OutboxEntry.id.in_(claim.entries)
    for kind, local_id in session.execute(
        select(OutboxEntry.kind, OutboxEntry.local_id).where(mine).order_by(OutboxEntry.kind, OutboxEntry.local_id)
    ):
        found.setdefault(kind, []).append(local_id)
    return found


def _become(batch: Batch, entry: OutboxEntry, what: Prepared, key: str) -> bool:
    """The entry after it was looked at; whether it goes out now."""
    entry.updated_at = batch.now
    match what:
        case Send():
            entry.state, entry.frozen_at, entry.generation = "frozen", batch.now, entry.generation + 1
            entry.request_key, entry.batch_item = key, f"e{entry.id % 10**8}"
            entry.available_at = batch.now + LEASE
            entry.operation, entry.body, entry.before = what.operation, what.body, what.before
            entry.changes, entry.remote_id = what.changes, what.remote_id
            return True
        case Nothing():
            drop(batch, entry, what.why)
        case Park():
            park(batch, entry, what.cause, what.error, what.evidence)
        case Wait():
            entry.available_at, entry.error = what.until, what.why
    return False
