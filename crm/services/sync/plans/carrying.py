"""Carrying out an approved plan: its lines become entries of the outbox, page by page, and the outbox does the rest.

What was planned is looked at again first, with the same code that made the plan: a line whose object changed meanwhile
is done as it stands now and says so; one with nothing left to do is settled here. The lines are the checkpoint: one
without an outcome is still to do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from crm.db import changed, table_of
from crm.domain.plans import DIFFERENCES, narrowed
from crm.models import Link, OutboxEntry, Plan, PlanLine, User
from crm.services.audit import Actor
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.outbox import outbox
from crm.services.sync.outbox.outbox import WAITING, Wish
from crm.services.sync.plans import differences, leaving, planning, taken_back, undo
from crm.services.sync.plans.kinds import Drawn, planned
from crm.services.sync.work import Books

PAGE = 500
SKIPPED = "Somebody said in the outbox that it shall not go out now. Take it up again there."
TAKEN_OVER = "A newer change of the same object took it over."
LINKED = "It was linked to a customer meanwhile, so none was created."
AGREE = "Both sides agree by now: there was nothing left to write."
FRESH = "It changed after the plan was made; what goes out is what stands there now: {}."
UNSEEN = "The plan did not show these, so they were not approved with it: {}."


def page(session: Session, plan: Plan, books: Books, *, now: datetime) -> bool:
    """Note the next lines; False when every approved line has been. What differed goes first: `first:id`, `rest:id`."""
    part, _, after = (plan.cursor or ("first:0" if plan.purpose == "first" else "rest:0")).partition(":")
    early = PlanLine.action.in_(DIFFERENCES)
    lines = list(session.scalars(
        select(PlanLine)
        .where(PlanLine.plan_id == plan.id, PlanLine.id > int(after), PlanLine.approved.is_(True),
               PlanLine.outcome == "", early if part == "first" else ~early)
        .order_by(PlanLine.id)
        .limit(PAGE)
        .execution_options(populate_existing=True)  # approving and choosing write past the session
    ))  # fmt: skip
    if not lines:
        plan.cursor = "rest:0" if part == "first" else plan.cursor
        return part == "first"
    actor = approver(session, plan)
    if part == "first":
        differences.carry(session, plan, books, lines, actor=actor, now=now)
    else:
        _carry(session, plan, books, lines, actor=actor, now=now)
    plan.cursor = f"{part}:{lines[-1].id}"
    plan.done += len(lines)
    return True


def _carry(
    session: Session, plan: Plan, books: Books, lines: Sequence[PlanLine], *, actor: Actor, now: datetime
) -> None:
    if here := [line for line in lines if line.action == taken_back.ACTION]:
        taken_back.carry(session, plan, books, here, actor=actor, now=now)
        lines = [line for line in lines if line.action != taken_back.ACTION]
    for kind in sorted({line.kind for line in lines}):
        mine = [line for line in lines if line.kind == kind]
        deed = undo.wishes if plan.purpose == "undo" else _wishes
        wishes = deed(session, books, mine, actor=actor, now=now)
        _note(session, plan, mine, wishes, actor=actor, now=now)


def approver(session: Session, plan: Plan) -> Actor:
    """Who approved it, as timelines call them; the name as it was kept where the account is gone."""
    user = session.scalar(select(User).where(User.email == plan.approved_by))
    return Actor.of(user) if user else Actor(name=plan.approved_by)


def _wishes(
    session: Session, books: Books, lines: Sequence[PlanLine], *, actor: Actor, now: datetime
) -> dict[int, Wish]:
    """Line id -> what shall be done (all of one kind). One with nothing left to do gets its outcome instead."""
    kind, ids = lines[0].kind, [line.local_id for line in lines]
    leaving.take_up(session, books.id, kind, ids)
    fresh = planning.draw(session, books, kind, ids, chosen=True, now=now)
    besides = differences.sending(session, lines[0].plan, kind, ids) if lines[0].plan.purpose == "first" else {}
    created = [line.local_id for line in lines if line.action == "create"]
    needs = planned(kind).needs(session, books, created, actor=actor, now=now)
    found: dict[int, Wish] = {}
    for line in lines:
        drawn = fresh.get(line.local_id)
        if drawn is None:
            line.outcome, line.outcome_text = "nothing", "It is gone in Tradebook."
        elif line.action == "create" and drawn.remote_id:
            line.outcome, line.outcome_text = "nothing", LINKED
        elif drawn.action in ("link", "skip"):
            line.outcome, line.outcome_text = "nothing", drawn.reason or AGREE
        else:
            options = _options(line, drawn, besides.get(line.local_id, ()))
            drawn = _without(drawn, besides.get(line.local_id, ()))
            line.outcome_text, line.reason = _what_is_new(line, drawn), _unseen(line, drawn)
            first = needs.get(line.local_id, ())
            found[line.id] = Wish(line.action, options=options, plan_line_id=line.id, needs=first)
    left = {line.local_id: found[line.id].options.get("left") for line in lines if line.id in found}
    _remember(session, books.id, kind, {id_: names for id_, names in left.items() if names is not None})
    return found


def _without(drawn: Drawn, fields: Collection[str]) -> Drawn:
    """What else goes out than these fields, which lines of their own approved."""
    return replace(drawn, changes={name: pair for name, pair in drawn.changes.items() if name not in fields})


def _remember(session: Session, connection_id: int, kind: str, left: Mapping[int, Mapping[str, str]]) -> None:
    """Object -> the fields that were left: what comes in of them later does not send them either."""
    mine = (Link.connection_id == connection_id, Link.kind == kind, Link.local_id.in_(list(left)))
    links = session.execute(select(Link.id, Link.local_id).where(*mine))
    update_by_id(session, table_of(Link), [{"id": id_, "left": dict(left[local_id])} for id_, local_id in links])


def _approved(line: PlanLine) -> Collection[str]:
    """The fields that were approved; empty means all of them. Of a plan that opened the connection none but it showed:
    what was edited later would not have left without it."""
    return line.fields or (list(line.changes) if line.action == "update" and line.plan.scope.get("opened") else ())


def _what_is_new(line: PlanLine, drawn: Drawn) -> str:
    """Said of a line whose object changed between planning and now; empty where it stands as it was planned."""
    fields = _approved(line)
    planned, there = narrowed(line.changes, fields), narrowed(drawn.changes, fields)
    if line.action != "update" or planned == there:
        return ""
    return FRESH.format(_titles(line.kind, there) or "nothing")


def _unseen(line: PlanLine, drawn: Drawn) -> str:
    """The line's reason, with what it does not send since the plan did not show it."""
    opened = line.action == "update" and line.plan.scope.get("opened")
    names = [name for name in drawn.changes if name not in line.changes] if opened else []
    return f"{line.reason} {UNSEEN.format(_titles(line.kind, names))}".strip() if names else line.reason


