"""QuickBooks bodies to records and records to QuickBooks bodies: nothing is asked, decided or kept here.

`to_record` reads any kind; a body that cannot be read comes back as a `Refusal` with a sentence. `to_body` writes a
record the way QuickBooks shows it: a body through both loses nothing (only the constant `domain` and `sparse` marks
are dropped, and times come back in UTC). `to_sent_body` is the part that may be sent: without what QuickBooks
computes or refuses. Vendor words become ours by the tables below; unknown words stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crm.domain.records import (
    BillPaymentRecord,
    BillRecord,
    CompanyRecord,
    CustomerRecord,
    DocumentRecord,
    ItemRecord,
    ListRecord,
    PartyRecord,
    PaymentRecord,
    Record,
    Refusal,
    VendorRecord,
)
from crm.providers.accounting.quickbooks.documents import KINDS as DOCUMENTS
from crm.providers.accounting.quickbooks.documents import read_document, write_document
from crm.providers.accounting.quickbooks.fields import Reader, Unreadable, Writer
from crm.providers.accounting.quickbooks.items import (
    read_item,
    read_phones,
    read_vendor,
    write_item,
    write_phones,
    write_vendor,
)
from crm.providers.accounting.quickbooks.payments import (
    read_bill,
    read_bill_payment,
    read_payment,
    write_bill,
    write_bill_payment,
    write_payment,
)
from crm.providers.accounting.quickbooks.sending import sendable
from crm.providers.accounting.quickbooks.words import name_of, put_name, required

#: Our kind -> QuickBooks' entity.
ENTITIES = {
    "company": "CompanyInfo", "customer": "Customer", "vendor": "Vendor", "employee": "Employee", "term": "Term",
    "customer_type": "CustomerType", "payment_method": "PaymentMethod", "account": "Account", "tax_code": "TaxCode",
    "tax_rate": "TaxRate", "item": "Item", "estimate": "Estimate", "invoice": "Invoice", "payment": "Payment",
    "credit_memo": "CreditMemo", "sales_receipt": "SalesReceipt", "refund_receipt": "RefundReceipt", "bill": "Bill",
    "bill_payment": "BillPayment",
}  # fmt: skip
#: Automated sales tax's reasons, by number (two third-party sources that agree; Intuit's page shows no list).
TAX_EXEMPTIONS = {
    "1": "Federal government", "2": "State government", "3": "Local government", "4": "Tribal government",
    "5": "Charitable organization", "6": "Religious organization", "7": "Educational organization", "8": "Hospital",
    "9": "Resale", "10": "Direct pay permit", "11": "Multiple points of use", "12": "Direct mail",
    "13": "Agricultural production", "14": "Industrial production or manufacturing", "15": "Foreign diplomat",
}  # fmt: skip
#: Kind -> our detail -> (QuickBooks' field, how it is read).
DETAILS: dict[str, dict[str, tuple[str, str]]] = {
    "term": {
        "type": ("Type", "text"), "due_days": ("DueDays", "whole"), "discount_days": ("DiscountDays", "whole"),
        "discount_percent": ("DiscountPercent", "number"), "day_of_month": ("DayOfMonthDue", "whole"),
        "next_month_days": ("DueNextMonthDays", "whole"),
    },
    "customer_type": {},
    "payment_method": {"type": ("Type", "text")},
    "account": {
        "type": ("AccountType", "text"), "subtype": ("AccountSubType", "text"),
        "classification": ("Classification", "text"), "number": ("AcctNum", "text"),
        "full_path": ("FullyQualifiedName", "text"),
    },
    "tax_code": {
        "description": ("Description", "text"), "taxable": ("Taxable", "flag"), "group": ("TaxGroup", "flag"),
    },
    "tax_rate": {"description": ("Description", "text"), "percent": ("RateValue", "number")},
}  # fmt: skip
#: Kind -> our detail -> the reference whose id it holds.
DETAIL_IDS = {"account": {"parent_id": "ParentRef"}, "tax_rate": {"agency_id": "AgencyRef"}}


def to_record(kind: str, body: Any) -> Record | Refusal:
    """The record of a body, or the refusal that says why there is none. Numbers must be exact (int or Decimal)."""
    if not isinstance(body, Mapping):
        return Refusal(kind, "", "QuickBooks sent something that is not an object.")
    try:
        if body.get("status") == "Deleted":
            raise Unreadable("The record was deleted in QuickBooks.")
        return _READERS[kind](kind, Reader(body))
    except Unreadable as error:
        return Refusal(kind, str(body.get("Id") or ""), f"{ENTITIES[kind]} cannot be read: {error}", dict(body))


def to_body(record: Record) -> dict[str, Any]:
    """The body QuickBooks would show for the record."""
    return _WRITERS[type(record)](record)


# --- customers and company ------------------------------------------------------------------------------------


def _read_company(kind: str, body: Reader) -> CompanyRecord:
    named = {row.get("Name"): row.get("Value") for row in body.rest.get("NameValue") or [] if isinstance(row, Mapping)}
    return CompanyRecord(
        origin=body.origin(),
        name=required(body.text("CompanyName"), "CompanyName"),
        legal_name=body.text("LegalName"),
        country=body.text("Country"),
        time_zone=body.text("DefaultTimeZone"),
        email=body.inside("Email", "Address"),
        phone=body.inside("PrimaryPhone", "FreeFormNumber"),
        address=body.address("CompanyAddr"),
        plan=str(named.get("OfferingSku") or ""),
        subscription_status=str(named.get("SubscriptionStatus") or ""),
        extra=body.rest,
    )


def _write_company(record: CompanyRecord) -> dict[str, Any]:
    body = Writer(record.extra, record.origin)
    body.put("CompanyName", record.name)
    body.put("LegalName", record.legal_name)
    body.put("Country", record.country)
    body.put("DefaultTimeZone", record.time_zone)
    body.put_inside("Email", "Address", record.email)
    body.put_inside("PrimaryPhone", "FreeFormNumber", record.phone)
    body.put_address("CompanyAddr", record.address)
    return body.body


def _read_customer(kind: str, body: Reader) -> CustomerRecord:
    active = body.flag("Active") is not False
    parent = body.ref("ParentRef")
    if body.rest.get("Job") is (parent is not None):
        del body.rest["Job"]  # said by the parent
    return CustomerRecord(
        origin=body.origin(),
        display_name=required(name_of(body, "DisplayName", active), "DisplayName"),
        given_name=body.text("GivenName"),
        middle_name=body.text("MiddleName"),
        family_name=body.text("FamilyName"),
        title=body.text("Title"),
        suffix=body.text("Suffix"),
        company_name=body.text("CompanyName"),
        full_path=name_of(body, "FullyQualifiedName", active),
        active=active,
        parent_id=parent.remote_id if parent else None,
        is_project=body.flag("IsProject") is True,
        bill_with_parent=body.flag("BillWithParent") is True,
        phones=read_phones(body),
        email_text=body.inside("PrimaryEmailAddr", "Address"),
        website=body.inside("WebAddr", "URI"),
        billing_address=body.address("BillAddr"),
        shipping_address=body.address("ShipAddr"),
        notes=body.text("Notes"),
        customer_type=body.ref("CustomerTypeRef"),
        terms=body.ref("SalesTermRef"),
        payment_method=body.ref("PaymentMethodRef"),
        currency=body.inside("CurrencyRef", "value"),
        taxable=body.flag("Taxable"),
        tax_code=body.ref("DefaultTaxCodeRef"),
        tax_exemption=_exemption(body),
        resale_number=body.text("ResaleNum"),
        balance=body.number("Balance"),
        balance_with_jobs=body.number("BalanceWithJobs"),
        extra=body.rest,
    )


def _write_customer(record: CustomerRecord) -> dict[str, Any]:
    body = Writer(record.extra, record.origin)
    put_name(body, "DisplayName", record.display_name, record.active)
    put_name(body, "FullyQualifiedName", record.full_path, record.active)
    for name, value in (
        ("GivenName", record.given_name), ("MiddleName", record.middle_name), ("FamilyName", record.family_name),
        ("Title", record.title), ("Suffix", record.suffix), ("CompanyName", record.company_name),
        ("Active", record.active), ("IsProject", record.is_project),
        ("BillWithParent", record.bill_with_parent), ("Notes", record.notes), ("Taxable", record.taxable),
        ("ResaleNum", record.resale_number), ("Balance", record.balance),
        ("BalanceWithJobs", record.balance_with_jobs),
    ):  # fmt: skip
        body.put(name, value)
    body.body.setdefault("Job", record.parent_id is not None)
    body.put_inside("ParentRef", "value", record.parent_id)
    write_phones(body, record.phones)
    body.put_inside("PrimaryEmailAddr", "Address", record.email_text)
    body.put_inside("WebAddr", "URI", record.website)
    body.put_address("BillAddr", record.billing_address)
    body.put_address("ShipAddr", record.shipping_address)
    body.put_ref("CustomerTypeRef", record.customer_type)
    body.put_ref("SalesTermRef", record.terms)
    body.put_ref("PaymentMethodRef", record.payment_method)
    body.put_inside("CurrencyRef", "value", record.currency)
    body.put_ref("DefaultTaxCodeRef", record.tax_code)
    _put_exemption(body, record.tax_exemption)
    return body.body


def _exemption(body: Reader) -> str:
    """In words; sent as a number or as text. Which of the two stays in the rest, for the way back."""
    value = body.rest.get("TaxExemptionReasonId")
    return "" if value is None or value == "" else _exemption_words(value)


def _put_exemption(body: Writer, words: str) -> None:
    sent = body.body.get("TaxExemptionReasonId")
    if sent is None or _exemption_words(sent) != words:
        body.put("TaxExemptionReasonId", next((n for n, said in TAX_EXEMPTIONS.items() if said == words), None))


def _exemption_words(number: Any) -> str:
    return TAX_EXEMPTIONS.get(str(number), f"Reason {number}")


# --- lists and employees --------------------------------------------------------------------------------------


def _read_list(kind: str, body: Reader) -> ListRecord:
    active = body.flag("Active") is not False
    details = {ours: getattr(body, how)(name) for ours, (name, how) in DETAILS[kind].items()}
    for ours, name in DETAIL_IDS.get(kind, {}).items():
        details[ours] = body.inside(name, "value")
    if kind == "tax_code":
        details["sales_rates"] = _sales_rates(body.rest.get("SalesTaxRateList"))
    return ListRecord(
        kind=kind,
        origin=body.origin(),
        name=required(name_of(body, "Name", active), "Name"),
        active=active,
        details={ours: value for ours, value in details.items() if value not in (None, "", [])},
        extra=body.rest,
    )


def _sales_rates(given: Any) -> list[str]:
    """Ids of the rates a code is made of on sales, in the order they are figured; the list stays in the extra."""
    rows = [row for row in (given or {}).get("TaxRateDetail") or () if isinstance(row, Mapping)]
    rows.sort(key=lambda row: row.get("TaxOrder") or 0)
    return [str(ref["value"]) for row in rows if (ref := row.get("TaxRateRef") or {}).get("value")]


def _write_list(record: ListRecord) -> dict[str, Any]:
    body = Writer(record.extra, record.origin)
    put_name(body, "Name", record.name, record.active)
    body.put("Active", record.active)
    for ours, (name, _) in DETAILS[record.kind].items():
        body.put(name, record.details.get(ours))
    for ours, name in DETAIL_IDS.get(record.kind, {}).items():
        body.put_inside(name, "value", record.details.get(ours))
    return body.body


def _read_party(kind: str, body: Reader) -> PartyRecord:
    active = body.flag("Active") is not False
    name = required(name_of(body, "DisplayName", active), "DisplayName")
    return PartyRecord(kind=kind, origin=body.origin(), display_name=name, active=active, extra=body.rest)


def _write_party(record: PartyRecord) -> dict[str, Any]:
    body = Writer(record.extra, record.origin)
    put_name(body, "DisplayName", record.display_name, record.active)
    body.put("Active", record.active)
    return body.body


_READERS: dict[str, Callable[[str, Reader], Record]] = {
    "company": _read_company, "customer": _read_customer, "item": read_item, "payment": read_payment,
    "vendor": read_vendor, "employee": _read_party, "bill": read_bill, "bill_payment": read_bill_payment,
    **dict.fromkeys(DETAILS, _read_list), **dict.fromkeys(DOCUMENTS, read_document),
}  # fmt: skip
_WRITERS: dict[type, Callable[[Any], dict[str, Any]]] = {
    CompanyRecord: _write_company, CustomerRecord: _write_customer, ItemRecord: write_item,
    PaymentRecord: write_payment, PartyRecord: _write_party, VendorRecord: write_vendor, ListRecord: _write_list,
    DocumentRecord: write_document, BillRecord: write_bill, BillPaymentRecord: write_bill_payment,
}  # fmt: skip


def to_sent_body(kind: str, record: Record) -> dict[str, Any]:
    """The part of the record's body that may be sent."""
    return sendable(ENTITIES[kind], to_body(record))
