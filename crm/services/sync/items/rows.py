"""An item of the books as the columns of a product, and as its row in the mirror. Nothing is read or written here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm.domain.names import fold
from crm.domain.product_filters import search_text
from crm.domain.product_values import ACCOUNTS
from crm.domain.records import ItemRecord
from crm.services.sync.mirror.stored import as_stored, content_hash
from crm.services.sync.work import Batch

COLUMNS = (
    "name", "type", "category", "sku", "description", "purchase_description", "price", "cost", "taxable", "active",
    *ACCOUNTS, "quantity_on_hand", "reorder_point", "members",
)  # fmt: skip
"""Columns of a product that the books have a say in."""
IN_ONLY = ("type", "category", "quantity_on_hand", "members")


def mirrored(batch: Batch, record: ItemRecord) -> dict[str, Any]:
    """Its row in `items`, without the product it is."""
    stored = as_stored(record)
    return {
        "connection_id": batch.books.id,
        "remote_id": record.origin.remote_id,
        "version": record.origin.version,
        "name": record.name[:500],
        "full_path": record.full_path or record.name,
        "type": record.type[:20],
        "sku": record.sku[:100],
        "active": record.active,
        "record": stored,
        "content_hash": content_hash(stored),
        "remote_updated_at": record.origin.updated_at,
        "seen_at": batch.now,
        "seen_run_id": batch.run_id,
        "gone_at": None,
        "product_id": None,
    }


def columns(record: ItemRecord, products: Mapping[str, int]) -> dict[str, Any]:
    """The product as the books say it. `products`: item -> product, for what a bundle holds."""
    return {
        "name": record.name[:100],
        "type": record.type[:20],
        "category": category(record),
        "sku": record.sku[:100],
        "description": record.description,
        "purchase_description": record.purchase_description,
        "price": record.price,
        "cost": record.cost,
        "taxable": record.taxable is not False,
        "active": record.active,
        "income_account": record.income_account.remote_id if record.income_account else "",
        "expense_account": record.expense_account.remote_id if record.expense_account else "",
        "asset_account": record.asset_account.remote_id if record.asset_account else "",
        "quantity_on_hand": record.quantity_on_hand,
        "reorder_point": record.reorder_point,
        "members": members(record, products),
    }


def category(record: ItemRecord) -> str:
    """The path of what it stands below; empty at the top."""
    return record.full_path.rpartition(":")[0][:500] if record.parent else ""


def path(category_: str, name: str) -> str:
    """The path of a product, as the books tell it."""
    return f"{category_}:{name}" if category_ else name


def members(record: ItemRecord, products: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {"product_id": products.get(one.item.remote_id), "remote_id": one.item.remote_id, "name": one.item.name,
         "quantity": "" if one.quantity is None else format(one.quantity.normalize() + 0, "f")}
        for one in record.members
    ]  # fmt: skip


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """What lists sort by and search in, of these columns."""
    name = values["name"]
    return {
        "sort_name": (fold(name) or name.strip().casefold())[:100],
        "search_text": search_text(name=name, sku=values["sku"], category=values["category"],
                                   description=values["description"]),
    }  # fmt: skip
