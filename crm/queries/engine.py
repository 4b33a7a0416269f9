"""Where each connected company stands: what the dashboard, the home page and the API say about being in step.

What is large is counted for all connections at once, in a fixed number of statements. No remote call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import exists, func, select

from crm.db import db
from crm.domain import health
from crm.domain.budget import Forecast
from crm.domain.directions import DIRECTIONS, EVERYTHING, SWEEP_MINUTES
from crm.domain.plans import WRITES
from crm.domain.proof import MONEY_KINDS
from crm.domain.runs import LIVE, RESOURCES
from crm.models import (
    CallCount,
    Conflict,
    Connection,
    InboxEvent,
    Link,
    Notice,
    OutboxEntry,
    OutboxNeed,
    Plan,
    PlanLine,
    Proof,
    Sweep,
    SyncRun,
)
from crm.queries import budget as budgets
from crm.queries.sync_settings import Setting, of_connection

ENTRY_STATES = ("pending", "frozen", "parked", "skipped")


@dataclass(frozen=True, slots=True)
class Pile:
    """Things that stand and since when the oldest does."""

    number: int = 0
    oldest: datetime | None = None

    def __add__(self, other: Pile) -> Pile:
        moments = [moment for moment in (self.oldest, other.oldest) if moment]
        return Pile(self.number + other.number, min(moments, default=None))


@dataclass(slots=True)
class Standing:
    """One connection, as counted."""

    id: int
    name: str
    state: str
    state_reason: str
    read_only: bool
    last_error: str
    read_at: Mapping[str, str]
    piles: dict[tuple[str, str], Pile] = field(default_factory=dict)
    """(kind, state) of entries of the outbox."""
    incoming: dict[str, Pile] = field(default_factory=dict)
    """Kind -> events not settled yet."""
    conflicts: int = 0
    plans: int = 0
    """Ready to be approved, with a line at least that would write something."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """`*` and every kind."""
    sweep: Sweep | None = None
    proof: Proof | None = None
    """The last one that ended."""
    proving: Proof | None = None
    run_id: int | None = None
    """Of the import under way."""
    calls_today: int = 0
    calls: int = 0
    """This month, of every class."""
    calls_left: int = 0
    """Metered reads that the month still has, for all connections together."""
    notices: list[Notice] = field(default_factory=list)
    light: health.Health = field(init=False)

    @property
    def paused(self) -> bool:
        return self.settings[EVERYTHING].paused

    @property
    def imported(self) -> bool:
        """Whether its customers were read completely at least once: from then on changes can be asked for."""
        return "customer" in self.read_at

    @property
    def provable(self) -> bool:
        """Whether everything that a proof compares was read completely at least once."""
        return all(self.read_at.get(kind) for kind in ("customer", *MONEY_KINDS))

    def pile(self, *states: str, kind: str = "") -> Pile:
        return sum((pile for (of, state), pile in self.piles.items() if state in states and kind in ("", of)), Pile())

    def flowing(self) -> Pile:
        """Entries that nothing but time keeps from going out."""
        return sum(
            (pile for (kind, state), pile in self.piles.items()
             if state in ("ready", "frozen") and kind in self.settings and self.settings[kind].allows_out), Pile(),
        )  # fmt: skip

    @property
    def arriving(self) -> Pile:
        return sum((self.incoming[kind] for kind in self.incoming), Pile())

    @property
    def lively(self) -> bool:
        """Whether something is under way that a person may be watching."""
        moving = self.state == "connected" and not self.paused and (
            self.arriving.number or (self.flowing().number and not self.read_only)
        )
        return bool(moving or self.run_id or self.proving)


def standings(*, now: datetime, budget: int) -> list[Standing]:
    """Every company that is not disconnected, in the order they were connected; `budget` in calls a month."""
    columns = (Connection.id, Connection.company_name, Connection.state, Connection.state_reason, Connection.read_only,
               Connection.last_error, Connection.read_at)  # fmt: skip
    query = select(*columns).where(Connection.state != "disconnected").order_by(Connection.id)
    found = {row[0]: Standing(row[0], row[1] or "QuickBooks company", *row[2:]) for row in db.session.execute(query)}
    if not found:
        return []
    for standing in found.values():
        standing.settings = of_connection(db.session(), standing.id)
    _count_out(found)
    _count_in(found)
    _asked(found)
    _looked(found)
    _calls(found, now.date())
    calls = budgets.this_month(now, budget=budget)
    for standing in found.values():
        standing.calls_left = max(calls.budget - calls.used, 0)
        standing.light = health.judge(_signs(standing, calls), now=now)
    return list(found.values())


def _count_out(found: Mapping[int, Standing]) -> None:
    """Entries by kind and state; of the pending ones those are `ready` that wait for nothing else of ours."""
    linked = exists().where(
        Link.connection_id == OutboxEntry.connection_id, Link.kind == OutboxNeed.kind,
        Link.local_id == OutboxNeed.local_id, Link.state == "linked",
    )  # fmt: skip
    needs = exists().where(OutboxNeed.entry_id == OutboxEntry.id, ~linked)
    told_why = (OutboxEntry.error != "") & (OutboxEntry.failures == 0)
    columns = (OutboxEntry.connection_id, OutboxEntry.kind, OutboxEntry.state)
    query = (
        select(*columns, func.count(), func.min(OutboxEntry.created_at))
        .where(OutboxEntry.connection_id.in_(found), OutboxEntry.state.in_(ENTRY_STATES))
        .group_by(*columns)
    )
    for id_, kind, state, number, oldest in db.session.execute(query):
        found[id_].piles[kind, state] = Pile(number, oldest)
    ready = (
        select(OutboxEntry.connection_id, OutboxEntry.kind, func.count(), func.min(OutboxEntry.created_at))
        .where(OutboxEntry.connection_id.in_(found), OutboxEntry.state == "pending", ~needs, ~told_why)
        .group_by(OutboxEntry.connection_id, OutboxEntry.kind)
    )
    for id_, kind, number, oldest in db.session.execute(ready):
        found[id_].piles[kind, "ready"] = Pile(number, oldest)


def _count_in(found: Mapping[int, Standing]) -> None:
    query = (
        select(InboxEvent.connection_id, InboxEvent.kind, func.count(), func.min(InboxEvent.created_at))
        .where(InboxEvent.connection_id.in_(found), InboxEvent.state == "pending")
        .group_by(InboxEvent.connection_id, InboxEvent.kind)
    )
    for id_, kind, number, oldest in db.session.execute(query):
        if id_ is not None:
            found[id_].incoming[kind] = Pile(number, oldest)


def _asked(found: Mapping[int, Standing]) -> None:
    """What waits for a person: conflicts, plans, notices."""
    writes = exists().where(PlanLine.plan_id == Plan.id, PlanLine.action.in_(WRITES))
    for name, model, where in (("conflicts", Conflict, Conflict.state == "open"),
                               ("plans", Plan, (Plan.state == "ready") & writes)):  # fmt: skip
        of: Any = model
        query = select(of.connection_id, func.count()).where(of.connection_id.in_(found), where)
        for id_, number in db.session.execute(query.group_by(of.connection_id)):
            setattr(found[id_], name, number)
    notices = select(Notice).where(Notice.connection_id.in_(found), Notice.settled_at.is_(None))
    for notice in db.session.scalars(notices.order_by(Notice.created_at.desc(), Notice.id.desc())):
        found[notice.connection_id].notices.append(notice)  # type: ignore[index]  # they were chosen by it


def _looked(found: Mapping[int, Standing]) -> None:
    """Sweeps, proofs and the import under way."""
    for sweep in db.session.scalars(select(Sweep).where(Sweep.connection_id.in_(found))):
        found[sweep.connection_id].sweep = sweep
    over = Proof.state.in_(("equal", "different", "failed"))
    for name, which in (("proof", over), ("proving", ~over)):
        last = select(func.max(Proof.id)).where(Proof.connection_id.in_(found), which).group_by(Proof.connection_id)
        for proof in db.session.scalars(select(Proof).where(Proof.id.in_(last))):
            setattr(found[proof.connection_id], name, proof)
    live = select(SyncRun.connection_id, SyncRun.id).where(SyncRun.connection_id.in_(found), SyncRun.state.in_(LIVE))
    for id_, run_id in db.session.execute(live):
        found[id_].run_id = run_id


def _calls(found: Mapping[int, Standing], today: date) -> None:
    this_month = (CallCount.day >= today.replace(day=1), CallCount.day <= today)
    columns = (CallCount.connection_id, CallCount.day, CallCount.calls)
    for id_, day, calls in db.session.execute(select(*columns).where(*this_month, CallCount.connection_id.in_(found))):
        found[id_].calls += calls
        found[id_].calls_today += calls if day == today else 0


def _signs(standing: Standing, calls: Forecast) -> health.Signs:
    waiting = standing.pile("pending", "frozen") if standing.read_only else standing.flowing()
    sweep, arriving = standing.sweep, standing.arriving
    return health.Signs(
        state=standing.state, reason=standing.state_reason, trouble=standing.last_error, read_only=standing.read_only,
        paused=standing.paused, imported=standing.imported, run_live=standing.run_id is not None,
        waiting=waiting.number, oldest_waiting=waiting.oldest, incoming=arriving.number,
        oldest_incoming=arriving.oldest, parked=standing.pile("parked").number, conflicts=standing.conflicts,
        plans=standing.plans, swept_at=sweep.swept_at if sweep else None,
        sweep_minutes=sweep.interval_minutes if sweep else SWEEP_MINUTES, sweep_error=sweep.error if sweep else "",
        silent_since=sweep.silent_since if sweep else None, proof=standing.proof.state if standing.proof else "",
        calls="used_up" if calls.used_up else "short" if calls.short else "",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class KindRow:
    """One kind of record of one connection."""

    kind: str
    title: str
    setting: Setting
    imported: bool
    """Whether all of it was read at least once."""
    last_in: datetime | None
    last_out: datetime | None
    waiting: Pile
    incoming: Pile
    parked: Pile
    skipped: int

    @property
    def direction(self) -> str:
        return DIRECTIONS[self.setting.direction].title

    @property
    def oldest(self) -> datetime | None:
        """Since when the oldest change of either side is not settled: the lag."""
        return (self.waiting + self.incoming).oldest


def kinds(standing: Standing) -> Sequence[KindRow]:
    """What the dashboard tells per kind, in the order kinds are done."""
    return [
        KindRow(
            kind, title, standing.settings[kind], kind in standing.read_at, _last_in(standing, kind),
            _last_out(standing.id, kind), standing.pile("pending", "frozen", kind=kind),
            standing.incoming.get(kind, Pile()),
            standing.pile("parked", kind=kind), standing.pile("skipped", kind=kind).number,
        )
        for kind, title in RESOURCES.items()
    ]  # fmt: skip


def _last_in(standing: Standing, kind: str) -> datetime | None:
    """When a change of it was last taken, or all of it was read."""
    event = db.session.scalar(
        select(InboxEvent.settled_at)
        .where(InboxEvent.connection_id == standing.id, InboxEvent.kind == kind, InboxEvent.state == "done",
               InboxEvent.settled_at.is_not(None))
        .order_by(InboxEvent.settled_at.desc())
        .limit(1)
    )  # fmt: skip
    read = standing.read_at.get(kind)
    moments = [moment for moment in (event, datetime.fromisoformat(read) if read else None) if moment]
    return max(moments, default=None)


def _last_out(connection_id: int, kind: str) -> datetime | None:
    return db.session.scalar(
        select(OutboxEntry.settled_at)
        .where(OutboxEntry.connection_id == connection_id, OutboxEntry.kind == kind, OutboxEntry.state == "done",
               OutboxEntry.settled_at.is_not(None))
        .order_by(OutboxEntry.settled_at.desc())
        .limit(1)
    )  # fmt: skip
