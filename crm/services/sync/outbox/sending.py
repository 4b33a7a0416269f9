"""Sending what waits in the outbox: claim, freeze, push, settle, until nothing is due or the time slice is over.

Called by the task `crm.tasks.outbox.send`. Any number of workers may send for one connection (`claiming`). Making the
bodies and freezing them with their key is one transaction (`freezing`), storing what came of them another (`settling`);
in between, while the books are asked, none is open. A worker killed anywhere leaves entries that the next one takes up
when the lease has lapsed: frozen ones go out again word for word with the same key, and nothing else goes with them.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select, tuple_, update
from sqlalchemy.exc import OperationalError

from crm import clock as system_clock
from crm.bell import ring
from crm.db import changed, db, end_reading, transaction
from crm.domain.errors import OutcomeUnknown, ProviderError
from crm.models import Link, OutboxEntry
from crm.providers.accounting.base import Accounting, Pushed
from crm.services.sync.outbox import lookups, settling
from crm.services.sync.outbox.claiming import CLAIM, LEASE, Claim, claim_next, due
from crm.services.sync.outbox.freezing import freeze_all, frozen_of
from crm.services.sync.outbox.outbox import TASK
from crm.services.sync.outbox.verdicts import Sent
from crm.services.sync.outbox.waiting import active_again
from crm.services.sync.work import BY_RULE

log = logging.getLogger(__name__)

OpenBooks = Callable[..., AbstractContextManager[Accounting]]
SLICE = timedelta(minutes=3)
"""Then the worker lets go, so that one company does not keep others waiting; the bell is rung at once."""
SETTLE_AGAIN = (0.2, 1.0, 5.0)
"""Seconds; after that the same is sent again with its key when the lease has lapsed."""


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
        while claim := claim_next(connection_id, now=clock()):
            pushed += _round(claim, open_books or _books(), clock=clock, jitter=jitter)
            if clock() >= until:
                with transaction():
                    ring(TASK, connection_id)
                break
    except OperationalError as error:
        # The database is away. What is claimed stays as it is; the next worker goes on when the lease has lapsed.
        log.warning("sending for connection %s stopped: %s", connection_id, type(error.orig).__name__)
    return pushed


def _books() -> OpenBooks:
    from crm.services import connections  # it starts imports itself, so it may import this package

    return connections.books


def tend_outbox(*, now: datetime) -> list[int]:
    """Ring for every connection that has something due: bells that were lost, leases that lapsed, pauses that ended."""
    active_again(now=now)
    found = due(db.session(), now=now)
    for connection_id in found:
        ring(TASK, connection_id)
    return found


def _round(claim: Claim, open_books: OpenBooks, *, clock: Callable[[], datetime], jitter: Callable[[], float]) -> int:
    """From a claim to what came of it; answers how many went out."""
    sent = frozen_of(claim) if claim.frozen else freeze_all(claim, clock=clock, jitter=jitter)
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
            answers, found = _ask(connection_id, books, sent, hold, clock)
        took = int((time.monotonic() - started) * 1000)
        _keep(lambda: settling.settle(
            connection_id, sent, answers, found, now=clock(), jitter=jitter(), took=took
        ))  # fmt: skip
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


def _keep(settle: Callable[[], None]) -> None:
    """Keep what came of a batch; again where the database did not take it (a deadlock, a restart): we alone know it."""
    for pause in SETTLE_AGAIN:
        try:
            return settle()
        except OperationalError as error:
            log.warning("what came of a batch is not kept yet: %s", type(error.orig).__name__)
        time.sleep(pause)
    return settle()


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
    connection_id: int,
    books: Accounting,
    sent: Sequence[Sent],
    hold: Callable[[], None],
    clock: Callable[[], datetime],
) -> tuple[dict[int, Pushed], lookups.Found]:
    """Push them, then read whatever must be known to settle them. Entry id -> outcome; one for every entry."""
    known = lookups.recall(books, sent, now=clock(), hold=hold, linked=partial(_linked, connection_id))
    going = [one for one in sent if one.entry_id not in known.answers and one.entry_id not in known.again]
    by_item = {}
    if going:
        hold()
        by_item = {done.item: done for done in books.push([one.draft for one in going], key=going[0].key)}
    silence = OutcomeUnknown("QuickBooks did not say what became of this.")
    answers = {one.entry_id: by_item.get(one.draft.item) or Pushed(one.draft.item, error=silence) for one in going}
    found = lookups.explain(books, going, answers, hold=hold)
    return answers | dict(known.answers), replace(found, again=known.again)


def _linked(connection_id: int, kind: str, remote_ids: Sequence[str]) -> set[str]:
    """Which of these were written from here. One that only came in may be what a write of ours left there, read before
    anybody knew of it; it then gives way to what it was written from."""
    mine = (Link.connection_id == connection_id, Link.kind == kind, Link.remote_id.in_(remote_ids),
            Link.linked_by != BY_RULE)  # fmt: skip
    found = set(db.session.scalars(select(Link.remote_id).where(*mine)))
    end_reading()
    return found
