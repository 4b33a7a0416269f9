"""What the API reads of products: a page at a time by id, each with the item of the books that it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from crm.db import db
from crm.models import Item, Link, Product
from crm.queries.products import matching


@dataclass(frozen=True, slots=True)
class ProductRow:
    product: Product
    link: Link | None = None
    item: Item | None = None


def products(
    *,
    after: int,
    limit: int,
    terms: Sequence[str] = (),
    type: str = "",
    updated_since: datetime | None = None,
    inactive: bool = False,
) -> list[ProductRow]:
    """Products with an id above `after`, in the order of their ids."""
    query = select(Product.id).where(Product.id > after, *matching(terms))
    if not inactive:
        query = query.where(Product.active.is_(True))
    if type:
        query = query.where(Product.type == type)
    if updated_since is not None:
        query = query.where(Product.updated_at >= updated_since)
    return _rows(db.session.scalars(query.order_by(Product.id).limit(limit)).all())


def product(product_id: int) -> ProductRow | None:
    rows = _rows([product_id])
    return rows[0] if rows else None


def _rows(ids: Sequence[int]) -> list[ProductRow]:
    joined = (
        select(Product, Link, Item)
        .outerjoin(Link, (Link.kind == "item") & (Link.local_id == Product.id))
        .outerjoin(Item, (Item.connection_id == Link.connection_id) & (Item.remote_id == Link.remote_id))
        .where(Product.id.in_(ids))
        .order_by(Product.id, Link.id)
        .execution_options(populate_existing=True)
    )
    rows: dict[int, ProductRow] = {}
    for found in db.session.execute(joined):
        rows.setdefault(found[0].id, ProductRow(*found))  # one connection's link is shown, the oldest
    return list(rows.values())
