"""An invoice of a quote: which lines, and what was paid in advance."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import flash, g, request

from crm import clock
from crm.blueprints import building
from crm.blueprints.acting import actor
from crm.blueprints.invoices import blueprint, id_of, lock_of
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain.amounts import read_number
from crm.domain.errors import Invalid
from crm.domain.sales import SOLD, counting
from crm.domain.sales_settings import FIELD
from crm.security import requires
from crm.services import invoice_drafts, quote_progress, sales_documents
from crm.services.quote_progress import Progress
from crm.web import go, page


@blueprint.get("/from-quote/<int:quote_id>/choose")
@requires("sales.write")
def choose(quote_id: int) -> Any:
    quote = sales_documents.find(quote_id, kind="estimate")
    progress = quote_progress.of(quote)
    chosen = {str(id_) for id_ in _counted(quote, progress)}
    if "refusal" in g:
        chosen = set(request.form.getlist("lines"))
    return page(
        "invoices/choose.html", quote=quote, chosen=chosen, progress=progress,
        rows=[line for line in quote.lines if (line.kind in SOLD and line.within is None) or line.kind == "group"],
        currency=quote.currency or building.home(), deposits=building.settings().deposits == FIELD,
    )  # fmt: skip


@blueprint.post("/from-quote/<int:quote_id>")
@requires("sales.write")
@answers_on("invoices.choose")
def from_quote(quote_id: int) -> Any:
    """The button of a quote leads to the choice; the choice, which says `chosen`, makes the invoice."""
    if "chosen" not in request.form:
        return go("invoices.choose", quote_id=quote_id)
    wanted = {found for text in request.form.getlist("lines") if (found := id_of(text))}
    with transaction():
        document = invoice_drafts.from_quote(
            quote_id, lock=lock_of(request.form), line_ids=_unless_whole(quote_id, wanted), deposit_paid=_deposit(),
            actor=actor(), now=clock.now(),
        )  # fmt: skip
    flash("The invoice is a draft. Look through it, then finish it.", "success")
    return go("invoices.show", document_id=document.id)


def _unless_whole(quote_id: int, wanted: set[int]) -> set[int] | None:
    """None where everything that is left was chosen and nothing else: texts and headings then come along too."""
    quote = sales_documents.find(quote_id, kind="estimate")
    return None if wanted == _counted(quote, quote_progress.of(quote)) else wanted


def _counted(quote: Any, progress: Progress) -> set[int]:
    """Lines that count and are left, bundles by their heads."""
    lines = sales_documents.content_of(quote).lines
    heads = {line.key for line in lines if line.kind == "group"}
    return {
        int(line.within if line.within in heads else line.key)
        for line, counts in zip(lines, counting(lines), strict=True) if counts and int(line.key) in progress.left
    }  # fmt: skip


def _deposit() -> Decimal:
    text = request.form.get("deposit_paid", "")
    try:
        value = read_number(text)
    except ValueError:
        wrong = f"Deposit received: “{text.strip()[:30]}” is no amount. Write it as 250.00."
        raise Invalid({"deposit_paid": wrong}) from None
    return value or Decimal(0)
