"""Plans as pages, the API and downloads show them: the list, one with its totals, its lines. Drawn from here alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import String, cast, func, or_, select

from crm.db import db
from crm.domain.errors import NotFound
from crm.domain.plans import ACTIONS, NOT_SHOWN, OUTCOMES, PURPOSES, STATES, STAYS, WRITES, LineFilters
from crm.domain.shared_fields import TITLES
from crm.models import Connection, OutboxEntry, Plan, PlanLine
from crm.queries import sync_settings

SIZE = 50
SORTS: Mapping[str, Any] = {
    "made": Plan.id,
    "state": Plan.state,
    "purpose": Plan.purpose,
    "who": func.lower(Plan.created_by),
    "company": func.lower(Connection.company_name),
}
LINE_SORTS: Mapping[str, Any] = {
    "name": func.lower(PlanLine.name),
    "amount": func.coalesce(PlanLine.amount, 0),
    "action": PlanLine.action,
    "outcome": PlanLine.outcome,
}
FIELD = "field:"
"""Prefix of a field's number in `Plan.counts`."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of rows."""

    rows: Sequence[Any]
    number: int
    size: int
    total: int


@dataclass(frozen=True, slots=True)
class PlanRow:
    plan: Plan
    company: str

    @property
    def title(self) -> str:
        return PURPOSES.get(self.plan.purpose, self.plan.purpose)

    @property
    def state_words(self) -> str:
        return STATES.get(self.plan.state, self.plan.state)

    def number(self, action: str) -> int:
        return self.plan.counts.get(action, 0)

    @property
    def writes(self) -> int:
        return sum(self.number(action) for action in WRITES)


@dataclass(frozen=True, slots=True)
class Total:
    """All lines of one action together."""

    action: str
    title: str
    meaning: str
    lines: int
    money: Decimal | None
    """Open balances that hang on them; None where nothing is known."""
    outcomes: tuple[tuple[str, int], ...]
    """(outcome in words, lines) of those that were approved or left; empty while nothing was decided."""


@dataclass(frozen=True, slots=True)
class PlanView:
    plan: Plan
    connection: Connection
    totals: tuple[Total, ...]
    fields: tuple[tuple[str, str, int], ...]
    """(field, in words, updates that change it)."""
    choosable: int
    """Skipped contacts that may still be chosen to be created."""
    settled: int
    """Approved lines with an outcome."""
    approved: int
    undone_by: Plan | None
    """The last plan that takes this one back."""
    goes_out: bool
    """Whether the settings of the sync let customers be written, now."""
    unseen: int
    """Of a plan that opens the connection: objects changed since it was asked for; once it was approved those that it
    keeps back since it did not show them."""

    @property
    def title(self) -> str:
        return PURPOSES.get(self.plan.purpose, self.plan.purpose)

    @property
    def state_words(self) -> str:
        return STATES.get(self.plan.state, self.plan.state)

    @property
    def writes(self) -> int:
        """Lines that would write something."""
        return sum(total.lines for total in self.totals if total.action in WRITES)


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
            (TITLES.get(name, name), str(old), str(new), bool(chosen) and name not in chosen)
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


# --- the list -------------------------------------------------------------------------------------------------


def page(*, q: str = "", state: str = "", purpose: str = "", sort: str = "", number: int = 1) -> Listed:
    """Plans of all companies, the newest first where no order is asked for; `q` finds who made or approved them."""
    query = _found(q, state, purpose)
    total = db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = db.session.execute(_sorted(query, sort).limit(SIZE).offset((number - 1) * SIZE))
    return Listed([_row(row) for row in rows], number, SIZE, total)


def each(*, q: str = "", state: str = "", purpose: str = "", sort: str = "") -> Iterator[PlanRow]:
    for row in db.session.execute(_sorted(_found(q, state, purpose), sort).execution_options(yield_per=500)):
        yield _row(row)


def _row(row: Any) -> PlanRow:
    return PlanRow(row[0], row[1] or "QuickBooks company")


def _found(q: str, state: str, purpose: str) -> Any:
    query: Any = select(Plan, Connection.company_name).join(Connection, Connection.id == Plan.connection_id)
    if term := q.strip().lower():
        columns = (Plan.created_by, Plan.approved_by, Connection.company_name)
        query = query.where(or_(*(func.lower(column).contains(term, autoescape=True) for column in columns)))
    if state:
        query = query.where(Plan.state == state)
    return query.where(Plan.purpose == purpose) if purpose else query


def _sorted(query: Any, sort: str) -> Any:
    name = sort if sort.removeprefix("-") in SORTS else "-made"
    column, backwards = SORTS[name.removeprefix("-")], name.startswith("-")
    return query.order_by(column.desc() if backwards else column, Plan.id.desc())


def connections() -> list[Connection]:
    """Companies a plan can be made for."""
    query = select(Connection).where(Connection.state != "disconnected").order_by(Connection.id)
    return list(db.session.scalars(query))


# --- one plan -------------------------------------------------------------------------------------------------


