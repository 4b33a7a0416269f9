"""The builder: a new quote, a draft being changed, live figures; and what to show when two people changed it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import flash, render_template, request, url_for

from crm import clock
from crm.blueprints import building
from crm.blueprints.acting import actor
from crm.blueprints.building import Built
from crm.blueprints.keeping import keep
from crm.blueprints.quotes import blueprint, lock_of, quote_of
from crm.domain import sales_forms, sales_sheets
from crm.domain.errors import Refused
from crm.domain.quotes import DRAFT, why_not_edit
from crm.domain.sales_forms import Typed
from crm.queries import sales_documents as queries
from crm.security import requires
from crm.services import quote_drafts as service
from crm.services import sales_documents
from crm.web import go, page

KIND = "estimate"


@blueprint.get("/new")
@requires("sales.write")
def new() -> Any:
    """`?contact=` for a customer, `?template=` to begin with."""
    contact_id, template_id = (_id(request.args.get(name, "")) for name in ("contact", "template"))
    content = building.beginning(building.settings(), contact_id=contact_id)
    if template_id:
        kept = service.from_template(template_id, contact_id=content.contact_id, actor=actor(), now=clock.now())
        content = replace(kept, email=content.email, currency=content.currency, owner_id=content.owner_id,
                          billing_address=content.billing_address)  # fmt: skip
    first, last = service.beginning(clock.now())
    content = replace(content, date=first, expires_on=last)
    return _page(Built(sales_forms.typed(content), "f-q" if content.contact_id else "f-customer-q"))


@blueprint.post("")
@requires("sales.write")
def create() -> Any:
    document, answer = keep(_page, _made)
    if document is None:
        return answer
    flash("The quote is kept as a draft. Nobody outside sees it before it is sent.", "success")
    return go("quotes.show", document_id=document.id)


def _made(typed: Typed) -> Any:
    new_contact = building.new_contact(typed)
    return service.create(typed.content, actor=actor(), now=clock.now(), new_contact=new_contact)


@blueprint.get("/<int:document_id>/edit")
@requires("sales.write")
def edit(document_id: int) -> Any:
    document = quote_of(document_id)
    _refuse_closed(document)
    typed = sales_forms.typed(sales_documents.content_of(document))
    return _page(Built(typed), document=document)


@blueprint.post("/<int:document_id>")
@requires("sales.write")
def update(document_id: int) -> Any:
    def change(typed: Typed) -> Any:
        return service.change(document_id, typed.content, lock=lock_of(request.form), actor=actor(), now=clock.now())

    document = quote_of(document_id)
    base = sales_documents.content_of(document)
    saved, answer = keep(_page, change, base=base, document=document, conflict=_conflict)
    if saved is None:
        return answer
    flash("Saved.", "success")
    return go("quotes.show", document_id=document_id)


@blueprint.post("/figures")
@requires("sales.write")
def figures() -> Any:
    """What is typed, calculated: the box of figures and the amounts of the lines."""
    document_id = _id(request.args.get("quote", ""))
    document = quote_of(document_id) if document_id else None
    base = sales_documents.content_of(document) if document is not None else building.EMPTY
    typed = building.read(request.form, base=base)
    values = building.totals(typed, document) | {"rules": building.settings(), "live": True}
    return render_template("sales/_figures.html", **values)


@blueprint.get("/customers")
@requires("sales.read")
def customers() -> Any:
    """Contacts that typed words may mean, for the builder."""
    text = request.args.get("customer_q", "").strip()[:200]
    return page("quotes/customers.html", fragment="sales/_buyers.html", buyers=queries.buyers(text), text=text)


def _page(
    built: Built, *, document: Any = None, errors: dict[str, str] | None = None, status: int = 200,
    changed: bool = False,
) -> Any:  # fmt: skip
    document_id = document.id if document is not None else None
    back = url_for("quotes.show", document_id=document_id) if document_id else url_for("quotes.index")
    sent = lock_of(request.form)
    waits = document is not None and document.revision > 1 and document.state == DRAFT
    build = {
        "action": url_for("quotes.update", document_id=document_id) if document_id else url_for("quotes.create"),
        "figures_url": url_for("quotes.figures", quote=document_id),
        "customers_url": url_for("quotes.customers"),
        "cancel_url": back,
        "save": "Save" if document_id else "Save draft",
        "lock": sent if sent > 0 else document.lock if document is not None else 0,
        "note": f"Version {document.revision}: the customer sees it once it is sent again." if waits else "",
    }
    values = building.page_values(KIND, built, errors=errors or {}, document=document)
    values |= {"build": build, "document": document, "changed": changed or status != 200}
    return page("quotes/builder.html", fragment="sales/_form.html", status=status, **values)


def _conflict(document_id: int, typed: Typed) -> Any:
    """409: both whole. What was typed travels on in the form, so that nothing is lost."""
    document = quote_of(document_id)
    now = sales_documents.content_of(document)
    mine = sales_sheets.of_content(typed.content, sales_documents.tax_of(document, typed.content))
    changes = sales_documents.changed_fields(now, typed.content)
    rows = [(sales_forms.LABELS.get(name, name.replace("_", " ").capitalize()), _said(name, new), _said(name, old), "")
            for name, (old, new) in changes.items() if name != "lines"]  # fmt: skip
    return page(
        "quotes/conflict.html", fragment="quotes/_conflict.html", status=409, document=document, mine=mine, rows=rows,
        theirs=sales_sheets.of_document(document, building.home()),
        kept=[(name, text) for name, text in request.form.items(multi=True)
              if name not in ("lock", "action", "csrf_token")],
    )  # fmt: skip


def _said(name: str, text: str) -> str:
    """A value as people read it."""
    if name == "contact_id":
        found = queries.buyer(_id(text))
        return found.name if found else text
    if name == "owner_id":
        return dict(queries.owners()).get(text, text)
    if name == "terms":
        return next((one.name for one in building.settings().facts.terms if one.remote_id == text), text)
    return text


def _refuse_closed(document: Any) -> None:
    """A quote that was sent is changed by a new version; templates and drafts are open."""
    if why := why_not_edit("title", service.state_of(document, clock.now())):
        raise Refused(why)


def _id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
