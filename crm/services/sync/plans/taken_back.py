"""Fields that a plan took from the books (`take_theirs`), put back here as they stood: a part of its undo.

Each line keeps how our side stood before and after. Where it still stands as it was left, ours comes back, and both
sides never agreed again: QuickBooks keeps its own value, and nothing is sent. Where a kind keeps no image the undo says
what to write by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.models import Link, Plan, PlanLine
from crm.services.audit import Actor
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.plans.kinds import Drawn, planned
from crm.services.sync.work import Books

ACTION = "restore"
SINCE = "It was changed in Tradebook since, so it stays."
UNLINKED = "It is not linked any more, so there is nothing to put back."
NO_IMAGE = "How it stood before was not kept. It was “{}” here: write that on its own page where needed."
BACK = "As before the plan; QuickBooks keeps its own."


def lines_of(
    session: Session, plan: Plan, *, after: int = 0, until: int | None = None, local_ids: Sequence[int] | None = None
) -> list[PlanLine]:
    """What the plan that is taken back took from the books: of a page of its lines, or of these objects."""
    if "plan_id" not in plan.scope:
        return []
    query = select(PlanLine).where(
        PlanLine.plan_id == plan.scope["plan_id"], PlanLine.outcome == "done", PlanLine.action == "take_theirs",
        PlanLine.id > after,
    )  # fmt: skip
    if until is not None:
        query = query.where(PlanLine.id <= until)
    if local_ids is not None:
        query = query.where(PlanLine.local_id.in_(local_ids))
    return list(session.scalars(query.order_by(PlanLine.id)))


def draw(session: Session, books: Books, taken: Sequence[PlanLine]) -> list[Drawn]:
    """One for each of these, in their order."""
    linked = _linked(session, books, taken)
    groups: dict[tuple[str, str], list[int]] = {}
    for line in taken:
        [name] = line.changes
        groups.setdefault((line.kind, name), []).append(line.local_id)
    now = {key: planned(key[0]).image(session, ids, key[1]) for key, ids in groups.items()}
    return [_one(line, (line.kind, line.local_id) in linked, now) for line in taken]


def _one(line: PlanLine, linked: bool, now: dict[tuple[str, str], dict[int, dict[str, object]]]) -> Drawn:
    [(name, (theirs, ours))] = line.changes.items()
    stands = now[line.kind, name].get(line.local_id)
    reason = NO_IMAGE.format(ours or "empty") if line.before is None or stands is None else ""
    reason = reason or (UNLINKED if not linked else "" if stands == line.after else SINCE)
    action, changes = ("skip", {}) if reason else (ACTION, {name: [theirs, ours]})
    return Drawn(line.local_id, line.name, action, line.remote_id, changes, reason or BACK, line.amount, kind=line.kind)


def carry(
    session: Session, plan: Plan, books: Books, lines: Sequence[PlanLine], *, actor: Actor, now: datetime
) -> None:
    """Put back what still stands as it was left; each line gets its outcome, and those they take back say so."""
    taken = lines_of(session, plan, local_ids=[line.local_id for line in lines])
    by_field = {
        (one.kind, one.local_id, *one.changes): (one, drawn)
        for one, drawn in zip(taken, draw(session, books, taken), strict=True)
    }
    for line in lines:
        [name] = line.changes
        one, drawn = by_field.get((line.kind, line.local_id, name), (None, None))
        if one is None or drawn is None or drawn.action != ACTION or one.before is None:
            line.outcome, line.outcome_text = "nothing", drawn.reason if drawn else SINCE
            continue
        planned(line.kind).restore(session, plan, line.local_id, name, one.before, actor=actor, now=now)
        line.outcome = "done"
        one.outcome, one.outcome_text = "undone", f"Taken back by plan {plan.id}."
        _never_agreed(session, books, line, name)
    session.flush()


def _never_agreed(session: Session, books: Books, line: PlanLine, name: str) -> None:
    mine = (Link.connection_id == books.id, Link.kind == line.kind, Link.local_id == line.local_id)
    links = session.execute(select(Link.id, Link.base).where(*mine)).all()
    update_by_id(session, table_of(Link), [
        {"id": row.id, "base": {field: text for field, text in row.base.items() if field != name}} for row in links
    ])  # fmt: skip


def _linked(session: Session, books: Books, taken: Sequence[PlanLine]) -> set[tuple[str, int]]:
    query = select(Link.kind, Link.local_id, Link.remote_id).where(
        Link.connection_id == books.id, Link.local_id.in_([line.local_id for line in taken])
    )
    found = {(row.kind, row.local_id): row.remote_id for row in session.execute(query)}
    return {(one.kind, one.local_id) for one in taken if found.get((one.kind, one.local_id)) == one.remote_id}
