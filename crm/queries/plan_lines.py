"""The lines of a plan: filtered, sorted, counted, as people read them. Asked by pages, downloads and approvals.

Reads only. `matching` says which lines filters mean: what is shown and what a rule approves are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import String, cast, func, or_, select

from crm.db import db
from crm.domain.plans import ACTIONS, DIFFERENCES, OUTCOMES, SHOWING_FIELDS, STAYS, WRITES, LineFilters, field_title
from crm.models import OutboxEntry, PlanLine

SIZE = 50
LINE_SORTS: Mapping[str, Any] = {
    "name": func.lower(PlanLine.name),
    "amount": func.coalesce(PlanLine.amount, 0),
    "action": PlanLine.action,
    "outcome": PlanLine.outcome,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of rows."""

    rows: Sequence[Any]
    number: int
    size: int
    total: int


@dataclass(frozen=True, slots=True)
class LineView:
    """A line as people read it, with what became of its entry in the outbox."""

    line: PlanLine
    entry: OutboxEntry | None

    @property
    def action(self) -> str:
        return ACTIONS[self.line.action].title if self.line.action in ACTIONS else self.line.action

    @property
    def changes(self) -> list[tuple[str, str, str, bool]]:
        """(field in words, what stands there, what would, whether it is left out of an approved line)."""
        chosen = self.line.fields
        return [
            (field_title(self.line.kind, name), str(old), str(new), bool(chosen) and name not in chosen)
            for name, (old, new) in sorted(self.line.changes.items())
        ]

    @property
    def outcome(self) -> str:
        return OUTCOMES[self.line.outcome][0] if self.line.outcome in OUTCOMES else ""

    @property
    def writes(self) -> bool:
        return self.line.action in WRITES

    @property
    def choosable(self) -> bool:
        return self.line.action == "skip" and self.line.reason == STAYS

    @property
    def differs(self) -> bool:
        """A field both sides never agreed on: ours, theirs or neither may be chosen."""
        return self.line.action in DIFFERENCES

    @property
    def lifetime(self) -> Decimal | None:
        """Of an import's plan: the customer's total sales so far, where they are known."""
        text = (self.line.before or {}).get("lifetime") if self.line.action.startswith("contact_") else None
        return Decimal(text) if text else None


def matching(plan_id: int, filters: LineFilters) -> list[Any]:
    """The conditions that these filters put on lines."""
    where: list[Any] = [PlanLine.plan_id == plan_id]
    if filters.action:
        where.append(PlanLine.action.in_(WRITES) if filters.action == "writes" else PlanLine.action == filters.action)
    if filters.outcome:
        where.append(PlanLine.outcome == ("" if filters.outcome == "open" else filters.outcome))
    if filters.field:
        # Text on both databases; a missing key is NULL.
        where += [PlanLine.action.in_(SHOWING_FIELDS), PlanLine.changes[filters.field].as_string().is_not(None)]
    if filters.least is not None:
        where.append(func.coalesce(PlanLine.amount, 0) >= filters.least)
    if term := filters.q.strip().lower():
        name = func.lower(PlanLine.name).contains(term, autoescape=True)
        where.append(or_(name, PlanLine.remote_id == term, cast(PlanLine.local_id, String) == term))
    return where


def lines(plan_id: int, filters: LineFilters, *, number: int = 1, size: int = SIZE) -> Listed:
    where = matching(plan_id, filters)
    total = db.session.scalar(select(func.count()).select_from(PlanLine).where(*where)) or 0
    query = select(PlanLine).where(*where).order_by(*_line_order(filters.sort)).limit(size).offset((number - 1) * size)
    rows = list(db.session.scalars(query))
    entries = _entries([row.id for row in rows])
    return Listed([LineView(row, entries.get(row.id)) for row in rows], number, size, total)


def each_line(plan_id: int, filters: LineFilters) -> Iterator[LineView]:
    query = select(PlanLine).where(*matching(plan_id, filters)).order_by(*_line_order(filters.sort))
    for line in db.session.scalars(query.execution_options(yield_per=500)):
        yield LineView(line, None)


def approvable(plan_id: int, filters: LineFilters) -> int:
    """How many lines that write something these filters leave: what a rule would approve."""
    where = [*matching(plan_id, filters), PlanLine.action.in_(WRITES)]
    return db.session.scalar(select(func.count()).select_from(PlanLine).where(*where)) or 0


def decidable(plan_id: int, filters: LineFilters) -> int:
    """How many fields that differ these filters leave: what a rule would decide."""
    where = [*matching(plan_id, filters), PlanLine.action.in_(DIFFERENCES)]
    return db.session.scalar(select(func.count()).select_from(PlanLine).where(*where)) or 0


def _line_order(sort: str) -> tuple[Any, ...]:
    column = LINE_SORTS.get(sort.removeprefix("-"))
    if column is None:
        return (PlanLine.id,)
    return (column.desc() if sort.startswith("-") else column, PlanLine.id)


def _entries(line_ids: Sequence[int]) -> dict[int, OutboxEntry]:
    """Line id -> the newest entry of the outbox that was made for it."""
    query = select(OutboxEntry).where(OutboxEntry.plan_line_id.in_(line_ids)).order_by(OutboxEntry.id)
    return {entry.plan_line_id: entry for entry in db.session.scalars(query) if entry.plan_line_id}
