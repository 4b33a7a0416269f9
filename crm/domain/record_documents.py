"""Records of sales documents, payments, bills and what was paid on them. See `records`, which hands all of them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date as Date
from datetime import datetime
from decimal import Decimal
from typing import Any

from crm.domain.record_parts import NO_EXTRA, Address, Origin, Ref

NEXT_NUMBER = "AUTO_GENERATE"
"""As the number of a new document: the books give the next one even where people number documents themselves. An empty
number leaves it to the company's own setting."""


@dataclass(frozen=True, slots=True)
class LinkedDocument:
    kind: str
    """Our kind where we have one ("invoice"), "deposit" for a deposit at the bank, else the vendor's word in lower
    case."""
    remote_id: str
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)
    line_id: str = ""
    """The line of that document, where one is meant."""


@dataclass(frozen=True, slots=True)
class LineRecord:
    """A line of a sales document or of a bill. `remote_id` None: it is new."""

    remote_id: str | None = None
    kind: str = "item"
    """item, text, discount, subtotal, group, other; on a bill also account"""
    description: str = ""
    amount: Decimal | None = None
    """Quantity times unit price, half up to the cent, where there are both; before tax unless the document's amounts
    include it. Of a discount what it takes away, as a positive number."""
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    item: Ref | None = None
    tax_code: str = ""
    """The provider's id of the code, its pseudo codes "TAX" and "NON" included; see `taxable`."""
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)
    taxable: bool | None = None
    """Where the code only says so (US). Written, it wins over the pseudo codes in `tax_code`."""
    number: int | None = None
    """The place among the lines, from 1, where the provider tells."""
    service_date: Date | None = None
    discount_percent: Decimal | None = None
    """Of a discount: 8.5 means 8.5 % of the lines; None where it is a plain amount. Of an item: off this line alone."""
    discount_amount: Decimal | None = None
    """Of an item: off this line alone."""
    amount_with_tax: Decimal | None = None
    account: Ref | None = None
    """What the line is booked to: of an item as its account was then (read), of a discount or on a bill its own."""
    members: tuple[LineRecord, ...] = ()
    """Of a group: its lines."""
    linked: tuple[LinkedDocument, ...] = ()
    """What this very line came from."""
    customer: Ref | None = None
    """On a bill: whom the cost is for."""
    billable: str = ""
    """On a bill: billable, not_billable, billed; a provider's own word where we have none."""


@dataclass(frozen=True, slots=True)
class TaxLine:
    """One rate's share of a document's tax, as the books computed it."""

    amount: Decimal
    rate: Ref | None = None
    percent: Decimal | None = None
    """8 means 8 %."""
    taxable: Decimal | None = None
    """The net amount it was computed from."""
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)


@dataclass(frozen=True, slots=True)
class CustomField:
    """A field that the company defined itself. The value of one that is no text stays in its `extra`."""

    definition_id: str
    name: str = ""
    value: str = ""
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """An estimate, invoice, credit memo, sales receipt (paid at once) or refund receipt."""

    kind: str
    origin: Origin
    customer: Ref
    """Its id is empty on a receipt that names none."""
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
    tax_lines: tuple[TaxLine, ...] = ()
    tax_code: Ref | None = None
    """Of the document as a whole (US)."""
    tax_override: bool = False
    """The tax is a person's figure. Written, `tax` is imposed; otherwise the books compute it."""
    tax_mode: str = ""
    """Outside the US: excluded, inclusive, none."""
    discount_before_tax: bool | None = None
    """Whether the discount is taken off before the tax is computed."""
    exchange_rate: Decimal | None = None
    """Home currency for one unit of `currency`."""
    deposit: Decimal | None = None
    """Of an invoice: what was paid down on it."""
    payment_method: Ref | None = None
    payment_reference: str = ""
    deposit_account: Ref | None = None
    """Of a receipt where the money went, of a refund where it came from, of an invoice where its deposit went."""
    billing_address: Address | None = None
    """As printed; its parts may all be free lines that begin with the customer's name."""
    shipping_address: Address | None = None
    email_cc: str = ""
    email_bcc: str = ""
    delivered_at: datetime | None = None
    """When the books last e-mailed it."""
    print_status: str = ""
    """not_set, to_print, printed; a provider's own word where we have none."""
    custom_fields: tuple[CustomField, ...] = ()
    online_card: bool | None = None
    """Whether the customer may pay it online by card; by bank transfer."""
    online_bank: bool | None = None

    @property
    def discount_line(self) -> LineRecord | None:
        """The discount on the whole document."""
        return next((line for line in self.lines if line.kind == "discount"), None)

    @property
    def discount_percent(self) -> Decimal | None:
        """None: there is no discount, or it is a plain amount."""
        line = self.discount_line
        return line.discount_percent if line else None

    @property
    def discount_amount(self) -> Decimal:
        line = self.discount_line
        return (line.amount if line else None) or Decimal(0)


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
    exchange_rate: Decimal | None = None
    linked: tuple[LinkedDocument, ...] = ()
    """What names the payment as a whole: the deposit at the bank it went into, say."""
    card_payment: bool = False
    """It went through the provider's own payment service: it can neither be changed nor deleted here."""

    @property
    def deposited(self) -> bool:
        """It is part of a deposit at the bank, and frozen with it."""
        return any(link.kind == "deposit" for link in self.linked)


@dataclass(frozen=True, slots=True)
class BillRecord:
    """A vendor's bill."""

    origin: Origin
    vendor: Ref
    number: str = ""
    """The vendor's own number."""
    date: Date | None = None
    due_date: Date | None = None
    currency: str = ""
    exchange_rate: Decimal | None = None
    total: Decimal = Decimal(0)
    balance: Decimal | None = None
    """Unpaid."""
    terms: Ref | None = None
    payable_account: Ref | None = None
    private_note: str = ""
    void: bool = False
    tax: Decimal | None = None
    tax_mode: str = ""
    """As in DocumentRecord."""
    address: Address | None = None
    lines: tuple[LineRecord, ...] = ()
    linked: tuple[LinkedDocument, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)


@dataclass(frozen=True, slots=True)
class BillPaymentRecord:
    """What was paid to a vendor, and for which bills."""

    origin: Origin
    vendor: Ref
    number: str = ""
    date: Date | None = None
    total: Decimal = Decimal(0)
    currency: str = ""
    exchange_rate: Decimal | None = None
    paid_by: str = ""
    """check, credit_card; a provider's own word where we have none."""
    account: Ref | None = None
    """The bank or card account the money left."""
    private_note: str = ""
    void: bool = False
    applied: tuple[Application, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: NO_EXTRA)
