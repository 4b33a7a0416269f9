"""A payment is changed in place: its amount, day, method, reference, and the invoices it is applied to.

Called by the payment's page, and by an invoice's to apply money that stands unused in the books; such a payment becomes
one of ours first. What the books would refuse is refused here with the way out. The change leaves by the outbox, once;
where somebody changed the payment there meanwhile, theirs counts (`outbox/kinds/receipt`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date as Day
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select

from crm.db import db
from crm.domain import payments, preflight
from crm.domain.amounts import ZERO
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.payments import OpenInvoice
from crm.domain.record_documents import PaymentRecord
from crm.models import Connection, OutboxEntry, Payment, Receipt, ReceiptPart, SalesDocument
from crm.queries import open_items
from crm.queries.unused_money import Unused
from crm.services import receipts, sales_documents
from crm.services.audit import Actor
from crm.services.receipts import CHANGED, Draft
from crm.services.sync.mirror.stored import from_stored
from crm.services.sync.outbox import outbox

ON_ITS_WAY = "Something about this payment is on its way to QuickBooks. Wait until it has arrived, then change it."
CREDITS = "It uses credits besides money. Void it, and record it anew."
EMPTY = ("Nothing would be applied any more, and QuickBooks would keep what is left out. Void the payment, or take the "
         "invoices off in QuickBooks.")  # fmt: skip


def why_not(receipt: Receipt) -> str:
    """Why it cannot be changed now, with the way out; empty: it can."""
    if receipt.gone_at is not None or receipt.voided_at is not None:
        return "It is void or deleted. Record it anew."
    if receipt.credits:
        return CREDITS
    if _on_its_way(receipt):
        return ON_ITS_WAY
    there = receipts.in_books(receipt)
    if there is None:
        return ""
    record = from_stored(PaymentRecord, there.record)
    return payments.why_not_changed(record)[1] or _closed(there.date, there.connection_id)


def change(receipt_id: int, draft: Draft, *, lock: int, actor: Actor, now: datetime) -> Receipt:
    """It says what the draft says; whose it is stays. Raises Invalid, Refused, Changed, NotFound."""
    receipt = _held(receipt_id, lock)
    if sentence := why_not(receipt):
        raise Refused(sentence)
    contact, connection = receipts.contact_of(receipt.contact_id), sales_documents.company()
    draft = replace(draft, contact_id=contact.id, payer=receipt.customer_remote_id, credits=())
    receipts.check(draft, contact, connection)
    money = payments.apply_to(draft.amount, draft.parts, room(receipt), customer=receipt.customer_remote_id,
                              currency=receipt.currency)  # fmt: skip
    there = receipts.in_books(receipt)
    if there is not None and receipt.parts and not money.invoices:
        raise Invalid({"parts": EMPTY})
    receipt.amount, receipt.date, receipt.method = draft.amount, draft.date, draft.method
    receipt.reference, receipt.deposit_account = draft.reference.strip(), draft.deposit_account
    receipt.note, receipt.updated_at = draft.note.strip(), now
    _apply(receipt, money.invoices)
    db.session.flush()
    receipts.tell(receipt, "payment_changed", "changed", actor=actor, now=now)
    if receipt.connection_id is not None:
        seen = {"seen": there.content_hash} if there is not None else {}
        outbox.note(db.session(), receipt.connection_id, "payment", receipt.id,
                    operation="update" if there is not None else "create", trigger="change", actor=actor, now=now,
                    options=seen, needs=[("invoice", part.document_id) for part in receipt.parts])  # fmt: skip
    return receipt


def apply_unused(
    source: Unused, document_id: int, amount: Decimal, *, actor: Actor, now: datetime
) -> Receipt:  # fmt: skip
    """This much of a payment or credit that stands unused is for this invoice from now on. Raises as `change`."""
    document = sales_documents.find(document_id, kind="invoice")
    if document.contact_id is None:
        raise Refused("This invoice has no customer here.")
    if amount <= 0:
        raise Invalid({"apply": "Say how much of it is for this invoice."})
    plain = Draft(document.contact_id, ZERO, now.date(), payer=source.customer, parts={str(document_id): amount})
    if source.kind == "credit_memo":
        return receipts.record(replace(plain, credits=(source.remote_id,)), sure=True, actor=actor, now=now)
    receipts.link_to(plain, source.payment_id, actor=actor, now=now)
    receipt = _receipt_of(source.payment_id)
    parts = {str(part.document_id): part.amount for part in receipt.parts}
    parts[str(document_id)] = parts.get(str(document_id), ZERO) + amount
    draft = Draft(document.contact_id, receipt.amount, receipt.date, method=receipt.method, reference=receipt.reference,
                  deposit_account=receipt.deposit_account, note=receipt.note, parts=parts)  # fmt: skip
    return change(receipt.id, draft, lock=receipt.lock, actor=actor, now=now)


def room(receipt: Receipt) -> list[OpenInvoice]:
    """What it can be applied to: what is open, and what it covers itself."""
    contact = receipts.contact_of(receipt.contact_id)
    found = {one.key: one for one in open_items.of_contact(db.session(), contact, sales_documents.company(), lock=True)
             .invoices}  # fmt: skip
    for part in receipt.parts:
        key, document = str(part.document_id), db.session.get_one(SalesDocument, part.document_id)
        open_ = found.get(key) or OpenInvoice(key, document.number, document.date, document.due_date, ZERO,
                                              receipt.customer_remote_id, receipt.currency)  # fmt: skip
        found[key] = replace(open_, balance=open_.balance + part.amount)
    return list(found.values())


def _apply(receipt: Receipt, wanted: Mapping[str, Decimal]) -> None:
    kept = {str(part.document_id): part for part in receipt.parts}
    for key, amount in wanted.items():
        if key in kept:
            kept[key].amount = amount
        else:
            receipt.parts.append(ReceiptPart(document_id=int(key), amount=amount))
    for key, part in kept.items():
        if key not in wanted:
            receipt.parts.remove(part)


def _held(receipt_id: int, lock: int) -> Receipt:
    query = select(Receipt).where(Receipt.id == receipt_id).with_for_update()
    receipt = db.session.scalars(query.execution_options(populate_existing=True)).first()
    if receipt is None:
        raise NotFound("There is no such payment. The link may be old or not complete.")
    if receipt.lock != lock:
        raise Changed(CHANGED, current=receipt)
    return receipt


def _receipt_of(payment_id: int) -> Receipt:
    payment = db.session.get_one(Payment, payment_id)
    return db.session.get_one(Receipt, receipts.receipt_id_of(payment), populate_existing=True)


def _on_its_way(receipt: Receipt) -> bool:
    """One that only waits to be made can still be changed."""
    mine = (OutboxEntry.kind == "payment", OutboxEntry.local_id == receipt.id, OutboxEntry.state.in_(outbox.OPEN))
    entries = db.session.scalars(select(OutboxEntry).where(*mine).execution_options(populate_existing=True)).all()
    return any(one.operation != "create" or one.state == "frozen" or one.request_key for one in entries)


def _closed(day: Day | None, connection_id: int) -> str:
    until = db.session.get_one(Connection, connection_id).preferences.get("books_closed_until")
    problem = preflight.dated(day, closed_until=Day.fromisoformat(str(until)) if until else None)
    return problem.sentence if problem is not None else ""
