"""Making a plan: contacts page by page, and a line for each that would be written, skipped for a reason, or refused.

What agrees already is only counted, so that a plan of 100,000 linked contacts stays short. Made from the mirror alone;
`drawing` says what would become of a contact, for plans and for carrying them out alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import exists, func, insert, select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain.errors import Invalid
from crm.domain.plans import STAYS
from crm.models import Contact, Link, Plan, PlanLine
from crm.queries.plans import FIELD
from crm.services.sync import drawing
from crm.services.sync.drawing import Drawn, draw
from crm.services.sync.work import Books, books_of

__all__ = ["Drawn", "draw", "make_page", "renamed"]

PAGE = 500
LINES = table_of(PlanLine)
TOLD = ("create", "update", "skip", "refuse")
"""Actions that get a line of their own; `link` and `other` are only counted."""
PARTS = ("linked", "unlinked")


def make_page(session: Session, plan: Plan, books: Books, *, now: datetime) -> bool:
    """Add the lines of the next contacts; False when all have been looked at. The cursor is `part:id`."""
    if not plan.cursor:
        plan.total = _total(session, plan)
        plan.counts = _also(session, plan)
    part, _, after = (plan.cursor or "0:0").partition(":")
    chosen = plan.scope.get("contact_ids")
    ids = _next(session, plan, int(part), int(after))
    drawn = draw(session, books, ids, chosen=chosen is not None, now=now)
    found = _twins(session, plan, [drawn[id_] for id_ in ids if id_ in drawn])
    _keep(session, plan, found)
    plan.done += len(ids)
    if len(ids) == PAGE:
        plan.cursor = f"{part}:{ids[-1]}"
    elif chosen is None and int(part) + 1 < len(PARTS):
        plan.cursor = f"{int(part) + 1}:0"
    else:
        return False
    return True


def _linked(plan: Plan) -> Any:
    return select(Link.local_id).where(Link.connection_id == plan.connection_id, Link.kind == "customer")


def _unlinked(plan: Plan) -> Any:
    """Contacts of type customer that these books do not know: a person may choose them."""
    known = exists().where(
        Link.connection_id == plan.connection_id, Link.kind == "customer", Link.local_id == Contact.id
    )
    return select(Contact.id).where(Contact.type == "customer", Contact.archived_at.is_(None), ~known)


def _next(session: Session, plan: Plan, part: int, after: int) -> list[int]:
    if (chosen := plan.scope.get("contact_ids")) is not None:
        return [id_ for id_ in chosen if id_ > after][:PAGE]
    if PARTS[part] == "linked":
        query = _linked(plan).where(Link.local_id > after).order_by(Link.local_id)
    else:
        query = _unlinked(plan).where(Contact.id > after).order_by(Contact.id)
    return list(session.scalars(query.limit(PAGE)))


def _total(session: Session, plan: Plan) -> int:
    if (chosen := plan.scope.get("contact_ids")) is not None:
        return len(chosen)
    parts = (_linked(plan), _unlinked(plan))
    return sum(session.scalar(select(func.count()).select_from(part.subquery())) or 0 for part in parts)


def _also(session: Session, plan: Plan) -> dict[str, int]:
    """Contacts the plan is not about: leads and the like never leave by themselves."""
    if plan.scope.get("contact_ids") is not None:
        return {}
    known = exists().where(
        Link.connection_id == plan.connection_id, Link.kind == "customer", Link.local_id == Contact.id
    )
    others = select(func.count()).where(Contact.type != "customer", Contact.archived_at.is_(None), ~known)
    number = session.scalar(others) or 0
    return {"others": number} if number else {}


def _twins(session: Session, plan: Plan, found: Sequence[Drawn]) -> list[Drawn]:
    """Of several contacts of one name only the first may be created: QuickBooks lets no two share a name."""
    new = [one for one in found if not one.remote_id and (one.action == "create" or one.reason == STAYS)]
    lower = {one.name.lower() for one in new} | {one.name.casefold() for one in new}
    before = select(PlanLine.name).where(
        PlanLine.plan_id == plan.id, PlanLine.remote_id == "", func.lower(PlanLine.name).in_(lower)
    )
    taken = {name.casefold() for name in session.scalars(before)} if new else set()
    out = []
    for one in found:
        if one in new:
            if one.name.casefold() in taken:
                one = drawing.twin(one)
            taken.add(one.name.casefold())
        out.append(one)
    return out


def _keep(session: Session, plan: Plan, found: Sequence[Drawn]) -> None:
    counts, agreeing = dict(plan.counts), Decimal(plan.scope.get("agreeing", "0"))
    for one in found:
        counts[one.action] = counts.get(one.action, 0) + 1
        if one.action == "update":
            for name in one.changes:
                counts[FIELD + name] = counts.get(FIELD + name, 0) + 1
        if one.action == "link":
            agreeing += one.amount or 0
    plan.counts = counts
    plan.scope = {**plan.scope, "agreeing": format(agreeing, "f")}
    rows = [row_of(plan, one) for one in found if one.action in TOLD]
    if rows:
        session.execute(insert(LINES), rows)


def row_of(plan: Plan, one: Drawn) -> dict[str, Any]:
    return {
        "plan_id": plan.id, "kind": "customer", "local_id": one.local_id, "remote_id": one.remote_id,
        "name": one.name[:500], "action": one.action, "changes": dict(one.changes), "reason": one.reason,
        "amount": one.amount, "fields": [], "outcome": "", "outcome_text": "", "before": one.before,
    }  # fmt: skip


def renamed(session: Session, plan: Plan, line: PlanLine, name: str, *, now: datetime) -> Drawn:
    """The line as the creation of this contact under another name. Raises Invalid where that name cannot be used."""
    books = books_of(plan.connection)
    drawn = draw(session, books, [line.local_id], chosen=True, now=now, names={line.local_id: name}).get(line.local_id)
    if drawn is None or drawn.action != "create":
        raise Invalid({"name": drawn.reason if drawn else "The contact is gone."})
    other = select(PlanLine.id).where(
        PlanLine.plan_id == plan.id, PlanLine.id != line.id, PlanLine.action == "create",
        func.lower(PlanLine.name) == name.lower(),
    )  # fmt: skip
    if session.scalar(other.limit(1)):
        raise Invalid({"name": f"Another contact of this plan is created as “{name}”. Choose another name."})
    return replace(drawn, changes={**drawn.changes, "display_name": ["", name]})
