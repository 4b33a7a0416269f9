"""Products: what reps sell. `Item` is the mirror of the books' own list, `Product` is ours; a link ties the two."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, Money, UtcDateTime


class Item(Base):
    """A product as the books hold it. Rows are written by the sync only."""

    __tablename__ = "items"
    __table_args__ = (UniqueConstraint("connection_id", "remote_id"), Index("ix_items_product", "product_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    remote_id: Mapped[str] = mapped_column(String(40))
    version: Mapped[str] = mapped_column(String(40), default="")
    name: Mapped[str] = mapped_column(String(500))
    full_path: Mapped[str] = mapped_column(Text, default="")
    type: Mapped[str] = mapped_column(String(20), default="")
    """As ItemRecord.type."""
    sku: Mapped[str] = mapped_column(String(100), default="")
    active: Mapped[bool] = mapped_column(default=True)
    record: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """The whole mapped record as JSON, amounts as text."""
    content_hash: Mapped[str] = mapped_column(String(64), default="")
    remote_updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_run_id: Mapped[int | None] = mapped_column(ForeignKey("sync_runs.id", ondelete="SET NULL"))
    gone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id", ondelete="SET NULL"))


class Product(Base):
    """Something we sell: a service, a thing, a bundle of both, or a category that groups them."""

    __tablename__ = "products"
    __table_args__ = (
        Index("ix_products_list", "active", "sort_name", "id"),
        Index("ix_products_sku", "sku"),
        Index("ix_products_category", "category", "sort_name", "id"),
        # All a list is counted and sorted by, so that both are answered without reading the rows themselves.
        Index(
            "ix_products_facts", "active", "type", "taxable", "cost", "price", "quantity_on_hand", "reorder_point",
            "sku", "category", "updated_at", "sort_name", "id",
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    sort_name: Mapped[str] = mapped_column(String(100))
    """`name` folded: what lists are sorted by."""
    type: Mapped[str] = mapped_column(String(20), default="service")
    """`service`, `non_inventory`, `inventory`, `group` (a bundle) or `category`."""
    category: Mapped[str] = mapped_column(String(500), default="")
    """The path of its category in the books ("Repairs:Walls"); empty at the top."""
    sku: Mapped[str] = mapped_column(String(100), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    purchase_description: Mapped[str] = mapped_column(Text, default="")
    price: Mapped[Decimal | None] = mapped_column(Money)
    cost: Mapped[Decimal | None] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(String(3), default="")
    taxable: Mapped[bool] = mapped_column(default=True)
    active: Mapped[bool] = mapped_column(default=True)
    income_account: Mapped[str] = mapped_column(String(40), default="")
    """Remote id of an account (`list_entries`); so are the next two."""
    expense_account: Mapped[str] = mapped_column(String(40), default="")
    asset_account: Mapped[str] = mapped_column(String(40), default="")
    quantity_on_hand: Mapped[Decimal | None] = mapped_column(Money)  # exact decimal, not an amount
    """The books' figure of an inventory product; read, never sent."""
    reorder_point: Mapped[Decimal | None] = mapped_column(Money)  # exact decimal, not an amount
    members: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """Of a bundle: [{product_id, remote_id, name, quantity (text)}]."""
    source: Mapped[str] = mapped_column(String(20), default="person")
    """`person`, `quickbooks` or `api`."""
    search_text: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lock: Mapped[int] = mapped_column(default=1)
    """Guards against two people changing it at once."""

    __mapper_args__ = {"version_id_col": lock}


class PriceChange(Base):
    """A price or cost as it stood from a moment on."""

    __tablename__ = "price_changes"
    __table_args__ = (Index("ix_price_changes_product", "product_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    price: Mapped[Decimal | None] = mapped_column(Money)
    cost: Mapped[Decimal | None] = mapped_column(Money)
    changed_by: Mapped[str] = mapped_column(String(254), default="")
    """A person, or "QuickBooks"."""
