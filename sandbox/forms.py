"""Turns what is typed on the company's own page into request bodies, and refusals into sentences.

Pure: form fields in, the JSON an API client would send out. `sandbox.pages` calls it and hands the bodies to
`sandbox.rules`, so that the page and the API obey one set of rules.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.checking import rounded
from sandbox.faults import Fault

Form = Mapping[str, str]
LINES = 4  # rows of the new-invoice form

# form field -> property, or property and member
CUSTOMER_FIELDS: dict[str, tuple[str, str]] = {
    "display_name": ("DisplayName", ""), "given_name": ("GivenName", ""), "family_name": ("FamilyName", ""),
    "company_name": ("CompanyName", ""), "phone": ("PrimaryPhone", "FreeFormNumber"),
    "mobile": ("Mobile", "FreeFormNumber"), "email": ("PrimaryEmailAddr", "Address"), "notes": ("Notes", ""),
}  # fmt: skip
ADDRESS_FIELDS: dict[str, str] = {
    "line1": "Line1", "line2": "Line2", "city": "City", "state": "CountrySubDivisionCode", "zip": "PostalCode",
}  # fmt: skip

# What the page says for a code; anything else is answered with QuickBooks' own detail.
SENTENCES: dict[str, str] = {
    "5010": "Somebody else changed this record in the meantime, so nothing was saved. Below is how it stands now; "
    "make your change again.",
    "6220": "This customer still has an open balance. Receive the payment or credit it first, then make the customer "
    "inactive.",
    "6080": "Give the customer a display name, or at least a first or last name.",
    "610": "This record is gone, or something it uses was made inactive.",
}


class NotUnderstood(ValueError):
    """A field holds something that cannot be read; the message is a sentence naming the field and the way out."""


def sentence(fault: Fault) -> str:
    """A refusal in words, with its code for those who develop against the API."""
    if fault.code == "6240":
        other = fault.detail.rpartition("Id=")[2] if "Id=" in fault.detail else ""
        where = f" (it is Id {other})" if other else ""
        text = f"A customer, vendor or employee already has this name{where}. Choose another, for example with a town."
    else:
        text = SENTENCES.get(fault.code) or fault.detail.removeprefix("Business Validation Error: ")
    return f"{text} [{fault.code}]"


def shown(customer: Mapping) -> dict[str, str]:
    """The form's fields filled from a customer."""
    fields = {}
    for name, (prop, member) in CUSTOMER_FIELDS.items():
        value = customer.get(prop, "")
        fields[name] = value.get(member, "") if member and isinstance(value, Mapping) else value
    address = customer.get("BillAddr", {})
    fields |= {name: address.get(member, "") for name, member in ADDRESS_FIELDS.items()}
    fields["taxable"] = "yes" if customer.get("Taxable", True) else ""
    fields["sync_token"] = customer.get("SyncToken", "")
    return fields


def customer_body(form: Form, before: Mapping | None = None) -> dict:
    """A create body, or with `before` a sparse update carrying the token the form was opened with."""
    body: dict = {}
    for name, (prop, member) in CUSTOMER_FIELDS.items():
        value = form.get(name, "").strip()
        if before is not None or value:
            body[prop] = {member: value} if member else value
    given = {member: form.get(name, "").strip() for name, member in ADDRESS_FIELDS.items()}
    if before is not None:
        kept = dict(before.get("BillAddr", {})) if any(given.values()) else {}
        body["BillAddr"] = {**kept, **given}
    elif any(given.values()):
        body["BillAddr"] = given
    body["Taxable"] = form.get("taxable") == "yes"
    return body if before is None else body | named(before["Id"], form)


def named(id: str, form: Form) -> dict:
    """What every change of an existing record carries: its Id and the token the page was shown with."""
    return {"Id": id, "SyncToken": form.get("sync_token", ""), "sparse": True}


