"""Connections to companies' books: the grant (encrypted), consents under way, calls counted, notices to admins."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Date, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.db import Base, EncryptedText, UtcDateTime
from crm.models.people import User


class Connection(Base):
    """One linked company. Tokens and the company's id are ciphertext; `realm_fingerprint` finds it again."""

    __tablename__ = "connections"

    id: Mapped[int] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(String(30))
    realm_id: Mapped[str] = mapped_column(EncryptedText("connections.realm_id"))
    realm_fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    company_name: Mapped[str] = mapped_column(String(1024), default="")
    country: Mapped[str] = mapped_column(String(10), default="")
    currency: Mapped[str] = mapped_column(String(3), default="")
    time_zone: Mapped[str] = mapped_column(String(64), default="")
    environment: Mapped[str] = mapped_column(String(20), default="")
    """`sandbox`, `production` or `simulated`."""
    state: Mapped[str] = mapped_column(String(20))
    """`connected`, `needs_reconnect`, `subscription_lapsed`, `permission_lost`, `wrong_keys` or `disconnected`."""
    state_reason: Mapped[str] = mapped_column(Text, default="")
    """A sentence for people: why it is in this state."""
    read_only: Mapped[bool] = mapped_column(default=True)
    """True until a plan was approved: nothing is written to the books."""
    access_token: Mapped[str | None] = mapped_column(EncryptedText("connections.access_token"))
    refresh_token: Mapped[str | None] = mapped_column(EncryptedText("connections.refresh_token"))
    access_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refresh_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    hard_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refreshed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refresh_leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """While in the future, one process is renewing the grant; the others wait."""
    grant_version: Mapped[int] = mapped_column(default=0)
    """Raised whenever new tokens are stored: whoever renews or marks compares it, so that nothing old wins."""
    scopes: Mapped[list[str]] = mapped_column(JSON, default=list)
    warned_days: Mapped[int | None] = mapped_column()
    """The last of 30, 14, 7, 1 days for which admins were told that the grant ends."""
    connected_at: Mapped[datetime] = mapped_column(UtcDateTime)
    connected_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    disconnected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_contact_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Last time the company answered."""
    last_error: Mapped[str] = mapped_column(Text, default="")
    """A sentence, empty once the company answered again."""
    check_asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Set when somebody asks whether the connection works, empty again when a worker has answered."""
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    preferences: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    read_at: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """Kind -> when the last complete read of it began (ISO, UTC): what the mirror is as of."""
    held_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Nobody calls the company before this moment: it said that there were too many calls."""
    customers_there: Mapped[int | None] = mapped_column()
    """How many customers the books held when it was connected: what the first import has before it, about."""

    connected_by: Mapped[User | None] = relationship()

    @property
    def live(self) -> bool:
        return self.state == "connected"


class OAuthState(Base):
    """A consent under way: used once, by the browser session that began it, for a short time."""

    __tablename__ = "oauth_states"

    state_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    provider: Mapped[str] = mapped_column(String(30))
    session_hash: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    code_verifier: Mapped[str] = mapped_column(EncryptedText("oauth_states.code_verifier"))
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connections.id"))
    """Set when this is a reconnect of that connection."""
    other_company_allowed: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class CallCount(Base):
    """Remote calls of one day by class; what the month's budget is made of."""

    __tablename__ = "call_counts"
    __table_args__ = (UniqueConstraint("connection_id", "day", "category"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    day: Mapped[date] = mapped_column(Date)
    category: Mapped[str] = mapped_column(String(20))
    """`metered` (reads that QuickBooks counts), `unmetered` or `sign_in`."""
    calls: Mapped[int] = mapped_column(default=0)


class Notice(Base):
    """Something admins should know, shown in the app until dismissed or settled."""

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_open", "settled_at", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(String(40))
    """`needs_reconnect`, `grant_ends`, `import_failed` ...; one open notice per topic and connection."""
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    level: Mapped[str] = mapped_column(String(10))
    """`info`, `warning` or `danger`."""
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
