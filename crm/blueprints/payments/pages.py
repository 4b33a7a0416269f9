"""One payment: its page, its sync badge, and the buttons that void or delete it."""

from __future__ import annotations

from typing import Any

from flask import current_app, flash, render_template, request, url_for

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.payments import blueprint
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain import payments as rules
from crm.domain.errors import NotFound
from crm.queries import object_badges, payment_page
from crm.security import requires
from crm.services import receipt_changes
from crm.services import receipts as service
from crm.web import go, is_fragment

MISSING = "There is no such payment. The link may be old or not complete."


@blueprint.get("/<int:payment_id>")
@requires("sales.read")
def show(payment_id: int) -> Any:
    """A payment of the books."""
    view = payment_page.of_books(payment_id)
    if view is None:
        raise NotFound(MISSING)
    return _page(view)


@blueprint.get("/recorded/<int:receipt_id>")
@requires("sales.read")
def recorded(receipt_id: int) -> Any:
    """One that was recorded here; once the books hold it, that is the page of theirs."""
    there = payment_page.in_books(receipt_id)
    if there is not None:
        return show(payment_id=there)
    view = payment_page.recorded(receipt_id)
    if view is None:
        raise NotFound(MISSING)
    return _page(view)


@blueprint.get("/recorded/<int:receipt_id>/sync-badge")
@requires("sales.read")
def sync_badge(receipt_id: int) -> Any:
    if not is_fragment():
        return go("payments.recorded", receipt_id=receipt_id)
    view = payment_page.recorded(receipt_id)
    if view is None:
        raise NotFound(MISSING)
    return render_template("payments/_badge.html", receipt=view.receipt, sync=object_badges.one("payment", receipt_id))


@blueprint.post("/recorded/<int:receipt_id>/void")
@requires("payments.write")
@answers_on("payments.recorded")
def void(receipt_id: int) -> Any:
    with transaction():
        receipt = service.void(receipt_id, lock=lock_of(), actor=actor(), now=clock.now())
        taken_back = receipt.voided_at is not None
    flash("The payment was taken back." if taken_back else "The payment waits to be voided in QuickBooks.", "success")
    return go("payments.recorded", receipt_id=receipt_id)


@blueprint.post("/recorded/<int:receipt_id>/delete")
@requires("payments.write")
@answers_on("payments.recorded")
def delete(receipt_id: int) -> Any:
    with transaction():
        service.delete(receipt_id, lock=lock_of(), actor=actor(), now=clock.now())
    flash("The payment waits to be deleted in QuickBooks.", "success")
    return go("payments.recorded", receipt_id=receipt_id)


def _page(view: payment_page.PaymentView) -> Any:
    receipt = view.receipt
    sync = object_badges.one("payment", receipt.id) if receipt is not None else None
    return render_template(
        "payments/show.html",
        view=view,
        receipt=receipt,
        sync=sync,
        invoice_url=_invoice_url,
        title=rules.called(view.amount, view.currency),
        why_not=service.why_not_ended(receipt) if receipt is not None else "",
        why_fixed=receipt_changes.why_not(receipt) if receipt is not None else "",
    )


def _invoice_url(document_id: int | None) -> str:
    """Of an invoice's page; empty where there is none to open."""
    if document_id is None or "invoices.show" not in current_app.view_functions:
        return ""
    rule = next(current_app.url_map.iter_rules("invoices.show"))
    values: dict[str, Any] = dict.fromkeys(rule.arguments, document_id)
    return url_for("invoices.show", **values)


def lock_of() -> int:
    """Of a form without one: a version that never was, so that nothing is overwritten unseen."""
    text = request.form.get("lock", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
