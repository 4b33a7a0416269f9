"""The list of imports of all companies: searched, filtered, sorted, downloaded. One statement a page and one count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select

from crm.db import db
from crm.domain.runs import ENDED, LIVE
from crm.models import Connection, SyncRun

SIZE = 50
STATES: tuple[tuple[str, str], ...] = tuple((state, state.capitalize()) for state in (*LIVE, *ENDED))
SORTS: Mapping[str, Any] = {
    "started": SyncRun.id,
    "who": func.lower(SyncRun.requested_by),
    "state": SyncRun.state,
    "company": func.lower(Connection.company_name),
    "ended": SyncRun.finished_at,
}


@dataclass(frozen=True, slots=True)
class RunRow:
    run: SyncRun
    company: str

    @property
    def seconds(self) -> float | None:
        if self.run.started_at is None or self.run.finished_at is None:
            return None
        return (self.run.finished_at - self.run.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class RunPage:
    rows: Sequence[RunRow]
    number: int
    size: int
    total: int


def page(*, q: str = "", state: str = "", sort: str = "", number: int = 1) -> RunPage:
    """One page, the newest first where no order is asked for; `q` finds in who asked and how (person, schedule ...)."""
    query = _found(q, state)
    total = db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = db.session.execute(_sorted(query, sort).limit(SIZE).offset((number - 1) * SIZE))
    return RunPage([_row(row) for row in rows], number, SIZE, total)


def each(*, q: str = "", state: str = "", sort: str = "") -> Iterator[RunRow]:
    """Every row of the list, in its order, for a download."""
    for row in db.session.execute(_sorted(_found(q, state), sort).execution_options(yield_per=500)):
        yield _row(row)


def _row(row: Any) -> RunRow:
    return RunRow(row[0], row[1] or "QuickBooks company")


def _found(q: str, state: str) -> Any:
    query: Any = select(SyncRun, Connection.company_name).join(Connection, Connection.id == SyncRun.connection_id)
    if q.strip():
        columns = (SyncRun.requested_by, SyncRun.trigger)
        term = q.strip().lower()
        query = query.where(or_(*(func.lower(column).contains(term, autoescape=True) for column in columns)))
    return query.where(SyncRun.state == state) if state else query


def _sorted(query: Any, sort: str) -> Any:
    """In the order asked for (`-` in front: backwards); an order nobody offers is the newest first."""
    if sort.removeprefix("-") not in SORTS:
        sort = "-started"
    column, backwards = SORTS[sort.removeprefix("-")], sort.startswith("-")
    return query.order_by(column.desc() if backwards else column, SyncRun.id.desc() if backwards else SyncRun.id)
