"""Payments recorded here: what they can be applied to, whether they seem to be there already, made and taken back.

Applied amounts never exceed the money there is nor what is open on an invoice: the rows are locked while that is
decided (`queries/open_items`, `domain/payments`). A payment goes to the books once its customer and invoices are
there. One the books hold already is linked instead, and then says what they say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date as Day
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select

from crm.db import db
from crm.domain import payments, preflight
from crm.domain.amounts import told
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.payments import WINDOW, Allocation, Likeness, Paid
from crm.domain.record_documents import PaymentRecord
from crm.models import Connection, Contact, Link, ListEntry, OutboxEntry, Payment, Receipt, ReceiptPart, SalesEvent
from crm.queries import households, open_items, payment_likes
from crm.queries.open_items import OpenItems, Payer
from crm.services import audit, sales_documents, sales_settings, sync, timeline
from crm.services.audit import Actor
from crm.services.sync.mirror.stored import from_stored
from crm.services.sync.outbox import outbox
from crm.services.sync.receipts import taking
from crm.services.sync.work import Batch, books_of

CHANGED = "Somebody changed this payment meanwhile. Look at what stands now, then do it again."
LONGEST_REFERENCE, LONGEST_NOTE = 21, 4000
"""What QuickBooks keeps [FACTS 5.6]."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A payment as somebody writes it down."""

    contact_id: int
    amount: Decimal
    """New money; 0 only to use credits."""
    date: Day
    payer: str = ""
    """Remote id of the customer it is of, one of `OpenItems.payers`."""
    method: str = ""
    """Remote id of a payment method."""
    reference: str = ""
    deposit_account: str = ""
    """Remote id; empty leaves it to the books."""
    note: str = ""
    parts: Mapping[str, Decimal] = field(default_factory=dict)
    """Invoice (our id, as text) -> how much is applied to it."""
    credits: tuple[str, ...] = ()
    """Credit memos to be used up first."""


class SeemsThere(Refused):
    """Payments that may be this one stand here already."""

    def __init__(self, likes: tuple[Likeness, ...]) -> None:
        super().__init__("This payment seems to be there already. Link to it, or say that it is another one.")
        self.likes = likes


# --- what it can be applied to --------------------------------------------------------------------------------


def contact_of(contact_id: int | None) -> Contact:
    """Raises NotFound."""
    contact = db.session.get(Contact, contact_id) if contact_id else None
    if contact is None:
        raise NotFound("There is no such contact. The link may be old or not complete.")
    return contact


def open_of(contact: Contact, *, lock: bool = False) -> OpenItems:
    return open_items.of_contact(db.session(), contact, sales_documents.company(), lock=lock)


def payer_of(items: OpenItems, payer: str) -> Payer:
    """The one asked for; the contact's own customer where there is no such."""
    return next((one for one in items.payers if one.remote_id == payer), items.payers[0])


def allocation(draft: Draft, items: OpenItems) -> Allocation:
    """Where the money goes. Raises Invalid with a sentence for each field."""
    payer = payer_of(items, draft.payer)
    mine = items.of(payer.remote_id)
    asked = set(draft.credits)
    unknown = asked - {one.key for one in mine.credits}
    if unknown:
        raise Invalid({"credits": "A credit is used up by now, or of another customer. Take it out."})
    return payments.apply_to(
        draft.amount, draft.parts, items.invoices, credits=[one for one in mine.credits if one.key in asked],
        customer=payer.remote_id, currency=payer.currency,
    )  # fmt: skip


def likes(draft: Draft, items: OpenItems) -> tuple[Likeness, ...]:
    """Payments that may be this one, best first; keys are `payment:<id>` (of the mirror) and `receipt:<id>`. Using a
    credit is no payment."""
    if not draft.amount:
        return ()
    payer = payer_of(items, draft.payer)
    others = payment_likes.near(
        db.session(), draft.contact_id, draft.amount, since=draft.date - timedelta(days=WINDOW),
        until=draft.date + timedelta(days=WINDOW),
    )  # fmt: skip
    mine = Paid("", str(draft.contact_id), draft.amount, draft.date, draft.reference, _name_of(draft.method),
                frozenset(key for key, part in draft.parts.items() if part), payer.currency)  # fmt: skip
    return payments.duplicates(mine, others)


