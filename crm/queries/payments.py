"""Payments as the list, its export and the API show them: those of the books, and those recorded here that are not
there yet.

The first rows of each side are put together, so that a page costs no more with many payments than with few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import aliased

from crm.db import db
from crm.domain.contacts import search_terms
from crm.domain.list_filters import PAGE_SIZE
from crm.domain.payment_filters import Filters
from crm.models import Contact, Link, ListEntry, Payment, Receipt, ReceiptPart
from crm.queries import contact_search, products
from crm.queries.segment_measures import PassedOver

MOST_COUNTED = 10_000
THERE: ColumnElement[bool] = PassedOver(Payment.gone_at).is_(None)
LEFT = (Payment.unapplied > literal_column("0"), PassedOver(Payment.void).is_(False))
"""Not wholly applied. Spelled as the index of these few says it, which SQLite would not find otherwise."""


@dataclass(frozen=True, slots=True)
class Row:
    origin: str
    """`books`, or `here` for one that is not there yet."""
    id: int
    """Of the mirror's payment, or of the receipt."""
    receipt_id: int | None
    """The payment recorded here that it is."""
    date: date | None
    contact_id: int | None
    contact: str | None
    method: str
    reference: str
    amount: Decimal
    unapplied: Decimal
    currency: str
    void: bool


@dataclass(frozen=True, slots=True)
class Page:
    """`more`: the list goes on beyond `total`, which was counted no further."""

    rows: list[Row] = field(default_factory=list)
    number: int = 1
    size: int = PAGE_SIZE
    total: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """In the home currency; void ones left out."""

    month: Decimal
    """Received this calendar month, what waits to be sent included."""
    unapplied: Decimal
    unapplied_count: int
    waiting: Decimal
    """Recorded here and not in the books yet."""
    waiting_count: int


