"""Forms of a vendor: a new one, all of one; and what to show when two people changed it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import flash, render_template, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.buying import company_day, lock_of
from crm.blueprints.vendors import blueprint
from crm.blueprints.vendors.pages import vendor_of
from crm.db import transaction
from crm.domain import purchases
from crm.domain.errors import Changed, Invalid
from crm.domain.purchases import VENDOR_FIELDS, VENDOR_LABELS, VendorValues
from crm.queries import vendors as queries
from crm.security import requires
from crm.services import vendors as service
from crm.web import go


@blueprint.get("/new")
@requires("purchases.write")
def new() -> Any:
    name = " ".join(request.args.get("name", "").split())[:500]
    return _form_page(VendorValues(display_name=name))


@blueprint.post("")
@requires("purchases.write")
def create() -> Any:
    values = purchases.read_vendor(request.form)
    try:
        with transaction() as session:
            vendor = service.create(session, values, actor=actor(), now=clock.now())
    except Invalid as problem:
        return _form_page(values, errors=problem.fields, status=422)
    flash(f"{vendor.display_name} is a vendor now.", "success")
    return go("vendors.show", vendor_id=vendor.id)


@blueprint.get("/<int:vendor_id>/edit")
@requires("purchases.write")
def edit(vendor_id: int) -> Any:
    vendor = vendor_of(vendor_id)
    return _form_page(purchases.vendor_of(vendor), vendor=vendor)


@blueprint.post("/<int:vendor_id>")
@requires("purchases.write")
def update(vendor_id: int) -> Any:
    vendor = vendor_of(vendor_id)
    now_stands = purchases.vendor_of(vendor)
    form = {name: request.form.get(name, "") for name in VENDOR_FIELDS}
    form |= {name: getattr(now_stands, name) for name in VENDOR_FIELDS if request.form.get(f"pick-{name}") == "theirs"}
    values = purchases.read_vendor(form)
    try:
        with transaction() as session:
            service.change(session, vendor_id, values, lock=lock_of(request.form), actor=actor(), now=clock.now())
    except Invalid as problem:
        return _form_page(values, vendor=vendor, errors=problem.fields, status=422)
    except Changed:
        return _conflict(vendor_id, values)
    flash("Saved.", "success")
    return go("vendors.show", vendor_id=vendor_id)


def _form_page(
    values: VendorValues, *, vendor: Any = None, errors: dict[str, str] | None = None, status: int = 200
) -> Any:
    sent, company = lock_of(request.form), vendor.connection_id if vendor is not None else company_day().company
    return render_template(
        "vendors/edit.html", form=asdict(values), vendor=vendor, errors=errors or {}, labels=VENDOR_LABELS,
        lock=sent if sent > 0 else vendor.lock if vendor is not None else 0, terms=queries.terms(company),
        goes_out=company is not None,
    ), status  # fmt: skip


def _conflict(vendor_id: int, values: VendorValues) -> Any:
    """409: both versions field by field. What was typed travels on in the form, so that nothing is lost."""
    vendor = vendor_of(vendor_id)
    differing = purchases.vendor_changes(purchases.vendor_of(vendor), values)
    return render_template(
        "vendors/conflict.html", vendor=vendor, form=asdict(values), labels=VENDOR_LABELS,
        conflicts=[(name, theirs, mine) for name, (theirs, mine) in differing.items()],
        terms=dict(queries.terms(vendor.connection_id)),
    ), 409  # fmt: skip