def _titles(kind: str, fields: Iterable[str]) -> str:
    return ", ".join(planned(kind).title(name) for name in fields)


def _options(line: PlanLine, drawn: Drawn, besides: Collection[str]) -> dict[str, object]:
    """`display_name` where the plan says another name than the contact's; `left`: fields that were not approved, here
    or by lines of their own (`besides`)."""
    name = line.changes.get("display_name", ["", ""])[1]
    if line.action == "create" and name and name != drawn.name:
        return {"display_name": name}
    fields, approved_at = _approved(line), line.plan.approved_at
    assert approved_at is not None
    left = {name: approved_at.isoformat() for name in drawn.changes if fields and name not in (*fields, *besides)}
    return {"left": left} if line.action == "update" else {}


def _note(
    session: Session, plan: Plan, lines: Sequence[PlanLine], wishes: Mapping[int, Wish], *, actor: Actor, now: datetime
) -> None:
    mine = {line.local_id: wishes[line.id] for line in lines if line.id in wishes}
    if not mine:
        return
    kind, trigger = lines[0].kind, "undo" if plan.purpose == "undo" else "plan"
    _hand_over(session, plan, kind, list(mine))
    noted = outbox.note_many(session, plan.connection_id, kind, mine, trigger=trigger, actor=actor, now=now)
    found = select(OutboxEntry.id, OutboxEntry.state).where(OutboxEntry.id.in_(list(noted.values())))
    states = {row.id: row.state for row in session.execute(found)}
    for line in lines:
        if line.id not in wishes:
            continue
        if states.get(noted[line.local_id]) == "skipped":
            line.outcome, line.outcome_text = "left", SKIPPED
        else:
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
    waiting: tuple[Any, ...] = (PlanLine.plan_id == plan.id, PlanLine.outcome == "waiting")
    if plan.purpose == "first":
        differences.follow(session, plan)
        first, _ = differences.leads(plan)
        waiting += (or_(PlanLine.action != "send_ours", PlanLine.id == first),)
    mine = (OutboxEntry.connection_id == plan.connection_id, OutboxEntry.plan_line_id.is_not(None))
    lines = select(OutboxEntry.plan_line_id).where(*mine)  # listed once, not looked for line by line
    skipped = PlanLine.id.in_(lines.where(OutboxEntry.state == "skipped"))
    gone = PlanLine.id.not_in(lines.where(OutboxEntry.state.in_(("pending", "frozen", "parked"))))
    changed(update(PlanLine).where(*waiting, skipped).values(outcome="left", outcome_text=SKIPPED))
    changed(update(PlanLine).where(*waiting, gone).values(outcome="left", outcome_text=TAKEN_OVER))
