"""Back-tests by themselves, of this company or of a made-up one: what the command prints. Nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from crm.domain import forecast_sample, payment_backtest, quote_backtest, value_backtest
from crm.services.forecasting import payments, quotes, values
from crm.services.forecasting.refreshing import KINDS, books_now


def of_company(kinds: Sequence[str] = KINDS, *, now: datetime, as_of: date | None = None) -> dict[str, dict[str, Any]]:
    """Kind -> its figures. `as_of`: as though today were that day; nothing later is looked at."""
    books = books_now(now)
    books = replace(books, today=min(as_of, books.today)) if as_of else books
    backtests = {"payments": payments.backtest, "quotes": quotes.backtest, "value": values.backtest}
    return {kind: backtests[kind](books) for kind in kinds}


def of_sample(kinds: Sequence[str] = KINDS) -> dict[str, dict[str, Any]]:
    """The same of the company whose behaviour is known (`domain/forecast_sample`)."""
    day = forecast_sample.AS_OF
    makers = {
        "payments": lambda: payment_backtest.run(forecast_sample.bills, day),
        "quotes": lambda: quote_backtest.run(forecast_sample.offers, day),
        "value": lambda: value_backtest.run(forecast_sample.sales, day),
    }
    return {kind: makers[kind]() for kind in kinds}
