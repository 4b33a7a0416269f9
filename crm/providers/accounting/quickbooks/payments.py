"""QuickBooks' payments, bills and bill payments to records and back. The mapper uses it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from crm.domain.records import BillPaymentRecord, BillRecord, PaymentRecord
from crm.providers.accounting.quickbooks.documents import TAX_MODES, is_void, total_of
from crm.providers.accounting.quickbooks.fields import Field, Reader, Writer, read_fields, write_fields
from crm.providers.accounting.quickbooks.lines import read_lines, write_lines
from crm.providers.accounting.quickbooks.links import read_application, read_links, write_application, write_links
from crm.providers.accounting.quickbooks.words import required, word, word_back

_ALL: tuple[Field, ...] = (
    ("date", "TxnDate", "day"), ("currency", "CurrencyRef.value", "inside"),
    ("exchange_rate", "ExchangeRate", "number"), ("private_note", "PrivateNote", "text"),
)  # fmt: skip
PAYMENT: tuple[Field, ...] = (
    *_ALL, ("method", "PaymentMethodRef", "ref"), ("reference", "PaymentRefNum", "text"),
    ("deposit_account", "DepositToAccountRef", "ref"),
)  # fmt: skip
BILL: tuple[Field, ...] = (
    *_ALL, ("number", "DocNumber", "text"), ("due_date", "DueDate", "day"), ("balance", "Balance", "number"),
    ("terms", "SalesTermRef", "ref"), ("payable_account", "APAccountRef", "ref"),
    ("tax", "TxnTaxDetail.TotalTax", "number_inside"), ("address", "VendorAddr", "address"),
)  # fmt: skip
BILL_PAYMENT: tuple[Field, ...] = (*_ALL, ("number", "DocNumber", "text"))
PAID_BY = {"Check": "check", "CreditCard": "credit_card"}
#: QuickBooks' word -> where the account stands.
ACCOUNTS = {"Check": ("CheckPayment", "BankAccountRef"), "CreditCard": ("CreditCardPayment", "CCAccountRef")}


def read_payment(kind: str, body: Reader) -> PaymentRecord:
    total, fields = total_of(body), read_fields(body, PAYMENT)
    return PaymentRecord(
        origin=body.origin(),
        customer=required(body.ref("CustomerRef"), "CustomerRef"),
        total=total,
        unapplied=body.number("UnappliedAmt") or Decimal(0),
        void=is_void(total, fields.get("private_note", "")),
        applied=tuple(read_application(row) for row in body.rows("Line")),
        linked=read_links(body),
        card_payment=body.rest.get("ProcessPayment") is True or bool(body.rest.get("CreditCardPayment")),
        **fields,
        extra=body.rest,
    )


def write_payment(record: PaymentRecord) -> dict[str, Any]:
    body = Writer(record.extra, record.origin)
    write_fields(body, record, PAYMENT)
    body.put("TotalAmt", record.total)
    body.put("UnappliedAmt", record.unapplied)
    body.put_ref("CustomerRef", record.customer)
    if record.applied:
        body.body["Line"] = [write_application(part) for part in record.applied]
    write_links(body, record.linked)
    return body.body


def read_bill(kind: str, body: Reader) -> BillRecord:
    total, fields = total_of(body), read_fields(body, BILL)
    return BillRecord(
        origin=body.origin(),
        vendor=required(body.ref("VendorRef"), "VendorRef"),
        total=total,
        void=is_void(total, fields.get("private_note", "")),
        tax_mode=word(TAX_MODES, body, "GlobalTaxCalculation"),
        lines=read_lines(body),
        linked=read_links(body),
        **fields,
        extra=body.rest,
    )


def write_bill(record: BillRecord) -> dict[str, Any]:
    body = Writer(record.extra, record.origin)
    write_fields(body, record, BILL)
    body.put("TotalAmt", record.total)
    body.put_ref("VendorRef", record.vendor)
    body.put("GlobalTaxCalculation", word_back(TAX_MODES, record.tax_mode, body, "GlobalTaxCalculation"))
    write_lines(body, record.lines, bill=True)
    write_links(body, record.linked)
    return body.body


def read_bill_payment(kind: str, body: Reader) -> BillPaymentRecord:
    total, fields, said = total_of(body), read_fields(body, BILL_PAYMENT), body.rest.get("PayType")
    account = None
    if said in ACCOUNTS:
        name, part = ACCOUNTS[said]
        inner = body.taken(name)
        if inner is not None:
            account = inner.ref(part)
            body.put_back(name, inner)
    return BillPaymentRecord(
        origin=body.origin(),
        vendor=required(body.ref("VendorRef"), "VendorRef"),
        total=total,
        paid_by=word(PAID_BY, body, "PayType"),
        account=account,
        void=is_void(total, fields.get("private_note", "")),
        applied=tuple(read_application(row) for row in body.rows("Line")),
        **fields,
        extra=body.rest,
    )


def write_bill_payment(record: BillPaymentRecord) -> dict[str, Any]:
    body = Writer(record.extra, record.origin)
    write_fields(body, record, BILL_PAYMENT)
    body.put("TotalAmt", record.total)
    body.put_ref("VendorRef", record.vendor)
    said = word_back(PAID_BY, record.paid_by, body, "PayType")
    body.put("PayType", said)
    if record.account and said in ACCOUNTS:
        name, part = ACCOUNTS[said]
        inner = Writer(body.body.get(name, {}))
        inner.put_ref(part, record.account)
        body.body[name] = inner.body
    if record.applied:
        body.body["Line"] = [write_application(part) for part in record.applied]
    return body.body
