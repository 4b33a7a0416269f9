"""What the API takes and gives, as pydantic models: answers are built through them, and the OpenAPI document from them.

Money is text ("1234.50") in the currency that stands beside it; times are RFC 3339 in UTC; ids of
QuickBooks are text.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from crm.domain.days import FIRST_YEAR, LAST_YEAR

Amount = Annotated[
    Decimal,
    PlainSerializer(lambda value: f"{value:.2f}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+\.\d{2}$", "examples": ["1234.50"]}),
]


DocumentDay = Annotated[
    date,
    Field(ge=date(FIRST_YEAR, 1, 1), le=date(LAST_YEAR, 12, 31)),
    WithJsonSchema({"type": "string", "format": "date", "pattern": r"^(199\d|20\d\d|2100)-\d\d-\d\d$"}),
]
"""A day that somebody writes on a document, of the years that the forms take too."""
RESOURCES = ("customers", "items", "invoices", "payments", "credit_memos", "estimates", "sales_receipts",
             "refund_receipts", "vendors", "bills", "bill_payments")  # fmt: skip
Resource = Annotated[str, WithJsonSchema({"type": "string", "enum": [*RESOURCES, *(name[:-1] for name in RESOURCES)]})]
"""Plural or singular; the service says so when it is neither."""


class Shape(BaseModel):
    model_config = ConfigDict(from_attributes=True, extra="forbid")


class Phone(Shape):
    label: str
    value: str = Field(description="As typed.")
    e164: str | None = Field(description="International form; null when the number could not be read.")
    extension: str | None


class Email(Shape):
    label: str
    value: str


class Address(Shape):
    street: str
    city: str
    region: str
    postal_code: str
    country: str


class QuickBooks(Shape):
    """The linked customer in QuickBooks, as last read."""

    connection_id: int
    customer_id: str
    sync_version: str
    name: str
    active: bool
    customer_type: str
    terms: str
    tax_status: str
    linked_at: datetime
    linked_by: str = Field(description="The rule or the person that made the link.")
    as_of: datetime


class Aging(Shape):
    current: Amount
    days_1_30: Amount
    days_31_60: Amount
    days_61_90: Amount
    over_90: Amount


class Money(Shape):
    currency: str
    balance: Amount | None = Field(description="Open balance in QuickBooks, without jobs.")
    balance_with_jobs: Amount | None
    balance_as_of: datetime | None
    overdue: Amount
    total_sales: Amount = Field(description="Invoices less credit memos over all time, tax included.")
    unapplied_credit: Amount
    last_payment_on: date | None
    last_payment: Amount | None
    days_to_pay: str | None = Field(description="Average days from invoice to payment, weighted by amount.")
    aging: Aging
    documents_as_of: datetime | None


class Contact(Shape):
    id: int
    display_name: str
    given_name: str
    family_name: str
    company_name: str
    type: str
    phones: list[Phone]
    emails: list[Email]
    address: Address
    website: str
    owner: str | None = Field(description="The owner's e-mail address.")
    tags: list[str]
    source: str
    link_state: str = Field(description="none, linked, review or inactive.")
    quickbooks: QuickBooks | None
    money: Money | None
    archived: bool
    created_at: datetime
    updated_at: datetime = Field(
        description="Last change of anything shown here, link, link_state and figures of money included; not of the "
        "moments they are as of, nor of the owner's address."
    )
    version: int


class UnmatchedCustomer(Shape):
    """A customer of QuickBooks that no contact here stands for."""

    name: str = Field(description="As QuickBooks calls it.")
    state: Literal["match undecided", "no contact yet"] = Field(
        description="`match undecided`: a person has to say whether it is a contact here; the question waits at the "
        "match desk. `no contact yet`: no import has linked it to a contact or made one of it."
    )
    waits: str = Field(description="Of a `match undecided`: the customer the question is about (of a job, that of its "
                       "root); else empty.")  # fmt: skip


def unmatched_customer(found: Any) -> UnmatchedCustomer | None:
    """Of a `queries.unmatched.Unmatched`; None stays None."""
    return UnmatchedCustomer.model_validate(found) if found is not None else None


Unmatched = Annotated[UnmatchedCustomer | None, Field(
    description="Where `contact_id` is null and QuickBooks knows the customer: who that is, and why it is nobody's "
    "here; else null.",
)]  # fmt: skip


class ContactPage(Shape):
    data: list[Contact]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


class Connection(Shape):
    id: int
    provider: str
    company_name: str
    environment: str
    state: str
    state_reason: str
    read_only: bool
    country: str
    currency: str
    connected_at: datetime
    disconnected_at: datetime | None
    last_contact_at: datetime | None
    grant_ends_at: datetime | None = Field(description="When the company has to be connected again at the latest.")


class ConnectionPage(Shape):
    data: list[Connection]
    next_cursor: str | None


class Run(Shape):
    id: int
    trigger: str
    requested_by: str
    resources: list[str]
    state: str
    step: str
    progress: dict[str, Any]
    counts: dict[str, int]
    error: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Mirrored(Shape):
    resource: str
    count: int
    last_read_at: datetime | None


class SyncStatus(Shape):
    connection_id: int
    state: str
    read_only: bool
    last_contact_at: datetime | None
    current_run: Run | None
    last_run: Run | None
    resources: list[Mirrored]


class LogEntry(Shape):
    id: int
    at: datetime
    level: str
    event: str
    run_id: int | None
    kind: str
    remote_id: str
    contact_id: int | None
    message: str
    error_code: str
    trace_id: str
    duration_ms: int | None


class LogPage(Shape):
    data: list[LogEntry]
    next_cursor: str | None


class SyncRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    resources: list[Resource] = Field(default_factory=list, description="What to read; left out or empty: everything.")
    plan_first: bool = Field(
        default=False, description="Touch no contact: make a plan of what would change, to be approved under plans."
    )


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: dict[str, str] | None = None
    merged_into: int | None = None
    """Of a 410: the contact that stands for the one asked for."""


class PageQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: str | None = Field(default=None, pattern="^c[0-9]{1,18}$", description="`next_cursor` of a page.")
    limit: int = Field(default=50, ge=1, le=200)


class ContactQuery(PageQuery):
    q: str = Field(default="", max_length=200, description="Name, company, phone in any notation, e-mail, address.")
    updated_since: datetime | None = Field(
        default=None,
        description="Contacts whose `updated_at` is this or later: changed themselves, or in their link, link_state or "
        "money. With a time zone, as in 2026-11-20T08:00:00Z.",
    )
    archived: bool = Field(default=False, description="Archived contacts too.")


class LogQuery(PageQuery):
    level: Literal["", "info", "warning", "error"] = ""
