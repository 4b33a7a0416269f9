"""What was written to the books, with how each record stood before and how we left it: what an undo starts from.

Of a plan its lines know, of a single entry the entry itself, or the mirror where nothing was written since.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain.plans import DIFFERENCES, WRITES
from crm.models import OutboxEntry, Plan, PlanLine
from crm.services.sync.plans.kinds import Deed, planned

PAGE = 500


def deeds(
    session: Session, plan: Plan, *, after: int = 0, kind: str = "", local_ids: Sequence[int] | None = None
) -> tuple[list[Deed], int]:
    """The next page of what the plan takes back, or all of these objects of a kind; and the last line looked at."""
    if "entry_id" in plan.scope:
        entry = session.get(OutboxEntry, plan.scope["entry_id"])
        return ([_deed_of(session, entry)] if entry is not None and not after else []), 1
    query = select(PlanLine).where(
        PlanLine.plan_id == plan.scope["plan_id"], PlanLine.outcome == "done", PlanLine.action.in_(WRITES)
    )
    if local_ids is None:
        query = query.where(PlanLine.id > after).limit(PAGE)
    else:
        query = query.where(PlanLine.kind == kind, PlanLine.local_id.in_(local_ids))
    lines = list(session.scalars(query.order_by(PlanLine.id)))
    entries = _entries(session, [line.id for line in lines])
    written = [line for line in lines if line.action not in DIFFERENCES or line.id in entries]
    return [_deed(line, entries.get(line.id)) for line in written], lines[-1].id if lines else after


def _entries(session: Session, line_ids: Sequence[int]) -> dict[int, OutboxEntry]:
    query = select(OutboxEntry).where(OutboxEntry.plan_line_id.in_(line_ids), OutboxEntry.state == "done")
    found = session.scalars(query.order_by(OutboxEntry.id))
    return {entry.plan_line_id: entry for entry in found if entry.plan_line_id}


def _deed(line: PlanLine, entry: OutboxEntry | None) -> Deed:
    before = entry.before if entry is not None else line.before
    remote_id = (entry.remote_id if entry is not None else "") or line.remote_id
    operation = entry.operation if entry is not None else line.action
    return Deed(line.local_id, operation, remote_id, before, line.after, line.kind)


def _deed_of(session: Session, entry: OutboxEntry) -> Deed:
    """One entry. How we left the record is known where nothing was written to it since, here or there."""
    line = session.get(PlanLine, entry.plan_line_id) if entry.plan_line_id else None
    after = line.after if line is not None and line.outcome == "done" else _left(session, entry)
    return Deed(entry.local_id, entry.operation, entry.remote_id, entry.before, after, entry.kind)


def _left(session: Session, entry: OutboxEntry) -> dict[str, Any] | None:
    newer = select(OutboxEntry.id).where(
        OutboxEntry.connection_id == entry.connection_id, OutboxEntry.kind == entry.kind,
        OutboxEntry.local_id == entry.local_id, OutboxEntry.state == "done", OutboxEntry.id > entry.id,
    )  # fmt: skip
    if session.scalar(newer.limit(1)):
        return None
    return planned(entry.kind).left_as(session, entry)
