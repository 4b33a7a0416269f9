"""A household, or a company with several people: one contact is billed, the others belong to its customer.

Pages, the match desk and programs call this inside `transaction()`. A member has no customer of its own and is nobody's
candidate (`sync/imports/matching`) nor its bill-to's double (`services/duplicates`); what is written for it goes to the
bill-to's customer (`queries/households.payers`). Every change is told on both timelines and in the audit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from crm.db import db
from crm.domain.errors import Changed, NotFound, Refused
from crm.models import Contact, Customer, Duplicate, HouseholdMember, Link, Match, OutboxEntry, OutboxNeed
from crm.queries import households
from crm.services import audit, duplicates, match_linking, match_log, matches, timeline
from crm.services.audit import Actor
from crm.services.contact_merge_checks import refuse_merged
from crm.services.sync import detach
from crm.services.sync.outbox.outbox import OPEN

RULE = "household"
"""As the log names the decision that two contacts are of one household."""
NO_MEMBER = "This contact belongs to nobody (any more)."


@dataclass(frozen=True, slots=True)
class Result:
    """The bill-to, and what came of it in a sentence."""

    bill_to_id: int
    text: str


def join(contact_id: int, bill_to_id: int, *, actor: Actor, now: datetime) -> Result:
    """`contact_id` belongs to `bill_to_id` from here on. Raises NotFound, Changed, and Refused with the way out."""
    session = db.session()
    contact, bill_to = _both(session, contact_id, bill_to_id)
    _refuse_join(session, contact, bill_to)
    session.add(HouseholdMember(contact_id=contact.id, bill_to_id=bill_to.id, added_by=actor.label[:254], added_at=now))
    session.flush()
    duplicates.note_contacts([contact.id], now=now)
    text = f"{contact.display_name} belongs to {bill_to.display_name}, whose customer pays for both."
    _tell("household_joined", contact, bill_to, text, actor=actor, now=now)
    return Result(bill_to.id, text)


def join_by_match(match_id: int, *, actor: Actor, now: datetime, took_ms: int | None = None) -> Result:
    """The proposed contact is a relative or colleague of the customer that waits: the customer becomes a contact of its
    own, and the proposed one belongs to it. Raises as `join` and `matches.make_new`."""
    session = db.session()
    match = session.get(Match, match_id, populate_existing=True)
    if match is None or match.state != "proposed":
        raise Changed(matches.DECIDED)
    contact_id, customer_id = match.contact_id, match.customer_id
    made = matches.make_new(customer_id, actor=actor, now=now, took_ms=took_ms).contact_id
    assert made is not None
    return join(contact_id, made, actor=actor, now=now)


def join_by_pair(
    one_id: int, other_id: int, *, bill_to_id: int, actor: Actor, now: datetime, took_ms: int | None = None
) -> Result:
    """Two contacts that were taken for one are two people of one household; logged as kept apart."""
    if bill_to_id not in (one_id, other_id):
        raise Refused("Choose which of the two is billed.")
    member = other_id if bill_to_id == one_id else one_id
    evidence, score = _evidence(one_id, other_id)
    result = join(member, bill_to_id, actor=actor, now=now)
    both = select(Contact.id, Contact.display_name).where(Contact.id.in_((one_id, other_id)))
    names = {id_: name for id_, name in db.session.execute(both)}
    match_log.record(
        sort="contact", one_id=one_id, other_id=other_id, outcome="apart", automatic=False, score=score, rule=RULE,
        reasons=match_log.reasons_of(evidence), names=match_log.pair_names(names[one_id], names[other_id]),
        took_ms=took_ms, actor=actor, now=now,
    )  # fmt: skip
    return result


def _evidence(one_id: int, other_id: int) -> tuple[Sequence[Mapping[str, Any]], int]:
    """What spoke for their being one, while the pair stands: two people had it in common, so learning counts it."""
    one, other = sorted((one_id, other_id))
    mine = (Duplicate.sort == "contact", Duplicate.one_id == one, Duplicate.other_id == other)
    row = db.session.execute(select(Duplicate.evidence, Duplicate.score).where(*mine)).first()
    return (row.evidence, row.score) if row is not None else ((), 0)


def leave(contact_id: int, *, actor: Actor, now: datetime) -> Result:
    """A contact of its own again. What was written for it stays where it is."""
    session = db.session()
    row = _member(session, contact_id)
    contact, bill_to = _both(session, contact_id, row.bill_to_id, archived=True)
    _refuse_waiting(session, contact)
    session.delete(row)
    session.flush()
    duplicates.note_contacts([contact.id], now=now)
    text = f"{contact.display_name} belongs to {bill_to.display_name} no longer."
    _tell("household_left", contact, bill_to, text, actor=actor, now=now)
    return Result(bill_to.id, text)


def make_bill_to(contact_id: int, *, actor: Actor, now: datetime) -> Result:
    """A member becomes the one that is billed: the link to the customer moves to it, and so do documents and money.

    Nothing changes in QuickBooks by that; `match_linking.change_of` says what is filled here. The old bill-to becomes
    a member. Raises NotFound, Changed, and Refused with the way out.
    """
    session = db.session()
    row = _member(session, contact_id)
    query = _customers(row.bill_to_id).with_for_update(of=Customer)
    customers = session.scalars(query.execution_options(populate_existing=True)).all()
    contact, old = _both(session, contact_id, row.bill_to_id)
    _refuse_waiting(session, old)
    session.delete(row)
    theirs = HouseholdMember.bill_to_id == old.id
    session.flush()
    session.execute(update(HouseholdMember).where(theirs).values(bill_to_id=contact.id))
    session.add(HouseholdMember(contact_id=old.id, bill_to_id=contact.id, added_by=actor.label[:254], added_at=now))
    session.flush()
    for customer in customers:
        detach(session, customer, old.id, actor=actor, now=now)
        match_linking.link(contact.id, customer.id, actor=actor, now=now)
    duplicates.note_contacts([contact.id, old.id], now=now)
    text = f"{contact.display_name} is billed from now on; {old.display_name} belongs to it."
    _tell("household_bill_to", old, contact, text, actor=actor, now=now)
    return Result(contact.id, text)


def customers_of(bill_to_id: int) -> list[Customer]:
    """Those a bill-to is linked to: what moves with `make_bill_to`."""
    return list(db.session.scalars(_customers(bill_to_id)))


def _customers(contact_id: int) -> Select[Customer]:
    same = (Customer.connection_id == Link.connection_id) & (Customer.remote_id == Link.remote_id)
    mine = (Link.kind == "customer", Link.local_id == contact_id)
    return select(Customer).join(Link, same).where(*mine).order_by(Customer.id)


def _both(session: Session, one_id: int, other_id: int, *, archived: bool = False) -> tuple[Contact, Contact]:
    """Both, locked in the order of their ids."""
    query = select(Contact).where(Contact.id.in_((one_id, other_id))).order_by(Contact.id)
    found = {one.id: one for one in session.scalars(
        query.with_for_update(key_share=True).execution_options(populate_existing=True)
    )}  # fmt: skip
    if one_id not in found or other_id not in found:
        raise NotFound("There is no such contact.")
    for contact in found.values():
        refuse_merged(contact)
        if contact.archived_at is not None and not archived:
            raise Refused(f"{contact.display_name} is archived. Restore it first.")
    return found[one_id], found[other_id]


def _member(session: Session, contact_id: int) -> HouseholdMember:
    row = session.get(HouseholdMember, contact_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise Changed(NO_MEMBER)
    return row


def _refuse_join(session: Session, contact: Contact, bill_to: Contact) -> None:
    name, payer = contact.display_name, bill_to.display_name
    if contact.id == bill_to.id:
        raise Refused("A contact cannot belong to itself. Choose who is billed for it.")
    above, own = (session.get(HouseholdMember, one.id, populate_existing=True) for one in (bill_to, contact))
    if above is not None:
        top = above.bill_to.display_name
        raise Refused(f"{payer} belongs to {top} itself. Choose {top}, who is billed for all of them.")
    if own is not None:
        raise Refused(f"{name} belongs to {own.bill_to.display_name} already. Take it out there first.")
    if households.bills_others(contact.id):
        raise Refused(f"Others are billed to {name}. Make somebody else the bill-to there first, or add {payer} to"
                      f" {name} instead.")  # fmt: skip
    linked = session.scalar(_customers(contact.id).limit(1))
    if linked is not None:
        raise Refused(f"{name} has the QuickBooks customer “{linked.display_name}” of its own. Unlink it first, or add"
                      f" {payer} to {name} instead.")  # fmt: skip
    mine = (Match.contact_id == contact.id, Match.state == "proposed", Customer.match_state == "review")
    waits = session.scalar(select(Customer.display_name).join(Match, Match.customer_id == Customer.id).where(*mine))
    if waits is not None:
        raise Refused(f"{name} is in question for the QuickBooks customer “{waits}”. Decide that under Matches first.")
    _refuse_waiting(session, contact)


def _refuse_waiting(session: Session, contact: Contact) -> None:
    """Something of this contact is on its way to the books, or waits for it to be there."""
    waiting = select(OutboxEntry.id).where(OutboxEntry.kind == "customer", OutboxEntry.local_id == contact.id)
    needing = select(OutboxEntry.id).join(OutboxNeed, OutboxNeed.entry_id == OutboxEntry.id).where(
        OutboxNeed.kind == "customer", OutboxNeed.local_id == contact.id
    )  # fmt: skip
    if any(session.scalar(query.where(OutboxEntry.state.in_(OPEN)).limit(1)) for query in (waiting, needing)):
        raise Refused(f"Something of {contact.display_name} waits to be sent to QuickBooks. Once it has arrived, or was"
                      " given up in the outbox, try again.")  # fmt: skip


def _tell(action: str, contact: Contact, bill_to: Contact, text: str, *, actor: Actor, now: datetime) -> None:
    for one in (contact, bill_to):
        timeline.add(one.id, verb=action, summary=text, actor=actor, now=now)
    audit.record(action, actor=actor, now=now, subject=f"contact:{contact.id}", summary=text,
                 details={"bill_to": bill_to.id})  # fmt: skip
