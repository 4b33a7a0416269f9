"""The lists of doubtful matches: customers that wait for a decision, and pairs a person has kept apart.

One row is one customer (what stands on its card is read by `match_cards`), or one pair. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, false, func, or_, select, true
from sqlalchemy.orm import joinedload

from crm.db import db
from crm.domain.contacts import search_terms
from crm.domain.matching import RULES
from crm.models import Contact, Customer, Match
from crm.queries.match_cards import cards

SIZE = 20
RULE_TEXTS: dict[str, str] = {rule.name: rule.text for rule in RULES}
SORTS: dict[str, str] = {"score": "Best evidence first", "name": "Name", "balance": "Largest balance first"}
COLUMNS: Mapping[str, Any] = {
    "score": lambda best: (best.c.score.desc(), Customer.id),
    "name": lambda best: (func.lower(Customer.display_name), Customer.id),
    "balance": lambda best: (func.coalesce(Customer.balance_with_jobs, 0).desc(), Customer.id),
}
REJECTED_SORTS: dict[str, str] = {"newest": "Newest decision first", **SORTS}
REJECTED_COLUMNS: Mapping[str, Any] = {
    "newest": (Match.decided_at.desc(), Match.id.desc()),
    "score": (Match.score.desc(), Match.id),
    "name": (func.lower(Customer.display_name), Match.id),
    "balance": (func.coalesce(Customer.balance_with_jobs, 0).desc(), Match.id),
}


@dataclass(frozen=True, slots=True)
class Filters:
    q: str = ""
    rule: str = ""
    sort: str = "score"
    contact: int | None = None
    """Only customers that wait for this contact."""

    @property
    def any(self) -> bool:
        return bool(self.q or self.rule or self.contact)


@dataclass(frozen=True, slots=True)
class MatchPage:
    rows: Sequence[Any]
    number: int
    size: int
    total: int


def open_page(filters: Filters, *, number: int = 1) -> MatchPage:
    best, query = _open(filters)
    total = db.session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    order = COLUMNS.get(filters.sort, COLUMNS["score"])(best)
    ids = list(db.session.scalars(query.order_by(*order).limit(SIZE).offset((number - 1) * SIZE)))
    return MatchPage(cards(ids), number, SIZE, total)


def open_rows(filters: Filters) -> Iterator[Match]:
    """Every proposal of the filtered list, for a download."""
    _, query = _open(filters)
    matches = (
        select(Match)
        .where(Match.customer_id.in_(query.order_by(None)), Match.state == "proposed")
        .options(joinedload(Match.customer), joinedload(Match.contact))
        .order_by(Match.customer_id, Match.rank)
    )
    yield from db.session.scalars(matches.execution_options(yield_per=500))


def rejected_page(filters: Filters, *, number: int = 1) -> MatchPage:
    """Pairs that a person has kept apart, newest decision first if not said otherwise; never proposed again."""
    query = _rejected(filters)
    total = db.session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    rows = db.session.scalars(
        query.options(joinedload(Match.customer), joinedload(Match.contact)).limit(SIZE).offset((number - 1) * SIZE)
    ).all()
    return MatchPage(rows, number, SIZE, total)


def rejected_rows(filters: Filters) -> Iterator[Match]:
    """Every pair of the filtered list, in its order, for a download."""
    query = _rejected(filters).options(joinedload(Match.customer), joinedload(Match.contact))
    yield from db.session.scalars(query.execution_options(yield_per=500))


def _rejected(filters: Filters) -> Any:
    query = select(Match).join(Customer, Customer.id == Match.customer_id).where(Match.state == "rejected")
    if filters.q:
        found = [_contact_holds(term) for term in search_terms(filters.q)]
        query = query.where(or_(_named(filters.q), and_(false() if not found else true(), *found)))
    if filters.rule:
        query = query.where(Match.rule == filters.rule)
    return query.order_by(*REJECTED_COLUMNS.get(filters.sort, REJECTED_COLUMNS["newest"]))


def counts() -> dict[str, int]:
    """How many customers wait, and how many pairs were kept apart."""
    waiting = select(func.count()).select_from(Customer).where(Customer.match_state == "review")
    rejected = select(func.count()).select_from(Match).where(Match.state == "rejected")
    return {"open": db.session.scalar(waiting) or 0, "rejected": db.session.scalar(rejected) or 0}


def rivals(customer_id: int) -> list[int]:
    """The other customers that wait for one of the same contacts."""
    wanted = select(Match.contact_id).where(Match.customer_id == customer_id, Match.state == "proposed")
    query = (
        select(Match.customer_id)
        .join(Customer, Customer.id == Match.customer_id)
        .where(Match.contact_id.in_(wanted), Match.customer_id != customer_id, Match.state == "proposed",
               Customer.match_state == "review")
        .distinct()
    )  # fmt: skip
    return list(db.session.scalars(query))


def customer_of(match_id: int) -> int | None:
    return db.session.scalar(select(Match.customer_id).where(Match.id == match_id))


def contact_name(contact_id: int) -> str:
    return db.session.scalar(select(Contact.display_name).where(Contact.id == contact_id)) or ""


def rules(*, rejected: bool = False) -> list[tuple[str, str, int]]:
    """(rule, its words, how many) among the customers that wait, or among the pairs kept apart."""
    number = func.count(Match.id if rejected else Match.customer_id.distinct())
    query = select(Match.rule, number).join(Customer, Customer.id == Match.customer_id)
    if rejected:
        query = query.where(Match.state == "rejected")
    else:
        query = query.where(Match.state == "proposed", Customer.match_state == "review")
    found = db.session.execute(query.group_by(Match.rule).order_by(number.desc(), Match.rule))
    return [(rule, RULE_TEXTS.get(rule, rule), number) for rule, number in found]


def _open(filters: Filters) -> tuple[Any, Any]:
    best = (
        select(Match.customer_id, func.max(Match.score).label("score"))
        .where(Match.state == "proposed")
        .group_by(Match.customer_id)
        .subquery()
    )
    query = select(Customer.id).join(best, best.c.customer_id == Customer.id).where(Customer.match_state == "review")
    proposed = (Match.customer_id == Customer.id, Match.state == "proposed")
    if filters.q:
        found = [select(Match.id).where(*proposed, _contact_holds(term)).exists() for term in search_terms(filters.q)]
        query = query.where(or_(_named(filters.q), and_(false() if not found else true(), *found)))
    if filters.rule:
        query = query.where(select(Match.id).where(*proposed, Match.rule == filters.rule).exists())
    if filters.contact:
        query = query.where(select(Match.id).where(*proposed, Match.contact_id == filters.contact).exists())
    return best, query


def _named(q: str) -> Any:
    """The customer's name holds every word as typed."""
    words = q.lower().split()
    return and_(*(func.lower(Customer.display_name).contains(word, autoescape=True) for word in words), true())


def _contact_holds(term: str) -> Any:
    return Match.contact_id.in_(select(Contact.id).where(Contact.search_text.contains(term, autoescape=True)))
