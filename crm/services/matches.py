"""What a person decides about a doubtful match: it is the one, it is not, or it is somebody new; and undoing a link.

A customer of the books that waits has proposals (`matches` in state `proposed`). Decisions are kept: a rejected pair
is never proposed again by an import. Each leaves an audit entry, one on the contact's timeline, and one in the log of
decisions (`match_log`); `took_ms` is how long the card was shown before, None where it was not. Where somebody decided
meanwhile, `Changed` is raised and nothing happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from crm.db import db
from crm.domain.errors import Changed, NotFound, Refused
from crm.models import Contact, Customer, Link, Match
from crm.queries import households
from crm.services import audit, match_log, timeline
from crm.services.audit import Actor
from crm.services.sync import attach, detach, make_contact, refresh_link_states

DECIDED = "Somebody has decided about this customer meanwhile. The list shows what is left."


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a decision: the contact the customer is at now, if any, and a sentence."""

    contact_id: int | None
    text: str


def confirm(match_id: int, *, actor: Actor, now: datetime, took_ms: int | None = None) -> Result:
    """This contact is this customer: link them. The other proposals of the customer fall away."""
    session, match, customer = _open_proposal(match_id)
    contact = session.get(Contact, match.contact_id, with_for_update={"key_share": True}, populate_existing=True)
    if contact is None or contact.archived_at is not None:
        raise Changed("This contact was archived meanwhile. Restore it first, or make a new contact.")
    refuse_taken(session, contact, customer)
    match.state, match.rank, match.decided_by, match.decided_at = "linked", 0, actor.label, now
    rest = _other_contacts(session, customer, keep=match.id)
    session.execute(delete(Match).where(Match.customer_id == customer.id, Match.state == "proposed"))
    attach(session, customer, contact.id, actor=actor, now=now)
    refresh_link_states(session, rest, now=now)
    text = f"“{customer.display_name}” is linked to {contact.display_name}."
    _record("match_confirmed", customer, text, actor=actor, now=now, contact_id=contact.id)
    _log(match, customer, "same", actor=actor, now=now, took_ms=took_ms)
    return Result(contact.id, text)


def reject(match_id: int, *, actor: Actor, now: datetime, took_ms: int | None = None) -> Result:
    """These are two different people. When no proposal is left, the customer becomes a contact of its own."""
    session, match, customer = _open_proposal(match_id)
    contact_id = match.contact_id
    _reject(session, [match.id], actor=actor, now=now)
    timeline.add(contact_id, verb="kept_apart", actor=actor, now=now,
                 summary=f"Is not the QuickBooks customer “{customer.display_name}”.")  # fmt: skip
    text = f"“{customer.display_name}” is somebody else; this pair will not be proposed again."
    _record("match_rejected", customer, text, actor=actor, now=now, contact_id=contact_id)
    _log(match, customer, "apart", actor=actor, now=now, took_ms=took_ms)
    made = None
    if not _other_contacts(session, customer, keep=match.id):
        made = make_contact(session, customer, actor=actor, now=now)
        text = f"“{customer.display_name}” is somebody else. No other contact was in question, so it became a new one."
    refresh_link_states(session, [contact_id], now=now)
    return Result(made, text)


def make_new(customer_id: int, *, actor: Actor, now: datetime, took_ms: int | None = None) -> Result:
    """Nobody of ours: all proposals are rejected and the customer becomes a contact of its own."""
    session = db.session()
    customer = _waiting(session, customer_id)
    rest = _other_contacts(session, customer, keep=0)
    mine = (Match.customer_id == customer.id, Match.state == "proposed")
    proposed = session.execute(select(Match.id, Match.evidence).where(*mine).order_by(Match.rank, Match.id)).all()
    _reject(session, [row.id for row in proposed], actor=actor, now=now)
    made = make_contact(session, customer, actor=actor, now=now)
    refresh_link_states(session, rest, now=now)
    text = f"“{customer.display_name}” became a new contact."
    _record("match_new_contact", customer, text, actor=actor, now=now, contact_id=made)
    match_log.record(
        sort="match", one_id=customer.id, other_id=0, outcome="new", automatic=False, score=0, rule="",
        reasons=match_log.reasons_of(proposed[0].evidence) if proposed else (),
        names=f"“{customer.display_name}”", took_ms=took_ms, connection_id=customer.connection_id, actor=actor, now=now,
    )  # fmt: skip
    return Result(made, text)


