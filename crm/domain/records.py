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
from decimal import Decimal
from typing import Any, TypeAlias

from crm.domain.record_documents import (
    NEXT_NUMBER,
    Application,
    BillPaymentRecord,
    BillRecord,
    CustomField,
    DocumentRecord,
    LineRecord,
    LinkedDocument,
    PaymentRecord,
    TaxLine,
)
from crm.domain.record_parts import NO_EXTRA, Address, Origin, PhoneField, Ref

__all__ = [
    "KINDS", "NEXT_NUMBER", "NO_EXTRA", "Address", "Application", "BillPaymentRecord", "BillRecord", "BundleMember",
    "CompanyPreferences", "CompanyRecord", "CustomField", "CustomFieldDefinition", "CustomerRecord", "DocumentRecord",
    "ItemRecord", "LineRecord", "LinkedDocument", "ListRecord", "Origin", "PartyRecord", "PaymentRecord", "PhoneField",
    "Record", "Ref", "Refusal", "TaxLine", "VendorRecord",
]  # fmt: skip

#: Kinds of record, in our words; each provider maps them to its own.
KINDS = (
    "company", "customer", "vendor", "employee", "term", "customer_type", "payment_method", "account",
    "tax_code", "tax_rate", "item", "estimate", "invoice", "payment", "credit_memo", "sales_receipt", "refund_receipt",
    "bill", "bill_payment",
)  # fmt: skip


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
    tax_code description, taxable, group, sales_rates (ids, in order);
    tax_rate description, percent (Decimal: 8 means 8 %), agency_id."""
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
class VendorRecord(PartyRecord):
    """A vendor whole. `kind` is "vendor"."""

    given_name: str = ""
    middle_name: str = ""
    family_name: str = ""
    title: str = ""
    suffix: str = ""
    company_name: str = ""
    print_name: str = ""
    """As printed on cheques; follows the display name where nothing else was said."""
    phones: tuple[PhoneField, ...] = ()
    email_text: str = ""
    """As in CustomerRecord."""
    website: str = ""
    address: Address | None = None
    notes: str = ""
    account_number: str = ""
    """Our number in the vendor's books."""
    terms: Ref | None = None
    currency: str = ""
    reported: bool | None = None
    """Whether what is paid to it is reported to the tax office (US: form 1099)."""
    balance: Decimal | None = None
    """What is owed to it."""


@dataclass(frozen=True, slots=True)
class BundleMember:
    """One product inside a bundle, and how many of it one bundle holds."""

    item: Ref
    quantity: Decimal | None = None
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
    """Read, and said once when an item that counts stock is created; never posted later."""
    parent: Ref | None = None
    """The category (or item) it belongs to."""
    purchase_description: str = ""
    asset_account: Ref | None = None
    """Of an item that counts stock."""
    tracks_quantity: bool | None = None
    inventory_start: Date | None = None
    """The day the stock was first counted."""
    reorder_point: Decimal | None = None
    sales_tax_code: Ref | None = None
    """Outside the US."""
    purchase_tax_code: Ref | None = None
    price_includes_tax: bool | None = None
    preferred_vendor: Ref | None = None
    unit: str = ""
    """As printed, where the provider has units."""
    members: tuple[BundleMember, ...] = ()
    """Of a group."""
    print_members: bool | None = None
    """Of a group: whether its members are printed."""
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)


Record: TypeAlias = (
    CompanyRecord | CustomerRecord | ListRecord | PartyRecord | ItemRecord | DocumentRecord | PaymentRecord
    | BillRecord | BillPaymentRecord
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CustomFieldDefinition:
    """A custom field of sales documents that is switched on."""

    definition_id: str
    name: str


@dataclass(frozen=True, slots=True)
class CompanyPreferences:
    """How the company keeps its books, as far as the house asks. None: the provider did not say."""

    home_currency: str = ""
    multicurrency: bool | None = None
    sales_tax: bool | None = None
    automated_sales_tax: bool | None = None
    """US: the books compute the tax themselves, by address and product."""
    default_tax_code: Ref | None = None
    own_document_numbers: bool | None = None
    """People number documents themselves; otherwise a number is left out and the books give the next."""
    allows_discount: bool | None = None
    allows_deposit: bool | None = None
    allows_estimates: bool | None = None
    allows_shipping: bool | None = None
    allows_service_date: bool | None = None
    default_terms: Ref | None = None
    default_item: Ref | None = None
    discount_account: Ref | None = None
    shipping_account: Ref | None = None
    customer_message: str = ""
    """What invoices say to customers unless something else is written."""
    estimate_message: str = ""
    progress_invoicing: bool | None = None
    applies_credits_itself: bool | None = None
    applies_payments_itself: bool | None = None
    online_payments: bool | None = None
    fiscal_year_begins: str = ""
    """The English name of its first month."""
    email_cc: str = ""
    email_bcc: str = ""
    books_closed_until: Date | None = None
    """Nothing dated on or before it can be written."""
    inventory: bool | None = None
    class_tracking: bool | None = None
    department_tracking: bool | None = None
    custom_fields: tuple[CustomFieldDefinition, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)

    def tax_mode(self, country: str) -> str:
        """`none`, `us_manual`, `us_automated` or `global`, with the company's country as it stands in CompanyRecord."""
        if self.sales_tax is False:
            return "none"
        if country.strip().upper() not in ("", "US", "USA", "UNITED STATES"):
            return "global"
        return "us_automated" if self.automated_sales_tax else "us_manual"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A body the mapper could not read: kept and explained, never a reason to stop the page it came on."""

    kind: str
    remote_id: str
    reason: str
    body: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)
