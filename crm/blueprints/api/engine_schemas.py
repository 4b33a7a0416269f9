"""What the API takes and gives about the engine: standing, log, plans, conflicts. What holds of all is in `schemas`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from crm.blueprints.api.schemas import Amount, PageQuery, Shape
from crm.domain import health
from crm.domain.directions import DIRECTIONS
from crm.domain.log_filters import LARGEST_ID
from crm.domain.plans import ACTIONS, OUTCOMES, PURPOSES, STATES
from crm.domain.shared_fields import TITLES


def one_of(words: Iterable[str]) -> str:
    """The pattern of a text that is one of these words."""
    return f"^({'|'.join(words)})$"


SharedField = Annotated[str, Field(pattern=one_of(TITLES))]


class Reason(Shape):
    light: str = Field(pattern=one_of(health.ORDER))
    words: str
    sentence: str


class KindStanding(Shape):
    kind: str
    direction: str = Field(pattern=one_of(DIRECTIONS))
    paused: bool
    last_in: datetime | None
    last_out: datetime | None
    incoming: int = Field(description="Changes in QuickBooks that are known but not read yet.")
    waiting: int = Field(description="Changes here that are not in QuickBooks yet.")
    parked: int = Field(description="Changes that wait for a person.")
    skipped: int
    oldest: datetime | None = Field(description="Since when the oldest change of either side is not settled.")


class ProofStanding(Shape):
    id: int
    state: Literal["equal", "different", "failed"]
    finished_at: datetime | None


class CompanyStanding(Shape):
    connection_id: int
    company_name: str
    state: str
    light: str = Field(pattern=one_of(health.ORDER))
    words: str = Field(description="In step, Catching up, Something waits for you, or Stopped.")
    sentence: str
    reasons: list[Reason]
    read_only: bool
    paused: bool
    kinds: list[KindStanding]
    conflicts: int
    plans_ready: int
    last_proof: ProofStanding | None
    swept_at: datetime | None = Field(description="When QuickBooks was last asked for its changes.")
    next_sweep_at: datetime | None
    webhook_at: datetime | None
    webhooks_silent_since: datetime | None
    current_run_id: int | None
    calls_today: int
    calls_this_month: int
    calls_left: int = Field(description="Metered reads left this month, for all companies together.")


class Standings(Shape):
    data: list[CompanyStanding]


class EngineLogEntry(Shape):
    id: int
    connection_id: int
    at: datetime
    level: str
    event: str
    direction: str
    trigger: str
    run_id: int | None
    kind: str
    remote_id: str
    contact_id: int | None
    attempt: int | None
    duration_ms: int | None
    outcome: str
    error_code: str
    trace_id: str
    message: str


class EngineLogPage(Shape):
    data: list[EngineLogEntry]
    next_cursor: str | None


class EngineLogQuery(PageQuery):
    q: str = Field(default="", max_length=200, description="Words, a contact's name, a QuickBooks id, a trace id.")
    level: Literal["", "info", "warning", "error"] = ""
    direction: Literal["", "in", "out"] = ""
    trigger: str = Field(default="", max_length=20)
    kind: str = Field(default="", max_length=30)
    event: str = Field(default="", max_length=40)
    outcome: str = Field(default="", max_length=30)
    error_code: str = Field(default="", max_length=40)
    since: date | None = Field(default=None, description="A day (UTC), as in 2026-11-21.")
    until: date | None = Field(default=None, description="A day (UTC), it included.")
    run_id: int | None = Field(default=None, ge=0, le=LARGEST_ID)
    contact_id: int | None = Field(default=None, ge=0, le=LARGEST_ID)
    connection_id: int | None = Field(default=None, ge=0, le=LARGEST_ID)


class PlanRow(Shape):
    id: int
    connection_id: int
    purpose: str = Field(pattern=one_of(PURPOSES))
    state: str = Field(pattern=one_of(STATES))
    counts: dict[str, int] = Field(description="Action, or `field:` and a shared field, to lines.")
    total: int
    done: int
    error: str
    created_by: str
    created_at: datetime
    ready_at: datetime | None
    approved_by: str
    approved_at: datetime | None
    finished_at: datetime | None


class PlanPage(Shape):
    data: list[PlanRow]
    next_cursor: str | None


class PlanQuery(PageQuery):
    state: str = Field(default="", pattern=one_of(("", *STATES)))


class PlanTotal(Shape):
    action: str
    meaning: str
    lines: int
    amount: Amount | None = Field(description="Open balances of the contacts among them, in the company's currency.")


class PlanDetail(PlanRow):
    currency: str
    totals: list[PlanTotal]
    writes: int = Field(description="Lines that would write something: what `seen` is compared with.")


class PlanLine(Shape):
    id: int
    kind: str
    local_id: int
    remote_id: str
    name: str
    action: str
    changes: dict[str, list[str]] = Field(description="Shared field to [what stands in QuickBooks, what would].")
    reason: str
    amount: Amount | None
    approved: bool | None
    outcome: str
    outcome_text: str


class PlanLinePage(Shape):
    data: list[PlanLine]
    next_cursor: str | None


class PlanLineQuery(PageQuery):
    action: str = Field(default="", pattern=one_of(("", *ACTIONS)))
    outcome: str = Field(default="", pattern=one_of(("", *OUTCOMES)))


class Approval(BaseModel):
    """What of a plan is carried out."""

    model_config = ConfigDict(extra="forbid")

    what: Literal["all", "some", "none"] = Field(description="`some`: the lines of `ids`.")
    ids: list[int] = Field(default_factory=list, max_length=10_000)
    fields: list[SharedField] = Field(default_factory=list, description="Of updates these fields only; empty: all.")
    seen: int | None = Field(
        default=None, ge=0, le=LARGEST_ID, description="How many lines you saw; another number by now is refused."
    )


class Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Conflict(Shape):
    id: int
    connection_id: int
    kind: str
    contact_id: int
    remote_id: str
    field: str
    state: Literal["open", "resolved", "settled"]
    reason: str
    base: str
    ours: str
    theirs: str
    ours_at: datetime | None
    theirs_at: datetime | None
    mark: str = Field(description="Of both values; send it as `seen` when deciding.")
    choice: str
    decided: str
    decided_by: str
    opened_at: datetime
    decided_at: datetime | None


class ConflictPage(Shape):
    data: list[Conflict]
    next_cursor: str | None


class ConflictQuery(PageQuery):
    state: Literal["", "open", "resolved", "settled"] = "open"
    contact_id: int | None = Field(default=None, ge=0, le=LARGEST_ID)


class Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")

    choice: Literal["ours", "theirs", "edited", "always_ours", "always_theirs"] = Field(
        description="`always_`: make it the rule for this field, too."
    )
    value: str | dict[str, str] | None = Field(
        default=None, description="For `edited`: the value; of an address its parts (street, city ...)."
    )
    seen: str = Field(default="", max_length=16, description="The conflict's `mark`: refused when it has changed.")


class Decided(Shape):
    contact_id: int | None = Field(description="Null where it was not about a contact.")
    text: str
