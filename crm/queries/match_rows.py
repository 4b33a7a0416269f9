"""Lines of the lists of the match desk: what is asked, on which evidence, how much is at stake; and pairs decided.

The questions are found and ordered by `match_queue`; here they are read, in a fixed number of statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, case, func, literal, literal_column, or_, select, union_all
from sqlalchemy.orm import joinedload

from crm.db import db
from crm.domain.duplicates import RULE_TEXTS
from crm.domain.evidence import strength
from crm.models import Connection, Contact, Customer, Duplicate, Match
from crm.queries import match_queue
from crm.queries.match_parts import (
    SORTS,
    Filters,
    Key,
    contacts_named,
    customers_named,
    graded,
    number_of,
    pair_narrowed,
    pairs_with,
)

SIZE = 50
MOST = 5
"""Of a contact's open questions that its page names."""
SORT_WORDS = {"match": "Customer and contact", "contact": "Two contacts", "customer": "Two customers"}
APART = "rejected"
"""The list of pairs kept apart, as its address calls it."""


@dataclass(frozen=True, slots=True)
class Row:
    key: Key
    one: str
    other: str
    score: int
    rule: str
    """In words."""
    evidence: Sequence[dict[str, Any]]
    stake: Decimal | None
    currency: str
    at: datetime
    more: int = 0
    """How many other contacts are in question."""
    state: str = "proposed"
    decided_by: str = ""
    match_id: int | None = None
    ids: tuple[int, int] = (0, 0)

    @property
    def strength(self) -> str:
        return strength(self.score)


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Row]
    number: int
    total: int
    size: int = SIZE


