"""Vendors and their bills: ours and the books' in one row each, since hardly anything is done with them here.

The columns hold what we say, `record` what the books said when last read; a link (kind `vendor` or `bill`) ties both.
"""

from __future__ import annotations

from datetime import date as Day
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Date, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, Money, UtcDateTime


class Vendor(Base):
    __tablename__ = "vendors"
    __table_args__ = (
        UniqueConstraint("connection_id", "remote_id"),
        Index("ix_vendors_list", "active", "sort_name", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    remote_id: Mapped[str | None] = mapped_column(String(40))
    """None until the books have it."""
    display_name: Mapped[str] = mapped_column(String(500))
    sort_name: Mapped[str] = mapped_column(String(500))
    company_name: Mapped[str] = mapped_column(String(500), default="")
    phone: Mapped[str] = mapped_column(String(60), default="")
    email: Mapped[str] = mapped_column(String(254), default="")
    address: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    account_number: Mapped[str] = mapped_column(String(100), default="")
    terms: Mapped[str] = mapped_column(String(40), default="")
    active: Mapped[bool] = mapped_column(default=True)
    balance: Mapped[Decimal | None] = mapped_column(Money)
    """What we owe, as the books say."""
    currency: Mapped[str] = mapped_column(String(3), default="")
    version: Mapped[str] = mapped_column(String(40), default="")
    record: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    content_hash: Mapped[str] = mapped_column(String(64), default="")
    search_text: Mapped[str] = mapped_column(Text, default="")
    remote_updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was changed here since both sides last agreed; None while they do."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_run_id: Mapped[int | None] = mapped_column(ForeignKey("sync_runs.id", ondelete="SET NULL"))
    gone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lock: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": lock}


class Bill(Base):
    """What a vendor asks of us."""

    __tablename__ = "bills"
    __table_args__ = (
        UniqueConstraint("connection_id", "remote_id"),
        # What is owed, summed and counted without the rows.
        Index("ix_bills_open", "gone_at", "void", "balance", "due_date", "currency", "vendor_id"),
        Index("ix_bills_vendor", "vendor_id", "date"),
        Index("ix_bills_due", "gone_at", "due_date", "id"),
        Index("ix_bills_date", "gone_at", "date", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    remote_id: Mapped[str | None] = mapped_column(String(40))
    vendor_id: Mapped[int | None] = mapped_column(ForeignKey("vendors.id", ondelete="SET NULL"))
    vendor_remote_id: Mapped[str] = mapped_column(String(40), default="")
    number: Mapped[str] = mapped_column(String(40), default="")
    date: Mapped[Day | None] = mapped_column(Date)
    due_date: Mapped[Day | None] = mapped_column(Date)
    currency: Mapped[str] = mapped_column(String(3), default="")
    total: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    balance: Mapped[Decimal | None] = mapped_column(Money)
    private_note: Mapped[str] = mapped_column(Text, default="")
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{remote_id, account, item, description, amount, quantity, unit_price, customer, billable}]; amounts as text."""
    payments: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)
    """[{remote_id, date, amount}] as the books tell; amounts as text."""
    void: Mapped[bool] = mapped_column(default=False)
    version: Mapped[str] = mapped_column(String(40), default="")
    record: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    content_hash: Mapped[str] = mapped_column(String(64), default="")
    search_text: Mapped[str] = mapped_column(Text, default="")
    remote_updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_run_id: Mapped[int | None] = mapped_column(ForeignKey("sync_runs.id", ondelete="SET NULL"))
    gone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lock: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": lock}


class BillPayment(Base):
    """What was paid to a vendor, as the books say; shown with the bills it was for (`Bill.payments`)."""

    __tablename__ = "bill_payments"
    __table_args__ = (UniqueConstraint("connection_id", "remote_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    remote_id: Mapped[str] = mapped_column(String(40))
    version: Mapped[str] = mapped_column(String(40), default="")
    vendor_remote_id: Mapped[str] = mapped_column(String(40), default="")
    number: Mapped[str] = mapped_column(String(40), default="")
    date: Mapped[Day | None] = mapped_column(Date)
    total: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    currency: Mapped[str] = mapped_column(String(3), default="")
    void: Mapped[bool] = mapped_column(default=False)
    record: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    content_hash: Mapped[str] = mapped_column(String(64), default="")
    remote_updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_run_id: Mapped[int | None] = mapped_column(ForeignKey("sync_runs.id", ondelete="SET NULL"))
    gone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
