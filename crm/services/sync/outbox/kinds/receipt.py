"""Payments recorded here on their way out: made once, changed, voided or deleted; what comes back is kept.

A change is sent only onto what was seen when it was made: where somebody changed the payment there meanwhile, theirs
counts. What the books would refuse is found before a call is spent: more than is open on an invoice, a bank deposit, a
card payment, closed books.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session, selectinload

from crm.db import table_of
from crm.domain import payments, preflight
from crm.domain.amounts import ZERO, told
from crm.domain.errors import InvalidValue
from crm.domain.preflight import Problem
from crm.domain.record_documents import Application, PaymentRecord
from crm.domain.record_parts import Origin, Ref
from crm.domain.records import Record
from crm.domain.traits import traits
from crm.models import (
    Connection,
    Customer,
    Document,
    Link,
    OutboxEntry,
    Payment,
    PaymentApplication,
    Receipt,
    SalesDocument,
)
from crm.providers.accounting.base import Body
from crm.queries import households
from crm.services.sync.inbox import reading_again
from crm.services.sync.mirror import gone
from crm.services.sync.mirror import kinds as incoming
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.mirror.stored import as_stored, content_hash, from_stored
from crm.services.sync.outbox.kinds.customer_settled import known_names
from crm.services.sync.outbox.kinds.port import Answer, Nothing, Outgoing, Park, Prepared, Send
from crm.services.sync.outbox.kinds.receipt_changes import SHARED, onto, said
from crm.services.sync.receipts import taking
from crm.services.sync.work import Batch

LINKS = table_of(Link)
NOTHING: Mapping[str, Decimal] = MappingProxyType({})
TAKEN_BACK = "It was taken back before it was sent."
ENDED = "It is not in QuickBooks any more."
OVERTAKEN = "It was changed in QuickBooks meanwhile, and that counts. Change it again if it is still wrong."
AGREED = "Both sides agree; there is nothing to send."
VERBS = {"create": "Recorded in QuickBooks", "update": "Changed in QuickBooks", "void": "Void in QuickBooks",
         "delete": "Deleted in QuickBooks"}  # fmt: skip


class Receipts(Outgoing):
    kind = "payment"

    def hold(self, session: Session, local_ids: Sequence[int]) -> None:
        query = select(Receipt.id).where(Receipt.id.in_(local_ids))
        session.execute(query.order_by(Receipt.id).with_for_update())

    def prepare(self, batch: Batch, entries: Sequence[OutboxEntry], *, body: Body) -> Mapping[int, Prepared]:
        here = _look(batch, [entry.local_id for entry in entries])
        found: dict[int, Prepared] = {}
        for entry in entries:
            try:
                found[entry.id] = _prepared(entry, here, body)
                if found[entry.id] == Nothing(OVERTAKEN):
                    taking.apply(batch, [here.theirs[here.links[entry.local_id].remote_id]], waiting=True)
            except InvalidValue as error:
                found[entry.id] = Park("bad_value", str(error))
        return found

    def settle(self, batch: Batch, answers: Sequence[Answer]) -> Mapping[int, str]:
        ended = [one for one in answers if one.entry.operation == "delete"]
        written = [one for one in answers if isinstance(one.record, PaymentRecord)]
        touched = _invoices_of(batch, [one.entry.remote_id for one in answers if one.entry.remote_id])
        self.gone(batch, [one.entry.remote_id for one in ended])
        _link(batch, [one for one in written if one.entry.operation == "create"])
        records = [one.record for one in written if isinstance(one.record, PaymentRecord)]
        self.reread(batch, records)
        taking.apply(batch, records, waiting=True)
        _remember(batch, records)
        _read_what_moved(batch, records, touched)
        names = self.names(batch.session, [one.entry.local_id for one in answers])
        return {one.entry.id: f"{VERBS[one.entry.operation]}: {names.get(one.entry.local_id, 'a payment')}"
                for one in answers}  # fmt: skip

    def reread(self, batch: Batch, records: Sequence[Record]) -> None:
        read = [record for record in records if isinstance(record, PaymentRecord)]
        incoming.take(batch, self.kind, read, known_names(batch))
        _stand_at_contacts(batch, [record.origin.remote_id for record in read])

    def gone(self, batch: Batch, remote_ids: Sequence[str]) -> None:
        gone.mark(batch, self.kind, gone.rows_of(batch, self.kind, remote_ids))

    def name_taken(self, batch: Batch, entry: OutboxEntry, bearers: Sequence[Record]) -> Park:
        return Park("duplicate_record", "QuickBooks says that it holds this payment already. Look there.")

    def contact_ids(self, session: Session, local_ids: Sequence[int]) -> Mapping[int, int]:
        query = select(Receipt.id, Receipt.contact_id).where(Receipt.id.in_(local_ids), Receipt.contact_id.is_not(None))
        return {row.id: row.contact_id for row in session.execute(query)}

    def names(self, session: Session, local_ids: Sequence[int]) -> Mapping[int, str]:
        query = select(Receipt.id, Receipt.amount, Receipt.currency, Receipt.reference)
        return {
            id_: payments.called(amount, currency, reference)
            for id_, amount, currency, reference in session.execute(query.where(Receipt.id.in_(local_ids)))
        }


# --- out ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Here:
    """What the open transaction knows about the entries' payments."""

    receipts: Mapping[int, Receipt]
    links: Mapping[int, Any]
    theirs: Mapping[str, PaymentRecord]
    hashes: Mapping[str, str]
    customers: Mapping[int, str]
    """Contact -> its customer there."""
    invoices: Mapping[int, Any]
    """Our invoice -> (remote id, number, what is open there)."""
    closed_until: date | None
    now: datetime


