"""What may come: cash by week, revenue by month, how such forecasts did before; and what each customer is worth."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, abort, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.db import transaction
from crm.domain import backtest_tables, customer_value, value_filters
from crm.domain.value_filters import CHANCES, SORTS, Filters
from crm.exports import csv_response
from crm.queries import customer_values, forecasts, products
from crm.security import requires
from crm.services import audit
from crm.web import is_fragment, page

blueprint = Blueprint("forecasts", __name__, url_prefix="/insight")

ORDERS = {**{f"-{key}": words for key, words in SORTS.items() if key != "name"}, "name": "Name"}
EXPORT = (
    "Customer", "Contact id", "Sales so far", "Margin", "Years", "Invoices", "Three years at this pace",
    "Expected in twelve months", "Chance of any sale", "Currency", "As of",
)  # fmt: skip


@blueprint.get("/forecast")
@requires("money.read")
def forecast() -> Any:
    cash, quotes, value = (forecasts.newest(kind) for kind in ("payments", "quotes", "value"))
    return page(
        "forecasts/index.html", cash=cash, quotes=quotes, value=value, currency=products.home_currency(),
        weeks=[_span(row) for row in cash.learned["weeks"]] if cash else [],
        months=[_span(row) for row in quotes.learned["months"]] if quotes else [],
        day=date.fromordinal, amount=Decimal, months_name=_month,
    )  # fmt: skip


@blueprint.get("/forecast/<kind>.csv")
@requires("money.read")
def export(kind: str) -> Response:
    """`cash`, `quotes` (the months) or `backtest-payments`, `backtest-quotes`, `backtest-value`."""
    made = forecasts.newest({"cash": "payments"}.get(kind, kind.removeprefix("backtest-")))
    if kind not in ("cash", "quotes", "backtest-payments", "backtest-quotes", "backtest-value") or made is None:
        abort(404)
    with transaction():
        audit.record("forecast_exported", actor=actor(), now=clock.now(), summary=kind)
    head, rows = _sheet(kind, made)
    return csv_response(f"forecast-{kind}-{made.as_of}.csv", head, rows)


@blueprint.get("/customers")
@requires("money.read")
def customers() -> Any:
    filters = value_filters.read(request.args)
    values: dict[str, Any] = {
        "page": customer_values.page(filters), "filters": filters, "orders": ORDERS, "chances": list(CHANCES.items()),
        "applied": [(words, url_for("forecasts.customers", **dict[str, Any](rest.query())))
                    for words, rest in _applied(filters)],
        "currency": products.home_currency(), "made": forecasts.newest("value"), "rules": customer_value,
        "empty": not filters.narrowed and not customer_values.any_values(),
    }  # fmt: skip
    answer = page("forecasts/customers.html", fragment="forecasts/_customers.html", **values)
    if is_fragment():
        more: dict[str, Any] = {"page": values["page"].number} if values["page"].number > 1 else {}
        answer.headers["HX-Push-Url"] = url_for("forecasts.customers", **{**filters.query(), **more})
    return answer


@blueprint.get("/customers.csv")
@requires("money.read")
def customers_export() -> Response:
    filters, now = value_filters.read(request.args), clock.now()
    narrowed = ", ".join(words for words, _ in _applied(filters)) or "all customers"
    with transaction():
        audit.record("customer_values_exported", actor=actor(), now=now, summary=narrowed)
    home = products.home_currency()
    rows = (
        (row.name, row.contact_id, row.sales, row.margin, row.years, row.sample, row.simple, row.expected, row.chance,
         home, row.as_of)
        for row in customer_values.each(filters)
    )  # fmt: skip
    return csv_response(f"customer-values-{now:%Y-%m-%d}.csv", EXPORT, rows)


def _applied(filters: Filters) -> list[tuple[str, Filters]]:
    """What narrows the list, in words, each with the filters that leave it out."""
    out = [(f"“{filters.q}”", filters.without("q"))] if filters.q else []
    if filters.chance:
        out.append((CHANCES[filters.chance], filters.without("chance")))
    if filters.least:
        out.append((f"Sales of {filters.least} and more", filters.without("least")))
    if filters.margin:
        out.append(("Margin known", filters.without("margin")))
    return out


def _span(row: dict[str, str]) -> dict[str, Any]:
    """Amounts as decimals, days as days."""
    out: dict[str, Any] = {name: Decimal(row[name]) for name in ("expected", "low", "high", "due") if name in row}
    for name in ("from", "to"):
        if name in row:
            out[name] = date.fromisoformat(row[name])
    if "month" in row:
        out["month"] = date.fromisoformat(f"{row['month']}-01")
    return out


def _month(day: date) -> str:
    return f"{day:%b %Y}"


def _sheet(kind: str, made: forecasts.Made) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
    learned, found = made.learned, made.backtest
    if kind == "cash":
        head: tuple[str, ...] = ("From", "To", "Expected", "Low", "High", "Due then", "Currency")
        return head, ((row["from"], row["to"], row["expected"], row["low"], row["high"], row["due"],
                       learned["currency"]) for row in learned["weeks"])  # fmt: skip
    if kind == "quotes":
        head = ("Month", "Expected", "Low", "High", "Currency")
        return head, ((row["month"], row["expected"], row["low"], row["high"], learned["currency"])
                      for row in learned["months"])  # fmt: skip
    if kind == "backtest-payments":
        names = {"ours": "expected date", "never_past": "due date, never in the past", "due": "due date"}
        return ("Way", "Days off, mean", "Days off, middle", "Invoices"), (
            (words, found[name]["mean"], found[name]["middle"], found["judged"]) for name, words in names.items()
        )
    columns = {"backtest-quotes": ("quotes", "open", "ours", "low", "high", "simple", "fresh", "came"),
               "backtest-value": ("customers", "ours", "simple", "came")}[kind]  # fmt: skip
    return ("day", *columns), (
        (date.fromordinal(row["day"]), *(row[name] for name in columns)) for row in found["rows"]
    )


blueprint.add_app_template_global(backtest_tables.percent, "share_words")
blueprint.add_app_template_global(forecasts.expectation, "payment_expectation")
blueprint.add_app_template_global(forecasts.expectations, "payment_expectations")
blueprint.add_app_template_global(forecasts.value_of, "customer_value_of")
blueprint.add_app_template_global(products.home_currency, "home_currency")
