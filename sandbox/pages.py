"""The company's own pages, as its bookkeeper would see them: change something here and watch a connected app follow.

Plain server-rendered forms at /company/<realm>/, and the list of companies at /. Every change goes through
`sandbox.rules` inside one transaction, exactly as an API request does, so refusals are the same and the same webhook
notices are queued. There is no sign-in: the sandbox holds nothing real and listens on this machine only. Posts from
other sites are refused.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from sandbox import forms, listing, rules
from sandbox.entities import SALES, VOIDABLE
from sandbox.faults import Fault
from sandbox.lines import selling
from sandbox.store import Books, Store
from sandbox.times import today, utc_now

blueprint = Blueprint("pages", __name__)
KINDS = "Estimate, Invoice, Payment, CreditMemo, SalesReceipt, RefundReceipt, Bill"  # documents with a page
Page = str | AnyResponse | tuple[str, int]
Act = Callable[[Books], dict]


def store() -> Store:
    return current_app.extensions["sandbox"].store


@blueprint.errorhandler(403)
@blueprint.errorhandler(404)
def not_here(error: HTTPException) -> Page:
    return render_template("company/not_here.html", refused=error.description), error.code or 404


@blueprint.before_request
def same_site_only() -> None:
    """A page elsewhere in the browser must not change the company behind the user's back."""
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403, "This form was sent from another site.")


@blueprint.url_value_preprocessor
def known_company(endpoint: str | None, values: dict[str, Any] | None) -> None:
    if values and "realm" in values and values["realm"] not in dict(store().companies()):
        abort(404, "There is no company with this number here.")


@blueprint.context_processor
def shared() -> dict[str, Any]:
    realm = (request.view_args or {}).get("realm")
    return {"realm": realm, "company_name": dict(store().companies()).get(realm), "state": state, "today": now_day()}


@blueprint.app_template_filter("usd")
def usd(amount: Any) -> str:
    return f"{Decimal(amount or 0):,.2f}"


@blueprint.app_template_filter("quantity")
def quantity(value: Any) -> str:
    return forms.plain(value)


def now_day() -> date:
    return today(utc_now())


def state(document: dict) -> tuple[str, str]:
    """(word, style) of a document: what a bookkeeper sees at a glance."""
    if document.get("PrivateNote", "").startswith("Voided"):
        return "Voided", "quiet"
    if "TxnStatus" in document:
        return document["TxnStatus"], "quiet"
    if "DueDate" not in document and "UnappliedAmt" not in document and "RemainingCredit" not in document:
        return "Done", "good"
    if "DueDate" not in document:
        left = Decimal(document.get("UnappliedAmt", document.get("RemainingCredit", 0)))
        return (f"{usd(left)} not applied", "warn") if left else ("Applied", "good")
    balance, late = Decimal(document["Balance"]), (now_day() - date.fromisoformat(document["DueDate"])).days
    if not balance:
        return "Paid", "good"
    if late > 0:
        return f"Overdue {late} day{'s' * (late > 1)}", "bad"
    return ("Partly paid", "warn") if balance < document["TotalAmt"] else ("Open", "warn")


@blueprint.get("/")
def companies() -> Page:
    rows = [(realm, name, store().reading(realm).count("Customer")) for realm, name in store().companies()]
    return render_template("company/companies.html", companies=rows)


@blueprint.get("/company/<realm>/activity")
def activity(realm: str) -> Page:
    """What the connected app asked since the start, and which webhook notices wait or went out."""
    sandbox = current_app.extensions["sandbox"]
    return render_template(
        "company/activity.html", calls=sandbox.counters.snapshot(), postman=sandbox.postman,
        waiting=listing.waiting(store().reading(realm)),
    )  # fmt: skip


# -- customers


@blueprint.get("/company/<realm>/")
def customers(realm: str) -> Page:
    wanted = listing.Wanted(
        text=request.args.get("q", "").strip(), show=request.args.get("show", "active"),
        page=max(request.args.get("page", 1, type=int) or 1, 1),
    )  # fmt: skip
    rows, more = listing.customers(store().reading(realm), wanted)
    return render_template("company/customers.html", rows=rows, more=more, wanted=wanted)


@blueprint.get("/company/<realm>/customers/<int:id>")
def customer(realm: str, id: int, refused: str = "", status: int = 200) -> Page:
    books = store().reading(realm)
    record = found(books, "Customer", id)
    parent = books.get("Customer", record["ParentRef"]["value"]) if "ParentRef" in record else None
    page = render_template(
        "company/customer.html", customer=record, parent=parent, refused=refused,
        jobs=books.children("Customer", id), documents=listing.documents(books, str(id)),
    )  # fmt: skip
    return page, status


def found(books: Books, entity: str, id: int) -> dict:
    record = books.get(entity, id)
    if record is None:
        abort(404, f"There is no {entity} {id}. It may have been deleted.")
    return record


@blueprint.get("/company/<realm>/customers/new")
def new_customer(realm: str) -> Page:
    return render_template("company/customer_form.html", customer=None, fields=forms.shown({}), refused="")


@blueprint.post("/company/<realm>/customers/new")
def create_customer(realm: str) -> Page:
    def create(books: Books) -> dict:
        return rules.create(books, "Customer", forms.customer_body(request.form), now=utc_now())

    def again(refused: str, status: int) -> Page:
        page = render_template("company/customer_form.html", customer=None, fields=request.form, refused=refused)
        return page, status

    return change(realm, create, again, lambda made: url_for(".customer", realm=realm, id=made["Id"]))