def _look(batch: Batch, ids: Sequence[int]) -> Here:
    session, books = batch.session, batch.books.id
    query = select(Receipt).where(Receipt.id.in_(ids)).options(selectinload(Receipt.parts))
    receipts = {one.id: one for one in session.scalars(query.execution_options(populate_existing=True))}
    linked = (LINKS.c.connection_id == books, LINKS.c.kind == "payment", LINKS.c.local_id.in_(ids))
    links = {row.local_id: row for row in session.execute(select(LINKS).where(*linked)) if row.state != "gone"}
    there = select(Payment.remote_id, Payment.record, Payment.content_hash).where(
        Payment.connection_id == books, Payment.gone_at.is_(None),
        Payment.remote_id.in_([link.remote_id for link in links.values()]),
    )  # fmt: skip
    theirs = session.execute(there).all()
    closed = session.get_one(Connection, books).preferences.get("books_closed_until")
    contacts = [one.contact_id for one in receipts.values() if one.contact_id]
    payers = households.payers(contacts)
    known = (Link.connection_id == books, Link.kind == "customer", Link.state != "gone",
             Link.local_id.in_([*contacts, *payers.values()]))  # fmt: skip
    linked_to = {row[0]: row[1] for row in session.execute(select(Link.local_id, Link.remote_id).where(*known))}
    return Here(
        receipts=receipts,
        links=links,
        theirs={row.remote_id: from_stored(PaymentRecord, row.record) for row in theirs},
        hashes={row.remote_id: row.content_hash for row in theirs},
        customers=linked_to | {one: linked_to[payer] for one, payer in payers.items() if payer in linked_to},
        invoices=_invoices(batch, [part.document_id for one in receipts.values() for part in one.parts]),
        closed_until=date.fromisoformat(str(closed)) if closed else None,
        now=batch.now,
    )


def _invoices(batch: Batch, document_ids: Sequence[int]) -> dict[int, Any]:
    query = (
        select(SalesDocument.id, SalesDocument.number, Document.remote_id, Document.balance)
        .join(Link, (Link.kind == "invoice") & (Link.local_id == SalesDocument.id))
        .join(Document, (Document.connection_id == Link.connection_id) & (Document.kind == "invoice")
              & (Document.remote_id == Link.remote_id))
        .where(Link.connection_id == batch.books.id, SalesDocument.id.in_(document_ids), Document.gone_at.is_(None))
    )  # fmt: skip
    return {row.id: row for row in batch.session.execute(query)}


