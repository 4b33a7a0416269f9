"""Two items were merged in the books: the one that is left takes the other's product where it has none of its own.

Else both products stay, and the one whose item went is out of use. What named the item that went is read again: the
books point it to the survivor without any sign of change [FACTS 7 #13].
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from crm.db import table_of
from crm.domain import item_fields
from crm.domain.item_fields import KIND
from crm.models import Item, Link, Product, SalesDocument, SalesLine
from crm.services.sync.inbox.reading_again import read_again
from crm.services.sync.items import taking
from crm.services.sync.items.comparing import links_of
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.work import Batch

EVENT = "item_merged"
LINKS = table_of(Link)


def follow(batch: Batch, survivor_id: str, loser_id: str) -> bool:
    """The survivor stands in the mirror; answers whether the loser still counted as there until now. Told twice changes
    nothing more."""
    pair = (survivor_id, loser_id)
    mine = (Item.connection_id == batch.books.id, Item.remote_id.in_(pair))
    items = {row.remote_id: row for row in batch.session.execute(select(table_of(Item)).where(*mine))}
    links = {link.remote_id: link for link in links_of(batch.session, batch.books.id, Link.remote_id.in_(pair))}
    survivor, loser = items.get(survivor_id), items.get(loser_id)
    if survivor is None or loser is None or loser.gone_at is not None:
        return False
    ours, theirs = links.get(loser_id), links.get(survivor_id)
    text = f"“{loser.name}” was merged into “{survivor.name}” in QuickBooks."
    if ours is not None and theirs is None:
        _move(batch, ours, survivor, loser)
        text = f"{text} Its product goes on with the latter."
    elif ours is not None:
        text = f"{text} Both are products here: the former is out of use."
    batch.log(EVENT, text, kind=KIND, remote_id=survivor_id, outcome="merged",
              details={"merged_from": loser_id, "into": survivor_id})  # fmt: skip
    number = read_again(batch.books.id, _documents(batch, loser_id), asked_by="a merge in QuickBooks", now=batch.now)
    batch.count("read_again", number)
    return True


def _move(batch: Batch, link: Any, survivor: Any, loser: Any) -> None:
    """What stands here counts as agreed, so that the merge takes what the survivor says."""
    product = batch.session.execute(
        select(table_of(Product)).where(Product.id == link.local_id).with_for_update()
    ).one()  # fmt: skip
    update_by_id(batch.session, LINKS, [{
        "id": link.id, "remote_id": survivor.remote_id, "merged_from": loser.remote_id, "version": survivor.version,
        "state": "linked" if survivor.active else "inactive", "base": item_fields.keys(product), "written_hash": "",
        "synced_at": batch.now,
    }])  # fmt: skip
    taking.point(batch, {survivor.remote_id: product.id, loser.remote_id: None})
    taking.forget(batch.session, {product.id})
    taking.again(batch, [product.id])


def _documents(batch: Batch, remote_id: str) -> list[tuple[str, str]]:
    query = (
        select(Link.kind, Link.remote_id)
        .join(SalesDocument, (SalesDocument.id == Link.local_id) & (SalesDocument.kind == Link.kind))
        .join(SalesLine, SalesLine.document_id == SalesDocument.id)
        .where(Link.connection_id == batch.books.id, Link.state != "gone", SalesLine.item_remote_id == remote_id)
        .distinct()
    )
    return [(row.kind, row.remote_id) for row in batch.session.execute(query)]
