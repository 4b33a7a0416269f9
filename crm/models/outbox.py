"""The outbox: what must leave for the books. Written in the same transaction as the change that caused it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.db import Base, UtcDateTime
from crm.models.connections import Connection


class OutboxEntry(Base):
    """One object that must be written to the books. The row is the truth; workers only lend hands.

    Until it is first sent an entry says only *that* the object must go out: later edits are absorbed, since the body is
    made from the object as it stands then. Making the body freezes it together with its idempotency key (`request_key`,
    `batch_item`); a lost answer repeats exactly these.
    """

    __tablename__ = "outbox_entries"
    __table_args__ = (
        # One entry per object that still absorbs edits, and one that is on its way.
        Index(
            "uq_outbox_entries_waiting", "connection_id", "kind", "local_id", unique=True,
            sqlite_where=text("state IN ('pending', 'parked', 'skipped')"),
            postgresql_where=text("state IN ('pending', 'parked', 'skipped')"),
        ),
        Index(
            "uq_outbox_entries_frozen", "connection_id", "kind", "local_id", unique=True,
            sqlite_where=text("state = 'frozen'"), postgresql_where=text("state = 'frozen'"),
        ),
        Index("ix_outbox_entries_due", "connection_id", "state", "available_at"),
        Index("ix_outbox_entries_object", "kind", "local_id", "id"),
        Index("ix_outbox_entries_settled", "connection_id", "settled_at"),
        Index("ix_outbox_entries_plan_line", "plan_line_id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(30))
    local_id: Mapped[int] = mapped_column()
    """For kind `customer`: contacts.id."""
    operation: Mapped[str] = mapped_column(String(20))
    """`create`, `update`, `deactivate`, `reactivate`, `delete` or `void`."""
    state: Mapped[str] = mapped_column(String(20))
    """`pending` (absorbs edits), `frozen` (body and key are made; sent, or about to be), `parked` (waits for a person),
    `skipped` (a person said: not now), `done`, or `dropped` (nothing was left to send)."""
    fields: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """Shared field -> when a person changed it here (ISO, UTC): what "newest wins" compares, and what was cleared."""
    options: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What a person chose for this entry: `display_name` (a suffixed name to use there), `undo` ..."""
    available_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Not before this moment: retry time and lease in one column."""
    attempts: Mapped[int] = mapped_column(default=0)
    """Raised at each claim; a worker that lost its claim may not settle any more."""
    failures: Mapped[int] = mapped_column(default=0)
    """Failures in a row: what the pause grows with."""
    rounds: Mapped[int] = mapped_column(default=0)
    """How often the other side was found changed since we read it; after three a person looks."""
    generation: Mapped[int] = mapped_column(default=0)
    """Raised with every new frozen body and part of its key, so that no key can replay an older answer."""
    request_key: Mapped[str] = mapped_column(String(50), default="", index=True)
    """The idempotency key of the call the frozen body goes out with; entries of one batch share it."""
    batch_item: Mapped[str] = mapped_column(String(10), default="")
    """Which item of the batch it is."""
    body: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """The frozen body, as the provider made it; amounts as text."""
    changes: Mapped[dict[str, list[str]]] = mapped_column(JSON, default=dict)
    """What the frozen body changes: shared field -> [what stands there, what will], as people read them."""
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """The record as the books held it when the body was frozen (as stored in the mirror); None for a create."""
    remote_id: Mapped[str] = mapped_column(String(40), default="")
    cause: Mapped[str] = mapped_column(String(40), default="")
    """Why it is parked: a key of domain/refusals.REFUSALS; those of one cause are mended together."""
    error: Mapped[str] = mapped_column(Text, default="")
    """A sentence for people."""
    error_code: Mapped[str] = mapped_column(String(40), default="")
    trace_id: Mapped[str] = mapped_column(String(120), default="")
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What was found: the field, the record that holds the name, the provider's own words."""
    actor: Mapped[str] = mapped_column(String(254), default="")
    trigger: Mapped[str] = mapped_column(String(20), default="change")
    """`change` (somebody edited), `plan`, `conflict`, `undo` or `person` (asked for by hand)."""
    plan_line_id: Mapped[int | None] = mapped_column(ForeignKey("plan_lines.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    frozen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    parked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was done or dropped."""

    connection: Mapped[Connection] = relationship()


class OutboxNeed(Base):
    """What an entry waits for: an object that must have its link first (a quote needs its customer)."""

    __tablename__ = "outbox_needs"
    __table_args__ = (
        UniqueConstraint("entry_id", "kind", "local_id"),
        Index("ix_outbox_needs_object", "kind", "local_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("outbox_entries.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(30))
    local_id: Mapped[int] = mapped_column()
