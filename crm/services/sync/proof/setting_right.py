"""What people see here brought back to what was read of the books, from the mirror, at no call.

Whatever was changed here since is left: an edit waits to go out, and is never written over. Called by the button of a
proof (`mending`), inside its transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from crm.db import db, table_of
from crm.domain.record_documents import BillRecord, DocumentRecord, PaymentRecord
from crm.domain.records import VendorRecord
from crm.models import Connection, Document, Link, Payment, SalesDocument
from crm.services.identity_keys import chunks
from crm.services.sync.mirror import applying
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.mirror.stored import from_stored
from crm.services.sync.purchases import taking as purchases
from crm.services.sync.purchases.comparing import MODELS
from crm.services.sync.receipts import taking as receipts
from crm.services.sync.sales import leaving
from crm.services.sync.sales import taking as sales
from crm.services.sync.work import Batch, books_of

PART = 500
PURCHASES: Mapping[str, Any] = {"vendor": VendorRecord, "bill": BillRecord}


def set_right(connection_id: int, objects: Mapping[str, Collection[str]], *, now: datetime) -> None:
    """Kind -> remote ids. Waits for whoever brings something of this company in meanwhile."""
    batch = Batch(db.session(), books_of(db.session.get_one(Connection, connection_id)), now, trigger="proof")
    applying.lock(batch)
    for kind, ids in sorted(objects.items()):
        for part in chunks(sorted(ids), PART):
            SET_RIGHT[kind](batch, kind, part)


def _sales(batch: Batch, kind: str, ids: Sequence[str]) -> None:
    """Without its hash a row that nobody changed is taken for another one than was read, and written anew whole."""
    mine = (Document.connection_id == batch.books.id, Document.kind == kind, Document.remote_id.in_(ids))
    found = batch.session.execute(select(Document.remote_id, Document.record, Document.gone_at).where(*mine)
                                  .order_by(Document.id)).all()  # fmt: skip
    ours = select(Link.local_id).where(Link.connection_id == batch.books.id, Link.kind == kind, Link.remote_id.in_(ids))
    unlike = (SalesDocument.id.in_(ours), SalesDocument.edited_at.is_(None))
    batch.session.execute(update(table_of(SalesDocument)).where(*unlike).values(seen_hash=""))
    there = [from_stored(DocumentRecord, row.record) for row in found if row.gone_at is None]
    sales.apply(batch, kind, there, quiet=True)
    leaving.gone_again(batch, kind, [row.remote_id for row in found if row.gone_at is not None])


def _receipts(batch: Batch, kind: str, ids: Sequence[str]) -> None:
    mine = (Payment.connection_id == batch.books.id, Payment.remote_id.in_(ids))
    found = batch.session.execute(select(Payment.remote_id, Payment.record, Payment.gone_at).where(*mine)
                                  .order_by(Payment.id)).all()  # fmt: skip
    receipts.apply(batch, [from_stored(PaymentRecord, row.record) for row in found if row.gone_at is None])
    receipts.gone(batch, [row.remote_id for row in found if row.gone_at is not None])


def _purchases(batch: Batch, kind: str, ids: Sequence[str]) -> None:
    """What the books alone say of a row is set even where the rest of it was changed here."""
    table = table_of(MODELS[kind])
    mine = (table.c.connection_id == batch.books.id, table.c.remote_id.in_(ids), table.c.gone_at.is_(None))
    query = select(table.c.id, table.c.record, table.c.edited_at).where(*mine).order_by(table.c.id).with_for_update()
    found = batch.session.execute(query).all()
    read = {row.id: from_stored(PURCHASES[kind], row.record) for row in found}
    own = [{"id": id_, "balance": record.balance} | ({"void": record.void} if kind == "bill" else {})
           for id_, record in read.items()]  # fmt: skip
    update_by_id(batch.session, table, own)
    purchases.take_whole(batch, kind, {row.id: read[row.id] for row in found if row.edited_at is None})


SET_RIGHT: Mapping[str, Callable[[Batch, str, Sequence[str]], None]] = {
    "estimate": _sales, "invoice": _sales, "payment": _receipts, "vendor": _purchases, "bill": _purchases,
}  # fmt: skip
