"""What the API takes and gives about quotes. What holds of all is in `schemas`."""

from __future__ import annotations

from datetime import date as Day
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from crm.blueprints.api.product_schemas import Exact
from crm.blueprints.api.schemas import DocumentDay, PageQuery, Shape, Unmatched

State = Literal["draft", "sent", "viewed", "accepted", "declined", "expired", "partly", "invoiced", "cancelled"]
Kind = Literal["item", "text", "section"]
Figure = Annotated[
    Decimal,
    Field(max_digits=18, decimal_places=7, ge=-99_999_999_999, le=99_999_999_999),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]{1,10}(\.[0-9]{1,7})?$"}, mode="validation"),
]
Percent = Annotated[
    Decimal,
    Field(max_digits=8, decimal_places=5, ge=0, le=100),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,2}(\.[0-9]{1,5})?$"}, mode="validation"),
]
Id = Annotated[int, Field(ge=1, le=2**31 - 1)]


class QuoteLine(Shape):
    id: int
    kind: str = Field(description="`item`, `text`, `section`, `group` (a bundle's head) or `other`.")
    product_id: int | None
    name: str
    description: str
    quantity: Exact | None
    unit_price: Exact | None
    amount: Exact | None
    taxable: bool
    optional: bool
    chosen: bool = Field(description="Of an optional line: whether the customer takes it.")


class Quote(Shape):
    id: int
    number: str
    title: str
    state: State = Field(description="What it is today: one the customer has not answered expires after its last day.")
    contact_id: int | None
    unmatched: Unmatched
    date: Day | None
    expires_on: Day | None
    currency: str
    subtotal: Exact
    discount: Exact
    tax: Exact
    total: Exact
    deposit: Exact
    quickbooks_total: Exact | None = Field(description="What QuickBooks made of it; null while it does not know it.")
    customer_memo: str
    owner_id: int | None
    revision: int
    sent_at: datetime | None
    decided_at: datetime | None
    accepted_by: str
    declined_why: str
    created_at: datetime
    updated_at: datetime
    lock: int
    lines: list[QuoteLine]


class QuotePage(Shape):
    data: list[Quote]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


class QuoteQuery(PageQuery):
    state: Literal[
        "", "draft", "sent", "viewed", "accepted", "declined", "expired", "partly", "invoiced", "cancelled"
    ] = ""
    contact_id: Id | None = None
    updated_since: datetime | None = Field(default=None, description="With a time zone, as in 2026-11-20T08:00:00Z.")


class NewLine(BaseModel):
    """Of a product, what is left out is as the product has it."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind = "item"
    product_id: Id | None = None
    description: str | None = Field(default=None, max_length=4000)
    quantity: Figure | None = None
    unit_price: Figure | None = None
    taxable: bool | None = None
    tax_code: str = Field(default="", max_length=40)
    optional: bool = False


class NewQuote(BaseModel):
    """A draft; dates that are left out are as the sales settings say."""

    model_config = ConfigDict(extra="forbid")

    contact_id: Id
    title: str = Field(default="", max_length=200)
    date: DocumentDay | None = None
    expires_on: DocumentDay | None = None
    customer_memo: str = Field(default="", max_length=1000)
    internal_note: str = Field(default="", max_length=10_000)
    discount_percent: Percent | None = None
    lines: list[NewLine] = Field(min_length=1, max_length=200)
