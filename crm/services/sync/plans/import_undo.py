"""Taking an import back here: shown as a plan first, like everything that is undone. Nothing is written to the books.

| the import | taken back by | stays where |
|---|---|---|
| made a contact | the contact is archived, its link let go | somebody touched the contact since |
| linked a contact | the link is let go, what it filled emptied again | only the fields that were changed since |
| either | | documents or payments made here hang on it, or a change of it goes to QuickBooks |

The customers are held (`importing`): imports by schedule pass them over, the next one a person asks for decides anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain.shared_fields import ADDRESS, TITLES
from crm.models import (
    Contact,
    Customer,
    Link,
    Match,
    OutboxEntry,
    Plan,
    PlanLine,
    Receipt,
    SalesDocument,
    TimelineEntry,
)
from crm.queries.plans import FIELD
from crm.services import contacts, duplicates, timeline
from crm.services.audit import Actor
from crm.services.contact_parts import loaded, settle_texts
from crm.services.sync.imports import images, links
from crm.services.sync.imports.images import Image
from crm.services.sync.merge import conflicts
from crm.services.sync.mirror import applying
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.plans import importing
from crm.services.sync.plans.import_drawing import ImportBatch
from crm.services.sync.work import Books

PAGE = 500
MADE = "It was made by this import, and nobody has touched it since."
UNLINKED = "The import linked it to this customer: {}."
NOT_KEPT = "What it filled was not recorded, or its record was pruned with the log: empty it by hand where needed."
CHANGED = "Left, changed since: {}."
TOUCHED = "It was changed here since, so contact and link stay. Unlink or archive it on its page, where you mean it."
HANGS = (
    "Quotes, invoices or payments made here hang on it, so contact and link stay. Void or delete those first, or "
    "unlink it on its page."
)
WRITTEN = "A change of it went to QuickBooks since, or waits to. Undo that in the outbox, or unlink it on its page."
GONE = "The contact or the link is gone by now."
ONGOING = ("pending", "frozen", "parked", "skipped", "done")


@dataclass(frozen=True, slots=True)
class Known:
    """What stands now about a page of links."""

    contacts: Mapping[int, Contact]
    customers: Mapping[str, Any]
    made: frozenset[int]
    """Contacts that the import made."""
    images: Mapping[int, Image]
    filled: frozenset[int]
    """Contacts of which the timeline says that something was filled."""
    touched: frozenset[int]
    written: frozenset[int]
    hangs: frozenset[int]


@dataclass(frozen=True, slots=True)
class Taken:
    """What taking back one link would do."""

    action: str
    """`contact_unlink`, `contact_archive` or `skip`."""
    reason: str
    values: tuple[str, ...] = ()
    """Columns to be emptied."""
    lines: tuple[tuple[str, str], ...] = ()
    changes: Mapping[str, list[str]] | None = None


def links_of(connection_id: int, run_id: int) -> Any:
    """The links of contacts that this run made and that still stand."""
    mine = (Link.connection_id == connection_id, Link.kind == "customer", Link.run_id == run_id)
    return select(Link.id, Link.local_id, Link.remote_id, Link.linked_by).where(*mine).order_by(Link.id)


def make_page(session: Session, plan: Plan, books: Books, *, now: datetime) -> bool:
    """Add the lines of the next links; False when all have been looked at."""
    run_id, after = plan.scope["run_id"], int(plan.cursor or 0)
    query = links_of(books.id, run_id)
    if not plan.cursor:
        plan.total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    rows = session.execute(query.where(Link.id > after).limit(PAGE)).all()
    known = _look(session, books, run_id, rows)
    lines = [_line(plan, row, _taken(row, known), known) for row in rows]
    counts = dict(plan.counts)
    for line in lines:
        for name in (line["action"], *(FIELD + name for name in line["changes"])):
            counts[name] = counts.get(name, 0) + 1
    plan.counts = counts
    plan.done += len(rows)
    if lines:
        session.execute(insert(table_of(PlanLine)), lines)
        plan.cursor = str(rows[-1].id)
    return len(rows) == PAGE


def page(session: Session, plan: Plan, books: Books, *, actor: Actor, now: datetime) -> bool:
    """Do the next approved lines; False when all have an outcome. Each is looked at again, and done as shown or not."""
    lines = list(session.scalars(
        select(PlanLine).where(PlanLine.plan_id == plan.id, PlanLine.outcome == "", PlanLine.approved.is_(True))
        .order_by(PlanLine.id).limit(PAGE).execution_options(populate_existing=True)
    ))  # fmt: skip
    if not lines:
        return False
    run_id = plan.scope["run_id"]
    batch = ImportBatch(session, books, now, trigger="undo")
    applying.lock(batch)
    query = links_of(books.id, run_id).where(Link.remote_id.in_([line.remote_id for line in lines]))
    rows = {row.remote_id: row for row in session.execute(query)}
    known = _look(session, books, run_id, list(rows.values()))
    fit: list[tuple[Any, Taken]] = []
    for line in lines:
        row = rows.get(line.remote_id)
        taken = _taken(row, known) if row is not None and row.local_id == line.local_id else Taken("skip", GONE)
        if taken.action != line.action:
            line.outcome, line.outcome_text = "nothing", taken.reason
        else:
            line.outcome, line.outcome_text = "done", taken.reason if taken.reason != line.reason else ""
            fit.append((row, taken))
    _take_back(batch, fit, known, plan, actor)
    plan.done += len(lines)
    return True


# --- what it would do -----------------------------------------------------------------------------------------


def _look(session: Session, books: Books, run_id: int, rows: Sequence[Any]) -> Known:
    ids, remote_ids = [row.local_id for row in rows], [row.remote_id for row in rows]
    columns = (Customer.id, Customer.remote_id, Customer.display_name, Customer.balance, Customer.balance_with_jobs)
    there = select(*columns).where(Customer.connection_id == books.id, Customer.remote_id.in_(remote_ids))
    made = select(Match.contact_id).where(
        Match.contact_id.in_(ids), Match.run_id == run_id, Match.rule == "created", Match.state == "linked"
    )
    entries = (TimelineEntry.contact_id.in_(ids),)
    told = select(TimelineEntry.contact_id).where(*entries, TimelineEntry.source != "quickbooks").distinct()
    filled = select(TimelineEntry.contact_id).where(*entries, TimelineEntry.verb == "enriched").distinct()
    asked = select(OutboxEntry.local_id).where(
        OutboxEntry.connection_id == books.id, OutboxEntry.kind == "customer", OutboxEntry.local_id.in_(ids),
        OutboxEntry.state.in_(ONGOING),
    )  # fmt: skip
    documents = select(SalesDocument.contact_id).where(
        SalesDocument.contact_id.in_(ids), SalesDocument.source != "quickbooks", SalesDocument.gone_at.is_(None)
    )
    paid = select(Receipt.contact_id).where(Receipt.contact_id.in_(ids), Receipt.gone_at.is_(None))
    return Known(
        loaded(ids), {row.remote_id: row for row in session.execute(there)}, frozenset(session.scalars(made)),
        images.of_run(session, run_id, ids), frozenset(session.scalars(filled)), frozenset(session.scalars(told)),
        frozenset(session.scalars(asked)),
        frozenset(id_ for query in (documents, paid) for id_ in session.scalars(query) if id_),
    )  # fmt: skip


def _taken(row: Any, known: Known) -> Taken:
    contact = known.contacts.get(row.local_id)
    if contact is None or row.remote_id not in known.customers:
        return Taken("skip", GONE)
    if contact.id in known.hangs:
        return Taken("skip", HANGS)
    if contact.id in known.written:
        return Taken("skip", WRITTEN)
    if contact.id in known.made:
        return Taken("skip", TOUCHED) if contact.id in known.touched else Taken("contact_archive", MADE)
    image, reason = known.images.get(contact.id), UNLINKED.format(row.linked_by)
    if image is None:
        return Taken("contact_unlink", f"{reason} {NOT_KEPT}" if contact.id in known.filled else reason)
    return _emptied(contact, image, reason)


def _emptied(contact: Contact, image: Image, reason: str) -> Taken:
    values = tuple(name for name, text in image.values.items() if getattr(contact, name) == text)
    have = {(point.kind, point.value) for point in contact.points}
    lines = tuple(line for line in image.lines if line in have)
    changes: dict[str, list[str]] = {}
    for name, text in (*((name, image.values[name]) for name in values), *lines):
        shared = "address" if name in ADDRESS else name
        changes[shared] = [", ".join(part for part in (changes.get(shared, [""])[0], text) if part), ""]
    left = [name for name in image.values if name not in values]
    left += [line[0] for line in image.lines if line not in lines]
    if left:
        names = dict.fromkeys("address" if name in ADDRESS else name for name in left)
        reason = f"{reason} {CHANGED.format(', '.join(TITLES.get(name, name) for name in names))}"
    return Taken("contact_unlink", reason, values, lines, changes)


def _line(plan: Plan, row: Any, taken: Taken, known: Known) -> dict[str, Any]:
    contact, customer = known.contacts.get(row.local_id), known.customers.get(row.remote_id)
    amount = None
    if customer is not None:
        amount = customer.balance if customer.balance_with_jobs is None else customer.balance_with_jobs
    name = contact.display_name if contact is not None else customer.display_name if customer is not None else ""
    return {
        "plan_id": plan.id, "kind": "customer", "local_id": row.local_id, "remote_id": row.remote_id,
        "name": name[:500], "action": taken.action, "changes": dict(taken.changes or {}), "reason": taken.reason,
        "amount": amount, "fields": [], "outcome": "", "outcome_text": "", "before": None,
    }  # fmt: skip


# --- done -----------------------------------------------------------------------------------------------------


def _take_back(batch: ImportBatch, fit: Sequence[tuple[Any, Taken]], known: Known, plan: Plan, actor: Actor) -> None:
    """Links, contacts, jobs, documents and figures in agreement, as if the import had passed these over."""
    if not fit:
        return
    session, now = batch.session, batch.now
    ids, remote_ids = [row.local_id for row, _ in fit], [row.remote_id for row, _ in fit]
    for row, taken in fit:
        _empty(known.contacts[row.local_id], taken, now)
    session.flush()
    here = [known.customers[row.remote_id].id for row, _ in fit]
    session.execute(delete(Link).where(Link.id.in_([row.id for row, _ in fit])))
    matched = (Match.customer_id.in_(here), Match.contact_id.in_(ids), Match.state == "linked")
    session.execute(delete(Match).where(*matched))
    held = [{"id": id_, "match_state": importing.HELD, "contact_id": None} for id_ in here]
    update_by_id(session, table_of(Customer), held)
    conflicts.settle(session, batch.books.id, "customer", ids, now=now)
    timeline.add_many([
        timeline.row(row.local_id, verb="unlinked", actor=actor, now=now, changes=taken.changes,
                     summary=f"Import taken back by plan {plan.id}: no longer linked to its QuickBooks customer.")
        for row, taken in fit
    ])  # fmt: skip
    contacts.archive_many([row.local_id for row, taken in fit if taken.action == "contact_archive"], actor=actor,
                          now=now)  # fmt: skip
    applying.settle_trees(batch, remote_ids, ids)
    links.refresh_link_states(session, ids, now=now)
    links.touch(session, ids, now=now)
    duplicates.note_contacts(ids, now=now)


def _empty(contact: Contact, taken: Taken, now: datetime) -> None:
    if not taken.values and not taken.lines:
        return
    for name in taken.values:
        setattr(contact, name, "")
    contact.points = [point for point in contact.points if (point.kind, point.value) not in taken.lines]
    settle_texts(contact)
    contact.updated_at = now