# --- made -----------------------------------------------------------------------------------------------------


def record(draft: Draft, *, sure: bool, actor: Actor, now: datetime) -> Receipt:
    """Keep the payment, and have it go to the books. `sure`: it is none of those that look the same.

    Raises Invalid, SeemsThere, NotFound.
    """
    contact, connection = contact_of(draft.contact_id), sales_documents.company()
    items = open_of(contact, lock=True)
    check(draft, contact, connection)
    money = allocation(draft, items)
    if not sure and (found := likes(draft, items)):
        raise SeemsThere(found)
    payer = payer_of(items, draft.payer)
    receipt = Receipt(
        connection_id=connection.id if connection else None, contact_id=contact.id, currency=payer.currency,
        customer_remote_id=payer.remote_id, amount=draft.amount, date=draft.date, method=draft.method,
        reference=draft.reference.strip(), deposit_account=draft.deposit_account, note=draft.note.strip(),
        credits={key: str(part) for key, part in money.credits.items()}, created_by=actor.label, created_at=now,
        updated_at=now,
    )  # fmt: skip
    receipt.parts = [ReceiptPart(document_id=int(key), amount=part) for key, part in money.invoices.items()]
    db.session.add(receipt)
    db.session.flush()
    tell(receipt, "payment_recorded", "recorded", actor=actor, now=now)
    if connection is not None:
        _to_books(receipt, contact, connection, actor=actor, now=now)
    return receipt


def link_to(draft: Draft, payment_id: int, *, actor: Actor, now: datetime) -> Payment:
    """It is that payment of the books: nothing new goes there, and ours says what it says. Raises NotFound, Invalid."""
    contact = contact_of(draft.contact_id)
    payment = db.session.scalars(select(Payment).where(Payment.id == payment_id).with_for_update()).first()
    if payment is None or payment.gone_at is not None or payment.contact_id != contact.id:
        raise NotFound("This payment is not there any more. Look at the payments of the contact.")
    mine = (Link.connection_id == payment.connection_id, Link.kind == "payment", Link.remote_id == payment.remote_id)
    if db.session.scalar(select(Link.id).where(*mine)) is not None:
        return payment
    there = from_stored(PaymentRecord, payment.record)
    batch = Batch(db.session(), books_of(db.session.get_one(Connection, payment.connection_id)), now)
    receipt = Receipt(
        connection_id=payment.connection_id, contact_id=contact.id, created_by=actor.label, created_at=now,
        updated_at=now, date=there.date or draft.date, amount=there.total, credits={},
    )  # fmt: skip
    for name, value in taking.columns(batch, there).items():
        setattr(receipt, name, value)
    db.session.add(receipt)
    db.session.flush()
    db.session.add(
        Link(connection_id=payment.connection_id, kind="payment", local_id=receipt.id, remote_id=payment.remote_id,
             version=payment.version, linked_at=now, linked_by=actor.label, synced_at=now)
    )  # fmt: skip
    taking.write_parts(batch, {receipt.id: there})
    db.session.expire(receipt)
    tell(receipt, "payment_linked", "linked to the one in QuickBooks", actor=actor, now=now)
    return payment


