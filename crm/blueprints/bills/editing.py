"""Forms of a bill: a new one, all of one. Buttons add and remove lines; the form posts to one address whatever is
pressed, so that everything works without scripting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import flash, render_template, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.bills import blueprint
from crm.blueprints.bills.pages import bill_of
from crm.blueprints.buying import company_day, lock_of
from crm.db import db, transaction
from crm.domain import purchases
from crm.domain.errors import Changed, Invalid, Refused
from crm.domain.purchases import BillLine, BillTyped
from crm.queries import bills as queries
from crm.queries import products, vendors
from crm.security import requires
from crm.services import bills as service
from crm.web import go


@blueprint.get("/new")
@requires("purchases.write")
def new() -> Any:
    """`vendor`: whose; the first line is booked to the account its bills usually are."""
    vendor, today = request.args.get("vendor", ""), company_day().today
    known = vendor if vendor.isascii() and vendor.isdigit() and len(vendor) < 10 else ""
    return _form_page(BillTyped(known, date=str(today), lines=(BillLine(account=_usual(known)),)))


@blueprint.post("")
@requires("purchases.write")
def create() -> Any:
    typed = purchases.read_bill(request.form)
    if _asks():
        return _form_page(_acted(typed))
    try:
        with transaction() as session:
            bill = service.create(session, typed, actor=actor(), now=clock.now())
    except Invalid as problem:
        return _form_page(typed, errors=problem.fields, status=422)
    flash("The bill is written down.", "success")
    return go("bills.show", bill_id=bill.id)


@blueprint.get("/<int:bill_id>/edit")
@requires("purchases.write")
def edit(bill_id: int) -> Any:
    bill = bill_of(bill_id)
    if why := service.why_not(bill):
        raise Refused(why)
    return _form_page(service.typed(db.session(), bill), bill=bill)


@blueprint.post("/<int:bill_id>")
@requires("purchases.write")
def update(bill_id: int) -> Any:
    bill, typed = bill_of(bill_id), purchases.read_bill(request.form)
    if _asks():
        return _form_page(_acted(typed), bill=bill)
    try:
        with transaction() as session:
            service.change(session, bill_id, typed, lock=lock_of(request.form), actor=actor(), now=clock.now())
    except Invalid as problem:
        return _form_page(typed, bill=bill, errors=problem.fields, status=422)
    except Changed:
        return _form_page(typed, bill=bill_of(bill_id), status=409)
    flash("Saved.", "success")
    return go("bills.show", bill_id=bill_id)


def _asks() -> bool:
    """Whether a button was pressed that saves nothing."""
    return request.form.get("action", "save") != "save"


def _acted(typed: BillTyped) -> BillTyped:
    deed, _, at = request.form.get("action", "").partition(":")
    if deed == "remove" and at.isascii() and at.isdigit():
        typed = purchases.without_line(typed, int(at))
    if deed == "add" or not typed.lines:
        typed = purchases.with_line(typed, _usual(typed.vendor_id))
    return typed


def _usual(vendor: str) -> str:
    usable = vendor.isascii() and vendor.isdigit() and len(vendor) < 10
    return queries.usual_account(db.session(), int(vendor)) if usable else ""


def _form_page(typed: BillTyped, *, bill: Any = None, errors: dict[str, str] | None = None, status: int = 200) -> Any:
    """With 409 the form shows what was typed, above it what stands now; saving again overwrites that knowingly."""
    company = bill.connection_id if bill is not None else company_day().company
    used = [line.account for line in typed.lines if line.account]
    if not typed.lines:
        typed = replace(typed, lines=(BillLine(),))
    sent = lock_of(request.form)
    fresh = status == 409 or sent < 0
    return render_template(
        "bills/edit.html", form=typed, bill=bill, errors=errors or {},
        lock=(bill.lock if fresh else sent) if bill is not None else 0,
        vendors=vendors.choices(besides=bill.vendor_id if bill is not None else None),
        accounts=queries.accounts(db.session(), company, besides=used),
        products=queries.suggested_products(), customers=queries.suggested_customers(company),
        currency=(bill.currency if bill is not None else "") or products.home_currency(),
        stands=service.typed(db.session(), bill) if status == 409 else None,
        connected=company is not None,
    ), status  # fmt: skip