def reconsider(match_id: int, *, actor: Actor, now: datetime) -> Result:
    """Take back a rejection: the pair waits for a decision again. Refused while the customer is linked."""
    session = db.session()
    match = session.get(Match, match_id, with_for_update=True, populate_existing=True)
    if match is None or match.state != "rejected":
        raise Changed(DECIDED)
    customer = session.get_one(Customer, match.customer_id, with_for_update=True, populate_existing=True)
    if customer.match_state == "linked":
        raise Refused(f"“{customer.display_name}” is linked to another contact by now. Unlink it there first.")
    if customer.match_state == "job":
        raise Refused(f"“{customer.display_name}” is a job of another customer by now; jobs belong to their parent.")
    match.state, match.decided_by, match.decided_at = "proposed", actor.label, now
    customer.match_state = "review"
    session.flush()
    refresh_link_states(session, [match.contact_id], now=now)
    text = f"“{customer.display_name}” waits for a decision again."
    _record("match_reopened", customer, text, actor=actor, now=now, contact_id=match.contact_id)
    _log(match, customer, "undone", actor=actor, now=now, corrects="apart")
    return Result(None, text)


def unlink(contact_id: int, *, actor: Actor, now: datetime) -> Result:
    """Let go of the contact's customer in every company. Both stay; money and documents leave the contact."""
    session = db.session()
    found = session.scalars(
        select(Customer)
        .join(Link, (Link.connection_id == Customer.connection_id) & (Link.remote_id == Customer.remote_id))
        .where(Link.kind == "customer", Link.local_id == contact_id)
        .with_for_update(of=Customer)
    ).all()
    if not found:
        raise Changed("This contact is not linked to a customer (any more).")
    for customer in found:
        made_by = select(Match).where(Match.customer_id == customer.id, Match.contact_id == contact_id)
        match = session.scalar(made_by.execution_options(populate_existing=True))
        if match is not None:
            _log(match, customer, "unlinked", actor=actor, now=now, corrects="same")
        detach(session, customer, contact_id, actor=actor, now=now)
        text = f"“{customer.display_name}” was unlinked."
        _record("match_unlinked", customer, text, actor=actor, now=now, contact_id=contact_id)
    return Result(contact_id, "Unlinked. The next import decides anew about the customer; this pair is left out.")


def refuse_taken(session: Session, contact: Contact, customer: Customer) -> None:
    """A contact has one customer in a company, and a member of a household none of its own."""
    other = session.scalar(
        select(Customer.display_name)
        .join(Link, (Link.connection_id == Customer.connection_id) & (Link.remote_id == Customer.remote_id))
        .where(Link.connection_id == customer.connection_id, Link.kind == "customer", Link.local_id == contact.id)
    )
    if other is not None:
        raise Refused(
            f"{contact.display_name} is already linked to the customer “{other}”. A contact has one customer in a"
            " company: unlink it there first, or make a new contact for this one."
        )
    payer = session.get(Contact, households.payer(contact.id))
    if payer is not None and payer is not contact:
        raise Refused(f"{contact.display_name} belongs to {payer.display_name}, whose customer pays for both. Take it"
                      " out of that household first, or make it the bill-to there.")  # fmt: skip


def _open_proposal(match_id: int) -> tuple[Session, Match, Customer]:
    session = db.session()
    match = session.get(Match, match_id, populate_existing=True)
    if match is None:
        raise Changed(DECIDED)
    customer = _waiting(session, match.customer_id)
    session.refresh(match)
    if match.state != "proposed":
        raise Changed(DECIDED)
    return session, match, customer


def _waiting(session: Session, customer_id: int) -> Customer:
    """The customer, locked, if it still waits for a person."""
    customer = session.get(Customer, customer_id, with_for_update=True, populate_existing=True)
    if customer is None:
        raise NotFound("There is no such customer.")
    if customer.match_state != "review":
        raise Changed(DECIDED)
    return customer


def _reject(session: Session, match_ids: list[int], *, actor: Actor, now: datetime) -> None:
    session.execute(
        update(Match).where(Match.id.in_(match_ids)).values(state="rejected", decided_by=actor.label, decided_at=now)
    )


def _other_contacts(session: Session, customer: Customer, *, keep: int) -> list[int]:
    proposed = (Match.customer_id == customer.id, Match.state == "proposed", Match.id != keep)
    return list(session.scalars(select(Match.contact_id).where(*proposed)))


def _record(action: str, customer: Customer, text: str, *, actor: Actor, now: datetime, contact_id: int) -> None:
    audit.record(
        action, actor=actor, now=now, subject=f"contact:{contact_id}", summary=text,
        details={"customer": customer.remote_id, "connection": customer.connection_id},
    )  # fmt: skip


def _log(
    match: Match,
    customer: Customer,
    outcome: str,
    *,
    actor: Actor,
    now: datetime,
    took_ms: int | None = None,
    corrects: str = "",
) -> None:
    """`corrects`: outcome of the pair's earlier decision that this one takes back."""
    taken_back = match_log.standing("match", customer.id, match.contact_id, (corrects,)) if corrects else None
    match_log.record(
        sort="match", one_id=customer.id, other_id=match.contact_id, outcome=outcome, automatic=False,
        score=match.score, rule=match.rule, reasons=match_log.reasons_of(match.evidence),
        names=match_log.pair_names(customer.display_name, match.contact.display_name), took_ms=took_ms,
        corrects=taken_back, connection_id=customer.connection_id, actor=actor, now=now,
    )  # fmt: skip
