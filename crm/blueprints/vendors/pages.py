"""The list of vendors with its export, one vendor's page, and the buttons that take it out of use and back."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, render_template, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.buying import company_day, lock_of
from crm.blueprints.refusing import answers_on
from crm.blueprints.vendors import blueprint
from crm.db import db, transaction
from crm.domain import purchase_filters
from crm.domain.errors import NotFound
from crm.domain.purchase_filters import ACTIVE, OWED, VENDOR_SORTS, VendorFilters
from crm.domain.sales_content import ADDRESS
from crm.exports import csv_response
from crm.queries import bills, object_badges, products
from crm.queries import vendors as queries
from crm.security import requires
from crm.services import vendors as service
from crm.web import go, is_fragment, page

EXPORT = ("Id", "Name", "Company", "Phone", "E-mail", "Our account number", "We owe", "Currency", "In use",
          "Changed (UTC)")  # fmt: skip


@blueprint.get("")
@requires("sales.read")
def index() -> Any:
    filters, today = purchase_filters.vendor_filters(request.args), company_day().today
    found = queries.page(filters, today=today)
    values: dict[str, Any] = {
        "page": found, "filters": filters, "orders": VENDOR_SORTS, "currency": products.home_currency(),
        "badges": object_badges.badges("vendor", [row.id for row in found.rows]),
        "choices": {"active": list(ACTIVE.items()), "owed": list(OWED.items())},
        "figures": queries.figures(), "sums": bills.figures(today),
        "applied": [(words, _address(rest)) for words, rest in _applied(filters)],
        "empty": not found.total and not filters.narrowed and not queries.any_vendors(),
    }  # fmt: skip
    answer = page("vendors/index.html", fragment="vendors/_list.html", **values)
    if is_fragment():
        more: dict[str, Any] = {"page": found.number} if found.number > 1 else {}
        answer.headers["HX-Push-Url"] = url_for("vendors.index", **{**filters.query(), **more})
    return answer


@blueprint.get("/export.csv")
@requires("sales.read")
def export() -> Response:
    filters, day = purchase_filters.vendor_filters(request.args), company_day()
    narrowed = ", ".join(words for words, _ in _applied(filters)) or "all vendors in use"
    with transaction():
        number = queries.count(filters, today=day.today)
        service.record_export(number, narrowed, actor=actor(), now=clock.now())
    rows = (
        (row.id, row.display_name, row.company_name, row.phone, row.email, row.account_number, row.balance,
         row.currency or products.home_currency(), "yes" if row.active else "no", row.updated_at.isoformat())
        for row in queries.each(filters, today=day.today)
    )  # fmt: skip
    return csv_response(f"vendors-{day.today}.csv", EXPORT, rows)


@blueprint.get("/<int:vendor_id>")
@requires("sales.read")
def show(vendor_id: int) -> Any:
    vendor, day = vendor_of(vendor_id), company_day()
    sums = bills.figures(day.today, vendor_id=vendor_id)
    return render_template(
        "vendors/show.html",
        vendor=vendor,
        address=[text for name in ADDRESS if (text := vendor.address.get(name, ""))],
        currency=vendor.currency or products.home_currency(),
        zone=day.zone,
        today=day.today,
        state_of=bills.state,
        sums=sums,
        owed=vendor.balance if vendor.balance is not None else sum(one.open for one in sums),
        open_bills=bills.of_vendor(vendor_id, only_open=True),
        latest=bills.of_vendor(vendor_id, only_open=False),
        term=queries.term_name(vendor),
        usual=dict(bills.accounts(db.session(), vendor.connection_id)).get(
            bills.usual_account(db.session(), vendor_id)
        ),
        books=queries.in_books("vendor", vendor_id),
        sync=object_badges.one("vendor", vendor_id),
        history=queries.history(f"vendor:{vendor_id}"),
        sendable=vendor.connection_id is None and day.company is not None,
    )


@blueprint.get("/<int:vendor_id>/sync-badge")
@requires("sales.read")
def sync_badge(vendor_id: int) -> Any:
    if not is_fragment():
        return go("vendors.show", vendor_id=vendor_id)
    url = url_for("vendors.sync_badge", vendor_id=vendor_of(vendor_id).id)
    return render_template("shared/_object_badge.html", sync=object_badges.one("vendor", vendor_id), badge_url=url)


@blueprint.post("/<int:vendor_id>/deactivate")
@requires("purchases.write")
@answers_on("vendors.show")
def deactivate(vendor_id: int) -> Any:
    with transaction() as session:
        vendor = service.deactivate(session, vendor_id, lock=lock_of(request.form), actor=actor(), now=clock.now())
    there = vendor.active
    flash(f"{vendor.display_name} {'goes out of use as soon as QuickBooks has it so' if there else 'is out of use'}.",
          "success")  # fmt: skip
    return go("vendors.show", vendor_id=vendor_id)


@blueprint.post("/<int:vendor_id>/reactivate")
@requires("purchases.write")
@answers_on("vendors.show")
def reactivate(vendor_id: int) -> Any:
    with transaction() as session:
        vendor = service.reactivate(session, vendor_id, lock=lock_of(request.form), actor=actor(), now=clock.now())
    here = vendor.active
    flash(f"{vendor.display_name} {'is in use again' if here else 'is in use as soon as QuickBooks has it so'}.",
          "success")  # fmt: skip
    return go("vendors.show", vendor_id=vendor_id)


@blueprint.post("/<int:vendor_id>/send")
@requires("purchases.write")
@answers_on("vendors.show")
def send(vendor_id: int) -> Any:
    with transaction() as session:
        vendor = service.send(session, vendor_id, actor=actor(), now=clock.now())
    flash(f"{vendor.display_name} is on its way to QuickBooks.", "success")
    return go("vendors.show", vendor_id=vendor_id)


def vendor_of(vendor_id: int) -> Any:
    found = queries.one(vendor_id)
    if found is None:
        raise NotFound(service.MISSING)
    return found


def _applied(filters: VendorFilters) -> list[tuple[str, VendorFilters]]:
    """What narrows the list, in words, each with the filters that leave it out."""
    out = [(f"“{filters.q}”", filters.without("q"))] if filters.q else []
    out += [(ACTIVE[filters.active], filters.without("active"))] if filters.active else []
    return out + ([(OWED[filters.owed], filters.without("owed"))] if filters.owed else [])


def _address(filters: VendorFilters) -> str:
    return url_for("vendors.index", **dict[str, Any](filters.query()))
