"""Categories: what stands below one goes with it when it is renamed or moved; its item is what others stand below."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.models import Item, Product
from crm.services.sync.items import rows
from crm.services.sync.mirror.bulk import update_by_id

PRODUCTS = table_of(Product)


def carry_along(session: Session, moved: Mapping[str, str], *, now: datetime) -> None:
    """`moved`: path of a category before -> now. The books move what stands below by themselves, and need not tell."""
    for old, new in sorted(moved.items()):
        if old == new:
            continue
        below = Product.category.startswith(f"{old}:", autoescape=True)
        columns = select(PRODUCTS.c.id, PRODUCTS.c.name, PRODUCTS.c.sku, PRODUCTS.c.category, PRODUCTS.c.description,
                         PRODUCTS.c.lock)  # fmt: skip
        found = session.execute(columns.where(or_(Product.category == old, below)).order_by(Product.id)).all()
        changes = []
        for row in found:
            values = {**row._asdict(), "category": (new + row.category[len(old) :])[:500]}
            changes.append({"id": row.id, "category": values["category"], **rows.texts(values), "updated_at": now,
                            "lock": row.lock + 1})  # fmt: skip
        update_by_id(session, PRODUCTS, changes)


def items_at(session: Session, connection_id: int, paths: Collection[str]) -> dict[str, str]:
    """Path of a category -> its item there."""
    query = select(Item.full_path, Item.remote_id).where(
        Item.connection_id == connection_id, Item.type == "category", Item.gone_at.is_(None),
        Item.full_path.in_([path for path in paths if path]),
    )  # fmt: skip
    return {row.full_path: row.remote_id for row in session.execute(query.order_by(Item.id))}


def products_at(session: Session, paths: Collection[str]) -> dict[str, int]:
    """Path of a category -> the product of ours that is that category."""
    wanted = {path for path in paths if path}
    names = {path.rpartition(":")[2] for path in wanted}
    query = select(Product.id, Product.category, Product.name).where(
        Product.type == "category", Product.name.in_(names)
    )
    found = {rows.path(row.category, row.name): row.id for row in session.execute(query.order_by(Product.id.desc()))}
    return {path: id_ for path, id_ in found.items() if path in wanted}
