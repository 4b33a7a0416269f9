"""Decisions of the match desk taken back: a link undone, a merge parted, a household left, a pair open again.

Asked by the desk for the last decision of a person, and by the list of decisions for any that stands. Afterwards the
question waits again, with what the rules say of it now. What was decided later about the same records comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from crm.db import db
from crm.domain.errors import Changed, NotFound, Refused
from crm.models import Contact, ContactMerge, Customer, HouseholdMember, Match, MatchDecision
from crm.queries import match_log as queries
from crm.queries.match_parts import Key
from crm.services import audit, contact_merges, contacts, duplicates, households, match_log
from crm.services.audit import Actor
from crm.services.sync import detach, propose_again, refresh_link_states

OVER = "This decision was taken back already, or another one followed. The list shows what stands."


def undo(decision_id: int, *, actor: Actor, now: datetime) -> tuple[Key | None, str]:
    """Answers the question that is open again, and a sentence.

    Raises NotFound, Changed, and Refused with the way out.
    """
    decision = db.session.get(MatchDecision, decision_id, with_for_update=True, populate_existing=True)
    if decision is None:
        raise NotFound("There is no such decision.")
    if decision.automatic or decision.outcome not in queries.UNDOABLE or not queries.stands(db.session(), decision):
        raise Changed(OVER)
    if decision.sort == "match":
        return Key("match", decision.one_id), _match(decision, actor=actor, now=now)
    if decision.rule == households.RULE:
        text = _part_household(decision, actor=actor, now=now)
        return queries.question_of(db.session(), decision), text
    key = queries.question_of(db.session(), decision)
    if decision.sort == "contact" and decision.outcome == "same":
        return key, _part(decision, actor=actor, now=now)
    if key is None:
        raise Changed("This pair is not there any more: one of the two is gone.")
    return key, duplicates.reopen(key.id, actor=actor, now=now).text


def _part(decision: MatchDecision, *, actor: Actor, now: datetime) -> str:
    one, other = decision.one_id, decision.other_id
    both = or_(
        and_(ContactMerge.survivor_id == one, ContactMerge.absorbed_id == other),
        and_(ContactMerge.survivor_id == other, ContactMerge.absorbed_id == one),
    )
    query = select(ContactMerge.id).where(both, ContactMerge.undone_at.is_(None)).order_by(ContactMerge.id.desc())
    merge_id = db.session.scalar(query.limit(1))
    if merge_id is None:
        raise Changed(OVER)
    return contact_merges.unmerge(merge_id, actor=actor, now=now).text


def _part_household(decision: MatchDecision, *, actor: Actor, now: datetime) -> str:
    """The pair is in question again, as it is where somebody left on the contact's page already."""
    pair = (decision.one_id, decision.other_id)
    both = (HouseholdMember.contact_id.in_(pair), HouseholdMember.bill_to_id.in_(pair))
    text = _leave(both, actor=actor, now=now) or f"{decision.names} were parted already."
    match_log.record(
        sort="contact", one_id=decision.one_id, other_id=decision.other_id, outcome="undone", automatic=False,
        score=decision.score, rule=decision.rule, reasons=decision.reasons, names=decision.names,
        corrects=decision.id, actor=actor, now=now,
    )  # fmt: skip
    return text


def _leave(which: Sequence[ColumnElement[bool]], *, actor: Actor, now: datetime) -> str:
    """These members leave their household; empty where there are none."""
    found = db.session.scalars(select(HouseholdMember.contact_id).where(*which)).all()
    return " ".join(households.leave(contact_id, actor=actor, now=now).text for contact_id in found)


def _match(decision: MatchDecision, *, actor: Actor, now: datetime) -> str:
    """The customer waits again: its link goes, and so does the contact that the decision made."""
    session = db.session()
    customer = session.get(Customer, decision.one_id, with_for_update=True, populate_existing=True)
    if customer is None:
        raise NotFound("There is no such customer.")
    if customer.match_state == "job":
        raise Refused(f"“{customer.display_name}” is a job of another customer by now; jobs belong to their parent.")
    at, contact_id = customer.contact_id, decision.other_id
    if customer.match_state == "linked" and at is not None:
        _let_go(session, customer, at, decision, actor=actor, now=now)
    mine = (Match.customer_id == customer.id, Match.state == "rejected")
    which = Match.decided_at == decision.at if decision.outcome == "new" else Match.contact_id == contact_id
    back = update(Match).where(*mine, which)
    session.execute(back.values(state="proposed", decided_by=actor.label, decided_at=now))
    propose_again(session, customer, now=now)
    waiting = select(Match.contact_id).where(Match.customer_id == customer.id, Match.state == "proposed")
    refresh_link_states(session, [*session.scalars(waiting)], now=now)
    text = f"“{customer.display_name}” waits for a decision again."
    audit.record("match_reopened", actor=actor, now=now, subject=f"customer:{customer.id}", summary=text,
                 details={"decision": decision.id, "connection": customer.connection_id})  # fmt: skip
    match_log.record(
        sort="match", one_id=customer.id, other_id=contact_id, outcome="undone", automatic=False, score=decision.score,
        rule=decision.rule, reasons=decision.reasons, names=decision.names, corrects=decision.id,
        connection_id=customer.connection_id, actor=actor, now=now,
    )  # fmt: skip
    return text


def _let_go(
    session: Session, customer: Customer, contact_id: int, decision: MatchDecision, *, actor: Actor, now: datetime
) -> None:
    contact = session.get_one(Contact, contact_id)
    made = decision.outcome != "same" and contact.created_at == decision.at
    if not made and contact_id != decision.other_id:
        raise Refused(f"“{customer.display_name}” is linked to “{contact.display_name}” by now. Unlink it there first.")
    detach(session, customer, contact_id, actor=actor, now=now)
    if made:
        joined = (HouseholdMember.bill_to_id == contact_id, HouseholdMember.added_at == decision.at)
        _leave(joined, actor=actor, now=now)
        contacts.archive(contact_id, actor=actor, now=now)
