"""Runs of the import as pages show them: how far, how fast, what came of it, what was refused. No remote call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from crm.db import db, end_reading
from crm.domain.errors import NotFound, Refused
from crm.domain.runs import LIVE, RESOURCES, STEPS, came_of, title
from crm.models import Connection, SyncLogEntry, SyncRun

OUTCOMES: tuple[tuple[str, str, str], ...] = (
    ("created", "Created", "new contacts"),
    ("linked", "Linked", "contacts that were here"),
    ("enriched", "Enriched", "contacts with new figures"),
    ("review", "To review", "doubtful, kept for you"),
    ("unchanged", "Unchanged", "customers as before"),
    ("gone", "Gone", "deleted in QuickBooks"),
    ("refused", "Refused", "could not be read"),
)

@dataclass(frozen=True, slots=True)
class StepView:
    name: str
    title: str
    unit: str
    state: str
    """`done`, `now` or `next`."""
    done: int
    total: int | None
    rate: float | None
    """Rows a second."""
    left: float | None
    """Seconds, at the present rate."""


@dataclass(frozen=True, slots=True)
class RunView:
    id: int
    connection_id: int
    company: str
    connection_state: str
    read_only: bool
    state: str
    trigger: str
    requested_by: str
    resources: Sequence[str]
    error: str
    counts: Mapping[str, int]
    steps: Sequence[StepView]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    due_at: datetime | None
    """When a waiting run tries again."""
    due_in: float | None
    """In how many seconds that is; None as soon as it is due."""
    planned: bool = False
    """It touches no contact, but makes a plan of what would change."""
    plan_id: int | None = None
    """That plan, once it is asked for."""
    settings_version: int | None = None
    """Of how matching decides: one for the whole run; None before anybody was compared."""

    @property
    def live(self) -> bool:
        return self.state in LIVE

    @property
    def now(self) -> StepView | None:
        return next((step for step in self.steps if step.state == "now"), None)

    @property
    def place(self) -> int:
        """Which step it is at, from 1; all of them when it is through."""
        return next((n for n, step in enumerate(self.steps, start=1) if step.state == "now"), len(self.steps))

    @property
    def seconds(self) -> float | None:
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    def read(self) -> list[tuple[str, str, tuple[int, int, int]]]:
        """(kind, title, (new, changed, unchanged)) per kind that was asked for."""
        return [(kind, name, came_of(self.counts, kind)) for kind, name in RESOURCES.items() if kind in self.resources]


@dataclass(frozen=True, slots=True)
class LogPage:
    rows: Sequence[SyncLogEntry]
    number: int
    size: int
    total: int


def run(run_id: int, *, plan: Sequence[str], now: datetime) -> RunView:
    """One run; `plan` are the names of its steps in order. Raises NotFound."""
    found = db.session.execute(
        select(SyncRun, Connection.company_name, Connection.state, Connection.read_only)
        .join(Connection, Connection.id == SyncRun.connection_id)
        .where(SyncRun.id == run_id)
    ).first()
    if found is None:
        raise NotFound("There is no such import.")
    row: SyncRun = found[0]
    return RunView(
        id=row.id, connection_id=row.connection_id, company=found[1] or "QuickBooks company",
        connection_state=found[2], read_only=found[3], state=row.state, trigger=row.trigger,
        requested_by=row.requested_by, resources=row.resources, error=row.error, counts=row.counts,
        steps=[_step(row, name, plan, now) for name in plan], created_at=row.created_at, started_at=row.started_at,
        finished_at=row.finished_at, due_at=row.lease_until if row.state == "waiting" else None,
        due_in=_due_in(row, now), planned="plan" in plan, plan_id=row.progress.get("plan", {}).get("plan_id"),
        settings_version=row.progress.get("match", {}).get("settings"),
    )  # fmt: skip


def _due_in(row: SyncRun, now: datetime) -> float | None:
    if row.state != "waiting" or row.lease_until is None or row.lease_until <= now:
        return None
    return (row.lease_until - now).total_seconds()


def _step(row: SyncRun, name: str, plan: Sequence[str], now: datetime) -> StepView:
    notes: dict[str, Any] = row.progress.get(name, {})
    if notes.get("finished_at") or row.step == "finished":
        state = "done"
    elif row.step == name or (not row.step and name == plan[0]):
        state = "now"
    else:
        state = "next"
    done, total, rate, left = notes.get("done", 0), notes.get("total"), None, None
    if state == "now" and notes.get("started_at") and done:
        seconds = (now - datetime.fromisoformat(notes["started_at"])).total_seconds()
        rate = done / seconds if seconds > 0 else None
        left = max(total - done, 0) / rate if rate and total else None
    return StepView(name, title(name), STEPS.get(name, ("", "record"))[1], state, done, total, rate, left)


def resources_of(run_id: int) -> list[str]:
    """What was asked for. Raises NotFound."""
    found = db.session.scalar(select(SyncRun.resources).where(SyncRun.id == run_id))
    if found is None:
        raise NotFound("There is no such import.")
    return found


def is_planned(run_id: int) -> bool:
    """Whether this run makes a plan of what would change, and touches no contact itself."""
    return "plan" in (db.session.scalar(select(SyncRun.progress).where(SyncRun.id == run_id)) or {})


def recent(connection_id: int, *, limit: int = 10) -> Sequence[SyncRun]:
    """The connection's runs, newest first."""
    query = select(SyncRun).where(SyncRun.connection_id == connection_id).order_by(SyncRun.id.desc()).limit(limit)
    return db.session.scalars(query).all()


