"""The form in which a payment is recorded: from a contact, an invoice, or one that was voided.

Buttons that save nothing draw the form again; htmx swaps the sums alone. Payments that may be the same one are shown
before anything is kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import flash, render_template, request

from crm import clock
from crm.blueprints.acting import actor
from crm.blueprints.payments import blueprint
from crm.db import transaction
from crm.domain import payment_forms
from crm.domain.amounts import ZERO, told
from crm.domain.days import company_day
from crm.domain.errors import Invalid, NotFound
from crm.domain.payment_forms import PART, Typed
from crm.domain.payments import suggest
from crm.queries import payment_page, sales_documents
from crm.queries.open_items import OpenItems
from crm.security import requires
from crm.services import receipts as service
from crm.services import sales_documents as documents
from crm.services.receipts import Draft, SeemsThere
from crm.web import go, page


@blueprint.get("/new")
@requires("payments.write")
def new() -> Any:
    """`contact`, `invoice` (applied wholly) or `again` (a payment recorded here, to be written anew)."""
    contact_id, invoice, texts = _asked()
    if contact_id is None:
        return _choose()
    items = service.open_of(service.contact_of(contact_id))
    begun = _begun(texts, items, invoice)
    return _form(contact_id, items, payment_forms.read(begun), fresh=True)


@blueprint.get("/sums")
@requires("payments.write")
def sums() -> Any:
    """What the amounts typed so far come to; the form swaps it in while somebody types."""
    contact_id = _id(request.args.get("contact_id", ""))
    items = service.open_of(service.contact_of(contact_id))
    typed = payment_forms.read(request.args.to_dict(), request.args.getlist("credit"))
    return page("payments/sums.html", fragment="payments/_sums.html", **_sums(contact_id or 0, items, typed))


@blueprint.post("")
@requires("payments.write")
def create() -> Any:
    form = request.form.to_dict()
    contact_id = _id(form.get("contact_id", ""))
    contact = service.contact_of(contact_id)
    typed, action = payment_forms.read(form, request.form.getlist("credit")), form.get("action", "save")
    if action in ("suggest", "recalculate"):
        items = service.open_of(contact)
        if action == "suggest":
            typed = _suggested(typed, items)
        return _form(contact.id, items, typed, fresh=True)
    if typed.wrong or typed.date is None:
        return _form(contact.id, service.open_of(contact), typed, status=422)
    draft = _draft(contact.id, typed)
    if action.startswith("link:"):
        return _link(draft, action.partition(":")[2])
    try:
        with transaction():
            receipt = service.record(draft, sure=action == "another", actor=actor(), now=clock.now())
            receipt_id = receipt.id
    except Invalid as problem:
        wrong = replace(typed, wrong=payment_forms.places(problem.fields))
        return _form(contact.id, service.open_of(contact), wrong, status=422)
    except SeemsThere as problem:
        return _form(contact.id, service.open_of(contact), typed, likes=problem.likes, status=409)
    flash("The payment is recorded.", "success")
    return go("payments.recorded", receipt_id=receipt_id)


def _link(draft: Draft, key: str) -> Any:
    """It is one that stands here: a payment of the books, or one recorded here that waits."""
    kind, _, number = key.partition(":")
    if kind == "receipt":
        flash("Nothing new was recorded: this is the payment.", "info")
        return go("payments.recorded", receipt_id=_id(number) or 0)
    with transaction():
        payment_id = service.link_to(draft, _id(number) or 0, actor=actor(), now=clock.now()).id
    flash("Linked: nothing new goes to QuickBooks.", "success")
    return go("payments.show", payment_id=payment_id)


# --- what the form begins with --------------------------------------------------------------------------------


def _asked() -> tuple[int | None, str, dict[str, str]]:
    """(contact, invoice, texts) that the address asks for."""
    args = request.args
    if again := _id(args.get("again", "")):
        view = payment_page.recorded(again)
        if view is None or view.receipt is None:
            raise NotFound("There is no such payment. The link may be old or not complete.")
        old = view.receipt
        texts = {name: getattr(old, name) for name in ("method", "note", "reference", "deposit_account")}
        texts |= {"amount": format(old.amount, "f"), "date": old.date.isoformat(), "payer": old.customer_remote_id}
        return old.contact_id, "", texts
    if invoice := _id(args.get("invoice", "")):
        found = documents.find(invoice, kind="invoice")
        return found.contact_id, str(invoice), {}
    return _id(args.get("contact", "")), "", {}


def _begun(texts: dict[str, str], items: OpenItems, invoice: str) -> dict[str, str]:
    company = documents.company()
    today = company_day(clock.now(), sales_documents.zone(company.id if company else None))
    begun = {"date": today.isoformat(), "deposit_account": service.choices(company).account} | texts
    chosen = next((one for one in items.invoices if one.key == invoice), None)
    if chosen is not None:
        amount = format(chosen.balance, "f")
        begun |= {"amount": amount, f"{PART}{invoice}": amount, "payer": chosen.customer}
    begun.setdefault("payer", _owing(items))
    return begun


def _owing(items: OpenItems) -> str:
    """The contact's own customer, or a job where only jobs owe something."""
    own = items.payers[0].remote_id
    customers = [one.customer for one in items.invoices]
    return own if own in customers or not customers else customers[0]


