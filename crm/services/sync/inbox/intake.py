"""Acting on events: due ones are claimed, their objects read together, and applied with every outcome told.

An event is a hint. What counts is what a read says then, so order and repetition do not matter. Claiming is one
compare-and-set on `available_at`, which is the lease as well: whoever lost it stores nothing. Reading happens between
two transactions (`event_reads`), storing in one (`applying`): killed anywhere, a worker leaves an event done or due
again.

| the read says | outcome |
|---|---|
| another content | `changed`; `echo`, if it is what our last write left there |
| the same content | `unchanged` |
| a body nobody can keep | `refused`, with the reason in the sync log |
| nothing, and the event said `deleted` | `gone` |
| nothing | asked again after half a minute; the second time `gone` |
| a merge, and nothing of the one that went | `merged`; `two_contacts`, both linked; `kept_apart`, as a person says |
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from crm.bell import ring
from crm.db import changed, db, end_reading, transaction
from crm.domain.directions import DIRECTIONS
from crm.domain.errors import ProviderError
from crm.models import Connection, InboxEvent
from crm.providers.accounting.base import Accounting
from crm.services.sync import settings
from crm.services.sync.imports.fetch import Fetch
from crm.services.sync.inbox import event_reads
from crm.services.sync.inbox import failures as intake_failures
from crm.services.sync.inbox import outcomes as intake_outcomes
from crm.services.sync.inbox.inbox import TAKE_IN
from crm.services.sync.mirror import applying
from crm.services.sync.mirror.applying import Reading
from crm.services.sync.mirror.kinds import Key
from crm.services.sync.work import Batch, Books, books_of

log = logging.getLogger(__name__)

OpenBooks = Callable[..., AbstractContextManager[Accounting]]
LEASE = timedelta(minutes=5)
"""Longer than reading and applying a page takes, waiting for a place to call included."""
SLICE = timedelta(minutes=3)
"""Then the bell is rung anew, so that one company does not keep the hands from others."""
PAGE = 300
"""Objects taken at once, with every event about them."""
MOST = 5000
"""Events taken at once."""
ALONE = "failed"
"""Outcome of a pending event whose last try ended in an error of its own: it is tried by itself."""


class LeaseLost(Exception):
    """Another worker has these events; what this one was about to store is rolled back."""


@dataclass(slots=True)
class Hold:
    """Events claimed by this worker."""

    books: Books
    events: Sequence[Any]
    lease: datetime
    calls: int = 0

    @property
    def by_object(self) -> dict[Key, list[Any]]:
        found: dict[Key, list[Any]] = {}
        for event in self.events:
            found.setdefault((event.kind, event.remote_id), []).append(event)
        return found

    @property
    def merges(self) -> list[Key]:
        """(survivor, loser) of customers, each once, oldest first."""
        pairs = [(e.remote_id, e.other_remote_id) for e in self.events
                 if e.kind == "customer" and e.verb == "merged" and e.other_remote_id]  # fmt: skip
        return list(dict.fromkeys(pairs))

    @property
    def others_merged(self) -> list[tuple[str, str, str]]:
        """(kind, survivor, loser) of all kinds but customers, each once, oldest first."""
        found = [(e.kind, e.remote_id, e.other_remote_id) for e in self.events
                 if e.kind != "customer" and e.verb == "merged" and e.other_remote_id]  # fmt: skip
        return list(dict.fromkeys(found))

    @property
    def merged_away(self) -> list[Key]:
        """What went into another one of its kind, of all kinds but customers: theirs are followed (`merges`)."""
        return [(kind, loser) for kind, _, loser in self.others_merged]

    def held(self, session: Session) -> None:
        """Raises LeaseLost unless all of them are still ours; they stay locked until the transaction ends."""
        ids = [event.id for event in self.events]
        mine = (InboxEvent.id.in_(ids), InboxEvent.state == "pending", InboxEvent.available_at == self.lease)
        found = session.scalars(select(InboxEvent.id).where(*mine).order_by(InboxEvent.id).with_for_update()).all()
        if len(found) != len(ids):
            raise LeaseLost(f"{len(ids) - len(found)} of {len(ids)} events are no longer held")


def take_in(
    connection_id: int,
    *,
    clock: Callable[[], datetime],
    open_books: OpenBooks | None = None,
    jitter: Callable[[], float] = random.random,
) -> int:
    """Act on the due events of the company until none is left; answers how many were settled or put off."""
    until, done = clock() + SLICE, 0
    stack = ExitStack()
    with stack:
        opened = stack.enter_context  # once for all pages
        remote: list[Accounting] = []

        def books() -> Accounting:
            if not remote:
                remote.append(opened((open_books or _books())(connection_id, clock=clock)))
            return remote[0]

        while hold := _claim(connection_id, clock()):
            done += len(hold.events)
            if not _page(hold, Fetch(hold, books), clock, jitter):
                break
            if clock() >= until:
                with transaction():
                    ring(TAKE_IN, connection_id)
                break
    return done


def _books() -> OpenBooks:
    from crm.services import connections  # it starts the first import itself, so it may import this package

    return connections.books


def _page(hold: Hold, fetch: Fetch, clock: Callable[[], datetime], jitter: Callable[[], float]) -> bool:
    """One page; False where going on at once makes no sense."""
    try:
        losers = [loser for _, loser in hold.merges]
        wanted = [*hold.by_object, *hold.merged_away]
        reading = event_reads.read(fetch, hold.books.id, wanted, merged=losers)
        _store(hold, fetch, reading, clock())
        return True
    except LeaseLost as lost:
        log.info("%s", lost)
        return False
    except ProviderError as error:
        return intake_failures.provider_failed(hold, error, now=clock(), jitter=jitter())
    except OperationalError as error:
        return intake_failures.we_failed(hold, error, now=clock(), jitter=jitter(), final=False)
    except Exception as error:
        log.exception("events of connection %s could not be taken in", hold.books.id)
        return intake_failures.we_failed(hold, error, now=clock(), jitter=jitter(), final=True)


# --- claiming -------------------------------------------------------------------------------------------------


def _claim(connection_id: int, now: datetime) -> Hold | None:
    end_reading()
    due = (InboxEvent.connection_id == connection_id, InboxEvent.state == "pending", InboxEvent.available_at <= now)
    if not db.session.scalars(select(InboxEvent.id).where(*due).limit(1)).all():
        return None
    with transaction() as session:
        connection = session.get(Connection, connection_id, populate_existing=True)
        if connection is None or not connection.live:
            return None
        stopped = _stop_or_ignore(session, connection_id, now)
        if stopped is None:
            return None
        rows = _next(session, (*due, InboxEvent.kind.not_in(stopped)))
        if not rows:
            return None
        lease = now + LEASE
        taken = update(InboxEvent).where(InboxEvent.id.in_([row.id for row in rows]), *due)
        changed(taken.values(available_at=lease, attempts=InboxEvent.attempts + 1))
        return Hold(books_of(connection), rows, lease)


def _next(session: Session, due: Sequence[Any]) -> Sequence[Any]:
    """All due events of the objects that were told of first; one that failed by itself comes alone."""
    order = func.min(InboxEvent.id)
    objects = select(InboxEvent.kind, InboxEvent.remote_id, func.max(InboxEvent.outcome).label("outcome"))
    objects = objects.where(*due).group_by(InboxEvent.kind, InboxEvent.remote_id).order_by(order)
    first = session.execute(objects.limit(PAGE)).all()
    chosen = first[:1] if first and first[0].outcome == ALONE else [one for one in first if one.outcome != ALONE]
    columns = select(
        InboxEvent.id, InboxEvent.kind, InboxEvent.remote_id, InboxEvent.verb, InboxEvent.other_remote_id,
        InboxEvent.source, InboxEvent.attempts, InboxEvent.missed, InboxEvent.outcome, InboxEvent.occurred_at,
    )  # fmt: skip
    theirs = tuple_(InboxEvent.kind, InboxEvent.remote_id).in_([(one.kind, one.remote_id) for one in chosen])
    query = columns.where(*due, theirs).order_by(InboxEvent.id).limit(MOST)
    return session.execute(query.with_for_update(skip_locked=True)).all() if chosen else []


def _stop_or_ignore(session: Session, connection_id: int, now: datetime) -> list[str] | None:
    """Kinds that wait because they are paused (None: everything does); events of kinds that do not come in are settled
    as ignored."""
    kept = settings.of_connection(session, connection_id)
    if any(setting.connection_paused for setting in kept.values()):
        return None
    closed = [kind for kind, setting in kept.items() if not DIRECTIONS[setting.direction].comes_in]
    if closed:
        mine = (InboxEvent.connection_id == connection_id, InboxEvent.state == "pending", InboxEvent.kind.in_(closed))
        text = "The sync settings let nothing of this kind come in."
        changed(update(InboxEvent).where(*mine, InboxEvent.available_at <= now)
                .values(state="ignored", message=text, settled_at=now))  # fmt: skip
    return [kind for kind, setting in kept.items() if setting.paused]


# --- storing --------------------------------------------------------------------------------------------------


def _store(hold: Hold, fetch: Fetch, reading: Reading, now: datetime) -> None:
    with transaction() as session:
        batch = Batch(session, hold.books, now, trigger=intake_outcomes.trigger_of(hold.events))
        hold.held(session)
        applying.lock(batch)
        people = reading.records.get("customer", {})
        pairs = [pair for pair in hold.merges if pair[1] not in people or not people[pair[1]].active]
        others = [one for one in hold.others_merged if _is_away(reading, one[0], one[2])]
        applied = applying.apply(batch, reading, fetch.names, merged=pairs, others_merged=others)
        intake_outcomes.settle(batch, hold, reading, applied)


def _is_away(reading: Reading, kind: str, remote_id: str) -> bool:
    """Whether what was merged away is not there, or inactive, as QuickBooks may leave it for days."""
    if (kind, remote_id) in reading.refusals:
        return False
    found = reading.records.get(kind, {}).get(remote_id)
    return found is None or getattr(found, "active", True) is False


def ring_due(*, now: datetime) -> None:
    """Ring for every company that has due events: a lost bell, a dead worker, a second look, a retry."""
    due = (
        select(InboxEvent.connection_id)
        .join(Connection, Connection.id == InboxEvent.connection_id)
        .where(InboxEvent.state == "pending", InboxEvent.available_at <= now, Connection.state == "connected")
        .distinct()
    )
    for connection_id in sorted(id_ for id_ in db.session.scalars(due) if id_ is not None):
        ring(TAKE_IN, connection_id)
