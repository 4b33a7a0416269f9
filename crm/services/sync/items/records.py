"""A product of ours as the record that the books shall hold. Nothing is read or written here."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from crm.domain.product_values import ACCOUNTS
from crm.domain.record_parts import Origin, Ref
from crm.domain.records import ItemRecord

PLAIN = ("sku", "description", "purchase_description", "price", "cost", "reorder_point")


def of(product: Any, theirs: ItemRecord, *, active: bool) -> ItemRecord:
    """What stands there, with the shared fields as they are here."""
    accounts: dict[str, Any] = {name: _ref(getattr(product, name), getattr(theirs, name)) for name in ACCOUNTS}
    taxable = product.taxable if theirs.taxable is not None else None
    plain = {name: getattr(product, name) for name in PLAIN}
    return replace(theirs, name=product.name, taxable=taxable, active=active, **plain, **accounts)


def new(product: Any, *, parent: str, today: date) -> ItemRecord:
    """One that is new there, below the category `parent` (an item). One that counts stock begins with none today:
    QuickBooks wants both said, and how much there is, is nothing we know [FACTS 5.2]."""
    below = Ref(parent) if parent else None
    if product.type == "category":
        return ItemRecord(Origin(""), product.name, type=product.type, parent=below)
    made = of(product, ItemRecord(Origin(""), product.name, type=product.type, taxable=True), active=True)
    counts = product.type == "inventory"
    return replace(
        made, parent=below, quantity_on_hand=Decimal(0) if counts else None, inventory_start=today if counts else None
    )


def _ref(remote_id: str, there: Ref | None) -> Ref | None:
    if there is not None and there.remote_id == remote_id:
        return there
    return Ref(remote_id) if remote_id else None
