"""One payment as its page and the API show it: what it is applied to, where the money went, who recorded it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date as Day
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from crm.db import db
from crm.domain.amounts import ZERO
from crm.domain.errors import NotFound
from crm.models import (
    Connection,
    Contact,
    Document,
    Link,
    ListEntry,
    Payment,
    PaymentApplication,
    Receipt,
    ReceiptPart,
    SalesDocument,
)
from crm.queries.outbox import HOSTS, THERE


@dataclass(frozen=True, slots=True)
class Part:
    """A document it is applied to, or a credit it uses."""

    kind: str
    number: str
    date: Day | None
    due_date: Day | None
    total: Decimal | None
    balance: Decimal | None
    """Open now."""
    amount: Decimal
    document_id: int | None = None
    """Our invoice."""


@dataclass(frozen=True, slots=True)
class PaymentView:
    payment: Payment | None
    """As the books hold it; None before they do."""
    receipt: Receipt | None
    """As it was recorded here."""
    contact: Contact | None
    date: Day | None
    amount: Decimal
    currency: str
    method: str
    reference: str
    account: str
    note: str
    unapplied: Decimal
    void: bool
    gone: bool
    deposited: bool
    card_payment: bool
    parts: Sequence[Part]
    time_zone: str
    company: str
    address: str
    """Of the payment in the books; empty where it has none."""
    seen_at: datetime | None


def receipt(receipt_id: int) -> Receipt:
    """One that was recorded here. Raises NotFound."""
    found = db.session.get(Receipt, receipt_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such payment. The link may be old or not complete.")
    return found


def of_books(payment_id: int) -> PaymentView | None:
    payment = db.session.get(Payment, payment_id, populate_existing=True)
    if payment is None:
        return None
    connection = db.session.get_one(Connection, payment.connection_id)
    record, host = payment.record, HOSTS.get(connection.environment or "", "")
    account = (record.get("deposit_account") or {}).get("remote_id", "")
    return PaymentView(
        payment=payment,
        receipt=_receipt_of(payment),
        contact=db.session.get(Contact, payment.contact_id) if payment.contact_id else None,
        date=payment.date,
        amount=payment.total,
        currency=payment.currency or connection.currency or "USD",
        method=payment.method,
        reference=payment.reference,
        account=_name(connection.id, "account", account),
        note=str(record.get("private_note", "")),
        unapplied=payment.unapplied,
        void=payment.void,
        gone=payment.gone_at is not None,
        deposited=any(one.get("kind") == "deposit" for one in record.get("linked", ())),
        card_payment=bool(record.get("card_payment")),
        parts=_parts_there(payment),
        time_zone=connection.time_zone or "UTC",
        company=connection.company_name or "QuickBooks",
        address=f"{host}/{THERE['payment']}{payment.remote_id}" if host else "",
        seen_at=payment.seen_at,
    )


def recorded(receipt_id: int) -> PaymentView | None:
    """One recorded here, as we have it; where the books hold it `in_books` knows their id of it."""
    receipt = db.session.get(Receipt, receipt_id, populate_existing=True)
    if receipt is None:
        return None
    connection = db.session.get(Connection, receipt.connection_id) if receipt.connection_id else None
    books = connection.id if connection is not None else 0
    parts = [*_parts_here(receipt), *_credits_here(receipt, books)]
    applied = sum((part.amount for part in parts if part.kind == "invoice"), ZERO)
    used = sum((part.amount for part in parts if part.kind != "invoice"), ZERO)
    return PaymentView(
        payment=None,
        receipt=receipt,
        contact=receipt.contact,
        date=receipt.date,
        amount=receipt.amount,
        currency=receipt.currency or "USD",
        method=_name(books, "payment_method", receipt.method),
        reference=receipt.reference,
        account=_name(books, "account", receipt.deposit_account),
        note=receipt.note,
        unapplied=max(ZERO, receipt.amount + used - applied),
        void=receipt.voided_at is not None,
        gone=receipt.gone_at is not None,
        deposited=False,
        card_payment=False,
        parts=parts,
        time_zone=(connection.time_zone if connection is not None else "") or "UTC",
        company=(connection.company_name if connection is not None else "") or "QuickBooks",
        address="",
        seen_at=None,
    )


def in_books(receipt_id: int) -> int | None:
    """Id of the mirror's payment that it is."""
    query = (
        select(Payment.id)
        .join(Link, (Link.connection_id == Payment.connection_id) & (Link.remote_id == Payment.remote_id))
        .where(Link.kind == "payment", Link.local_id == receipt_id, Link.state != "gone")
    )
    return db.session.scalar(query.order_by(Payment.id).limit(1))


def _receipt_of(payment: Payment) -> Receipt | None:
    query = (
        select(Receipt)
        .join(Link, (Link.kind == "payment") & (Link.local_id == Receipt.id))
        .where(Link.connection_id == payment.connection_id, Link.remote_id == payment.remote_id)
    )
    return db.session.scalars(query.execution_options(populate_existing=True)).first()


def _parts_there(payment: Payment) -> list[Part]:
    part = PaymentApplication
    query = (
        select(part.document_kind, Document.number, Document.date, Document.due_date, Document.total, Document.balance,
               part.amount, Link.local_id)
        .outerjoin(Document, (Document.connection_id == part.connection_id) & (Document.kind == part.document_kind)
                   & (Document.remote_id == part.document_remote_id))
        .outerjoin(Link, (Link.connection_id == part.connection_id) & (Link.kind == "invoice")
                   & (Link.kind == part.document_kind) & (Link.remote_id == part.document_remote_id))
        .where(part.connection_id == payment.connection_id, part.payment_remote_id == payment.remote_id)
        .order_by(part.document_kind.desc(), Document.date, part.id)
    )  # fmt: skip
    return [Part(row[0], row[1] or "", *row[2:]) for row in db.session.execute(query)]


def _parts_here(receipt: Receipt) -> list[Part]:
    d = SalesDocument
    query = (
        select(d.number, d.date, d.due_date, d.total, d.balance, ReceiptPart.amount, d.id)
        .join(ReceiptPart, ReceiptPart.document_id == d.id)
        .where(ReceiptPart.receipt_id == receipt.id)
        .order_by(d.date, d.id)
    )
    return [Part("invoice", *row) for row in db.session.execute(query)]


def _credits_here(receipt: Receipt, connection_id: int) -> list[Part]:
    d = Document
    query = select(d.remote_id, d.number, d.date, d.due_date, d.total, d.balance).where(
        d.connection_id == connection_id, d.kind == "credit_memo", d.remote_id.in_(list(receipt.credits))
    )
    known: dict[str, Any] = {row.remote_id: tuple(row[1:]) for row in db.session.execute(query)}
    found = []
    for key, amount in sorted(receipt.credits.items()):
        number, day, due, total, balance = known.get(key, ("", None, None, None, None))
        found.append(Part("credit_memo", number, day, due, total, balance, Decimal(amount)))
    return found


def _name(connection_id: int, kind: str, remote_id: str) -> str:
    if not remote_id:
        return ""
    mine = (ListEntry.connection_id == connection_id, ListEntry.kind == kind, ListEntry.remote_id == remote_id)
    return db.session.scalar(select(ListEntry.name).where(*mine)) or f"Id {remote_id}"
