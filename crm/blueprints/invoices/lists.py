"""The list of invoices: searched, filtered, exported, with what is owed on top."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from flask import Response, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.invoices import blueprint
from crm.db import transaction
from crm.domain import invoice_filters, sales_places
from crm.domain.invoice_filters import AGES, BUYERS, MORE, NARROWING, PLAIN_SORT, STATES, Filters
from crm.domain.invoices import STATES as NOW
from crm.exports import csv_response
from crm.formats import date as day_words
from crm.formats import money
from crm.queries import invoices, object_badges, products, unmatched
from crm.queries.invoices import Row
from crm.security import requires
from crm.services import audit, invoice_drafts
from crm.services.invoice_bulk import Outcome
from crm.web import is_fragment, page

ORDERS = {
    "-date": "Newest first", "date": "Oldest first", "due": "First due", "-total": "Highest total first",
    "-open": "Most open first", "number": "Number",
}  # fmt: skip
EXPORT = (
    "Id", "Number", "Title", "Customer", "State", "Date", "Due", "Total", "Open", "Currency", "Promised", "Next step",
)  # fmt: skip


@blueprint.get("")
@requires("sales.read")
def index() -> Any:
    return drawn()


def drawn(outcome: Outcome | None = None) -> Any:
    """The list as its address asks for it. `outcome`: of what was done to chosen ones; those left stay chosen."""
    filters, today = invoice_filters.read(request.args), invoice_drafts.today(clock.now())
    found = invoices.page(filters, today=today)
    values: dict[str, Any] = {
        "page": found,
        "badges": object_badges.badges("invoice", [row.id for row in found.rows]),
        "filters": filters,
        "plain_sort": PLAIN_SORT,
        "orders": ORDERS,
        "choices": [*STATES.items(), *MORE.items()],
        "figures": invoices.figures(today=today),
        "today": today,
        "currency": products.home_currency(),
        "applied": [(words, _address(rest)) for words, rest in _applied(filters)],
        "empty": not found.total and not filters.narrowed and not invoices.any_invoices(),
        "outcome": outcome,
    }
    answer = page("invoices/index.html", fragment="invoices/_list.html", **values)
    if is_fragment():  # the form sends empty fields too; the address should hold only what says something
        more: dict[str, Any] = {"page": found.number} if found.number > 1 else {}
        answer.headers["HX-Push-Url"] = url_for("invoices.index", **{**filters.query(), **more})
    return answer


@blueprint.get("/export.csv")
@requires("sales.read")
def export() -> Response:
    filters, now = invoice_filters.read(request.args), clock.now()
    today = invoice_drafts.today(now)
    narrowed = ", ".join(words for words, _ in _applied(filters)) or "all invoices"
    with transaction():
        number = invoices.count(filters, today=today)
        audit.record("invoices_exported", actor=actor(), now=now, summary=f"{number} invoices: {narrowed}"[:500])
    return as_csv(invoices.each(filters, today=today), now)


def as_csv(found: Iterable[Row], now: datetime) -> Response:
    home = products.home_currency()
    rows = (
        (row.id, row.number, row.title, customer, NOW[row.state], row.date, row.due_date, row.total, row.balance,
         row.currency or home, row.promised_on, row.next_step)
        for row, customer in unmatched.beside(found, partial(unmatched.of_documents, "invoice"))
    )  # fmt: skip
    return csv_response(f"invoices-{now:%Y-%m-%d}.csv", EXPORT, rows)


def _applied(filters: Filters) -> list[tuple[str, Filters]]:
    """What narrows the list, in words, each with the filters that leave it out."""
    currency = products.home_currency()
    words = {
        "q": f"“{filters.q}”", "state": STATES.get(filters.state) or MORE.get(filters.state, ""),
        "contact": f"Customer: {invoices.contact_name(filters.contact) or 'unknown'}",
        "since": f"From {day_words(filters.since)}", "until": f"Until {day_words(filters.until)}",
        "least": f"At least {money(filters.least, currency)}", "most": f"At most {money(filters.most, currency)}",
        "currency": f"In {filters.currency}", "age": AGES.get(filters.age, ""),
        "buyers": f"Customer: {BUYERS.get(filters.buyers, '').lower()}",
        "region": f"State: {sales_places.region_name(filters.region)}",
        "city": f"City: {sales_places.city_name(filters.city)}", "postal": f"Postal code: {filters.postal}",
    }  # fmt: skip
    given = [name for name in NARROWING if getattr(filters, name) not in ("", None)]
    return [(words[name], filters.without(name)) for name in given]


def _address(filters: Filters) -> str:
    return url_for("invoices.index", **dict[str, Any](filters.query()))
