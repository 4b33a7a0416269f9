"""One card of the matches page: a customer of the books that waits, beside the contacts it may be.

Both sides are read into the same few lines and compared by meaning: numbers by E.164, e-mails in lower case, names and
postal addresses in their folded form; only values that really contradict are marked. Each side also says where it
stands: what is owed, what is open, when something last happened. The number of statements does not grow with the cards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Day
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import case, func, select, union_all
from sqlalchemy.orm import joinedload

from crm.db import db
from crm.domain.addresses import AddressKey, read_address
from crm.domain.evidence import BEST, strength
from crm.domain.identity import read_emails, read_phones, streets_alike
from crm.domain.names import fold_words
from crm.domain.phones import region_of
from crm.models import Connection, Contact, Customer, Document, Link, Match, MoneyFacts, Payment

LINES = (
    ("Name", "names"), ("Company", "companies"), ("Phones", "phones"), ("E-mail", "emails"), ("Address", "addresses"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """`key` is what it is compared by."""

    text: str
    key: Any
    extension: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two, in the same few lines."""

    names: Sequence[Value] = ()
    companies: Sequence[Value] = ()
    phones: Sequence[Value] = ()
    emails: Sequence[Value] = ()
    addresses: Sequence[Value] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One field on both sides; `state` is `same`, `differs`, or empty where one side says nothing."""

    label: str
    theirs: Sequence[Value]
    ours: Sequence[Value]
    state: str
    common: frozenset[Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a side stands. What is None is not known."""

    balance: Decimal | None = None
    currency: str = "USD"
    open_invoices: int | None = None
    last_on: Day | datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    match: Match
    standing: Standing
    lines: Sequence[Line]
    strength: str
    rivals: Sequence[str]
    """Names of the other customers that wait for the same contact."""
    taken_by: str
    """The customer the contact is linked to by now, in the same company; empty when it is free."""

    @property
    def best(self) -> int:
        return BEST


@dataclass(frozen=True, slots=True)
class Card:
    """A customer that waits, with its candidates, best first."""

    customer: Customer
    standing: Standing
    why: str
    candidates: Sequence[Candidate]


def cards(customer_ids: Sequence[int]) -> list[Card]:
    """In the order asked for; customers that wait no more are left out."""
    waiting = select(Customer).where(Customer.id.in_(customer_ids), Customer.match_state == "review")
    customers = {customer.id: customer for customer in db.session.scalars(waiting)}
    found: dict[int, list[Match]] = {}
    for match in db.session.scalars(
        select(Match)
        .where(Match.customer_id.in_(customers), Match.state == "proposed")
        .options(joinedload(Match.contact).selectinload(Contact.points))
        .order_by(Match.rank, Match.id)
    ):
        found.setdefault(match.customer_id, []).append(match)
    contact_ids = {match.contact_id for matches in found.values() for match in matches}
    countries = db.session.execute(select(Connection.id, Connection.country))
    regions = {id_: region_of(country) for id_, country in countries}
    theirs, ours = _of_customers(list(customers.values())), _of_contacts(contact_ids)
    rivals, taken = _rivals(contact_ids), _taken(contact_ids)
    made = []
    for id_ in customer_ids:
        if not found.get(id_):
            continue
        customer = customers[id_]
        side = of_customer(customer.record, regions[customer.connection_id])
        made.append(Card(customer, theirs[id_], found[id_][0].decided_by, [
            Candidate(
                match, ours[match.contact_id], compare(side, of_contact(match.contact)), strength(match.score),
                [name for other, name in rivals.get(match.contact_id, ()) if other != id_],
                taken.get((customer.connection_id, match.contact_id), ""),
            )
            for match in found[id_]
        ]))  # fmt: skip
    return made


def compare(theirs: Side, ours: Side) -> list[Line]:
    """Field by field; a field that is empty on both sides is left out."""
    lines = []
    for label, name in LINES:
        one, other = getattr(theirs, name), getattr(ours, name)
        if not one and not other:
            continue
        common = frozenset(value.key for value in one) & frozenset(value.key for value in other)
        if name == "addresses" and one and other and _addresses_alike(one[0].key, other[0].key):
            common = frozenset((one[0].key, other[0].key))
        state = "" if not one or not other else "same" if common else "differs"
        lines.append(Line(label, one, other, state, common))
    return lines


def of_customer(record: Mapping[str, Any], region: str) -> Side:
    address = record.get("billing_address") or record.get("shipping_address") or {}
    street = [address.get(f"line{number}") for number in range(1, 6)]
    return Side(
        names=_named(record.get("display_name", "")),
        companies=_named(record.get("company_name", "")),
        phones=[
            Value(phone.e164 or phone.raw, phone.e164 or phone.raw, phone.extension or "")
            for field in record.get("phones", ())
            if field.get("label") != "fax"
            for phone in read_phones(field.get("text"), region)
        ],
        emails=_emails(record.get("email_text", "")),
        addresses=_address(street, address.get("city"), address.get("region"), address.get("postal_code")),
    )


