"""Which documents a document, a line or a part of a payment names, both ways.

QuickBooks' words for kinds become ours where we have one; a word of its own stays in the rest for the way back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm.domain.records import Application, LinkedDocument
from crm.providers.accounting.quickbooks.fields import Reader, Unreadable, Writer
from crm.providers.accounting.quickbooks.words import required

LINKED = {
    "Invoice": "invoice", "Estimate": "estimate", "Payment": "payment", "CreditMemo": "credit_memo",
    "SalesReceipt": "sales_receipt", "RefundReceipt": "refund_receipt", "Deposit": "deposit", "Bill": "bill",
    "BillPayment": "bill_payment", "BillPaymentCheck": "bill_payment", "BillPaymentCreditCard": "bill_payment",
}  # fmt: skip


def read_links(body: Reader) -> tuple[LinkedDocument, ...]:
    return tuple(_read(row) for row in body.rows("LinkedTxn"))


def write_links(body: Writer, links: tuple[LinkedDocument, ...]) -> None:
    if links:
        body.body["LinkedTxn"] = [_write(link) for link in links]


def read_application(row: Mapping[str, Any]) -> Application:
    """One line of a payment: QuickBooks keeps one document per line; a line without any has an empty kind and id."""
    body = Reader(row)
    rows = body.rows("LinkedTxn")
    if len(rows) > 1:
        raise Unreadable(f"A line of the payment names {len(rows)} documents instead of one.")
    link = _read(rows[0] if rows else {})
    left = {**link.extra, **({"TxnLineId": link.line_id} if link.line_id else {})}
    if left:
        body.rest["LinkedTxn"] = [left]
    amount = required(body.number("Amount"), "Line.Amount")
    return Application(kind=link.kind, remote_id=link.remote_id, amount=amount, extra=body.rest)


def write_application(part: Application) -> dict[str, Any]:
    body = Writer(part.extra)
    extra: dict[str, Any] = next(iter(body.body.pop("LinkedTxn", ())), {})
    body.put("Amount", part.amount)
    link = _write(LinkedDocument(part.kind, part.remote_id, extra))
    body.put("LinkedTxn", [link] if link else None)
    return body.body


def _ours(word: str) -> str:
    return LINKED.get(word, word.lower())


def _theirs(kind: str) -> str | None:
    return next((word for word, ours in LINKED.items() if ours == kind), None)


def _read(row: Mapping[str, Any]) -> LinkedDocument:
    body = Reader(row)
    remote_id, word, line_id = body.text("TxnId"), body.text("TxnType"), body.text("TxnLineId")
    if word and _theirs(_ours(word)) != word:
        body.rest["TxnType"] = word
    return LinkedDocument(_ours(word), remote_id, body.rest, line_id)


def _write(link: LinkedDocument) -> dict[str, Any]:
    body = Writer(link.extra)
    body.put("TxnId", link.remote_id)
    sent = body.body.get("TxnType")
    if not sent or _ours(sent) != link.kind:
        body.put("TxnType", _theirs(link.kind))
    body.put("TxnLineId", link.line_id)
    return body.body
