"""What is done to one invoice by a button of its page; each is refused on that page, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import flash, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.invoices import blueprint, lock_of
from crm.blueprints.invoices.overdue import promised_on
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.security import requires
from crm.services import invoice_drafts
from crm.services import invoices as service
from crm.web import go


def _done(deed: Callable[..., Any], document_id: int, words: str) -> Any:
    with transaction():
        deed(document_id, lock=lock_of(request.form), actor=actor(), now=clock.now())
    flash(words, "success")
    return go("invoices.show", document_id=document_id)


@blueprint.post("/<int:document_id>/finish")
@requires("sales.write")
@answers_on("invoices.show")
def finish(document_id: int) -> Any:
    """`hold`: finished, and not to QuickBooks yet."""
    hold = "hold" in request.form
    with transaction():
        service.finish(document_id, lock=lock_of(request.form), hold=hold, actor=actor(), now=clock.now())
    flash("Finished, and held back from QuickBooks." if hold else "Finished; it goes to QuickBooks.", "success")
    return go("invoices.show", document_id=document_id)


@blueprint.post("/<int:document_id>/hold")
@requires("sales.write")
@answers_on("invoices.show")
def hold(document_id: int) -> Any:
    return _done(service.hold, document_id, "Held back from QuickBooks.")


@blueprint.post("/<int:document_id>/release")
@requires("sales.write")
@answers_on("invoices.show")
def release(document_id: int) -> Any:
    return _done(service.release, document_id, "Released: it goes to QuickBooks.")


@blueprint.post("/<int:document_id>/void")
@requires("sales.write")
@answers_on("invoices.show")
def void(document_id: int) -> Any:
    return _done(service.void, document_id, "It is void as soon as QuickBooks has done it.")


@blueprint.post("/<int:document_id>/delete")
@requires("sales.write")
@answers_on("invoices.show")
def delete(document_id: int) -> Any:
    with transaction():
        gone = service.delete(document_id, lock=lock_of(request.form), actor=actor(), now=clock.now()).gone_at
    flash("Deleted." if gone else "It is deleted as soon as QuickBooks has done it.", "success")
    return go("invoices.index") if gone else go("invoices.show", document_id=document_id)


@blueprint.post("/<int:document_id>/duplicate")
@requires("sales.write")
@answers_on("invoices.show")
def duplicate(document_id: int) -> Any:
    with transaction():
        made = invoice_drafts.duplicate(document_id, actor=actor(), now=clock.now())
    flash("This is the copy: a draft, dated today.", "success")
    return go("invoices.edit", document_id=made.id)


@blueprint.post("/<int:document_id>/mail")
@requires("sales.write")
@answers_on("invoices.show")
def mail(document_id: int) -> Any:
    with transaction():
        service.mail(document_id, lock=lock_of(request.form), to=request.form.get("to", ""),
                     looked="looked" in request.form, actor=actor(), now=clock.now())  # fmt: skip
    flash("QuickBooks is asked to e-mail it. What came of it shows here.", "success")
    return go("invoices.show", document_id=document_id)


@blueprint.post("/<int:document_id>/promise")
@requires("sales.write")
@answers_on("invoices.show")
def promise_one(document_id: int) -> Any:
    with transaction():
        service.promise([document_id], promised_on=promised_on(), next_step=request.form.get("next_step", ""),
                        actor=actor(), now=clock.now())  # fmt: skip
    flash("Noted.", "success")
    return go("invoices.show", document_id=document_id)


@blueprint.post("/<int:document_id>/seen")
@requires("sales.write")
@answers_on("invoices.show")
def seen(document_id: int) -> Any:
    with transaction():
        service.seen_difference(document_id, actor=actor(), now=clock.now())
    flash("QuickBooks' figures are kept.", "success")
    return go("invoices.show", document_id=document_id)
