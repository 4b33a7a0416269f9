"""What the API takes and gives about bills. What holds of all is in `schemas`."""

from __future__ import annotations

from datetime import date as Day
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from crm.blueprints.api.invoice_schemas import Signed
from crm.blueprints.api.payment_schemas import Id
from crm.blueprints.api.product_schemas import Exact
from crm.blueprints.api.schemas import DocumentDay, PageQuery, Shape

Number = Annotated[str, Field(max_length=21, description="What stands on the bill.")]
Note = Annotated[str, Field(max_length=4000, description="For ourselves.")]


class BillLine(Shape):
    id: str = Field(description="Of the line in QuickBooks; empty before it has one.")
    kind: str = Field(description="`account` or `item`; QuickBooks' own word for others.")
    account: str = Field(description="Id of the account in QuickBooks.")
    account_name: str
    product_id: int | None
    product: str
    description: str
    quantity: Exact | None
    unit_price: Exact | None
    amount: Exact | None
    contact_id: int | None = Field(description="Whom the cost is for.")
    customer: str
    billable: bool


class BillPayment(Shape):
    """As QuickBooks tells of it."""

    payment_id: str
    date: Day | None
    amount: Exact


class BillLink(Shape):
    """The bill in QuickBooks, as last read."""

    connection_id: int
    bill_id: str
    sync_version: str
    state: str = Field(description="`linked` or `gone`.")


class Bill(Shape):
    id: int
    vendor_id: int | None
    vendor: str
    number: str
    state: str = Field(description="`open`, `partly_paid`, `overdue`, `paid` or `void`, by balance and due date.")
    date: Day | None
    due_date: Day | None
    currency: str
    total: Exact
    balance: Exact | None
    private_note: str
    lines: list[BillLine]
    payments: list[BillPayment]
    created_at: datetime
    updated_at: datetime
    lock: int = Field(description="Send it with a change: one that was made meanwhile is then never overwritten.")
    quickbooks: BillLink | None


class BillPage(Shape):
    data: list[Bill]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


class BillQuery(PageQuery):
    q: str = Field(default="", max_length=200, description="Number, note, descriptions of its lines, vendor.")
    state: Literal["", "open", "overdue", "soon", "paid", "void", "waiting"] = Field(
        default="", description="`soon`: due in seven days; `waiting`: not in QuickBooks."
    )
    vendor_id: Id | None = None
    updated_since: datetime | None = Field(default=None, description="With a time zone, as in 2026-11-20T08:00:00Z.")


class NewBillLine(BaseModel):
    """Booked to an account or a product; with neither, to what its vendor's bills usually are."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(default="", max_length=40, description="Of a line that is there: it stays that line.")
    account: str = Field(default="", max_length=40, description="Id of the account in QuickBooks.")
    product: str = Field(default="", max_length=100, description="Name or SKU of a product.")
    description: str = Field(default="", max_length=4000)
    quantity: Signed | None = None
    unit_price: Signed | None = None
    amount: Signed | None = Field(default=None, description="Left out: quantity times price, of a product.")
    customer: str = Field(default="", max_length=500, description="Name of the customer the cost is for.")
    billable: bool = False


class NewBill(BaseModel):
    """It goes to QuickBooks at once, where a company is connected."""

    model_config = ConfigDict(extra="forbid")

    vendor_id: Id
    number: Number = ""
    date: DocumentDay
    due_date: DocumentDay | None = None
    private_note: Note = ""
    lines: list[NewBillLine] = Field(min_length=1, max_length=200)


class BillChange(BaseModel):
    """Only what is named changes. `lines` are all of them; one left out is taken away."""

    model_config = ConfigDict(extra="forbid")

    lock: int = Field(ge=1, le=2**31 - 1)
    vendor_id: Id | None = None
    number: Number | None = None
    date: DocumentDay | None = None
    due_date: DocumentDay | None = Field(default=None, description="Null: none.")
    private_note: Note | None = None
    lines: list[NewBillLine] | None = Field(default=None, min_length=1, max_length=200)


class DeleteBill(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lock: int = Field(ge=1, le=2**31 - 1)
