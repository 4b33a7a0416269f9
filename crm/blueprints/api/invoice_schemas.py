"""What the API takes and gives about invoices. What holds of all is in `schemas`."""

from __future__ import annotations

from datetime import date as Day
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from crm.blueprints.api.product_schemas import Exact
from crm.blueprints.api.schemas import DocumentDay, PageQuery, Shape, Unmatched

Signed = Annotated[
    Decimal,
    Field(max_digits=18, decimal_places=7, ge=-99_999_999_999, le=99_999_999_999),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]{1,11}(\.[0-9]{1,7})?$"}, mode="validation"),
]
State = Literal["", "unpaid", "open", "partly_paid", "overdue", "paid", "draft", "held", "sending", "void"]


class InvoiceLine(Shape):
    id: int
    kind: str = Field(description="`item`, `text`, `section`, `group` (a bundle) or `other`.")
    product_id: int | None
    name: str
    description: str
    quantity: Exact | None
    unit_price: Exact | None
    amount: Exact | None
    taxable: bool
    tax_code: str


class InvoiceLink(Shape):
    """The invoice in QuickBooks, as last read."""

    connection_id: int
    invoice_id: str
    sync_version: str
    state: str = Field(description="`linked` or `gone`.")


class Invoice(Shape):
    id: int
    number: str
    title: str
    contact_id: int | None
    unmatched: Unmatched
    quote_id: int | None
    state: str = Field(description="Worked out by balance, due date and the company's own day, as the list names it; "
                       "`sent` and `viewed` are open ones.")  # fmt: skip
    date: Day | None
    due_date: Day | None
    currency: str
    subtotal: Exact
    discount: Exact
    tax: Exact
    total: Exact
    deposit: Exact
    balance: Exact | None
    expected_total: Exact | None = Field(description="What was figured here where QuickBooks made something else of "
                                         "it and nobody has looked yet; else null.")  # fmt: skip
    customer_memo: str
    email: str
    hold: bool
    promised_on: Day | None
    next_step: str
    source: str
    created_at: datetime
    updated_at: datetime
    lock: int = Field(description="Send it with a change: one that was made meanwhile is then never overwritten.")
    lines: list[InvoiceLine]
    quickbooks: InvoiceLink | None


class InvoicePage(Shape):
    data: list[Invoice]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


class InvoiceQuery(PageQuery):
    state: State = ""
    contact_id: int | None = Field(default=None, ge=1, le=2**31 - 1)
    updated_since: datetime | None = Field(default=None, description="With a time zone, as in 2026-11-20T08:00:00Z.")


class NewLine(BaseModel):
    """A product or a free line; a text is a line of kind `text`."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["item", "text", "section"] = "item"
    product_id: int | None = Field(default=None, ge=1, le=2**31 - 1)
    name: str = Field(default="", max_length=500, description="Empty: that of the product.")
    description: str = Field(default="", max_length=4000)
    quantity: Signed | None = None
    unit_price: Signed | None = Field(default=None, description="Left out: that of the product.")
    taxable: bool | None = Field(default=None, description="Left out: as the product is.")
    tax_code: str = Field(default="", max_length=40)


class NewInvoice(BaseModel):
    model_config = ConfigDict(extra="forbid")

    contact_id: int = Field(ge=1, le=2**31 - 1)
    date: DocumentDay | None = Field(default=None, description="Left out: today at the company.")
    due_date: DocumentDay | None = Field(default=None, description="Left out: by the terms.")
    terms: str = Field(default="", max_length=40, description="Id of the terms in QuickBooks.")
    number: str = Field(default="", max_length=21)
    title: str = Field(default="", max_length=200)
    customer_memo: str = Field(default="", max_length=1000)
    email: str = Field(default="", max_length=100)
    lines: list[NewLine] = Field(min_length=1, max_length=500)
    finish: bool = Field(default=False, description="True: to QuickBooks at once; else it stays a draft.")
    hold: bool = Field(default=False, description="With `finish`: finished, and not yet to QuickBooks.")


class VoidInvoice(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lock: int = Field(ge=1, le=2**31 - 1)
