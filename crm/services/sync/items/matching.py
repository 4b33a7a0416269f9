"""Which items that are new here are products of ours, by `domain/product_matching`; the doubtful wait for a person.

A doubt is never stored: it is found anew from items without a product and products without an item, so that it is gone
by itself once somebody renamed, linked or parted them. The sync log tells of each once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from crm.domain.item_fields import KIND
from crm.domain.product_matching import Named, match
from crm.domain.records import ItemRecord
from crm.models import Connection, Item, Link, Product, SyncLogEntry
from crm.services.sync.items import rows
from crm.services.sync.mirror.stored import from_stored
from crm.services.sync.work import Batch

EVENT = "item_doubtful"


def matched(batch: Batch, records: Sequence[ItemRecord]) -> tuple[dict[str, int], list[str]]:
    """Item -> the product it is; and the items that are nothing of ours. Those in doubt are in neither."""
    mine = unlinked(batch.session, batch.books.id)
    found = match([_named(record) for record in records], mine)
    if found.doubts:
        _tell(batch, {doubt.item: doubt.sentence for doubt in found.doubts}, records)
    return {pair.item: int(pair.product) for pair in found.pairs}, sorted(found.items_alone)


def unlinked(session: Session, connection_id: int) -> list[Named]:
    """Products these books do not know; one whose item was deleted there is no other item by itself."""
    link = exists().where(Link.connection_id == connection_id, Link.kind == KIND, Link.local_id == Product.id)
    columns = select(Product.id, Product.name, Product.sku, Product.type, Product.active, Product.category)
    return [
        Named(str(row.id), row.name, row.sku, row.type, row.active, row.category)
        for row in session.execute(columns.where(~link).order_by(Product.id))
    ]


def _named(record: ItemRecord) -> Named:
    return Named(record.origin.remote_id, record.name, record.sku, record.type, record.active, rows.category(record))


def _tell(batch: Batch, doubts: dict[str, str], records: Sequence[ItemRecord]) -> None:
    told = select(SyncLogEntry.remote_id).where(
        SyncLogEntry.connection_id == batch.books.id, SyncLogEntry.event == EVENT, SyncLogEntry.kind == KIND,
        SyncLogEntry.remote_id.in_(list(doubts)),
    )  # fmt: skip
    known = set(batch.session.scalars(told))
    names = {record.origin.remote_id: record.name for record in records}
    for remote_id, sentence in doubts.items():
        if remote_id not in known:
            text = f"“{names[remote_id]}” may be a product that is here already. {sentence}"
            batch.log(EVENT, text, level="warning", kind=KIND, remote_id=remote_id, outcome="asked")
    batch.count("item_doubtful", len(set(doubts) - known))


@dataclass(frozen=True, slots=True)
class Asked:
    """An item of which a person is asked whether it is this product."""

    item: Item
    company: str
    sentence: str

    @property
    def connection_id(self) -> int:
        return self.item.connection_id


def doubts_of(session: Session, product_id: int) -> list[Asked]:
    """Items that may be this product. Items without a product are few: those of which somebody is asked."""
    waiting = select(Item).where(Item.product_id.is_(None), Item.gone_at.is_(None)).order_by(Item.id)
    by_company: dict[int, list[Item]] = {}
    for item in session.scalars(waiting):
        by_company.setdefault(item.connection_id, []).append(item)
    found = []
    for connection_id, items in by_company.items():
        mine = unlinked(session, connection_id)
        if not any(one.key == str(product_id) for one in mine):
            continue
        company = session.get_one(Connection, connection_id).company_name or "QuickBooks"
        known = {item.remote_id: item for item in items}
        doubts = match([_named(from_stored(ItemRecord, item.record)) for item in items], mine).doubts
        found += [Asked(known[one.item], company, one.sentence) for one in doubts if str(product_id) in one.products]
    return found
