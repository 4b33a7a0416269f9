"""What the page of one invoice shows beside the invoice itself: what was paid on it, its quote, what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import and_, select

from crm.db import db
from crm.models import (
    Link,
    Payment,
    PaymentApplication,
    Receipt,
    ReceiptPart,
    SalesDocument,
    SalesEvent,
)
from crm.queries.segment_measures import PassedOver

SHOWN_EVENTS = 100


@dataclass(frozen=True, slots=True)
class Paid:
    """Money or a credit that was applied to it."""

    what: str
    """In words: "Payment", "Credit applied", "Received here"."""
    date: date | None
    note: str
    amount: Decimal
    payment_id: int | None = None
    """Of the books; a credit that was applied has a page too."""
    receipt_id: int | None = None


def paid(document: SalesDocument) -> list[Paid]:
    """Payments and credits of the books, oldest first, then what was received here and is not there yet."""
    part = PaymentApplication
    found = db.session.execute(
        select(Payment.id, Payment.date, Payment.total, Payment.method, Payment.reference, part.amount)
        .join(part, and_(part.connection_id == Payment.connection_id, part.payment_remote_id == Payment.remote_id))
        .join(Link, and_(Link.connection_id == part.connection_id, Link.remote_id == part.document_remote_id))
        .where(
            Link.kind == "invoice", Link.local_id == document.id, part.document_kind == "invoice",
            # SQLite knows no figures, and would rather go through all payments than to those of this invoice.
            PassedOver(Payment.void).is_(False), PassedOver(Payment.gone_at).is_(None),
        )
        .order_by(Payment.date, Payment.id)
    )  # fmt: skip
    rows = [
        Paid("Payment" if one.total else "Credit applied", one.date,
             " ".join(word for word in (one.method, one.reference) if word), one.amount, payment_id=one.id)
        for one in found
    ]  # fmt: skip
    return rows + _received_here(document.id)


def _received_here(document_id: int) -> list[Paid]:
    linked = select(Link.id).where(Link.kind == "payment", Link.local_id == Receipt.id, Link.state != "gone").exists()
    query = (
        select(Receipt.id, Receipt.date, Receipt.reference, ReceiptPart.amount)
        .join(ReceiptPart, ReceiptPart.receipt_id == Receipt.id)
        .where(ReceiptPart.document_id == document_id, Receipt.voided_at.is_(None), Receipt.gone_at.is_(None), ~linked)
        .order_by(Receipt.date, Receipt.id)
    )
    return [Paid("Received, on its way to QuickBooks", one.date, one.reference, one.amount, receipt_id=one.id)
            for one in db.session.execute(query)]  # fmt: skip


def quote_of(document: SalesDocument) -> SalesDocument | None:
    return db.session.get(SalesDocument, document.quote_id) if document.quote_id else None


def events(document_id: int) -> Sequence[SalesEvent]:
    """Newest first."""
    mine = select(SalesEvent).where(SalesEvent.document_id == document_id)
    return db.session.scalars(mine.order_by(SalesEvent.id.desc()).limit(SHOWN_EVENTS)).all()


def remote_id(document_id: int) -> str:
    """Its id in the books; empty where they do not hold it."""
    mine = (Link.kind == "invoice", Link.local_id == document_id, Link.state != "gone")
    return db.session.scalar(select(Link.remote_id).where(*mine).order_by(Link.id).limit(1)) or ""