def log_page(run_id: int, event: str, *, number: int = 1, size: int = 50) -> LogPage:
    """Lines of one kind (`record_refused`, `customer_ignored` ...) of a run, in the order they came."""
    where = (SyncLogEntry.run_id == run_id, SyncLogEntry.event == event)
    total = db.session.scalar(select(func.count()).select_from(SyncLogEntry).where(*where)) or 0
    rows = db.session.scalars(
        select(SyncLogEntry).where(*where).order_by(SyncLogEntry.id).limit(size).offset((number - 1) * size)
    ).all()
    return LogPage(rows, number, size, total)


def log_rows(run_id: int, events: Sequence[str]) -> Iterator[SyncLogEntry]:
    """All lines of these kinds, streamed."""
    query = select(SyncLogEntry).where(SyncLogEntry.run_id == run_id, SyncLogEntry.event.in_(events))
    yield from db.session.scalars(query.order_by(SyncLogEntry.id).execution_options(yield_per=500))


def trouble(run_id: int, *, limit: int = 5) -> Sequence[SyncLogEntry]:
    """The last calls that failed and errors of ours, newest first."""
    events = ("call_failed", "run_failed")
    query = select(SyncLogEntry).where(SyncLogEntry.run_id == run_id, SyncLogEntry.event.in_(events))
    return db.session.scalars(query.order_by(SyncLogEntry.id.desc()).limit(limit)).all()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands, for commands that wait for it."""

    state: str
    error: str
    counts: Mapping[str, int]

    @property
    def live(self) -> bool:
        return self.state in LIVE


def standing(run_id: int) -> Standing:
    """As the database has it now. Raises NotFound."""
    end_reading()
    found = db.session.execute(select(SyncRun.state, SyncRun.error, SyncRun.counts).where(SyncRun.id == run_id)).first()
    end_reading()
    if found is None:
        raise NotFound("There is no such import.")
    return Standing(found.state, found.error, found.counts)


def only_connection() -> int:
    """The one connection there is. Refused when none or several could be meant."""
    ids = db.session.scalars(select(Connection.id).where(Connection.state != "disconnected")).all()
    end_reading()
    if not ids:
        raise Refused("No company is connected. Connect one first, in the browser under QuickBooks.")
    if len(ids) > 1:
        raise Refused(f"Several companies are connected; say which with --connection ({', '.join(map(str, ids))}).")
    return ids[0]
