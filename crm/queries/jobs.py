"""Scheduled work as it is stored: what every entry did last, and the runs that were kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from crm.db import db
from crm.domain.jobs import OUTCOMES, Entry, Facts, Watch
from crm.domain.jobs import watch as judge_all
from crm.domain.log_filters import days, known
from crm.models import Job, JobRun, User

SIZE = 50
TRIGGERS: Mapping[str, str] = {"schedule": "The schedule", "person": "A person"}
RUNNING = "running"
COLUMNS = tuple(getattr(Job, one.name) for one in fields(Facts))


@dataclass(frozen=True, slots=True)
class RunFilters:
    """Days are UTC, as in 2026-11-21; `q` is part of an error or of a person's name. Empty means: any."""

    q: str = ""
    outcome: str = ""
    """A key of `OUTCOMES`, or `running`."""
    trigger: str = ""
    since: str = ""
    until: str = ""
    sort: str = ""


@dataclass(frozen=True, slots=True)
class RunPage:
    rows: Sequence[JobRun]
    number: int
    size: int
    total: int


NONE = RunPage([], 1, SIZE, 0)
"""What stands on the page where the filters cannot be read."""

SORTS: Mapping[str, Any] = {"started": JobRun.id, "took": JobRun.took_ms, "outcome": JobRun.outcome}


def facts() -> dict[str, Facts]:
    """What is stored, by key: one small question, however much has run."""
    return {key: Facts(*row) for key, *row in db.session.execute(select(Job.key, *COLUMNS))}


def watch(entries: Mapping[str, Entry], *, now: datetime) -> Watch:
    """Everything at one glance. Where nothing is stored yet, the age of the first account says how long that is so."""
    stored = facts()
    since = None if stored else db.session.scalar(select(func.min(User.created_at)))
    return judge_all(entries, stored, since=since, now=now)


def waiting(entries: Mapping[str, Entry], *, now: datetime) -> int:
    """What an admin should look at: the figure in the menu."""
    return watch(entries, now=now).waiting


def runs(key: str, filters: RunFilters, *, number: int = 1) -> RunPage:
    """Kept runs of one entry, the newest first. Raises Invalid for filters that cannot be read."""
    where = _where(key, filters)
    total = db.session.scalar(select(func.count()).select_from(JobRun).where(*where)) or 0
    query = _sorted(select(JobRun).where(*where), filters.sort).limit(SIZE).offset((number - 1) * SIZE)
    return RunPage(db.session.scalars(query).all(), number, SIZE, total)


def each_run(key: str, filters: RunFilters) -> Iterator[JobRun]:
    """Every run of the list in its order, streamed."""
    query = _sorted(select(JobRun).where(*_where(key, filters)), filters.sort)
    yield from db.session.scalars(query.execution_options(yield_per=500))


def check(key: str, filters: RunFilters) -> None:
    """Raises Invalid for filters that cannot be read; a download says so before it begins."""
    _where(key, filters)


def _where(key: str, filters: RunFilters) -> list[Any]:
    known("outcome", filters.outcome, {**OUTCOMES, RUNNING: ""})
    known("trigger", filters.trigger, TRIGGERS)
    found: list[Any] = [JobRun.key == key]
    if filters.outcome:
        found.append(JobRun.outcome == ("" if filters.outcome == RUNNING else filters.outcome))
    if filters.trigger:
        found.append(JobRun.trigger == filters.trigger)
    first, last = days(filters.since, filters.until)
    if first is not None:
        found.append(JobRun.started_at >= _midnight(first))
    if last is not None:
        found.append(JobRun.started_at < _midnight(last) + timedelta(days=1))
    if filters.q.strip():
        text = filters.q.strip().lower()
        said = (func.lower(JobRun.error), func.lower(JobRun.asked_by))
        found.append(said[0].contains(text, autoescape=True) | said[1].contains(text, autoescape=True))
    return found


def _sorted(query: Any, sort: str) -> Any:
    if sort.removeprefix("-") not in SORTS:
        sort = "-started"
    column = SORTS[sort.removeprefix("-")]
    if sort.startswith("-"):
        return query.order_by(column.desc().nulls_last(), JobRun.id.desc())
    return query.order_by(column.asc().nulls_first(), JobRun.id)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
