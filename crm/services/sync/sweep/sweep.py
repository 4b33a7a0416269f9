"""The change sweep: every quarter of an hour the books are asked, in one call, what changed since the last time.

It finds what webhooks did not tell, whoever lost it, and brings it in the way `intake` does (`applying`). The row of
`sweeps` is claimed by compare-and-set on `available_at` and fenced by `attempts`; its cursor is stored together with
what was applied. It begins where the last full import began, and goes back to one where the books no longer remember:
after `spec.changes_days`, or where one kind changed more often than an answer holds. What was read and cannot be
stored goes to the inbox (`sweep_handing`), so that one object does not keep all others of its company for ever.
"""

from __future__ import annotations

import logging
import random
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from crm.bell import ring
from crm.db import changed, db, end_reading, table_of, transaction
from crm.domain.delivery import Next, delay, next_step
from crm.domain.errors import ProviderError
from crm.models import Connection, Customer, Sweep
from crm.providers.accounting.base import Accounting
from crm.services import notices
from crm.services.sync.imports.fetch import Fetch
from crm.services.sync.mirror import applying, lists, newcomers
from crm.services.sync.mirror.bulk import INSERTS
from crm.services.sync.mirror.lists import Whole
from crm.services.sync.sweep import gaps as sweep_gaps
from crm.services.sync.sweep import handing as sweep_handing
from crm.services.sync.sweep import start as sweep_start
from crm.services.sync.sweep import sweeping, turns
from crm.services.sync.work import Batch, Books, books_of

log = logging.getLogger(__name__)

OpenBooks = Callable[..., AbstractContextManager[Accounting]]
TASK = "crm.tasks.inbox.sweep_changes"
LEASE = timedelta(minutes=10)
OVERLAP = timedelta(minutes=5)
"""Asked for again each time: clocks differ, and what was stored there a moment ago may be told late."""

FAILING = "sweep_failing"
"""Topic of the notice that sweeps fail."""
TELL_AFTER = 3
"""Failures in a row."""
OURS = "Something went wrong on our side ({}). The sync log has the details."


class LeaseLost(Exception):
    """Another worker sweeps this company; what this one was about to store is rolled back."""


@dataclass(slots=True)
class Hold:
    """A claimed sweep."""

    books: Books
    provider: str
    attempt: int
    begun: datetime
    plan: sweep_start.Begin
    lists_due: bool
    before: dict[str, Any]
    """Counts of the last sweep."""
    calls: int = 0

    def held(self, session: Session) -> Sweep:
        sweep = session.get(Sweep, self.books.id, with_for_update=True, populate_existing=True)
        if sweep is None or sweep.attempts != self.attempt:
            raise LeaseLost(f"the sweep of connection {self.books.id} is no longer held by attempt {self.attempt}")
        return sweep


def run(
    connection_id: int,
    *,
    clock: Callable[[], datetime],
    open_books: OpenBooks | None = None,
    jitter: Callable[[], float] = random.random,
) -> bool:
    """Sweep the company if that is due and nobody is at it; whether the books were asked and what they said stored."""
    hold = _claim(connection_id, clock())
    if hold is None:
        return False
    try:
        with ExitStack() as stack:
            fetch = Fetch(hold, lambda: stack.enter_context((open_books or _books())(connection_id, clock=clock)))
            turn = hold.plan.turn
            asked = sweeping.ask(fetch, connection_id, turn.kinds, turn.since - OVERLAP)
            whole = lists.read(fetch) if hold.lists_due else None
            _store_or_hand_over(hold, fetch, asked, whole, clock)
        return True
    except LeaseLost as lost:
        log.info("%s", lost)
    except ProviderError as error:
        _failed(hold, error, str(error), now=clock(), jitter=jitter())
    except Exception as error:
        log.exception("the sweep of connection %s failed", connection_id)
        _failed(hold, error, OURS.format(type(error).__name__), now=clock(), jitter=jitter())
    return False


def _books() -> OpenBooks:
    from crm.services import connections  # it starts the first import itself, so it may import this package

    return connections.books


