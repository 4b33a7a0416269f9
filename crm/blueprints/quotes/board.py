"""Quotes by stage. A card is moved by its own form (a select and a button); dragging it sends the same form."""

from __future__ import annotations

from typing import Any

from flask import flash, render_template, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.quotes import blueprint, lock_of
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain import quote_filters, quotes
from crm.queries import products
from crm.queries import quotes as queries
from crm.queries import sales_documents as lists
from crm.security import requires
from crm.services import quote_drafts
from crm.services import quotes as service
from crm.web import go

STAGES = (quotes.DRAFT, quotes.SENT, quotes.VIEWED, quotes.ACCEPTED, quotes.DECLINED, quotes.EXPIRED, quotes.PARTLY,
          quotes.INVOICED)  # fmt: skip
TARGETS = (quotes.DRAFT, quotes.SENT, quotes.ACCEPTED, quotes.DECLINED, quotes.CANCELLED)
"""Where a person can move a card."""


@blueprint.get("/board")
@requires("sales.read")
def board() -> Any:
    owner = quote_filters.read(request.args).owner
    return render_template(
        "quotes/board.html",
        columns=queries.board(STAGES, today=quote_drafts.today(clock.now()), owner=owner),
        days=queries.DAYS,
        targets=TARGETS,
        owner=owner,
        owners=lists.owners(),
        currency=products.home_currency(),
    )


@blueprint.post("/<int:document_id>/stage")
@requires("sales.write")
@answers_on(lambda document_id: ("quotes.board", {}))
def move(document_id: int) -> Any:
    stage = request.form.get("stage", "")
    with transaction():
        document = service.to_stage(
            document_id, stage, lock=lock_of(request.form), actor=actor(), now=clock.now()
        )  # fmt: skip
    flash(f"{document.number or document.title or 'The quote'}: {quotes.STATES[document.state].lower()}.", "success")
    return go("quotes.board")