@blueprint.get("/company/<realm>/customers/<int:id>/edit")
def edit_customer(realm: str, id: int) -> Page:
    record = found(store().reading(realm), "Customer", id)
    return render_template("company/customer_form.html", customer=record, fields=forms.shown(record), refused="")


@blueprint.post("/company/<realm>/customers/<int:id>/edit")
def save_customer(realm: str, id: int) -> Page:
    def save(books: Books) -> dict:
        return rules.update(
            books, "Customer", forms.customer_body(request.form, found(books, "Customer", id)), now=utc_now()
        )

    def again(refused: str, status: int) -> Page:
        record = found(store().reading(realm), "Customer", id)
        fields = forms.shown(record) if status == 409 else request.form  # stale: show the record as it is now
        page = render_template("company/customer_form.html", customer=record, fields=fields, refused=refused)
        return page, status

    return change(realm, save, again, lambda _: url_for(".customer", realm=realm, id=id))


@blueprint.post("/company/<realm>/customers/<int:id>/active")
def set_active(realm: str, id: int) -> Page:
    body = forms.named(str(id), request.form) | {"Active": request.form.get("active") == "yes"}
    return change(
        realm, lambda books: rules.update(books, "Customer", body, now=utc_now()),
        lambda refused, status: customer(realm, id, refused, status),
        lambda _: url_for(".customer", realm=realm, id=id),
    )  # fmt: skip


# -- documents


@blueprint.get(f"/company/<realm>/<any({KINDS}):entity>/<int:id>")
def document(realm: str, entity: str, id: int, refused: str = "", status: int = 200) -> Page:
    books = store().reading(realm)
    record = found(books, entity, id)
    page = render_template(
        "company/document.html", entity=entity, document=record, refused=refused, typed=request.form,
        methods=[method for method in books.all("PaymentMethod") if method["Active"]],
        can_void=entity in VOIDABLE and not record.get("PrivateNote", "").startswith("Voided"),
        edited=list(selling(record.get("Line", []))) if entity in SALES else [],
    )  # fmt: skip
    return page, status


@blueprint.post("/company/<realm>/Invoice/<int:id>/payment")
def receive_payment(realm: str, id: int) -> Page:
    def receive(books: Books) -> dict:
        body = forms.payment_body(request.form, found(books, "Invoice", id))
        return rules.create(books, "Payment", body, now=utc_now())

    return change(
        realm, receive, lambda refused, status: document(realm, "Invoice", id, refused, status),
        lambda _: url_for(".document", realm=realm, entity="Invoice", id=id),
    )  # fmt: skip


@blueprint.post(f"/company/<realm>/<any({KINDS}):entity>/<int:id>/void")
def void(realm: str, entity: str, id: int) -> Page:
    body = forms.named(str(id), request.form)
    return change(
        realm, lambda books: rules.void(books, entity, body, now=utc_now(), by_owner=True),
        lambda refused, status: document(realm, entity, id, refused, status),
        lambda _: url_for(".document", realm=realm, entity=entity, id=id),
    )  # fmt: skip


@blueprint.post(f"/company/<realm>/<any({KINDS}):entity>/<int:id>/delete")
def delete(realm: str, entity: str, id: int) -> Page:
    owner = found(store().reading(realm), entity, id).get("CustomerRef", {}).get("value")
    body = forms.named(str(id), request.form)
    return change(
        realm, lambda books: rules.delete(books, entity, body, now=utc_now()),
        lambda refused, status: document(realm, entity, id, refused, status),
        lambda _: (
            url_for(".customer", realm=realm, id=owner) if owner else url_for("trade.listed", realm=realm, kind=entity)
        ),
    )  # fmt: skip


@blueprint.get("/company/<realm>/customers/<int:id>/invoice")
def new_invoice(realm: str, id: int, refused: str = "", status: int = 200) -> Page:
    books = store().reading(realm)
    items = [item for item in books.all("Item") if item["Active"] and item.get("Type") != "Category"]
    page = render_template(
        "company/invoice_form.html", customer=found(books, "Customer", id), items=items, rows=range(forms.LINES),
        typed=request.form, refused=refused,
    )  # fmt: skip
    return page, status


@blueprint.post("/company/<realm>/customers/<int:id>/invoice")
def create_invoice(realm: str, id: int) -> Page:
    def create(books: Books) -> dict:
        def price_of(item: str) -> Decimal:
            return Decimal(found(books, "Item", int(item)).get("UnitPrice", 0))

        tax = (books.get("Preferences", 1) or {}).get("TaxPrefs", {}).get("TaxGroupCodeRef", {}).get("value")
        body = forms.invoice_body(request.form, str(id), tax, price_of)
        return rules.create(books, "Invoice", body, now=utc_now())

    return change(
        realm, create, lambda refused, status: new_invoice(realm, id, refused, status),
        lambda made: url_for(".document", realm=realm, entity="Invoice", id=made["Id"]),
    )  # fmt: skip


def change(
    realm: str, act: Act, again: Callable[[str, int], Page], onward: Callable[[dict], str]
) -> Page:
    """Do it in one transaction and go on; a refusal shows the page again with a sentence, 409 if it was stale."""
    try:
        with store().writing(realm) as books:
            made = act(books)
    except Fault as fault:
        return again(forms.sentence(fault), 409 if fault.code == "5010" else 422)
    except forms.NotUnderstood as error:
        return again(str(error), 422)
    current_app.extensions["sandbox"].postman.wake()
    return redirect(onward(made), 303)
