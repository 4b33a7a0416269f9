"""What the API takes and gives about the outbox."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from crm.blueprints.api.schemas import PageQuery, Shape
from crm.domain.log_filters import LARGEST_ID
from crm.domain.outbox_words import STATES

STATE = f"^({'|'.join(STATES)})$"


class OutboxRow(Shape):
    id: int
    connection_id: int
    kind: str
    local_id: int = Field(description="Of our own object of this kind.")
    contact_id: int | None = Field(description="Whose it is; of kind `customer` the contact itself.")
    name: str
    remote_id: str = Field(description="Of the object in QuickBooks; empty while it is not there.")
    operation: str
    state: str = Field(pattern=STATE)
    cause: str = Field(description="Why it is parked: entries of one cause are mended together.")
    error: str
    error_code: str
    trace_id: str = Field(description="By which Intuit's support finds the request.")
    trigger: str
    actor: str
    fields: list[str] = Field(description="Shared fields that are to go out, or went.")
    attempts: int
    available_at: datetime = Field(description="Not tried before.")
    created_at: datetime
    parked_at: datetime | None
    settled_at: datetime | None


class OutboxPage(Shape):
    data: list[OutboxRow]
    next_cursor: str | None


class OutboxQuery(PageQuery):
    state: str = Field(default="", pattern=f"^({'|'.join(('', *STATES))})$")
    kind: str = Field(default="", max_length=30)
    cause: str = Field(default="", max_length=40)
    trigger: str = Field(default="", max_length=20)
    q: str = Field(default="", max_length=200, description="A contact's name, a QuickBooks id, a trace id, a code.")
    since: date | None = Field(default=None, description="A day (UTC), as in 2026-11-21.")
    until: date | None = Field(default=None, description="A day (UTC), it included.")
    connection_id: int | None = Field(default=None, ge=0, le=LARGEST_ID)
    contact_id: int | None = Field(default=None, ge=0, le=LARGEST_ID)


class OutboxDetail(OutboxRow):
    changes: dict[str, list[str]] = Field(description="Shared field to [what stands in QuickBooks, what would].")
    waiting_behind: dict[str, int] = Field(description="Kind to entries that wait for this one.")
    deeds: list[Literal["retry", "skip", "unskip"]] = Field(description="What can be done with it now.")
