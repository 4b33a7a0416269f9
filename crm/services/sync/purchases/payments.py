"""What was paid to vendors: rows of their own as the books tell them, shown with each bill they were for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain.record_documents import BillPaymentRecord, BillRecord
from crm.domain.records import Refusal
from crm.models import Bill, BillPayment
from crm.services.identity_keys import chunks
from crm.services.sync.imports.fetch import refuse
from crm.services.sync.mirror.bulk import update_by_id, upsert
from crm.services.sync.mirror.customers import is_older
from crm.services.sync.mirror.stored import as_stored, content_hash, exceeds, from_stored
from crm.services.sync.work import Batch

PAYMENTS, BILLS = table_of(BillPayment), table_of(Bill)
PART = 500


def take(batch: Batch, records: Sequence[BillPaymentRecord]) -> None:
    kept = [record for record in records if not _refused(batch, record)]
    for part in chunks(list({record.origin.remote_id: record for record in kept}.values()), PART):
        _take(batch, part)


def _take(batch: Batch, records: Sequence[BillPaymentRecord]) -> None:
    known = _known(batch, [record.origin.remote_id for record in records])
    moved, seen, new = [], [], 0
    for record in records:
        row, old = _row(batch, record), known.get(record.origin.remote_id)
        if is_older(row, old):
            continue
        if old is not None and old.content_hash == row["content_hash"]:
            seen.append(old.id)
        else:
            moved.append((record, row))
            new += old is None
    if seen:
        marked = {"seen_at": batch.now, "seen_run_id": batch.run_id}
        batch.session.execute(update(PAYMENTS).where(PAYMENTS.c.id.in_(seen)).values(marked))
    before = bills_of(known[record.origin.remote_id].record for record, _ in moved if record.origin.remote_id in known)
    upsert(batch.session, PAYMENTS, [row for _, row in moved], by=("connection_id", "remote_id"))
    _show(batch, {record.origin.remote_id: record for record, _ in moved}, before)
    batch.count("bill_payment_unchanged", len(records) - len(moved))
    batch.count("bill_payment_new", new)
    batch.count("bill_payment_changed", len(moved) - new)


def gone(batch: Batch, rows: Sequence[Any]) -> None:
    """These were deleted there: no bill shows them any more."""
    ids = {row.remote_id for row in rows}
    before = bills_of(row.record for row in _known(batch, sorted(ids)).values())
    left = {"gone_at": batch.now, "content_hash": ""}
    update_by_id(batch.session, PAYMENTS, [{"id": row.id, **left} for row in rows])
    _show(batch, dict.fromkeys(ids), before)


def bills_of(stored: Any) -> set[str]:
    """Ids of the bills that stored records were applied to."""
    return {part["remote_id"] for record in stored for part in record.get("applied", ()) if part.get("kind") == "bill"}


def of_bills(batch: Batch, bills: Sequence[BillRecord]) -> dict[str, list[dict[str, str]]]:
    """Bill -> what was paid on it, of payments that came in before it."""
    wanted = {link.remote_id for bill in bills for link in bill.linked if link.kind == "bill_payment"}
    found: dict[str, list[dict[str, str]]] = {}
    for part in chunks(sorted(wanted), PART):
        for row in _known(batch, part).values():
            if row.gone_at is None:
                for bill, shown in _parts(from_stored(BillPaymentRecord, row.record)).items():
                    found.setdefault(bill, []).append(shown)
    return {bill: sorted(rows, key=_order) for bill, rows in found.items()}


def stored_of(session: Session, connection_id: int, remote_ids: Collection[str]) -> list[Mapping[str, Any]]:
    """Records of payments as they stand here."""
    found: list[Mapping[str, Any]] = []
    for part in chunks(sorted(remote_ids), PART):
        mine = (BillPayment.connection_id == connection_id, BillPayment.remote_id.in_(part))
        found += session.scalars(select(BillPayment.record).where(*mine).order_by(BillPayment.id))
    return found


def _show(batch: Batch, payments: Mapping[str, BillPaymentRecord | None], before: Collection[str]) -> None:
    """Bring `Bill.payments` in step: these payments (None: gone), on the bills they are for now, and `before`."""
    told = {id_: _parts(record) if record is not None else {} for id_, record in payments.items()}
    wanted = {bill for parts in told.values() for bill in parts} | set(before)
    for part in chunks(sorted(wanted), PART):
        mine = (Bill.connection_id == batch.books.id, Bill.remote_id.in_(part))
        rows = batch.session.execute(select(Bill.id, Bill.remote_id, Bill.payments).where(*mine).order_by(Bill.id))
        changed = []
        for row in rows.all():
            others = [one for one in row.payments if one["remote_id"] not in payments]
            mine_now = [parts[row.remote_id] for parts in told.values() if row.remote_id in parts]
            changed.append({"id": row.id, "payments": sorted([*others, *mine_now], key=_order)})
        update_by_id(batch.session, BILLS, changed)
    for loaded in list(batch.session.identity_map.values()):
        if isinstance(loaded, Bill | BillPayment):
            batch.session.expire(loaded)


def _parts(record: BillPaymentRecord) -> dict[str, dict[str, str]]:
    """Bill -> how it is shown there."""
    if record.void:
        return {}
    amounts: dict[str, Any] = {}
    for part in record.applied:
        if part.kind == "bill":
            amounts[part.remote_id] = amounts.get(part.remote_id, 0) + part.amount
    day = str(record.date or "")
    return {
        bill: {"remote_id": record.origin.remote_id, "date": day, "amount": format(amount, "f")}
        for bill, amount in amounts.items()
    }


def _order(shown: Mapping[str, str]) -> tuple[str, str]:
    return shown["date"], shown["remote_id"]


def _known(batch: Batch, remote_ids: Sequence[str]) -> dict[str, Any]:
    mine = (PAYMENTS.c.connection_id == batch.books.id, PAYMENTS.c.remote_id.in_(remote_ids))
    query = select(PAYMENTS).where(*mine).order_by(PAYMENTS.c.id)
    return {row.remote_id: row for row in batch.session.execute(query)}


def _row(batch: Batch, record: BillPaymentRecord) -> dict[str, Any]:
    stored = as_stored(record)
    return {
        "connection_id": batch.books.id,
        "remote_id": record.origin.remote_id,
        "version": record.origin.version,
        "vendor_remote_id": record.vendor.remote_id,
        "number": record.number[:40],
        "date": record.date,
        "total": record.total,
        "currency": (record.currency or batch.books.currency)[:3],
        "void": record.void,
        "record": stored,
        "content_hash": content_hash(stored),
        "remote_updated_at": record.origin.updated_at,
        "seen_at": batch.now,
        "seen_run_id": batch.run_id,
        "gone_at": None,
    }


def _refused(batch: Batch, record: BillPaymentRecord) -> bool:
    if not any(exceeds(amount) for amount in (record.total, *(part.amount for part in record.applied))):
        return False
    reason = f"Payment {record.number or record.origin.remote_id} cannot be kept: an amount has more digits than money."
    refuse(batch, Refusal("bill_payment", record.origin.remote_id, reason, as_stored(record)))
    return True
