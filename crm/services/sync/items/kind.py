"""Items as a kind that comes in: the mirror takes them, our own products follow.

| an item there | here |
|---|---|
| inactive | its product is out of use |
| deleted | its product is out of use, its link says `gone`; both rows stay |
| merged into another | the survivor takes its product where it has none; documents that name it are read again |
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select

from crm.db import table_of
from crm.domain.item_fields import ACTIVE
from crm.domain.records import ItemRecord
from crm.models import Item, Link, Product
from crm.services.sync.imports.fetch import Names
from crm.services.sync.items import merged, mirroring, taking
from crm.services.sync.items.comparing import links_of
from crm.services.sync.merge import conflicts
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.mirror.port import Incoming
from crm.services.sync.mirror.table import Mirror
from crm.services.sync.work import Batch


class Items(Incoming):
    kind = "item"
    word = "Product"
    shape = ItemRecord
    mirror = Mirror(Item, Item.name)
    confirms = True
    follows = True

    def take(self, batch: Batch, records: Sequence[ItemRecord], names: Names) -> Collection[str]:
        mirroring.take(batch, records)
        return ()

    def applied(self, batch: Batch, records: Sequence[ItemRecord]) -> None:
        taking.apply(batch, records)

    def merged(self, batch: Batch, survivor: str, loser: str) -> None:
        if merged.follow(batch, survivor, loser):
            self.gone(batch, self.mirror.rows(batch.session, batch.books.id, [loser]))

    def gone(self, batch: Batch, rows: Sequence[Any]) -> None:
        super().gone(batch, rows)
        links = links_of(batch.session, batch.books.id, Link.remote_id.in_([row.remote_id for row in rows]))
        ids = [link.local_id for link in links]
        query = select(Product.id, Product.lock).where(Product.id.in_(ids), Product.active).order_by(Product.id)
        found = batch.session.execute(query.with_for_update()).all()
        update_by_id(batch.session, table_of(Product), [
            {"id": row.id, "active": False, "updated_at": batch.now, "lock": row.lock + 1} for row in found
        ])  # fmt: skip
        # That it is out of use is agreed on: should the item come back, its product does too.
        update_by_id(batch.session, table_of(Link), [
            {"id": link.id, "state": "gone", "base": {**link.base, "active": ACTIVE[False]}} for link in links
        ])  # fmt: skip
        conflicts.settle(batch.session, batch.books.id, self.kind, ids, now=batch.now)
        taking.forget(batch.session, set(ids))
