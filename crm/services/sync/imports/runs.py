"""Starting, stopping and finding runs. Work itself is done by the runner; here only rows change and bells ring."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select

from crm.bell import ring
from crm.db import db
from crm.domain.directions import EVERYTHING
from crm.domain.errors import NotFound, Refused
from crm.domain.runs import LIVE, RESOURCES
from crm.models import Connection, SyncRun
from crm.services.audit import SYSTEM, Actor
from crm.services.sync import settings
from crm.services.sync.imports.runner import TASK
from crm.services.sync.imports.steps import read_resources
from crm.services.sync.plans import importing
from crm.services.sync.work import due_runs, finish, log_entry

SCHEDULE = "schedule"
"""Trigger of the runs nobody asked for; they leave alone what a plan holds."""
EVERY = timedelta(hours=24)
"""How old the books may become here before they are read again by themselves."""

NOT_LIVE: dict[str, str] = {
    "needs_reconnect": "QuickBooks no longer accepts our access. Reconnect first; nothing is lost, every link stays.",
    "subscription_lapsed": "The QuickBooks subscription of this company has ended. Renew it there, then import.",
    "permission_lost": "The person who connected may no longer read these books. Let a company admin reconnect.",
    "wrong_keys": "QuickBooks does not accept the app's keys. Correct QUICKBOOKS_CLIENT_ID and _SECRET first.",
    "disconnected": "This company is disconnected. Connect it again to import.",
}


def start_run(
    connection_id: int,
    *,
    resources: Sequence[str] | None,
    trigger: str,
    actor: Actor,
    now: datetime,
    plan_first: bool = False,
) -> SyncRun:
    """A queued run, and a ring of the bell. While one of the connection is live, that one is returned instead.

    `resources` None or empty means all that the sync settings let come in. Raises NotFound, Invalid for an unknown
    resource, Refused where the connection does not work, or a resource that was asked for is off or paused.
    `plan_first`: everything is read, but no contact is linked or made before the plan of it was approved. Refused while
    an import without a plan is live, Invalid without customers.
    """
    wanted = read_resources(resources)
    connection = db.session.get(Connection, connection_id, with_for_update=True, populate_existing=True)
    if connection is None:
        raise NotFound("There is no such connection.")
    live = db.session.scalar(
        select(SyncRun)
        .where(SyncRun.connection_id == connection_id, SyncRun.state.in_(LIVE))
        .order_by(SyncRun.id)
        .limit(1)
    )
    if live is not None:
        if plan_first and not importing.is_planned(live):
            raise Refused("An import without a plan is under way. Let it end or cancel it, then ask for a plan.")
        return live
    if not connection.live:
        raise Refused(NOT_LIVE.get(connection.state, "This connection does not work at present. Reconnect first."))
    wanted = _let_in(connection_id, wanted, all_or_none=bool(resources))
    run = SyncRun(
        connection_id=connection_id, trigger=trigger, requested_by=actor.label, resources=wanted, state="queued",
        step="", progress=importing.wanted(wanted) if plan_first else {}, counts={}, attempts=0, created_at=now,
    )  # fmt: skip
    db.session.add(run)
    db.session.flush()
    if "customer" in wanted and trigger != SCHEDULE:
        importing.replace_open(run, actor=actor, now=now)
    ring(TASK, run.id)
    return run


def _let_in(connection_id: int, wanted: list[str], *, all_or_none: bool) -> list[str]:
    """Those of the kinds that the sync settings let come in."""
    kept = settings.of_connection(db.session(), connection_id)
    if kept[EVERYTHING].paused:
        raise Refused("The sync of this company is paused. Resume it in the sync settings, then import.")
    closed = [kind for kind in wanted if not kept[kind].allows_in]
    if closed and (all_or_none or closed == wanted):
        names = ", ".join(RESOURCES[kind] for kind in closed)
        raise Refused(f"The sync settings let nothing in for: {names}. Resume them or change their direction first.")
    return [kind for kind in wanted if kind not in closed]


def cancel_run(run_id: int, *, actor: Actor, now: datetime) -> SyncRun:
    """Ask a live run to stop. Nobody at work: it ends at once; else after the page at hand. What came in stays."""
    run = db.session.get(SyncRun, run_id, with_for_update=True, populate_existing=True)
    if run is None:
        raise NotFound("There is no such import.")
    if not run.live:
        raise Refused("This import has already ended; there is nothing to cancel.")
    db.session.add(log_entry(run, "cancel_asked", f"{actor.label} asked to cancel.", now=now))
    held = run.state in ("running", "cancelling") and run.lease_until is not None and run.lease_until > now
    if held:
        run.state = "cancelling"
    else:
        finish(run, "cancelled", now=now)
        db.session.add(log_entry(run, "run_cancelled", "The import was cancelled; what came in stays.", now=now))
    return run


def ring_due(*, now: datetime) -> list[int]:
    """Ring the bell for every run that could go on and that nobody works on. Returns their ids."""
    due = due_runs(db.session(), now)
    for run_id in due:
        ring(TASK, run_id)
    return due


def start_due(*, now: datetime) -> list[int]:
    """Import again what was last imported more than EVERY ago. A company nobody has imported yet waits for a person."""
    last = (
        select(SyncRun.connection_id, func.max(SyncRun.finished_at).label("at"))
        .where(SyncRun.state == "done")
        .group_by(SyncRun.connection_id)
        .subquery()
    )
    due = db.session.scalars(
        select(Connection.id)
        .join(last, last.c.connection_id == Connection.id)
        .where(Connection.state == "connected", last.c.at <= now - EVERY)
        .order_by(Connection.id)
    ).all()
    return [
        start_run(id_, resources=None, trigger=SCHEDULE, actor=SYSTEM, now=now).id
        for id_ in due
        if any(kept.allows_in for kind, kept in settings.of_connection(db.session(), id_).items() if kind != EVERYTHING)
    ]


def wake_run(run_id: int, *, now: datetime) -> SyncRun:
    """Do not wait for the retry that is due later: try now."""
    run = db.session.get(SyncRun, run_id, with_for_update=True, populate_existing=True)
    if run is None:
        raise NotFound("There is no such import.")
    if run.state != "waiting":
        raise Refused("This import is not waiting; there is nothing to try again.")
    run.lease_until = None
    ring(TASK, run.id)
    return run
