"""Plans as pages, the API and downloads show them: the list, and one with its totals. Its lines: `plan_lines`.

Reads only; who may see them is the route's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import func, or_, select

from crm.db import db
from crm.domain.errors import NotFound
from crm.domain.plans import (
    ACTIONS,
    DIFFERENCES,
    HERE,
    NOT_SHOWN,
    OUTCOMES,
    PURPOSES,
    STATES,
    STAYS,
    WITH_ANY_DECISION,
    WRITES,
    field_title,
)
from crm.models import Connection, OutboxEntry, Plan, PlanLine
from crm.queries import sync_settings
from crm.queries.plan_lines import SIZE, Listed

SORTS: Mapping[str, Any] = {
    "made": Plan.id,
    "state": Plan.state,
    "purpose": Plan.purpose,
    "who": func.lower(Plan.created_by),
    "company": func.lower(Connection.company_name),
}
FIELD = "field:"
"""Prefix of a field's number in `Plan.counts`."""
KINDS: Mapping[str, str] = {
    "customer": "contacts", "item": "products", "estimate": "quotes", "invoice": "invoices", "payment": "payments",
    "vendor": "vendors", "bill": "bills",
}  # fmt: skip


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

    @property
    def in_short(self) -> tuple[tuple[str, int], ...]:
        """(heading of the list, lines): what would be made, here or there, changed, left as it is, refused."""
        made = self.number("create") + self.number("contact_create")
        left = sum(self.number(action) for action in ("skip", *WITH_ANY_DECISION))
        return ("Create", made), ("Change", self.writes - made), ("Skip", left), ("Refuse", self.number("refuse"))


@dataclass(frozen=True, slots=True)
class Total:
    """All lines of one action together."""

    action: str
    title: str
    meaning: str
    lines: int
    kinds: tuple[tuple[str, int], ...]
    """(kind in words, lines), contacts first; empty where that is not known."""
    money: Decimal | None
    """Open balances of the contacts among them, never what documents come to; None where nothing is known."""
    lifetime: Decimal | None
    """Of an import's plan: total sales so far of these customers; None where not all documents were read yet."""
    outcomes: tuple[tuple[str, int], ...]
    """(outcome in words, lines) of those that were approved or left; empty while nothing was decided."""


@dataclass(frozen=True, slots=True)
class PlanView:
    plan: Plan
    connection: Connection
    totals: tuple[Total, ...]
    fields: tuple[tuple[str, str, int], ...]
    """(field, in words, updates that change it)."""
    differing: int
    """Fields on which both sides never agreed: ours, theirs or neither may be chosen."""
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
        return STATES.get(self.state, self.state)

    @property
    def state(self) -> str:
        """The plan's, but done as soon as its last line is, whenever its worker notes it."""
        through = self.plan.state == "carrying_out" and self.approved and self.settled == self.approved
        return "done" if through else self.plan.state

    @property
    def imports(self) -> bool:
        """It says what an import would change here."""
        return self.plan.purpose == "import"

    @property
    def takes_back(self) -> bool:
        """It takes an import back."""
        return self.plan.purpose == "unimport"

    @property
    def here(self) -> bool:
        """It changes Tradebook alone."""
        return self.plan.purpose in HERE

    @property
    def may_approve(self) -> bool:
        return self.here or self.plan.purpose == "first" or not self.connection.read_only

    @property
    def writes(self) -> int:
        """Lines that would write something."""
        return sum(total.lines for total in self.totals if total.action in WRITES)


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
        select(
            PlanLine.action, PlanLine.outcome, PlanLine.approved, func.count(), func.sum(PlanLine.amount), PlanLine.kind
        )
        .where(mine)
        .group_by(PlanLine.action, PlanLine.outcome, PlanLine.approved, PlanLine.kind)
    ).all()
    approved = sum(row[3] for row in groups if row[2])
    settled = sum(row[3] for row in groups if row[2] and row[1] not in ("", "waiting"))
    choosable = select(func.count()).where(mine, PlanLine.action == "skip", PlanLine.reason == STAYS)
    fields = [
        (name.removeprefix(FIELD), field_title("customer", name.removeprefix(FIELD)), number)
        for name, number in sorted(plan.counts.items())
        if name.startswith(FIELD)
    ]
    return PlanView(
        plan, connection, _totals(plan, groups), tuple(fields), sum(row[3] for row in groups if row[0] in DIFFERENCES),
        db.session.scalar(choosable) or 0, settled, approved,
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
        kinds = dict(plan.scope.get("linked", {})) if name == "link" else {}
        for row in rows if name != "link" else ():
            kinds[row[5]] = kinds.get(row[5], 0) + row[3]
        sums = [row[4] for row in rows if row[4] is not None and row[5] == "customer"]
        money = sum(sums, Decimal(0)) if sums else None
        if name == "link" and "linked" in plan.scope:  # older plans added up what documents come to
            money = Decimal(plan.scope["agreeing"]) if kinds.get("customer") else None
        if name in DIFFERENCES:
            money = None  # a contact may differ in several fields; its balance hangs on it once
        outcomes: dict[str, int] = {}
        for row in rows:
            if row[1]:
                outcomes[OUTCOMES[row[1]][0]] = outcomes.get(OUTCOMES[row[1]][0], 0) + row[3]
        lifetime = plan.scope.get("lifetime", {}).get(name)
        if lines:
            found.append(Total(
                name, action.title, action.meaning, lines, _of_kinds(kinds), money,
                None if lifetime is None else Decimal(lifetime), tuple(sorted(outcomes.items())),
            ))  # fmt: skip
    return tuple(found)


def _of_kinds(kinds: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    known = [(words, kinds[kind]) for kind, words in KINDS.items() if kinds.get(kind)]
    return (*known, *((kind, number) for kind, number in sorted(kinds.items()) if kind not in KINDS))


def _undone_by(plan: Plan) -> Plan | None:
    query = select(Plan).where(
        Plan.connection_id == plan.connection_id, Plan.purpose.in_(("undo", "unimport")), Plan.id > plan.id,
        Plan.state != "discarded",
    )  # fmt: skip
    later = db.session.scalars(query.order_by(Plan.id.desc()).limit(200))
    return next((other for other in later if other.scope.get("plan_id") == plan.id), None)


def last_ready(connection_id: int) -> Plan | None:
    """The newest plan of this company that waits for somebody, or is being made."""
    query = select(Plan).where(Plan.connection_id == connection_id, Plan.state.in_(("making", "ready", "carrying_out")))
    return db.session.scalar(query.order_by(Plan.id.desc()).limit(1))
