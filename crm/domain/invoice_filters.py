"""What a list of invoices is narrowed and sorted by, read from the arguments of its address.

The page, its export and the API read the same. Reading is tolerant: an argument nobody understands is left out, never
an error page. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Decimal

from crm.domain.amounts import MOST, read_number
from crm.domain.invoices import DRAFT, HELD, OPEN, OVERDUE, PAID, PARTLY, SENDING, VOID
from crm.domain.list_filters import ListFilters, page_of, words_of
from crm.domain.names import fold

UNPAID, DUE_SOON, DIFFERING, ISSUED = "unpaid", "due_soon", "differing", "issued"
STATES: dict[str, str] = {
    UNPAID: "Unpaid", OPEN: "Open", PARTLY: "Partly paid", OVERDUE: "Overdue", PAID: "Paid", DRAFT: "Draft",
    HELD: "Held back", SENDING: "On its way", VOID: "Void",
}  # fmt: skip
"""As `invoices.STATES`; `open` holds those that were sent or viewed, `unpaid` whatever has an open amount."""
MORE: dict[str, str] = {ISSUED: "Issued", DUE_SOON: "Due in 7 days", DIFFERING: "Differs from QuickBooks"}
"""`issued`: neither draft, void nor held back."""
AGES: dict[str, str] = {
    "current": "Not due yet", "1-30": "1–30 days late", "31-60": "31–60 days late", "61-90": "61–90 days late",
    "over-90": "Over 90 days late",
}  # fmt: skip
"""In the order of `money.BUCKETS`; one without a due date counts from its own date."""
BUYERS: dict[str, str] = {
    "new": "First bought then", "returning": "Bought before", "unmatched": "Without a contact here",
}  # fmt: skip
"""By the customer's first issued invoice: on or after the first day asked for, or before it."""
SORTS: dict[str, str] = {
    "date": "Date", "due": "Due", "number": "Number", "total": "Total", "open": "Open amount",
}  # fmt: skip
PLAIN_SORT = "-date"
SOON = 7
"""Days."""
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Filters(ListFilters):
    """Empty means "all"."""

    state: str = ""
    """A key of STATES or MORE."""
    contact: int | None = None
    since: date | None = None
    """Of the invoice's own date; so is `until`."""
    until: date | None = None
    least: Decimal | None = None
    """Of the total, in the invoice's currency; so is `most`."""
    most: Decimal | None = None
    currency: str = ""
    """The home currency holds those that name none."""
    age: str = ""
    """A key of AGES, by the company's day."""
    buyers: str = ""
    """A key of BUYERS; `new` and `returning` need `since`."""
    region: str = ""
    """Where the contact lives, as `domain/sales_places` has its key; so are `city` and `postal`."""
    city: str = ""
    postal: str = ""
    sort: str = PLAIN_SORT

    @property
    def narrowed(self) -> bool:
        return any(getattr(self, name) not in ("", None) for name in NARROWING)


NARROWING = (
    "q", "state", "contact", "since", "until", "least", "most", "currency", "age", "buyers", "region", "city", "postal",
)  # fmt: skip


def read(args: Mapping[str, str]) -> Filters:
    """The filters an address asks for."""
    sort, state = args.get("sort", PLAIN_SORT), args.get("state", "")
    return Filters(
        q=words_of(args),
        state=state if state in STATES or state in MORE else "",
        contact=_whole(args.get("contact", "")),
        since=_day(args.get("since", "")),
        until=_day(args.get("until", "")),
        least=_amount(args.get("least", "")),
        most=_amount(args.get("most", "")),
        currency=_currency(args.get("currency", "")),
        age=args.get("age", "") if args.get("age", "") in AGES else "",
        buyers=args.get("buyers", "") if args.get("buyers", "") in BUYERS else "",
        **{name: args.get(name, "")[:255] for name in ("region", "city", "postal")},
        sort=sort if sort.removeprefix("-") in SORTS else PLAIN_SORT,
        page=page_of(args),
    )


def search_terms(text: str) -> tuple[str, ...]:
    """What a search asks for: an invoice is found when its search text holds every term."""
    return tuple(dict.fromkeys(fold(text[:200]).split()))


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0 else None


def _currency(text: str) -> str:
    return text if text.isascii() and text.isalpha() and text.isupper() and len(text) == 3 else ""


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def _amount(text: str) -> Decimal | None:
    """One that an amount can be compared with: below the most there can be, with two decimals."""
    try:
        number = read_number(text)
    except ValueError:
        return None
    return number.quantize(CENT, ROUND_DOWN) if number is not None and abs(number) <= MOST else None
