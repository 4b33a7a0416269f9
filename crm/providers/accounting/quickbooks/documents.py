"""QuickBooks' estimates, invoices, credit memos and payments to records and back.

The mapper uses it; a document's lines are in `lines`. A void has no mark of its own and is told by zero amounts and
its note. Amounts are as sent: nothing is added up here.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from crm.domain.records import Application, DocumentRecord, LinkedDocument, PaymentRecord
from crm.providers.accounting.quickbooks.fields import Reader, Unreadable, Writer
from crm.providers.accounting.quickbooks.lines import read_lines, write_lines
from crm.providers.accounting.quickbooks.words import required, word, word_back

#: `Converted` is on the reference page only; it and Closed mean that an invoice was made.
ESTIMATE_STATES = {
    "Pending": "pending", "Accepted": "accepted", "Closed": "closed", "Rejected": "rejected", "Converted": "closed",
}  # fmt: skip
EMAIL_STATES = {"NotSet": "not_set", "NeedToSend": "to_send", "EmailSent": "sent"}
LINKED = {"Invoice": "invoice", "Estimate": "estimate", "Payment": "payment", "CreditMemo": "credit_memo"}


def read_document(kind: str, body: Reader) -> DocumentRecord:
    total, note = _total(body), body.text("PrivateNote")
    void = kind != "estimate" and _is_void(total, note)
    return DocumentRecord(
        kind=kind,
        origin=body.origin(),
        customer=required(body.ref("CustomerRef"), "CustomerRef"),
        number=body.text("DocNumber"),
        date=body.day("TxnDate"),
        due_date=body.day("DueDate"),
        expires_on=body.day("ExpirationDate"),
        status=word(ESTIMATE_STATES, body, "TxnStatus") if kind == "estimate" else "void" if void else "",
        accepted_by=body.text("AcceptedBy"),
        accepted_on=body.day("AcceptedDate"),
        currency=body.inside("CurrencyRef", "value"),
        total=total,
        tax=body.number_inside("TxnTaxDetail", "TotalTax"),
        balance=body.number("RemainingCredit" if "RemainingCredit" in body.rest else "Balance"),
        terms=body.ref("SalesTermRef"),
        email=body.inside("BillEmail", "Address"),
        email_status=word(EMAIL_STATES, body, "EmailStatus"),
        customer_memo=body.inside("CustomerMemo", "value"),
        private_note=note,
        void=void,
        lines=read_lines(body),
        linked=tuple(_read_link(row) for row in body.rows("LinkedTxn")),
        extra=body.rest,
    )


def write_document(record: DocumentRecord) -> dict[str, Any]:
    body = Writer(record.extra, record.origin)
    for name, value in (
        ("DocNumber", record.number), ("TxnDate", record.date), ("DueDate", record.due_date),
        ("ExpirationDate", record.expires_on), ("AcceptedBy", record.accepted_by),
        ("AcceptedDate", record.accepted_on), ("TotalAmt", record.total), ("PrivateNote", record.private_note),
    ):  # fmt: skip
        body.put(name, value)
    if record.kind == "estimate":
        body.put("TxnStatus", word_back(ESTIMATE_STATES, record.status, body, "TxnStatus"))
    body.put_ref("CustomerRef", record.customer)
    body.put_ref("SalesTermRef", record.terms)
    body.put_inside("CurrencyRef", "value", record.currency)
    body.put_inside("TxnTaxDetail", "TotalTax", record.tax)
    body.put("RemainingCredit" if record.kind == "credit_memo" else "Balance", record.balance)
    body.put_inside("BillEmail", "Address", record.email)
    body.put("EmailStatus", word_back(EMAIL_STATES, record.email_status, body, "EmailStatus"))
    body.put_inside("CustomerMemo", "value", record.customer_memo)
    write_lines(body, record.lines)
    if record.linked:
        body.body["LinkedTxn"] = [_write_link(link) for link in record.linked]
    return body.body


def read_payment(kind: str, body: Reader) -> PaymentRecord:
    total, note = _total(body), body.text("PrivateNote")
    return PaymentRecord(
        origin=body.origin(),
        customer=required(body.ref("CustomerRef"), "CustomerRef"),
        date=body.day("TxnDate"),
        total=total,
        unapplied=body.number("UnappliedAmt") or Decimal(0),
        currency=body.inside("CurrencyRef", "value"),
        method=body.ref("PaymentMethodRef"),
        reference=body.text("PaymentRefNum"),
        deposit_account=body.ref("DepositToAccountRef"),
        private_note=note,
        void=_is_void(total, note),
        applied=tuple(_read_application(row) for row in body.rows("Line")),
        extra=body.rest,
    )


def write_payment(record: PaymentRecord) -> dict[str, Any]:
    body = Writer(record.extra, record.origin)
    for name, value in (
        ("TxnDate", record.date), ("TotalAmt", record.total), ("UnappliedAmt", record.unapplied),
        ("PaymentRefNum", record.reference), ("PrivateNote", record.private_note),
    ):  # fmt: skip
        body.put(name, value)
    body.put_ref("CustomerRef", record.customer)
    body.put_inside("CurrencyRef", "value", record.currency)
    body.put_ref("PaymentMethodRef", record.method)
    body.put_ref("DepositToAccountRef", record.deposit_account)
    if record.applied:
        body.body["Line"] = [_write_application(part) for part in record.applied]
    return body.body


def _read_application(row: Mapping[str, Any]) -> Application:
    """One line of a payment: QuickBooks keeps one document per line; a line without any has an empty kind and id."""
    body = Reader(row)
    links = body.rows("LinkedTxn")
    if len(links) > 1:
        raise Unreadable(f"A line of the payment names {len(links)} documents instead of one.")
    link = _read_link(links[0] if links else {})
    if link.extra:
        body.rest["LinkedTxn"] = [link.extra]
    amount = required(body.number("Amount"), "Line.Amount")
    return Application(kind=link.kind, remote_id=link.remote_id, amount=amount, extra=body.rest)


def _write_application(part: Application) -> dict[str, Any]:
    body = Writer(part.extra)
    extra: dict[str, Any] = next(iter(body.body.pop("LinkedTxn", ())), {})
    body.put("Amount", part.amount)
    link = _write_link(LinkedDocument(part.kind, part.remote_id, extra))
    body.put("LinkedTxn", [link] if link else None)
    return body.body


def _read_link(row: Mapping[str, Any]) -> LinkedDocument:
    body = Reader(row)
    remote_id, word = body.text("TxnId"), body.text("TxnType")
    if word and word not in LINKED:
        body.rest["TxnType"] = word
    return LinkedDocument(kind=LINKED.get(word, word.lower()), remote_id=remote_id, extra=body.rest)


def _write_link(link: LinkedDocument) -> dict[str, Any]:
    body = Writer(link.extra)
    body.put("TxnId", link.remote_id)
    body.put("TxnType", next((word for word, ours in LINKED.items() if ours == link.kind), None))
    return body.body


def _total(body: Reader) -> Decimal:
    total: Decimal = required(body.number("TotalAmt"), "TotalAmt")
    return total


def _is_void(total: Decimal, note: str) -> bool:
    """A void has no mark of its own: the amounts are zero and the note starts with "Voided"."""
    return total == 0 and note.startswith("Voided")
