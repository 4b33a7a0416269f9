"""The questions of the match desk, one part for each sort: which are open, which are certain, what filters ask.

A question is a customer that waits for a contact (`match`, by its id), or two contacts or two customers that may be one
(`contact`, `customer`, by the id of their pair). `match_queue` puts them in one order. Nothing is read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from sqlalchemy import CTE, ColumnElement, Select, func, literal_column, or_, select, union

from crm.db import db
from crm.domain.contacts import search_terms
from crm.domain.evidence import FAIR, STRONG
from crm.models import Customer, Duplicate, Match, MatchDecision, OpenMatch
from crm.queries import contact_search, text_search
from crm.queries.text_search import Texts, passed_over

SORTS = ("match", "contact", "customer")
"""In the order of questions that are alike otherwise."""
CUSTOMERS = Texts(Customer.id, literal_column("' '").op("||")(func.lower(Customer.display_name)), "customer_search")
MANY = 2000
"""Names found by a search, from which on its questions are not looked up one by one."""
PAIR_COLUMNS = ("id", "stake", "score", "found_at", "name", "rule")
STRENGTHS = {"strong": (STRONG, None), "fair": (FAIR, STRONG), "weak": (None, FAIR)}


class Key(NamedTuple):
    """Which question: `id` is customers.id of a `match`, else duplicates.id."""

    sort: str
    id: int

    def __str__(self) -> str:
        return f"{self.sort}-{self.id}"


@dataclass(frozen=True, slots=True)
class Filters:
    q: str = ""
    kind: str = ""
    """One of SORTS, or all."""
    rule: str = ""
    strength: str = ""
    sort: str = "stake"
    """One of ORDERS."""
    contact: str = ""
    """Only questions about this contact (its id)."""

    @property
    def narrowed(self) -> bool:
        return bool(self.q or self.kind or self.rule or self.strength or self.contact)

    def query(self) -> dict[str, Any]:
        """As it stands in an address; what is as usual is left out."""
        usual = asdict(Filters())
        return {name: text for name, text in asdict(self).items() if text != usual[name]}


def read_key(text: str) -> Key | None:
    """The question an address names, or None."""
    sort, _, number = text.partition("-")
    good = sort in SORTS and number.isascii() and number.isdigit() and len(number) < 10
    return Key(sort, int(number)) if good else None


@dataclass(frozen=True, slots=True)
class Part:
    """The questions of one sort: rows of one table, which has an index for every order, or those a search found."""

    sort: str
    columns: Any
    """`id`, and those of an order by name."""
    where: Sequence[ColumnElement[bool]] = ()

    @property
    def place(self) -> int:
        return SORTS.index(self.sort)

    @property
    def id(self) -> Any:
        return self.columns.customer_id if self.sort == "match" else self.columns.id


def whole(sort: str) -> Part:
    """All of this sort, decided ones too."""
    return Part(sort, OpenMatch if sort == "match" else Duplicate)


def parts_of(filters: Filters, *, certain: bool, skipped: bool | None = None) -> list[Part]:
    """The sorts that are wanted, each with what the filters ask.

    A customer that waits is always doubtful: what is certain, an import links.
    """
    wanted = [sort for sort in SORTS if filters.kind in ("", sort) and not (certain and sort == "match")]
    people, books = _named(filters.q, wanted)
    made = []
    for sort in wanted:
        where = _match_where(filters) if sort == "match" else _pair_where(sort, filters, certain)
        if skipped is not None:
            put_off = skipped_match() if sort == "match" else skipped_pair()
            where.append(put_off if skipped else ~put_off)
        columns: Any = OpenMatch if sort == "match" else Duplicate
        if people and books and sort == "match":
            columns, where = _alone(_matches_named(people, books, where), sort), []
        elif named := people if sort == "contact" else books:
            columns, where = _alone(_pairs_named(named, where), sort), []
        made.append(Part(sort, columns, where))
    return made


def _alone(found: Any, sort: str) -> Any:
    """What was found as a table of its own, which no order leads through."""
    return found.cte(f"{sort}_found").prefix_with("MATERIALIZED").c


def _match_where(filters: Filters) -> list[ColumnElement[bool]]:
    where: list[Any] = []
    if filters.contact:
        mine = (Match.state == "proposed", Match.contact_id == number_of(filters.contact))
        where.append(OpenMatch.customer_id.in_(select(Match.customer_id).where(*mine)))
    return where + graded(OpenMatch.rule, OpenMatch.score, filters)


def _pair_where(sort: str, filters: Filters, certain: bool) -> list[ColumnElement[bool]]:
    wanted = {Duplicate.state: "proposed", Duplicate.outcome: "same" if certain else "doubtful"}
    led = bool(filters.q)
    where = [(passed_over(column) if led else column) == value for column, value in wanted.items()]
    return [*where, Duplicate.sort == sort, *pair_narrowed(sort, filters)]


def pair_narrowed(sort: str, filters: Filters) -> list[ColumnElement[bool]]:
    """What the filters ask of pairs of one sort, but for the search."""
    where: list[Any] = []
    if filters.contact:
        wanted = number_of(filters.contact)
        ids = (wanted,) if sort == "contact" else select(Customer.id).where(Customer.contact_id == wanted)
        where.append(or_(Duplicate.one_id.in_(ids), Duplicate.other_id.in_(ids)))
    return where + graded(Duplicate.rule, Duplicate.score, filters)


# --- searched: who bears the name is found once, then the questions they stand in, by their indexes ------------------


@dataclass(frozen=True, slots=True)
class _Named:
    """Whom the search finds: `ids` as a table of its own. `few` of them are looked up one by one; where many bear the
    name, the questions are gone through instead."""

    ids: CTE
    few: bool


def _named(q: str, sorts: Sequence[str]) -> tuple[_Named | None, _Named | None]:
    """Contacts and customers that the search finds, where a part of these sorts asks for them."""
    people = _found(contacts_named(q), "people") if q and sorts != ["customer"] else None
    return people, _found(customers_named(q), "books") if q and sorts != ["contact"] else None


def _found(ids: Select[Any], name: str) -> _Named:
    number = db.session.scalar(select(func.count()).select_from(ids.limit(MANY).subquery())) or 0
    return _Named(ids.cte(name).prefix_with("MATERIALIZED"), number < MANY)


def _matches_named(people: _Named, books: _Named, where: Sequence[ColumnElement[bool]]) -> Any:
    state = Match.state if not people.few else passed_over(Match.state)
    proposed = (state == "proposed", Match.contact_id.in_(select(people.ids.c.id)))
    ids = union(select(books.ids.c.id), select(Match.customer_id).where(*proposed))
    return select(*OpenMatch.__table__.columns).where(OpenMatch.customer_id.in_(ids), *where)


def _pairs_named(named: _Named, where: Sequence[ColumnElement[bool]]) -> Any:
    columns = [column for column in Duplicate.__table__.columns if column.name in PAIR_COLUMNS]
    either = [column.in_(select(named.ids.c.id)) for column in (Duplicate.one_id, Duplicate.other_id)]
    if named.few:
        return union(*(select(*columns).where(*where, side) for side in either))
    return select(*columns).where(*where, or_(*either))


def pairs_with(sort: str, q: str) -> ColumnElement[bool]:
    """Pairs of this sort in which somebody stands whom the search finds."""
    found = contacts_named(q) if sort == "contact" else customers_named(q)
    return or_(Duplicate.one_id.in_(found), Duplicate.other_id.in_(found))


def contacts_named(q: str) -> Select[Any]:
    return contact_search.ids(search_terms(q))


def customers_named(q: str) -> Select[Any]:
    """Customers whose name holds every word as typed."""
    return text_search.ids(CUSTOMERS, q.lower().split())


def graded(rule: Any, score: Any, filters: Filters) -> list[ColumnElement[bool]]:
    where = [rule == filters.rule] if filters.rule else []
    least, below = STRENGTHS.get(filters.strength, (None, None))
    return where + ([score >= least] if least is not None else []) + ([score < below] if below is not None else [])


def skipped_match() -> ColumnElement[bool]:
    mine = (MatchDecision.sort == "match", MatchDecision.one_id == OpenMatch.customer_id,
            MatchDecision.outcome == "skipped")  # fmt: skip
    return select(MatchDecision.id).where(*mine).exists()


def skipped_pair() -> ColumnElement[bool]:
    mine = (MatchDecision.sort == Duplicate.sort, MatchDecision.one_id == Duplicate.one_id,
            MatchDecision.other_id == Duplicate.other_id, MatchDecision.outcome == "skipped")  # fmt: skip
    return select(MatchDecision.id).where(*mine).exists()


def number_of(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
