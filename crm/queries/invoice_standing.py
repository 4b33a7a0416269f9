"""What the rules of invoices are asked with: an invoice as it stands now, here and in the books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from crm.domain.amounts import ZERO
from crm.domain.invoices import DRAFT, VOID, Standing
from crm.models import (
    Connection,
    Document,
    Link,
    OutboxEntry,
    Payment,
    PaymentApplication,
    Receipt,
    ReceiptPart,
    SalesDocument,
)
from crm.queries.segment_measures import PassedOver

WAITS = ("pending", "parked", "skipped", "frozen")
ENDS = ("void", "delete")
CHARGES = ("time_activity", "timeactivity", "reimbursecharge", "statementcharge", "chargecredit")
"""What an invoice may be linked to in the books besides its quote and payments, in our word or the vendor's."""


def of(session: Session, document: SalesDocument) -> Standing:
    """Everything `domain/invoices` looks at. Money received here that the books do not hold yet counts as paid."""
    entry = waiting(session, document.id)
    link = session.execute(
        select(Link.remote_id, Link.connection_id)
        .where(Link.kind == "invoice", Link.local_id == document.id, Link.state != "gone")
        .order_by(Link.id)
        .limit(1)
    ).first()
    known = plain(document, linked=link is not None, outgoing=entry is not None)
    known = replace(known, closed_until=closed_until(session, document.connection_id))
    pending = received_here(session, document.id)
    if pending:
        known = replace(known, balance=max(ZERO, known.open_amount - pending))
    if link is None:
        return known
    there = _there(session, link.connection_id, link.remote_id)
    payments = _payments(session, link.connection_id, link.remote_id)
    return replace(
        known,
        date=there.date if there is not None else document.date,
        deposited=any(_deposited(one.record) for one in payments),
        online_payment=any(bool(one.record.get("card_payment")) for one in payments),
        linked_charges=there is not None and _has_charges(there.record),
    )


def plain(document: Any, *, linked: bool, outgoing: bool) -> Standing:
    """What a document's own row says; enough for its state."""
    return Standing(
        total=document.total, balance=document.balance, due_date=document.due_date, void=document.state == VOID,
        draft=document.state == DRAFT, held=document.hold, linked=linked, outgoing=outgoing,
        emailed=document.sent_at is not None, viewed=document.viewed_at is not None, date=document.date,
    )  # fmt: skip


def waiting(session: Session, document_id: int) -> OutboxEntry | None:
    """The entry of the outbox that waits or is on its way; one that may have arrived comes first."""
    mine = (OutboxEntry.kind == "invoice", OutboxEntry.local_id == document_id, OutboxEntry.state.in_(WAITS))
    query = select(OutboxEntry).where(*mine).order_by(OutboxEntry.id).execution_options(populate_existing=True)
    found = session.scalars(query).all()
    return next((one for one in found if one.state == "frozen"), found[0] if found else None)


def all_waiting(session: Session, document_ids: Sequence[int]) -> set[int]:
    """Those of these with an entry that waits."""
    mine = (OutboxEntry.kind == "invoice", OutboxEntry.local_id.in_(document_ids), OutboxEntry.state.in_(WAITS))
    return set(session.scalars(select(OutboxEntry.local_id).where(*mine)))


def received_here(session: Session, document_id: int) -> Decimal:
    """What was received for it and recorded here, and stands in no books yet."""
    linked = select(Link.id).where(Link.kind == "payment", Link.local_id == Receipt.id, Link.state != "gone").exists()
    query = (
        select(func.sum(ReceiptPart.amount))
        .join(Receipt, Receipt.id == ReceiptPart.receipt_id)
        .where(ReceiptPart.document_id == document_id, Receipt.voided_at.is_(None), Receipt.gone_at.is_(None), ~linked)
    )
    return session.scalar(query) or ZERO


def closed_until(session: Session, connection_id: int | None) -> date | None:
    """The day up to which the company's books are closed."""
    connection = session.get(Connection, connection_id) if connection_id else None
    day = connection.preferences.get("books_closed_until") if connection is not None else None
    return date.fromisoformat(str(day)) if day else None


def _there(session: Session, connection_id: int, remote_id: str) -> Any:
    mine = (Document.connection_id == connection_id, Document.kind == "invoice", Document.remote_id == remote_id)
    return session.execute(select(Document.date, Document.record).where(*mine, Document.gone_at.is_(None))).first()


def _payments(session: Session, connection_id: int, remote_id: str) -> Sequence[Any]:
    """The payments that bring money to it."""
    part = PaymentApplication
    return session.execute(
        select(Payment.record, part.amount)  # without the amount SQLite would go through an index of all applications
        .join(part, and_(part.connection_id == Payment.connection_id, part.payment_remote_id == Payment.remote_id))
        .where(
            part.connection_id == connection_id, part.document_kind == "invoice", part.document_remote_id == remote_id,
            # SQLite knows no figures, and would rather go through all payments than to those of this invoice.
            PassedOver(Payment.void).is_(False), PassedOver(Payment.gone_at).is_(None),
        )
    ).all()  # fmt: skip


def _deposited(record: Any) -> bool:
    return any(one.get("kind") == "deposit" for one in record.get("linked") or ())


def _has_charges(record: Any) -> bool:
    parts = [*(record.get("linked") or ())]
    parts += [one for line in record.get("lines") or () for one in line.get("linked") or ()]
    return any(str(one.get("kind", "")).replace(" ", "") in CHARGES for one in parts)
