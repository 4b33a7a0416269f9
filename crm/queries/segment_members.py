"""Who is in a segment since when, who came and left, and the segments of one contact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func, nulls_last, select

from crm.db import db
from crm.domain.contacts import search_terms
from crm.domain.list_filters import PAGE_SIZE
from crm.domain.segment_filters import HistoryFilters, MemberFilters
from crm.models import Contact, MoneyFacts, Segment, SegmentChange, SegmentMember
from crm.queries.contact_search import matching

SORTS: dict[str, Any] = {
    "name": Contact.sort_name, "since": SegmentMember.since, "balance": MoneyFacts.balance_with_jobs,
    "sales": MoneyFacts.total_sales,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """One line of the members. Money is None where the books know nothing of the contact."""

    id: int
    name: str
    company: str
    phone: str
    email: str
    city: str
    total_sales: Decimal | None
    balance: Decimal | None
    currency: str
    since: datetime
    archived: bool
    """Only in static segments: a live one has no archived members."""


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody came or left. `cause`: as in `SegmentChange`."""

    id: int
    at: datetime
    contact_id: int
    contact: str
    entered: bool
    cause: str
    version: int


@dataclass(frozen=True, slots=True)
class Membership:
    """A segment a contact is in."""

    id: int
    name: str
    kind: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Move:
    """A segment a contact came into or left."""

    at: datetime
    id: int
    name: str
    entered: bool
    cause: str


@dataclass(frozen=True, slots=True)
class Page:
    """Of members, or of changes."""

    rows: Sequence[Any] = field(default_factory=list)
    number: int = 1
    size: int = PAGE_SIZE
    total: int = 0


def members(segment_id: int, filters: MemberFilters, *, now: datetime) -> Page:
    """The asked page of its members; the last one when there are fewer."""
    ids = _members(segment_id, filters)
    total = _count(ids)
    number = _number(filters.page, total)
    found = _ordered(ids, filters).limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)
    return Page([_member(row) for row in db.session.execute(found)] if total else [], number, PAGE_SIZE, total)


def each_member(segment_id: int, filters: MemberFilters, *, now: datetime) -> Iterator[Member]:
    """All of them in the order of the list: what an export is written from."""
    query = _ordered(_members(segment_id, filters), filters)
    for row in db.session.execute(query.execution_options(yield_per=500)):
        yield _member(row)


def history(segment_id: int, filters: HistoryFilters) -> Page:
    """Who came and left, newest first."""
    query = _changes(segment_id, filters)
    total = _count(query)
    number = _number(filters.page, total)
    found = _latest(query).limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)
    return Page([Change(*row) for row in db.session.execute(found)] if total else [], number, PAGE_SIZE, total)


def each_change(segment_id: int, filters: HistoryFilters) -> Iterator[Change]:
    for row in db.session.execute(_latest(_changes(segment_id, filters)).execution_options(yield_per=500)):
        yield Change(*row)


def of_contact(contact_id: int) -> list[Membership]:
    """The segments in use it is in now, by name."""
    found = db.session.execute(
        select(Segment.id, Segment.name, Segment.kind, SegmentMember.since)
        .join(SegmentMember, SegmentMember.segment_id == Segment.id)
        .where(SegmentMember.contact_id == contact_id, Segment.archived_at.is_(None))
        .order_by(Segment.sort_name, Segment.id)
    )
    return [Membership(*row) for row in found]


def members_of(segment_id: int, contact_ids: Sequence[int]) -> set[int]:
    """Which of these contacts are in it."""
    m = SegmentMember
    return set(db.session.scalars(
        select(m.contact_id).where(m.segment_id == segment_id, m.contact_id.in_(contact_ids))
    ))  # fmt: skip


def membership(segment_id: int, contact_id: int) -> SegmentMember | None:
    """None where the contact is not in it."""
    return db.session.get(SegmentMember, (segment_id, contact_id), populate_existing=True)


def past(segment_id: int, contact_id: int, limit: int = 20) -> list[Change]:
    """When this contact came and left, newest first."""
    c = SegmentChange
    query = select(c.id).join(Contact, Contact.id == c.contact_id)
    query = query.where(c.segment_id == segment_id, c.contact_id == contact_id)
    return [Change(*row) for row in db.session.execute(_latest(query).limit(limit))]


def moves_of_contact(contact_id: int, limit: int = 20) -> list[Move]:
    """What it came into and left, newest first."""
    c = SegmentChange
    found = db.session.execute(
        select(c.at, Segment.id, Segment.name, c.entered, c.cause)
        .join(Segment, Segment.id == c.segment_id)
        .where(c.contact_id == contact_id)
        .order_by(c.at.desc(), c.id.desc())
        .limit(limit)
    )
    return [Move(*row) for row in found]


# --- parts ----------------------------------------------------------------------------------------------------


def _members(segment_id: int, filters: MemberFilters) -> Select[Any]:
    """Ids, joined with contacts only where something of them is asked."""
    query = select(SegmentMember.contact_id).where(SegmentMember.segment_id == segment_id)
    conditions = matching(search_terms(filters.q))
    return query.join(Contact, Contact.id == SegmentMember.contact_id).where(*conditions) if conditions else query


def _ordered(ids: Select[Any], filters: MemberFilters) -> Any:
    c, m = Contact, MoneyFacts
    column = SORTS[filters.sort_key]
    order = column.desc() if filters.descending else column
    if not matching(search_terms(filters.q)):
        ids = ids.join(c, c.id == SegmentMember.contact_id)
    listed: Any = ids
    return (
        listed.with_only_columns(
            c.id, c.display_name, c.company_name, c.phone, c.email, c.city, m.total_sales, m.balance_with_jobs,
            m.currency, SegmentMember.since, c.archived_at,
        )
        .outerjoin(m, m.contact_id == c.id)
        .order_by(nulls_last(order), c.id)
    )  # fmt: skip


def _member(row: Any) -> Member:
    id_, name, company, phone, email, city, sales, balance, currency, since, archived_at = row
    return Member(id_, name, company, phone, email, city, sales, balance, currency or "", since,
                  archived_at is not None)  # fmt: skip


def _changes(segment_id: int, filters: HistoryFilters) -> Select[Any]:
    c = SegmentChange
    query = select(c.id).join(Contact, Contact.id == c.contact_id).where(c.segment_id == segment_id)
    query = query.where(*matching(search_terms(filters.q)))
    if filters.way:
        query = query.where(c.entered.is_(filters.way == "in"))
    if filters.cause:
        query = query.where(c.cause == filters.cause)
    if filters.since:
        query = query.where(c.at >= datetime.combine(filters.since, time(), UTC))
    if filters.until:
        query = query.where(c.at < datetime.combine(filters.until + timedelta(days=1), time(), UTC))
    return query


def _latest(query: Select[Any]) -> Any:
    c = SegmentChange
    columns = (c.id, c.at, c.contact_id, Contact.display_name, c.entered, c.cause, c.version)
    return query.with_only_columns(*columns).order_by(c.at.desc(), c.id.desc())


def _count(query: Select[Any]) -> int:
    return db.session.scalar(select(func.count()).select_from(query.subquery())) or 0


def _number(asked: int, total: int) -> int:
    return min(asked, max(1, (total + PAGE_SIZE - 1) // PAGE_SIZE))
