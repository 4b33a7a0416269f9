"""Expected dates of payment for every open invoice, the cash they bring by week, and how such dates did before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, func, insert, select

from crm.db import db, table_of, transaction
from crm.domain import payment_backtest
from crm.domain.amounts import ZERO
from crm.domain.payment_dates import (
    CLOCKS,
    DUE,
    LEAST_COMPANY,
    NONE,
    Bill,
    Company,
    Expected,
    LessonsOfDays,
    chance_until,
    expect,
    own_history,
)
from crm.domain.quote_outlook import Sum
from crm.domain.survival import NOTHING
from crm.models import Link, PaymentExpectation, Receipt, ReceiptPart, SalesDocument
from crm.queries import forecast_history as histories
from crm.services.forecasting.company import Books
from crm.services.forecasting.spool import Spool

WEEKS = 13
ROWS = table_of(PaymentExpectation)
History = tuple[int, list[Bill]]
"""A customer and their invoices."""


@dataclass(slots=True)
class Cash:
    """What open invoices in the home currency bring."""

    weeks: list[Sum] = field(default_factory=lambda: [Sum() for _ in range(WEEKS)])
    due: list[Decimal] = field(default_factory=lambda: [ZERO] * WEEKS)
    """The simple way: what falls due in the week; in the first also what is late already."""
    later: Decimal = ZERO
    undated: Decimal = ZERO
    undated_count: int = 0
    total: Decimal = ZERO
    invoices: int = 0

    def add(self, amount: Decimal, made: Expected, due: int, today: int) -> None:
        self.total += amount
        self.invoices += 1
        self.due_at(amount, due, today)
        if made.basis in (DUE, NONE):
            self.undated += amount
            self.undated_count += 1
        if made.basis == DUE:
            return
        before = 0.0
        for number, week in enumerate(self.weeks, start=1):
            until = chance_until(made, today + 7 * number)
            week.add(amount, until - before)
            before = until
        if made.basis != NONE:
            self.later += amount * Decimal(str(round(1 - before, 6)))

    def due_at(self, amount: Decimal, due: int, today: int) -> None:
        week = max(due - today - 1, 0) // 7
        if week < WEEKS:
            self.due[week] += amount


def make(books: Books) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was learned, and how it did before."""
    with Spool[History]() as read:
        *past, company = _learned(read, books)
        cash, received, customers = Cash(), _received(), 0
        for part, found in read.parts():
            customers += len(found)
            rows = _expectations(part, dict(found), received, company, books, cash)
            with transaction() as session:
                mine = select(SalesDocument.id).where(histories.within(SalesDocument.contact_id, part))
                session.execute(delete(ROWS).where(ROWS.c.document_id.in_(mine)))
                if rows:
                    session.execute(insert(ROWS), rows)
        return _told(company, cash, books, customers), _look_back(read, past, books, customers)


def backtest(books: Books) -> dict[str, Any]:
    with Spool[History]() as read:
        *past, _ = _learned(read, books)
        return _look_back(read, past, books, sum(len(found) for _, found in read.parts()))


def _learned(read: Spool[History], books: Books) -> list[Company]:
    """How everybody pays, as known on each day of the back-test and, at the end, today."""
    today = books.today.toordinal()
    lessons = LessonsOfDays([*payment_backtest.origins(today), today])
    for _, bills in read.fill(histories.bills_of):
        lessons.learn(bills)
    return lessons.companies()


def _look_back(read: Spool[History], before: Sequence[Company], books: Books, customers: int) -> dict[str, Any]:
    every = max(1, -(-customers // payment_backtest.MOST_CUSTOMERS))
    return payment_backtest.look_back(read, before, books.today.toordinal(), every=every)


def _expectations(
    part: histories.Range, known: Mapping[int, list[Bill]], received: Mapping[int, Decimal], company: Company,
    books: Books, cash: Cash,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows for the open invoices of these contacts. What has no contact has no history of its own either."""
    rows, own_of, today = [], {}, books.today.toordinal()
    for row in _open(part):
        left = row.balance - received.get(row.id, ZERO)
        if left <= 0:
            continue
        if row.contact_id not in own_of:
            bills = known.get(row.contact_id, []) if part is not None else []
            own_of[row.contact_id] = own_history(bills, company) if bills else (NOTHING, 0)
        issued = (row.date or books.today).toordinal()
        due = row.due_date.toordinal() if row.due_date else issued
        made = expect(Bill(row.id, min(issued, today), due, None, False), company, *own_of[row.contact_id])
        if row.currency in ("", books.currency):
            cash.add(left, made, due, today)
        rows.append({
            "document_id": row.id, "expected_on": _day(made.on), "earliest_on": _day(made.earliest),
            "latest_on": _day(made.latest), "basis": made.basis, "sample": made.sample, "as_of": books.today,
        })  # fmt: skip
    return rows


def _open(part: histories.Range) -> Sequence[Any]:
    one = SalesDocument
    return db.session.execute(
        select(one.id, one.contact_id, one.date, one.due_date, one.balance, one.currency)
        .where(
            histories.within(one.contact_id, part), one.kind == "invoice", one.gone_at.is_(None), one.state == "open",
            one.balance > 0,
        )
        .order_by(one.contact_id, one.id)
    ).all()  # fmt: skip


def _received() -> dict[int, Decimal]:
    """Invoice -> what was received for it here and stands in no books yet."""
    linked = select(Link.id).where(Link.kind == "payment", Link.local_id == Receipt.id, Link.state != "gone").exists()
    query = (
        select(ReceiptPart.document_id, func.sum(ReceiptPart.amount).label("amount"))
        .join(Receipt, Receipt.id == ReceiptPart.receipt_id)
        .where(Receipt.voided_at.is_(None), Receipt.gone_at.is_(None), ~linked)
        .group_by(ReceiptPart.document_id)
    )
    return {row.document_id: row.amount for row in db.session.execute(query)}


def _told(company: Company, cash: Cash, books: Books, customers: int) -> dict[str, Any]:
    weeks = []
    for number, week in enumerate(cash.weeks):
        low, high = week.between(company.paid)
        begun = books.today + timedelta(days=7 * number + 1)
        weeks.append({
            "from": begun.isoformat(), "to": (begun + timedelta(days=6)).isoformat(), "expected": _text(week.expected),
            "low": _text(low), "high": _text(high), "due": _text(cash.due[number]),
        })  # fmt: skip
    return {
        "thin": company.paid < LEAST_COMPANY, "paid": company.paid, "customers": customers,
        "clock": CLOCKS[company.clock], "currency": books.currency, "weeks": weeks, "later": _text(cash.later),
        "undated": _text(cash.undated), "undated_count": cash.undated_count, "open": _text(cash.total),
        "invoices": cash.invoices, "abroad": histories.abroad("invoice", books.currency),
    }  # fmt: skip


def _text(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01")))


def _day(ordinal: int | None) -> date | None:
    return date.fromordinal(ordinal) if ordinal is not None else None
