"""Records: the neutral shapes in which every provider speaks to the house.

Mappers make them from vendor bodies; services and `domain/merging` compare and store them. Frozen values:
ids and versions are opaque strings, money is Decimal in `currency`, dates are company-local calendar
days, times are aware UTC. `extra` keeps what a vendor sent and we do not map, so that nothing is lost: plain
dicts, lists, texts, booleans and exact numbers (int or Decimal).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date as Date
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

#: Kinds of record, in our words; each provider maps them to its own.
KINDS = (
    "company", "customer", "vendor", "employee", "term", "customer_type", "payment_method", "account",
    "tax_code", "tax_rate", "item", "estimate", "invoice", "payment", "credit_memo",
)  # fmt: skip

NO_EXTRA: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record came from and in which state: what a link needs to know about it."""

    remote_id: str
    version: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Address:
    line1: str = ""
    line2: str = ""
    line3: str = ""
    line4: str = ""
    line5: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class PhoneField:
    """A phone as typed, in the field it was typed into (`primary`, `mobile`, `alternate`, `fax`)."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Ref:
    remote_id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class CompanyRecord:
    origin: Origin
    name: str
    legal_name: str = ""
    country: str = ""
    currency: str = ""
    time_zone: str = ""
    email: str = ""
    phone: str = ""
    address: Address | None = None
    plan: str = ""
    subscription_status: str = ""
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)


@dataclass(frozen=True, slots=True)
class CustomerRecord:
    origin: Origin
    display_name: str
    given_name: str = ""
    middle_name: str = ""
    family_name: str = ""
    title: str = ""
    suffix: str = ""
    company_name: str = ""
    full_path: str = ""
    """The name with its parents', as the books print it ("Parent:Child")."""
    active: bool = True
    parent_id: str | None = None
    is_project: bool = False
    bill_with_parent: bool = False
    phones: tuple[PhoneField, ...] = ()
    email_text: str = ""
    """The e-mail field as typed: may hold several addresses, or none that is valid."""
    website: str = ""
    billing_address: Address | None = None
    shipping_address: Address | None = None
    notes: str = ""
    customer_type: Ref | None = None
    terms: Ref | None = None
    payment_method: Ref | None = None
    currency: str = ""
    taxable: bool | None = None
    tax_code: Ref | None = None
    tax_exemption: str = ""
    """Reason in words where the provider gives one ("Resale"), else empty."""
    resale_number: str = ""
    balance: Decimal | None = None
    balance_with_jobs: Decimal | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)


@dataclass(frozen=True, slots=True)
class ListRecord:
    """A term, customer type, payment method, account, tax code or tax rate: a named row other records point to."""

    kind: str
    origin: Origin
    name: str
    active: bool = True
    details: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)
    """By kind, where the provider says: term type, due_days, discount_days, discount_percent, day_of_month,
    next_month_days; payment_method type; account type, subtype, classification, number, full_path, parent_id;
    tax_code description, taxable, group; tax_rate description, percent (Decimal: 8 means 8 %), agency_id."""
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)


@dataclass(frozen=True, slots=True)
class PartyRecord:
    """A vendor or employee: holds a name in the namespace customers share."""

    kind: str
    origin: Origin
    display_name: str
    active: bool = True
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)


@dataclass(frozen=True, slots=True)
class ItemRecord:
    origin: Origin
    name: str
    full_path: str = ""
    type: str = ""
    """service, inventory, non_inventory, category, group; a provider's own word where we have none."""
    sku: str = ""
    description: str = ""
    price: Decimal | None = None
    cost: Decimal | None = None
    taxable: bool | None = None
    active: bool = True
    income_account: Ref | None = None
    expense_account: Ref | None = None
    quantity_on_hand: Decimal | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)


@dataclass(frozen=True, slots=True)
class LineRecord:
    remote_id: str | None
    kind: str
    """item, text, discount, subtotal, group, other"""
    description: str = ""
    amount: Decimal | None = None
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    item: Ref | None = None
    tax_code: str = ""
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)


@dataclass(frozen=True, slots=True)
class LinkedDocument:
    kind: str
    """Our kind where we have one ("invoice"), else the vendor's word in lower case."""
    remote_id: str
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """An estimate, invoice or credit memo."""

    kind: str
    origin: Origin
    customer: Ref
    number: str = ""
    date: Date | None = None
    due_date: Date | None = None
    expires_on: Date | None = None
    status: str = ""
    """Estimates: pending, accepted, closed, rejected. Invoices and credit memos: empty (computed), or void."""
    accepted_by: str = ""
    accepted_on: Date | None = None
    currency: str = ""
    total: Decimal = Decimal(0)
    tax: Decimal | None = None
    balance: Decimal | None = None
    """Open amount: unpaid on an invoice, unused on a credit memo; None on an estimate."""
    terms: Ref | None = None
    email: str = ""
    email_status: str = ""
    """not_set, to_send, sent; a provider's own word where we have none."""
    customer_memo: str = ""
    private_note: str = ""
    void: bool = False
    lines: tuple[LineRecord, ...] = ()
    linked: tuple[LinkedDocument, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)


@dataclass(frozen=True, slots=True)
class Application:
    """How much of a payment or credit went to which document."""

    kind: str
    """As in LinkedDocument; empty, like the id, where the provider names no document."""
    remote_id: str
    amount: Decimal
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)


@dataclass(frozen=True, slots=True)
class PaymentRecord:
    origin: Origin
    customer: Ref
    date: Date | None = None
    total: Decimal = Decimal(0)
    unapplied: Decimal = Decimal(0)
    currency: str = ""
    method: Ref | None = None
    reference: str = ""
    deposit_account: Ref | None = None
    private_note: str = ""
    void: bool = False
    applied: tuple[Application, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)


Record: TypeAlias = (
    CompanyRecord | CustomerRecord | ListRecord | PartyRecord | ItemRecord | DocumentRecord | PaymentRecord
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A body the mapper could not read: kept and explained, never a reason to stop the page it came on."""

    kind: str
    remote_id: str
    reason: str
    body: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)
