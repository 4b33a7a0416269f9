"""What the API takes and gives about products. What holds of all is in `schemas`."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from crm.blueprints.api.schemas import PageQuery, Shape

Exact = Annotated[
    Decimal,
    PlainSerializer(lambda value: format(value, "f"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "examples": ["1234.50"]}, mode="serialization"),
]
"""A number as text, with as many decimals as it has."""
Number = Annotated[
    Decimal,
    Field(ge=0, max_digits=15, decimal_places=4, le=99_999_999_999),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,11}(\.[0-9]{1,4})?$"}, mode="validation"),
]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^:]*[^:\s][^:]*$")]
"""QuickBooks keeps the colon for categories."""
Type = Literal["service", "non_inventory", "inventory", "category"]
Account = Annotated[str, Field(max_length=40, description="Id of the account in QuickBooks; empty for none.")]


class ItemLink(Shape):
    """The item in QuickBooks, as last read."""

    connection_id: int
    item_id: str
    sync_version: str
    name: str
    state: str = Field(description="`linked`, `inactive` there, or `gone`.")
    as_of: datetime | None


class Product(Shape):
    id: int
    name: str
    type: str = Field(description="`service`, `non_inventory`, `inventory`, `group` (a bundle) or `category`.")
    category: str = Field(description="Path of its category, as in Repairs:Walls; empty at the top.")
    sku: str
    description: str
    purchase_description: str
    price: Exact | None
    cost: Exact | None
    currency: str
    margin: Exact | None = Field(description="Price less cost; null where either is not known.")
    taxable: bool
    active: bool
    income_account: str
    expense_account: str
    asset_account: str
    quantity_on_hand: Exact | None = Field(description="QuickBooks' figure; it cannot be set here.")
    reorder_point: Exact | None
    source: str
    created_at: datetime
    updated_at: datetime
    lock: int = Field(description="Send it with a change: one that was made meanwhile is then never overwritten.")
    quickbooks: ItemLink | None


class ProductPage(Shape):
    data: list[Product]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


class ProductQuery(PageQuery):
    q: str = Field(default="", max_length=200, description="Name, SKU, description, category.")
    type: Literal["", "service", "non_inventory", "inventory", "group", "category"] = ""
    updated_since: datetime | None = Field(default=None, description="With a time zone, as in 2026-11-20T08:00:00Z.")
    inactive: bool = Field(default=False, description="Inactive products too.")


class _Fields(BaseModel):
    model_config = ConfigDict(extra="forbid")

    category: str | None = Field(default=None, max_length=500, description="Path of a category that there is.")
    sku: str | None = Field(default=None, max_length=100)
    description: str | None = Field(default=None, max_length=4000)
    purchase_description: str | None = Field(default=None, max_length=1000)
    price: Number | None = None
    cost: Number | None = None
    taxable: bool | None = None
    income_account: Account | None = None
    expense_account: Account | None = None
    asset_account: Account | None = None
    reorder_point: Number | None = None


class NewProduct(_Fields):
    """What is left out is empty; accounts that QuickBooks needs are then as found, `taxable` as the company has it."""

    name: Name
    type: Type = "service"
    send: bool = Field(default=True, description="To QuickBooks at once, else with the first document that needs it.")


class ProductChange(_Fields):
    """Only what is named changes; null empties a number or a text. `active` alone takes it out of use or back."""

    lock: int = Field(ge=1, le=2**31 - 1)
    name: Name | None = None
    type: Type | None = None
    active: bool | None = None