def _prepared(entry: OutboxEntry, here: Here, body: Body) -> Prepared:
    receipt, link = here.receipts.get(entry.local_id), here.links.get(entry.local_id)
    if receipt is None or receipt.gone_at is not None:
        return Nothing(ENDED if entry.remote_id else TAKEN_BACK)
    if link is None:
        if entry.operation != "create" or receipt.voided_at is not None:
            receipt.voided_at = receipt.voided_at or here.now
            return Nothing(TAKEN_BACK)
        return _create(receipt, here, body)
    theirs = here.theirs.get(link.remote_id)
    if theirs is None:
        return Park("gone", "The payment was deleted in QuickBooks.", {"remote_id": link.remote_id})
    if entry.operation not in ("void", "delete"):
        if entry.options.get("seen") not in (None, here.hashes[link.remote_id]):
            return Nothing(OVERTAKEN)
        return _update(receipt, theirs, here, body)
    if theirs.void and entry.operation == "void":
        return Nothing("It is void there already.")
    cause, sentence = payments.why_not_ended(void=False, deposited=theirs.deposited, card_payment=theirs.card_payment)
    if cause:
        return Park(cause, sentence, {"remote_id": link.remote_id})
    made = body("payment", entry.operation, None, current=theirs)
    return Send(entry.operation, made, as_stored(theirs), {}, link.remote_id)


def _create(receipt: Receipt, here: Here, body: Body) -> Prepared:
    wrong = next(_problems(receipt, here), None)
    if wrong is not None:
        return Park(wrong.cause, wrong.sentence, {"field": wrong.field})
    record = _record(receipt, here)
    paid = ((here.invoices[part.document_id].number or "an invoice", part.amount) for part in receipt.parts)
    applied = ", ".join(f"{number} {told(amount, receipt.currency)}" for number, amount in paid)
    said = {"total": told(receipt.amount, receipt.currency), "date": receipt.date.isoformat(),
            "reference": receipt.reference, "applied": applied, "private_note": receipt.note}  # fmt: skip
    changes = {name: ["", text] for name, text in said.items() if text}
    return Send("create", body("payment", "create", record), changes=changes, traits=traits(record))


def _update(receipt: Receipt, theirs: PaymentRecord, here: Here, body: Body) -> Prepared:
    cause, sentence = payments.why_not_changed(theirs)
    closed = preflight.dated(theirs.date, closed_until=here.closed_until)
    if cause or closed is not None:
        return Park(cause or "closed_period", sentence or (closed.sentence if closed else ""), {})
    before = {one.remote_id: one.amount for one in theirs.applied if one.kind == "invoice"}
    wrong = next(_problems(receipt, here, before), None)
    if wrong is not None:
        return Park(wrong.cause, wrong.sentence, {"field": wrong.field})
    ours = onto(theirs, _record(receipt, here))
    fields = [name for name in SHARED if getattr(ours, name) != getattr(theirs, name)]
    if not fields:
        return Nothing(AGREED)
    changes = {name: [said(theirs, name), said(ours, name)] for name in fields}
    made = body("payment", "update", ours, fields=fields, current=theirs)
    return Send("update", made, as_stored(theirs), changes, theirs.origin.remote_id)


def _record(receipt: Receipt, here: Here) -> PaymentRecord:
    paid = [Application("invoice", here.invoices[part.document_id].remote_id, part.amount) for part in receipt.parts]
    used = [Application("credit_memo", id_, Decimal(amount)) for id_, amount in sorted(receipt.credits.items())]
    return PaymentRecord(
        origin=Origin(""),
        customer=Ref(_customer(receipt, here)),
        date=receipt.date,
        total=receipt.amount,
        currency=receipt.currency,
        method=Ref(receipt.method) if receipt.method else None,
        reference=receipt.reference,
        deposit_account=Ref(receipt.deposit_account) if receipt.deposit_account else None,
        private_note=receipt.note,
        applied=(*paid, *used),
    )


def _customer(receipt: Receipt, here: Here) -> str:
    return receipt.customer_remote_id or here.customers.get(receipt.contact_id or 0, "")


def _problems(receipt: Receipt, here: Here, before: Mapping[str, Decimal] = NOTHING) -> Iterator[Problem]:
    """`before`: what the payment covers already, by the invoice's id there."""
    if not _customer(receipt, here):
        yield Problem("customer", "reference", "The contact is no customer in QuickBooks yet. Decide under Matches "
                      "whether it is there already, or create it.")  # fmt: skip
    closed = preflight.dated(receipt.date, closed_until=here.closed_until)
    if closed is not None:
        yield closed
    for part in receipt.parts:
        invoice = here.invoices.get(part.document_id)
        if invoice is None:
            yield Problem("applied", "reference", "An invoice it is for is not in QuickBooks any more. Take the "
                          "payment back, and record it anew without that invoice.")  # fmt: skip
        elif part.amount > (room := (invoice.balance or ZERO) + before.get(invoice.remote_id, ZERO)):
            left = told(room, receipt.currency)
            yield Problem("applied", "bad_value", f"Only {left} is open on invoice {invoice.number} in QuickBooks, "
                          f"and {told(part.amount, receipt.currency)} is applied to it. Take the payment back, and "
                          "record it anew.")  # fmt: skip


