"""Plans: what a run would do before it does it, what was decided about each line, and what came of it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.db import Base, Money, UtcDateTime
from crm.models.connections import Connection


class Plan(Base):
    """One plan. It is made line by line by a worker (resumable), then a person approves all of it, some, or none."""

    __tablename__ = "plans"
    __table_args__ = (Index("ix_plans_connection", "connection_id", "id"), Index("ix_plans_state", "state"))

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(20))
    """`first` (opens the connection for writing), `push` (what differs now), `import` (what an import would change
    here) or `undo`."""
    scope: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What it is about: `contact_ids`, `plan_id` or `entry_id` of an undo; without these everything. Also `agreeing`,
    the open balances of contacts that agree already, `linked`, kind -> how many do, and `opened`: approving it opened
    the connection for writing. Of an import: `run_id`, and `lifetime`, action -> total sales so far of those
    customers."""
    state: Mapped[str] = mapped_column(String(20))
    """`making`, `ready`, `carrying_out`, `done`, `discarded` or `failed`."""
    cursor: Mapped[str] = mapped_column(String(60), default="")
    """Where making or carrying out goes on."""
    available_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    counts: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    """Action -> lines."""
    error: Mapped[str] = mapped_column(Text, default="")
    created_by: Mapped[str] = mapped_column(String(254), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ready_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_by: Mapped[str] = mapped_column(String(254), default="")
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    connection: Mapped[Connection] = relationship()


class PlanLine(Base):
    """What the plan would do with one object; what was done is kept beside it."""

    __tablename__ = "plan_lines"
    __table_args__ = (
        Index("ix_plan_lines_plan", "plan_id", "action", "id"),
        Index("ix_plan_lines_object", "kind", "local_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(30))
    local_id: Mapped[int] = mapped_column()
    remote_id: Mapped[str] = mapped_column(String(40), default="")
    name: Mapped[str] = mapped_column(String(500), default="")
    action: Mapped[str] = mapped_column(String(20))
    """A key of `domain/plans.ACTIONS`."""
    changes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Shared field -> [what stands there, what would], as people read them."""
    reason: Mapped[str] = mapped_column(Text, default="")
    """Why it is done, skipped or refused, in a sentence; of a refusal also the remedy."""
    amount: Mapped[Decimal | None] = mapped_column(Money)
    """The object's open balance, or its total: how much money hangs on it."""
    approved: Mapped[bool | None] = mapped_column()
    """None until somebody decided."""
    fields: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Of an approved update the fields that were chosen; empty means all of them."""
    outcome: Mapped[str] = mapped_column(String(20), default="")
    """Empty, then `waiting`, `done`, `nothing` (both sides agreed by then), `parked`, `left` or `undone`."""
    outcome_text: Mapped[str] = mapped_column(Text, default="")
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """The record there before it was done; None for a create. Of an import's plan `lifetime`, the customer's sales."""
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """The record there afterwards."""

    plan: Mapped[Plan] = relationship()
