"""Plans: what would be written to the books is shown first, approved by a person, and carried out by the outbox.

Pages and the API call everything but `run` and `sweep` inside `transaction()`; those two are the workers'. The first
approved plan opens a connection for writing; until then nothing leaves, whatever waits in the outbox.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update

from crm.bell import ring
from crm.db import changed, db
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.plans import CHOICES, DIFFERENCES, HERE, PURPOSES, STATES, STAYS, WRITES, LineFilters
from crm.models import Connection, OutboxEntry, Plan, PlanLine
from crm.queries import plan_lines
from crm.services import audit
from crm.services.audit import Actor
from crm.services.sync.plans import carrying, leaving, plan_work
from crm.services.sync.plans.asking import MOST, ask, ask_undo, ask_unimport, connection_of
from crm.services.sync.plans.plan_work import TASK, run

__all__ = [
    "MOST", "Choice", "approve", "ask", "ask_undo", "ask_unimport", "choose", "decide", "discard", "pause_writing",
    "rename", "retry", "ring_due", "run", "stop",
]  # fmt: skip

READ_ONLY = (
    "QuickBooks is read-only: nothing is written until the first plan of this company was approved. Make that plan "
    "under Sync, Plans; what it would write can all be left out."
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a plan is approved."""

    what: str
    """`all`, `some` (the lines of `ids`), `rule` (the lines that `filters` leave) or `none`."""
    ids: tuple[int, ...] = ()
    filters: LineFilters = field(default_factory=LineFilters)
    fields: tuple[str, ...] = ()
    """Of updates only these shared fields; empty means all of them."""
    seen: int | None = None
    """How many lines the person was told; another number by now is refused with `Changed`."""


# --- deciding -------------------------------------------------------------------------------------------------


def approve(plan_id: int, choice: Choice, *, actor: Actor, now: datetime) -> Plan:
    """Carry out what was chosen and leave the rest. Raises Changed (409) where the plan is no longer what was seen."""
    plan = _ready(plan_id)
    connection = db.session.get_one(Connection, plan.connection_id, with_for_update=True, populate_existing=True)
    if connection.state == "disconnected":
        raise Refused("This company is disconnected. Connect it again, then make a new plan.")
    here = plan.purpose in HERE
    if here and choice.fields:
        raise Invalid({"fields": "What an import fills cannot be chosen by field. Approve lines, or leave them."})
    if connection.read_only and plan.purpose != "first" and not here:
        raise Refused(READ_ONLY)
    number = _mark(plan, choice)
    leaving.leave(db.session(), plan, connection, choice.fields, now=now)
    plan.state, plan.cursor, plan.available_at = "carrying_out", "", now
    plan.approved_by, plan.approved_at, plan.total, plan.done = actor.name, now, number, 0
    text = f"Plan {plan.id} ({PURPOSES[plan.purpose].lower()}): {number:,} lines approved"
    _record("plan_approved", plan, text, {"approved": number, "by": choice.what}, actor=actor, now=now)
    if connection.read_only and not here:
        connection.read_only, plan.scope = False, {**plan.scope, "opened": True}
        name = connection.company_name or "QuickBooks company"
        _record("writing_opened", plan, f"{name} is written to from now on", {}, actor=actor, now=now)
        ring("crm.tasks.outbox.send", connection.id)
    ring(TASK, plan.id)
    return plan


def _mark(plan: Plan, choice: Choice) -> int:
    """Set the approved lines; answers how many. Nothing is left half done: whoever raises is rolled back."""
    where = [PlanLine.plan_id == plan.id, PlanLine.action.in_(WRITES)]
    if choice.what == "none":
        return 0
    if choice.what == "some":
        if not choice.ids:
            raise Invalid({"ids": "No line is chosen. Tick the ones to carry out first, or approve all."})
        where.append(PlanLine.id.in_(choice.ids))
    elif choice.what == "rule":
        where += plan_lines.matching(plan.id, choice.filters)
    elif choice.what != "all":
        raise Invalid({"what": "Say what to approve: all, some, rule or none."})
    number = changed(update(PlanLine).where(*where).values(approved=True, fields=list(choice.fields)))
    seen = len(set(choice.ids)) if choice.what == "some" else choice.seen
    if seen is not None and number != seen:
        raise Changed(
            f"The plan holds {number:,} such lines by now, not {seen:,}. Nothing was approved; look again and decide."
        )
    if not number and choice.what == "rule":
        raise Invalid({"rule": "No line of the plan fits this rule. Change the filters, or approve without them."})
    return number


