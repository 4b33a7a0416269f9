"""The list of quotes: searched, filtered, exported; and what is done to many at once."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Response, flash, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.quotes import blueprint
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain import quote_filters
from crm.domain.errors import Invalid
from crm.domain.quote_filters import CHOICES, EXPIRING, NOBODY, Filters
from crm.exports import csv_response
from crm.formats import date as day_words
from crm.formats import money
from crm.queries import object_badges, products, quotes, unmatched
from crm.queries import sales_documents as lists
from crm.security import requires
from crm.services import audit, quote_drafts
from crm.services import quotes as service
from crm.web import go, is_fragment, page

ORDERS = {
    "-date": "Newest first", "date": "Oldest first", "-total": "Highest amount first", "total": "Lowest amount first",
    "number": "Number", "expires": "First to expire",
}  # fmt: skip
EXPORT = (
    "Id", "Number", "Title", "Customer", "State", "Date", "Valid until", "Total", "Currency", "Owner", "Version",
)  # fmt: skip


@blueprint.get("")
@requires("sales.read")
def index() -> Any:
    filters, today = quote_filters.read(request.args), quote_drafts.today(clock.now())
    found, people = quotes.page(filters, today=today), lists.owners()
    values: dict[str, Any] = {
        "page": found,
        "badges": object_badges.badges("estimate", [row.id for row in found.rows]),
        "filters": filters,
        "orders": {key: words for key, words in ORDERS.items() if key != "expires" or filters.state in EXPIRING},
        "expiring": EXPIRING,
        "choices": {"state": list(CHOICES.items()), "owner": [(NOBODY, "Nobody"), *people]},
        "owners": people,
        "figures": quotes.figures(today=today),
        "days": quotes.DAYS,
        "currency": products.home_currency(),
        "applied": [(words, _address(rest)) for words, rest in _applied(filters, people)],
        "empty": not found.total and not filters.narrowed and not filters.templates and not quotes.any_quotes(),
        "templates": quotes.templates(),
    }
    answer = page("quotes/index.html", fragment="quotes/_list.html", **values)
    if is_fragment():  # the form sends empty fields too; the address should hold only what says something
        more: dict[str, Any] = {"page": found.number} if found.number > 1 else {}
        answer.headers["HX-Push-Url"] = url_for("quotes.index", **{**filters.query(), **more})
    return answer


@blueprint.get("/export.csv")
@requires("sales.read")
def export() -> Response:
    filters, now = quote_filters.read(request.args), clock.now()
    today = quote_drafts.today(now)
    narrowed = ", ".join(words for words, _ in _applied(filters, lists.owners())) or "all quotes"
    with transaction():
        number = quotes.count(filters, today=today)
        audit.record("quotes_exported", actor=actor(), now=now, summary=f"{number} quotes: {narrowed}"[:500])
    home = products.home_currency()
    found = quotes.each(filters, today=today)
    rows = (
        (row.id, row.number, row.title, customer, CHOICES[row.state], row.date, row.expires_on, row.total,
         row.currency or home, row.owner, row.revision)
        for row, customer in unmatched.beside(found, partial(unmatched.of_documents, "estimate"))
    )  # fmt: skip
    return csv_response(f"quotes-{now:%Y-%m-%d}.csv", EXPORT, rows)


@blueprint.post("/withdraw")
@requires("sales.write")
@answers_on("quotes.index")
def withdraw_many() -> Any:
    with transaction():
        done, left = service.cancel_many(_chosen(), actor=actor(), now=clock.now())
    rest = f" {left} stay as they are: they are withdrawn or invoiced already." if left else ""
    flash(f"{done} withdrawn.{rest}", "success" if done else "warning")
    return _back()


@blueprint.post("/assign")
@requires("sales.write")
@answers_on("quotes.index")
def assign_many() -> Any:
    text = request.form.get("owner", "")
    if text != NOBODY and not _is_id(text):
        raise Invalid({"owner": "Choose who the quotes shall belong to."})
    with transaction():
        owner = None if text == NOBODY else int(text)
        changed = service.assign(_chosen(), owner, actor=actor(), now=clock.now())
    flash(f"{changed} changed hands.", "success")
    return _back()


def _chosen() -> list[int]:
    found = sorted({int(text) for text in request.form.getlist("ids") if _is_id(text)})
    if not found:
        raise Invalid({"ids": "Choose at least one quote of the list."})
    return found


def _back() -> Any:
    return go("quotes.index", **dict[str, Any](quote_filters.read(request.args).query()))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _applied(filters: Filters, people: list[tuple[str, str]]) -> list[tuple[str, Filters]]:
    """What narrows the list, in words, each with the filters that leave it out."""
    names = dict(people) | {NOBODY: "nobody"}
    buyer = lists.buyer(int(filters.contact)) if filters.contact else None
    currency = products.home_currency()
    words = {
        "q": f"“{filters.q}”", "state": CHOICES.get(filters.state, ""),
        "owner": f"Owner: {names.get(filters.owner, 'somebody who left')}",
        "contact": f"Customer: {buyer.name if buyer else 'unknown'}",
        "since": f"From {day_words(filters.day('since'))}", "until": f"Until {day_words(filters.day('until'))}",
        "least": f"At least {money(filters.amount('least'), currency)}",
        "most": f"At most {money(filters.amount('most'), currency)}",
        "currency": f"In {filters.currency}",
    }  # fmt: skip
    return [(words[name], filters.without(name)) for name in quote_filters.NARROWING if getattr(filters, name)]


def _address(filters: Filters) -> str:
    return url_for("quotes.index", **dict[str, Any](filters.query()))
