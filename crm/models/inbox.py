"""The inbox: what came in before it is understood. Webhook deliveries as they arrived, and the events they hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedText, UtcDateTime


class Delivery(Base):
    """One webhook post, signature verified, body as it arrived. Events are split from it by a worker."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_state", "state", "available_at"),
        Index("ix_deliveries_received", "received_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(String(30))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(20), default="received")
    """`received` (not split yet), `split`, or `unreadable` (signed, but nothing we can read; kept)."""
    available_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Lease of the worker that splits it."""
    body: Mapped[str | None] = mapped_column(EncryptedText("deliveries.body"))
    """The raw body; None once it was pruned. Encrypted, since it names companies by id."""
    size: Mapped[int] = mapped_column(default=0)
    """Bytes of the body."""
    headers: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """Of those the provider sends about itself; never the signature."""
    form: Mapped[str] = mapped_column(String(20), default="")
    """`cloudevents` or `notifications`; empty until it was read."""
    counts: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    """events, new, repeated, unknown_company, unknown_kind."""
    error: Mapped[str] = mapped_column(Text, default="")
    replayed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class InboxEvent(Base):
    """One hint that an object changed there: read it. Many events about one object cost one read."""

    __tablename__ = "inbox_events"
    __table_args__ = (
        Index("ix_inbox_events_due", "connection_id", "state", "available_at"),
        Index("ix_inbox_events_object", "connection_id", "kind", "remote_id", "id"),
        Index("ix_inbox_events_delivery", "delivery_id", "id"),
        # When something of a kind last came in.
        Index(
            "ix_inbox_events_settled", "connection_id", "kind", "settled_at",
            sqlite_where=text("settled_at IS NOT NULL"), postgresql_where=text("settled_at IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    event_key: Mapped[str] = mapped_column(String(128), unique=True)
    """A digest of what makes it unique, its id there being a part of it: the same event is kept once."""
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id", ondelete="SET NULL"))
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    """None: a company nobody connected here."""
    source: Mapped[str] = mapped_column(String(20))
    """`webhook`, `sweep` or `person` (asked to read it again)."""
    kind: Mapped[str] = mapped_column(String(30), default="")
    """In our words; empty where we have none for it."""
    entity: Mapped[str] = mapped_column(String(60), default="")
    """The provider's word."""
    remote_id: Mapped[str] = mapped_column(String(40))
    verb: Mapped[str] = mapped_column(String(20))
    """`created`, `updated`, `deleted`, `merged`, `void`, `emailed`; the provider's own word where we have none."""
    other_remote_id: Mapped[str] = mapped_column(String(40), default="")
    """Of a merge: the one that went into `remote_id`."""
    occurred_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(20), default="pending")
    """`pending`, `done`, `ignored` (unknown company or kind, or a kind that is switched off) or `failed`."""
    available_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Not before this moment: retry time and lease in one column."""
    attempts: Mapped[int] = mapped_column(default=0)
    missed: Mapped[int] = mapped_column(default=0)
    """How often a read did not find it: gone is what two reads, some time apart, did not find."""
    outcome: Mapped[str] = mapped_column(String(30), default="")
    """`changed`, `unchanged`, `echo` (our own write coming back), `gone`, `kept`, `merged`, `refused` ..."""
    message: Mapped[str] = mapped_column(Text, default="")
    """What it caused, in a sentence."""
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Sweep(Base):
    """Where the change sweep of one connection stands; the row is claimed by its `available_at`."""

    __tablename__ = "sweeps"

    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True)
    cursor: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Everything up to here was swept; the next one begins a little earlier. None: never, a full read comes first."""
    available_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When the next one is due; while one is under way, until when it is held."""
    attempts: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    interval_minutes: Mapped[int] = mapped_column(default=15)
    swept_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the last one that succeeded began."""
    lists_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the kinds that no change feed tells of were last read."""
    counts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Of the last one: calls, changes, changed, unchanged, echo, gone; `missed` = changes no webhook had told of. And
    `turns`, where kinds have intervals of their own (`services/sync/sweep/turns`)."""
    error: Mapped[str] = mapped_column(Text, default="")
    webhook_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the last webhook of this company arrived."""
    silent_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Since when sweeps find changes that webhooks should have told of and did not."""
