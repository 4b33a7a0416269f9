"""Who is late: by customer, with what was promised and what is to be done next, written down on the list itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import Response, flash, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.invoices import blueprint, id_of
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain.errors import Invalid
from crm.exports import csv_response
from crm.queries import debtors, invoices, products
from crm.queries.debtors import DEBTOR_SORTS
from crm.security import requires
from crm.services import audit, invoice_drafts
from crm.services import invoices as service
from crm.web import go, page_number
from crm.web import page as drawn

EXPORT = ("Customer", "Number", "Due", "Days late", "Open", "Currency", "Promised", "Next step")


@blueprint.get("/overdue")
@requires("sales.read")
def overdue() -> Any:
    today, sort, q = invoice_drafts.today(clock.now()), _sort(request.args.get("sort", "")), _words(request.args)
    found = debtors.debtors(today=today, q=q, sort=sort, number=page_number(request.args))
    return drawn(
        "invoices/overdue.html", fragment="invoices/_overdue.html", page=found, q=q, today=today, sort=sort,
        sorts=DEBTOR_SORTS, figures=invoices.figures(today=today), currency=products.home_currency(),
    )  # fmt: skip


@blueprint.get("/overdue.csv")
@requires("sales.read")
def overdue_export() -> Response:
    now, q = clock.now(), _words(request.args)
    today, home = invoice_drafts.today(now), products.home_currency()
    with transaction():
        summary = f"Overdue invoices: “{q}”" if q else "Overdue invoices"
        audit.record("invoices_exported", actor=actor(), now=now, summary=summary)
    rows = (
        (row.contact, row.number, row.due_date, row.days_late(today), row.balance, row.currency or home,
         row.promised_on, row.next_step)
        for row in debtors.late(today=today, q=q)
    )  # fmt: skip
    return csv_response(f"overdue-{now:%Y-%m-%d}.csv", EXPORT, rows)


@blueprint.post("/promise")
@requires("sales.write")
@answers_on("invoices.overdue")
def promise() -> Any:
    """Of all chosen invoices (`ids`)."""
    ids = [found for text in request.form.getlist("ids") if (found := id_of(text))]
    with transaction():
        service.promise(ids, promised_on=promised_on(), next_step=request.form.get("next_step", ""), actor=actor(),
                        now=clock.now())  # fmt: skip
    flash("Noted.", "success")
    more: dict[str, Any] = {"q": q} if (q := _words(request.form)) else {}
    return go("invoices.overdue", sort=_sort(request.form.get("sort", "")), page=page_number(request.form), **more)


def promised_on() -> date | None:
    text = request.form.get("promised_on", "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid({"promised_on": f"“{text[:30]}” is no date. Write it as 2026-11-30."}) from None


def _sort(text: str) -> str:
    return text if text in DEBTOR_SORTS else next(iter(DEBTOR_SORTS))


def _words(args: Mapping[str, str]) -> str:
    return args.get("q", "").strip()[:200]