def _claim(connection_id: int, now: datetime) -> Hold | None:
    end_reading()
    with transaction() as session:
        taken = changed(
            update(Sweep)
            .where(Sweep.connection_id == connection_id, Sweep.available_at <= now)
            .values(available_at=now + LEASE, attempts=Sweep.attempts + 1)
        )
        connection = session.get(Connection, connection_id, populate_existing=True)
        if not taken or connection is None:
            return None
        sweep = session.get_one(Sweep, connection_id, populate_existing=True)
        begin = sweep_start.begin(session, connection, sweep, now=now)
        if begin is None:
            return None
        sweep.available_at = now + LEASE
        return Hold(
            books_of(connection), connection.provider, sweep.attempts, now, begin,
            lists_due=sweep.lists_at is None or sweep.lists_at <= now - timedelta(days=1), before=dict(sweep.counts),
        )  # fmt: skip


def _store_or_hand_over(
    hold: Hold, fetch: Fetch, asked: sweeping.Asked, whole: Sequence[Whole] | None, clock: Callable[[], datetime]
) -> None:
    """Raises what `_store` raises only where the inbox could not take it either, or trying again will do."""
    try:
        _store(hold, fetch, asked, whole, clock())
    except (LeaseLost, OperationalError, ProviderError):
        raise  # somebody else's, or the database's trouble, not an object's
    except Exception as error:
        log.exception("what the sweep of connection %s read could not be stored; the inbox takes it", hold.books.id)
        _hand_over(hold, asked, error, clock())


def _hand_over(hold: Hold, asked: sweeping.Asked, error: Exception, now: datetime) -> None:
    with transaction() as session:
        batch = Batch(session, hold.books, now, trigger="sweep")
        applying.lock(batch)
        sweep = hold.held(session)
        number = sweep_handing.hand_over(batch, asked)
        _go_on(session, hold, sweep, asked, now)
        sweep.failures, sweep.error = sweep.failures + 1, OURS.format(type(error).__name__)
        sweep.counts = {"calls": hold.calls, "changes": number, "gone": 0, "missed": hold.before.get("missed", 0),
                        "handed_over": number, **turns.carried(sweep.counts)}  # fmt: skip
        text = f"{sweep.error} What was read goes to the inbox ({number:,} that were not there yet), one by one."
        batch.log("call_failed", text, level="error", outcome="retried", attempt=sweep.failures,
                  error_code=type(error).__name__[:40], details=_trace(error))  # fmt: skip
        _tell(hold, sweep, now)


def _go_on(session: Session, hold: Hold, sweep: Sweep, asked: sweeping.Asked, now: datetime) -> None:
    """Where the next sweep begins, and when."""
    plan = hold.plan
    reached = sweep_start.reached(session, hold.books.id, asked, since=plan.turn.since, now=now)
    if plan.every:
        turns.keep(sweep, plan.turn, plan.kinds, reached=reached, begun=hold.begun)
        reached = turns.oldest(sweep, plan.kinds, reached=reached)
    elif not plan.keeps_cursor:
        sweep.counts = {name: value for name, value in sweep.counts.items() if name != turns.TURNS}
    if not plan.keeps_cursor:
        sweep.cursor = reached
    sweep.swept_at = hold.begun
    sweep.available_at = turns.following(sweep, plan.kinds, plan.every, now=now)


def _store(hold: Hold, fetch: Fetch, asked: sweeping.Asked, whole: Sequence[Whole] | None, now: datetime) -> None:
    with transaction() as session:
        batch = Batch(session, hold.books, now, trigger="sweep")
        applying.lock(batch)  # first, in the order everyone takes: the run, then the sweep
        sweep = hold.held(session)
        versions = sweep_gaps.versions(batch, asked.reading)
        applied = applying.apply(batch, asked.reading, fetch.names)
        _decide_left(batch)
        gone = sweeping.mark_gone(batch, asked)
        sweeping.tell(batch, asked.reading, applied)
        if whole is not None:
            for one in whole:
                lists.store_whole(batch, one)
            sweep.lists_at = now
        missed = sweep_gaps.missed(batch, asked, applied, gone, versions=versions)
        _go_on(session, hold, sweep, asked, now)
        counts = sweeping.counted(applied, gone, calls=hold.calls, missed=len(missed))
        sweep.counts = {**counts, **turns.carried(sweep.counts)}
        sweep.failures, sweep.error = 0, ""
        notices.settle(hold.books.id, FAILING, now=now)
        said = sweep_gaps.judge(batch, sweep, missed, provider=hold.provider, before=hold.before.get("missed", 0))
        batch.log("sweep_done", sweeping.summary(counts) + said, outcome="done" if applied.moved or gone else
                  "unchanged", details={"counts": counts})  # fmt: skip


