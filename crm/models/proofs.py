"""Proofs: CRM and books held against each other, to the cent, with date and figures."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.db import Base, Money, UtcDateTime
from crm.models.connections import Connection


class Proof(Base):
    """One comparison of ours with the books' own figures. Kept; a later one never changes it."""

    __tablename__ = "proofs"
    __table_args__ = (Index("ix_proofs_connection", "connection_id", "id"), Index("ix_proofs_state", "state"))

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    trigger: Mapped[str] = mapped_column(String(20))
    """`person`, `schedule` or `api`."""
    requested_by: Mapped[str] = mapped_column(String(254), default="")
    state: Mapped[str] = mapped_column(String(20))
    """`queued`, `running`, `equal`, `different` or `failed`."""
    step: Mapped[str] = mapped_column(String(30), default="")
    cursor: Mapped[str] = mapped_column(String(200), default="")
    available_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    figures: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """Per line of the proof: name, unit (`count` or `money`), ours and theirs (text), equal."""
    progress: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What was added up so far (amounts as text): done, total, calls, and per step its own sums."""
    currency: Mapped[str] = mapped_column(String(3), default="")
    error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    as_of: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the books were asked."""
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    connection: Mapped[Connection] = relationship()


class ProofLine(Base):
    """One difference, with its cause and what mends it."""

    __tablename__ = "proof_lines"
    __table_args__ = (Index("ix_proof_lines_proof", "proof_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    proof_id: Mapped[int] = mapped_column(ForeignKey("proofs.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(30))
    """`customer`, `invoice`, `payment`, `credit_memo`, or `aging` (a customer's row of the aged receivables)."""
    remote_id: Mapped[str] = mapped_column(String(40))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(String(500), default="")
    figure: Mapped[str] = mapped_column(String(40))
    """What differs: `balance`, `total`, `missing_here`, `missing_there`, `overdue` ..."""
    ours: Mapped[Decimal | None] = mapped_column(Money)
    theirs: Mapped[Decimal | None] = mapped_column(Money)
    cause: Mapped[str] = mapped_column(Text, default="")
    remedy: Mapped[str] = mapped_column(String(30), default="")
    """What the button does: `read_again`, `import`, `open_conflict`, `outbox`, `settings`; empty where there is only
    advice."""
    mended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
