"""What is sold: lines of issued invoices by product, with the cost that was known when each line was written.

Home currency only. A line counts with its own amount, before discounts of the whole invoice and before tax; a part the
customer did not choose does not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, case, func, or_, select

from crm.db import db
from crm.domain.periods import Span
from crm.domain.sales import SOLD
from crm.models import Contact, Product, SalesDocument, SalesLine
from crm.queries.insight_money import between, in_home
from crm.queries.insight_stored import stored
from crm.queries.invoice_narrowing import issued

D, L = SalesDocument, SalesLine
FREE = "none"
"""Instead of a product's id: lines without one."""
PRODUCTS = "products"
KNOWN: dict[str, str] = {"yes": "Cost known", "no": "Cost not known"}


class Sold(NamedTuple):
    product_id: int | None
    name: str
    category: str
    type: str
    lines: int
    amount: Decimal
    known: Decimal
    """What of the amount is of lines whose cost is known."""
    cost: Decimal
    """Of those lines."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of lines is narrowed by; empty means all."""

    span: Span
    product: str = ""
    """An id, or FREE."""
    category: str | None = None
    """The path of a category; empty text: products that have none. None: any."""
    type: str = ""
    known: str = ""
    """A key of KNOWN."""


class Line(NamedTuple):
    document_id: int
    number: str
    date: date | None
    contact_id: int | None
    contact: str | None
    name: str
    description: str
    amount: Decimal
    cost: Decimal | None


def counting() -> ColumnElement[bool]:
    """Lines with an amount of their own that the customer takes."""
    return L.kind.in_(SOLD) & (L.chosen.is_(True) | L.optional.is_(False)) & L.amount.is_not(None)


def by_product(span: Span) -> list[Sold]:
    """The highest sums first; lines without a product are one of them. Worked out beforehand where that was done."""
    found = stored(PRODUCTS, span)
    if found is None:
        return by_product_now(span)
    return [Sold(*row[:5], *(Decimal(amount) for amount in row[5:])) for row in found.rows]


def by_product_now(span: Span) -> list[Sold]:
    known = L.cost.is_not(None)
    query = (
        select(
            L.product_id, func.count(), func.sum(L.amount), func.sum(case((known, L.amount))), func.sum(L.cost),
        )
        .select_from(D)
        .join(L, L.document_id == D.id)
        .where(*issued(), in_home(D.currency), *between(D.date, span), counting())
        .group_by(L.product_id)
    )  # fmt: skip
    rows = db.session.execute(query).all()
    products = db.session.execute(select(Product.id, Product.name, Product.category, Product.type))
    named = {row.id: row for row in products}
    zero = Decimal(0)
    found = []
    for product_id, lines, amount, covered, cost in rows:
        product = named.get(product_id)
        name, category, type_ = (product.name, product.category, product.type) if product else ("", "", "")
        found.append(Sold(product_id, name, category, type_, lines, amount or zero, covered or zero, cost or zero))
    return sorted(found, key=lambda one: (-one.amount, one.name, one.product_id or 0))


def lines(filters: Filters, *, limit: int, offset: int = 0) -> list[Line]:
    """The newest first."""
    query = (
        _chosen(
            filters, D.id, D.number, D.date, D.contact_id, Contact.display_name, L.name, L.description, L.amount, L.cost
        )
        .outerjoin(Contact, Contact.id == D.contact_id)
        .order_by(D.date.desc(), D.id.desc(), L.position)
        .limit(limit)
        .offset(offset)
    )
    return [Line(*row) for row in db.session.execute(query)]


def each(filters: Filters, *, size: int = 1000) -> Iterator[Line]:
    """All of them, read in stretches: what an export is written from."""
    offset = 0
    while found := lines(filters, limit=size, offset=offset):
        yield from found
        offset += size


def summed(filters: Filters) -> tuple[int, Decimal, Decimal, Decimal]:
    """How many lines, their amounts, what of these has a known cost, and that cost."""
    covered = func.sum(case((L.cost.is_not(None), L.amount)))
    row = db.session.execute(_chosen(filters, func.count(), func.sum(L.amount), covered, func.sum(L.cost))).one()
    zero = Decimal(0)
    return row[0], row[1] or zero, row[2] or zero, row[3] or zero


def product_name(product_id: int) -> str:
    return db.session.scalar(select(Product.name).where(Product.id == product_id)) or ""


def _chosen(filters: Filters, *columns: Any) -> Select[Any]:
    query = (
        select(*columns)
        .select_from(D)
        .join(L, L.document_id == D.id)
        .where(*issued(), in_home(D.currency), *between(D.date, filters.span), counting())
    )
    if filters.product:
        query = query.where(L.product_id.is_(None) if filters.product == FREE else L.product_id == int(filters.product))
    if filters.category is not None or filters.type:
        query = query.outerjoin(Product, Product.id == L.product_id)
    if filters.category:
        query = query.where(Product.category == filters.category)
    elif filters.category is not None:
        query = query.where(or_(Product.category == "", Product.id.is_(None)))
    if filters.type:
        query = query.where(Product.type == filters.type if filters.type != FREE else Product.id.is_(None))
    if filters.known:
        query = query.where(L.cost.is_not(None) if filters.known == "yes" else L.cost.is_(None))
    return query
