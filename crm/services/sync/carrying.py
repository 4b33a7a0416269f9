"""Carrying out an approved plan: its lines become entries of the outbox, page by page, and the outbox does the rest.

What was planned is looked at again first, with the same code that made the plan: a line whose object changed meanwhile
is done as it stands now and says so; one with nothing left to do is settled here. The lines are the checkpoint: one
without an outcome is still to do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm.db import changed, table_of
from crm.domain.plans import narrowed
from crm.domain.shared_fields import TITLES
from crm.models import Link, OutboxEntry, Plan, PlanLine, User
from crm.services.audit import Actor
from crm.services.sync import leaving, outbox, planning, undo
from crm.services.sync.bulk import update_by_id
from crm.services.sync.outbox import WAITING, Wish
from crm.services.sync.work import Books

PAGE = 500
SKIPPED = "Somebody said in the outbox that it shall not go out now. Take it up again there."
TAKEN_OVER = "A newer change of the same object took it over."
LINKED = "It was linked to a customer meanwhile, so none was created."
AGREE = "Both sides agree by now: there was nothing left to write."
FRESH = "It changed after the plan was made; what goes out is what stands there now: {}."
UNSEEN = "The plan did not show these, so they were not approved with it: {}."


def page(session: Session, plan: Plan, books: Books, *, now: datetime) -> bool:
    """Note the next lines; False when every approved line has been."""
    lines = list(session.scalars(
        select(PlanLine)
        .where(PlanLine.plan_id == plan.id, PlanLine.approved.is_(True), PlanLine.outcome == "")
        .order_by(PlanLine.id)
        .limit(PAGE)
        .execution_options(populate_existing=True)  # approving and choosing write past the session
    ))  # fmt: skip
    if not lines:
        return False
    actor = approver(session, plan)
    deed = undo.wishes if plan.purpose == "undo" else _wishes
    wishes = deed(session, books, lines, actor=actor, now=now)
    _note(session, plan, lines, wishes, actor=actor, now=now)
    plan.done += len(lines)
    return True


def approver(session: Session, plan: Plan) -> Actor:
    """Who approved it, as timelines call them; the name as it was kept where the account is gone."""
    user = session.scalar(select(User).where(User.email == plan.approved_by))
    return Actor.of(user) if user else Actor(name=plan.approved_by)


def _wishes(
    session: Session, books: Books, lines: Sequence[PlanLine], *, actor: Actor, now: datetime
) -> dict[int, Wish]:
    """Line id -> what shall be done. A line with nothing left to do gets its outcome and is not among them."""
    leaving.take_up(session, books.id, [line.local_id for line in lines])
    fresh = planning.draw(session, books, [line.local_id for line in lines], chosen=True, now=now)
    found: dict[int, Wish] = {}
    for line in lines:
        drawn = fresh.get(line.local_id)
        if drawn is None:
            line.outcome, line.outcome_text = "nothing", "The contact is gone."
        elif line.action == "create" and drawn.remote_id:
            line.outcome, line.outcome_text = "nothing", LINKED
        elif drawn.action in ("link", "skip"):
            line.outcome, line.outcome_text = "nothing", drawn.reason or AGREE
        else:
            line.outcome_text, line.reason = _what_is_new(line, drawn), _unseen(line, drawn)
            found[line.id] = Wish(line.action, options=_options(line, drawn), plan_line_id=line.id)
    left = {line.local_id: found[line.id].options.get("left") for line in lines if line.id in found}
    _remember(session, books.id, {id_: names for id_, names in left.items() if names is not None})
    return found


def _remember(session: Session, connection_id: int, left: Mapping[int, Mapping[str, str]]) -> None:
    """Contact -> the fields that were left: what comes in of them later does not send them either."""
    mine = (Link.connection_id == connection_id, Link.kind == "customer", Link.local_id.in_(list(left)))
    links = session.execute(select(Link.id, Link.local_id).where(*mine))
    update_by_id(session, table_of(Link), [{"id": id_, "left": dict(left[local_id])} for id_, local_id in links])


def _approved(line: PlanLine) -> Collection[str]:
    """The fields that were approved; empty means all of them. Of a plan that opened the connection none but it showed:
    what was edited later would not have left without it."""
    return line.fields or (list(line.changes) if line.action == "update" and line.plan.scope.get("opened") else ())


def _what_is_new(line: PlanLine, drawn: planning.Drawn) -> str:
    """Said of a line whose object changed between planning and now; empty where it stands as it was planned."""
    fields = _approved(line)
    planned, there = narrowed(line.changes, fields), narrowed(drawn.changes, fields)
    if line.action != "update" or planned == there:
        return ""
    return FRESH.format(_titles(there) or "nothing")


def _unseen(line: PlanLine, drawn: planning.Drawn) -> str:
    """The line's reason, with what it does not send since the plan did not show it."""
    opened = line.action == "update" and line.plan.scope.get("opened")
    names = [name for name in drawn.changes if name not in line.changes] if opened else []
    return f"{line.reason} {UNSEEN.format(_titles(names))}".strip() if names else line.reason


