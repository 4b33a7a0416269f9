"""Conflicts for the desk: the list with its filters, one with all that helps to decide, and the one that comes next.

Read by the pages and the API; nothing is decided here. The number of statements does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, select, true
from sqlalchemy.orm import joinedload

from crm.db import db
from crm.domain.conflicts import STATES, mark_of
from crm.domain.contacts import search_terms
from crm.domain.shared_fields import TITLES
from crm.models import Conflict, Connection, Contact, MoneyFacts, OutboxEntry, TimelineEntry

SIZE = 50
LOOKED_AT = 100
"""Timeline entries looked through for who changed ours last."""
SORTS: Mapping[str, Any] = {
    "opened": Conflict.opened_at,
    "name": Contact.sort_name,
    "field": Conflict.field,
    "balance": func.coalesce(MoneyFacts.balance_with_jobs, 0),
}
OWN_NAMES: Mapping[str, tuple[str, ...]] = {
    "address": ("street", "city", "region", "postal_code", "country"),
    "email": ("emails", "email"),
    **dict.fromkeys(("phone", "mobile", "other", "fax"), ("phones", "phone")),
}
"""Shared field -> what a contact's timeline calls it, where that is another name."""


@dataclass(frozen=True, slots=True)
class Filters:
    """`state` is one of STATES, or empty for all; `connection` the id of a company, as text."""

    q: str = ""
    field: str = ""
    state: str = "open"
    reason: str = ""
    connection: str = ""
    sort: str = "-opened"

    @property
    def narrowed(self) -> bool:
        return bool(self.q or self.field or self.reason or self.connection)

    def query(self) -> dict[str, Any]:
        """As it stands in an address; what is as usual is left out."""
        usual = asdict(Filters())
        return {name: text for name, text in asdict(self).items() if text != usual[name]}


@dataclass(frozen=True, slots=True)
class Row:
    conflict: Conflict
    contact: Contact
    money: MoneyFacts | None

    @property
    def title(self) -> str:
        return TITLES.get(self.conflict.field, self.conflict.field)


@dataclass(frozen=True, slots=True)
class ConflictPage:
    rows: Sequence[Row]
    number: int
    size: int
    total: int


@dataclass(frozen=True, slots=True)
class View(Row):
    """One conflict with what helps to decide."""

    company: str
    currency: str
    changed_by: str
    """Who changed ours last, as the timeline knows; empty where it does not."""
    previous_id: int | None
    next_id: int | None
    place: int | None
    """Its place in the filtered list, from 1; None when it is not in it (any more)."""
    total: int
    fields: Mapping[str, str]
    """Parts of the address here, for the form."""

    @property
    def mark(self) -> str:
        return mark_of(self.conflict.ours, self.conflict.theirs)


