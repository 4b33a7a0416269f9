"""The list of what customers are worth: searched, narrowed, sorted.

A chance is kept as the text of a decimal from 0 to 1, which sorts like the number it spells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import case, func, select

from crm.db import db
from crm.domain.contacts import search_terms
from crm.domain.list_filters import PAGE_SIZE
from crm.domain.value_filters import Filters
from crm.models import Contact, CustomerValue
from crm.queries import contact_search

V = CustomerValue
COLUMNS: dict[str, Any] = {
    "expected": V.expected, "sales": V.sales, "simple": V.simple, "margin": V.margin, "chance": V.chance,
    "name": Contact.sort_name,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    contact_id: int
    name: str
    sales: Decimal
    margin: Decimal | None
    years: Decimal
    simple: Decimal | None
    expected: Decimal | None
    chance: Decimal | None
    sample: int
    as_of: date


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Row] = field(default_factory=list)
    number: int = 1
    size: int = PAGE_SIZE
    total: int = 0
    sales: Decimal = Decimal(0)
    expected: Decimal | None = None
    """Of all that the filters find."""


def page(filters: Filters) -> Page:
    found = _narrowed(select(func.count(), func.sum(V.sales), func.sum(V.expected)), filters)
    total, sales, expected = db.session.execute(found).one()
    number = min(filters.page, max(1, (total + PAGE_SIZE - 1) // PAGE_SIZE))
    query = _ordered(filters).limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)
    return Page(_rows(query), number, PAGE_SIZE, total, sales or Decimal(0), expected)


def each(filters: Filters, size: int = 1000) -> Iterator[Row]:
    """Everything the filters find, as the list is sorted: what the export is written from."""
    offset = 0
    while rows := _rows(_ordered(filters).limit(size).offset(offset)):
        yield from rows
        offset += size


def any_values() -> bool:
    return db.session.scalar(select(V.contact_id).order_by(V.contact_id).limit(1)) is not None


def _narrowed(query: Any, filters: Filters) -> Any:
    query = query.select_from(V).join(Contact, Contact.id == V.contact_id).where(Contact.archived_at.is_(None))
    if search_terms(filters.q):
        query = query.where(*contact_search.matching(search_terms(filters.q)))
    if filters.chance:
        query = query.where(V.chance >= Decimal("0.5") if filters.chance == "likely" else V.chance < Decimal("0.2"))
    if filters.least_amount is not None:
        query = query.where(V.sales >= filters.least_amount)
    if filters.margin:
        query = query.where(V.margin.is_not(None))
    return query


def _ordered(filters: Filters) -> Any:
    column = COLUMNS[filters.sort_key]
    direction = column.desc() if filters.descending else column.asc()
    missing_last = case((column.is_(None), 1), else_=0)
    query = select(
        V.contact_id, Contact.display_name, V.sales, V.margin, V.years, V.simple, V.expected, V.chance, V.sample,
        V.as_of,
    )  # fmt: skip
    return _narrowed(query, filters).order_by(missing_last, direction, V.contact_id)


def _rows(query: Any) -> list[Row]:
    return [Row(*row) for row in db.session.execute(query).all()]
