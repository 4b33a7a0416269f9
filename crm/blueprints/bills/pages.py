"""The list of bills with its key figures and export, one bill's page, and the buttons that delete or send it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Response, flash, render_template, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.bills import blueprint
from crm.blueprints.buying import company_day, lock_of
from crm.blueprints.refusing import answers_on
from crm.db import db, transaction
from crm.domain import purchase_filters
from crm.domain.errors import NotFound
from crm.domain.purchase_filters import BILL_SORTS, BILL_STATES, BillFilters
from crm.exports import csv_response
from crm.queries import bills as queries
from crm.queries import object_badges, products, vendors
from crm.security import requires
from crm.services import bills as service
from crm.web import go, is_fragment, page

EXPORT = ("Id", "Number", "Vendor", "Date", "Due", "Total", "Open", "Currency", "State")


@blueprint.get("")
@requires("sales.read")
def index() -> Any:
    filters, today = purchase_filters.bill_filters(request.args), company_day().today
    found = queries.page(filters, today=today)
    values: dict[str, Any] = {
        "page": found, "filters": filters, "orders": BILL_SORTS, "currency": products.home_currency(), "today": today,
        "badges": object_badges.badges("bill", [row.id for row in found.rows]), "state_of": queries.state,
        "choices": {"state": list(BILL_STATES.items()), "vendor": vendors.choices(besides=filters.vendor)},
        "sums": queries.figures(today), "applied": [(words, _address(rest)) for words, rest in _applied(filters)],
        "empty": not found.total and not filters.narrowed and not queries.any_bills(),
    }  # fmt: skip
    answer = page("bills/index.html", fragment="bills/_list.html", **values)
    if is_fragment():
        more: dict[str, Any] = {"page": found.number} if found.number > 1 else {}
        answer.headers["HX-Push-Url"] = url_for("bills.index", **{**filters.query(), **more})
    return answer


@blueprint.get("/export.csv")
@requires("sales.read")
def export() -> Response:
    filters, day = purchase_filters.bill_filters(request.args), company_day()
    narrowed = ", ".join(words for words, _ in _applied(filters)) or "all bills"
    with transaction():
        number = queries.count(filters, today=day.today)
        service.record_export(number, narrowed, actor=actor(), now=clock.now())
    rows = (
        (row.id, row.number, row.vendor, row.date, row.due_date, row.total, row.balance,
         row.currency or products.home_currency(), queries.state(row, day.today)[0])
        for row in queries.each(filters, today=day.today)
    )  # fmt: skip
    return csv_response(f"bills-{day.today}.csv", EXPORT, rows)


@blueprint.get("/<int:bill_id>")
@requires("sales.read")
def show(bill_id: int) -> Any:
    bill, day = bill_of(bill_id), company_day()
    vendor = vendors.one(bill.vendor_id) if bill.vendor_id else None
    return render_template(
        "bills/show.html",
        bill=bill,
        vendor=vendor,
        lines=list(zip(bill.lines, queries.line_names(db.session(), bill, bill.lines), strict=True)),
        paid=[(one["date"], Decimal(one["amount"])) for one in bill.payments],
        state=queries.state(bill, day.today),
        decimal=Decimal,
        why_not=service.why_not(bill),
        currency=bill.currency or products.home_currency(),
        zone=day.zone,
        books=vendors.in_books("bill", bill_id),
        sync=object_badges.one("bill", bill_id),
        history=vendors.history(f"bill:{bill_id}"),
        sendable=bill.connection_id is None and day.company is not None,
    )


@blueprint.get("/<int:bill_id>/sync-badge")
@requires("sales.read")
def sync_badge(bill_id: int) -> Any:
    if not is_fragment():
        return go("bills.show", bill_id=bill_id)
    url = url_for("bills.sync_badge", bill_id=bill_of(bill_id).id)
    return render_template("shared/_object_badge.html", sync=object_badges.one("bill", bill_id), badge_url=url)


@blueprint.post("/<int:bill_id>/delete")
@requires("purchases.write")
@answers_on("bills.show")
def delete(bill_id: int) -> Any:
    with transaction() as session:
        bill = service.delete(session, bill_id, lock=lock_of(request.form), actor=actor(), now=clock.now())
    if bill.gone_at is not None:
        flash("The bill is deleted.", "success")
        return go("bills.index")
    flash("The bill goes as soon as QuickBooks has deleted it.", "success")
    return go("bills.show", bill_id=bill_id)


@blueprint.post("/<int:bill_id>/send")
@requires("purchases.write")
@answers_on("bills.show")
def send(bill_id: int) -> Any:
    with transaction() as session:
        service.send(session, bill_id, actor=actor(), now=clock.now())
    flash("The bill is on its way to QuickBooks.", "success")
    return go("bills.show", bill_id=bill_id)


def bill_of(bill_id: int) -> Any:
    found = queries.one(bill_id)
    if found is None:
        raise NotFound(service.MISSING)
    return found


def _applied(filters: BillFilters) -> list[tuple[str, BillFilters]]:
    """What narrows the list, in words, each with the filters that leave it out."""
    out = [(f"“{filters.q}”", filters.without("q"))] if filters.q else []
    if filters.state:
        out.append((BILL_STATES[filters.state], filters.without("state")))
    if filters.vendor:
        vendor = vendors.one(filters.vendor)
        out.append((vendor.display_name if vendor else "A vendor that is not here", filters.without("vendor")))
    out += [(f"From {filters.since}", filters.without("since"))] if filters.since else []
    return out + ([(f"Until {filters.until}", filters.without("until"))] if filters.until else [])


def _address(filters: BillFilters) -> str:
    return url_for("bills.index", **dict[str, Any](filters.query()))
