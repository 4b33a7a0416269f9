"""What is worked out about the future from the past: when invoices will be paid, what quotes will bring, what a
customer is worth. Every row says as of which day and from how much history."""

from __future__ import annotations

from datetime import date as Day
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Date, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, Exact, Money, UtcDateTime


class PaymentExpectation(Base):
    """When an open invoice will probably be paid."""

    __tablename__ = "payment_expectations"
    __table_args__ = (Index("ix_payment_expectations_day", "expected_on"),)

    document_id: Mapped[int] = mapped_column(ForeignKey("sales_documents.id", ondelete="CASCADE"), primary_key=True)
    expected_on: Mapped[Day | None] = mapped_column(Date)
    """None: too few were ever paid as late as this."""
    earliest_on: Mapped[Day | None] = mapped_column(Date)
    latest_on: Mapped[Day | None] = mapped_column(Date)
    """Four of five such invoices were paid between the two; None: that many never were within what was seen."""
    basis: Mapped[str] = mapped_column(String(12))
    """A basis of `domain/payment_dates`: `own` (this customer's history), `company` (everybody's), `due` (too little
    history: the due date), `none`."""
    sample: Mapped[int] = mapped_column(default=0)
    as_of: Mapped[Day] = mapped_column(Date)


class CustomerValue(Base):
    """What a contact is worth to us, amounts in the company's home currency."""

    __tablename__ = "customer_values"
    __table_args__ = (Index("ix_customer_values_expected", "expected", "contact_id"),)

    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True)
    sales: Mapped[Decimal] = mapped_column(Money)
    """Invoiced so far, less credits, without tax."""
    margin: Mapped[Decimal | None] = mapped_column(Money)
    """Of those sales whose cost is known; None where none is."""
    years: Mapped[Decimal] = mapped_column(Exact)
    """From the first invoice to `as_of`."""
    simple: Mapped[Decimal | None] = mapped_column(Money)
    """By the simple formula (`domain/customer_value`); None where history is too thin."""
    expected: Mapped[Decimal | None] = mapped_column(Money)
    """Sales expected within twelve months by the probabilistic model; None where history is too thin."""
    chance: Mapped[Decimal | None] = mapped_column(Exact)
    """That there is any sale within twelve months, from 0 to 1."""
    sample: Mapped[int] = mapped_column(default=0)
    as_of: Mapped[Day] = mapped_column(Date)


class Forecast(Base):
    """One making of a forecast: what was learned, and how it did on the past. The newest of a kind counts."""

    __tablename__ = "forecasts"
    __table_args__ = (Index("ix_forecasts_kind", "kind", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    """`payments`, `quotes` or `value`."""
    as_of: Mapped[Day] = mapped_column(Date)
    learned: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Rates and tables the figures are made with, numbers as text."""
    backtest: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """How it would have done on days gone by, beside the simple way, numbers as text."""
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    took_ms: Mapped[int | None] = mapped_column()


class InsightResult(Base):
    """A sum over many documents worked out beforehand, for one span of days (`services/insight_results`)."""

    __tablename__ = "insight_results"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    """What was asked: `products`, `customers`, `newness`, `state`, `city`, `postal` or `segments`."""
    span: Mapped[str] = mapped_column(String(24), primary_key=True)
    """First and last day as "2025-11-22..2026-11-21"; a missing one is empty. Empty: of no days."""
    rows: Mapped[list[Any]] = mapped_column(JSON, default=list)
    """Amounts as text."""
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    took_ms: Mapped[int | None] = mapped_column()