def check(draft: Draft, contact: Contact, connection: Connection | None) -> None:
    """Raises Invalid with a sentence for each field of the head."""
    wrong: dict[str, str] = {}
    if contact.archived_at is not None:
        wrong["contact_id"] = f"{contact.display_name} is archived. Restore the contact first."
    if len(draft.reference.strip()) > LONGEST_REFERENCE:
        wrong["reference"] = f"QuickBooks keeps {LONGEST_REFERENCE} characters of a reference. Shorten it."
    if len(draft.note) > LONGEST_NOTE:
        wrong["note"] = f"QuickBooks keeps {LONGEST_NOTE:,} characters of a note. Shorten it."
    closed = str(connection.preferences.get("books_closed_until") or "") if connection else ""
    problem = preflight.dated(draft.date, closed_until=Day.fromisoformat(closed) if closed else None)
    if problem is not None:
        wrong["date"] = problem.sentence
    offered = choices(connection)
    if draft.method and draft.method not in dict(offered.methods):
        wrong["method"] = "This payment method is not in QuickBooks any more. Choose another."
    if draft.deposit_account and draft.deposit_account not in dict(offered.accounts):
        wrong["deposit_account"] = "Money cannot be deposited to this account. Choose another, or none."
    if wrong:
        raise Invalid(wrong)


def _to_books(receipt: Receipt, contact: Contact, connection: Connection, *, actor: Actor, now: datetime) -> None:
    needs = [("invoice", part.document_id) for part in receipt.parts]
    if not receipt.customer_remote_id:
        payer = households.payer(contact.id)
        sync.ask_create(db.session(), [payer], connection.id, actor=actor, now=now, trigger="change")
        needs.append(("customer", payer))
    outbox.note(db.session(), connection.id, "payment", receipt.id, operation="create", trigger="change", actor=actor,
                now=now, needs=needs)  # fmt: skip


# --- what the form offers -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choices:
    """(remote id, name) of what a payment can name."""

    methods: tuple[tuple[str, str], ...] = ()
    accounts: tuple[tuple[str, str], ...] = ()
    account: str = ""
    """Where money goes unless somebody says otherwise."""


def choices(connection: Connection | None) -> Choices:
    if connection is None:
        return Choices()
    methods = db.session.execute(
        select(ListEntry.remote_id, ListEntry.name)
        .where(ListEntry.connection_id == connection.id, ListEntry.kind == "payment_method", ListEntry.active)
        .order_by(ListEntry.name, ListEntry.id)
    )
    current = sales_settings.current(db.session(), connection.id)
    accounts = tuple(
        (one.remote_id, one.name) for one in current.facts.accounts
        if one.active and one.type in sales_settings.rules.DEPOSIT_TYPES
    )  # fmt: skip
    return Choices(tuple((id_, name) for id_, name in methods), accounts, current.deposit_account)


def _name_of(method: str) -> str:
    company = sales_documents.company()
    mine = (ListEntry.connection_id == (company.id if company else 0), ListEntry.kind == "payment_method")
    return db.session.scalar(select(ListEntry.name).where(*mine, ListEntry.remote_id == method)) or ""


# --- taken back -----------------------------------------------------------------------------------------------


def void(receipt_id: int, *, lock: int, actor: Actor, now: datetime) -> Receipt:
    """It counts no more: what it was applied to is open again. In the books it stays with an amount of 0.

    Raises Refused where the books would not allow it, Changed, NotFound.
    """
    return _end(receipt_id, "void", lock=lock, actor=actor, now=now)


def delete(receipt_id: int, *, lock: int, actor: Actor, now: datetime) -> Receipt:
    """The same, and nothing is left of it in the books. Raises as `void`."""
    return _end(receipt_id, "delete", lock=lock, actor=actor, now=now)


