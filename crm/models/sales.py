"""Quotes and invoices as people here work with them, their lines, history, public links, and payments recorded here.

The mirror (`models/books`) holds what the books said; these rows hold what we say. A link (kind `estimate` or
`invoice`, local id = `sales_documents.id`) ties the two and keeps what both last agreed on. Every estimate and invoice
of the books has its row here, so that lists, searches and figures are asked of one table.
"""

from __future__ import annotations

from datetime import date as Day
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Date, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.db import Base, EncryptedText, Exact, Money, UtcDateTime
from crm.models.contacts import Contact
from crm.models.people import User


class SalesDocument(Base):
    """A quote (kind `estimate`) or an invoice. Amounts are in `currency`; they are computed by `domain/sales` only."""

    __tablename__ = "sales_documents"
    __table_args__ = (
        Index("ix_sales_documents_date", "kind", "gone_at", "date", "id"),
        Index("ix_sales_documents_state", "kind", "state", "date", "id"),
        Index("ix_sales_documents_contact", "contact_id", "kind", "gone_at", "date", "id"),
        Index("ix_sales_documents_due", "kind", "gone_at", "due_date", "id"),
        Index("ix_sales_documents_total", "kind", "gone_at", "total", "id"),
        Index("ix_sales_documents_balance", "kind", "gone_at", "balance", "id"),
        Index("ix_sales_documents_number", "kind", "gone_at", "number", "id"),
        # Whether an invoice of a quote stands, and what it comes to: by `quote_id` alone both databases would rather go
        # through all invoices by another index.
        Index("ix_sales_documents_quote", "quote_id", "kind", "gone_at", "state", "total"),
        # All that what is owed is counted, summed and narrowed by, so that figures are found without the rows.
        Index(
            "ix_sales_documents_open", "kind", "gone_at", "state", "hold", "balance", "due_date", "date", "contact_id",
            "currency", "total", "books_total", "number", "promised_on", "id",
        ),
        # The same for quotes.
        Index(
            "ix_sales_documents_figures", "kind", "template", "gone_at", "state", "expires_on", "currency", "total",
            "books_total", "sent_at", "date", "id",
        ),
        # What was invoiced over time: days, currencies, sums and customers without the rows.
        Index(
            "ix_sales_documents_issued", "kind", "gone_at", "state", "hold", "date", "currency", "total", "contact_id",
            "id",
        ),
        # What each customer bought or was quoted, in the order of customers and without the rows: rules of segments.
        Index(
            "ix_sales_documents_contacts", "kind", "gone_at", "state", "contact_id", "date", "currency", "books_total",
            "total", "template", "expires_on", "sent_at", "hold", "id",
        ),
        Index(
            "ix_sales_documents_differing", "kind", "id", sqlite_where=text("expected_total IS NOT NULL"),
            postgresql_where=text("expected_total IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    """`estimate` (people say quote) or `invoice`."""
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connections.id", ondelete="SET NULL"))
    """The company it is kept in step with; None before any is connected."""
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="SET NULL"))
    """None only for documents of the books whose customer has no contact here."""
    customer_remote_id: Mapped[str] = mapped_column(String(40), default="")
    """The books' customer, where it came from there; it may be a job of the contact's customer."""
    number: Mapped[str] = mapped_column(String(40), default="")
    title: Mapped[str] = mapped_column(String(200), default="")
    """What it is about, as colleagues call it; of a template its name."""
    state: Mapped[str] = mapped_column(String(20), default="draft")
    """Quotes: a state of `domain/quotes`. Invoices: `draft`, `open` or `void`; paid, overdue ... are computed from
    balance and due date, never stored. So is `expired` from `expires_on`."""
    template: Mapped[bool] = mapped_column(default=False)
    date: Mapped[Day | None] = mapped_column(Date)
    due_date: Mapped[Day | None] = mapped_column(Date)
    expires_on: Mapped[Day | None] = mapped_column(Date)
    terms: Mapped[str] = mapped_column(String(40), default="")
    """Remote id of the term (`list_entries`)."""
    currency: Mapped[str] = mapped_column(String(3), default="")
    tax_mode: Mapped[str] = mapped_column(String(20), default="none")
    """A mode of `domain/sales`."""
    tax_code: Mapped[str] = mapped_column(String(40), default="")
    """Remote id of the tax code of the whole document; lines may have their own."""
    discount_kind: Mapped[str] = mapped_column(String(10), default="")
    """`percent`, `amount` or empty."""
    discount_value: Mapped[Decimal | None] = mapped_column(Exact)
    discount_before_tax: Mapped[bool] = mapped_column(default=True)
    deposit_kind: Mapped[str] = mapped_column(String(10), default="")
    """Of a quote, what is asked for; of an invoice, what was paid beforehand. `percent`, `amount` or empty."""
    deposit_value: Mapped[Decimal | None] = mapped_column(Exact)
    subtotal: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    discount: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    tax: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    total: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    deposit: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    balance: Mapped[Decimal | None] = mapped_column(Money)
    """Of an invoice: the books' figure, before it is there what will be open. None on a quote."""
    books_tax: Mapped[Decimal | None] = mapped_column(Money)
    books_total: Mapped[Decimal | None] = mapped_column(Money)
    """What the books made of it."""
    expected_tax: Mapped[Decimal | None] = mapped_column(Money)
    expected_total: Mapped[Decimal | None] = mapped_column(Money)
    """What we had figured when it was sent, where the books made something else of it: a task until a person has seen
    it. None: they agreed, or it was seen."""
    customer_memo: Mapped[str] = mapped_column(Text, default="")
    private_note: Mapped[str] = mapped_column(Text, default="")
    """Goes to the books, not to the customer."""
    internal_note: Mapped[str] = mapped_column(Text, default="")
    """Stays here."""
    email: Mapped[str] = mapped_column(String(254), default="")
    billing_address: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    shipping_address: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    custom_fields: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """The books' definition id -> text."""
    hold: Mapped[bool] = mapped_column(default=False)
    """Not yet to the books, because a person said so."""
    revision: Mapped[int] = mapped_column(default=1)
    quote_id: Mapped[int | None] = mapped_column(ForeignKey("sales_documents.id", ondelete="SET NULL"))
    """Of an invoice: the quote it was made from."""
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    viewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the customer accepted or declined."""
    accepted_by: Mapped[str] = mapped_column(String(120), default="")
    declined_why: Mapped[str] = mapped_column(Text, default="")
    promised_on: Mapped[Day | None] = mapped_column(Date)
    """Of an overdue invoice: when the customer said it would be paid."""
    next_step: Mapped[str] = mapped_column(String(200), default="")
    source: Mapped[str] = mapped_column(String(20), default="person")
    """`person`, `quickbooks` or `api`."""
    search_text: Mapped[str] = mapped_column(Text, default="")
    seen_hash: Mapped[str] = mapped_column(String(64), default="")
    """Content hash of the books' record as it was last brought here."""
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was changed here since both sides last agreed; None while they do."""
    created_by: Mapped[str] = mapped_column(String(254), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    gone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was found deleted in the books, or was deleted here: kept, but in no figure and no list."""
    lock: Mapped[int] = mapped_column(default=1)
    """Guards against two people changing it at once."""

    __mapper_args__ = {"version_id_col": lock}

    contact: Mapped[Contact | None] = relationship()
    owner: Mapped[User | None] = relationship()
    lines: Mapped[list[SalesLine]] = relationship(
        back_populates="document", cascade="all, delete-orphan", order_by="SalesLine.position"
    )


class SalesLine(Base):
    """One line. What the books keep of it and we do not know stays in the mirror's record, found by `remote_id`."""

    __tablename__ = "sales_lines"
    __table_args__ = (
        Index("ix_sales_lines_document", "document_id", "position"),
        Index("ix_sales_lines_product", "product_id", "document_id", "optional", "chosen"),
        # Sums by product of the lines of many invoices, without the rows.
        Index(
            "ix_sales_lines_figures", "document_id", "kind", "chosen", "optional", "product_id", "amount", "cost"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("sales_documents.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(default=0)
    kind: Mapped[str] = mapped_column(String(10), default="item")
    """`item`, `text`, `section` (a heading; the books get it as text), `group` (a bundle's head), `other` (kept as it
    came)."""
    within: Mapped[int | None] = mapped_column()
    """Of a bundle's member: the position of its head."""
    remote_id: Mapped[str] = mapped_column(String(40), default="")
    """The books' id of the line."""
    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id", ondelete="SET NULL"))
    item_remote_id: Mapped[str] = mapped_column(String(40), default="")
    name: Mapped[str] = mapped_column(String(500), default="")
    """Of the product, as it was called then; of a free line its short name."""
    description: Mapped[str] = mapped_column(Text, default="")
    quantity: Mapped[Decimal | None] = mapped_column(Exact)
    unit_price: Mapped[Decimal | None] = mapped_column(Exact)
    amount: Mapped[Decimal | None] = mapped_column(Money)
    cost: Mapped[Decimal | None] = mapped_column(Money)
    """What its quantity cost us, by the product's cost when the line was written; None where that was not known."""
    taxable: Mapped[bool] = mapped_column(default=False)
    tax_code: Mapped[str] = mapped_column(String(40), default="")
    optional: Mapped[bool] = mapped_column(default=False)
    chosen: Mapped[bool] = mapped_column(default=True)
    """Of an optional line: whether the customer takes it."""
    from_line_id: Mapped[int | None] = mapped_column(ForeignKey("sales_lines.id", ondelete="SET NULL"))
    """The quote's line it was made from."""

    document: Mapped[SalesDocument] = relationship(back_populates="lines")


class SalesEvent(Base):
    """One thing that happened to a quote or invoice: who, when, what."""

    __tablename__ = "sales_events"
    __table_args__ = (
        Index("ix_sales_events_document", "document_id", "id"),
        Index(
            "ix_sales_events_mail", "event", "id", sqlite_where=text("event IN ('mail_asked', 'mail_calling')"),
            postgresql_where=text("event IN ('mail_asked', 'mail_calling')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("sales_documents.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    event: Mapped[str] = mapped_column(String(30))
    """An event of `domain/quotes` or `domain/invoices`, or `created`, `edited`, `revised`, `asked`, `answered` ...
    A mail that the books send is one whose event moves on: those of `services/sales_mail`."""
    actor: Mapped[str] = mapped_column(String(254), default="")
    source: Mapped[str] = mapped_column(String(20), default="person")
    """`person`, `customer`, `quickbooks`, `api` or `system`."""
    text: Mapped[str] = mapped_column(Text, default="")
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class SalesVersion(Base):
    """A quote as it stood when it was revised: kept, and comparable."""

    __tablename__ = "sales_versions"
    __table_args__ = (UniqueConstraint("document_id", "revision"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("sales_documents.id", ondelete="CASCADE"))
    revision: Mapped[int] = mapped_column()
    content: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Header, lines and totals as JSON, amounts as text."""
    made_by: Mapped[str] = mapped_column(String(254), default="")
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PublicLink(Base):
    """The address under which a customer reads a quote or invoice without signing in."""

    __tablename__ = "public_links"
    __table_args__ = (Index("ix_public_links_document", "document_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("sales_documents.id", ondelete="CASCADE"))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the token: what an address is looked up by."""
    token: Mapped[str] = mapped_column(EncryptedText("public_links.token"))
    """So that the same address can be shown again."""
    created_by: Mapped[str] = mapped_column(String(254), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    opened: Mapped[int] = mapped_column(default=0)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was last opened by somebody who is not signed in here."""


class Attachment(Base):
    """A file at a quote or invoice. The file itself lies in the instance folder under its digest."""

    __tablename__ = "attachments"
    __table_args__ = (Index("ix_attachments_document", "document_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("sales_documents.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(100), default="")
    size: Mapped[int] = mapped_column()
    digest: Mapped[str] = mapped_column(String(64))
    for_customer: Mapped[bool] = mapped_column(default=True)
    added_by: Mapped[str] = mapped_column(String(254), default="")
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Receipt(Base):
    """A payment recorded here. Once the books hold it, the mirror's payment with the linked id is what counts."""

    __tablename__ = "receipts"
    __table_args__ = (Index("ix_receipts_contact", "contact_id", "date"), Index("ix_receipts_date", "date", "id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connections.id", ondelete="SET NULL"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="SET NULL"))
    customer_remote_id: Mapped[str] = mapped_column(String(40), default="")
    amount: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(String(3), default="")
    date: Mapped[Day] = mapped_column(Date)
    method: Mapped[str] = mapped_column(String(40), default="")
    """Remote id of the payment method (`list_entries`)."""
    reference: Mapped[str] = mapped_column(String(21), default="")
    deposit_account: Mapped[str] = mapped_column(String(40), default="")
    """Remote id of the account it goes to; empty: where the books put undeposited funds."""
    note: Mapped[str] = mapped_column(Text, default="")
    credits: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """Remote id of a credit memo -> how much of it is used besides the money, as text; for the parts to be covered."""
    created_by: Mapped[str] = mapped_column(String(254), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    voided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    gone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lock: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": lock}

    contact: Mapped[Contact | None] = relationship()
    parts: Mapped[list[ReceiptPart]] = relationship(cascade="all, delete-orphan", order_by="ReceiptPart.id")


class ReceiptPart(Base):
    """How much of a receipt is for which invoice."""

    __tablename__ = "receipt_parts"
    __table_args__ = (UniqueConstraint("receipt_id", "document_id"), Index("ix_receipt_parts_document", "document_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    receipt_id: Mapped[int] = mapped_column(ForeignKey("receipts.id", ondelete="CASCADE"))
    document_id: Mapped[int] = mapped_column(ForeignKey("sales_documents.id", ondelete="CASCADE"))
    amount: Mapped[Decimal] = mapped_column(Money)


class SalesSettings(Base):
    """How sales go to one company's books, one row per version; the highest counts. Rows are never changed."""

    __tablename__ = "sales_settings"
    __table_args__ = (UniqueConstraint("connection_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column()
    answers: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Question (`domain/sales_settings.QUESTIONS`) -> answer; what is missing has its found default."""
    changed_by: Mapped[str] = mapped_column(String(254), default="")
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
