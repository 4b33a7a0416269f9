"""What of one contact's invoices and credits is open, as a payment can be applied to it now.

The books' own balance, less what was received here and the books do not show yet: money of a payment recorded here
counts as taken off until the invoice was read after that payment was written. So nobody applies more than there is
while something is on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from crm.domain.amounts import ZERO
from crm.domain.payments import OpenCredit, OpenInvoice
from crm.models import Connection, Contact, Customer, Document, Link, Receipt, ReceiptPart, SalesDocument
from crm.queries.segment_measures import PassedOver


@dataclass(frozen=True, slots=True)
class Payer:
    """A customer of the books that the contact is shown for: itself, or a job."""

    remote_id: str
    """Empty: the contact is no customer there yet."""
    name: str
    currency: str


@dataclass(frozen=True, slots=True)
class OpenItems:
    payers: tuple[Payer, ...]
    """The contact's own customer first; never empty."""
    invoices: tuple[OpenInvoice, ...]
    """Keys are ids of our invoices."""
    credits: tuple[OpenCredit, ...]
    """Keys are remote ids of credit memos."""

    def of(self, payer: str) -> OpenItems:
        """Those of one payer."""
        return OpenItems(
            self.payers, tuple(one for one in self.invoices if one.customer == payer),
            tuple(one for one in self.credits if one.customer == payer),
        )  # fmt: skip


def of_contact(session: Session, contact: Contact, connection: Connection | None, *, lock: bool = False) -> OpenItems:
    """`lock`: hold the rows until the transaction ends, credits before invoices, as the sync does."""
    home = connection.currency if connection is not None else ""
    payers = _payers(session, contact, connection, home or "USD")
    credits = _credits(session, contact.id, connection, lock=lock)
    invoices = _invoices(session, contact.id, connection, payers[0], lock=lock)
    return OpenItems(payers, invoices, credits)


def _payers(session: Session, contact: Contact, connection: Connection | None, home: str) -> tuple[Payer, ...]:
    rows = session.execute(
        select(Customer.remote_id, Customer.full_path, Customer.display_name, Customer.currency)
        .where(Customer.contact_id == contact.id, Customer.gone_at.is_(None),
               Customer.connection_id == (connection.id if connection is not None else 0),
               Customer.match_state.in_(("linked", "job")))
        .order_by(Customer.match_state.desc(), Customer.full_path, Customer.id)
    )  # fmt: skip
    found = tuple(Payer(remote_id, path or name, currency or home) for remote_id, path, name, currency in rows)
    return found or (Payer("", contact.display_name, home),)


def _invoices(
    session: Session, contact_id: int, connection: Connection | None, own: Payer, *, lock: bool
) -> tuple[OpenInvoice, ...]:
    d = SalesDocument
    linked = exists(select(Link.id).where(Link.kind == "invoice", Link.local_id == d.id, Link.state == "linked"))
    query = (
        select(d.id, d.number, d.date, d.due_date, d.balance, d.customer_remote_id, d.currency)
        # SQLite knows no figures, and would rather go through all that is owed than to what this contact owes.
        .where(d.contact_id == contact_id, d.kind == "invoice", PassedOver(d.state) == "open", d.template.is_(False),
               d.gone_at.is_(None), PassedOver(d.balance) > 0, or_(d.hold.is_(False), linked))
        .order_by(d.id)
    )  # fmt: skip
    rows = session.execute(query.with_for_update() if lock else query).all()
    spent = received(session, [row.id for row in rows])
    found = []
    for row in rows:
        left = (row.balance or ZERO) - spent.get(row.id, ZERO)
        if left > 0:
            payer = row.customer_remote_id or own.remote_id
            found.append(OpenInvoice(str(row.id), row.number, row.date, row.due_date, left, payer,
                                     row.currency or own.currency))  # fmt: skip
    return tuple(found)


def received(session: Session, document_ids: Sequence[int]) -> dict[int, Decimal]:
    """Invoice -> what was received here for it and its balance does not show yet."""
    paid, there, mirrored = aliased(Link), aliased(Link), Document
    seen = (
        select(mirrored.id)
        .join(there, (there.connection_id == mirrored.connection_id) & (there.remote_id == mirrored.remote_id))
        .where(there.kind == "invoice", there.local_id == ReceiptPart.document_id, mirrored.kind == "invoice",
               mirrored.seen_at > paid.written_at)
    )  # fmt: skip
    query = (
        select(ReceiptPart.document_id, func.sum(ReceiptPart.amount))
        .join(Receipt, Receipt.id == ReceiptPart.receipt_id)
        .outerjoin(paid, _link_of(paid))
        .where(ReceiptPart.document_id.in_(document_ids), *_standing(),
               or_(paid.id.is_(None), paid.written_at.is_not(None) & ~seen.exists()))
        .group_by(ReceiptPart.document_id)
    )  # fmt: skip
    return {document_id: amount for document_id, amount in session.execute(query)}


def _credits(
    session: Session, contact_id: int, connection: Connection | None, *, lock: bool
) -> tuple[OpenCredit, ...]:
    d = Document
    query = (
        select(d.remote_id, d.number, d.date, d.balance, d.customer_remote_id, d.currency, d.seen_at)
        .where(d.contact_id == contact_id, d.connection_id == (connection.id if connection is not None else 0),
               d.kind == "credit_memo", d.void.is_(False), d.gone_at.is_(None), d.balance > 0)
        .order_by(d.id)
    )  # fmt: skip
    rows = session.execute(query.with_for_update() if lock else query).all()
    used = _used(session, contact_id) if rows else []
    found = []
    for row in rows:
        mine = (Decimal(said[row.remote_id]) for said, at in used
                if row.remote_id in said and (at is None or at >= row.seen_at))  # fmt: skip
        left = row.balance - sum(mine, ZERO)
        if left > 0:
            found.append(OpenCredit(row.remote_id, row.number, row.date, left, row.customer_remote_id, row.currency))
    return tuple(found)


def _used(session: Session, contact_id: int) -> list[tuple[dict[str, str], object]]:
    """(credits used, when that was written to the books) of the contact's payments recorded here."""
    paid = aliased(Link)
    query = (
        select(Receipt.credits, paid.written_at)
        .outerjoin(paid, _link_of(paid))
        .where(Receipt.contact_id == contact_id, *_standing(), or_(paid.id.is_(None), paid.written_at.is_not(None)))
    )
    return [(said, at) for said, at in session.execute(query) if said]


def _link_of(link: type[Link]) -> ColumnElement[bool]:
    return (link.kind == "payment") & (link.local_id == Receipt.id) & (link.state != "gone")


def _standing() -> tuple[ColumnElement[bool], ...]:
    return Receipt.voided_at.is_(None), Receipt.gone_at.is_(None)
