"""A worker's hold on a plan: claimed by compare-and-set, worked on page by page, let go.

A plan is a row; making it and carrying it out are pages of about 500 objects, each stored in one transaction together
with where to go on. `attempts` fences off a worker that slept through its lease. Nothing here calls the company: a plan
is made from the mirror, and carrying it out writes entries of the outbox, which does the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from crm.bell import ring
from crm.db import changed, transaction
from crm.domain.plans import LIVE, OUTCOMES, UNSETTLED, WRITES
from crm.models import Plan, PlanLine, SyncLogEntry
from crm.services.sync.plans import carrying, import_carrying, import_making, import_undo, importing, planning, undo
from crm.services.sync.work import LeaseLost, books_of

log = logging.getLogger(__name__)

TASK = "crm.tasks.plans.run"
LEASE = timedelta(minutes=3)
SLICE = timedelta(minutes=10)
SOONEST, LOOK_AGAIN = timedelta(seconds=1), timedelta(seconds=10)
"""How soon a plan whose entries are under way is looked at again, at first and in the end."""
FAILED = "Something went wrong on our side; the log says what. Nothing that was done is lost. Try again to go on."

Clock = Callable[[], datetime]
MAKE = {
    "undo": undo.make_page, importing.PURPOSE: import_making.make_page, "unimport": import_undo.make_page,
}  # fmt: skip
"""What makes the plans of a purpose, where it is not `planning`."""


def run(plan_id: int, *, clock: Clock) -> None:
    """Do the pages that are left, until the end, the end of the time slice, or until others must act first."""
    attempt = _claim(plan_id, clock())
    if attempt is None:
        return
    until = clock() + SLICE
    try:
        while _page(plan_id, attempt, clock()):
            if clock() >= until:
                _let_go(plan_id, attempt, clock())
                return
    except LeaseLost:
        log.info("plan %s is held by another worker", plan_id)
    except OperationalError as trouble:
        # The lease lapses by itself, and the sweep finds the plan then.
        log.warning("plan %s: the database is away (%s)", plan_id, type(trouble.orig).__name__)
    except Exception:
        _fail(plan_id, attempt)
        raise


def due(session: Session, now: datetime) -> list[int]:
    """Plans that nobody holds and that have something to do: new ones, lapsed leases, entries to look after."""
    query = select(Plan.id).where(Plan.state.in_(LIVE), Plan.available_at <= now).order_by(Plan.id)
    return list(session.scalars(query))


def _claim(plan_id: int, now: datetime) -> int | None:
    """Answers the number of this attempt, or None when there is nothing to do or somebody is at it."""
    with transaction() as session:
        taken = changed(
            update(Plan)
            .where(Plan.id == plan_id, Plan.state.in_(LIVE), Plan.available_at <= now)
            .values(attempts=Plan.attempts + 1, available_at=now + LEASE)
        )
        return session.scalar(select(Plan.attempts).where(Plan.id == plan_id)) if taken else None


def _held(session: Session, plan_id: int, attempt: int) -> Plan:
    plan = session.get(Plan, plan_id, with_for_update=True, populate_existing=True)
    if plan is None or plan.attempts != attempt or plan.state not in LIVE:
        raise LeaseLost(f"plan {plan_id} is no longer held by attempt {attempt}")
    return plan


def _page(plan_id: int, attempt: int, now: datetime) -> bool:
    """One page in one transaction; False when there is nothing more to do now."""
    with transaction() as session:
        plan = _held(session, plan_id, attempt)
        plan.available_at = now + LEASE
        if plan.state == "making":
            more = MAKE.get(plan.purpose, planning.make_page)(session, plan, books_of(plan.connection), now=now)
            if not more:
                plan.state, plan.cursor, plan.ready_at = "ready", "", now
                plan.total = plan.done = max(plan.total, plan.done)
                text = f"Ready. Lines that would change something: {sum(_written(plan)):,}."
                _log(session, plan, "plan_ready", text, now)
        else:
            if not (more := _carry(session, plan, now)):
                _wait_or_end(session, plan, now)
    return more


def _carry(session: Session, plan: Plan, now: datetime) -> bool:
    books = books_of(plan.connection)
    if plan.purpose == "unimport":
        return import_undo.page(session, plan, books, actor=carrying.approver(session, plan), now=now)
    carry = import_carrying.page if plan.purpose == importing.PURPOSE else carrying.page
    return carry(session, plan, books, now=now)


def _wait_or_end(session: Session, plan: Plan, now: datetime) -> None:
    """Every line is in the outbox. The plan is done when each has an outcome; until then somebody looks again."""
    plan.available_at = now + _wait(plan, now)
    carrying.settle_lost(session, plan)
    open_ones = select(func.count()).where(
        PlanLine.plan_id == plan.id, PlanLine.approved.is_(True), PlanLine.outcome.in_(UNSETTLED)
    )
    if not session.scalar(open_ones):
        undo.mark_undone(session, plan)
        plan.state, plan.finished_at = "done", now
        counts = select(PlanLine.outcome, func.count()).where(PlanLine.plan_id == plan.id, PlanLine.outcome != "")
        found = session.execute(counts.group_by(PlanLine.outcome).order_by(PlanLine.outcome))
        words = ", ".join(f"{OUTCOMES[outcome][0].lower()} {number:,}" for outcome, number in found)
        _log(session, plan, "plan_done", f"Carried out: {words or 'nothing to write'}.", now)
    elif (wait := plan.available_at - now) < LOOK_AGAIN:
        ring(TASK, plan.id, after=wait.total_seconds())


def _wait(plan: Plan, now: datetime) -> timedelta:
    """Soon at first, since most plans are through in seconds; in the end as often as the sweep comes by."""
    since = now - (plan.approved_at or now)
    return min(max(since / 5, SOONEST), LOOK_AGAIN)


def _written(plan: Plan) -> list[int]:
    return [plan.counts.get(action, 0) for action in WRITES]


def _log(session: Session, plan: Plan, event: str, message: str, now: datetime) -> None:
    session.add(SyncLogEntry(
        connection_id=plan.connection_id, at=now, event=event, kind="customer", direction="out", outcome="done",
        trigger="undo" if plan.purpose in ("undo", "unimport") else "plan", message=f"Plan {plan.id}. {message}",
        details={"plan_id": plan.id, "counts": dict(plan.counts)},
    ))  # fmt: skip


def _let_go(plan_id: int, attempt: int, now: datetime) -> None:
    with transaction() as session:
        _held(session, plan_id, attempt).available_at = now
        ring(TASK, plan_id)


def _fail(plan_id: int, attempt: int) -> None:
    with transaction():
        changed(
            update(Plan)
            .where(Plan.id == plan_id, Plan.attempts == attempt, or_(*(Plan.state == state for state in LIVE)))
            .values(state="failed", error=FAILED)
        )
