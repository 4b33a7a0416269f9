"""One product: its page, its sync badge, and the buttons that take it out of use, back, or to the books."""

from __future__ import annotations

from typing import Any

from flask import current_app, flash, render_template, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.products import blueprint
from crm.blueprints.refusing import answers_on
from crm.db import db, transaction
from crm.domain.errors import NotFound
from crm.queries import connections, object_badges, product_accounts, product_page, products
from crm.security import requires
from crm.services import products as service
from crm.services import sales_settings
from crm.web import go, is_fragment

MISSING = "There is no such product. The link may be old or not complete."


@blueprint.get("/<int:product_id>")
@requires("sales.read")
def show(product_id: int) -> Any:
    product = product_of(product_id)
    company = sales_settings.company_in_use(db.session())
    books = product_page.in_which_books(product_id)
    return render_template(
        "products/show.html",
        product=product,
        currency=product.currency or products.home_currency(),
        zone=connections.one(company).time_zone or "UTC" if company else "UTC",
        prices=product_page.prices(product_id),
        used=product_page.used(product_id),
        lines=product_page.last_lines(product_id),
        books=books,
        accounts=product_accounts.names(db.session(), books[0].connection_id if books else company),
        sync=object_badges.one("item", product_id),
        sendable=service.sendable(db.session(), product),
        doubts=service.doubts(db.session(), product_id),
        members=product_page.members(product),
        address_of=_address_of,
    )


@blueprint.get("/<int:product_id>/sync-badge")
@requires("sales.read")
def sync_badge(product_id: int) -> Any:
    if not is_fragment():
        return go("products.show", product_id=product_id)
    product = product_of(product_id)
    return render_template("products/_badge.html", product=product, sync=object_badges.one("item", product_id))


@blueprint.post("/<int:product_id>/deactivate")
@requires("products.write")
@answers_on("products.show")
def deactivate(product_id: int) -> Any:
    with transaction() as session:
        product = service.deactivate(session, product_id, lock=lock_of(request.form), actor=actor(), now=clock.now())
    flash(f"{product.name} is out of use. Quotes and invoices that have it keep it.", "success")
    return go("products.show", product_id=product_id)


@blueprint.post("/<int:product_id>/reactivate")
@requires("products.write")
@answers_on("products.show")
def reactivate(product_id: int) -> Any:
    with transaction() as session:
        product = service.reactivate(session, product_id, lock=lock_of(request.form), actor=actor(), now=clock.now())
    flash(f"{product.name} is in use again.", "success")
    return go("products.show", product_id=product_id)


@blueprint.post("/<int:product_id>/send")
@requires("products.write")
@answers_on("products.show")
def send(product_id: int) -> Any:
    with transaction() as session:
        product = service.send(session, product_id, actor=actor(), now=clock.now())
    flash(f"{product.name} waits to be sent to QuickBooks.", "success")
    return go("products.show", product_id=product_id)


@blueprint.post("/<int:product_id>/is-item")
@requires("products.write")
@answers_on("products.show")
def is_item(product_id: int) -> Any:
    with transaction() as session:
        product = service.is_item(session, product_id, _item_id(), actor=actor(), now=clock.now())
    flash(f"{product.name} is linked. What differs stays as it is on both sides until somebody changes it.", "success")
    return go("products.show", product_id=product_id)


@blueprint.post("/<int:product_id>/is-not-item")
@requires("products.write")
@answers_on("products.show")
def is_not_item(product_id: int) -> Any:
    with transaction() as session:
        own = service.is_not_item(session, _item_id(), actor=actor(), now=clock.now())
    flash(f"They are two: {own.name} of QuickBooks is a product of its own now.", "success")
    return go("products.show", product_id=product_id)


def _item_id() -> int:
    text = request.form.get("item_id", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _address_of(kind: str, document_id: int) -> str:
    """Of a quote's or invoice's page; empty where there is none to open."""
    endpoint = {"estimate": "quotes.show", "invoice": "invoices.show"}.get(kind, "")
    if endpoint not in current_app.view_functions:
        return ""
    rule = next(current_app.url_map.iter_rules(endpoint))
    values: dict[str, Any] = dict.fromkeys(rule.arguments, document_id)
    return url_for(endpoint, **values)


def product_of(product_id: int) -> Any:
    found = product_page.product(product_id)
    if found is None:
        raise NotFound(MISSING)
    return found


def lock_of(form: Any) -> int:
    """Of a form without one: a version that never was, so that nothing is overwritten unseen."""
    text = form.get("lock", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
