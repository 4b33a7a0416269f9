"""The list of payments: searched, filtered, exported; and what else the books hold of money that came or went back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from flask import Response, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.payments import blueprint
from crm.db import db, transaction
from crm.domain import payment_filters
from crm.domain.days import company_day
from crm.domain.payment_filters import STATES, UNAPPLIED, Filters
from crm.exports import csv_response
from crm.queries import (
    contact_page,
    object_badges,
    other_documents,
    payments,
    products,
    sales_documents,
    unmatched,
)
from crm.security import requires
from crm.services import receipts as service
from crm.services import sales_settings
from crm.web import is_fragment, page, page_number

ORDERS = {
    "-date": "Newest first", "date": "Oldest first", "-amount": "Largest first", "-unapplied": "Most not applied first",
    "contact": "Customer",
}  # fmt: skip
EXPORT_OTHERS = ("Number", "Date", "Customer", "Contact id", "Amount", "Not used", "Currency", "State")
NARROWING = ("since", "until", "currency", "state")
"""What a figure of Insight narrows a list of the books' own by."""
EXPORT = (
    "Date", "Customer", "Contact id", "Method", "Reference", "Amount", "Not applied", "Currency", "State",
    "In QuickBooks",
)  # fmt: skip


@blueprint.get("")
@requires("sales.read")
def index() -> Any:
    filters = payment_filters.read(request.args)
    found, home = payments.page(filters), products.home_currency()
    contact = contact_page.contact(int(filters.contact)) if filters.contact else None
    company = sales_settings.company_in_use(db.session())
    ids = [row.receipt_id for row in found.rows if row.receipt_id is not None]
    values: dict[str, Any] = {
        "page": found,
        "badges": object_badges.badges("payment", ids),
        "filters": filters,
        "orders": ORDERS,
        "choices": {"method": [(name, name) for name in payments.methods()], "state": list(STATES.items()),
                    "unapplied": list(UNAPPLIED.items())},
        "figures": payments.figures(company_day(clock.now(), sales_documents.zone(company)), home),
        "currency": home,
        "contact": contact,
        "applied": [(words, _address(rest)) for words, rest in _applied(filters, contact)],
        "empty": not found.total and not filters.narrowed and not payments.any_payments(),
    }  # fmt: skip
    answer = page("payments/index.html", fragment="payments/_list.html", **values)
    if is_fragment():  # the form sends empty fields too; the address should hold only what says something
        more: dict[str, Any] = {"page": found.number} if found.number > 1 else {}
        answer.headers["HX-Push-Url"] = url_for("payments.index", **{**filters.query(), **more})
    return answer


@blueprint.get("/export.csv")
@requires("sales.read")
def export() -> Response:
    filters, now = payment_filters.read(request.args), clock.now()
    contact = contact_page.contact(int(filters.contact)) if filters.contact else None
    narrowed = ", ".join(words for words, _ in _applied(filters, contact)) or "all payments"
    with transaction():
        service.record_export(payments.count(filters), narrowed, actor=actor(), now=now)
    home = products.home_currency()
    rows = (
        (row.date, customer, row.contact_id, row.method, row.reference, row.amount, row.unapplied,
         row.currency or home, "void" if row.void else "received", "yes" if row.origin == "books" else "no")
        for row, customer in unmatched.beside(payments.each(filters), unmatched.of_payments)
    )  # fmt: skip
    return csv_response(f"payments-{now:%Y-%m-%d}.csv", EXPORT, rows)


@blueprint.get("/others/<kind>")
@requires("sales.read")
def others(kind: str) -> Any:
    """Credit memos, sales receipts and refunds: the books' own, read here and changed there."""
    chosen, words = _chosen(kind), request.args.get("q", "").strip()[:200]
    narrowed, told = _others_narrowed()
    kept = {name: value for name, value in request.args.items() if name in ("q", *NARROWING) and value}
    values: dict[str, Any] = {
        "kind": chosen, "kinds": other_documents.KINDS, "q": words, "currency": products.home_currency(),
        "page": other_documents.page(chosen, words, number=page_number(request.args), narrowed=narrowed),
        "applied": told, "kept": kept,
        "read_at": other_documents.read_at(chosen),
    }  # fmt: skip
    return page("payments/others.html", fragment="payments/_others.html", **values)


@blueprint.get("/others/<kind>.csv")
@requires("sales.read")
def export_others(kind: str) -> Response:
    chosen, words, now = _chosen(kind), request.args.get("q", "").strip()[:200], clock.now()
    narrowed, told = _others_narrowed()
    title, home = other_documents.KINDS[chosen][0], products.home_currency()
    said = ", ".join((title.lower(), *((f"“{words}”",) if words else ()), *told))
    with transaction():
        number = other_documents.count(chosen, words, narrowed=narrowed)
        service.record_export(number, said, actor=actor(), now=now)
    found = other_documents.each(chosen, words, narrowed=narrowed)
    rows = (
        (row.number, row.date, customer, row.contact_id, row.total, row.balance, row.currency or home,
         "void" if row.void else "stands")
        for row, customer in unmatched.beside(found, unmatched.of_mirrored)
    )  # fmt: skip
    return csv_response(f"{title.lower().replace(' ', '-')}-{now:%Y-%m-%d}.csv", EXPORT_OTHERS, rows)


def _chosen(kind: str) -> str:
    return kind if kind in other_documents.KINDS else next(iter(other_documents.KINDS))


def _others_narrowed() -> tuple[other_documents.Narrowed, list[str]]:
    """What a figure narrowed the list by, and the same in words."""
    dated = payment_filters.read(request.args)
    narrowed = other_documents.Narrowed(
        date.fromisoformat(dated.since) if dated.since else None,
        date.fromisoformat(dated.until) if dated.until else None,
        dated.currency, dated.state == "standing",
    )  # fmt: skip
    return narrowed, [words for words, _ in _applied(replace(dated, q="", contact="", method="", unapplied=""), None)]


def _applied(filters: Filters, contact: Any) -> list[tuple[str, Filters]]:
    """What narrows the list, in words, each with the filters that leave it out."""
    out = [(f"“{filters.q}”", filters.without("q"))] if filters.q else []
    if filters.contact:
        name = contact.display_name if contact is not None else f"Contact {filters.contact}"
        out.append((name, filters.without("contact")))
    if filters.currency:
        out.append((f"In {filters.currency}", filters.without("currency")))
    if filters.method:
        out.append((f"Method: {filters.method}", filters.without("method")))
    for name, word in (("since", "from"), ("until", "until")):
        if getattr(filters, name):
            out.append((f"{word} {getattr(filters, name)}", filters.without(name)))
    if filters.unapplied:
        out.append((UNAPPLIED[filters.unapplied], filters.without("unapplied")))
    if filters.state:
        out.append((STATES[filters.state], filters.without("state")))
    return out


def _address(filters: Filters) -> str:
    return url_for("payments.index", **dict[str, Any](filters.query()))