def choose(plan_id: int, *, line_ids: Collection[int] | None = None, now: datetime) -> int:
    """Have contacts that would stay here created in QuickBooks: these lines, or all that may be. Answers how many.

    Only the plan changes; it still waits to be approved.
    """
    plan = _ready(plan_id)
    where = [PlanLine.plan_id == plan.id, PlanLine.action == "skip", PlanLine.reason == STAYS]
    if line_ids is not None:
        if not line_ids:
            raise Invalid({"ids": "No line is chosen. Tick the contacts to create in QuickBooks first."})
        where.append(PlanLine.id.in_(line_ids))
    number = changed(update(PlanLine).where(*where).values(action="create", reason=""))
    if not number:
        raise Invalid({"ids": "None of these can be created: they are in QuickBooks already, or have a reason not to."})
    _moved(plan, "skip", "create", number)
    return number


def decide(
    plan_id: int, choice: str, *, line_ids: Collection[int] | None = None, filters: LineFilters | None = None,
    now: datetime,
) -> int:  # fmt: skip
    """`ours`, `theirs` or `leave` for fields on which both sides never agreed: these lines, or those the filters leave.

    Only the plan changes; it still waits to be approved. Answers how many lines are decided otherwise than before.
    """
    plan = _ready(plan_id)
    if choice not in CHOICES:
        raise Invalid({"choice": f"Choose one of: {', '.join(CHOICES)}."})
    where = [PlanLine.plan_id == plan.id, PlanLine.action.in_(DIFFERENCES), PlanLine.action != CHOICES[choice]]
    if line_ids is not None:
        where.append(PlanLine.id.in_(line_ids))
    elif filters is not None:
        where += plan_lines.matching(plan.id, filters)
    found = select(PlanLine.action, func.count()).where(*where).group_by(PlanLine.action)
    before = {action: number for action, number in db.session.execute(found)}
    if not before:
        raise Invalid({"ids": "Nothing to decide there: tick lines on which both sides differ, or widen the filters."})
    changed(update(PlanLine).where(*where).values(action=CHOICES[choice]))
    for action, number in before.items():
        _moved(plan, action, CHOICES[choice], number)
    return sum(before.values())


def rename(plan_id: int, line_id: int, name: str, *, now: datetime) -> PlanLine:
    """Create a contact under another name in QuickBooks than here. Raises Invalid where the name cannot be used."""
    plan = _ready(plan_id)
    line = db.session.get(PlanLine, line_id)
    if line is None or line.plan_id != plan.id:
        raise NotFound("This line is not of this plan.")
    if line.remote_id or line.action not in ("create", "skip", "refuse"):
        raise Refused("Only a contact that is not in QuickBooks yet can get another name there.")
    drawn = carrying.planning.renamed(db.session(), plan, line, " ".join(name.split()), now=now)
    _moved(plan, line.action, "create", 1)
    line.action, line.reason, line.changes = "create", drawn.reason, dict(drawn.changes)
    return line


def _moved(plan: Plan, old: str, new: str, number: int) -> None:
    if old != new:
        counts = dict(plan.counts)
        counts[old] = counts.get(old, 0) - number
        counts[new] = counts.get(new, 0) + number
        plan.counts = counts


