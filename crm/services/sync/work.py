"""One worker's hold on a run: claimed by compare-and-set, renewed with every page, settled only by its holder.

The row of the run is the truth. `claim` takes it when nobody holds it and raises its number of attempts; every
transaction of the work starts in `Work.page()`, which fails with `LeaseLost` if another worker has claimed it since.
Cursor, counts and lease are written in the same transaction as the rows of the page: a worker killed at any point has
stored a page whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from crm.db import changed, transaction
from crm.domain.phones import region_of
from crm.domain.runs import LIVE
from crm.models import Connection, SyncLogEntry, SyncRun
from crm.services.audit import Actor

LEASE = timedelta(minutes=3)
"""Longer than a page takes; a worker that died is replaced after this time."""
BY_RULE = "from QuickBooks"
"""Who linked what came in by itself."""
UNNAMED = "unnamed"
"""Noted of a step that met a body without an id: nobody can say then what the books no longer hold."""
PLANNED = "plan"
"""The step of a run that is planned first; noted from its beginning."""
END = "end"
"""Cursor of a step that is through: stored with its last page, so that a restart does not begin it again."""


class LeaseLost(Exception):
    """Another worker holds the run, or it was ended; what this one was about to write is rolled back."""


class Cancelled(Exception):
    """A person asked to stop; the page at hand was finished."""


@dataclass(frozen=True, slots=True)
class Books:
    """The connection as a run sees it."""

    id: int
    company: str
    region: str
    currency: str
    time_zone: str

    @property
    def actor(self) -> Actor:
        """Who the timeline names for what the import does."""
        return Actor(name=self.company or "QuickBooks", source="quickbooks")

    def today(self, now: datetime) -> date:
        """The company's own calendar day."""
        try:
            return now.astimezone(ZoneInfo(self.time_zone or "UTC")).date()
        except (ZoneInfoNotFoundError, ValueError):
            return now.date()  # the books name a zone this machine does not know; a day off at most


def books_of(connection: Connection) -> Books:
    return Books(
        id=connection.id,
        company=connection.company_name,
        region=region_of(connection.country),
        currency=connection.currency,
        time_zone=connection.time_zone,
    )


@dataclass(slots=True)
class Batch:
    """One open transaction in which records of the books are taken: by an import, by the inbox, or after a write."""

    session: Session
    books: Books
    now: datetime
    trigger: str = ""
    """What the sync log names as the cause; empty for a run, which has its own."""
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def run_id(self) -> int | None:
        return None

    @property
    def holds_contacts(self) -> bool:
        """Whether what is read must not change contacts: a person asked to see a plan first."""
        return False

    def count(self, name: str, number: int = 1) -> None:
        if number:
            self.counts[name] = self.counts.get(name, 0) + number

    def met_unnamed(self) -> None:
        """A body without an id: only a complete read draws conclusions from what it did not see."""

    def log(self, event: str, message: str, *, level: str = "info", **more: Any) -> None:
        """A line of the sync log; what was read is said to have come in, unless `more` says otherwise."""
        line: dict[str, Any] = {"direction": "in", "trigger": self.trigger} | more
        self.session.add(SyncLogEntry(
            connection_id=self.books.id, run_id=self.run_id, at=self.now, level=level, event=event, message=message,
            **line,
        ))  # fmt: skip


@dataclass(slots=True)
class Page(Batch):
    """The batch of a page of an import: counts gathered here are stored with its run."""

    run: SyncRun = field(kw_only=True)

    def met_unnamed(self) -> None:
        self.note(**{UNNAMED: True})

    @property
    def run_id(self) -> int | None:
        return self.run.id

    @property
    def holds_contacts(self) -> bool:
        return PLANNED in self.run.progress

    def note(self, **values: Any) -> None:
        """Remember something of the present step beside its figures."""
        progress = dict(self.run.progress)
        progress[self.run.step] = {**progress.get(self.run.step, {}), **values}
        self.run.progress = progress

    def reached(self, cursor: str | None, *, done: int = 0) -> str:
        """The step goes on at `cursor` (None: it is through); `done` more of its rows are dealt with."""
        self.run.cursor = cursor or END
        self.note(done=self.run.progress.get(self.run.step, {}).get("done", 0) + done, tries=0)
        return self.run.cursor


