"""Carrying out the approved plan of an import: held customers are linked or become contacts, page by page.

Each line is looked at again first: what it showed is done, or nothing. A customer whose line no longer holds (its
contact was linked meanwhile, somebody here looks like it by now) stays held, and its line says why. The lines are the
checkpoint: one without an outcome is still to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from crm.domain.matching import Decision, Outcome
from crm.domain.plans import WITH_ANY_DECISION
from crm.models import Customer, Link, Plan, PlanLine, SyncRun
from crm.services.sync.imports import links, matching
from crm.services.sync.imports.matching import DRAFTS, MATCHES
from crm.services.sync.mirror import applying
from crm.services.sync.plans import import_following, importing
from crm.services.sync.plans.import_drawing import ImportBatch
from crm.services.sync.work import Books

PAGE = 500
ELSEWHERE = "It was decided about or deleted in QuickBooks since the plan was made."
TAKEN = "The contact was linked to another customer since the plan was made. The next import decides anew."
CHANGED = "One of the two was changed since, so that they no longer fit as planned. The next import decides anew."
SOMEBODY = "A contact here looks like it by now, so none was made. The next import decides anew."
SETTLED = "What it was like belongs to another customer by now. The next import decides anew."
OWES = "It is active or has an open balance by now. The next import decides anew."
DOUBTFUL = "It was doubtful by then: nothing was linked or made; it waits under Matches."
TOLD = {"review": "Proposed under Matches.", "ignored": "Kept in the mirror only.", "linked": ""}
EXPECTED = {
    "contact_link": "linked", "contact_create": "linked", "contact_review": "review", "contact_ignore": "ignored",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Again:
    """What stands now about the customers of a page."""

    rows: Mapping[str, Any]
    """Remote id -> row, of those still held."""
    drafts: Mapping[int, Sequence[Any]]
    decisions: Mapping[int, Decision]
    linked: frozenset[int]
    """Of the contacts in question, those that have a customer of this company."""
    doubtful: frozenset[int]


def page(session: Session, plan: Plan, books: Books, *, now: datetime) -> bool:
    """Do the next lines; False when every line that was approved, or is done with any approval, has been."""
    meant = or_(PlanLine.approved.is_(True), and_(PlanLine.action.in_(WITH_ANY_DECISION), PlanLine.approved.is_(None)))
    lines = list(session.scalars(
        select(PlanLine)
        .where(PlanLine.plan_id == plan.id, PlanLine.outcome == "", meant)
        .order_by(PlanLine.action != import_following.ACTION, PlanLine.id)
        .limit(PAGE)
        .execution_options(populate_existing=True)
    ))  # fmt: skip
    if not lines:
        return False
    if following := [line for line in lines if line.action == import_following.ACTION]:
        import_following.carry(session, plan, books, following, now=now)
        plan.done += len(following)
        return True
    run = session.scalar(select(SyncRun.id).where(SyncRun.id == plan.scope.get("run_id", 0)))
    batch = ImportBatch(session, books, now, trigger="plan", run=run)
    applying.lock(batch)
    again = _look(batch, lines)
    stays = {line.id: why for line in lines if (why := _why_not(line, again))}
    fit = [again.rows[line.remote_id] for line in lines if line.id not in stays]
    if fit:
        links.carry_out(batch, fit)
        applying.settle_trees(batch, [row.remote_id for row in fit])
    _tell(session, lines, stays, again)
    plan.done += sum(1 for line in lines if line.approved)
    return True


def _look(batch: ImportBatch, lines: Sequence[PlanLine]) -> Again:
    session = batch.session
    found = session.execute(select(*links.NEEDED).where(
        Customer.connection_id == batch.books.id, Customer.remote_id.in_([line.remote_id for line in lines]),
        Customer.match_state == importing.HELD, Customer.gone_at.is_(None),
    ))  # fmt: skip
    rows = {row.remote_id: row for row in found}
    drafts: dict[int, list[Any]] = {}
    mine = (MATCHES.c.customer_id.in_([row.id for row in rows.values()]), MATCHES.c.state.in_(DRAFTS))
    for draft in session.execute(select(MATCHES).where(*mine).order_by(MATCHES.c.customer_id, MATCHES.c.rank)):
        drafts.setdefault(draft.customer_id, []).append(draft)
    decisions = matching.decisions_about(session, batch.books, {row.id: row.record for row in rows.values()},
                                         settings=matching.settings_of(batch))  # fmt: skip
    contacts = {draft.contact_id for own in drafts.values() for draft in own}
    contacts |= {int(one.key) for decision in decisions.values() for one in decision.candidates}
    linked = select(Link.local_id).where(
        Link.connection_id == batch.books.id, Link.kind == "customer", Link.local_id.in_(contacts)
    )
    unsure = {id_: own for id_, own in drafts.items() if own[0].state == "draft"}
    settings = matching.settings_of(batch)
    doubtful = matching.still_doubtful(session, batch.books.id, unsure, settings=settings) if unsure else set()
    return Again(rows, drafts, decisions, frozenset(session.scalars(linked)), frozenset(doubtful))


def _why_not(line: PlanLine, again: Again) -> str:
    """Why nothing is done about the line now; empty where it stands as planned."""
    row = again.rows.get(line.remote_id)
    if row is None:
        return ELSEWHERE
    drafts, decision = again.drafts.get(row.id, ()), again.decisions[row.id]
    if line.action == "contact_link":
        target = next((one.contact_id for one in drafts if one.state == "draft_same"), None)
        if target is None or target in again.linked:
            return TAKEN
        return "" if decision.chosen == str(line.local_id) == str(target) else CHANGED
    if line.action == "contact_review":
        return "" if row.id in again.doubtful else SETTLED
    if line.action == "contact_ignore":
        return OWES if row.active or row.balance or row.balance_with_jobs else ""
    shown = {one.contact_id for one in drafts if one.state != "draft_apart"}
    alike = {int(one.key) for one in decision.candidates if one.outcome is not Outcome.APART}
    return SOMEBODY if alike - shown - again.linked else ""


def _tell(session: Session, lines: Sequence[PlanLine], stays: Mapping[int, str], again: Again) -> None:
    ids = [row.id for row in again.rows.values()]
    states = {row.remote_id: row for row in session.execute(
        select(Customer.remote_id, Customer.match_state, Customer.contact_id).where(Customer.id.in_(ids))
    )}  # fmt: skip
    for line in lines:
        if line.id in stays:
            line.outcome, line.outcome_text = "nothing", stays[line.id]
            continue
        row = states[line.remote_id]
        as_planned = row.match_state == EXPECTED[line.action]
        line.outcome = "done" if as_planned else "nothing"
        line.outcome_text = TOLD.get(row.match_state, "") if as_planned else DOUBTFUL
        line.local_id = row.contact_id or line.local_id
