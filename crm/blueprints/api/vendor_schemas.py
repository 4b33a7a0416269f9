"""What the API takes and gives about vendors. What holds of all is in `schemas`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from crm.blueprints.api.product_schemas import Exact
from crm.blueprints.api.schemas import PageQuery, Shape

Part = Annotated[str, Field(max_length=255)]


class VendorLink(Shape):
    """The vendor in QuickBooks, as last read."""

    connection_id: int
    vendor_id: str
    sync_version: str
    state: str = Field(description="`linked`, `inactive` there, or `gone`.")
    as_of: datetime | None


class Vendor(Shape):
    id: int
    display_name: str
    company_name: str
    phone: str
    email: str
    account_number: str = Field(description="Ours, with the vendor.")
    terms: str = Field(description="Id of the terms in QuickBooks; empty for none.")
    line1: str
    line2: str
    city: str
    region: str
    postal_code: str
    country: str
    active: bool = Field(description="QuickBooks' word, as soon as it has the vendor.")
    balance: Exact | None = Field(description="What we owe, as QuickBooks says; null before it has said so.")
    currency: str
    created_at: datetime
    updated_at: datetime
    lock: int = Field(description="Send it with a change: one that was made meanwhile is then never overwritten.")
    quickbooks: VendorLink | None


class VendorPage(Shape):
    data: list[Vendor]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")


class VendorQuery(PageQuery):
    q: str = Field(default="", max_length=200, description="Name, company, e-mail, account number, phone.")
    owed: Literal["", "open", "overdue", "none"] = ""
    updated_since: datetime | None = Field(default=None, description="With a time zone, as in 2026-11-20T08:00:00Z.")
    inactive: bool = Field(default=False, description="Inactive vendors too.")


class _Fields(BaseModel):
    model_config = ConfigDict(extra="forbid")

    company_name: str | None = Field(default=None, max_length=100)
    phone: str | None = Field(default=None, max_length=30)
    email: str | None = Field(default=None, max_length=100)
    account_number: str | None = Field(default=None, max_length=100)
    terms: str | None = Field(default=None, max_length=40, description="Id of the terms in QuickBooks.")
    line1: str | None = Field(default=None, max_length=500)
    line2: str | None = Field(default=None, max_length=500)
    city: Part | None = None
    region: Part | None = None
    postal_code: str | None = Field(default=None, max_length=30)
    country: Part | None = None


class NewVendor(_Fields):
    """What is left out is empty. It goes to QuickBooks at once, where a company is connected."""

    display_name: str = Field(min_length=1, max_length=500)


class VendorChange(_Fields):
    """Only what is named changes; null empties a text. `active` alone takes it out of use or back."""

    lock: int = Field(ge=1, le=2**31 - 1)
    display_name: str | None = Field(default=None, min_length=1, max_length=500)
    active: bool | None = None
