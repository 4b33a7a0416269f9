"""What forecasts are learned from, customer by customer, a range of contacts at a time, so that memory stays flat.

Days of settlement are exact: the day of the last payment or credit that was applied to an invoice on which nothing is
open any more. Invoices settled by nothing that is known (a deposit on their own paper) are left out. Of amounts, only
those in the company's home currency.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import aliased

from crm.db import db
from crm.domain.amounts import ZERO
from crm.domain.customer_value import Sale
from crm.domain.days import company_day
from crm.domain.payment_dates import Bill
from crm.domain.quote_days import QuoteRow, offer_of
from crm.domain.quote_outlook import Offer
from crm.models import Contact, Document, Link, Payment, PaymentApplication, SalesDocument
from crm.queries.segment_measures import PassedOver

STEP = 5_000
"""Contacts at a time: fewer, and PostgreSQL goes through all applications of payments more often."""
Range = tuple[int, int] | None
"""Contacts after the first up to the second; None: what belongs to no contact."""


def ranges() -> Iterator[Range]:
    """All contacts in steps, then None."""
    last = db.session.scalar(select(func.max(Contact.id))) or 0
    for start in range(0, last, STEP):
        yield start, start + STEP
    yield None


def within(column: Any, part: Range) -> ColumnElement[bool]:
    """Of these contacts. What stands beside it is `PassedOver`: SQLite knows no figures, and would rather go through
    all documents of a kind for each range than to those of its contacts."""
    return column.is_(None) if part is None else and_(column > part[0], column <= part[1])


def bills() -> Iterator[tuple[int, list[Bill]]]:
    """(customer, their invoices) for everybody; a customer without a contact has a negative number of its own."""
    for part in ranges():
        yield from bills_of(part)


def bills_of(part: Range) -> Iterator[tuple[int, list[Bill]]]:
    used, money = PaymentApplication, Payment
    whose = Document.contact_id if part is not None else Document.customer_remote_id
    query = (
        select(
            Document.id, whose.label("whose"), Document.date, Document.due_date,
            or_(Document.balance.is_(None), Document.balance > 0).label("open"),
            func.max(money.date).label("last"),
            func.max(case((money.total > 0, money.date))).label("last_money"),
        )
        .outerjoin(used, and_(
            used.connection_id == Document.connection_id, used.document_kind == "invoice",
            used.document_remote_id == Document.remote_id, used.amount > 0,
        ))
        .outerjoin(money, and_(
            money.connection_id == used.connection_id, money.remote_id == used.payment_remote_id,
            money.void.is_(False), money.gone_at.is_(None),
        ))
        .where(
            within(Document.contact_id, part), PassedOver(Document.kind) == "invoice", Document.void.is_(False),
            PassedOver(Document.gone_at).is_(None), Document.total > 0, PassedOver(Document.date).is_not(None),
        )
        .group_by(PassedOver(Document.id))
        .order_by(whose, Document.id)
    )  # fmt: skip
    found = db.session.execute(query).all()
    for number, (key, rows) in enumerate(groupby(found, key=lambda row: row.whose)):
        made = [bill for row in rows if (bill := _bill(row)) is not None]
        if made:
            yield (key if part is not None else -1 - number), made


def _bill(row: Any) -> Bill | None:
    issued = row.date.toordinal()
    due = row.due_date.toordinal() if row.due_date else issued
    if row.open:
        return Bill(row.id, issued, due, None, False)
    if row.last is None:
        return None
    return Bill(row.id, issued, due, max(_day(row.last).toordinal(), issued), row.last == row.last_money)


def _day(value: Any) -> date:
    """The greatest of days comes back as SQLite keeps it, where the type is lost in a CASE."""
    return date.fromisoformat(value) if isinstance(value, str) else value


def sales(home: str) -> Iterator[list[Sale]]:
    for part in ranges():
        for _, made in sales_of(part, home):
            yield made


def sales_of(part: Range, home: str) -> Iterator[tuple[int, list[Sale]]]:
    """(contact, their invoices and credits, without tax); nothing for what has no contact."""
    if part is None:
        return
    query = (
        select(Document.contact_id, Document.date, Document.kind, Document.total, Document.tax)
        .where(
            within(Document.contact_id, part), PassedOver(Document.kind).in_(("invoice", "credit_memo")),
            Document.void.is_(False), PassedOver(Document.gone_at).is_(None),
            PassedOver(Document.date).is_not(None), _home(Document, home),
        )
        .order_by(Document.contact_id, Document.date, Document.id)
    )  # fmt: skip
    for key, rows in groupby(db.session.execute(query).all(), key=lambda row: row.contact_id):
        yield (
            key,
            [
                Sale(row.date.toordinal(), (row.total - (row.tax or ZERO)) * (-1 if row.kind == "credit_memo" else 1))
                for row in rows
            ],
        )


def offers(home: str, zone: str, today: date) -> Iterator[list[Offer]]:
    for part in ranges():
        yield offers_of(part, home, zone, today)


def offers_of(part: Range, home: str, zone: str, today: date) -> list[Offer]:
    quote, there, made = SalesDocument, aliased(Document), aliased(SalesDocument)
    stands = (PassedOver(made.kind) == "invoice", PassedOver(made.gone_at).is_(None), made.state != "void")
    # SQLite would look for the least date in the order of dates, through all invoices for each quote.
    first_day = func.min(PassedOver(made.date))
    invoiced = select(first_day).where(made.quote_id == quote.id, *stands).scalar_subquery()
    firsts: dict[int, date] = {}
    if part is not None:
        first = select(made.contact_id, func.min(made.date).label("day")).where(within(made.contact_id, part), *stands)
        firsts = {row.contact_id: row.day for row in db.session.execute(first.group_by(made.contact_id))}
    books = _invoice_days(part)
    query = (
        select(
            quote.id, quote.contact_id, quote.state, quote.date, quote.sent_at, quote.decided_at, quote.expires_on,
            quote.total, quote.tax, quote.books_total, invoiced.label("invoiced"), there.connection_id,
            there.record["accepted_on"].as_string().label("accepted_on"), there.record["linked"].label("linked"),
        )
        .outerjoin(Link, and_(Link.kind == "estimate", Link.local_id == quote.id, Link.state != "gone"))
        .outerjoin(there, and_(
            there.connection_id == Link.connection_id, there.kind == "estimate", there.remote_id == Link.remote_id,
        ))
        .where(
            within(quote.contact_id, part), PassedOver(quote.kind) == "estimate",
            PassedOver(quote.template).is_(False), PassedOver(quote.gone_at).is_(None), _home(quote, home),
        )
        .order_by(quote.contact_id, quote.id, there.id)
    )  # fmt: skip
    rows = (_quote_row(row, books, firsts.get(row.contact_id), zone) for row in db.session.execute(query).all())
    return [offer for row in rows if (offer := offer_of(row, today=today)) is not None]


def _quote_row(row: Any, books: Mapping[tuple[int, str], date], first: date | None, zone: str) -> QuoteRow:
    """What the books say of its acceptance counts: when a change of it was read here says less."""
    accepted = date.fromisoformat(row.accepted_on) if row.accepted_on else None
    linked = [books.get((row.connection_id, one.get("remote_id", ""))) for one in row.linked or ()
              if one.get("kind") == "invoice"]  # fmt: skip
    return QuoteRow(
        row.id, row.state, row.date, company_day(row.sent_at, zone) if row.sent_at else None,
        accepted or (company_day(row.decided_at, zone) if row.decided_at else None), row.expires_on,
        min((day for day in (row.invoiced, *linked) if day), default=None), row.books_total is not None,
        row.total - (row.tax or ZERO), first,
    )  # fmt: skip


def _invoice_days(part: Range) -> dict[tuple[int, str], date]:
    """The books' invoices that stand: (connection, id) -> day."""
    query = select(Document.connection_id, Document.remote_id, Document.date).where(
        within(Document.contact_id, part), PassedOver(Document.kind) == "invoice",
        PassedOver(Document.gone_at).is_(None), Document.void.is_(False), PassedOver(Document.date).is_not(None),
    )  # fmt: skip
    return {(row.connection_id, row.remote_id): row.date for row in db.session.execute(query)}


def abroad(kind: str, home: str) -> int:
    """Open documents of this kind in other currencies: they are in no sum."""
    open_ones = (SalesDocument.state == "open", SalesDocument.balance > 0) if kind == "invoice" else (
        SalesDocument.state.in_(("sent", "viewed")), SalesDocument.template.is_(False),
    )  # fmt: skip
    query = select(func.count()).select_from(SalesDocument)
    other = (SalesDocument.currency != "", SalesDocument.currency != home)
    return db.session.scalar(query.where(
        SalesDocument.kind == kind, SalesDocument.gone_at.is_(None), *other, *open_ones,
    )) or 0  # fmt: skip


def _home(model: Any, home: str) -> ColumnElement[bool]:
    return or_(model.currency == home, model.currency == "")
