"""Something done to the chosen invoices of the list, or a file of them. Those that refuse are named, each with why."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, make_response, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.invoices import blueprint, id_of, lists
from crm.blueprints.invoices.overdue import promised_on
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain import invoice_filters
from crm.domain.errors import Invalid
from crm.formats import plural
from crm.queries import invoices
from crm.security import requires
from crm.services import audit, invoice_drafts
from crm.services import invoice_bulk as service
from crm.services.invoice_bulk import Outcome
from crm.web import go, page_number


@blueprint.post("/chosen/mail")
@requires("sales.write")
@answers_on("invoices.index")
def mail_many() -> Any:
    with transaction():
        outcome = service.mail(_chosen(), actor=actor(), now=clock.now())
    return _told(outcome, "QuickBooks is asked to e-mail {}. What came of it shows on its page.")


@blueprint.post("/chosen/hold")
@requires("sales.write")
@answers_on("invoices.index")
def hold_many() -> Any:
    with transaction():
        outcome = service.hold(_chosen(), actor=actor(), now=clock.now())
    return _told(outcome, "{} held back from QuickBooks.")


@blueprint.post("/chosen/release")
@requires("sales.write")
@answers_on("invoices.index")
def release_many() -> Any:
    with transaction():
        outcome = service.release(_chosen(), actor=actor(), now=clock.now())
    return _told(outcome, "{} let go to QuickBooks.")


@blueprint.post("/chosen/void")
@requires("sales.write")
@answers_on("invoices.index")
def void_many() -> Any:
    with transaction():
        outcome = service.void(_chosen(), why=request.form.get("why", ""), actor=actor(), now=clock.now())
    return _told(outcome, "{} void as soon as QuickBooks has done it.")


@blueprint.post("/chosen/promise")
@requires("sales.write")
@answers_on("invoices.index")
def promise_many() -> Any:
    with transaction():
        outcome = service.promise(_chosen(), promised_on=promised_on(), next_step=request.form.get("next_step", ""),
                                  actor=actor(), now=clock.now())  # fmt: skip
    return _told(outcome, "The promise is noted on {}.")


@blueprint.post("/chosen.csv")
@requires("sales.read")
@answers_on("invoices.index")
def export_chosen() -> Response:
    ids, now = _chosen(), clock.now()
    with transaction():
        audit.record("invoices_exported", actor=actor(), now=now, summary=f"{plural(len(ids), 'chosen invoice')}")
    return lists.as_csv(invoices.rows(ids, today=invoice_drafts.today(now)), now)


def _chosen() -> list[int]:
    found = sorted({id_ for text in request.form.getlist("ids") if (id_ := id_of(text))})
    if not found:
        raise Invalid({"ids": "Choose at least one invoice of the list."})
    return found


def _told(outcome: Outcome, words: str) -> Any:
    """Back to the list; or, where some refused, the list at once with those still chosen: 409."""
    if outcome.done:
        flash(words.format(plural(outcome.done, "invoice")), "success")
    if outcome.left:
        answer = make_response(lists.drawn(outcome))
        answer.status_code = 409
        return answer
    filters = invoice_filters.read(request.args)
    more: dict[str, Any] = {"page": page_number(request.args)} if page_number(request.args) > 1 else {}
    return go("invoices.index", **{**filters.query(), **more})
