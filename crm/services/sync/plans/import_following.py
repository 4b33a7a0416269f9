"""Linked contacts in the plan of an import: what would follow their customer, shown first and done with the approval.

Drawn and done by the merge itself (`merge/enrich`), on trial and rolled back for the plan. A line is done as it was
shown, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.models import Contact, Customer, Link, Plan, PlanLine, TimelineEntry
from crm.queries.plans import FIELD
from crm.services.sync.imports import holding
from crm.services.sync.merge.enrich import again
from crm.services.sync.mirror import applying
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.mirror.stored import content_hash
from crm.services.sync.plans.import_drawing import PAGE, ImportBatch, changes_since
from crm.services.sync.work import Books

ACTION = "contact_update"
OTHERWISE = "It stands otherwise by now than the plan showed. It comes in when the customer is read next."
ACTIVITY = ("activated", "inactivated")


@dataclass(frozen=True, slots=True)
class Follows:
    """What a contact would take from its customer."""

    changes: Mapping[str, list[str]]
    """Shared field -> [old, new]."""
    reason: str


def number(session: Session, run_id: int) -> int:
    return session.scalar(select(func.count()).select_from(holding.contacts_of(run_id).subquery())) or 0


def make_page(session: Session, plan: Plan, books: Books, *, after: int, now: datetime) -> int | None:
    """Add the lines of the next contacts the run held; the last one looked at, None when all have been."""
    ids = holding.page_of(session, plan.scope.get("run_id", 0), after=after, limit=PAGE)
    found = follows(session, books, ids, now=now)
    customers = _customers(session, books, list(found))
    lines = [_line(plan, customers[id_], found[id_]) for id_ in sorted(found) if id_ in customers]
    counts = dict(plan.counts)
    for line in lines:
        for name in (ACTION, *(FIELD + field for field in line["changes"])):
            counts[name] = counts.get(name, 0) + 1
    plan.counts = counts
    plan.done += len(ids)
    if lines:
        session.execute(insert(table_of(PlanLine)), lines)
    return ids[-1] if len(ids) == PAGE else None


def follows(session: Session, books: Books, contact_ids: Sequence[int], *, now: datetime) -> dict[int, Follows]:
    """Contact -> what it would take; those without anything are left out. Nothing is kept."""
    session.flush()
    last = session.scalar(select(func.max(TimelineEntry.id))) or 0
    trial = session.begin_nested()
    try:
        again(session, contact_ids, books=books, now=now)
        session.flush()
        changes = changes_since(session, contact_ids, after=last)
        told = select(TimelineEntry.contact_id, TimelineEntry.summary).where(
            TimelineEntry.id > last, TimelineEntry.contact_id.in_(contact_ids), TimelineEntry.verb.in_(ACTIVITY)
        )
        reasons = {contact_id: summary for contact_id, summary in session.execute(told)}
    finally:
        trial.rollback()
    return {id_: Follows(changes.get(id_, {}), reasons.get(id_, "")) for id_ in {*changes, *reasons}}


def carry(session: Session, plan: Plan, books: Books, lines: Sequence[PlanLine], *, now: datetime) -> None:
    """These approved lines, each done as it was shown."""
    batch = ImportBatch(session, books, now, trigger="plan")
    applying.lock(batch)
    wanted = {line.id: (line.local_id, dict(line.changes), line.reason) for line in lines}
    found = follows(session, books, [local_id for local_id, _, _ in wanted.values()], now=now)
    same = {
        id_ for id_, (local_id, changes, reason) in wanted.items()
        if (one := found.get(local_id)) is not None and dict(one.changes) == changes and one.reason == reason
    }  # fmt: skip
    ids = [wanted[id_][0] for id_ in same]
    again(session, ids, books=books, now=now)
    read = _customers(session, books, ids).values()
    hashes = [{"id": row.id, "content_hash": content_hash(row.record)} for row in read]
    update_by_id(session, table_of(Customer), hashes)
    for line in lines:
        line.outcome, line.outcome_text = ("done", "") if line.id in same else ("nothing", OTHERWISE)


def _customers(session: Session, books: Books, contact_ids: Sequence[int]) -> dict[int, Any]:
    """Contact -> its customer, with the contact's name."""
    there = (Customer.connection_id == Link.connection_id) & (Customer.remote_id == Link.remote_id)
    query = (
        select(Link.local_id, Customer.id, Customer.remote_id, Customer.record, Customer.balance,
               Customer.balance_with_jobs, Contact.display_name)
        .join(Customer, there)
        .join(Contact, Contact.id == Link.local_id)
        .where(Link.connection_id == books.id, Link.kind == "customer", Link.local_id.in_(contact_ids))
    )  # fmt: skip
    return {row.local_id: row for row in session.execute(query)}


def _line(plan: Plan, row: Any, one: Follows) -> dict[str, Any]:
    return {
        "plan_id": plan.id, "kind": "customer", "local_id": row.local_id, "remote_id": row.remote_id,
        "name": row.display_name[:500], "action": ACTION, "changes": dict(one.changes), "reason": one.reason,
        "amount": row.balance if row.balance_with_jobs is None else row.balance_with_jobs, "fields": [], "outcome": "",
        "outcome_text": "", "before": None,
    }  # fmt: skip