def open_page(filters: Filters, *, certain: bool, number: int = 1) -> Page:
    total = match_queue.count(filters, certain=certain)
    number = min(number, max(1, (total + SIZE - 1) // SIZE))
    found = match_queue.keys(filters, certain=certain, limit=SIZE, offset=(number - 1) * SIZE)
    return Page(rows(found), number, total)


def rows(keys: Sequence[Key]) -> list[Row]:
    """In the order asked for; what is not there any more is left out."""
    made = _of_customers([key.id for key in keys if key.sort == "match"])
    made |= _of_pairs(_pairs([key.id for key in keys if key.sort != "match"]))
    return [made[key] for key in keys if key in made]


def _of_customers(ids: Sequence[int]) -> dict[Key, Row]:
    query = select(Match).where(Match.customer_id.in_(ids), Match.state == "proposed").order_by(Match.rank, Match.id)
    found: dict[int, list[Match]] = {}
    for match in db.session.scalars(query.options(joinedload(Match.customer), joinedload(Match.contact))):
        found.setdefault(match.customer_id, []).append(match)
    return {Key("match", id_): of_match(proposals[0], more=len(proposals) - 1) for id_, proposals in found.items()}


def of_match(match: Match, *, more: int = 0) -> Row:
    customer = match.customer
    return Row(
        Key("match", customer.id), customer.display_name, match.contact.display_name, match.score,
        RULE_TEXTS.get(match.rule, match.rule), match.evidence, customer.balance_with_jobs, customer.currency or "USD",
        match.decided_at, more, match.state, match.decided_by, match.id, (customer.id, match.contact_id),
    )  # fmt: skip


def closed(row: Row) -> Row:
    """The proposal of a customer that waits no more: `linked`, `rejected`, or fallen away."""
    return replace(row, state="over") if row.state == "proposed" else row


def _pairs(ids: Iterable[int]) -> Sequence[Duplicate]:
    return db.session.scalars(select(Duplicate).where(Duplicate.id.in_(list(ids)))).all()


def _of_pairs(pairs: Sequence[Duplicate]) -> dict[Key, Row]:
    names = _names(pairs, "contact", Contact) | _names(pairs, "customer", Customer)
    currencies = {id_: currency for id_, currency in db.session.execute(select(Connection.id, Connection.currency))}
    usual = next(iter(currencies.values()), "") or "USD"
    return {
        Key(pair.sort, pair.id): Row(
            Key(pair.sort, pair.id), names.get((pair.sort, pair.one_id), "gone by now"),
            names.get((pair.sort, pair.other_id), "gone by now"), pair.score, RULE_TEXTS.get(pair.rule, pair.rule),
            pair.evidence, pair.stake, currencies.get(pair.connection_id or 0) or usual,
            pair.decided_at or pair.found_at, 0, pair.state, pair.decided_by, None, (pair.one_id, pair.other_id),
        )
        for pair in pairs
    }  # fmt: skip


def _names(pairs: Sequence[Duplicate], sort: str, model: Any) -> dict[tuple[str, int], str]:
    ids = {id_ for pair in pairs if pair.sort == sort for id_ in (pair.one_id, pair.other_id)}
    asked = select(model.id, model.display_name).where(model.id.in_(ids))
    return {(sort, id_): name for id_, name in db.session.execute(asked)} if ids else {}


def of_contact(contact_id: int) -> list[Row]:
    """Open questions whether this contact and another one are the same, the most alike first."""
    either = or_(Duplicate.one_id == contact_id, Duplicate.other_id == contact_id)
    query = select(Duplicate).where(Duplicate.sort == "contact", Duplicate.state == "proposed", either)
    made = _of_pairs(db.session.scalars(query.order_by(Duplicate.score.desc(), Duplicate.id).limit(MOST)).all())
    return sorted(made.values(), key=lambda row: (-row.score, row.key))


def contact_name(contact_id: str) -> str:
    number = number_of(contact_id)
    return (db.session.scalar(select(Contact.display_name).where(Contact.id == number)) or "") if number else ""


# --- decided --------------------------------------------------------------------------------------------------


def decided_page(show: str, filters: Filters, *, number: int = 1) -> Page:
    """Pairs kept apart (APART), or customers known as one (`known`), the latest decision first."""
    parts = _decided_pairs("apart" if show == APART else "known", filters)
    if show == APART and filters.kind in ("", "match"):
        parts.append(_rejected(filters))
    counted = [select(func.count()).select_from(part.subquery()).scalar_subquery() for part in parts]
    total = sum(db.session.execute(select(*counted)).one()) if counted else 0
    number = min(number, max(1, (total + SIZE - 1) // SIZE))
    newest = []
    for part in parts:
        _, id_, at = part.selected_columns
        newest.append(select(part.order_by(at.desc(), id_.desc()).limit(number * SIZE).subquery()))
    if not newest:
        return Page((), number, total)
    found = union_all(*newest).subquery()
    query = select(found.c.place, found.c.id).order_by(found.c.at.desc(), found.c.place, found.c.id.desc())
    keys = db.session.execute(query.limit(SIZE).offset((number - 1) * SIZE)).all()
    both = (joinedload(Match.customer), joinedload(Match.contact))
    matches = select(Match).where(Match.id.in_([id_ for place, id_ in keys if place == 0])).options(*both)
    made = {(0, match.id): of_match(match) for match in db.session.scalars(matches)}
    pairs = _of_pairs(_pairs(id_ for place, id_ in keys if place != 0))
    made |= {(SORTS.index(key.sort), key.id): row for key, row in pairs.items()}
    return Page([made[place, id_] for place, id_ in keys], number, total)


def _rejected(filters: Filters) -> Any:
    query: Any = select(literal(0).label("place"), Match.id.label("id"), Match.decided_at.label("at"))
    query = query.where(Match.state == literal_column("'rejected'"))  # as their index says it
    if filters.q:
        named = Match.customer_id.in_(customers_named(filters.q))
        query = query.where(or_(named, Match.contact_id.in_(contacts_named(filters.q))))
    if filters.contact:
        query = query.where(Match.contact_id == number_of(filters.contact))
    return query.where(*graded(Match.rule, Match.score, filters))


def _decided_pairs(state: str, filters: Filters) -> list[Select[Any]]:
    if not filters.narrowed:
        sort = case((Duplicate.sort == "contact", 1), else_=2)
        return [_at(sort).where(Duplicate.state == state)]
    sorts = [sort for sort in SORTS[1:] if filters.kind in ("", sort)]
    return [
        _at(literal(SORTS.index(sort))).where(
            Duplicate.state == state, Duplicate.sort == sort, *pair_narrowed(sort, filters),
            *((pairs_with(sort, filters.q),) if filters.q else ()),
        )
        for sort in sorts
    ]  # fmt: skip


def _at(place: Any) -> Select[Any]:
    found: Select[Any] = select(place.label("place"), Duplicate.id.label("id"), Duplicate.decided_at.label("at"))
    return found


def counts() -> dict[str, int]:
    """How many wait, are certain, were kept apart, and are to be merged in the books."""
    apart = select(func.count()).select_from(Match).where(Match.state == "rejected").scalar_subquery()
    decided = {
        state: select(func.count()).select_from(Duplicate).where(Duplicate.state == state).scalar_subquery()
        for state in ("apart", "known")
    }
    rejected, pairs, known = db.session.execute(select(apart, decided["apart"], decided["known"])).one()
    return {
        "open": match_queue.count(Filters(), certain=False), "certain": match_queue.count(Filters(), certain=True),
        "rejected": rejected + pairs, "known": known,
    }  # fmt: skip
