"""QuickBooks' estimates, invoices, credit memos and receipts to records and back.

The mapper uses it; a document's lines are in `lines`, what it names in `links`. A void has no mark of its own and is
told by zero amounts and its note. Amounts are as sent: nothing is added up here.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from crm.domain.records import CustomField, DocumentRecord, Ref, TaxLine
from crm.providers.accounting.quickbooks.fields import Field, Reader, Writer, read_fields, write_fields
from crm.providers.accounting.quickbooks.lines import read_lines, write_lines
from crm.providers.accounting.quickbooks.links import read_links, write_links
from crm.providers.accounting.quickbooks.words import required, word, word_back

KINDS = ("estimate", "invoice", "credit_memo", "sales_receipt", "refund_receipt")
#: `Converted` is on the reference page only; it and Closed mean that an invoice was made.
ESTIMATE_STATES = {
    "Pending": "pending", "Accepted": "accepted", "Closed": "closed", "Rejected": "rejected", "Converted": "closed",
}  # fmt: skip
EMAIL_STATES = {"NotSet": "not_set", "NeedToSend": "to_send", "EmailSent": "sent"}
PRINT_STATES = {"NotSet": "not_set", "NeedToPrint": "to_print", "PrintComplete": "printed"}
TAX_MODES = {"TaxExcluded": "excluded", "TaxInclusive": "inclusive", "NotApplicable": "none"}
#: Ours, QuickBooks', our words.
WORDS = (
    ("email_status", "EmailStatus", EMAIL_STATES), ("print_status", "PrintStatus", PRINT_STATES),
    ("tax_mode", "GlobalTaxCalculation", TAX_MODES),
)  # fmt: skip
FIELDS: tuple[Field, ...] = (
    ("number", "DocNumber", "text"), ("date", "TxnDate", "day"), ("due_date", "DueDate", "day"),
    ("expires_on", "ExpirationDate", "day"), ("accepted_by", "AcceptedBy", "text"),
    ("accepted_on", "AcceptedDate", "day"), ("currency", "CurrencyRef.value", "inside"),
    ("exchange_rate", "ExchangeRate", "number"), ("terms", "SalesTermRef", "ref"),
    ("email", "BillEmail.Address", "inside"), ("email_cc", "BillEmailCc.Address", "inside"),
    ("email_bcc", "BillEmailBcc.Address", "inside"), ("customer_memo", "CustomerMemo.value", "inside"),
    ("private_note", "PrivateNote", "text"), ("discount_before_tax", "ApplyTaxAfterDiscount", "flag"),
    ("deposit", "Deposit", "number"), ("payment_method", "PaymentMethodRef", "ref"),
    ("payment_reference", "PaymentRefNum", "text"), ("deposit_account", "DepositToAccountRef", "ref"),
    ("billing_address", "BillAddr", "address"), ("shipping_address", "ShipAddr", "address"),
    ("delivered_at", "DeliveryInfo.DeliveryTime", "moment_inside"),
    ("online_card", "AllowOnlineCreditCardPayment", "flag"), ("online_bank", "AllowOnlineACHPayment", "flag"),
)  # fmt: skip


def read_document(kind: str, body: Reader) -> DocumentRecord:
    total = total_of(body)
    customer = body.ref("CustomerRef")
    if kind not in ("sales_receipt", "refund_receipt"):
        required(customer, "CustomerRef")
    fields = read_fields(body, FIELDS)
    void = kind != "estimate" and is_void(total, fields.get("private_note", ""))
    words: dict[str, Any] = {ours: word(said, body, name) for ours, name, said in WORDS}
    return DocumentRecord(
        kind=kind,
        origin=body.origin(),
        customer=customer or Ref(""),
        status=word(ESTIMATE_STATES, body, "TxnStatus") if kind == "estimate" else "void" if void else "",
        total=total,
        balance=body.number("RemainingCredit" if "RemainingCredit" in body.rest else "Balance"),
        void=void,
        lines=read_lines(body),
        linked=read_links(body),
        custom_fields=tuple(_read_custom(row) for row in body.rows("CustomField")),
        **fields,
        **_read_tax(body),
        **words,
        extra=body.rest,
    )


def write_document(record: DocumentRecord) -> dict[str, Any]:
    body = Writer(record.extra, record.origin)
    write_fields(body, record, FIELDS)
    body.put("TotalAmt", record.total)
    if record.kind == "estimate":
        body.put("TxnStatus", word_back(ESTIMATE_STATES, record.status, body, "TxnStatus"))
    if record.customer.remote_id:
        body.put_ref("CustomerRef", record.customer)
    body.put("RemainingCredit" if record.kind == "credit_memo" else "Balance", record.balance)
    for ours, name, words in WORDS:
        body.put(name, word_back(words, getattr(record, ours), body, name))
    _write_tax(body, record)
    if record.custom_fields:
        body.body["CustomField"] = [_write_custom(one) for one in record.custom_fields]
    write_lines(body, record.lines)
    write_links(body, record.linked)
    return body.body


# --- tax ------------------------------------------------------------------------------------------------------


def _read_tax(body: Reader) -> dict[str, Any]:
    inner = body.taken("TxnTaxDetail")
    if inner is None:
        return {}
    read = {
        "tax": inner.number("TotalTax"),
        "tax_code": inner.ref("TxnTaxCodeRef"),
        "tax_lines": tuple(_read_tax_line(row) for row in inner.rows("TaxLine")),
        "tax_override": "OVERRIDE" in str(inner.rest.get("TaxReviewStatus", "")),
    }
    body.put_back("TxnTaxDetail", inner)
    return read


def _write_tax(body: Writer, record: DocumentRecord) -> None:
    inner = Writer(body.body.get("TxnTaxDetail", {}))
    inner.put("TotalTax", record.tax)
    inner.put_ref("TxnTaxCodeRef", record.tax_code)
    if record.tax_lines:
        inner.body["TaxLine"] = [_write_tax_line(line) for line in record.tax_lines]
    if inner.body:
        body.body["TxnTaxDetail"] = inner.body


_TAX_LINE: tuple[Field, ...] = (
    ("rate", "TaxRateRef", "ref"), ("percent", "TaxPercent", "number"), ("taxable", "NetAmountTaxable", "number"),
)  # fmt: skip


def _read_tax_line(row: Mapping[str, Any]) -> TaxLine:
    body = Reader(row)
    amount = required(body.number("Amount"), "TxnTaxDetail.TaxLine.Amount")
    inner = body.taken("TaxLineDetail")
    if inner is None:
        return TaxLine(amount, extra=body.rest)
    read = read_fields(inner, _TAX_LINE)
    body.put_back("TaxLineDetail", inner)
    return TaxLine(amount, extra=body.rest, **read)


def _write_tax_line(line: TaxLine) -> dict[str, Any]:
    body = Writer(line.extra)
    body.put("Amount", line.amount)
    inner = Writer(body.body.get("TaxLineDetail", {}))
    write_fields(inner, line, _TAX_LINE)
    body.put("DetailType", "TaxLineDetail")
    body.body["TaxLineDetail"] = inner.body
    return body.body


# --- custom fields --------------------------------------------------------------------------------------------

_CUSTOM: tuple[Field, ...] = (
    ("definition_id", "DefinitionId", "text"), ("name", "Name", "text"), ("value", "StringValue", "text"),
)  # fmt: skip


def _read_custom(row: Mapping[str, Any]) -> CustomField:
    body = Reader(row)
    return CustomField(**{"definition_id": "", **read_fields(body, _CUSTOM)}, extra=body.rest)


def _write_custom(one: CustomField) -> dict[str, Any]:
    body = Writer(one.extra)
    write_fields(body, one, _CUSTOM)
    body.body.setdefault("Type", "StringType")
    return body.body


# --- amounts --------------------------------------------------------------------------------------------------


def total_of(body: Reader) -> Decimal:
    total: Decimal = required(body.number("TotalAmt"), "TotalAmt")
    return total


def is_void(total: Decimal, note: str) -> bool:
    """A void has no mark of its own: the amounts are zero and the note starts with "Voided"."""
    return total == 0 and note.startswith("Voided")
