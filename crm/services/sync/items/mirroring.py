"""Items of the books into the mirror; which product an item is, is set by `taking`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update

from crm.db import table_of
from crm.domain.records import ItemRecord, Refusal
from crm.models import Item
from crm.services.sync.imports.fetch import refuse
from crm.services.sync.items import rows
from crm.services.sync.mirror.bulk import upsert
from crm.services.sync.mirror.customers import is_older
from crm.services.sync.mirror.stored import as_stored, exceeds
from crm.services.sync.work import Batch

ITEMS = table_of(Item)
AMOUNTS = {"price": "price", "cost": "cost", "quantity_on_hand": "quantity on hand", "reorder_point": "reorder point"}


def take(batch: Batch, records: Sequence[ItemRecord]) -> None:
    """The one way in, whoever read them. What our columns cannot hold is refused with a line in the log; a reading
    older than what stands here is passed over."""
    kept = [record for record in records if not _refused(batch, record)]
    ids = [record.origin.remote_id for record in kept]
    columns = select(Item.id, Item.remote_id, Item.content_hash, Item.version, Item.remote_updated_at, Item.gone_at)
    mine = (Item.connection_id == batch.books.id, Item.remote_id.in_(ids))
    known = {row.remote_id: row for row in batch.session.execute(columns.where(*mine))}
    written, new, changed = [], 0, 0
    for record in kept:
        row, old = rows.mirrored(batch, record), known.get(record.origin.remote_id)
        if is_older(row, old):
            continue
        differs = old is None or row["content_hash"] != old.content_hash
        new, changed = new + (old is None), changed + (differs and old is not None)
        if old is None or differs or row["version"] != old.version:
            written.append(row)
    fresh = {row["remote_id"] for row in written}
    seen = [row.id for remote_id, row in known.items() if remote_id not in fresh]
    if seen:
        marked = {"seen_at": batch.now, "seen_run_id": batch.run_id}
        batch.session.execute(update(ITEMS).where(ITEMS.c.id.in_(seen)).values(marked))
    upsert(batch.session, ITEMS, written, by=("connection_id", "remote_id"), keep=("product_id",))
    batch.count("item_unchanged", len(kept) - new - changed)
    batch.count("item_new", new)
    batch.count("item_changed", changed)


def _refused(batch: Batch, record: ItemRecord) -> bool:
    wrong = next((words for name, words in AMOUNTS.items() if exceeds(getattr(record, name))), None)
    if wrong is None:
        return False
    reason = f"Product “{record.name}” cannot be kept: its {wrong} has more digits or decimals than can be kept here."
    refuse(batch, Refusal("item", record.origin.remote_id, reason, as_stored(record)))
    return True
