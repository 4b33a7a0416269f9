"""What the approval of a plan leaves out, kept in the transaction of the approval: whatever comes next finds it there.

Two marks, each set for all lines by a few statements, however many there are:

- `links.left`: field -> when a plan was approved without it. Nobody sends it before it is edited again.
- entries of the outbox that waited while the connection was read-only are kept back (`skipped`) when the plan opens it,
  so that nothing leaves but by a line that was approved:

| the entry's object | its entry |
|---|---|
| has an approved line | `HELD` until the line is carried out, which looks at it again and takes it up |
| has a line that was not approved | `LEFT_HERE` |
| has none, and was changed after the plan was asked for | `NOT_SHOWN` |
| has none, and stands as it did then | goes on waiting: there was nothing to write, or it is parked with its reason |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, String, cast, func, literal, literal_column, or_, select, true, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from crm.db import changed
from crm.domain.plans import HELD, HERE, KEPT_BACK, LEFT_HERE, NOT_SHOWN, WRITES
from crm.models import Connection, Link, OutboxEntry, Plan, PlanLine
from crm.services.sync.plans.kinds import kinds

EMPTY = "{}"


def leave(session: Session, plan: Plan, connection: Connection, fields: Sequence[str], *, now: datetime) -> None:
    """After the lines were marked: the others are left, and of updates all but `fields`, where there are any."""
    lines = (PlanLine.plan_id == plan.id, PlanLine.action.in_(WRITES))
    changed(update(PlanLine).where(*lines, PlanLine.approved.is_not(True)).values(approved=False, outcome="left"))
    if plan.purpose in HERE:
        return  # nothing of it goes out
    if plan.purpose != "undo":
        for kind in kinds():
            _remember(session, plan, kind, fields, now)
    if connection.read_only:
        _keep_back(session, plan, now)


def take_up(session: Session, connection_id: int, kind: str, local_ids: Sequence[int]) -> None:
    """Their entries wait no longer for a plan; those that a person skipped stay skipped."""
    changed(
        update(OutboxEntry)
        .where(OutboxEntry.connection_id == connection_id, OutboxEntry.kind == kind,
               OutboxEntry.local_id.in_(local_ids), OutboxEntry.state == "skipped",
               OutboxEntry.error.startswith(KEPT_BACK, autoescape=True))
        .values(state="pending", error="")
    )  # fmt: skip


def let_go(plan: Plan, *, now: datetime) -> None:
    """The plan was stopped: what it still held is left."""
    held = (OutboxEntry.connection_id == plan.connection_id, OutboxEntry.error == HELD.format(plan.id))
    values = {"error": LEFT_HERE.format(plan.id), "updated_at": now}
    changed(update(OutboxEntry).where(*held, OutboxEntry.state == "skipped").values(values))


# --- fields ---------------------------------------------------------------------------------------------------


def _remember(session: Session, plan: Plan, kind: str, fields: Sequence[str], now: datetime) -> None:
    """Each link of an update remembers the fields it was approved without, and those alone.

    The objects are made once and joined: asked link by link, the database may walk all lines for each of them.
    """
    updates = (PlanLine.plan_id == plan.id, PlanLine.kind == kind, PlanLine.action == "update")
    mine = (Link.connection_id == plan.connection_id, Link.kind == kind)
    some = (cast(Link.left, String) != EMPTY, Link.local_id.in_(select(PlanLine.local_id).where(*updates)))
    changed(update(Link).where(*mine, *some).values(left={}))
    each = func.json_each(PlanLine.changes).table_valued("key", name="each")
    left_out = PlanLine.approved.is_(False)
    unchosen = or_(left_out, each.c.key.not_in(fields)) if fields else left_out
    at = cast(literal(now.isoformat()), String)
    left = (
        select(PlanLine.local_id, _object_of(session, each.c.key, at).label("fields"))
        .select_from(PlanLine)
        .join(each, true())
        .where(*updates, unchosen)
        .group_by(PlanLine.local_id)
        .cte("unapproved")
    )
    changed(update(Link).where(*mine, Link.local_id == left.c.local_id).values(left=left.c.fields))


def _object_of(session: Session, key: Any, value: Any) -> ColumnElement[Any]:
    """The aggregate that makes a JSON object of these pairs."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    return func.json_group_object(key, value) if sqlite else func.json_object_agg(key, value)


# --- entries --------------------------------------------------------------------------------------------------


def _keep_back(session: Session, plan: Plan, now: datetime) -> None:
    """Each statement takes of what still waits; the order is that of the table above."""
    whole = {"options": _sent_whole(session)}
    shown = (PlanLine.plan_id == plan.id, PlanLine.action.in_(WRITES))
    for kind in kinds():
        lines = select(PlanLine.local_id).where(*shown, PlanLine.kind == kind)
        mine, approved, left = OutboxEntry.kind == kind, PlanLine.approved.is_(True), PlanLine.approved.is_(False)
        _skip(plan, HELD, mine & OutboxEntry.local_id.in_(lines.where(approved)), {}, now)
        _skip(plan, LEFT_HERE, mine & OutboxEntry.local_id.in_(lines.where(left)), whole, now)
    unseen = or_(OutboxEntry.kind.not_in(kinds()), OutboxEntry.updated_at >= plan.created_at)
    _skip(plan, NOT_SHOWN, unseen, whole, now)


def _skip(plan: Plan, text: str, which: Any, more: Mapping[str, Any], now: datetime) -> None:
    waiting = (OutboxEntry.connection_id == plan.connection_id, OutboxEntry.state == "pending", which)
    values = {"state": "skipped", "error": text.format(plan.id), "updated_at": now, **more}
    changed(update(OutboxEntry).where(*waiting).values(values))


def _sent_whole(session: Session) -> ColumnElement[Any]:
    """The entry's options with nothing left out: whoever takes it up in the outbox means all of it."""
    if session.get_bind().dialect.name == "sqlite":
        return func.json_set(OutboxEntry.options, "$.left", func.json(EMPTY))
    options = cast(OutboxEntry.options, JSONB)
    return cast(options.op("||")(cast(literal_column("'{\"left\": {}}'"), JSONB)), JSON)