@dataclass(slots=True)
class Work:
    """A claimed run."""

    run_id: int
    attempt: int
    books: Books
    clock: Callable[[], datetime]
    calls: int = 0
    """Remote calls made since the last page was stored."""

    @contextmanager
    def page(self) -> Iterator[Page]:
        """A transaction in which the run is held. Raises LeaseLost, and Cancelled before anything is done."""
        with transaction() as session:
            now = self.clock()
            run = self.held(session)
            if run.state == "cancelling":
                raise Cancelled
            page = Page(session, self.books, now, run=run)
            page.count("calls", self.calls)
            yield page
            names = {*run.counts, *page.counts}
            run.counts = {name: run.counts.get(name, 0) + page.counts.get(name, 0) for name in sorted(names)}
            run.lease_until = self.clock() + LEASE
        self.calls = 0

    def held(self, session: Session) -> SyncRun:
        """The run, locked in the open transaction, if it is still ours."""
        run = session.get(SyncRun, self.run_id, with_for_update=True, populate_existing=True)
        if run is None or run.attempts != self.attempt or run.state not in ("running", "cancelling"):
            raise LeaseLost(f"run {self.run_id} is no longer held by attempt {self.attempt}")
        return run


def claim(run_id: int, *, clock: Callable[[], datetime]) -> Work | None:
    """Take the run if it is due and nobody holds it and its connection works; else None."""
    now = clock()
    with transaction() as session:
        taken = changed(
            update(SyncRun)
            .where(
                SyncRun.id == run_id,
                SyncRun.state.in_(LIVE),
                or_(SyncRun.lease_until.is_(None), SyncRun.lease_until <= now),
            )
            .values(attempts=SyncRun.attempts + 1, lease_until=now + LEASE)
        )
        if not taken:
            return None
        run = session.get(SyncRun, run_id, populate_existing=True)
        connection = session.get(Connection, run.connection_id, populate_existing=True)
        if run.state == "cancelling":
            finish(run, "cancelled", now=now)
            return None
        if not connection.live:
            run.state, run.lease_until = "waiting", None
            run.error = connection.state_reason or "The connection needs a person. The import goes on by itself then."
            return None
        if run.started_at is None:
            run.started_at = now
            session.add(log_entry(run, "run_started", f"Import started ({', '.join(run.resources)}).", now=now))
        run.state, run.error = "running", ""
        return Work(run.id, run.attempts, books_of(connection), clock)


def finish(run: SyncRun, state: str, *, now: datetime, error: str = "") -> None:
    """The end of a run: `done`, `cancelled` or `failed`."""
    run.state, run.error, run.lease_until, run.finished_at = state, error, None, now


def log_entry(
    run: SyncRun, event: str, message: str, *, now: datetime, level: str = "info", **more: Any
) -> SyncLogEntry:
    return SyncLogEntry(
        connection_id=run.connection_id, run_id=run.id, at=now, level=level, event=event, message=message, **more
    )


def due_runs(session: Session, now: datetime) -> list[int]:
    """Runs that nobody holds and that could go on now: new ones, retries that are due, leases that lapsed."""
    query = (
        select(SyncRun.id)
        .join(Connection, Connection.id == SyncRun.connection_id)
        .where(
            SyncRun.state.in_(LIVE),
            or_(SyncRun.lease_until.is_(None), SyncRun.lease_until <= now),
            or_(Connection.state == "connected", SyncRun.state == "cancelling"),
        )
        .order_by(SyncRun.id)
    )
    return list(session.scalars(query))
