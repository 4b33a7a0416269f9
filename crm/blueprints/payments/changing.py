"""A payment is changed in place, and money that stands unused is applied to an invoice from the invoice's page."""

from __future__ import annotations

from typing import Any

from flask import flash, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.payments import blueprint
from crm.blueprints.payments.pages import lock_of
from crm.blueprints.refusing import answers_on
from crm.db import transaction
from crm.domain import payment_forms
from crm.domain.amounts import ZERO, read_number, told
from crm.domain.errors import Invalid, Refused
from crm.domain.payment_forms import PART, Typed
from crm.queries import payment_page, unused_money
from crm.queries import sales_documents as lists
from crm.security import requires
from crm.services import receipt_changes as service
from crm.services import receipts, sales_documents
from crm.services.receipts import Draft
from crm.web import go, page


@blueprint.get("/recorded/<int:receipt_id>/edit")
@requires("payments.write")
def edit(receipt_id: int) -> Any:
    receipt = payment_page.receipt(receipt_id)
    if sentence := service.why_not(receipt):
        raise Refused(sentence)
    texts = {name: getattr(receipt, name) for name in ("method", "note", "reference", "deposit_account")}
    texts |= {"amount": format(receipt.amount.normalize(), "f"), "date": receipt.date.isoformat()}
    texts |= {f"{PART}{part.document_id}": format(part.amount.normalize(), "f") for part in receipt.parts}
    return _form(receipt_id, payment_forms.read(texts), {})


@blueprint.post("/recorded/<int:receipt_id>")
@requires("payments.write")
@answers_on("payments.recorded")
def update(receipt_id: int) -> Any:
    typed = payment_forms.read(request.form.to_dict())
    if typed.wrong or typed.date is None:
        return _form(receipt_id, typed, typed.wrong, status=422)
    texts = typed.texts
    draft = Draft(0, typed.amount, typed.date, method=texts["method"], reference=texts["reference"],
                  deposit_account=texts["deposit_account"], note=texts["note"], parts=typed.parts)  # fmt: skip
    try:
        with transaction():
            receipt = service.change(receipt_id, draft, lock=lock_of(), actor=actor(), now=clock.now())
            linked = receipts.is_linked(receipt)
    except Invalid as problem:
        return _form(receipt_id, typed, payment_forms.places(problem.fields), status=422)
    flash("Saved. The change waits to be sent to QuickBooks." if linked else "Saved.", "success")
    return go("payments.recorded", receipt_id=receipt_id)


@blueprint.post("/apply/<int:document_id>")
@requires("payments.write")
@answers_on("invoices.show")
def apply(document_id: int) -> Any:
    """`source` names the payment or credit, `apply` how much of it."""
    document = sales_documents.find(document_id, kind="invoice")
    source = next((one for one in unused_money.for_invoice(document) if one.key == request.form.get("source")), None)
    if source is None:
        raise Refused("That money is used by now, or a change of it is on its way. Look at what stands unused below.")
    text = request.form.get("apply", "")
    try:
        amount = read_number(text) or ZERO
    except ValueError:
        raise Invalid({"apply": f"Amount to apply: “{text.strip()[:30]}” is no amount. Write it as 250.00."}) from None
    try:
        with transaction():
            service.apply_unused(source, document_id, amount, actor=actor(), now=clock.now())
    except Invalid as problem:
        raise Invalid({"apply": next(iter(problem.fields.values()))}) from None
    flash(f"{told(amount, document.currency or 'USD')} is applied; it goes to QuickBooks by itself.", "success")
    return go("invoices.show", document_id=document_id)


def _form(receipt_id: int, typed: Typed, errors: Any, *, status: int = 200) -> Any:
    receipt, company = payment_page.receipt(receipt_id), sales_documents.company()
    rows = [one for one in service.room(receipt)
            if one.customer == receipt.customer_remote_id and one.currency == receipt.currency]  # fmt: skip
    values = {"receipt": receipt, "texts": typed.texts, "errors": errors, "rows": rows,
              "offer": receipts.choices(company), "lock": request.form.get("lock", receipt.lock),
              "buyer": lists.buyer(receipt.contact_id)}  # fmt: skip
    return page("payments/edit.html", status=status, **values)
