"""What each customer is worth: sales and margin so far, the simple formula, the model, and how the model did before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, func, insert, select

from crm.db import db, table_of, transaction
from crm.domain import value_backtest
from crm.domain.amounts import ZERO
from crm.domain.customer_value import CENT, LEAST_REPEATS, YEAR, YEARS, Lessons, Model, Sale, history, simple
from crm.models import CustomerValue, SalesDocument, SalesLine
from crm.queries import forecast_history as histories
from crm.services.forecasting.company import Books
from crm.services.forecasting.spool import Spool

ROWS = table_of(CustomerValue)
Sold = tuple[int, list[Sale]]
"""A contact and what was invoiced to it."""


def make(books: Books) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was learned, and how it did before."""
    with Spool[Sold]() as read:
        *past, lessons = _learned(read, books)
        model, customers, expected = lessons.model(), 0, ZERO
        for part, found in read.parts():
            if part is None:
                continue
            margins = _margins(part, books)
            rows = [
                row for contact_id, sales in found
                if (row := _row(contact_id, sales, margins.get(contact_id), model, books)) is not None
            ]  # fmt: skip
            customers += len(rows)
            expected += sum((row["expected"] or ZERO for row in rows), ZERO)
            with transaction() as session:
                session.execute(delete(ROWS).where(histories.within(ROWS.c.contact_id, part)))
                if rows:
                    session.execute(insert(ROWS), rows)
        return _told(model, lessons, customers, expected, books), _look_back(read, past)


def backtest(books: Books) -> dict[str, Any]:
    with Spool[Sold]() as read:
        *past, _ = _learned(read, books)
        return _look_back(read, past)


def _learned(read: Spool[Sold], books: Books) -> list[Lessons]:
    """What all customers say, as known on each day of the back-test and, at the end, today."""
    today = books.today.toordinal()
    lessons = [Lessons(day) for day in (*value_backtest.origins(today), today)]
    for _, sales in read.fill(lambda part: histories.sales_of(part, books.currency)):
        for one in lessons:
            one.learn(sales)
    return lessons


def _look_back(read: Spool[Sold], before: Sequence[Lessons]) -> dict[str, Any]:
    return value_backtest.look_back(lambda: (sales for _, sales in read()), before)


def _row(
    contact_id: int, sales: list[Sale], margin: Decimal | None, model: Model | None, books: Books
) -> dict[str, Any] | None:
    today = books.today.toordinal()
    found = history(sales, today)
    if found is None:
        return None
    prospect = model.prospect(found) if model is not None else None
    years = (Decimal(today - found.first) / YEAR).quantize(CENT)
    return {
        "contact_id": contact_id, "sales": found.sales, "margin": margin, "years": years,
        "simple": simple(found, today), "expected": prospect.expected if prospect else None,
        "chance": prospect.chance if prospect else None, "sample": found.invoices, "as_of": books.today,
    }  # fmt: skip


def _margins(part: histories.Range, books: Books) -> dict[int, Decimal]:
    """Contact -> what lines whose cost is known brought above it, of invoices that are not held back: the books, whose
    sales stand beside it, do not have those. A discount of the whole document takes from each of its lines alike."""
    made, line = SalesDocument, SalesLine
    query = (
        select(
            made.contact_id, made.id, made.subtotal, made.discount,
            func.sum(line.amount).label("amount"), func.sum(line.cost).label("cost"),
        )
        .join(line, line.document_id == made.id)
        .where(
            histories.within(made.contact_id, part), made.kind == "invoice", made.state == "open",
            made.gone_at.is_(None), made.hold.is_(False), made.currency.in_(("", books.currency)),
            line.cost.is_not(None), line.amount.is_not(None), line.chosen.is_(True),
        )
        .group_by(made.id)
    )  # fmt: skip
    found: dict[int, Decimal] = defaultdict(lambda: ZERO)
    for row in db.session.execute(query):
        kept = 1 - row.discount / row.subtotal if row.discount and row.subtotal else Decimal(1)
        found[row.contact_id] += (row.amount * kept).quantize(CENT) - row.cost
    return found


def _told(model: Model | None, lessons: Lessons, customers: int, expected: Decimal, books: Books) -> dict[str, Any]:
    common = {
        "thin": model is None, "customers": customers, "again": lessons.repeating, "least": LEAST_REPEATS,
        "years": YEARS, "currency": books.currency,
    }  # fmt: skip
    if model is None:
        return common
    numbers = {name: f"{getattr(model, name):.3g}" for name in ("r", "alpha", "a", "b")}
    return {**common, **numbers, "mean": str(model.mean), "expected": str(expected)}
