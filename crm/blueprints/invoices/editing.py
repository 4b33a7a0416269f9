"""The builder: a new invoice, one that is changed, live figures; and what to show when two people changed it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import flash, render_template, request, url_for

from crm import clock
from crm.blueprints import building
from crm.blueprints.acting import actor
from crm.blueprints.building import Built
from crm.blueprints.invoices import blueprint, id_of, invoice_of, lock_of
from crm.blueprints.keeping import keep
from crm.domain import invoices as rules
from crm.domain import sales_forms, sales_sheets
from crm.domain.sales_forms import Typed
from crm.queries import sales_documents as queries
from crm.security import requires
from crm.services import invoice_drafts as service
from crm.services import invoices, sales_documents
from crm.web import go, page

KIND = "invoice"


@blueprint.get("/new")
@requires("sales.write")
def new() -> Any:
    """`?contact=` for a customer."""
    content = building.beginning(building.settings(), contact_id=id_of(request.args.get("contact", "")))
    content = replace(service.beginning(content, clock.now()), due_date=None)  # empty: by the terms
    return _page(Built(sales_forms.typed(content), "f-q" if content.contact_id else "f-customer-q"))


@blueprint.post("")
@requires("sales.write")
def create() -> Any:
    document, answer = keep(_page, _made)
    if document is None:
        return answer
    flash("The invoice is kept as a draft. Finish it, and it goes to QuickBooks.", "success")
    return go("invoices.show", document_id=document.id)


def _made(typed: Typed) -> Any:
    new_contact = building.new_contact(typed)
    return service.create(typed.content, actor=actor(), now=clock.now(), new_contact=new_contact)


@blueprint.get("/<int:document_id>/edit")
@requires("sales.write")
def edit(document_id: int) -> Any:
    document = invoice_of(document_id)
    rules.refuse("annotate", invoices.standing(document))
    return _page(Built(sales_forms.typed(sales_documents.content_of(document))), document=document)


@blueprint.post("/<int:document_id>")
@requires("sales.write")
def update(document_id: int) -> Any:
    def change(typed: Typed) -> Any:
        return service.change(document_id, typed.content, lock=lock_of(request.form), actor=actor(), now=clock.now())

    document = invoice_of(document_id)
    base = sales_documents.content_of(document)
    saved, answer = keep(_page, change, base=base, document=document, conflict=_conflict)
    if saved is None:
        return answer
    flash("Saved.", "success")
    return go("invoices.show", document_id=document_id)


@blueprint.post("/figures")
@requires("sales.write")
def figures() -> Any:
    """What is typed, calculated: the box of figures and the amounts of the lines."""
    document_id = id_of(request.args.get("invoice", ""))
    document = invoice_of(document_id) if document_id else None
    base = sales_documents.content_of(document) if document is not None else building.EMPTY
    typed = building.read(request.form, base=base)
    values = building.totals(typed, document) | {"rules": building.settings(), "live": True}
    return render_template("sales/_figures.html", **values)


def _page(
    built: Built, *, document: Any = None, errors: dict[str, str] | None = None, status: int = 200,
    changed: bool = False,
) -> Any:  # fmt: skip
    document_id = document.id if document is not None else None
    sent = lock_of(request.form)
    build = {
        "action": url_for("invoices.update", document_id=document_id) if document_id else url_for("invoices.create"),
        "figures_url": url_for("invoices.figures", invoice=document_id),
        "customers_url": url_for("quotes.customers"),
        "cancel_url": url_for("invoices.show", document_id=document_id) if document_id else url_for("invoices.index"),
        "save": "Save" if document_id else "Save draft",
        "lock": sent if sent > 0 else document.lock if document is not None else 0,
        "note": _closed(document),
    }
    values = building.page_values(KIND, built, errors=errors or {}, document=document)
    values |= {"build": build, "document": document, "changed": changed or status != 200}
    return page("invoices/builder.html", fragment="sales/_form.html", status=status, **values)


def _closed(document: Any) -> str:
    """Why amounts cannot be changed now, while texts and due date can."""
    refusal = rules.why_not("edit", invoices.standing(document)) if document is not None else None
    return f"{refusal.sentence} Texts and the due date can be changed." if refusal is not None else ""


def _conflict(document_id: int, typed: Typed) -> Any:
    """409: both whole. What was typed travels on in the form, so that nothing is lost."""
    document = invoice_of(document_id)
    now = sales_documents.content_of(document)
    mine = sales_sheets.of_content(typed.content, sales_documents.tax_of(document, typed.content))
    changes = sales_documents.changed_fields(now, typed.content)
    rows = [(sales_forms.LABELS.get(name, name.replace("_", " ").capitalize()), _said(name, new), _said(name, old), "")
            for name, (old, new) in changes.items() if name != "lines"]  # fmt: skip
    return page(
        "invoices/conflict.html", fragment="invoices/_conflict.html", status=409, document=document, mine=mine,
        rows=rows, theirs=sales_sheets.of_document(document, building.home()),
        kept=[(name, text) for name, text in request.form.items(multi=True)
              if name not in ("lock", "action", "csrf_token")],
    )  # fmt: skip


def _said(name: str, text: str) -> str:
    """A value as people read it."""
    if name == "contact_id":
        found = queries.buyer(id_of(text))
        return found.name if found else text
    if name == "owner_id":
        return dict(queries.owners()).get(text, text)
    if name == "terms":
        return next((one.name for one in building.settings().facts.terms if one.remote_id == text), text)
    return text