def _end(receipt_id: int, operation: str, *, lock: int, actor: Actor, now: datetime) -> Receipt:
    query = select(Receipt).where(Receipt.id == receipt_id).with_for_update()
    receipt = db.session.scalars(query.execution_options(populate_existing=True)).first()
    if receipt is None:
        raise NotFound("There is no such payment. The link may be old or not complete.")
    if receipt.lock != lock:
        raise Changed(CHANGED, current=receipt)
    if receipt.gone_at is not None or (receipt.voided_at is not None and operation == "void"):
        raise Refused("It is void or deleted already.")
    why = why_not_ended(receipt, operation)
    if why:
        raise Refused(why)
    linked = is_linked(receipt)
    if not linked and not _may_have_arrived(receipt):
        receipt.voided_at = now
    receipt.updated_at = now
    word = {"void": "voided", "delete": "deleted"}[operation] if linked else "taken back"
    tell(receipt, f"payment_{operation}", word, actor=actor, now=now)
    if receipt.connection_id is not None:
        outbox.note(db.session(), receipt.connection_id, "payment", receipt.id, operation=operation, trigger="person",
                    actor=actor, now=now)  # fmt: skip
    db.session.flush()
    return receipt


def why_not_ended(receipt: Receipt, operation: str = "void") -> str:
    """Why the books would refuse to void or delete it, from what was read of it last; empty: they would not."""
    there = in_books(receipt)
    if there is None:
        return ""
    record, connection = from_stored(PaymentRecord, there.record), db.session.get_one(Connection, there.connection_id)
    _, sentence = payments.why_not_ended(
        void=there.void and operation == "void", deposited=record.deposited, card_payment=record.card_payment
    )
    closed = connection.preferences.get("books_closed_until")
    problem = preflight.dated(there.date, closed_until=Day.fromisoformat(str(closed)) if closed else None)
    return sentence or (problem.sentence if problem is not None else "")


def in_books(receipt: Receipt) -> Payment | None:
    """The payment of the books that it is."""
    query = (
        select(Payment)
        .join(Link, (Link.connection_id == Payment.connection_id) & (Link.remote_id == Payment.remote_id))
        .where(Link.kind == "payment", Link.local_id == receipt.id, Link.state != "gone", Payment.gone_at.is_(None))
    )
    return db.session.scalars(query.order_by(Payment.id).limit(1)).first()


def receipt_id_of(payment: Payment) -> int | None:
    """The payment of ours that this one of the books is."""
    mine = (Link.connection_id == payment.connection_id, Link.kind == "payment", Link.remote_id == payment.remote_id)
    return db.session.scalar(select(Link.local_id).where(*mine, Link.state != "gone"))


def is_linked(receipt: Receipt) -> bool:
    mine = (Link.kind == "payment", Link.local_id == receipt.id, Link.state != "gone")
    return db.session.scalar(select(Link.id).where(*mine).limit(1)) is not None


def _may_have_arrived(receipt: Receipt) -> bool:
    """It is on its way, or nobody knows whether it got there: what becomes of it is seen when that is known."""
    mine = (OutboxEntry.kind == "payment", OutboxEntry.local_id == receipt.id, OutboxEntry.request_key != "")
    open_ones = OutboxEntry.state.in_(outbox.OPEN)
    return db.session.scalar(select(OutboxEntry.id).where(*mine, open_ones).limit(1)) is not None


def tell(receipt: Receipt, event: str, word: str, *, actor: Actor, now: datetime) -> None:
    """On the timeline of the contact, and at the invoices it is for."""
    name = payments.called(receipt.amount, receipt.currency, receipt.reference)
    for part in receipt.parts:
        text = f"{name} {word}: {told(part.amount, receipt.currency)} of this invoice"
        db.session.add(
            SalesEvent(document_id=part.document_id, at=now, event=event, actor=actor.label, source=actor.source,
                       text=text, details={"receipt_id": receipt.id})
        )  # fmt: skip
    if receipt.contact_id is not None:
        timeline.add(receipt.contact_id, verb=event, summary=f"{name} {word}", actor=actor, now=now)


def record_export(count: int, filters: str, *, actor: Actor, now: datetime) -> None:
    """Keep who took how many payments out of the house; `filters` says in words which."""
    audit.record("payments_exported", actor=actor, now=now, summary=f"Payments as CSV: {count:,} ({filters})")
