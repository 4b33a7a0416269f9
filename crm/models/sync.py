"""What the engine remembers: runs with their checkpoints, the log of what was done, and links between both sides."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.db import Base, UtcDateTime
from crm.domain.runs import LIVE
from crm.models.connections import Connection


class SyncRun(Base):
    """One run of an import. The row is the truth: a worker takes it by lease, and continues at its checkpoint."""

    __tablename__ = "sync_runs"
    __table_args__ = (
        Index("ix_sync_runs_connection", "connection_id", "id"),
        Index("ix_sync_runs_state", "state", "lease_until"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    trigger: Mapped[str] = mapped_column(String(20))
    """`person`, `schedule`, `api` or `command`."""
    requested_by: Mapped[str] = mapped_column(String(254), default="")
    resources: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Kinds asked for, in our words; in the order they are done."""
    state: Mapped[str] = mapped_column(String(20))
    """`queued`, `running`, `waiting` (the connection needs a person, or a retry is due), `cancelling`, `cancelled`,
    `done` or `failed`."""
    step: Mapped[str] = mapped_column(String(40), default="")
    """What is being done now ("customer", "match", "invoice" ...)."""
    cursor: Mapped[str | None] = mapped_column(String(200))
    """Where in the step to go on."""
    progress: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Per step: done, total, started_at."""
    counts: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    """created, linked, enriched, review, unchanged, refused, ... and calls."""
    attempts: Mapped[int] = mapped_column(default=0)
    """Raised at each claim; a worker that lost its lease may not settle any more."""
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    connection: Mapped[Connection] = relationship()

    @property
    def live(self) -> bool:
        return self.state in LIVE


class SyncLogEntry(Base):
    """One line of the sync log: a remote call that failed, a record refused, a link made, a step finished."""

    __tablename__ = "sync_log_entries"
    __table_args__ = (
        Index("ix_sync_log_entries_connection", "connection_id", "id"),
        Index("ix_sync_log_entries_run", "run_id", "id"),
        Index("ix_sync_log_entries_at", "at"),
        # Few lines have each of these: an index of those alone finds them among millions and costs the others nothing.
        Index(
            "ix_sync_log_entries_trouble", "level", "id",
            sqlite_where=text("level <> 'info'"), postgresql_where=text("level <> 'info'"),
        ),
        Index(
            "ix_sync_log_entries_contact", "contact_id", "id",
            sqlite_where=text("contact_id IS NOT NULL"), postgresql_where=text("contact_id IS NOT NULL"),
        ),
        Index(
            "ix_sync_log_entries_remote", "remote_id", "id",
            sqlite_where=text("remote_id <> ''"), postgresql_where=text("remote_id <> ''"),
        ),
        Index(
            "ix_sync_log_entries_trace", "trace_id",
            sqlite_where=text("trace_id <> ''"), postgresql_where=text("trace_id <> ''"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("sync_runs.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    level: Mapped[str] = mapped_column(String(10), default="info")
    """`info`, `warning` or `error`."""
    event: Mapped[str] = mapped_column(String(40))
    """`run_started`, `step_done`, `record_refused`, `call_failed`, `run_done` ..."""
    kind: Mapped[str] = mapped_column(String(30), default="")
    remote_id: Mapped[str] = mapped_column(String(40), default="")
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="SET NULL"))
    message: Mapped[str] = mapped_column(Text)
    error_code: Mapped[str] = mapped_column(String(40), default="")
    trace_id: Mapped[str] = mapped_column(String(120), default="")
    duration_ms: Mapped[int | None] = mapped_column()
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Evidence: the provider's own words; of a call its redacted `request` and `response`."""
    direction: Mapped[str] = mapped_column(String(5), default="")
    """`in`, `out`, or empty."""
    trigger: Mapped[str] = mapped_column(String(20), default="")
    """`person`, `schedule`, `webhook`, `sweep`, `change`, `plan` ...; empty for what a run does (it has its own)."""
    attempt: Mapped[int | None] = mapped_column()
    outcome: Mapped[str] = mapped_column(String(30), default="")
    """`done`, `unchanged`, `echo`, `parked`, `retried`, `refused` ..."""


class SyncSettings(Base):
    """How one kind is kept in step, one row per version; the highest counts. Rows are never changed."""

    __tablename__ = "sync_settings"
    __table_args__ = (UniqueConstraint("connection_id", "kind", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(30))
    """A kind of record, or `*` for the connection as a whole (paused, sweep interval)."""
    version: Mapped[int] = mapped_column()
    direction: Mapped[str] = mapped_column(String(5), default="both")
    """`off`, `in`, `out` or `both`."""
    paused: Mapped[bool] = mapped_column(default=False)
    policies: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """Shared field -> policy (domain/policies.POLICIES), where it differs from the default."""
    custom_fields: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """The books' custom field -> what fills it (`domain/custom_fields.SOURCES`); those typed are left out."""
    interval_minutes: Mapped[int | None] = mapped_column()
    """How often changes are asked for. Of `*`: None is the usual one, `sweeps` holds what counts. Of a kind: None is
    that of `*`."""
    changed_by: Mapped[str] = mapped_column(String(254), default="")
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CallSlot(Base):
    """A call that was made or is about to be: what the throttle of all workers counts without Redis. Pruned after two
    minutes."""

    __tablename__ = "call_slots"
    __table_args__ = (Index("ix_call_slots_window", "connection_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    batch: Mapped[bool] = mapped_column(default=False)


class Link(Base):
    """One object's two ids. Unique both ways within a connection and kind."""

    __tablename__ = "links"
    __table_args__ = (
        UniqueConstraint("connection_id", "kind", "remote_id"),
        UniqueConstraint("connection_id", "kind", "local_id"),
        Index("ix_links_local", "local_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(30))
    local_id: Mapped[int] = mapped_column()
    """For kind `customer`: contacts.id."""
    remote_id: Mapped[str] = mapped_column(String(40))
    version: Mapped[str] = mapped_column(String(40), default="")
    """Opaque write lock of the other side (SyncToken); tells nothing about change."""
    state: Mapped[str] = mapped_column(String(20), default="linked")
    """`linked`, `inactive` (made inactive there), or `gone` (deleted there; the row stays as evidence)."""
    written_hash: Mapped[str] = mapped_column(String(64), default="")
    """Content hash of the record as our last write left it: a change that comes in with it is our own echo."""
    written_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    merged_from: Mapped[str] = mapped_column(String(40), default="")
    """The remote id it had before its customer was merged into another one there."""
    base: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """The shared fields as both sides last agreed on them, in the form they are compared in (`domain/shared_fields`); a
    field that they never agreed on is missing."""
    left: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """Shared field -> when a plan was approved without it (ISO, UTC): it is not sent before somebody edits it again, or
    approves it in another plan."""
    run_id: Mapped[int | None] = mapped_column(ForeignKey("sync_runs.id", ondelete="SET NULL"))
    linked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    linked_by: Mapped[str] = mapped_column(String(254), default="")
    """The rule or the person that made it."""
    synced_at: Mapped[datetime] = mapped_column(UtcDateTime)
