"""What an import would change here, line by line: its decisions are carried out on trial, read, and rolled back.

So a plan never shows anything else than what is done. Works on the customers that `importing` holds, 500 a page, at a
fixed number of statements each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain import shared_fields
from crm.domain.shared_fields import TITLES
from crm.models import Contact, Customer, Document, Match, Plan, PlanLine, TimelineEntry
from crm.queries.plans import FIELD
from crm.services.sync.imports import links
from crm.services.sync.mirror import applying, money
from crm.services.sync.plans import importing
from crm.services.sync.work import Batch, Books

PAGE = 500
ACTIONS = {"review": "contact_review", "ignored": "contact_ignore"}
BELONGS = "Belongs to “{}”: {}."
MAY_BE = "May be {}. With the approval it is proposed under Matches."


@dataclass(slots=True)
class ImportBatch(Batch):
    """A transaction in which decisions of an import are carried out after its run."""

    run: int | None = None
    told: dict[str, str] = field(default_factory=dict)
    """Remote id -> what the sync log would say of it."""

    @property
    def run_id(self) -> int | None:
        return self.run


@dataclass(slots=True)
class TrialBatch(ImportBatch):
    """The same on trial: nothing is noted in the sync log."""

    def log(self, event: str, message: str, *, level: str = "info", **more: Any) -> None:
        self.told[str(more.get("remote_id", ""))] = message


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a page, as it stood before it was rolled back."""

    states: Mapping[int, Any]
    """Customer id -> its row with match_state and contact_id."""
    names: Mapping[int, str]
    matches: Mapping[int, Sequence[Any]]
    """Customer id -> its link or proposals, best first."""
    changes: Mapping[int, dict[str, list[str]]]
    """Contact -> field -> [old, new]."""
    told: Mapping[str, str]


def make_page(session: Session, plan: Plan, books: Books, *, now: datetime) -> bool:
    """Add the lines of the next held customers; False when all have been looked at."""
    after = int(plan.cursor or 0)
    mine = (Customer.connection_id == books.id, Customer.match_state == importing.HELD, Customer.gone_at.is_(None))
    customers = session.execute(
        select(*links.NEEDED).where(*mine, Customer.id > after).order_by(Customer.id).limit(PAGE)
    ).all()
    if customers:
        tried = _try(session, books, customers, now)
        totals = lifetime(session, books.id, [row.remote_id for row in customers])
        _keep(session, plan, [_line(plan, row, tried, totals, books) for row in customers])
        plan.cursor = str(customers[-1].id)
    plan.done += len(customers)
    return len(customers) == PAGE


def _try(session: Session, books: Books, customers: Sequence[Any], now: datetime) -> Tried:
    session.flush()
    batch = TrialBatch(session, books, now, trigger="plan")
    applying.lock(batch)
    last = session.scalar(select(func.max(TimelineEntry.id))) or 0
    trial = session.begin_nested()
    try:
        links.carry_out(batch, customers)
        session.flush()
        return _read(session, [row.id for row in customers], batch.told, after=last)
    finally:
        trial.rollback()


def _read(session: Session, ids: Sequence[int], told: Mapping[str, str], *, after: int) -> Tried:
    columns = select(Customer.id, Customer.match_state, Customer.contact_id).where(Customer.id.in_(ids))
    states = {row.id: row for row in session.execute(columns)}
    matches: dict[int, list[Any]] = {}
    chosen = (Match.customer_id.in_(ids), Match.state.in_(("linked", "proposed")))
    wanted = select(Match.customer_id, Match.contact_id, Match.rule, Match.decided_by, Match.evidence).where(*chosen)
    for row in session.execute(wanted.order_by(Match.customer_id, Match.rank, Match.id)):
        matches.setdefault(row.customer_id, []).append(row)
    contacts = {row.contact_id for rows in matches.values() for row in rows}
    named = select(Contact.id, Contact.display_name).where(Contact.id.in_(contacts))
    changes = changes_since(session, contacts, after=after)
    return Tried(states, {id_: name for id_, name in session.execute(named)}, matches, changes, told)