def payment_body(form: Form, invoice: Mapping) -> dict:
    amount = number(form.get("amount", ""), "Amount received")
    body = {
        "CustomerRef": {"value": invoice["CustomerRef"]["value"]}, "TotalAmt": amount,
        "Line": [{"Amount": min(amount, Decimal(invoice["Balance"])),
                  "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]}],
    }  # fmt: skip
    if form.get("date"):
        body["TxnDate"] = form["date"]
    if form.get("method"):
        body["PaymentMethodRef"] = {"value": form["method"]}
    if form.get("reference", "").strip():
        body["PaymentRefNum"] = form["reference"].strip()
    return body


def invoice_body(form: Form, customer_id: str, tax_code: str | None, price_of: Callable[[str], Decimal]) -> dict:
    """Rows with an item become lines, at the price typed or else the item's own; tax by the company's code."""
    lines = []
    for row in range(LINES):
        item = form.get(f"item{row}", "")
        if not item:
            continue
        quantity = number(form.get(f"quantity{row}", "") or "1", f"Quantity in row {row + 1}")
        typed = form.get(f"price{row}", "")
        price = number(typed, f"Price in row {row + 1}") if typed else price_of(item)
        detail = {"ItemRef": {"value": item}, "Qty": quantity, "UnitPrice": price}
        line = {"Amount": rounded(quantity * price), "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
        if form.get(f"text{row}", "").strip():
            line["Description"] = form[f"text{row}"].strip()
        lines.append(line)
    if not lines:
        raise NotUnderstood("Choose an item in at least one row.")
    body: dict = {"CustomerRef": {"value": customer_id}, "Line": lines}
    if tax_code:
        body["TxnTaxDetail"] = {"TxnTaxCodeRef": {"value": tax_code}}
    if form.get("date"):
        body["TxnDate"] = form["date"]
    return body


def lines_body(form: Form, document: Mapping) -> dict:
    """A sparse update with the quantities, prices and words typed for the item lines; every other line as it is."""
    rows = [_retyped(form, line) for line in document["Line"] if line["DetailType"] != "SubTotalLineDetail"]
    return named(document["Id"], form) | {"Line": rows}


def _retyped(form: Form, line: Mapping) -> dict:
    if line["DetailType"] == "GroupLineDetail":
        group = line["GroupLineDetail"]
        return {**line, "GroupLineDetail": {**group, "Line": [_retyped(form, member) for member in group["Line"]]}}
    id = line.get("Id", "")
    if line["DetailType"] != "SalesItemLineDetail" or f"price{id}" not in form:
        return dict(line)
    quantity = number(form.get(f"quantity{id}", ""), f"Quantity of line {id}")
    price = number(form.get(f"price{id}", ""), f"Price of line {id}")
    detail = {**line["SalesItemLineDetail"], "Qty": quantity, "UnitPrice": price}
    detail.pop("TaxInclusiveAmt", None)
    return {**line, "Amount": rounded(quantity * price), "Description": form.get(f"text{id}", "").strip(),
            "SalesItemLineDetail": detail}  # fmt: skip


def plain(value: Any) -> str:
    """An exact number as a form shows it: no thousands, no needless zeros."""
    text = f"{Decimal(value):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def item_body(form: Form, item: Mapping) -> dict:
    """A sparse update of a product from its form; fields left as they were change nothing."""
    body = named(item["Id"], form) | {
        "Name": form.get("name", "").strip(), "Sku": form.get("sku", "").strip(),
        "Description": form.get("description", "").strip(),
    }  # fmt: skip
    for name, prop, words in (("price", "UnitPrice", "Price"), ("cost", "PurchaseCost", "Cost"),
                              ("on_hand", "QtyOnHand", "Quantity on hand")):  # fmt: skip
        typed = form.get(name, "").strip()
        if typed and typed != plain(item.get(prop, 0)):
            body[prop] = number(typed, words, zero=True)
    return body


def number(text: str, field: str, *, zero: bool = False) -> Decimal:
    """An amount or quantity above zero as typed, "$1,250.00" included; zero itself if allowed. Raises NotUnderstood."""
    try:
        value = Decimal(text.strip().replace(",", "").removeprefix("$"))
    except InvalidOperation as error:
        raise NotUnderstood(f"{field}: \u201c{text}\u201d is not a number. Write it like 1250.00.") from error
    if not value.is_finite() or value < 0 or (not value and not zero):
        raise NotUnderstood(f"{field} must be {'zero or more' if zero else 'more than zero'}.")
    return value
