"""Conflicts: fields that were changed on both sides, or that the rules leave to a person."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.db import Base, UtcDateTime
from crm.models.connections import Connection


class Conflict(Base):
    """One field of one linked object on which a person is asked. At most one open per object and field."""

    __tablename__ = "conflicts"
    __table_args__ = (
        Index(
            "uq_conflicts_open", "connection_id", "kind", "local_id", "field", unique=True,
            sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'"),
        ),
        Index("ix_conflicts_state", "connection_id", "state", "opened_at"),
        Index("ix_conflicts_object", "kind", "local_id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(30))
    local_id: Mapped[int] = mapped_column()
    remote_id: Mapped[str] = mapped_column(String(40))
    field: Mapped[str] = mapped_column(String(40))
    """A shared field of the kind (domain/shared_fields.TITLES for customers)."""
    state: Mapped[str] = mapped_column(String(20), default="open")
    """`open`, `resolved`, or `settled` (both sides agree by now, nobody needs to decide)."""
    reason: Mapped[str] = mapped_column(String(30), default="")
    """`both_changed` or `emptied` (emptied there, full here)."""
    base: Mapped[str] = mapped_column(Text, default="")
    ours: Mapped[str] = mapped_column(Text, default="")
    theirs: Mapped[str] = mapped_column(Text, default="")
    """The three values as people read them; ours and theirs are kept up to date while it is open."""
    ours_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    theirs_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    choice: Mapped[str] = mapped_column(String(20), default="")
    """`ours`, `theirs` or `edited`."""
    decided: Mapped[str] = mapped_column(Text, default="")
    """The value that was chosen, as people read it."""
    decided_by: Mapped[str] = mapped_column(String(254), default="")
    """A person, or the rule in plain words."""
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    connection: Mapped[Connection] = relationship()