# --- back -----------------------------------------------------------------------------------------------------


def _link(batch: Batch, answers: Sequence[Answer]) -> None:
    """Links for what was created; one that is linked already (its answer came twice) stays as it is."""
    remote = [one.record.origin.remote_id for one in answers if one.record is not None]
    ids = [one.entry.local_id for one in answers]
    mine = (LINKS.c.connection_id == batch.books.id, LINKS.c.kind == "payment")
    known = batch.session.execute(
        select(LINKS.c.local_id, LINKS.c.remote_id).where(
            *mine, LINKS.c.local_id.in_(ids) | LINKS.c.remote_id.in_(remote)
        )
    ).all()
    taken = {row.local_id for row in known}, {row.remote_id for row in known}
    fresh: list[dict[str, Any]] = [
        {"connection_id": batch.books.id, "kind": "payment", "local_id": one.entry.local_id,
         "remote_id": one.record.origin.remote_id, "version": one.record.origin.version, "state": "linked",
         "written_hash": "", "merged_from": "", "base": {}, "left": {}, "run_id": None, "linked_at": batch.now,
         "linked_by": one.entry.actor, "synced_at": batch.now}
        for one in answers if one.record is not None and one.entry.local_id not in taken[0]
        and one.record.origin.remote_id not in taken[1]
    ]  # fmt: skip
    if fresh:
        batch.session.execute(insert(LINKS), fresh)


def _remember(batch: Batch, records: Sequence[PaymentRecord]) -> None:
    """What our write left there: a change that comes in with the same content is its echo. Until the invoices were read
    after `written_at`, what is applied to them counts as taken off here."""
    hashes = {record.origin.remote_id: content_hash(as_stored(record)) for record in records}
    mine = (Link.connection_id == batch.books.id, Link.kind == "payment", Link.remote_id.in_(list(hashes)))
    found = batch.session.execute(select(Link.id, Link.remote_id).where(*mine)).all()
    update_by_id(batch.session, LINKS, [
        {"id": row.id, "written_hash": hashes[row.remote_id], "written_at": batch.now} for row in found
    ])  # fmt: skip


def _stand_at_contacts(batch: Batch, remote_ids: Sequence[str]) -> None:
    """At the contact of their customer, as every reading leaves them."""
    owner = (Customer.connection_id == Payment.connection_id) & (Customer.remote_id == Payment.customer_remote_id)
    contact = select(Customer.contact_id).where(owner).scalar_subquery()
    mine = (Payment.connection_id == batch.books.id, Payment.remote_id.in_(remote_ids))
    batch.session.execute(
        update(Payment).where(*mine).values(contact_id=contact).execution_options(synchronize_session=False)
    )


def _invoices_of(batch: Batch, payment_ids: Sequence[str]) -> set[tuple[str, str]]:
    """(kind, id) of what these payments were applied to before."""
    part = PaymentApplication
    mine = (part.connection_id == batch.books.id, part.payment_remote_id.in_(payment_ids))
    rows = batch.session.execute(select(part.document_kind, part.document_remote_id).where(*mine))
    return {(kind, remote_id) for kind, remote_id in rows if kind in ("invoice", "credit_memo")}


def _read_what_moved(batch: Batch, records: Sequence[PaymentRecord], before: set[tuple[str, str]]) -> None:
    """Invoices, credit memos and the customer moved without saying so in our answer: their versions rise, their open
    amounts change [FACTS 5.6, 10]. They are read at once, not only when the books tell of them."""
    now = {(part.kind, part.remote_id) for record in records for part in record.applied}
    whose = {("customer", record.customer.remote_id) for record in records}
    moved = {key for key in now | before | whose if key[0] in ("invoice", "credit_memo", "customer")}
    if moved:
        reading_again.read_again(
            batch.books.id, moved, asked_by="Tradebook, after a payment was written", now=batch.now
        )
