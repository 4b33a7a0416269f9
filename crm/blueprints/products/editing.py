"""Forms of a product: a new one, all of one; and what to show when two people changed it."""

from __future__ import annotations

import json
from typing import Any

from flask import flash, render_template, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.products import blueprint
from crm.blueprints.products.pages import lock_of, product_of
from crm.db import db, transaction
from crm.domain import product_values
from crm.domain.amounts import read_number
from crm.domain.errors import Changed, Invalid, Refused
from crm.domain.product_values import ACCOUNTS, FIELDS, LABELS
from crm.domain.products import CREATABLE, TYPES
from crm.queries import product_accounts, products
from crm.security import requires
from crm.services import products as service
from crm.services import sales_settings
from crm.web import go, is_fragment

Form = dict[str, str]


@blueprint.get("/new")
@requires("products.write")
def new() -> Any:
    type_ = request.args.get("type", "service")
    name = " ".join(request.args.get("name", "").split())[:200]
    form: Form = {field: "" for field in FIELDS} | {"type": type_ if type_ in CREATABLE else "service", "name": name}
    settings = sales_settings.current(db.session(), sales_settings.company_in_use(db.session()))
    return _form_page(form | {"taxable": "1" if settings.taxable else "", "send": "1"})


@blueprint.post("")
@requires("products.write")
def create() -> Any:
    form = _typed()
    values, wrong = product_values.read(form)
    if wrong:
        return _form_page(form, errors=service.problems(db.session(), values) | wrong, status=422)
    try:
        with transaction() as session:
            send = "send" in request.form
            product = service.create(session, values, send=send, actor=actor(), now=clock.now())
    except Invalid as problem:
        return _form_page(form, errors=problem.fields, status=422)
    flash(f"{product.name} is a product now.", "success")
    return go("products.show", product_id=product.id)


@blueprint.get("/accounts")
@requires("products.write")
def accounts() -> Any:
    """The accounts a product of the chosen type asks for: what the form swaps in when the type is changed."""
    if not is_fragment():
        return go("products.new", type=request.args.get("type", "service"))
    form = {name: request.args.get(name, "") for name in FIELDS}
    return render_template(
        "products/_accounts.html", form=form, errors={}, offer=service.offer(db.session(), form["type"])
    )


@blueprint.get("/<int:product_id>/edit")
@requires("products.write")
def edit(product_id: int) -> Any:
    product = product_of(product_id)
    if product.type == "group":
        raise Refused(service.BUNDLE)
    form = product_values.typed(product)
    return _form_page(form, product=product, base=form)


@blueprint.post("/<int:product_id>")
@requires("products.write")
def update(product_id: int) -> Any:
    product = product_of(product_id)
    form, base = _typed(), _unpacked(request.form.get("base", ""))
    current = product_values.typed(product)
    form |= {name: current[name] for name in FIELDS if request.form.get(f"pick-{name}") == "theirs"}
    values, wrong = product_values.read(form)
    if wrong:
        wrong = service.problems(db.session(), values, product=product) | wrong
        return _form_page(form, product=product, base=base, errors=wrong, status=422)
    try:
        with transaction() as session:
            service.change(session, product_id, values, lock=lock_of(request.form), actor=actor(), now=clock.now())
    except Invalid as problem:
        return _form_page(form, product=product, base=base, errors=problem.fields, status=422)
    except Changed:
        return _conflict(product_id, form, base)
    flash("Saved.", "success")
    return go("products.show", product_id=product_id)


def _typed() -> Form:
    """What was typed. An account that was not asked for keeps what stood there, which its hidden field says."""
    return {name: request.form.get(name, "") for name in FIELDS} | {"send": request.form.get("send", "")}


def _form_page(
    form: Form, *, product: Any = None, base: Form | None = None, errors: dict[str, str] | None = None,
    status: int = 200,
) -> Any:  # fmt: skip
    sent = lock_of(request.form)
    kinds = [(name, TYPES[name]) for name in CREATABLE]
    if product is not None and product.type not in CREATABLE:
        kinds.append((product.type, TYPES.get(product.type, product.type)))
    values = {
        "form": form, "product": product, "errors": errors or {}, "types": kinds,
        "offer": service.offer(db.session(), form["type"]),
        "categories": [(path, path) for path in products.categories()], "base": json.dumps(base or {}),
        "lock": sent if sent > 0 else product.lock if product is not None else 0,
        "currency": (product.currency if product is not None else "") or products.home_currency(),
        "goes_out": service.goes_out(db.session()),
    }  # fmt: skip
    return render_template("products/edit.html" if product is not None else "products/new.html", **values), status


def _conflict(product_id: int, form: Form, base: Form) -> Any:
    """409: both versions field by field. What was typed travels on in the form, so that nothing is lost."""
    product = product_of(product_id)
    current = product_values.typed(product)
    differing = [
        {"name": name, "mine": form[name], "now": current[name],
         "pick": "theirs" if name in base and form[name] == base[name] else "mine"}
        for name in FIELDS if not _alike(name, form[name], current[name])
    ]  # fmt: skip
    names = product_accounts.names(db.session(), sales_settings.company_in_use(db.session()))
    values = {
        "product": product, "form": form, "base": json.dumps(current), "conflicts": differing, "labels": LABELS,
        "account_fields": ACCOUNTS, "accounts": names,
    }  # fmt: skip
    return render_template("products/conflict.html", **values), 409


def _alike(name: str, mine: str, current: str) -> bool:
    if name not in product_values.NUMBERS:
        return mine == current
    return read_number(mine) == read_number(current)


def _unpacked(text: str) -> Form:
    """What the form held when it was opened; only used to propose a side, so that a broken one is simply empty."""
    try:
        form = json.loads(text)
    except ValueError:
        return {}
    return form if isinstance(form, dict) else {}
