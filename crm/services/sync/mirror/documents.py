"""Invoices, credit memos, estimates and payments of the books into the mirror.

Unchanged ones are only marked as seen; payments bring what they were applied to. To whose contact a document belongs is
set later in one go (`links.spread_page`), since its customer may come in after it. What the books
no longer hold is found by `gone`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, insert, select, update

from crm.db import table_of
from crm.domain.records import DocumentRecord, PaymentRecord, Refusal
from crm.models import Document, Payment, PaymentApplication
from crm.services.sync.imports.fetch import Names, refuse
from crm.services.sync.mirror.bulk import upsert
from crm.services.sync.mirror.customers import is_older
from crm.services.sync.mirror.stored import as_stored, content_hash, exceeds
from crm.services.sync.work import Batch

APPLICATIONS = table_of(PaymentApplication)


def take(batch: Batch, kind: str, records: Sequence[Any], names: Names) -> list[str]:
    """Bring these records to the mirror; answers the remote ids of the customers whose money moved.

    The one way in, whoever read them. An amount our columns cannot hold is refused with a line in the log.
    """
    return _store(batch, kind, [record for record in records if not _refused(batch, kind, record)], names)


def hold(batch: Batch, kind: str, remote_ids: Sequence[str]) -> None:
    """Lock these rows of the mirror: before our own rows, as `take` and what follows it does."""
    mine = (Document.connection_id == batch.books.id, Document.kind == kind, Document.remote_id.in_(remote_ids))
    batch.session.execute(select(Document.id).where(*mine).order_by(Document.id).with_for_update(key_share=True)).all()


def _refused(batch: Batch, kind: str, record: Any) -> bool:
    amounts = [record.total, *(part.amount for part in getattr(record, "applied", ()))]
    amounts += [getattr(record, name, None) for name in ("balance", "tax", "unapplied", "deposit")]
    amounts += [one.amount for line in getattr(record, "lines", ()) for one in (line, *line.members)]
    if not any(exceeds(amount) for amount in amounts):
        return False
    number = getattr(record, "number", "") or getattr(record, "reference", "")
    reason = (
        f"Document {number or record.origin.remote_id} cannot be kept: an amount has more digits than money can have."
    )
    refuse(batch, Refusal(kind, record.origin.remote_id, reason, as_stored(record)))
    return True


def _store(batch: Batch, kind: str, records: Sequence[Any], names: Names) -> list[str]:
    model: Any = Payment if kind == "payment" else Document
    ids = [record.origin.remote_id for record in records]
    where = [model.connection_id == batch.books.id, model.remote_id.in_(ids)]
    if kind != "payment":
        where.append(model.kind == kind)
    columns = select(
        model.id, model.remote_id, model.content_hash, model.version, model.remote_updated_at, model.gone_at
    )
    # Everybody who writes rows of the mirror takes them in this order, so that no two wait for each other.
    held = columns.where(*where).order_by(model.id).with_for_update(key_share=True)
    known = {row.remote_id: row for row in batch.session.execute(held)}
    written, moved = [], []
    for record in sorted(records, key=lambda one: one.origin.remote_id):
        row, old = _row(batch, kind, record, names), known.get(record.origin.remote_id)
        if is_older(row, old):
            continue
        if old is None or row["content_hash"] != old.content_hash:
            moved.append(record)
            written.append(row)
        elif row["version"] != old.version:
            written.append(row)
    fresh = {row["remote_id"] for row in written}
    seen = [row.id for remote_id, row in known.items() if remote_id not in fresh]
    if seen:
        batch.session.execute(
            update(table_of(model))
            .where(table_of(model).c.id.in_(seen))
            .values(seen_at=batch.now, seen_run_id=batch.run_id)
        )
    by = ("connection_id", "remote_id") if kind == "payment" else ("connection_id", "kind", "remote_id")
    upsert(batch.session, table_of(model), written, by=by, keep=("contact_id",))
    if kind == "payment":
        _applications(batch, moved)
    batch.count(f"{kind}_unchanged", len(records) - len(moved))
    batch.count(f"{kind}_new", sum(1 for record in moved if record.origin.remote_id not in known))
    batch.count(f"{kind}_changed", sum(1 for record in moved if record.origin.remote_id in known))
    return sorted({record.customer.remote_id for record in moved})


def _row(batch: Batch, kind: str, record: Any, names: Names) -> dict[str, Any]:
    stored = as_stored(record)
    shared = {
        "connection_id": batch.books.id,
        "remote_id": record.origin.remote_id,
        "version": record.origin.version,
        "customer_remote_id": record.customer.remote_id,
        "contact_id": None,
        "date": record.date,
        "void": record.void,
        "currency": (record.currency or batch.books.currency)[:3],
        "total": record.total,
        "record": stored,
        "content_hash": content_hash(stored),
        "remote_updated_at": record.origin.updated_at,
        "seen_at": batch.now,
        "seen_run_id": batch.run_id,
        "gone_at": None,
    }
    return {**shared, **(_payment(record, names) if kind == "payment" else _document(kind, record))}


def _document(kind: str, record: DocumentRecord) -> dict[str, Any]:
    return {
        "kind": kind,
        "number": record.number[:40],
        "due_date": record.due_date,
        "status": record.status[:20] if kind == "estimate" else "",
        "tax": record.tax,
        "balance": record.balance,
    }


def _payment(record: PaymentRecord, names: Names) -> dict[str, Any]:
    return {
        "method": names.of("payment_method", record.method)[:60],
        "reference": record.reference[:60],
        "unapplied": record.unapplied,
    }


def _applications(batch: Batch, payments: Sequence[PaymentRecord]) -> None:
    """What these payments were applied to, written anew."""
    if not payments:
        return
    ids = [payment.origin.remote_id for payment in payments]
    batch.session.execute(
        delete(APPLICATIONS).where(
            APPLICATIONS.c.connection_id == batch.books.id, APPLICATIONS.c.payment_remote_id.in_(ids)
        )
    )
    amounts: dict[tuple[str, str, str], Decimal] = {}
    for payment in payments:
        for part in payment.applied:
            place = (payment.origin.remote_id, part.kind[:30], part.remote_id)
            amounts[place] = amounts.get(place, Decimal(0)) + part.amount
    rows = [
        {"connection_id": batch.books.id, "payment_remote_id": payment, "document_kind": kind,
         "document_remote_id": document, "amount": amount}
        for (payment, kind, document), amount in amounts.items()
    ]  # fmt: skip
    if rows:
        batch.session.execute(insert(APPLICATIONS), rows)
