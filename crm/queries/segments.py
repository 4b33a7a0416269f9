"""Segments as pages show them: the list, one of them, what its members come to, its versions, choices.

Members and history are read by `segment_members`, and offered here too, so that pages ask one module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import joinedload

from crm.db import db
from crm.domain import segments as trees
from crm.domain.errors import Invalid
from crm.domain.list_filters import PAGE_SIZE
from crm.domain.names import fold
from crm.domain.segment_filters import SegmentFilters
from crm.models import MoneyFacts, Segment, SegmentChange, SegmentMember, SegmentVersion, User
from crm.queries import segment_names
from crm.queries.insight_stored import Stored, stored
from crm.queries.segment_members import (
    each_change,
    each_member,
    history,
    members,
    members_of,
    membership,
    moves_of_contact,
    of_contact,
    past,
)
from crm.queries.segment_sql import home_currency

__all__ = [
    "Page", "Row", "Sums", "any_segments", "choices", "count", "each", "each_change", "each_member", "history",
    "members", "members_of", "membership", "moves_of_contact", "of_contact", "one", "page", "past", "sums", "sums_of",
    "versions",
]  # fmt: skip

LATELY = timedelta(days=7)
SEGMENTS = "segments"
"""Under which sums of segments are kept where they have very many members: `services/insight_results`."""
SORTS: dict[str, Any] = {"name": Segment.sort_name, "members": Segment.members, "changed": Segment.updated_at}
UNREADABLE = "These rules cannot be read any more. Build them again."


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list. Amounts in the company's home currency, of all members together."""

    id: int
    name: str
    description: str
    kind: str
    words: str
    """The rules in a sentence."""
    members: int
    total_sales: Decimal
    balance: Decimal
    came: int
    left: int
    """Within the last seven days, other than by a change of the rules."""
    owner: str
    refreshed_at: datetime | None
    updated_at: datetime
    archived: bool
    error: str


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Row] = field(default_factory=list)
    number: int = 1
    size: int = PAGE_SIZE
    total: int = 0
    summed_at: datetime | None = None
    """As of when amounts are, where they were worked out beforehand; None: now."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Of all members together, in the company's home currency."""

    total_sales: Decimal = Decimal(0)
    balance: Decimal = Decimal(0)