def page(filters: Filters, *, number: int = 1) -> ConflictPage:
    total = count(filters)
    number = min(number, max(1, (total + SIZE - 1) // SIZE))
    found = db.session.execute(_listed(filters).limit(SIZE).offset((number - 1) * SIZE))
    return ConflictPage([Row(*row) for row in found], number, SIZE, total)


def each(filters: Filters) -> Iterator[Row]:
    """Every conflict of the list in its order, for a download."""
    for row in db.session.execute(_listed(filters).execution_options(yield_per=500)):
        yield Row(*row)


def ids(filters: Filters, *, limit: int) -> list[int]:
    """Of the filtered list, those still open, in its order."""
    query = _listed(filters).where(Conflict.state == "open").with_only_columns(Conflict.id)
    return list(db.session.scalars(query.limit(limit)))


def count(filters: Filters) -> int:
    counted = select(Conflict.id).join(*_contact()).where(*_where(filters)).subquery()
    return db.session.scalar(select(func.count()).select_from(counted)) or 0


def tabs() -> dict[str, int]:
    """State -> how many; of every contact there still is."""
    query = select(Conflict.state, func.count()).join(*_contact()).group_by(Conflict.state)
    found = {state: number for state, number in db.session.execute(query)}
    return {state: found.get(state, 0) for state in STATES}


def fields(state: str) -> list[tuple[str, str, int]]:
    """(field, its title, how many) in this state, the most frequent first."""
    query = select(Conflict.field, func.count()).join(*_contact())
    query = query.where(Conflict.state == state) if state else query
    found = db.session.execute(query.group_by(Conflict.field).order_by(func.count().desc(), Conflict.field))
    return [(name, TITLES.get(name, name), number) for name, number in found]


def companies() -> list[tuple[int, str]]:
    """Companies that conflicts are about."""
    query = select(Connection.id, Connection.company_name).where(Connection.id.in_(select(Conflict.connection_id)))
    return [(id_, name) for id_, name in db.session.execute(query.order_by(Connection.id))]


def one(conflict_id: int, filters: Filters) -> View | None:
    """The conflict, with its neighbours in the filtered list."""
    query = select(Conflict, Contact, MoneyFacts).join(*_contact()).outerjoin(MoneyFacts, _money())
    found = db.session.execute(
        query.where(Conflict.id == conflict_id).options(joinedload(Conflict.connection))
    ).one_or_none()
    if found is None:
        return None
    conflict, contact, money = found
    before, after, place, total = _neighbours(conflict_id, filters)
    parts = {part: getattr(contact, part) for part in OWN_NAMES["address"]}
    company = conflict.connection
    return View(
        conflict, contact, money, company.company_name or "QuickBooks", company.currency or "USD",
        _changed_by(conflict), before, after, place, total, parts,
    )  # fmt: skip


def following(conflict_id: int, filters: Filters) -> int | None:
    """The open conflict to look at once this one is decided: the next of the list, or the one before the last."""
    before, after, _, _ = _neighbours(conflict_id, filters)
    return after or before


def open_fields(contact_id: int) -> dict[str, int]:
    """Field -> the open conflict about it, of one contact."""
    mine = (Conflict.kind == "customer", Conflict.local_id == contact_id, Conflict.state == "open")
    return {field: id_ for field, id_ in db.session.execute(select(Conflict.field, Conflict.id).where(*mine))}


def waiting_entry(contact_id: int) -> int | None:
    """The entry of the outbox that brings this contact to the books, while it is not there yet."""
    waits = (OutboxEntry.kind == "customer", OutboxEntry.local_id == contact_id, OutboxEntry.settled_at.is_(None))
    return db.session.scalar(select(OutboxEntry.id).where(*waits).order_by(OutboxEntry.id.desc()).limit(1))


def _neighbours(conflict_id: int, filters: Filters) -> tuple[int | None, int | None, int | None, int]:
    """(before, after, place, how many), in the order of the list."""
    order = _order(filters)
    window = (
        select(
            Conflict.id.label("id"),
            func.lag(Conflict.id).over(order_by=order).label("before"),
            func.lead(Conflict.id).over(order_by=order).label("after"),
            func.row_number().over(order_by=order).label("place"),
            func.count().over().label("total"),
        )
        .join(*_contact())
        .outerjoin(MoneyFacts, _money())
        .where(*_where(filters))
        .subquery()
    )
    found = db.session.execute(select(window).where(window.c.id == conflict_id)).one_or_none()
    if found is not None:
        return found.before, found.after, found.place, found.total
    first = db.session.scalar(_listed(filters).with_only_columns(Conflict.id).limit(1))
    return None, first, None, count(filters)


def _listed(filters: Filters) -> Any:
    query = select(Conflict, Contact, MoneyFacts).join(*_contact()).outerjoin(MoneyFacts, _money())
    return query.where(*_where(filters)).order_by(*_order(filters))


def _order(filters: Filters) -> tuple[Any, ...]:
    column = SORTS.get(filters.sort.removeprefix("-"), SORTS["opened"])
    if filters.sort.startswith("-"):
        return column.desc(), Conflict.id.desc()
    return column, Conflict.id


def _contact() -> tuple[Any, ColumnElement[bool]]:
    return Contact, and_(Conflict.kind == "customer", Contact.id == Conflict.local_id)


def _money() -> ColumnElement[bool]:
    return MoneyFacts.contact_id == Contact.id


def _where(filters: Filters) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    for column, text in ((Conflict.state, filters.state), (Conflict.field, filters.field),
                         (Conflict.reason, filters.reason)):  # fmt: skip
        wanted += [column == text] if text else []
    if filters.connection:
        number = filters.connection
        wanted.append(Conflict.connection_id == int(number) if number.isdigit() and len(number) < 10 else false())
    if filters.q:
        found = [Contact.search_text.contains(term, autoescape=True) for term in search_terms(filters.q)]
        wanted.append(and_(true() if found else false(), *found))
    return wanted


def _changed_by(conflict: Conflict) -> str:
    """Who the timeline names for the last change of this field here, before the conflict was decided."""
    names = set(OWN_NAMES.get(conflict.field, (conflict.field,)))
    upto: datetime | None = conflict.decided_at
    query = select(TimelineEntry.actor, TimelineEntry.changes).where(
        TimelineEntry.contact_id == conflict.local_id,
        TimelineEntry.verb.in_(("changed", "enriched")),
        TimelineEntry.at <= upto if upto else true(),
    )
    latest = query.order_by(TimelineEntry.at.desc(), TimelineEntry.id.desc()).limit(LOOKED_AT)
    return next((actor for actor, changes in db.session.execute(latest) if names & set(changes or {})), "")
