"""What was invoiced, received and credited, day by day and currency by currency: what figures over time are made of.

An invoice counts on its own date with its total, tax included, once it is issued (`invoice_narrowing.issued`). Money
counts on the day it was received, that of the books and that recorded here which is not there yet.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, or_, select

from crm.db import db
from crm.domain.periods import Span
from crm.models import Connection, Document, Payment, Receipt, SalesDocument
from crm.queries import freshness, payments, products
from crm.queries.invoice_narrowing import issued
from crm.queries.segment_measures import PassedOver

D = SalesDocument


class Taken(NamedTuple):
    """A sum of one day in one currency."""

    date: date | None
    currency: str
    amount: Decimal
    number: int
    """Of documents."""


def between(column: Any, span: Span) -> list[ColumnElement[bool]]:
    """That a day lies within the span."""
    found = [column >= span.since] if span.since else []
    return [*found, column <= span.until] if span.until else found


def in_home(column: Any) -> ColumnElement[bool]:
    """That an amount is in the home currency."""
    return column.in_(products.spelled_currencies(products.home_currency()))


def invoiced(span: Span) -> list[Taken]:
    query = (
        select(D.date, D.currency, func.sum(D.total), func.count())
        .where(*issued(), *between(D.date, span))
        .group_by(D.date, D.currency)
        .order_by(D.date, D.currency)
    )
    return [Taken(*row) for row in db.session.execute(query)]


def received(span: Span) -> list[Taken]:
    books = (
        select(Payment.date, Payment.currency, func.sum(Payment.total), func.count())
        .where(Payment.gone_at.is_(None), Payment.void.is_(False), *between(Payment.date, span))
        .group_by(Payment.date, Payment.currency)
        .order_by(Payment.date, Payment.currency)
    )
    here = (
        select(Receipt.date, Receipt.currency, func.sum(Receipt.amount), func.count())
        .where(
            Receipt.gone_at.is_(None), Receipt.voided_at.is_(None), payments.not_there(), *between(Receipt.date, span)
        )
        .group_by(Receipt.date, Receipt.currency)
        .order_by(Receipt.date, Receipt.currency)
    )
    return [Taken(*row) for query in (books, here) for row in db.session.execute(query)]


def others(span: Span, kinds: tuple[str, ...]) -> dict[str, list[Taken]]:
    """Kind -> what the books hold of it besides invoices: credit memos, sales receipts, refunds; voids left out."""
    query = (
        select(Document.kind, Document.currency, func.sum(Document.total), func.count())
        .where(
            Document.kind.in_(kinds), Document.gone_at.is_(None), Document.void.is_(False),
            *between(Document.date, span),
        )
        .group_by(Document.kind, Document.currency)
        .order_by(Document.kind, Document.currency)
    )  # fmt: skip
    found: dict[str, list[Taken]] = {}
    for kind, currency, amount, number in db.session.execute(query):
        found.setdefault(kind, []).append(Taken(None, currency, amount, number))
    return found


def anything() -> bool:
    """Whether there is a document or a payment at all: without one there is nothing to say."""
    # Passed over: SQLite would sort all that are not gone to find the first of them.
    queries = (
        select(D.id).where(D.template.is_(False), PassedOver(D.gone_at).is_(None)).order_by(D.id).limit(1),
        select(Payment.id).where(PassedOver(Payment.gone_at).is_(None)).order_by(Payment.id).limit(1),
        select(Receipt.id).where(Receipt.gone_at.is_(None)).order_by(Receipt.id).limit(1),
    )
    return any(db.session.scalar(query) is not None for query in queries)


class Company(NamedTuple):
    """The company in use, as far as figures need it."""

    name: str
    zone: str
    fiscal_year_begins: str
    as_of: Any
    """The moment up to which invoices, payments and credit memos are proven; None: not read whole yet."""


def company() -> Company | None:
    """The one connected first; None before any is."""
    known = (Connection.id, Connection.company_name, Connection.time_zone, Connection.preferences, Connection.read_at)
    query = select(*known).where(or_(Connection.company_name != "", Connection.currency != ""))
    found = db.session.execute(query.order_by(Connection.disconnected_at.is_not(None), Connection.id).limit(1)).first()
    if found is None:
        return None
    moments = freshness.proven(found.id, found.read_at)
    read = [moments[kind] for kind in freshness.DOCUMENTS if kind in moments]
    whole = min(read) if len(read) == len(freshness.DOCUMENTS) else None
    return Company(found.company_name, found.time_zone, str(found.preferences.get("fiscal_year_begins") or ""), whole)
