"""Lists of contacts: one page of rows, their ids, and what a list can be narrowed by.

Read by the contacts pages, the export and the API. A page costs the same few statements whatever it holds, and stays
fast at 100,000 contacts: first the ids of the page from an index, then everything shown about them by those ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, literal_column, select, type_coerce

from crm.db import db
from crm.domain.contact_filters import Filters
from crm.domain.contacts import search_terms
from crm.domain.list_filters import PAGE_SIZE
from crm.models import (
    AutomationHold,
    Contact,
    ContactPoint,
    MoneyFacts,
    RfmScore,
    SavedView,
    SegmentMember,
    Tag,
    User,
    contact_tags,
)
from crm.queries.contact_search import Search, search

SORT_COLUMNS: dict[str, Any] = {
    "name": Contact.sort_name,
    "activity": Contact.last_activity_at,
    "created": Contact.created_at,
    "balance": MoneyFacts.balance_with_jobs,
    "sales": MoneyFacts.total_sales,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list. Money is None where the books know nothing of the contact."""

    id: int
    name: str
    company: str
    type: str
    phone: str
    extension: str
    email: str
    city: str
    owner: str
    link_state: str
    balance: Decimal | None
    overdue: Decimal | None
    total_sales: Decimal | None
    currency: str
    last_activity_at: datetime | None
    created_at: datetime
    archived: bool
    version: int
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Details:
    """What a file holds of a contact beyond its `Row`; phones and e-mails as typed, the first ones first."""

    given_name: str
    family_name: str
    street: str
    region: str
    postal_code: str
    country: str
    website: str
    phones: tuple[str, ...]
    emails: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """`more`: the list goes on beyond `total`, which was counted no further."""

    rows: list[Row] = field(default_factory=list)
    number: int = 1
    size: int = PAGE_SIZE
    total: int = 0
    more: bool = False


MOST_COUNTED = 10_000
"""How far a list is counted and paged where no index answers it: nobody turns more pages, they narrow or sort anew."""


