"""One invoice: its page, its sync badge, and QuickBooks' own PDF of it."""

from __future__ import annotations

from typing import Any

from flask import make_response, render_template

from crm import clock
from crm.blueprints import building
from crm.blueprints.invoices import blueprint, invoice_of
from crm.blueprints.refusing import answers_on
from crm.db import db
from crm.domain import invoices as rules
from crm.domain import sales_sheets
from crm.domain.days import company_day
from crm.queries import invoice_page as queries
from crm.queries import invoice_standing, object_badges, unused_money
from crm.queries import sales_documents as lists
from crm.security import requires
from crm.services import invoices as service
from crm.services import sales_mail
from crm.web import go, is_fragment


@blueprint.get("/<int:document_id>")
@requires("sales.read")
def show(document_id: int) -> Any:
    document = invoice_of(document_id)
    zone = lists.zone(document.connection_id)
    today = company_day(clock.now(), zone)
    standing, settings = service.standing(document), building.settings()
    entry = invoice_standing.waiting(db.session(), document_id)
    plain = invoice_standing.plain(document, linked=standing.linked, outgoing=entry is not None)
    mail = sales_mail.last(document_id)
    return render_template(
        "invoices/show.html",
        document=document,
        state=rules.state_now(plain, today=today),
        standing=standing,
        why={name: refusal.sentence for name in rules.ACTIONS if (refusal := rules.why_not(name, standing))},
        ending=entry.operation if entry is not None and entry.operation in invoice_standing.ENDS else "",
        late=(today - document.due_date).days if document.due_date else 0,
        sheet=sales_sheets.of_document(document, building.home()),
        currency=document.currency or building.home(),
        zone=zone,
        sync=object_badges.one("invoice", document_id),
        events=queries.events(document_id),
        paid=queries.paid(document),
        unused=unused_money.for_invoice(document) if not rules.why_not("pay", standing) else [],
        quote=queries.quote_of(document),
        remote_id=queries.remote_id(document_id),
        mail=mail if mail is not None and mail.event != sales_mail.SENT else None,
        terms={one.remote_id: one.name for one in settings.facts.terms},
        custom_fields=lists.custom_fields(document.connection_id),
        buyer=lists.buyer(document.contact_id),
    )


@blueprint.get("/<int:document_id>/sync-badge")
@requires("sales.read")
def sync_badge(document_id: int) -> Any:
    if not is_fragment():
        return go("invoices.show", document_id=document_id)
    document = invoice_of(document_id)
    return render_template("invoices/_badge.html", document=document, sync=object_badges.one("invoice", document_id))


@blueprint.post("/<int:document_id>/quickbooks.pdf")
@requires("sales.write")
@answers_on("invoices.show")
def books_pdf(document_id: int) -> Any:
    """As QuickBooks prints it: asked for there and then, so only on this button."""
    printed = service.books_pdf(document_id, clock=clock.now)
    answer = make_response(printed)
    answer.mimetype = "application/pdf"
    answer.headers["Content-Disposition"] = f'attachment; filename="invoice-{document_id}-quickbooks.pdf"'
    return answer
