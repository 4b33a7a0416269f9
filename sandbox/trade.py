"""More of the company's own pages: lists of documents and products, and what a bookkeeper does with one.

Edit the lines of a document, accept or reject an estimate, make the invoice of an estimate, send, put money into the
bank, change a product. Like `sandbox.pages`, whose rules about sites and companies hold here too: plain forms, one
transaction each, through `sandbox.rules`.
"""

from datetime import date

from flask import Blueprint, abort, render_template, request, url_for

from sandbox import forms, listing, pages, rules
from sandbox.pages import Page, change, found
from sandbox.store import Books
from sandbox.times import utc_now

blueprint = Blueprint("trade", __name__)
blueprint.before_request(pages.same_site_only)
blueprint.url_value_preprocessor(pages.known_company)
blueprint.context_processor(pages.shared)
blueprint.register_error_handler(403, pages.not_here)
blueprint.register_error_handler(404, pages.not_here)

TITLES = {
    "Estimate": "Estimates", "Invoice": "Invoices", "Payment": "Payments", "CreditMemo": "Credit memos",
    "SalesReceipt": "Sales receipts", "RefundReceipt": "Refunds", "Item": "Products and services", "Bill": "Bills",
    "Vendor": "Vendors",
}  # fmt: skip
EDITED = "Estimate, Invoice, CreditMemo, SalesReceipt"


@blueprint.app_context_processor
def titles() -> dict:
    return {"titles": TITLES}


@blueprint.get("/company/<realm>/list/<kind>")
def listed(realm: str, kind: str) -> Page:
    if kind not in TITLES:
        abort(404, "There is no such list.")
    wanted = listing.Wanted(
        text=request.args.get("q", "").strip(), page=max(request.args.get("page", 1, type=int) or 1, 1)
    )
    rows, more = listing.records(pages.store().reading(realm), kind, wanted)
    return render_template("company/list.html", kind=kind, rows=rows, more=more, wanted=wanted)


@blueprint.get("/company/<realm>/Item/<int:id>")
def item(realm: str, id: int, refused: str = "", status: int = 200) -> Page:
    record = found(pages.store().reading(realm), "Item", id)
    return render_template("company/item.html", item=record, typed=request.form, refused=refused), status


@blueprint.post("/company/<realm>/Item/<int:id>")
def save_item(realm: str, id: int) -> Page:
    def save(books: Books) -> dict:
        return rules.update(books, "Item", forms.item_body(request.form, found(books, "Item", id)), now=utc_now())

    return change(
        realm, save, lambda refused, status: item(realm, id, refused, status),
        lambda _: url_for(".item", realm=realm, id=id),
    )  # fmt: skip


@blueprint.post("/company/<realm>/Item/<int:id>/active")
def set_item_active(realm: str, id: int) -> Page:
    body = forms.named(str(id), request.form) | {"Active": request.form.get("active") == "yes"}
    return change(
        realm, lambda books: rules.update(books, "Item", body, now=utc_now()),
        lambda refused, status: item(realm, id, refused, status),
        lambda _: url_for(".item", realm=realm, id=id),
    )  # fmt: skip


@blueprint.post(f"/company/<realm>/<any({EDITED}):entity>/<int:id>/lines")
def save_lines(realm: str, entity: str, id: int) -> Page:
    def save(books: Books) -> dict:
        body = forms.lines_body(request.form, found(books, entity, id))
        return rules.update(books, entity, body, now=utc_now())

    return _done(realm, entity, id, save)


@blueprint.post("/company/<realm>/Estimate/<int:id>/status")
def set_status(realm: str, id: int) -> Page:
    body = forms.named(str(id), request.form) | {"TxnStatus": request.form.get("answer", "")}
    if body["TxnStatus"] == "Accepted":
        body |= {"AcceptedBy": request.form.get("name", "").strip(), "AcceptedDate": _today().isoformat()}
    else:
        body |= {"AcceptedBy": "", "AcceptedDate": ""}
    return _done(realm, "Estimate", id, lambda books: rules.update(books, "Estimate", body, now=utc_now()))


def _today() -> date:
    return pages.now_day()


@blueprint.post("/company/<realm>/Estimate/<int:id>/invoice")
def invoice_estimate(realm: str, id: int) -> Page:
    """The invoice of an estimate: the same lines and tax code, linked."""

    def invoice(books: Books) -> dict:
        estimate = found(books, "Estimate", id)
        rows = [{**line, "Id": None} for line in estimate["Line"] if line["DetailType"] != "SubTotalLineDetail"]
        body = {"CustomerRef": estimate["CustomerRef"], "Line": rows,
                "LinkedTxn": [{"TxnId": estimate["Id"], "TxnType": "Estimate"}]}  # fmt: skip
        code = estimate.get("TxnTaxDetail", {}).get("TxnTaxCodeRef")
        if code:
            body["TxnTaxDetail"] = {"TxnTaxCodeRef": code}
        for prop in ("CustomerMemo", "BillEmail", "BillAddr", "ShipAddr", "GlobalTaxCalculation"):
            if prop in estimate:
                body[prop] = estimate[prop]
        return rules.create(books, "Invoice", body, now=utc_now())

    return change(
        realm, invoice, lambda refused, status: pages.document(realm, "Estimate", id, refused, status),
        lambda made: url_for("pages.document", realm=realm, entity="Invoice", id=made["Id"]),
    )  # fmt: skip


@blueprint.post("/company/<realm>/<any(Estimate, Invoice):entity>/<int:id>/send")
def send(realm: str, entity: str, id: int) -> Page:
    address = request.form.get("address", "").strip() or None
    return _done(realm, entity, id, lambda books: rules.send(books, entity, id, now=utc_now(), send_to=address))


@blueprint.post("/company/<realm>/<any(Payment, SalesReceipt):entity>/<int:id>/deposit")
def bank(realm: str, entity: str, id: int) -> Page:
    """A bank deposit of this one; from then on it is frozen."""

    def deposit(books: Books) -> dict:
        account = next((one for one in books.all("Account") if one["AccountType"] == "Bank" and one["Active"]), None)
        if account is None:
            raise forms.NotUnderstood("This company has no bank account. Make one first.")
        amount = found(books, entity, id)["TotalAmt"]
        row = {"Amount": amount, "LinkedTxn": [{"TxnId": str(id), "TxnType": entity}]}
        body = {"DepositToAccountRef": {"value": account["Id"]}, "Line": [row]}
        return rules.create(books, "Deposit", body, now=utc_now())

    return _done(realm, entity, id, deposit)


def _done(realm: str, entity: str, id: int, act: pages.Act) -> Page:
    """Do it and show the document again, refused or not."""
    return change(
        realm, act, lambda refused, status: pages.document(realm, entity, id, refused, status),
        lambda _: url_for("pages.document", realm=realm, entity=entity, id=id),
    )  # fmt: skip