def discard(plan_id: int, *, actor: Actor, now: datetime) -> Plan:
    """Not this plan; its lines stay to be read. Raises Changed where it was approved meanwhile."""
    plan = _locked(plan_id)
    if plan.state not in ("making", "ready", "failed") or plan.approved_at:
        raise Changed(f"Plan {plan.id} is {STATES[plan.state].lower()}: it can no longer be discarded.", current=plan)
    plan.state, plan.finished_at = "discarded", now
    _record("plan_discarded", plan, f"Plan {plan.id} discarded", {}, actor=actor, now=now)
    return plan


def retry(plan_id: int, *, now: datetime) -> Plan:
    """Go on with one that failed on our side, where it stopped."""
    plan = _locked(plan_id)
    if plan.state == "failed":
        plan.state, plan.error = ("carrying_out" if plan.approved_at else "making"), ""
        plan.available_at = now
        ring(TASK, plan.id)
    return plan


def stop(plan_id: int, *, actor: Actor, now: datetime) -> int:
    """Leave what was approved and has not been sent yet; what is on its way arrives. Answers how many lines were left.

    Their entries are skipped in the outbox, where each can be taken up again.
    """
    plan = _locked(plan_id)
    if plan.state != "carrying_out":
        raise Changed(f"Plan {plan.id} is {STATES[plan.state].lower()}: there is nothing to stop.", current=plan)
    mine = (PlanLine.plan_id == plan.id, PlanLine.approved.is_(True))
    waiting = (OutboxEntry.plan_line_id.in_(select(PlanLine.id).where(*mine)), OutboxEntry.state == "pending")
    ids = list(db.session.scalars(select(OutboxEntry.plan_line_id).where(*waiting)))
    reason = f"Plan {plan.id} was stopped by {actor.label} before this was sent."
    changed(update(OutboxEntry).where(*waiting).values(state="skipped", error=reason, updated_at=now))
    number = changed(update(PlanLine).where(*mine, PlanLine.outcome == "").values(outcome="left", outcome_text=reason))
    left = (PlanLine.id.in_(ids), PlanLine.outcome == "waiting")
    number += changed(update(PlanLine).where(*left).values(outcome="left", outcome_text=reason))
    leaving.let_go(plan, now=now)
    plan.available_at = now
    ring(TASK, plan.id)
    _record("plan_stopped", plan, f"Plan {plan.id} stopped, {number:,} lines left", {}, actor=actor, now=now)
    return number


def pause_writing(connection_id: int, *, actor: Actor, now: datetime) -> Connection:
    """Back to read-only: nothing more is written until another first plan is approved. Twice changes nothing."""
    connection = connection_of(connection_id)
    if not connection.read_only:
        connection.read_only = True
        name = connection.company_name or "QuickBooks company"
        audit.record("writing_paused", actor=actor, now=now, subject=f"connection:{connection_id}",
                     summary=f"{name} is read-only again")  # fmt: skip
    return connection


def ring_due(*, now: datetime) -> list[int]:
    """Ring for what a lost bell or a dead worker left behind, and for plans whose entries are under way."""
    due = plan_work.due(db.session(), now)
    for plan_id in due:
        ring(TASK, plan_id)
    return due


def _locked(plan_id: int) -> Plan:
    plan = db.session.get(Plan, plan_id, with_for_update=True, populate_existing=True)
    if plan is None:
        raise NotFound("There is no such plan. The link may be old or not complete.")
    return plan


def _ready(plan_id: int) -> Plan:
    plan = _locked(plan_id)
    if plan.state != "ready":
        who = f" by {plan.approved_by}" if plan.approved_by else ""
        what = "is still being made" if plan.state == "making" else f"is {STATES[plan.state].lower()}{who}"
        raise Changed(f"Plan {plan.id} {what}: nothing more can be decided about it.", current=plan)
    return plan


def _record(action: str, plan: Plan, text: str, details: dict[str, Any], *, actor: Actor, now: datetime) -> None:
    audit.record(action, actor=actor, now=now, subject=f"plan:{plan.id}", summary=text,
                 details={"connection_id": plan.connection_id, **details})  # fmt: skip