def page(filters: SegmentFilters, *, now: datetime) -> Page:
    """The asked page of the list; the last one when there are fewer."""
    total = count(filters)
    number = min(filters.page, max(1, (total + PAGE_SIZE - 1) // PAGE_SIZE))
    kept = stored(SEGMENTS, None)
    rows = _rows(filters, PAGE_SIZE, (number - 1) * PAGE_SIZE, now, kept)
    told = kept is not None and any(row.updated_at <= kept.made_at for row in rows)
    return Page(rows, number, PAGE_SIZE, total, kept.made_at if kept is not None and told else None)


def count(filters: SegmentFilters) -> int:
    return db.session.scalar(select(func.count()).select_from(Segment).where(*_conditions(filters))) or 0


def each(filters: SegmentFilters, *, now: datetime) -> Iterator[Row]:
    """All rows of the list in its order: what an export is written from."""
    offset = 0
    while found := _rows(filters, PAGE_SIZE, offset, now, None):
        yield from found
        offset += PAGE_SIZE


def any_segments() -> bool:
    return db.session.scalar(select(Segment.id).limit(1)) is not None


def one(segment_id: int) -> Segment | None:
    query = select(Segment).options(joinedload(Segment.owner)).where(Segment.id == segment_id)
    return db.session.scalars(query.execution_options(populate_existing=True)).first()


def choices() -> list[tuple[str, str]]:
    """(id, name) of the segments in use."""
    query = select(Segment.id, Segment.name).where(Segment.archived_at.is_(None))
    return [(str(row.id), row.name) for row in db.session.execute(query.order_by(Segment.sort_name, Segment.id))]


def versions(segment_id: int) -> Sequence[SegmentVersion]:
    """Of its rules, the latest first."""
    query = select(SegmentVersion).where(SegmentVersion.segment_id == segment_id)
    return db.session.scalars(query.order_by(SegmentVersion.version.desc())).all()


def sums(segment_id: int) -> Sums:
    return sums_of([segment_id]).get(segment_id, Sums())


def sums_of(segment_ids: Sequence[int]) -> dict[int, Sums]:
    """Of each with members whom the books know, as it stands now: read member by member."""
    if not segment_ids:
        return {}
    m = MoneyFacts
    found = db.session.execute(
        select(SegmentMember.segment_id, func.sum(m.total_sales), func.sum(m.balance_with_jobs))
        .join(m, m.contact_id == SegmentMember.contact_id)
        .where(SegmentMember.segment_id.in_(segment_ids), m.currency.in_(("", home_currency())))
        .group_by(SegmentMember.segment_id)
    )
    return {id_: Sums(sales or Decimal(0), balance or Decimal(0)) for id_, sales, balance in found}


# --- parts ----------------------------------------------------------------------------------------------------


def _conditions(filters: SegmentFilters) -> list[ColumnElement[bool]]:
    archived = Segment.archived_at.is_not(None) if filters.archived else Segment.archived_at.is_(None)
    found: list[ColumnElement[bool]] = [archived]
    for term in fold(filters.q).split():
        named = Segment.sort_name.contains(term, autoescape=True)
        found.append(named | func.lower(Segment.description).contains(term, autoescape=True))
    if filters.kind:
        found.append(Segment.kind == filters.kind)
    if filters.owner:
        mine = Segment.owner_id.is_(None) if filters.owner == "none" else Segment.owner_id == int(filters.owner)
        found.append(mine)
    return found


def _rows(filters: SegmentFilters, limit: int, offset: int, now: datetime, kept: Stored | None) -> list[Row]:
    """`kept`: sums that need not be asked for, but of segments that a person changed since."""
    column = SORTS[filters.sort_key]
    order = column.desc() if filters.descending else column
    found = db.session.execute(
        select(Segment, User.name, User.email)
        .outerjoin(User, User.id == Segment.owner_id)
        .where(*_conditions(filters))
        .order_by(order, Segment.sort_name, Segment.id)
        .limit(limit)
        .offset(offset)
        .execution_options(populate_existing=True)
    ).all()
    ids = [segment.id for segment, _, _ in found]
    money = _kept_sums(kept, [segment for segment, _, _ in found])
    money |= sums_of([id_ for id_ in ids if id_ not in money])
    told, moved = _words([segment for segment, _, _ in found]), _moved(ids, now)
    return [
        Row(
            one.id, one.name, one.description, one.kind, told[one.id], one.members,
            money.get(one.id, Sums()).total_sales, money.get(one.id, Sums()).balance, *moved.get(one.id, (0, 0)),
            name or email or "", one.refreshed_at, one.updated_at, one.archived_at is not None, one.error,
        )
        for one, name, email in found
    ]  # fmt: skip


def _words(found: Sequence[Segment]) -> dict[int, str]:
    """Rules that cannot be read any more must not keep the list from being shown."""
    read: dict[int, trees.Group] = {}
    for segment in found:
        try:
            read[segment.id] = trees.read(segment.rules) if segment.rules else trees.Group()
        except Invalid:
            continue
    names, currency = segment_names.names(*read.values()), home_currency()
    return {one.id: trees.words(read[one.id], names, currency) if one.id in read else UNREADABLE for one in found}


def _kept_sums(kept: Stored | None, found: Sequence[Segment]) -> dict[int, Sums]:
    if kept is None:
        return {}
    rows = {id_: Sums(Decimal(sales), Decimal(balance)) for id_, sales, balance in kept.rows}
    return {one.id: rows[one.id] for one in found if one.id in rows and one.updated_at <= kept.made_at}


def _moved(segment_ids: Sequence[int], now: datetime) -> dict[int, tuple[int, int]]:
    if not segment_ids:
        return {}
    c = SegmentChange
    found = db.session.execute(
        select(c.segment_id, func.sum(case((c.entered, 1), else_=0)), func.sum(case((c.entered, 0), else_=1)))
        .where(c.segment_id.in_(segment_ids), c.at >= now - LATELY, c.cause != "rules")
        .group_by(c.segment_id)
    )
    return {id_: (int(came), int(left)) for id_, came, left in found}