def _payer_choices(items: OpenItems) -> list[tuple[str, str]]:
    """(remote id, name with what is open)."""
    found = []
    for one in items.payers:
        open_ = sum((invoice.balance for invoice in items.of(one.remote_id).invoices), ZERO)
        found.append((one.remote_id, f"{one.name}: {told(open_, one.currency)} open" if open_ else one.name))
    return found


def _suggested(typed: Typed, items: OpenItems) -> Typed:
    """The amount applied to what is due first. Without an amount, all that is open is meant."""
    payer = service.payer_of(items, typed.texts.get("payer", ""))
    mine = items.of(payer.remote_id)
    invoices = [one for one in mine.invoices if one.currency == payer.currency]
    credits = [one for one in mine.credits if one.key in typed.credits]
    texts, amount = dict(typed.texts), typed.amount
    if not texts["amount"].strip():
        amount = max(sum((one.balance for one in invoices), ZERO) - sum((one.balance for one in credits), ZERO), ZERO)
        texts["amount"] = format(amount, "f")
    money = suggest(amount, invoices, credits=credits)
    return payment_forms.read(payment_forms.with_parts(texts, money), typed.credits)


def _choose() -> Any:
    """Whose payment: found by typing, or by its invoice."""
    q = request.args.get("q", "").strip()[:200]
    return render_template("payments/choose.html", q=q, contacts=sales_documents.buyers(q, 20))


# --- drawing --------------------------------------------------------------------------------------------------


def _form(
    contact_id: int, items: OpenItems, typed: Typed, *, likes: Any = (), status: int = 200, fresh: bool = False
) -> Any:
    contact, company = service.contact_of(contact_id), documents.company()
    shown = {} if fresh else dict(typed.wrong)
    values = {
        **_sums(contact_id, items, typed), "contact": contact, "errors": shown, "offer": service.choices(company),
        "payer_choices": _payer_choices(items), "goes_out": company is not None,
        "likes": [(like, _like_page(like.key)) for like in likes],
    }  # fmt: skip
    return page("payments/new.html", status=status, **values)


def _sums(contact_id: int, items: OpenItems, typed: Typed) -> dict[str, Any]:
    payer = service.payer_of(items, typed.texts.get("payer", ""))
    money, problem = None, ""
    try:
        money = service.allocation(_draft(contact_id, typed), items)
    except Invalid as wrong:
        problem = "" if set(wrong.fields) == {"amount"} else str(wrong)
    return {"typed": typed, "items": items.of(payer.remote_id), "payers": items.payers, "payer": payer, "money": money,
            "problem": problem, "currency": payer.currency}  # fmt: skip


def _draft(contact_id: int, typed: Typed) -> Draft:
    texts = typed.texts
    return Draft(
        contact_id, typed.amount, typed.date or clock.now().date(), payer=texts["payer"], method=texts["method"],
        reference=texts["reference"], deposit_account=texts["deposit_account"], note=texts["note"], parts=typed.parts,
        credits=typed.credits,
    )  # fmt: skip


def _like_page(key: str) -> Any:
    """What stands here of a payment that may be the same."""
    kind, _, number = key.partition(":")
    return payment_page.of_books(int(number)) if kind == "payment" else payment_page.recorded(int(number))


def _id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
