"""What open quotes will bring by month, with the rates it is made of, and how such forecasts did before."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from crm.domain import quote_backtest
from crm.domain.amounts import ZERO
from crm.domain.quote_outlook import CUSTOMER_NAMES, HORIZON, SIZE_NAMES, Lessons, Offer, Rates, Sum, exact, is_open
from crm.queries import forecast_history as histories
from crm.services.forecasting.company import Books
from crm.services.forecasting.spool import Spool

MONTHS = 7
"""What is left of this one, and six more."""
AGES_SHOWN = (0, 7, 14, 28, 60, 90, 180)


def make(books: Books) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was learned, and how it did before."""
    with Spool[list[Offer]]() as read:
        *past, lessons = _learned(read, books)
        today, rates = books.today.toordinal(), lessons.rates()
        ends = month_ends(books.today)
        months, year, total, count = [Sum() for _ in ends], Sum(), ZERO, 0
        for offers in read():
            for offer in offers:
                if not is_open(offer, today):
                    continue
                total += offer.value
                count += 1
                if rates.thin:
                    continue
                curve, before = rates.curve(offer.kind, today - offer.sent), 0.0
                for month, end in zip(months, ends, strict=True):
                    until = curve[min((end - books.today).days, HORIZON)]
                    month.add(offer.value, until - before)
                    before = until
                year.add(offer.value, curve[HORIZON])
        learned = _told(books, rates, months, year) | {"open": _text(total), "quotes": count}
        return learned, quote_backtest.look_back(read, past)


def backtest(books: Books) -> dict[str, Any]:
    with Spool[list[Offer]]() as read:
        *past, _ = _learned(read, books)
        return quote_backtest.look_back(read, past)


def _learned(read: Spool[list[Offer]], books: Books) -> list[Lessons]:
    """What all quotes say, as known on each day of the back-test and, at the end, today."""
    today = books.today.toordinal()
    lessons = [Lessons(day) for day in (*quote_backtest.origins(today), today)]
    for offers in read.fill(lambda part: [histories.offers_of(part, books.currency, books.zone, books.today)]):
        for one in lessons:
            one.learn(offers)
    return lessons


def month_ends(today: date) -> list[date]:
    """The last days of this month and the following ones."""
    ends, day = [], today
    for _ in range(MONTHS):
        day = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
        ends.append(day - timedelta(days=1))
    return ends


def _told(books: Books, rates: Rates, months: list[Sum], year: Sum) -> dict[str, Any]:
    common = {
        "thin": rates.thin, "won": rates.won, "lost": rates.lost, "currency": books.currency,
        "overall": f"{rates.overall:.3f}", "abroad": histories.abroad("estimate", books.currency),
    }  # fmt: skip
    if rates.thin:
        return {**common, "months": [], "rates": []}
    rows = []
    for month, end in zip(months, month_ends(books.today), strict=True):
        low, high = month.between(rates.won)
        rows.append({"month": end.isoformat()[:7], "expected": _text(month.expected), "low": _text(low),
                     "high": _text(high)})  # fmt: skip
    low, high = year.between(rates.won)
    kinds = [(size, returning) for returning in (True, False) for size in range(len(SIZE_NAMES))]
    return {
        **common, "months": rows, "year": {"expected": _text(year.expected), "low": _text(low), "high": _text(high)},
        "ages": list(AGES_SHOWN),
        "rates": [
            {"size": SIZE_NAMES[size], "customer": CUSTOMER_NAMES[returning],
             "quotes": _quotes(rates, (size, returning)),
             "chances": [str(exact(rates.curve((size, returning), age)[HORIZON]).quantize(Decimal("0.001")))
                         for age in AGES_SHOWN]}
            for size, returning in kinds
        ],
    }  # fmt: skip


def _quotes(rates: Rates, kind: tuple[int, bool]) -> int:
    """How many of this class were decided."""
    rows = rates.classes.get(kind)
    return int(sum(row.won + row.lost for row in rows)) if rows else 0


def _text(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01")))