def of_contact(contact: Contact) -> Side:
    phones = [point for point in contact.points if point.kind == "phone" and point.label != "fax"]
    return Side(
        names=_named(contact.display_name),
        companies=_named(contact.company_name),
        phones=[Value(p.normal or p.value, p.normal or p.value, p.extension) for p in phones],
        emails=[
            value for point in contact.points if point.kind == "email" for value in _emails(point.normal or point.value)
        ],
        addresses=_address([contact.street], contact.city, contact.region, contact.postal_code),
    )


def _named(text: str) -> list[Value]:
    return [Value(text, tuple(sorted(fold_words(text))) or text)] if text else []


def _emails(text: str) -> list[Value]:
    return [Value(email, email) for email in read_emails(text) or ((text,) if text else ())]


def _address(street: Sequence[str | None], city: str | None, region: str | None, postal: str | None) -> list[Value]:
    text = ", ".join(part for part in (*street, city, f"{region or ''} {postal or ''}".strip()) if part)
    return [Value(text, read_address(*street, city=city, postal=postal) or text)] if text else []


def _addresses_alike(one: Any, other: Any) -> bool:
    """The same door: "Street" and "St." are alike, and a town or a postal code may be missing on one side."""
    if not isinstance(one, AddressKey) or not isinstance(other, AddressKey):
        return bool(one == other)
    place = one.postal == other.postal if one.postal and other.postal else one.city == other.city
    return one.number == other.number and one.unit == other.unit and place and (
        one.street == other.street or bool(one.street and other.street and streets_alike(one.street, other.street))
    )


def _of_customers(customers: Sequence[Customer]) -> dict[int, Standing]:
    """What the books hold of these customers and of the jobs below them."""
    roots = {(customer.connection_id, customer.remote_id): customer for customer in customers}
    open_one = (Document.kind == "invoice") & (Document.balance > 0) & Document.void.is_(False)
    unpaid = func.sum(case((open_one, 1), else_=0))
    parts = []
    for table, unpaid_in in ((Document, unpaid), (Payment, func.min(0))):
        parts.append(
            select(Customer.connection_id, Customer.root_remote_id, unpaid_in.label("open"), func.max(table.date))
            .join(table, (table.connection_id == Customer.connection_id)
                  & (table.customer_remote_id == Customer.remote_id))
            .where(Customer.root_remote_id.in_([customer.remote_id for customer in customers]), table.gone_at.is_(None))
            .group_by(Customer.connection_id, Customer.root_remote_id)
        )  # fmt: skip
    number: dict[int, int] = {}
    last: dict[int, Day] = {}
    for connection_id, root, unpaid_ones, on in db.session.execute(union_all(*parts)):
        customer = roots.get((connection_id, root))
        if customer is not None:
            number[customer.id] = number.get(customer.id, 0) + (unpaid_ones or 0)
            if on is not None:
                last[customer.id] = max(on, last.get(customer.id, on))
    return {
        c.id: Standing(c.balance_with_jobs, c.currency or "USD", number.get(c.id, 0), last.get(c.id)) for c in customers
    }


def _of_contacts(contact_ids: Iterable[int]) -> dict[int, Standing]:
    rows = db.session.execute(
        select(
            Contact.id, MoneyFacts.balance_with_jobs, MoneyFacts.currency, MoneyFacts.open_invoices,
            Contact.last_activity_at,
        )
        .outerjoin(MoneyFacts, MoneyFacts.contact_id == Contact.id)
        .where(Contact.id.in_(contact_ids))
    )  # fmt: skip
    return {id_: Standing(balance, currency or "USD", number, on) for id_, balance, currency, number, on in rows}


def _rivals(contact_ids: Iterable[int]) -> dict[int, list[tuple[int, str]]]:
    """Per contact the customers that wait for it: (id, name)."""
    rows = db.session.execute(
        select(Match.contact_id, Customer.id, Customer.display_name)
        .join(Customer, Customer.id == Match.customer_id)
        .where(Match.contact_id.in_(contact_ids), Match.state == "proposed", Customer.match_state == "review")
        .order_by(Match.score.desc(), Customer.id)
    )
    found: dict[int, list[tuple[int, str]]] = {}
    for contact_id, customer_id, name in rows:
        found.setdefault(contact_id, []).append((customer_id, name))
    return found


def _taken(contact_ids: Iterable[int]) -> dict[tuple[int, int], str]:
    """(connection, contact) -> the customer it is linked to."""
    rows = db.session.execute(
        select(Link.connection_id, Link.local_id, Customer.display_name)
        .join(Customer, (Customer.connection_id == Link.connection_id) & (Customer.remote_id == Link.remote_id))
        .where(Link.kind == "customer", Link.local_id.in_(contact_ids))
    )
    return {(connection_id, contact_id): name for connection_id, contact_id, name in rows}
