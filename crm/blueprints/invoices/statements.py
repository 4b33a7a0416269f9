"""A customer's statement: a page, the same on paper, and as CSV."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Response, current_app, request, url_for

from crm import clock
from crm.blueprints import building
from crm.blueprints.acting import actor
from crm.blueprints.invoices import blueprint
from crm.db import transaction
from crm.domain.errors import NotFound
from crm.domain.statements import TITLES
from crm.exports import csv_response
from crm.queries import statements
from crm.security import requires
from crm.services import audit, invoice_drafts, sales_settings
from crm.web import page

EXPORT = ("Date", "What", "Number", "Due", "Amount", "Balance", "Currency")
AGES = ("Not due", "1–30 days late", "31–60", "61–90", "Over 90")


@blueprint.get("/statements/<int:contact_id>")
@requires("sales.read")
def statement(contact_id: int) -> Any:
    """`?since=&until=&currency=`; `print=1`: for paper."""
    shown, since, until, today = _shown(contact_id)
    ours = building.settings()
    template = "invoices/statement_print.html" if request.args.get("print") else "invoices/statement.html"
    return page(
        template, shown=shown, since=since, until=until, today=today, titles=TITLES, ages=AGES,
        header=ours.header, logo=_logo(ours),
    )  # fmt: skip


def _logo(ours: Any) -> str:
    """The address of our company's own; empty where there is none."""
    if sales_settings.logo(ours.header, current_app.extensions["settings"].instance_dir) is None:
        return ""
    return url_for("sales_settings.logo", connection_id=ours.connection_id, name=ours.header.logo)


@blueprint.get("/statements/<int:contact_id>/statement.csv")
@requires("sales.read")
def statement_export(contact_id: int) -> Response:
    shown, since, until, _ = _shown(contact_id)
    made, code = shown.statement, shown.currency
    with transaction():
        audit.record("statement_exported", actor=actor(), now=clock.now(), subject=f"contact:{contact_id}",
                     summary=f"Statement of {shown.contact.display_name}")  # fmt: skip
    lines = [(one.movement.date, TITLES[one.movement.kind], one.movement.number, one.movement.due_date,
              one.movement.amount, one.balance, code) for one in made.lines]  # fmt: skip
    rows = [(since, "Opening balance", "", None, None, made.opening, code), *lines,
            (until, "Closing balance", "", None, None, made.closing, code)]  # fmt: skip
    return csv_response(f"statement-{contact_id}.csv", EXPORT, rows)


def _shown(contact_id: int) -> tuple[Any, date | None, date | None, date]:
    today = invoice_drafts.today(clock.now())
    since, until = _day("since"), _day("until")
    currency = request.args.get("currency", "")[:3]
    found = statements.of_contact(contact_id, since=since, until=until, today=today, currency=currency)
    if found is None:
        raise NotFound("There is no such contact. The link may be old or not complete.")
    return found, since, until, today


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(request.args.get(name, "").strip())
    except ValueError:
        return None
