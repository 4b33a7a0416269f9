"""What is done to one quote by a button of its page; each is refused on that page, with the reason."""

from __future__ import annotations

from typing import Any

from flask import flash, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.quotes import blueprint, lock_of
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.security import requires
from crm.services import quote_drafts
from crm.services import quotes as service
from crm.web import go


@blueprint.post("/<int:document_id>/send")
@requires("sales.write")
@answers_on("quotes.show")
def send(document_id: int) -> Any:
    with transaction():
        service.send(document_id, lock=lock_of(request.form), actor=actor(), now=clock.now())
    flash(
        "The quote is marked as sent, and goes to QuickBooks. Nobody was e-mailed: "
        "give the customer the link that this page shows.", "success",
    )  # fmt: skip
    return go("quotes.show", document_id=document_id)


@blueprint.post("/<int:document_id>/accept")
@requires("sales.write")
@answers_on("quotes.show")
def accept(document_id: int) -> Any:
    by = request.form.get("accepted_by", "")
    with transaction():
        service.accept(document_id, lock=lock_of(request.form), by=by, actor=actor(), now=clock.now())
    flash("The quote is accepted.", "success")
    return go("quotes.show", document_id=document_id)


@blueprint.post("/<int:document_id>/decline")
@requires("sales.write")
@answers_on("quotes.show")
def decline(document_id: int) -> Any:
    why = request.form.get("declined_why", "")
    with transaction():
        service.decline(document_id, lock=lock_of(request.form), why=why, actor=actor(), now=clock.now())
    flash("The quote is declined.", "success")
    return go("quotes.show", document_id=document_id)


@blueprint.post("/<int:document_id>/revise")
@requires("sales.write")
@answers_on("quotes.show")
def revise(document_id: int) -> Any:
    with transaction():
        document = service.revise(document_id, lock=lock_of(request.form), actor=actor(), now=clock.now())
    flash(
        f"Version {document.revision - 1} is kept as it was shown. Change the new one, then send it again.", "success"
    )
    return go("quotes.edit", document_id=document_id)


@blueprint.post("/<int:document_id>/cancel")
@requires("sales.write")
@answers_on("quotes.show")
def cancel(document_id: int) -> Any:
    with transaction():
        service.cancel(document_id, lock=lock_of(request.form), actor=actor(), now=clock.now())
    flash("The quote is withdrawn. Nothing was deleted; it can be reopened.", "success")
    return go("quotes.show", document_id=document_id)


@blueprint.post("/<int:document_id>/reopen")
@requires("sales.write")
@answers_on("quotes.show")
def reopen(document_id: int) -> Any:
    with transaction():
        service.reopen(document_id, lock=lock_of(request.form), actor=actor(), now=clock.now())
    flash("The quote is open again.", "success")
    return go("quotes.show", document_id=document_id)


@blueprint.post("/<int:document_id>/duplicate")
@requires("sales.write")
@answers_on("quotes.show")
def duplicate(document_id: int) -> Any:
    with transaction():
        made = quote_drafts.duplicate(document_id, actor=actor(), now=clock.now())
    flash("A copy as a draft of its own.", "success")
    return go("quotes.edit", document_id=made.id)


@blueprint.post("/<int:document_id>/template")
@requires("sales.write")
@answers_on("quotes.show")
def save_as_template(document_id: int) -> Any:
    name = request.form.get("name", "")
    with transaction():
        made = quote_drafts.save_as_template(document_id, name, actor=actor(), now=clock.now())
    flash(f"“{made.title}” is a template now. New quotes can begin with it.", "success")
    return go("quotes.show", document_id=made.id)


@blueprint.post("/<int:document_id>/delete-template")
@requires("sales.write")
@answers_on("quotes.show")
def delete_template(document_id: int) -> Any:
    with transaction():
        quote_drafts.delete_template(document_id, actor=actor(), now=clock.now())
    flash("The template is deleted. Quotes made of it stay.", "success")
    return go("quotes.index", templates="only")


@blueprint.post("/<int:document_id>/seen")
@requires("sales.write")
@answers_on("quotes.show")
def seen(document_id: int) -> Any:
    with transaction():
        service.seen_difference(document_id, lock=lock_of(request.form), actor=actor(), now=clock.now())
    flash("Noted: QuickBooks’ figures count.", "success")
    return go("quotes.show", document_id=document_id)
