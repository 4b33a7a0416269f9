"""The local mirror of the books: what pages are drawn from, at no remote call.

Rows are written only by the import; they hold what the books said when last read (`seen_at`), nothing a
person typed here. Balances are the books' own figures; what we compute from documents stands in
`MoneyFacts`, each with the moment it was computed.
"""

from __future__ import annotations

from datetime import date as Day
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Date, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.db import Base, Money, UtcDateTime
from crm.models.contacts import Contact


class Customer(Base):
    """A customer, sub-customer or project as the books hold it."""

    __tablename__ = "customers"
    __table_args__ = (
        UniqueConstraint("connection_id", "remote_id"),
        Index("ix_customers_contact", "contact_id"),
        Index("ix_customers_match_state", "connection_id", "match_state", "id"),
        Index("ix_customers_waiting", "match_state", "balance_with_jobs"),
        Index("ix_customers_parent", "connection_id", "parent_remote_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    remote_id: Mapped[str] = mapped_column(String(40))
    version: Mapped[str] = mapped_column(String(40), default="")
    parent_remote_id: Mapped[str | None] = mapped_column(String(40))
    root_remote_id: Mapped[str] = mapped_column(String(40), default="", index=True)
    """The top of its tree (itself, when it has no parent)."""
    display_name: Mapped[str] = mapped_column(String(500))
    full_path: Mapped[str] = mapped_column(Text, default="")
    active: Mapped[bool] = mapped_column(default=True)
    is_project: Mapped[bool] = mapped_column(default=False)
    customer_type: Mapped[str] = mapped_column(String(120), default="")
    terms: Mapped[str] = mapped_column(String(120), default="")
    tax_status: Mapped[str] = mapped_column(String(120), default="")
    """In words: "Taxable", "Exempt (resale)" ..."""
    currency: Mapped[str] = mapped_column(String(3), default="")
    balance: Mapped[Decimal | None] = mapped_column(Money)
    balance_with_jobs: Mapped[Decimal | None] = mapped_column(Money)
    record: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """The whole mapped record (see domain/records.py) as JSON, amounts as text."""
    content_hash: Mapped[str] = mapped_column(String(64), default="")
    """Of the fields we map: tells a real change from a moved time stamp (the version does not)."""
    remote_updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_run_id: Mapped[int | None] = mapped_column(ForeignKey("sync_runs.id", ondelete="SET NULL"))
    gone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was found deleted in the books (or merged into another one there); the row and its link stay."""
    match_state: Mapped[str] = mapped_column(String(20), default="new")
    """`new` (not looked at yet), `planned` (held by the plan of an import), `linked`, `review`, `job` (belongs to its
    parent's contact) or `ignored`."""
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="SET NULL"))
    """The contact it is shown at: the linked one, for jobs the one of the root."""

    contact: Mapped[Contact | None] = relationship()


class ListEntry(Base):
    """A term, customer type, payment method, account, tax code or tax rate: names other rows point to; or an employee,
    of whom the name alone is kept."""

    __tablename__ = "list_entries"
    __table_args__ = (UniqueConstraint("connection_id", "kind", "remote_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(30))
    remote_id: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Document(Base):
    """An estimate, invoice or credit memo as the books hold it."""

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("connection_id", "kind", "remote_id"),
        Index("ix_documents_contact", "contact_id", "kind", "date"),
        Index("ix_documents_customer", "connection_id", "customer_remote_id", "kind"),
        Index("ix_documents_date", "kind", "gone_at", "date", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    """`estimate`, `invoice` or `credit_memo`."""
    remote_id: Mapped[str] = mapped_column(String(40))
    version: Mapped[str] = mapped_column(String(40), default="")
    customer_remote_id: Mapped[str] = mapped_column(String(40))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="SET NULL"))
    number: Mapped[str] = mapped_column(String(40), default="")
    date: Mapped[Day | None] = mapped_column(Date)
    due_date: Mapped[Day | None] = mapped_column(Date)
    status: Mapped[str] = mapped_column(String(20), default="")
    """Estimates: the books' own word. Invoices: empty; paid, overdue ... are computed, never stored."""
    void: Mapped[bool] = mapped_column(default=False)
    currency: Mapped[str] = mapped_column(String(3), default="")
    total: Mapped[Decimal] = mapped_column(Money)
    tax: Mapped[Decimal | None] = mapped_column(Money)
    balance: Mapped[Decimal | None] = mapped_column(Money)
    record: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    content_hash: Mapped[str] = mapped_column(String(64), default="")
    remote_updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_run_id: Mapped[int | None] = mapped_column(ForeignKey("sync_runs.id", ondelete="SET NULL"))
    gone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was found deleted in the books: kept, but in no figure and no list."""


class Payment(Base):
    """Money received, as the books hold it."""

    __tablename__ = "payments"
    __table_args__ = (
        UniqueConstraint("connection_id", "remote_id"),
        Index("ix_payments_contact", "contact_id", "date"),
        Index("ix_payments_customer", "connection_id", "customer_remote_id"),
        Index("ix_payments_date", "gone_at", "void", "date", "currency", "total", "id"),
        # Of the few that are not wholly applied; `queries/payments.LEFT` says it in the same words.
        Index("ix_payments_unapplied", "currency", "unapplied", sqlite_where=text("unapplied > 0"),
              postgresql_where=text("unapplied > 0")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    remote_id: Mapped[str] = mapped_column(String(40))
    version: Mapped[str] = mapped_column(String(40), default="")
    customer_remote_id: Mapped[str] = mapped_column(String(40))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="SET NULL"))
    date: Mapped[Day | None] = mapped_column(Date)
    method: Mapped[str] = mapped_column(String(60), default="")
    reference: Mapped[str] = mapped_column(String(60), default="")
    void: Mapped[bool] = mapped_column(default=False)
    currency: Mapped[str] = mapped_column(String(3), default="")
    total: Mapped[Decimal] = mapped_column(Money)
    unapplied: Mapped[Decimal] = mapped_column(Money)
    record: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    content_hash: Mapped[str] = mapped_column(String(64), default="")
    remote_updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_run_id: Mapped[int | None] = mapped_column(ForeignKey("sync_runs.id", ondelete="SET NULL"))
    gone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was found deleted in the books: kept, but in no figure and no list."""


class PaymentApplication(Base):
    """How much of a payment went to which document."""

    __tablename__ = "payment_applications"
    __table_args__ = (
        UniqueConstraint("connection_id", "payment_remote_id", "document_kind", "document_remote_id"),
        Index("ix_payment_applications_document", "connection_id", "document_kind", "document_remote_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    payment_remote_id: Mapped[str] = mapped_column(String(40))
    document_kind: Mapped[str] = mapped_column(String(30))
    document_remote_id: Mapped[str] = mapped_column(String(40))
    amount: Mapped[Decimal] = mapped_column(Money)


class MoneyFacts(Base):
    """What the books say of one contact's money, in the connection's currency, as of a moment.

    `balance` and `balance_with_jobs` are the books' own figures; the rest is computed from imported documents.
    """

    __tablename__ = "money_facts"
    __table_args__ = (
        Index("ix_money_facts_balance", "balance_with_jobs", "contact_id"),
        Index("ix_money_facts_overdue", "overdue", "contact_id"),
        Index("ix_money_facts_total_sales", "total_sales", "contact_id"),
    )

    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), index=True)
    currency: Mapped[str] = mapped_column(String(3), default="")
    balance: Mapped[Decimal | None] = mapped_column(Money)
    balance_with_jobs: Mapped[Decimal | None] = mapped_column(Money)
    balance_as_of: Mapped[datetime | None] = mapped_column(UtcDateTime)
    total_sales: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    """Invoices less credit memos, without voids, tax included, over all time."""
    invoices: Mapped[int] = mapped_column(default=0)
    open_invoices: Mapped[int] = mapped_column(default=0)
    unapplied_credit: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    last_invoice_on: Mapped[Day | None] = mapped_column(Date)
    last_payment_on: Mapped[Day | None] = mapped_column(Date)
    last_payment: Mapped[Decimal | None] = mapped_column(Money)
    days_to_pay: Mapped[Decimal | None] = mapped_column(Money)  # exact decimal, not an amount
    """Average days from invoice to the payment that settled it, weighted by amount; None without a paid invoice."""
    aging_current: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    aging_1_30: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    aging_31_60: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    aging_61_90: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    aging_over_90: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    overdue: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    documents_as_of: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The oldest of the last complete reads of invoices, payments and credit memos; None: what is computed from them
    says nothing yet."""


class IdentityKey(Base):
    """A blocking key of a contact or customer ("p:+15550102233"): finds candidates without comparing all."""

    __tablename__ = "identity_keys"
    __table_args__ = (Index("ix_identity_keys_key", "key", "owner_kind", "owner_id"),)

    owner_kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    """`contact` or `customer` (customers.id)."""
    owner_id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(80), primary_key=True)


class Match(Base):
    """One decision about a customer and a contact, with its evidence. Rejected ones are never proposed again."""

    __tablename__ = "matches"
    __table_args__ = (
        UniqueConstraint("customer_id", "contact_id"),
        Index("ix_matches_contact", "contact_id"),
        Index("ix_matches_state", "connection_id", "state", "score"),
        # Of these alone, so that it leads nobody astray who asks for the proposals of a customer.
        Index("ix_matches_rejected", "decided_at", "id", sqlite_where=text("state = 'rejected'"),
              postgresql_where=text("state = 'rejected'")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(20))
    """`linked` (this is the one), `proposed` (waits for a person), `rejected` (a person said: never the same)."""
    rank: Mapped[int] = mapped_column(default=0)
    """0 is the best candidate, 1 the runner-up ..."""
    score: Mapped[int] = mapped_column(default=0)
    rule: Mapped[str] = mapped_column(String(60), default="")
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{reason, text, points}], best first."""
    decided_by: Mapped[str] = mapped_column(String(254), default="")
    """The rule's name in words, or a person."""
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("sync_runs.id", ondelete="SET NULL"))

    customer: Mapped[Customer] = relationship()
    contact: Mapped[Contact] = relationship()
