"""Taking back what was written to the books, from before-images: always as a plan that is shown before it is approved.

How a write of a kind is taken back, or why it is not, says the kind (`kinds`): an update by its old values, a creation
by making the object inactive, voiding or deleting it. The old value comes back into the object here too, as an edit by
whoever approved the undo: left here, the value we wrote would leave for QuickBooks with the next change. The plan page
says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from crm.db import changed, table_of
from crm.domain.plans import AS_BEFORE, GONE_HERE
from crm.models import Plan, PlanLine
from crm.queries.plans import FIELD
from crm.services.audit import Actor
from crm.services.sync.outbox.kinds import OUTGOING
from crm.services.sync.outbox.outbox import Wish
from crm.services.sync.plans import taken_back
from crm.services.sync.plans.before_images import deeds
from crm.services.sync.plans.kinds import Deed, Drawn, planned
from crm.services.sync.plans.planning import row_of
from crm.services.sync.work import Books


def make_page(session: Session, plan: Plan, books: Books, *, now: datetime) -> bool:
    """Add the lines for the next things that were written; False when all have been looked at."""
    after = int(plan.cursor or 0)
    found, last = deeds(session, plan, after=after)
    drawn = _draw(session, books, found)
    taken = taken_back.lines_of(session, plan, after=after, until=last)
    drawn += taken_back.draw(session, books, taken)
    counts = dict(plan.counts)
    for one in drawn:
        counts[one.action] = counts.get(one.action, 0) + 1
        for name in one.changes if one.action in ("update", taken_back.ACTION) else ():
            counts[FIELD + name] = counts.get(FIELD + name, 0) + 1
    plan.counts = counts
    plan.done += len(found) + len(taken)
    plan.total = max(plan.total, plan.done)
    if drawn:
        session.execute(insert(table_of(PlanLine)), [row_of(plan, one) for one in drawn])
    plan.cursor = str(last)
    return last > after


def wishes(
    session: Session, books: Books, lines: Sequence[PlanLine], *, actor: Actor, now: datetime
) -> dict[int, Wish]:
    """Line id -> what the outbox shall do; the objects get their old values here. All of one kind; looked at again."""
    plan = lines[0].plan
    ids = [line.local_id for line in lines]
    OUTGOING[lines[0].kind].hold(session, ids)
    again, _ = deeds(session, plan, kind=lines[0].kind, local_ids=ids)
    drawn = {one.local_id: one for one in _draw(session, books, again)}
    found: dict[int, Wish] = {}
    for line in lines:
        one = drawn.get(line.local_id)
        if one is None or one.action != line.action:
            line.outcome, line.outcome_text = "nothing", one.reason if one else GONE_HERE
            continue
        fields = tuple(name for name in one.changes if not line.fields or name in line.fields)
        if one.action == "update":
            put_back = planned(line.kind).put_back
            refused = put_back(session, plan, one, fields, books=books, actor=actor, now=now) if fields else AS_BEFORE
            if refused:
                line.outcome, line.outcome_text = "nothing", refused
                continue
        at = dict.fromkeys(fields, now.isoformat())
        found[line.id] = Wish(one.action, at, {"undo": True}, plan_line_id=line.id)
    return found


def mark_undone(session: Session, plan: Plan) -> None:
    """The lines of the plan that was taken back say so."""
    source = plan.scope.get("plan_id")
    if source is None:
        return
    done = (PlanLine.plan_id == plan.id, PlanLine.outcome == "done", PlanLine.action != taken_back.ACTION)
    for kind in session.scalars(select(PlanLine.kind).where(*done).distinct()).all():
        ids = select(PlanLine.local_id).where(*done, PlanLine.kind == kind)
        mine = (PlanLine.plan_id == source, PlanLine.outcome == "done", PlanLine.kind == kind,
                PlanLine.action != "take_theirs")  # fmt: skip
        undone = {"outcome": "undone", "outcome_text": f"Taken back by plan {plan.id}."}
        changed(update(PlanLine).where(*mine, PlanLine.local_id.in_(ids)).values(undone))


def _draw(session: Session, books: Books, written: Sequence[Deed]) -> list[Drawn]:
    """In the order they were written."""
    place = {(deed.kind, deed.local_id): number for number, deed in enumerate(written)}
    found: list[Drawn] = []
    for kind in sorted({deed.kind for deed in written}):
        found += planned(kind).undoing(session, books, [deed for deed in written if deed.kind == kind])
    return sorted(found, key=lambda one: place[one.kind, one.local_id])
