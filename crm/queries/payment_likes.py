"""Payments that may be one that is about to be recorded: those of the same contact and amount around its day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from crm.domain.payments import Paid
from crm.models import Link, ListEntry, Payment, PaymentApplication, Receipt, ReceiptPart


def near(session: Session, contact_id: int, amount: Decimal, *, since: date, until: date) -> list[Paid]:
    """Of the books, and recorded here and not there yet. Jobs count as their contact."""
    return [*_of_books(session, contact_id, amount, since, until), *_of_ours(session, contact_id, amount, since, until)]


def _of_books(session: Session, contact_id: int, amount: Decimal, since: date, until: date) -> list[Paid]:
    rows = session.execute(
        select(Payment.id, Payment.connection_id, Payment.remote_id, Payment.total, Payment.date, Payment.reference,
               Payment.method, Payment.currency)
        .where(Payment.contact_id == contact_id, Payment.total == amount, Payment.date.between(since, until),
               Payment.void.is_(False), Payment.gone_at.is_(None))
        .order_by(Payment.id)
    ).all()  # fmt: skip
    part = PaymentApplication
    invoices: dict[tuple[int, str], set[str]] = {}
    query = (
        select(part.connection_id, part.payment_remote_id, Link.local_id)
        .join(Link, (Link.connection_id == part.connection_id) & (Link.kind == part.document_kind)
              & (Link.remote_id == part.document_remote_id))
        .where(part.payment_remote_id.in_([row.remote_id for row in rows]), part.document_kind == "invoice")
    )  # fmt: skip
    for connection_id, remote_id, invoice in session.execute(query):
        invoices.setdefault((connection_id, remote_id), set()).add(str(invoice))
    return [
        Paid(f"payment:{row.id}", str(contact_id), row.total, row.date, row.reference, row.method,
             frozenset(invoices.get((row.connection_id, row.remote_id), ())), row.currency or "USD")
        for row in rows
    ]  # fmt: skip


def _of_ours(session: Session, contact_id: int, amount: Decimal, since: date, until: date) -> list[Paid]:
    there = exists(select(Link.id).where(Link.kind == "payment", Link.local_id == Receipt.id, Link.state != "gone"))
    rows = session.execute(
        select(Receipt.id, Receipt.amount, Receipt.date, Receipt.reference, ListEntry.name, Receipt.currency)
        .outerjoin(ListEntry, (ListEntry.connection_id == Receipt.connection_id) & (ListEntry.kind == "payment_method")
                   & (ListEntry.remote_id == Receipt.method))
        .where(Receipt.contact_id == contact_id, Receipt.amount == amount, Receipt.date.between(since, until),
               Receipt.voided_at.is_(None), Receipt.gone_at.is_(None), ~there)
        .order_by(Receipt.id)
    ).all()  # fmt: skip
    invoices: dict[int, set[str]] = {}
    query = select(ReceiptPart.receipt_id, ReceiptPart.document_id).where(
        ReceiptPart.receipt_id.in_([row.id for row in rows])
    )
    for receipt_id, document_id in session.execute(query):
        invoices.setdefault(receipt_id, set()).add(str(document_id))
    return [
        Paid(f"receipt:{row.id}", str(contact_id), row.amount, row.date, row.reference, row.name or "",
             frozenset(invoices.get(row.id, ())), row.currency)
        for row in rows
    ]  # fmt: skip
