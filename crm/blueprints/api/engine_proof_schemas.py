"""What the API takes and gives about proofs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from crm.blueprints.api.schemas import PageQuery, Shape
from crm.domain.log_filters import LARGEST_ID
from crm.domain.proof import STATES

STATE = f"^({'|'.join(STATES)})$"


def _exact(value: Decimal) -> str:
    """Cents, and what a proof compares beyond them."""
    return f"{value:.2f}" if value == round(value, 2) else f"{value:.4f}"


Exact = Annotated[
    Decimal,
    PlainSerializer(_exact, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+\.\d{2}(\d{2})?$", "examples": ["1234.50"]}),
]


class ProofRow(Shape):
    id: int
    connection_id: int
    state: str = Field(pattern=STATE)
    trigger: str
    requested_by: str
    differences: int
    currency: str
    error: str
    created_at: datetime
    as_of: datetime | None = Field(description="When QuickBooks was asked.")
    paused_since: datetime | None = Field(
        description="The sync was paused while it was made: our figures are those of this moment."
    )
    finished_at: datetime | None


class ProofPage(Shape):
    data: list[ProofRow]
    next_cursor: str | None


class ProofQuery(PageQuery):
    state: str = Field(default="", pattern=f"^({'|'.join(('', *STATES))})$")
    connection_id: int | None = Field(default=None, ge=0, le=LARGEST_ID)


class ProofFigure(Shape):
    name: str = Field(description="As in `count:invoice`, `balance`, `aging:1-30`, `total:payment`.")
    title: str
    unit: Literal["count", "money"]
    currency: str = Field(description="Empty for a count.")
    ours: str = Field(description="A whole number, or an amount.")
    theirs: str
    difference: str
    equal: bool


class ProofDetail(ProofRow):
    step: str = Field(description="Where it is while it is under way, in words.")
    figures: list[ProofFigure]


class ProofLine(Shape):
    id: int
    kind: str = Field(description="`customer`, `aging` (a customer's aged receivables), the kind of a document, or "
                      "`own_` and a kind: what Tradebook shows against what it read.")
    remote_id: str
    contact_id: int | None
    name: str
    figure: str
    ours: Exact | None
    theirs: Exact | None
    difference: Exact | None
    cause: str
    remedy: str = Field(description="`read_again`, `set_right`, `outbox`, `open_conflict`, `import`, `settings`, or "
                        "empty; "
                        "`waits` and `decide` are edits made here that QuickBooks does not have yet: no differences.")
    mended_at: datetime | None = Field(description="When somebody asked for it to be read again.")


class ProofLinePage(Shape):
    data: list[ProofLine]
    next_cursor: str | None


class ProofLineQuery(PageQuery):
    kind: str = Field(default="", max_length=30)


class ProofRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    thorough: bool = Field(default=False, description="Compare every document even where all sums agree.")
