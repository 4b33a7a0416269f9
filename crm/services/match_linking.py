"""A contact linked to a customer of the books by hand: whom one may choose, what linking would change, and doing it.

The pages of a contact ask `search`, `change_of` and `leaving_of` before, and `link` inside `transaction()`. It leaves
the same as a confirmed match: link, evidence, timeline, audit and a line of the log of decisions. Whatever stands in
the way is refused with the way out. Letting go is `matches.unlink`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.orm import Session

from crm.db import db
from crm.domain import shared_fields
from crm.domain.errors import Changed, NotFound, Refused
from crm.domain.identity import email_key, phone_key, read_emails, read_phones
from crm.domain.matching import Outcome
from crm.domain.phones import region_of
from crm.domain.shared_fields import TITLES
from crm.models import Connection, Contact, Customer, Document, Link, Match, MoneyFacts, Payment
from crm.services import audit, contacts, customer_candidates, match_log, matches
from crm.services.audit import Actor
from crm.services.customer_candidates import Candidate
from crm.services.identity_keys import KEYS
from crm.services.matches import Result, refuse_taken
from crm.services.sync import attach, refresh_link_states

MOST = 20
RULE = "by_hand"


@dataclass(frozen=True, slots=True)
class Change:
    """One field, before and after linking. `state`: `filled`, `added`, `differs` (both stay) or `same`."""

    title: str
    ours: str
    theirs: str
    state: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What hangs on a customer: it comes with a link, and leaves with it."""

    documents: int
    payments: int
    jobs: int


def company() -> Connection | None:
    """The company whose customers one may choose from: the one that is connected."""
    query = select(Connection).where(Connection.state != "disconnected").order_by(Connection.id)
    return db.session.scalar(query.limit(1))


def search(text: str, connection_id: int) -> list[Candidate]:
    """Customers that fit what was typed: their name, phone, e-mail, number in QuickBooks or a document's number."""
    typed = " ".join(text.split())
    if not typed:
        return []
    mine = (Customer.connection_id == connection_id, Customer.parent_remote_id.is_(None), Customer.gone_at.is_(None))
    words = (func.lower(Customer.display_name).contains(word, autoescape=True) for word in typed.lower().split())
    owners = select(KEYS.c.owner_id).where(KEYS.c.owner_kind == "customer", KEYS.c.key.in_(_keys(typed, connection_id)))
    there = (Document.connection_id == connection_id, Document.number == typed, Document.gone_at.is_(None))
    roots = select(Customer.root_remote_id).join(Document, Document.customer_remote_id == Customer.remote_id).where(
        Customer.connection_id == connection_id, *there
    )  # fmt: skip
    named = db.session.scalars(
        select(Customer)
        .where(*mine, or_(
            Customer.id.in_(owners), Customer.remote_id == typed, Customer.remote_id.in_(roots), and_(*words),
        ))
        .order_by(Customer.active.desc(), func.lower(Customer.display_name), Customer.id)
        .limit(MOST)
    ).all()  # fmt: skip
    return customer_candidates.with_contacts(named)


def change_of(contact_id: int, customer_id: int) -> tuple[list[Change], Standing]:
    """What linking would change here, field by field, and what would come with it. Nothing changes in QuickBooks."""
    contact, customer = contacts.find(contact_id), customer_of(customer_id)
    region = _region(customer.connection_id)
    theirs = shared_fields.read(customer.record, region)
    lines = shared_fields.lines_here(contact, contact.points, region)
    merged = shared_fields.compare({}, contact, lines, theirs)
    rows = []
    for name, title in TITLES.items():
        ours, other = shared_fields.shown_here(name, merged.here[name], contact, lines), theirs.shown(name)
        if ours or other:
            taken = "added" if name in shared_fields.LINE_FIELDS else "filled"
            state = "same" if name in merged.agreed else taken if name in merged.taken else "differs"
            rows.append(Change(title, ours, other, state))
    return rows, standing(customer)


def leaving_of(contact_id: int) -> tuple[list[Customer], Standing, MoneyFacts | None]:
    """The contact's customers, and what leaves it with them. Raises NotFound."""
    contacts.find(contact_id)
    query = select(Customer).where(Customer.contact_id == contact_id, Customer.match_state == "linked")
    found = list(db.session.scalars(query.order_by(Customer.id)))
    parts = [standing(one) for one in found]
    sums = Standing(*(sum(getattr(part, name) for part in parts) for name in ("documents", "payments", "jobs")))
    return found, sums, db.session.get(MoneyFacts, contact_id)


def link(contact_id: int, customer_id: int, *, actor: Actor, now: datetime) -> Result:
    """This contact is this customer. Raises NotFound, Changed, and Refused with the way out."""
    session = db.session()
    customer = customer_of(customer_id, lock=True)
    contact = session.get(Contact, contact_id, with_for_update={"key_share": True}, populate_existing=True)
    if contact is None:
        raise NotFound("There is no such contact.")
    if contact.archived_at is not None:
        raise Changed("This contact is archived. Restore it first.")
    refuse_taken(session, contact, customer)
    _refuse_customer(session, customer)
    match = _match(session, contact, customer, actor=actor, now=now)
    match.state, match.rank, match.decided_by, match.decided_at = "linked", 0, actor.label[:254], now
    session.flush()
    waits = (Match.customer_id == customer.id, Match.state == "proposed", Match.id != match.id)
    rest = list(session.scalars(select(Match.contact_id).where(*waits)))
    session.execute(delete(Match).where(*waits))
    attach(session, customer, contact.id, actor=actor, now=now)
    refresh_link_states(session, rest, now=now)
    text = f"“{customer.display_name}” is linked to {contact.display_name}."
    audit.record("match_linked", actor=actor, now=now, subject=f"contact:{contact.id}", summary=text,
                 details={"customer": customer.remote_id, "connection": customer.connection_id})  # fmt: skip
    match_log.record(
        sort="match", one_id=customer.id, other_id=contact.id, outcome="same", automatic=False, score=match.score,
        rule=match.rule, reasons=match_log.reasons_of(match.evidence), connection_id=customer.connection_id,
        names=match_log.pair_names(customer.display_name, contact.display_name), actor=actor, now=now,
        corrects=match_log.standing("match", customer.id, contact.id, ("apart", "unlinked")),
    )  # fmt: skip
    return Result(contact.id, text)


