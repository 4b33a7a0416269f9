"""Fields on which both sides never agreed: listed in the first plan, where a person may choose ours or theirs.

One line a field, `differ` until somebody chooses; then it is approved or left like any other. They are carried out
before the other lines of the plan: theirs is taken at once, ours leaves with the line of its object, or by its own
where there is none (`leads`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.orm import Session, aliased

from crm.db import changed, table_of
from crm.domain.plans import CHOICES, DIFFERENCES
from crm.models import OutboxEntry, Plan, PlanLine
from crm.queries.plans import FIELD
from crm.services.audit import Actor
from crm.services.sync.outbox.kinds import OUTGOING
from crm.services.sync.outbox.outbox import WAITING
from crm.services.sync.plans import leaving
from crm.services.sync.plans.kinds import Drawn, planned
from crm.services.sync.work import Books

CHOSEN = ("send_ours", "take_theirs")
TAKEN = "Taken from QuickBooks."


def add(session: Session, plan: Plan, books: Books, kind: str, found: Sequence[Drawn]) -> None:
    """Lines for what differs on these objects, besides what would be written."""
    open_ones = {one.local_id: one for one in found if one.action in ("update", "link")}
    differing = planned(kind).differences(session, books, list(open_ones)) if open_ones else {}
    rows = [
        _row(plan, open_ones[id_], name, pair)
        for id_, fields in sorted(differing.items())
        for name, pair in fields.items()
        if name not in open_ones[id_].changes
    ]
    if not rows:
        return
    counts = dict(plan.counts)
    counts["differ"] = counts.get("differ", 0) + len(rows)
    for row in rows:
        [name] = row["changes"]
        counts[FIELD + name] = counts.get(FIELD + name, 0) + 1
    plan.counts = counts
    session.execute(insert(table_of(PlanLine)), rows)


def _row(plan: Plan, one: Drawn, name: str, pair: Sequence[str]) -> dict[str, Any]:
    return {
        "plan_id": plan.id, "kind": one.kind, "local_id": one.local_id, "remote_id": one.remote_id,
        "name": one.name[:500], "action": "differ", "changes": {name: list(pair)}, "reason": "", "amount": one.amount,
        "fields": [], "outcome": "", "outcome_text": "", "before": None,
    }  # fmt: skip


def carry(
    session: Session, plan: Plan, books: Books, lines: Sequence[PlanLine], *, actor: Actor, now: datetime
) -> None:
    """Carry out what was chosen for these fields; each line gets its outcome, those that send wait for theirs."""
    groups: dict[tuple[str, str, str], list[PlanLine]] = {}
    for line in lines:
        [name] = line.changes
        groups.setdefault((line.kind, name, line.action), []).append(line)
    for (kind, name, action), mine in sorted(groups.items(), key=lambda pair: pair[0]):
        ids = [line.local_id for line in mine]
        OUTGOING[kind].hold(session, ids)
        leaving.take_up(session, books.id, kind, ids)
        choice = next(word for word, chosen in CHOICES.items() if chosen == action)
        before = planned(kind).image(session, ids, name) if choice == "theirs" else {}
        why = planned(kind).decide(session, books, mine, choice, actor=actor, now=now)
        session.flush()
        after = planned(kind).image(session, ids, name) if choice == "theirs" else {}
        for line in mine:
            line.before, line.after = before.get(line.local_id), after.get(line.local_id)
            if line.id in why:
                line.outcome, line.outcome_text = "nothing", why[line.id]
            elif choice == "theirs":
                line.outcome, line.outcome_text = "done", TAKEN
            else:
                line.outcome = "waiting"
        _lead(session, plan, books, kind, [line for line in mine if line.outcome == "waiting"])


def _lead(session: Session, plan: Plan, books: Books, kind: str, lines: Sequence[PlanLine]) -> None:
    """Their entries tell the first line of each object what became of them."""
    session.flush()
    mine = (PlanLine.plan_id == plan.id, PlanLine.kind == kind, PlanLine.local_id == OutboxEntry.local_id)
    first = select(func.min(PlanLine.id)).where(*mine, PlanLine.action == "send_ours", PlanLine.outcome == "waiting")
    entries = (OutboxEntry.connection_id == books.id, OutboxEntry.kind == kind, OutboxEntry.state.in_(WAITING),
               OutboxEntry.local_id.in_([line.local_id for line in lines]))  # fmt: skip
    if lines:
        changed(update(OutboxEntry).where(*entries).values(plan_line_id=first.scalar_subquery()))


def sending(session: Session, plan: Plan, kind: str, local_ids: Sequence[int]) -> Mapping[int, set[str]]:
    """Object -> fields of which the plan sends ours: approved with it, whatever its other line shows."""
    mine = (PlanLine.plan_id == plan.id, PlanLine.kind == kind, PlanLine.local_id.in_(local_ids))
    found: dict[int, set[str]] = {}
    chosen = (PlanLine.action == "send_ours", PlanLine.approved.is_(True), PlanLine.outcome == "waiting")
    for local_id, changes in session.execute(select(PlanLine.local_id, PlanLine.changes).where(*mine, *chosen)):
        found.setdefault(local_id, set()).update(changes)
    return found


def follow(session: Session, plan: Plan) -> None:
    """Lines that sent ours with another line of their object take its outcome."""
    first, mine = leads(plan)
    lead = aliased(PlanLine)
    values = {
        name: select(getattr(lead, name)).where(lead.id == first).scalar_subquery()
        for name in ("outcome", "outcome_text")
    }
    changed(update(PlanLine).where(*mine, PlanLine.id != first).values(values))


def leads(plan: Plan) -> tuple[ColumnElement[Any], tuple[ColumnElement[bool], ...]]:
    """The line that tells for the object of each waiting `send_ours`: the last of those with an entry, and these."""
    other = aliased(PlanLine)
    first = (
        select(func.min(other.id))
        .where(other.plan_id == plan.id, other.kind == PlanLine.kind, other.local_id == PlanLine.local_id,
               other.approved.is_(True), other.action.in_(("update", "send_ours")), other.outcome != "nothing")
        .correlate(PlanLine)
        .scalar_subquery()
    )  # fmt: skip
    return first, (PlanLine.plan_id == plan.id, PlanLine.action == "send_ours", PlanLine.outcome == "waiting")


def of(lines: Sequence[PlanLine]) -> bool:
    return any(line.action in DIFFERENCES for line in lines)
