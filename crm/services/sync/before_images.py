"""What was written to the books, with how each record stood before and how we left it: what an undo starts from.

Of a plan its lines know, of a single entry the entry itself, or the mirror where nothing was written since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain.plans import WRITES
from crm.models import Customer, Link, OutboxEntry, Plan, PlanLine

PAGE = 500


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was written: what is taken back."""

    local_id: int
    operation: str
    remote_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    """The record as we left it; None where nobody kept it."""



def deeds(
    session: Session, plan: Plan, *, after: int = 0, local_ids: Sequence[int] | None = None
) -> tuple[list[Deed], int]:
    """The next page of what the plan takes back, or all of these objects; and the last line looked at."""
    if "entry_id" in plan.scope:
        entry = session.get(OutboxEntry, plan.scope["entry_id"])
        return ([_deed_of(session, entry)] if entry is not None and not after else []), 1
    query = select(PlanLine).where(
        PlanLine.plan_id == plan.scope["plan_id"], PlanLine.outcome == "done", PlanLine.action.in_(WRITES)
    )
    if local_ids is None:
        query = query.where(PlanLine.id > after).limit(PAGE)
    else:
        query = query.where(PlanLine.local_id.in_(local_ids))
    lines = list(session.scalars(query.order_by(PlanLine.id)))
    entries = _entries(session, [line.id for line in lines])
    return [_deed(line, entries.get(line.id)) for line in lines], lines[-1].id if lines else after


def _entries(session: Session, line_ids: Sequence[int]) -> dict[int, OutboxEntry]:
    query = select(OutboxEntry).where(OutboxEntry.plan_line_id.in_(line_ids), OutboxEntry.state == "done")
    found = session.scalars(query.order_by(OutboxEntry.id))
    return {entry.plan_line_id: entry for entry in found if entry.plan_line_id}


def _deed(line: PlanLine, entry: OutboxEntry | None) -> Deed:
    before = entry.before if entry is not None else line.before
    remote_id = (entry.remote_id if entry is not None else "") or line.remote_id
    return Deed(line.local_id, line.action, remote_id, before, line.after)


def _deed_of(session: Session, entry: OutboxEntry) -> Deed:
    """One entry. How we left the record is known where nothing was written to it since, here or there."""
    line = session.get(PlanLine, entry.plan_line_id) if entry.plan_line_id else None
    after = line.after if line is not None and line.outcome == "done" else _left(session, entry)
    return Deed(entry.local_id, entry.operation, entry.remote_id, entry.before, after)


def _left(session: Session, entry: OutboxEntry) -> dict[str, Any] | None:
    newer = select(OutboxEntry.id).where(
        OutboxEntry.connection_id == entry.connection_id, OutboxEntry.kind == entry.kind,
        OutboxEntry.local_id == entry.local_id, OutboxEntry.state == "done", OutboxEntry.id > entry.id,
    )  # fmt: skip
    if session.scalar(newer.limit(1)):
        return None
    found = session.execute(
        select(Customer.record, Customer.content_hash, Link.written_hash)
        .join(Link, (Link.connection_id == Customer.connection_id) & (Link.remote_id == Customer.remote_id))
        .where(Customer.connection_id == entry.connection_id, Link.kind == "customer",
               Customer.remote_id == entry.remote_id)
    ).first()  # fmt: skip
    return dict(found.record) if found is not None and found.content_hash == found.written_hash else None