def keep_apart(contact_id: int, customer_id: int, *, actor: Actor, now: datetime) -> Result:
    """This contact is not this customer: never proposed again. Raises NotFound, and Refused where they are linked."""
    session = db.session()
    customer, contact = customer_of(customer_id, lock=True), contacts.find(contact_id)
    if customer.contact_id == contact_id:
        raise Refused("They are linked. Unlink them instead; then the pair counts as different.")
    match = _match(session, contact, customer, actor=actor, now=now)
    if match.state == "proposed":
        return matches.reject(match.id, actor=actor, now=now)
    match.state, match.decided_by, match.decided_at = "rejected", actor.label[:254], now
    session.flush()
    refresh_link_states(session, [contact_id], now=now)
    text = f"{contact.display_name} is not the QuickBooks customer “{customer.display_name}”."
    audit.record("match_rejected", actor=actor, now=now, subject=f"contact:{contact.id}", summary=text,
                 details={"customer": customer.remote_id, "connection": customer.connection_id})  # fmt: skip
    match_log.record(
        sort="match", one_id=customer.id, other_id=contact.id, outcome="apart", automatic=False, score=match.score,
        rule=match.rule, reasons=match_log.reasons_of(match.evidence), connection_id=customer.connection_id,
        names=match_log.pair_names(customer.display_name, contact.display_name), actor=actor, now=now,
    )  # fmt: skip
    return Result(None, text)


def customer_of(customer_id: int, *, lock: bool = False) -> Customer:
    """Raises NotFound."""
    found = db.session.get(Customer, customer_id, with_for_update=lock or None, populate_existing=True)
    if found is None:
        raise NotFound("There is no such customer.")
    return found


def standing(customer: Customer) -> Standing:
    """Of the whole tree of a customer."""
    tree = select(Customer.remote_id).where(
        Customer.connection_id == customer.connection_id, Customer.root_remote_id == customer.remote_id
    )
    numbers = []
    for model in (Document, Payment):
        theirs = (model.connection_id == customer.connection_id, model.gone_at.is_(None),
                  or_(model.customer_remote_id.in_(tree), model.customer_remote_id == customer.remote_id))  # fmt: skip
        numbers.append(db.session.scalar(select(func.count(model.id)).where(*theirs)) or 0)
    jobs = tree.where(Customer.id != customer.id, Customer.gone_at.is_(None)).with_only_columns(func.count())
    return Standing(numbers[0], numbers[1], db.session.scalar(jobs) or 0)


def _refuse_customer(session: Session, customer: Customer) -> None:
    name = f"“{customer.display_name}”"
    if customer.gone_at is not None:
        raise Refused(f"{name} was deleted or merged in QuickBooks. Choose another customer.")
    if customer.match_state == "job" or customer.parent_remote_id is not None:
        raise Refused(f"{name} is a job of another customer; jobs belong to their parent. Link that one.")
    if customer.match_state == "planned":
        raise Refused(f"{name} waits in the plan of an import. Approve or discard that plan first.")
    same = (Link.connection_id == customer.connection_id, Link.kind == "customer",
            Link.remote_id == customer.remote_id)  # fmt: skip
    other = session.scalar(select(Contact.display_name).join(Link, Link.local_id == Contact.id).where(*same))
    if other is not None:
        raise Refused(f"{name} is linked to the contact “{other}” already. Unlink it there first; or, if both contacts"
                      " are one person, merge them.")  # fmt: skip


def _match(session: Session, contact: Contact, customer: Customer, *, actor: Actor, now: datetime) -> Match:
    """The pair's row with the evidence as it stands now; a new one is for the caller to decide about."""
    mine = (Match.customer_id == customer.id, Match.contact_id == contact.id)
    match: Match | None = session.scalar(select(Match).where(*mine).execution_options(populate_existing=True))
    if match is None:
        match = Match(connection_id=customer.connection_id, customer_id=customer.id, contact_id=contact.id,
                      state="rejected", decided_by=actor.label[:254], decided_at=now)  # fmt: skip
        session.add(match)
    scored = customer_candidates.judged(contact.id, customer)
    match.score, match.rule = scored.score if scored else 0, RULE
    if scored is not None and scored.outcome is not Outcome.APART:
        match.rule = scored.rule
    found = scored.evidence if scored else ()
    match.evidence = [{"reason": one.reason, "text": one.text, "points": one.points} for one in found]
    session.flush()
    return match


def _keys(typed: str, connection_id: int) -> list[str]:
    """Identity keys of what may be a phone number or an e-mail."""
    phones = read_phones(typed, _region(connection_id)) if any(sign.isdigit() for sign in typed) else ()
    return [phone_key(one) for one in phones if one.e164] + [email_key(one) for one in read_emails(typed)]


def _region(connection_id: int) -> str:
    return region_of(db.session.scalar(select(Connection.country).where(Connection.id == connection_id)) or "")
