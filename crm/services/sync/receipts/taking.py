"""A payment recorded here follows the payment of the books it is linked to: amount, date, what it is applied to, void.

Once the books hold it, they are right about it: nothing is merged. A void keeps the amount and the parts it had, as
evidence. Called by the kind (`kinds`) for imports of a thousand as for one event; payments without a link cost nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain.record_documents import PaymentRecord
from crm.models import Customer, Link, OutboxEntry, Receipt, ReceiptPart
from crm.services.identity_keys import chunks
from crm.services.sync.mirror.bulk import expire_loaded, update_by_id
from crm.services.sync.work import Batch

LINKS, RECEIPTS, PARTS = table_of(Link), table_of(Receipt), table_of(ReceiptPart)
PART = 500


def apply(batch: Batch, records: Sequence[PaymentRecord], *, waiting: bool = False) -> None:
    """These stand in the mirror as they are given. One with a change of ours on its way is left as it is until that has
    arrived or was given up; `waiting`: those too."""
    for part in chunks(list(records), PART):
        links = _links(batch, [record.origin.remote_id for record in part])
        if not waiting:
            on_their_way = _on_their_way(batch, [link.local_id for link in links.values()])
            links = {id_: link for id_, link in links.items() if link.local_id not in on_their_way}
        ids = [link.local_id for link in links.values()]
        if not ids:
            continue
        mine = select(RECEIPTS).where(RECEIPTS.c.id.in_(ids)).order_by(RECEIPTS.c.id).with_for_update()
        receipts = {row.id: row for row in batch.session.execute(mine)}
        held = [(record, links[record.origin.remote_id]) for record in part if record.origin.remote_id in links]
        pairs = [(record, link, receipts[link.local_id]) for record, link in held if link.local_id in receipts]
        _follow(batch, pairs)
        forget(batch.session, ids)


def gone(batch: Batch, remote_ids: Collection[str]) -> None:
    """These are not in the books any more: ours stay as evidence, in no list and no figure."""
    for part in chunks(sorted(remote_ids), PART):
        links = _links(batch, part)
        ids = sorted(link.local_id for link in links.values())
        rows = [{"id": id_, "gone_at": batch.now, "updated_at": batch.now} for id_ in ids]
        update_by_id(batch.session, RECEIPTS, rows)
        update_by_id(batch.session, LINKS, [{"id": link.id, "state": "gone"} for link in links.values()])
        forget(batch.session, ids)


def columns(batch: Batch, record: PaymentRecord) -> dict[str, Any]:
    """What a receipt says that is this payment; without what a void takes away."""
    said: dict[str, Any] = {
        "customer_remote_id": record.customer.remote_id,
        "currency": (record.currency or batch.books.currency)[:3],
        "method": record.method.remote_id if record.method else "",
        "reference": record.reference[:21],
        "deposit_account": record.deposit_account.remote_id if record.deposit_account else "",
        "note": record.private_note,
        "gone_at": None,
    }
    if record.date is not None:
        said["date"] = record.date
    if record.void:
        return said
    used = {one.remote_id: str(one.amount) for one in record.applied if one.kind == "credit_memo"}
    return {**said, "amount": record.total, "credits": used}


def write_parts(batch: Batch, records: Mapping[int, PaymentRecord]) -> None:
    """Receipt -> the payment it is: what it is applied to, written anew. A void leaves what stood there."""
    standing = {id_: record for id_, record in records.items() if not record.void}
    if not standing:
        return
    wanted = [one.remote_id for record in standing.values() for one in record.applied if one.kind == "invoice"]
    invoices: dict[str, int] = {}
    for part in chunks(sorted(set(wanted)), PART):
        mine = (Link.connection_id == batch.books.id, Link.kind == "invoice", Link.remote_id.in_(part))
        rows = batch.session.execute(select(Link.remote_id, Link.local_id).where(*mine))
        invoices |= {remote_id: local_id for remote_id, local_id in rows}
    amounts: dict[tuple[int, int], Any] = {}
    for id_, record in standing.items():
        for one in record.applied:
            if one.kind == "invoice" and one.remote_id in invoices:
                place = (id_, invoices[one.remote_id])
                amounts[place] = amounts.get(place, 0) + one.amount
    batch.session.execute(delete(PARTS).where(PARTS.c.receipt_id.in_(standing)))
    if amounts:
        batch.session.execute(insert(PARTS), [
            {"receipt_id": receipt, "document_id": document, "amount": amount}
            for (receipt, document), amount in sorted(amounts.items())
        ])  # fmt: skip


def _on_their_way(batch: Batch, receipt_ids: Sequence[int]) -> set[int]:
    query = select(OutboxEntry.local_id).where(
        OutboxEntry.connection_id == batch.books.id, OutboxEntry.kind == "payment", OutboxEntry.operation == "update",
        OutboxEntry.local_id.in_(receipt_ids), OutboxEntry.state.in_(("pending", "parked", "skipped", "frozen")),
    )  # fmt: skip
    return set(batch.session.scalars(query))


def _links(batch: Batch, remote_ids: Sequence[str]) -> dict[str, Any]:
    mine = (LINKS.c.connection_id == batch.books.id, LINKS.c.kind == "payment", LINKS.c.remote_id.in_(remote_ids))
    return {row.remote_id: row for row in batch.session.execute(select(LINKS).where(*mine))}


def _follow(batch: Batch, pairs: Sequence[tuple[PaymentRecord, Any, Any]]) -> None:
    changed, contacts = [], _contacts(batch, [record for record, _, _ in pairs])
    for record, _, receipt in pairs:
        said = columns(batch, record)
        said["contact_id"] = contacts.get(record.customer.remote_id) or receipt.contact_id
        said["voided_at"] = (receipt.voided_at or batch.now) if record.void else None
        if any(getattr(receipt, name) != value for name, value in said.items()):
            kept = {name: getattr(receipt, name) for name in ("date", "amount", "credits")}
            changed.append({"id": receipt.id, **kept, **said, "updated_at": batch.now, "lock": receipt.lock + 1})
    update_by_id(batch.session, RECEIPTS, changed)
    update_by_id(batch.session, LINKS, [
        {"id": link.id, "version": record.origin.version, "state": "linked", "synced_at": batch.now}
        for record, link, _ in pairs
    ])  # fmt: skip
    write_parts(batch, {receipt.id: record for record, _, receipt in pairs})


def _contacts(batch: Batch, records: Sequence[PaymentRecord]) -> dict[str, int]:
    """Customer -> the contact it is shown at."""
    ids = {record.customer.remote_id for record in records}
    mine = (Customer.connection_id == batch.books.id, Customer.remote_id.in_(ids), Customer.contact_id.is_not(None))
    rows = batch.session.execute(select(Customer.remote_id, Customer.contact_id).where(*mine))
    return {remote_id: id_ for remote_id, id_ in rows if id_ is not None}


def forget(session: Session, receipt_ids: Collection[int]) -> None:
    """What the session remembers of these is old now."""
    expire_loaded(session, {Receipt: "id", ReceiptPart: "receipt_id"}, receipt_ids)