def changes_since(session: Session, contact_ids: Collection[int], *, after: int) -> dict[int, dict[str, list[str]]]:
    """Contact -> shared field -> [old, new], as timelines tell it since this entry."""
    changes: dict[int, dict[str, list[str]]] = {}
    entries = select(TimelineEntry.contact_id, TimelineEntry.changes).where(
        TimelineEntry.id > after,
        TimelineEntry.contact_id.in_(contact_ids),
        TimelineEntry.verb.in_(("enriched", "changed")),
    )
    for contact_id, found in session.execute(entries.order_by(TimelineEntry.id)):
        for name, pair in found.items():
            _add(changes.setdefault(contact_id, {}), name, pair)
    return changes


def _add(changes: dict[str, list[str]], name: str, pair: Sequence[str]) -> None:
    """What the timeline calls "phone 2" or "city" belongs to the shared field "phone" or "address"."""
    shared = "address" if name in shared_fields.ADDRESS else name.rstrip("0123456789 ")
    known = changes.setdefault(shared, ["", ""])
    changes[shared] = [", ".join(text for text in both if text) for both in zip(known, pair, strict=True)]


def lifetime(session: Session, connection_id: int, remote_ids: Sequence[str]) -> dict[str, Decimal] | None:
    """Customer -> total sales of its tree as `domain/money` counts them; None before all documents were read once."""
    if money.documents_as_of(session, connection_id) is None:
        return None
    owner = (Customer.connection_id == Document.connection_id) & (Customer.remote_id == Document.customer_remote_id)
    sums = (
        select(Customer.root_remote_id, Document.kind, func.sum(Document.total))
        .join(Document, owner)
        .where(Customer.connection_id == connection_id, Customer.root_remote_id.in_(remote_ids),
               Document.kind.in_(("invoice", "credit_memo")), Document.void.is_(False), Document.gone_at.is_(None))
        .group_by(Customer.root_remote_id, Document.kind)
    )  # fmt: skip
    found = dict.fromkeys(remote_ids, Decimal(0))
    for remote_id, kind, total in session.execute(sums):
        found[remote_id] += total if kind == "invoice" else -total
    return found


# --- lines ----------------------------------------------------------------------------------------------------


def _line(plan: Plan, row: Any, tried: Tried, totals: Mapping[str, Decimal] | None, books: Books) -> dict[str, Any]:
    state, found = tried.states[row.id], tried.matches.get(row.id, ())
    action, contact_id, changes = ACTIONS.get(state.match_state, "contact_link"), 0, {}
    if action == "contact_ignore":
        reason = tried.told.get(row.remote_id, "")
    elif action == "contact_review":
        contact_id = found[0].contact_id
        reason = MAY_BE.format(" or ".join(f"“{tried.names[one.contact_id]}”" for one in found))
    elif found[0].rule == "created":
        action, reason = "contact_create", f"{found[0].evidence[0]['text'].rstrip('.').capitalize()}."
        theirs = shared_fields.read(row.record, books.region)
        changes = {name: ["", theirs.shown(name)] for name in TITLES if theirs.shown(name)}
    else:
        contact_id = state.contact_id
        reason = BELONGS.format(tried.names[contact_id], found[0].decided_by)
        changes = tried.changes.get(contact_id, {})
    return {
        "plan_id": plan.id, "kind": "customer", "local_id": contact_id, "remote_id": row.remote_id,
        "name": row.display_name[:500], "action": action, "changes": changes, "reason": reason,
        "amount": row.balance if row.balance_with_jobs is None else row.balance_with_jobs, "fields": [], "outcome": "",
        "outcome_text": "", "before": None if totals is None else {"lifetime": format(totals[row.remote_id], "f")},
    }  # fmt: skip


def _keep(session: Session, plan: Plan, lines: Sequence[dict[str, Any]]) -> None:
    counts, sums = dict(plan.counts), dict(plan.scope.get("lifetime", {}))
    for line in lines:
        action = line["action"]
        counts[action] = counts.get(action, 0) + 1
        for name in line["changes"] if action == "contact_link" else ():
            counts[FIELD + name] = counts.get(FIELD + name, 0) + 1
        if line["before"]:
            sums[action] = format(Decimal(sums.get(action, "0")) + Decimal(line["before"]["lifetime"]), "f")
    plan.counts, plan.scope = counts, {**plan.scope, "lifetime": sums}
    session.execute(insert(table_of(PlanLine)), list(lines))
