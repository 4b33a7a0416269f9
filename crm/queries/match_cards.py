"""One question of the match desk with all that helps to decide: both sides, evidence, money, who else is in question.

A card shows a question whether it is open or decided: an address that is old by now says what became of it. The
runner-up is the next proposal of the same customer, or the next best pair in which one of the two stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload, selectinload

from crm.db import db
from crm.domain.evidence import BEST
from crm.domain.matching import RULE_TEXTS
from crm.domain.phones import region_of
from crm.models import Connection, Contact, Customer, Duplicate, Link, Match
from crm.queries import match_money, match_rows, match_sides
from crm.queries.match_money import Standing
from crm.queries.match_parts import Key
from crm.queries.match_rows import Row
from crm.queries.match_sides import Line
from crm.queries.outbox import HOSTS, THERE

MOST = 5


@dataclass(frozen=True, slots=True)
class Party:
    """One of the two."""

    sort: str
    """`contact` or `customer`."""
    record: Any
    """The Contact or Customer; None where it is gone."""
    standing: Standing
    linked: str
    """The customer a contact is linked to, in the same company; empty where it is free, and of customers."""
    books_url: str = ""
    """The customer's page in QuickBooks; empty for contacts, and where the company is a simulated one."""


@dataclass(frozen=True, slots=True)
class Card:
    row: Row
    one: Party
    other: Party
    lines: Sequence[Line]
    why: str
    """Why a person is asked."""
    others: Sequence[Row]
    """Who else is in question, the best first: other proposals of the customer, or pairs with one of the two."""
    rivals: Sequence[str]
    """Names of other customers that wait for the same contact."""
    best: int = BEST

    @property
    def of_one_household(self) -> bool:
        """Whether the rule takes them for two people of one family or company."""
        return self.row.rule in (RULE_TEXTS["relative"], RULE_TEXTS["colleague"])

    @property
    def open(self) -> bool:
        return self.row.state == "proposed"


def card(key: Key, *, match_id: int | None = None) -> Card | None:
    """`match_id`: the proposal of a customer that is to be looked at, where it is not the best. None: there is none."""
    return _of_customer(key.id, match_id) if key.sort == "match" else _of_pair(key)


def _of_customer(customer_id: int, match_id: int | None) -> Card | None:
    query = select(Match).where(Match.customer_id == customer_id).order_by(Match.rank, Match.id)
    found = db.session.scalars(query.options(joinedload(Match.customer), joinedload(Match.contact))).all()
    waits = [match for match in found if match.state == "proposed" and match.customer.match_state == "review"]
    settled = [match for match in found if match.state == "linked"] or list(found)
    chosen = next((match for match in found if match.id == match_id), next(iter(waits or settled), None))
    if chosen is None:
        return None
    customer, contact = chosen.customer, chosen.contact
    row = match_rows.of_match(chosen)
    if chosen not in waits:
        row = match_rows.closed(row)
    one = _customer(customer)
    other = Party("contact", contact, match_money.of_contact(contact.id), _linked(contact.id, customer.connection_id))
    lines = match_sides.compare(_side(customer), _side(contact))
    others = [match_rows.of_match(match) for match in waits if match is not chosen]
    return Card(row, one, other, lines, chosen.decided_by, others, _rivals(contact.id, customer.id))


def _of_pair(key: Key) -> Card | None:
    pair = db.session.get(Duplicate, key.id)
    if pair is None or pair.sort != key.sort:
        return None
    [row] = match_rows.rows([key])
    both = [_party(pair, id_) for id_ in row.ids]
    lines = match_sides.compare(*(_side(party.record) for party in both)) if all(p.record for p in both) else []
    stands = or_(Duplicate.one_id.in_(row.ids), Duplicate.other_id.in_(row.ids))
    mine = (Duplicate.sort == key.sort, Duplicate.state == "proposed", Duplicate.id != pair.id, stands)
    query = select(Duplicate.id).where(*mine).order_by(Duplicate.score.desc(), Duplicate.id).limit(MOST)
    others = match_rows.rows([Key(key.sort, id_) for id_ in db.session.scalars(query)])
    return Card(row, both[0], both[1], lines, row.rule, others, ())


def _party(pair: Duplicate, id_: int) -> Party:
    if pair.sort == "contact":
        contact = db.session.get(Contact, id_, options=[selectinload(Contact.points)])
        return Party("contact", contact, match_money.of_contact(id_), _linked(id_, None))
    customer = db.session.get(Customer, id_)
    return _customer(customer) if customer else Party("customer", None, Standing(), "")


def _customer(customer: Customer) -> Party:
    company = db.session.get_one(Connection, customer.connection_id)
    host = HOSTS.get(company.environment, "")
    there = f"{host}/{THERE['customer']}{customer.remote_id}" if host else ""
    return Party("customer", customer, match_money.of_customer(customer), "", there)


def _side(record: Contact | Customer) -> match_sides.Side:
    if isinstance(record, Contact):
        return match_sides.of_contact(record)
    country = db.session.scalar(select(Connection.country).where(Connection.id == record.connection_id))
    return match_sides.of_customer(record.record, region_of(country or ""))


def _linked(contact_id: int, connection_id: int | None) -> str:
    same = (Customer.connection_id == Link.connection_id) & (Customer.remote_id == Link.remote_id)
    mine = [Link.kind == "customer", Link.local_id == contact_id]
    mine += [Link.connection_id == connection_id] if connection_id else []
    return db.session.scalar(select(Customer.display_name).join(Link, same).where(*mine).order_by(Link.id)) or ""


def _rivals(contact_id: int, customer_id: int) -> list[str]:
    query = (
        select(Customer.display_name)
        .join(Match, Match.customer_id == Customer.id)
        .where(Match.contact_id == contact_id, Match.state == "proposed", Customer.match_state == "review")
        .where(Customer.id != customer_id)
        .order_by(Match.score.desc(), Customer.id)
    )
    return list(db.session.scalars(query.limit(MOST)))
