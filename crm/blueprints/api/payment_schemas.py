"""What the API takes and gives about payments. What holds of all is in `schemas`."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from crm.blueprints.api.product_schemas import Exact
from crm.blueprints.api.schemas import DocumentDay, PageQuery, Shape, Unmatched

Money = Annotated[
    Decimal,
    Field(ge=0, max_digits=15, decimal_places=4, le=99_999_999_999),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,11}(\.[0-9]{1,4})?$"}, mode="validation"),
]
Remote = Annotated[str, Field(max_length=40, pattern=r"^[A-Za-z0-9]*$")]
Id = Annotated[int, Field(ge=1, le=2**31 - 1)]


class PaymentPart(Shape):
    """A document it is applied to, or a credit it uses."""

    kind: str = Field(description="`invoice`, `credit_memo`; the books' own word for others.")
    invoice_id: int | None = Field(description="Of an invoice: its id here.")
    number: str
    amount: Exact


class Payment(Shape):
    """Money received. Those of QuickBooks have `payment_id`, those recorded here `receipt_id`; some have both."""

    payment_id: int | None = Field(description="Null while QuickBooks does not hold it.")
    receipt_id: int | None = Field(description="Null for one that was made in QuickBooks.")
    quickbooks_id: str | None
    contact_id: int | None
    unmatched: Unmatched
    date: date | None
    amount: Exact
    unapplied: Exact = Field(description="What no document has used yet: the customer's credit.")
    currency: str
    method: str
    reference: str
    deposit_account: str
    note: str
    void: bool
    deposited: bool = Field(description="Part of a deposit at the bank, and frozen with it.")
    applied: list[PaymentPart]
    recorded_by: str
    recorded_at: datetime | None
    lock: int | None = Field(description="Of one recorded here: send it to void it.")


class PaymentRow(Shape):
    payment_id: int | None
    receipt_id: int | None
    contact_id: int | None
    contact: str | None
    unmatched: Unmatched
    date: date | None
    amount: Exact
    unapplied: Exact
    currency: str
    method: str
    reference: str
    void: bool
    in_quickbooks: bool


class PaymentPage(Shape):
    """Newest first."""

    data: list[PaymentRow]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


class PaymentQuery(PageQuery):
    q: str = Field(default="", max_length=200, description="Customer, reference, or the exact amount.")
    contact_id: Id | None = None
    since: date | None = None
    until: date | None = Field(default=None, description="Both days included.")
    unapplied: bool = Field(default=False, description="Only those that are not wholly applied.")


class Applied(BaseModel):
    model_config = ConfigDict(extra="forbid")

    invoice_id: Id
    amount: Money


class NewPayment(BaseModel):
    """What is not applied stays the customer's credit. Never more is applied than there is on either side."""

    model_config = ConfigDict(extra="forbid")

    contact_id: Id
    amount: Money = Field(description="New money; 0 only to use credit memos.")
    date: DocumentDay
    customer_id: Remote = Field(default="", description="In QuickBooks: a job of the contact; empty: its own.")
    method: Remote = Field(default="", description="Id of the method in QuickBooks.")
    reference: str = Field(default="", max_length=21)
    deposit_account: Remote | None = Field(
        default=None, description="Id in QuickBooks; null: the one set here; empty: left to it."
    )
    note: str = Field(default="", max_length=4000)
    applied: list[Applied] = Field(default_factory=list, max_length=500)
    credit_memos: list[Remote] = Field(
        default_factory=list, max_length=100, description="Ids in QuickBooks; used up before new money."
    )
    another: bool = Field(default=False, description="It is none of those that look the same (else 409 names them).")