def _titles(fields: Iterable[str]) -> str:
    return ", ".join(TITLES.get(name, name) for name in fields)


def _options(line: PlanLine, drawn: planning.Drawn) -> dict[str, object]:
    """`display_name` where the plan says another name than the contact's; `left`: fields that were not approved."""
    name = line.changes.get("display_name", ["", ""])[1]
    if line.action == "create" and name and name != drawn.name:
        return {"display_name": name}
    fields, approved_at = _approved(line), line.plan.approved_at
    assert approved_at is not None
    left = {name: approved_at.isoformat() for name in drawn.changes if fields and name not in fields}
    return {"left": left} if line.action == "update" else {}


def _note(
    session: Session, plan: Plan, lines: Sequence[PlanLine], wishes: Mapping[int, Wish], *, actor: Actor, now: datetime
) -> None:
    by_id = {line.id: line for line in lines if line.id in wishes}
    for kind in sorted({line.kind for line in by_id.values()}):
        mine = {line.local_id: wishes[line.id] for line in by_id.values() if line.kind == kind}
        _hand_over(session, plan, kind, list(mine))
        trigger = "undo" if plan.purpose == "undo" else "plan"
        noted = outbox.note_many(session, plan.connection_id, kind, mine, trigger=trigger, actor=actor, now=now)
        found = select(OutboxEntry.id, OutboxEntry.state).where(OutboxEntry.id.in_(list(noted.values())))
        states = {row.id: row.state for row in session.execute(found)}
        for line in by_id.values():
            if line.kind == kind and states.get(noted[line.local_id]) == "skipped":
                line.outcome, line.outcome_text = "left", SKIPPED
            elif line.kind == kind:
                line.outcome = "waiting"


def _hand_over(session: Session, plan: Plan, kind: str, local_ids: Sequence[int]) -> None:
    """Lines of other plans whose entry waits for these objects: this plan takes them over, and theirs are settled."""
    theirs = select(OutboxEntry.plan_line_id).where(
        OutboxEntry.connection_id == plan.connection_id, OutboxEntry.kind == kind,
        OutboxEntry.local_id.in_(local_ids), OutboxEntry.state.in_(WAITING), OutboxEntry.plan_line_id.is_not(None),
    )  # fmt: skip
    changed(
        update(PlanLine)
        .where(PlanLine.id.in_(theirs), PlanLine.plan_id != plan.id)
        .values(outcome="left", outcome_text=f"Plan {plan.id} took it over before it was sent.")
    )


def settle_lost(session: Session, plan: Plan) -> None:
    """Lines whose entry goes nowhere any more: it was skipped by hand, or a newer one of the object took it over."""
    waiting = (PlanLine.plan_id == plan.id, PlanLine.outcome == "waiting")
    mine = (OutboxEntry.connection_id == plan.connection_id, OutboxEntry.plan_line_id.is_not(None))
    lines = select(OutboxEntry.plan_line_id).where(*mine)  # listed once, not looked for line by line
    skipped = PlanLine.id.in_(lines.where(OutboxEntry.state == "skipped"))
    gone = PlanLine.id.not_in(lines.where(OutboxEntry.state.in_(("pending", "frozen", "parked"))))
    changed(update(PlanLine).where(*waiting, skipped).values(outcome="left", outcome_text=SKIPPED))
    changed(update(PlanLine).where(*waiting, gone).values(outcome="left", outcome_text=TAKEN_OVER))