def page(filters: Filters, *, now: datetime, size: int = PAGE_SIZE) -> Page:
    """The asked page of the list; the last one when there are fewer."""
    found = _found(filters, now)
    exact = _counts_fast(filters)
    total = _count(found, None if exact else MOST_COUNTED + 1)
    more = not exact and total > MOST_COUNTED
    total = min(total, MOST_COUNTED) if more else total
    number = min(filters.page, max(1, (total + size - 1) // size))
    offset = (number - 1) * size
    ids = _stretch(found, size, offset, None if more else total) if total else []
    return Page(rows(ids), number, size, total, more)


def count(filters: Filters, *, now: datetime) -> int:
    """How many contacts the list holds, exactly."""
    return _count(_found(filters, now))


def page_ids(filters: Filters, *, now: datetime, limit: int, offset: int = 0) -> list[int]:
    """Ids of a stretch of the list in its order. Sorted by money, contacts without any come last."""
    return _stretch(_found(filters, now), limit, offset, None)


def rows(ids: Sequence[int]) -> list[Row]:
    """What the list shows of these contacts, in the order of `ids`: three statements."""
    if not ids:
        return []
    c, m = Contact, MoneyFacts
    found = db.session.execute(
        select(
            c.id, c.display_name, c.company_name, c.type, c.phone, c.email, c.city, User.name, User.email, c.link_state,
            m.balance_with_jobs, m.overdue, m.total_sales, m.currency, c.last_activity_at, c.created_at, c.archived_at,
            c.version,
        )
        .outerjoin(User, User.id == c.owner_id)
        .outerjoin(m, m.contact_id == c.id)
        .where(c.id.in_(ids))
    )  # fmt: skip
    lines, tags = _first_phones(ids), _tags(ids)
    shown = {}
    for (id_, name, company, type_, phone, email, city, owner, owner_email, link, balance, overdue, sales, currency,
         active_at, created_at, archived_at, version) in found:  # fmt: skip
        number, extension = lines.get(id_, (phone, ""))
        shown[id_] = Row(
            id_, name, company, type_, number, extension, email, city, owner or owner_email or "", link, balance,
            overdue, sales,
            currency or "USD", active_at, created_at, archived_at is not None, version, tags.get(id_, ()),
        )  # fmt: skip
    return [shown[id_] for id_ in ids if id_ in shown]


def each(filters: Filters, *, now: datetime, size: int = 1000) -> Iterator[tuple[Row, Details]]:
    """All rows of the list, read in stretches of `size`: what an export is written from, at flat memory."""
    offset = 0
    while ids := page_ids(filters, now=now, limit=size, offset=offset):
        more = details(ids)
        yield from ((row, more[row.id]) for row in rows(ids) if row.id in more)
        offset += size


def details(ids: Sequence[int]) -> dict[int, Details]:
    lines: dict[tuple[int, str], tuple[str, ...]] = {}
    points = select(ContactPoint.contact_id, ContactPoint.kind, ContactPoint.value).where(
        ContactPoint.contact_id.in_(ids)
    )
    for contact_id, kind, value in db.session.execute(points.order_by(ContactPoint.position)):
        lines[contact_id, kind] = (*lines.get((contact_id, kind), ()), value)
    c = Contact
    found = db.session.execute(
        select(c.id, c.given_name, c.family_name, c.street, c.region, c.postal_code, c.country, c.website).where(
            c.id.in_(ids)
        )
    )
    details = {}
    for row in found:
        phones, emails = lines.get((row.id, "phone"), ()), lines.get((row.id, "email"), ())
        values: tuple[Any, ...] = (*row[1:], phones, emails)
        details[row.id] = Details(*values)
    return details


def owners() -> list[tuple[str, str]]:
    """(id, name) of the people a contact can be assigned to."""
    found = db.session.execute(
        select(User.id, User.name, User.email)
        .where(User.disabled_at.is_(None), User.role.in_(("admin", "rep")))
        .order_by(User.name, User.email)
    )
    return [(str(id_), name or email) for id_, name, email in found]


def tags() -> list[tuple[str, str]]:
    return [(str(id_), name) for id_, name in db.session.execute(select(Tag.id, Tag.name).order_by(Tag.name))]


def views(user_id: int) -> list[SavedView]:
    """Saved views of the list: one's own and what others share."""
    wanted = (SavedView.user_id == user_id) | SavedView.shared
    return list(
        db.session.scalars(select(SavedView).where(SavedView.page == "contacts", wanted).order_by(SavedView.name))
    )


def any_contacts() -> bool:
    return db.session.scalar(select(Contact.id).limit(1)) is not None


@dataclass(frozen=True, slots=True)
class _Found:
    """A list asked for: its filters, read at one moment, and its search, made ready once."""

    filters: Filters
    now: datetime
    search: Search


def _found(filters: Filters, now: datetime) -> _Found:
    return _Found(filters, now, search(search_terms(filters.q)))


def _counts_fast(filters: Filters) -> bool:
    """Whether one index answers how many there are: no search, and one filter at most that an index knows."""
    narrowed = [filters.owner, filters.tag, filters.type, filters.link, filters.balance, filters.since, filters.held,
                filters.made_by, filters.segment, filters.rfm]  # fmt: skip
    return not filters.q and filters.tag != "none" and sum(map(bool, narrowed)) <= 1


def _count(found: _Found, most: int | None = None, *, known: Any = None) -> int:
    """How many there are, counted up to `most`; with `known` (a figure of money), those who have it."""
    query = _narrowed(found, money=known is not None)
    if known is not None:
        query = query.where(known.is_not(None))
    return db.session.scalar(select(func.count()).select_from(query.limit(most).subquery())) or 0


def _stretch(found: _Found, limit: int, offset: int, total: int | None) -> list[int]:
    """Ids in the order of the list; with the exact `total` known, read from the nearer end."""
    filters = found.filters
    if filters.sort_key not in ("balance", "sales"):
        return _read(_narrowed(found, sort=True), _order(filters), limit, offset, total)
    known = SORT_COLUMNS[filters.sort_key]
    before = _count(found, offset + limit if total is None else None, known=known) if offset else None
    first: list[int] = []
    if before is None or before > offset:
        exact = None if total is None else before
        order = ((known, filters.descending), (MoneyFacts.contact_id, filters.descending))
        first = _read(_narrowed(found, money=True).where(known.is_not(None)), order, limit, offset, exact)
    if len(first) == limit or filters.balance:
        return first
    before = len(first) if before is None else before
    by_name = replace(found, filters=replace(filters, sort="name"))
    without = ~exists().where(MoneyFacts.contact_id == Contact.id, known.is_not(None))
    rest = _narrowed(by_name, sort=True).where(without)
    left = None if total is None else total - before
    return first + _read(rest, _order(by_name.filters), limit - len(first), max(0, offset - before), left)


Order = tuple[tuple[Any, bool], ...]
"""Columns, and whether each descends."""


def _order(filters: Filters) -> Order:
    keys = [SORT_COLUMNS[filters.sort_key], Contact.id]
    if db.engine.dialect.name == "postgresql" and not filters.archived and filters.sort != "-activity":
        # All alike; unsaid, its planner does not see that an index holds the order ("-activity" is in none).
        keys.insert(0, Contact.archived_at)
    return tuple((key, filters.descending) for key in keys)


def _read(query: Select[Any], order: Order, limit: int, offset: int, total: int | None) -> list[int]:
    if total is None or offset <= total // 2:
        return list(db.session.scalars(query.order_by(*_ordered(order)).limit(limit).offset(offset)))
    limit = max(0, min(limit, total - offset))
    turned = query.order_by(*_ordered(order, turned=True)).limit(limit).offset(total - offset - limit)
    return list(db.session.scalars(turned))[::-1]


def _ordered(order: Order, *, turned: bool = False) -> Iterator[Any]:
    for key, down in order:
        ordered = key.desc() if down != turned else key.asc()
        if key is Contact.last_activity_at:  # without any come last, either way
            ordered = ordered.nulls_first() if turned else ordered.nulls_last()
        yield ordered


def _narrowed(found: _Found, *, money: bool = False, sort: bool = False) -> Select[Any]:
    """Ids of the list; with `money`, or a filter by it, of contacts with facts. `sort`: by a column of contacts.

    Contacts are left out of the question where their money alone answers it.
    """
    filters = found.filters
    money = money or bool(filters.balance)
    conditions = [*_conditions(found, money=money), *found.search.conditions]
    in_use = _in_use(found, money=money)
    if not money:
        return _tagged(select(Contact.id), Contact.id, filters).where(in_use, *conditions)
    id_ = MoneyFacts.contact_id
    query = _tagged(select(id_), id_, filters)
    if filters.balance == "overdue":
        query = query.where(MoneyFacts.overdue > 0)
    elif filters.balance:
        query = query.where(MoneyFacts.balance_with_jobs > (filters.amount() or Decimal(0)))
    if conditions or sort or filters.archived:
        return query.join(Contact, Contact.id == id_).where(in_use, *conditions)
    return query.where(id_.not_in(select(Contact.id).where(Contact.archived_at.is_not(None))))


def _conditions(found: _Found, *, money: bool) -> list[ColumnElement[bool]]:
    """Filters by columns of contacts. Where search or money leads, no index of a type or a state, held by thousands."""
    filters, led = found.filters, found.search.leads
    conditions: list[ColumnElement[bool]] = []
    if filters.owner:
        owner = _passed_over(Contact.owner_id) if led else Contact.owner_id
        conditions.append(owner.is_(None) if filters.owner == "none" else owner == int(filters.owner))
    for column, value in ((Contact.type, filters.type), (Contact.link_state, filters.link)):
        if value:
            conditions.append((_passed_over(column) if led or money else column) == value)
    if filters.held or filters.made_by:
        source, _, number = filters.made_by.partition("-")
        mine = (AutomationHold.source == source, AutomationHold.source_id == int(number)) if source else ()
        conditions.append(exists().where(AutomationHold.contact_id == Contact.id, *mine))
    if filters.segment:
        inside = select(SegmentMember.contact_id).where(SegmentMember.segment_id == int(filters.segment))
        conditions.append(Contact.id.in_(inside))
    if filters.rfm:
        recency, _, frequency = filters.rfm.partition("-")
        alike = (RfmScore.recency == int(recency), RfmScore.frequency == int(frequency))
        conditions.append(Contact.id.in_(select(RfmScore.contact_id).where(*alike)))
    if moment := filters.moment(found.now):
        conditions.append(Contact.last_activity_at >= moment)
    return conditions


def _tagged(query: Select[Any], id_: Any, filters: Filters) -> Select[Any]:
    if filters.tag == "none":
        return query.where(~exists().where(contact_tags.c.contact_id == id_))
    if filters.tag:
        return query.where(id_.in_(select(contact_tags.c.contact_id).where(contact_tags.c.tag_id == int(filters.tag))))
    return query


def _in_use(found: _Found, *, money: bool) -> ColumnElement[bool]:
    """Not archived, or archived."""
    led = money or found.search.leads or found.filters.tag not in ("", "none")
    archived = _passed_over(Contact.archived_at) if led else Contact.archived_at
    return archived.is_not(None) if found.filters.archived else archived.is_(None)


def _passed_over(column: Any) -> Any:
    """The column; on SQLite, whose planner knows no figures, written so that it takes no index of it."""
    if db.engine.dialect.name != "sqlite":
        return column
    return type_coerce(literal_column(f"+contacts.{column.key}", column.type), column.type)


def _first_phones(ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    found = db.session.execute(
        select(ContactPoint.contact_id, ContactPoint.normal, ContactPoint.value, ContactPoint.extension)
        .where(ContactPoint.contact_id.in_(ids), ContactPoint.kind == "phone")
        .order_by(ContactPoint.position.desc())
    )
    return {contact_id: (normal or value, extension) for contact_id, normal, value, extension in found}


def _tags(ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    query = select(contact_tags.c.contact_id, Tag.name).join(Tag, Tag.id == contact_tags.c.tag_id)
    for contact_id, name in db.session.execute(query.where(contact_tags.c.contact_id.in_(ids)).order_by(Tag.name)):
        found[contact_id] = (*found.get(contact_id, ()), name)
    return found