def page(filters: Filters, *, size: int = PAGE_SIZE) -> Page:
    """The asked page of the list; the last one when there are fewer."""
    total = count(filters, most=MOST_COUNTED + 1)
    more = total > MOST_COUNTED
    total = min(total, MOST_COUNTED)
    number = min(filters.page, max(1, (total + size - 1) // size))
    return Page(rows(filters, limit=size, offset=(number - 1) * size) if total else [], number, size, total, more)


def count(filters: Filters, *, most: int | None = None) -> int:
    """How many the list holds, each side counted up to `most`."""
    found = 0
    for side in (_chosen(filters), _here(filters)):
        found += db.session.scalar(select(func.count()).select_from(side.limit(most).subquery())) or 0
    return found


def each(filters: Filters, *, size: int = 1000) -> Iterator[Row]:
    """All rows of the list in its order, read in stretches: what an export is written from."""
    offset = 0
    while found := rows(filters, limit=size, offset=offset):
        yield from found
        offset += size


def rows(filters: Filters, *, limit: int, offset: int = 0) -> list[Row]:
    first, second = (
        side.order_by(*_order(filters, side.selected_columns)).limit(limit + offset).subquery()
        for side in (_chosen(filters), _here(filters))
    )
    both = union_all(_there(first), select(second)).subquery()
    query = select(both).order_by(*_order(filters, both.c)).limit(limit).offset(offset)
    return [Row(*row) for row in db.session.execute(query)]


def figures(today: date, currency: str) -> Figures:
    of_home = Payment.currency.in_((currency, ""))
    money = (Payment.gone_at.is_(None), Payment.void.is_(False), of_home)
    first = today.replace(day=1)
    month = db.session.scalar(select(func.sum(Payment.total)).where(*money, Payment.date.between(first, today)))
    left, lefts = db.session.execute(
        select(func.sum(Payment.unapplied), func.count()).where(*LEFT, THERE, of_home)
    ).one()
    here = (*_waiting(), Receipt.currency.in_((currency, "")))
    waiting, number = db.session.execute(select(func.sum(Receipt.amount), func.count()).where(*here)).one()
    new = db.session.scalar(select(func.sum(Receipt.amount)).where(*here, Receipt.date.between(first, today)))
    zero = Decimal(0)
    return Figures((month or zero) + (new or zero), left or zero, lefts, waiting or zero, number)


def methods() -> list[str]:
    """Names of the methods that payments can be narrowed by."""
    query = select(ListEntry.name).where(ListEntry.kind == "payment_method").distinct()
    return sorted(db.session.scalars(query), key=str.casefold)


def any_payments() -> bool:
    query = select(or_(exists(select(Payment.id)), exists(select(Receipt.id))))
    return bool(db.session.scalar(query))


# --- the two sides --------------------------------------------------------------------------------------------


def not_there(receipt: Any = Receipt) -> ColumnElement[bool]:
    """The books do not hold it."""
    return ~exists(select(Link.id).where(Link.kind == "payment", Link.local_id == receipt.id, Link.state != "gone"))


def _waiting() -> tuple[ColumnElement[bool], ...]:
    return Receipt.gone_at.is_(None), Receipt.voided_at.is_(None), not_there()


def _chosen(filters: Filters) -> Select[Any]:
    """Which payments of the books, with what they are sorted by and nothing else: an index holds that, and the rest is
    then looked up for those of one page alone."""
    sorted_by: dict[str, Any] = {
        "amount": Payment.total,
        "unapplied": Payment.unapplied,
        "contact": Contact.display_name,
    }
    few = filters.contact or filters.unapplied
    unordered = filters.sort_key in ("contact", "unapplied") and not (filters.since or filters.until)
    # SQLite knows no figures: where few are wanted, or another order, it would still go through all by their days.
    there = THERE if few or unordered else Payment.gone_at.is_(None)
    columns: tuple[Any, ...] = (
        literal("books").label("origin"), Payment.id.label("id"), Payment.date.label("date"),
        *(column.label(key) for key, column in sorted_by.items() if key == filters.sort_key),
    )  # fmt: skip
    query = select(*columns).where(there, *_narrowed(filters, Payment, Payment.total))
    if filters.q or filters.sort_key == "contact":
        query = query.outerjoin(Contact, Contact.id == Payment.contact_id)
    if filters.method:
        query = query.where(Payment.method == filters.method)
    if filters.unapplied:
        query = query.where(*LEFT)
    if filters.state:
        wanted = {"standing": Payment.void.is_(False), "void": Payment.void.is_(True), "waiting": false()}
        query = query.where(wanted[filters.state])
    return query


def _there(chosen: Subquery) -> Select[Any]:
    paid = aliased(Link)
    link = (paid.connection_id == Payment.connection_id) & (paid.kind == "payment") & (
        paid.remote_id == Payment.remote_id)  # fmt: skip
    columns: tuple[Any, ...] = (
        chosen.c.origin, chosen.c.id, paid.local_id.label("receipt_id"),
        chosen.c.date, Payment.contact_id.label("contact_id"),
        Contact.display_name.label("contact"), Payment.method.label("method"),
        Payment.reference.label("reference"), Payment.total.label("amount"),
        Payment.unapplied.label("unapplied"), Payment.currency.label("currency"), Payment.void.label("void"),
    )  # fmt: skip
    return (
        select(*columns)
        .select_from(chosen)
        .join(Payment, Payment.id == chosen.c.id)
        .outerjoin(Contact, Contact.id == Payment.contact_id)
        .outerjoin(paid, link)
    )


def _here(filters: Filters) -> Select[Any]:
    applied = (
        select(func.coalesce(func.sum(ReceiptPart.amount), 0))
        .where(ReceiptPart.receipt_id == Receipt.id)
        .correlate(Receipt)
        .scalar_subquery()
    )
    rest = Receipt.amount - applied
    left = case((rest > 0, rest), else_=Receipt.amount - Receipt.amount)  # credits may cover what the money does not
    void = Receipt.voided_at.is_not(None)
    query: Select[Any] = (
        select(literal("here").label("origin"), Receipt.id.label("id"), Receipt.id.label("receipt_id"),
               Receipt.date.label("date"), Receipt.contact_id.label("contact_id"),
               Contact.display_name.label("contact"), func.coalesce(ListEntry.name, "").label("method"),
               Receipt.reference.label("reference"), Receipt.amount.label("amount"), left.label("unapplied"),
               Receipt.currency.label("currency"), void.label("void"))
        .outerjoin(Contact, Contact.id == Receipt.contact_id)
        .outerjoin(ListEntry, and_(ListEntry.connection_id == Receipt.connection_id,
                                   ListEntry.kind == "payment_method", ListEntry.remote_id == Receipt.method))
        .where(Receipt.gone_at.is_(None), not_there(), *_narrowed(filters, Receipt, Receipt.amount))
    )  # fmt: skip
    if filters.method:
        query = query.where(ListEntry.name == filters.method)
    if filters.unapplied:
        query = query.where(left > 0, ~void)
    if filters.state:
        query = query.where(void if filters.state == "void" else ~void)
    return query


def _narrowed(filters: Filters, table: Any, amount: Any) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.contact:
        conditions.append(table.contact_id == int(filters.contact))
    if filters.since:
        conditions.append(table.date >= date.fromisoformat(filters.since))
    if filters.until:
        conditions.append(table.date <= date.fromisoformat(filters.until))
    if filters.currency:
        conditions.append(table.currency.in_(products.spelled_currencies(filters.currency)))
    if filters.q:
        terms = search_terms(filters.q)
        found: list[ColumnElement[bool]] = [func.lower(table.reference).contains(filters.q.lower(), autoescape=True)]
        if terms:
            found.append(and_(true(), *contact_search.matching(terms)))
        if filters.amount is not None:
            found.append(amount == filters.amount)
        conditions.append(or_(*found))
    return conditions


def _order(filters: Filters, columns: Any) -> Sequence[Any]:
    column = columns[filters.sort_key]
    if filters.sort_key == "contact":
        column = func.lower(func.coalesce(column, ""))
    newest = (columns.date.desc(), columns.origin, columns.id.desc())
    return [column.desc() if filters.descending else column, *newest]
