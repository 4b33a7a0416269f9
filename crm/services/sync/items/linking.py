"""One item tied to a product, or given one of its own, because a person said so; the import does the same in pages.

Each leaves mirror, link, product and documents in agreement. Called inside `transaction()`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm.db import changed
from crm.domain.errors import Changed, NotFound, Refused
from crm.domain.item_fields import KIND
from crm.domain.records import ItemRecord
from crm.models import Connection, Item, Link, Product
from crm.services import audit
from crm.services.audit import Actor
from crm.services.sync.items import taking
from crm.services.sync.mirror.stored import from_stored
from crm.services.sync.work import Batch, books_of


def attach(session: Session, item_id: int, product_id: int, *, actor: Actor, now: datetime) -> Product:
    """The item is that product. Raises NotFound, Changed where somebody was faster, Refused where it is another one."""
    item = _free(session, item_id)
    product = session.get(Product, product_id, with_for_update=True, populate_existing=True)
    if product is None:
        raise NotFound("There is no such product. The link may be old or not complete.")
    if (item.type == "category") != (product.type == "category"):
        raise Refused(f"“{item.name}” in QuickBooks and {product.name} cannot be one: only one of them is a category.")
    known = (Link.connection_id == item.connection_id, Link.kind == KIND, Link.local_id == product_id)
    old = session.scalar(select(Link).where(*known))
    if old is not None and old.state != "gone":
        raise Changed(f"{product.name} has been linked to an item in QuickBooks meanwhile.")
    if old is not None:
        session.delete(old)
        session.flush()
    batch, record = _batch(session, item, now), from_stored(ItemRecord, item.record)
    name = item.name
    taking.link(batch, {item.remote_id: record}, {item.remote_id: product_id}, agreed=False, by=actor.label)
    _settle(batch, record, f"Linked to “{name}” in QuickBooks", product_id, actor=actor)
    return session.get_one(Product, product_id, populate_existing=True)


def part(session: Session, item_id: int, *, actor: Actor, now: datetime) -> Product:
    """The item is none of our products: it gets one of its own. Raises NotFound, Changed."""
    item = _free(session, item_id)
    batch, record = _batch(session, item, now), from_stored(ItemRecord, item.record)
    remote_id, name = item.remote_id, item.name
    made = taking.make(batch, [remote_id], {remote_id: record})
    taking.link(batch, {remote_id: record}, made, agreed=True, by=actor.label)
    _settle(batch, record, f"A product of its own for “{name}” in QuickBooks", made[remote_id], actor=actor)
    return session.get_one(Product, made[remote_id], populate_existing=True)


def let_go(session: Session, connection_id: int, product_id: int) -> None:
    """What is gone there is let go here; the product stays, and may be made there anew."""
    mine = (Link.connection_id == connection_id, Link.kind == KIND, Link.local_id == product_id)
    changed(update(Link).where(*mine).values(state="gone"))


def _free(session: Session, item_id: int) -> Item:
    item = session.get(Item, item_id, with_for_update=True, populate_existing=True)
    if item is None or item.gone_at is not None:
        raise NotFound("This product is not in QuickBooks (any more). Import from QuickBooks, then look again.")
    if item.product_id is not None:
        raise Changed(f"Somebody has decided about “{item.name}” meanwhile.")
    return item


def _batch(session: Session, item: Item, now: datetime) -> Batch:
    return Batch(session, books_of(session.get_one(Connection, item.connection_id)), now, trigger="person")


def _settle(batch: Batch, record: ItemRecord, words: str, product_id: int, *, actor: Actor) -> None:
    remote_id = record.origin.remote_id
    taking.forget(batch.session, {product_id})
    taking.again(batch, [product_id])
    taking.settle_lines(batch, [remote_id])
    batch.log("item_linked", f"{words}, by {actor.label}.", kind=KIND, remote_id=remote_id, direction="",
              outcome="done", details={"product": product_id})  # fmt: skip
    audit.record("product_linked", actor=actor, now=batch.now, subject=f"product:{product_id}", summary=words)