def _decide_left(batch: Batch) -> None:
    """Customers that an import or a write of ours had when they came in."""
    left = newcomers.decide(batch)
    if left:
        applying.settle_trees(batch, left)


def decide_newcomers(*, clock: Callable[[], datetime]) -> None:
    """Decide about customers that came in while somebody else had a say; nobody should wait for the next sweep.

    Each company in a transaction of its own: where one cannot be decided about, the others are.
    """
    end_reading()
    waiting = select(Customer.connection_id).where(
        Customer.match_state == "new", Customer.parent_remote_id.is_(None), Customer.gone_at.is_(None),
        Customer.connection_id == Connection.id,
    )  # fmt: skip
    found = select(Connection.id).where(Connection.state == "connected", exists(waiting))
    for connection_id in db.session.scalars(found.order_by(Connection.id)).all():
        try:
            with transaction() as session:
                connection = session.get_one(Connection, connection_id, populate_existing=True)
                batch = Batch(session, books_of(connection), clock(), trigger="sweep")
                applying.lock(batch)
                _decide_left(batch)
        except Exception:
            log.exception("new customers of connection %s could not be decided about", connection_id)


def _failed(hold: Hold, error: Exception, text: str, *, now: datetime, jitter: float) -> None:
    """Later, and later still; where a person must mend the connection it is simply due again."""
    what = next_step(error) if isinstance(error, ProviderError) else Next.LATER
    more: dict[str, Any] = {"details": _trace(error)}
    if isinstance(error, ProviderError):
        cause = error.cause
        more = {"error_code": (cause.code or type(error).__name__)[:40], "trace_id": cause.trace_id[:120],
                "details": {"error": type(error).__name__, "message": cause.message, "detail": cause.detail,
                            "http_status": cause.http_status}}  # fmt: skip
    try:
        with transaction() as session:
            sweep = hold.held(session)
            sweep.failures, sweep.error = sweep.failures + 1, text
            wait = delay(sweep.failures, jitter=jitter, retry_after=getattr(error, "retry_after", None))
            if what is Next.PERSON:
                wait = max(wait, 60.0 * sweep.interval_minutes)
            sweep.available_at = now + timedelta(seconds=wait)
            Batch(session, hold.books, now, trigger="sweep").log(
                "call_failed", text, level="error" if sweep.failures >= TELL_AFTER else "warning", outcome="retried",
                attempt=sweep.failures, **more,
            )  # fmt: skip
            if what is not Next.PERSON:  # who must mend the connection has been told so
                _tell(hold, sweep, now)
    except LeaseLost as lost:
        log.info("%s", lost)


def _trace(error: Exception) -> dict[str, str]:
    return {"traceback": "".join(traceback.format_exception(error))[-4000:]}


def _tell(hold: Hold, sweep: Sweep, now: datetime) -> None:
    """Admins hear of it once, until a sweep ends well."""
    if sweep.failures < TELL_AFTER:
        return
    text = (
        f"{hold.books.company or 'QuickBooks'}: asking for changes failed {sweep.failures} times in a row."
        f" {sweep.error} It is tried again, and nothing is lost meanwhile; webhooks are still acted on. If it does not"
        " end by itself, the sync log says why."
    )
    notices.post(FAILING, hold.books.id, level="warning", text=text, now=now)


def ring_due(*, now: datetime) -> None:
    """Ring for every company whose sweep is due; a company that has none yet gets its row."""
    session = db.session()
    live = session.scalars(select(Connection.id).where(Connection.state == "connected").order_by(Connection.id)).all()
    known = set(session.scalars(select(Sweep.connection_id)))
    fresh = [{"connection_id": id_, "available_at": now} for id_ in live if id_ not in known]
    if fresh:
        insert = INSERTS[session.get_bind().dialect.name](table_of(Sweep))
        session.execute(insert.on_conflict_do_nothing(index_elements=["connection_id"]), fresh)
    due = select(Sweep.connection_id).where(Sweep.available_at <= now, Sweep.connection_id.in_(live))
    for connection_id in sorted(session.scalars(due)):
        ring(TASK, connection_id)
