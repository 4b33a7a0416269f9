"""What still waits, in sentences: each row with its state, when it is due, its tries and its error, and what holds it.

Read by `quiet` while everything comes to rest, so that no long wait stays unexplained.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import select

from crm import clock
from crm.db import db
from crm.domain import plans as plan_states
from crm.domain.runs import LIVE
from crm.models import (
    Connection,
    Customer,
    Delivery,
    InboxEvent,
    Link,
    OutboxEntry,
    OutboxNeed,
    Plan,
    PlanLine,
    Proof,
    Sweep,
    SyncLogEntry,
    SyncRun,
)  # fmt: skip
from crm.queries import sync_settings

SHOWN = 12
NAMED = re.compile(r"[\w.]+: ")
"""The line of a traceback that names the error."""
KEPT = ("parked", "skipped")
"""An entry of these states waits for a person."""
PROOFS = ("queued", "running")


def waiting(connection_id: int, now: datetime) -> list[str]:
    """A sentence for each row that is not settled yet."""
    db.session.remove()
    return [
        *_entries(now), *_deliveries(now), *_events(now), *_runs(now), *_plans(now), *_proofs(now),
        *_undecided(connection_id),
    ]  # fmt: skip


def holds(connection_id: int, now: datetime) -> list[str]:
    """What keeps a whole company waiting, and when it is swept next."""
    db.session.remove()
    connection = db.session.get_one(Connection, connection_id)
    state = connection.state
    found = [] if state == "connected" else [f"the connection is {state}{_said(connection.last_error)}"]
    if connection.read_only:
        found.append("the connection is read-only")
    if connection.held_until and connection.held_until > now:
        found.append(f"nobody calls the company for {_in(connection.held_until, now)}")
    if connection.refresh_leased_until and connection.refresh_leased_until > now:
        found.append(f"the sign-in is being renewed; that lease ends {_in(connection.refresh_leased_until, now)}")
    paused = [one.kind for one in sync_settings.of_connection(db.session(), connection_id).values() if one.paused]
    found += [f"paused: {', '.join(paused)}"] if paused else []
    sweep = db.session.get(Sweep, connection_id)
    if sweep is not None:
        found.append(f"the sweep is due {_in(sweep.available_at, now)}{_said(sweep.error)}")
    return found


def defects() -> Counter[str]:
    """The last line of each traceback of the sync log, and how often: what was put down as trouble on our own side."""
    db.session.remove()
    details = db.session.scalars(select(SyncLogEntry.details).where(SyncLogEntry.level.in_(("warning", "error"))))
    traces = [str(one["traceback"]) for one in details if one and one.get("traceback")]
    return Counter(next((line for line in trace.splitlines() if NAMED.match(line)), "unknown") for trace in traces)


def told(connection_id: int, rows: list[str]) -> str:
    """These, whatever else waits, and what holds it."""
    now = clock.now()
    rows = list(dict.fromkeys([*rows, *waiting(connection_id, now)]))
    more = [f"and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    ours = [f"trouble on our side, {number} times: {line}" for line, number in defects().items()]
    return "\n".join(f"    {line}" for line in [*rows[:SHOWN], *more, *holds(connection_id, now), *ours])


def _entries(now: datetime) -> Iterator[str]:
    waits = OutboxEntry.state.in_(("pending", "frozen"))
    behind = behind_people()
    for one in db.session.scalars(select(OutboxEntry).where(waits).order_by(OutboxEntry.id)):
        if one.id in behind:
            continue
        needs = db.session.execute(select(OutboxNeed.kind, OutboxNeed.local_id).where(OutboxNeed.entry_id == one.id))
        needed = ", ".join(f"{kind} {local_id}" for kind, local_id in needs)
        yield (f"entry {one.id} ({one.operation} of {one.kind} {one.local_id}) is {one.state}, "
               f"{_due(one, now)}, {one.failures} failures{f', needs {needed}' if needed else ''}"
               f"{_said(one.error)}")  # fmt: skip


def behind_people() -> set[int]:
    """Entries that wait for an object whose own entry waits for a person, and those behind them: they are at rest."""
    stuck = {(row.kind, row.local_id) for row in db.session.execute(
        select(OutboxEntry.kind, OutboxEntry.local_id).where(OutboxEntry.state.in_(KEPT))
    )}  # fmt: skip
    linked = {(row.kind, row.local_id) for row in db.session.execute(
        select(Link.kind, Link.local_id).where(Link.state == "linked")
    )}  # fmt: skip
    pending = db.session.execute(
        select(OutboxEntry.id, OutboxEntry.kind, OutboxEntry.local_id, OutboxNeed.kind.label("need"),
               OutboxNeed.local_id.label("needed"))
        .join(OutboxNeed, OutboxNeed.entry_id == OutboxEntry.id).where(OutboxEntry.state == "pending")
    ).all()  # fmt: skip
    found: set[int] = set()
    while fresh := {row for row in pending if row.id not in found and (row.need, row.needed) in stuck - linked}:
        found |= {row.id for row in fresh}
        stuck |= {(row.kind, row.local_id) for row in fresh}
    return found


def _deliveries(now: datetime) -> Iterator[str]:
    for one in db.session.scalars(select(Delivery).where(Delivery.state == "received").order_by(Delivery.id)):
        yield f"delivery {one.id} is not split, due {_in(one.available_at, now)}{_said(one.error)}"


def _events(now: datetime) -> Iterator[str]:
    for one in db.session.scalars(select(InboxEvent).where(InboxEvent.state == "pending").order_by(InboxEvent.id)):
        yield (f"event {one.id} ({one.source}: {one.kind} {one.remote_id} {one.verb}) is pending, {_due(one, now)}, "
               f"{one.missed} times not found{_said(one.message)}")  # fmt: skip


def _runs(now: datetime) -> Iterator[str]:
    for one in db.session.scalars(select(SyncRun).where(SyncRun.state.in_(LIVE)).order_by(SyncRun.id)):
        until = f"held or due {_in(one.lease_until, now)}" if one.lease_until else "held by nobody"
        step = one.step or "its start"
        yield f"import {one.id} is {one.state} at {step}, {until}, try {one.attempts}{_said(one.error)}"


def _plans(now: datetime) -> Iterator[str]:
    behind = behind_people()
    for one in db.session.scalars(select(Plan).where(Plan.state.in_(plan_states.LIVE)).order_by(Plan.id)):
        lines = select(PlanLine.id).where(PlanLine.plan_id == one.id)
        open_ones = set(db.session.scalars(select(OutboxEntry.id).where(
            OutboxEntry.plan_line_id.in_(lines), OutboxEntry.state.in_(("pending", "frozen"))
        )))  # fmt: skip
        if one.state == "carrying_out" and open_ones and open_ones <= behind:
            continue  # it ends with what a person decides
        yield f"plan {one.id} ({one.purpose}) is {one.state}, {_due(one, now)}{_said(one.error)}"


def _proofs(now: datetime) -> Iterator[str]:
    for one in db.session.scalars(select(Proof).where(Proof.state.in_(PROOFS)).order_by(Proof.id)):
        yield f"proof {one.id} is {one.state} at {one.step}, {_due(one, now)}{_said(one.error)}"


def _undecided(connection_id: int) -> Iterator[str]:
    """Customers whose match nobody has decided. A create of ours that is on its way may be the reason."""
    mine = (Customer.connection_id == connection_id, Customer.match_state == "new",
            Customer.parent_remote_id.is_(None))  # fmt: skip
    for one in db.session.scalars(select(Customer).where(*mine).order_by(Customer.id)):
        yield f"customer {one.remote_id} ({one.display_name}) has not been matched"


def _due(one: Any, now: datetime) -> str:
    return f"due {_in(one.available_at, now)}, try {one.attempts}"


def _in(moment: datetime, now: datetime) -> str:
    seconds = (moment - now).total_seconds()
    return f"in {seconds:.0f} s" if seconds > 0 else f"since {-seconds:.0f} s"


def _said(text: str | None) -> str:
    return f": {text}" if text else ""
