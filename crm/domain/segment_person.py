"""One contact as the rules of segments look at it: plain values, nothing worked out yet. Pure.

`queries/segment_person` reads it; `segment_evaluation` works rules out on it. Invoices are those that count: neither
draft nor void, held back nor deleted. Quotes are all that are not deleted, without templates. Moments are days at UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from datetime import date as Day
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an invoice. `taken`: not optional, or chosen by the customer."""

    product_id: int | None = None
    amount: Decimal | None = None
    cost: Decimal | None = None
    taken: bool = True


@dataclass(frozen=True, slots=True)
class Invoice:
    """`total` with tax, as the books have it. `home`: in the company's own currency."""

    id: int
    number: str = ""
    date: Day | None = None
    due_date: Day | None = None
    total: Decimal = Decimal(0)
    balance: Decimal | None = None
    home: bool = True
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Quote:
    id: int
    number: str = ""
    state: str = "draft"
    """As stored; what it is now, `domain/quotes.state_now` says."""
    date: Day | None = None
    expires_on: Day | None = None
    sent_on: Day | None = None
    total: Decimal = Decimal(0)
    home: bool = True
    begun: bool = False
    """An invoice of it stands."""


@dataclass(frozen=True, slots=True)
class Books:
    """What QuickBooks says of its customer, in the company's own currency."""

    total_sales: Decimal = Decimal(0)
    balance: Decimal | None = None
    unused_credit: Decimal = Decimal(0)
    days_to_pay: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    name: str = ""
    sort_name: str = ""
    company: str = ""
    type: str = "lead"
    owner_id: int | None = None
    source: str = "person"
    tags: frozenset[int] = frozenset()
    created: Day = date.min
    last_activity: Day | None = None
    state: str = ""
    city: str = ""
    postal_code: str = ""
    country: str = ""
    place: tuple[int, int, int] | None = None
    link: str = "none"
    held: bool = False
    books: Books | None = None
    """None: no customer there, or one in another currency."""
    rfm: tuple[int, int, int] | None = None
    """Recency, frequency, money; None: never bought."""
    invoices: tuple[Invoice, ...] = ()
    quotes: tuple[Quote, ...] = ()
    phone: str = ""
    email: str = ""
    consents: Mapping[str, str] = field(default_factory=dict)
    """Channel -> `granted` or `denied`; what is missing was never asked."""
    last_note: Day | None = None
    archived: bool = False
    currency: str = "USD"
    """The company's own."""
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """`owners`, `tags`, `products` -> id -> name, of what is at this contact."""
