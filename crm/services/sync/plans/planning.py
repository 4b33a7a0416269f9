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

from sqlalchemy import func, insert, or_, select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain.errors import Invalid
from crm.domain.plans import STAYS
from crm.models import Contact, Link, Plan, PlanLine
from crm.queries.plans import FIELD
from crm.services.sync import settings
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.plans import differences, drawing
from crm.services.sync.plans.drawing import draw
from crm.services.sync.plans.kinds import Drawn, kinds, planned
from crm.services.sync.work import Books, books_of

__all__ = ["Drawn", "draw", "make_page", "renamed"]

PAGE = 500
LINES = table_of(PlanLine)
TOLD = ("create", "update", "skip", "refuse")
"""Actions that get a line of their own; `link` and `other` are only counted."""


def make_page(session: Session, plan: Plan, books: Books, *, now: datetime) -> bool:
    """Add the lines of the next objects; False when all have been looked at. The cursor is `part:id`."""
    chosen = plan.scope.get("contact_ids")
    parts = _parts(session, plan) if chosen is None else [("customer", select(Contact.id))]
    if not plan.cursor:
        plan.total = _total(session, parts) if chosen is None else len(chosen)
        plan.counts = _also(session, plan) if chosen is None else {}
    place, _, after = (plan.cursor or "0:0").partition(":")
    kind, query = parts[int(place)]
    ids = _next(session, query, int(after)) if chosen is None else [id_ for id_ in chosen if id_ > int(after)][:PAGE]
    drawn = draw(session, books, kind, ids, chosen=chosen is not None, now=now)
    found = [drawn[id_] for id_ in ids if id_ in drawn]
    _keep(session, plan, found)
    if plan.purpose == "first":
        differences.add(session, plan, books, kind, found)
    plan.done += len(ids)
    if len(ids) == PAGE:
        plan.cursor = f"{place}:{ids[-1]}"
    elif int(place) + 1 < len(parts):
        plan.cursor = f"{int(place) + 1}:0"
    else:
        _mark_twins(session, plan)
        return False
    return True


def _parts(session: Session, plan: Plan) -> list[tuple[str, Any]]:
    """(kind, ids of objects) that the plan is about, one after the other: linked ones, and those that may be chosen."""
    out: list[tuple[str, Any]] = []
    for kind in going_out(session, plan.connection_id):
        out.append((kind, select(Link.local_id).where(Link.connection_id == plan.connection_id, Link.kind == kind)))
        if (offered := planned(kind).offered(plan.connection_id)) is not None:
            out.append((kind, offered))
    return out


def _total(session: Session, parts: Sequence[tuple[str, Any]]) -> int:
    return sum(session.scalar(select(func.count()).select_from(query.subquery())) or 0 for _, query in parts)


def _next(session: Session, query: Any, after: int) -> list[int]:
    [column] = query.selected_columns
    return list(session.scalars(query.where(column > after).order_by(column).limit(PAGE)))


def going_out(session: Session, connection_id: int) -> list[str]:
    """Customers always, since a plan opens the books for them; of the others those that the settings let out."""
    return [kind for kind in kinds() if kind == "customer" or settings.current(session, connection_id, kind).allows_out]


def _also(session: Session, plan: Plan) -> dict[str, int]:
    """Objects the plan is not about: leads and the like never leave by themselves."""
    number = sum(planned(kind).others(session, plan.connection_id) for kind in kinds())
    return {"others": number} if number else {}


def _mark_twins(session: Session, plan: Plan) -> None:
    """Of several contacts of one name only the first may be created: QuickBooks lets no two share a name.

    Once, over all lines: looked for page by page, it would take longer with every page.
    """
    new = (PlanLine.plan_id == plan.id, PlanLine.kind == "customer", PlanLine.remote_id == "",
           or_(PlanLine.action == "create", PlanLine.reason == STAYS))  # fmt: skip
    taken: set[str] = set()
    twins: dict[str, list[int]] = {}
    for id_, name, action in session.execute(select(PlanLine.id, PlanLine.name, PlanLine.action).where(*new)
                                             .order_by(PlanLine.id)):  # fmt: skip
        if name.casefold() in taken:
            twins.setdefault(action, []).append(id_)
        taken.add(name.casefold())
    counts = dict(plan.counts)
    for action, ids in twins.items():
        refused = "refuse" if action == "create" else "skip"
        rows = [{"id": id_, "action": refused, "reason": drawing.TWIN} for id_ in ids]
        update_by_id(session, LINES, rows)
        counts[action] -= len(ids)
        counts[refused] = counts.get(refused, 0) + len(ids)
    plan.counts = {name: number for name, number in counts.items() if number}


def _keep(session: Session, plan: Plan, found: Sequence[Drawn]) -> None:
    counts, agreeing = dict(plan.counts), Decimal(plan.scope.get("agreeing", "0"))
    linked = dict(plan.scope.get("linked", {}))
    for one in found:
        counts[one.action] = counts.get(one.action, 0) + 1
        if one.action == "update":
            for name in one.changes:
                counts[FIELD + name] = counts.get(FIELD + name, 0) + 1
        if one.action == "link":
            linked[one.kind] = linked.get(one.kind, 0) + 1
            agreeing += (one.amount or 0) if one.kind == "customer" else 0  # a document's total is no open balance
    plan.counts = counts
    plan.scope = {**plan.scope, "agreeing": format(agreeing, "f"), "linked": linked}
    rows = [row_of(plan, one) for one in found if one.action in TOLD]
    if rows:
        session.execute(insert(LINES), rows)


def row_of(plan: Plan, one: Drawn) -> dict[str, Any]:
    return {
        "plan_id": plan.id, "kind": one.kind, "local_id": one.local_id, "remote_id": one.remote_id,
        "name": one.name[:500], "action": one.action, "changes": dict(one.changes), "reason": one.reason,
        "amount": one.amount, "fields": [], "outcome": "", "outcome_text": "", "before": one.before,
    }  # fmt: skip


def renamed(session: Session, plan: Plan, line: PlanLine, name: str, *, now: datetime) -> Drawn:
    """The line as the creation of this contact under another name. Raises Invalid where that name cannot be used."""
    books = books_of(plan.connection)
    names = {line.local_id: name}
    drawn = draw(session, books, line.kind, [line.local_id], chosen=True, now=now, names=names).get(line.local_id)
    if drawn is None or drawn.action != "create":
        raise Invalid({"name": drawn.reason if drawn else "The contact is gone."})
    other = select(PlanLine.id).where(
        PlanLine.plan_id == plan.id, PlanLine.id != line.id, PlanLine.action == "create",
        func.lower(PlanLine.name) == name.lower(),
    )  # fmt: skip
    if session.scalar(other.limit(1)):
        raise Invalid({"name": f"Another contact of this plan is created as “{name}”. Choose another name."})
    return replace(drawn, changes={**drawn.changes, "display_name": ["", name]})