def find(plan_id: int) -> Plan:
    plan = db.session.get(Plan, plan_id, populate_existing=True)
    if plan is None:
        raise NotFound("There is no such plan. The link may be old or not complete.")
    return plan


def show(plan_id: int) -> PlanView:
    plan = find(plan_id)
    connection = db.session.get_one(Connection, plan.connection_id, populate_existing=True)
    mine = PlanLine.plan_id == plan_id
    groups = db.session.execute(
        select(PlanLine.action, PlanLine.outcome, PlanLine.approved, func.count(), func.sum(PlanLine.amount))
        .where(mine)
        .group_by(PlanLine.action, PlanLine.outcome, PlanLine.approved)
    ).all()
    approved = sum(row[3] for row in groups if row[2])
    settled = sum(row[3] for row in groups if row[2] and row[1] not in ("", "waiting"))
    choosable = select(func.count()).where(mine, PlanLine.action == "skip", PlanLine.reason == STAYS)
    fields = [
        (name.removeprefix(FIELD), TITLES.get(name.removeprefix(FIELD), name.removeprefix(FIELD)), number)
        for name, number in sorted(plan.counts.items())
        if name.startswith(FIELD)
    ]
    return PlanView(
        plan, connection, _totals(plan, groups), tuple(fields), db.session.scalar(choosable) or 0, settled, approved,
        _undone_by(plan), sync_settings.current(db.session(), connection.id, "customer").allows_out,
        _unseen(plan, connection),
    )  # fmt: skip


def _unseen(plan: Plan, connection: Connection) -> int:
    if plan.scope.get("opened"):
        which = (OutboxEntry.state == "skipped", OutboxEntry.error == NOT_SHOWN.format(plan.id))
    elif plan.purpose == "first" and plan.state == "ready" and connection.read_only:
        which = (OutboxEntry.state == "pending", OutboxEntry.updated_at >= plan.created_at)
    else:
        return 0
    query = select(func.count()).select_from(OutboxEntry).where(OutboxEntry.connection_id == connection.id, *which)
    return db.session.scalar(query) or 0


def _totals(plan: Plan, groups: Sequence[Any]) -> tuple[Total, ...]:
    found = []
    for name, action in ACTIONS.items():
        rows = [row for row in groups if row[0] == name]
        lines = plan.counts.get("link", 0) if name == "link" else sum(row[3] for row in rows)
        sums = [row[4] for row in rows if row[4] is not None]
        money = sum(sums, Decimal(0)) if sums else None
        if name == "link" and "agreeing" in plan.scope:
            money = Decimal(plan.scope["agreeing"])
        outcomes: dict[str, int] = {}
        for row in rows:
            if row[1]:
                outcomes[OUTCOMES[row[1]][0]] = outcomes.get(OUTCOMES[row[1]][0], 0) + row[3]
        if lines:
            found.append(Total(name, action.title, action.meaning, lines, money, tuple(sorted(outcomes.items()))))
    return tuple(found)


def _undone_by(plan: Plan) -> Plan | None:
    query = select(Plan).where(
        Plan.connection_id == plan.connection_id, Plan.purpose == "undo", Plan.id > plan.id, Plan.state != "discarded"
    )
    later = db.session.scalars(query.order_by(Plan.id.desc()).limit(200))
    return next((other for other in later if other.scope.get("plan_id") == plan.id), None)


def last_ready(connection_id: int) -> Plan | None:
    """The newest plan of this company that waits for somebody, or is being made."""
    query = select(Plan).where(Plan.connection_id == connection_id, Plan.state.in_(("making", "ready", "carrying_out")))
    return db.session.scalar(query.order_by(Plan.id.desc()).limit(1))


# --- lines ----------------------------------------------------------------------------------------------------


def matching(plan_id: int, filters: LineFilters) -> list[Any]:
    """The conditions that these filters put on lines."""
    where: list[Any] = [PlanLine.plan_id == plan_id]
    if filters.action:
        where.append(PlanLine.action.in_(WRITES) if filters.action == "writes" else PlanLine.action == filters.action)
    if filters.outcome:
        where.append(PlanLine.outcome == ("" if filters.outcome == "open" else filters.outcome))
    if filters.field:
        # Text on both databases; a missing key is NULL.
        where += [PlanLine.action == "update", PlanLine.changes[filters.field].as_string().is_not(None)]
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


def _line_order(sort: str) -> tuple[Any, ...]:
    column = LINE_SORTS.get(sort.removeprefix("-"))
    if column is None:
        return (PlanLine.id,)
    return (column.desc() if sort.startswith("-") else column, PlanLine.id)


def _entries(line_ids: Sequence[int]) -> dict[int, OutboxEntry]:
    """Line id -> the newest entry of the outbox that was made for it."""
    query = select(OutboxEntry).where(OutboxEntry.plan_line_id.in_(line_ids)).order_by(OutboxEntry.id)
    return {entry.plan_line_id: entry for entry in db.session.scalars(query) if entry.plan_line_id}
