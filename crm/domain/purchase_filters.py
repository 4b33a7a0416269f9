"""What lists of vendors and bills are narrowed and sorted by, read from the arguments of their addresses.

The page and its export read the same. Reading is tolerant: an argument nobody understands is left out, never an error
page. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from crm.domain.list_filters import ListFilters, day_of, one_of, page_of, words_of
from crm.domain.names import fold

VENDOR_SORTS: dict[str, str] = {
    "name": "Name", "-balance": "Most owed first", "balance": "Least owed first", "-updated": "Changed last first",
}  # fmt: skip
BILL_SORTS: dict[str, str] = {
    "-date": "Newest first", "date": "Oldest first", "due": "Due first", "-due": "Due last", "-total": "Largest first",
    "total": "Smallest first", "-balance": "Most open first", "number": "Number", "vendor": "Vendor",
}  # fmt: skip
ACTIVE: dict[str, str] = {"inactive": "Out of use", "all": "In use and out of use"}
OWED: dict[str, str] = {"open": "We owe something", "overdue": "Something is overdue", "none": "Nothing owed"}
BILL_STATES: dict[str, str] = {
    "open": "Open", "overdue": "Overdue", "soon": "Due in 7 days", "paid": "Paid", "void": "Void",
    "waiting": "Not in QuickBooks",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class VendorFilters(ListFilters):
    """Empty text means "all"; of `active` those in use."""

    active: str = ""
    owed: str = ""
    sort: str = "name"


@dataclass(frozen=True, slots=True)
class BillFilters(ListFilters):
    """`vendor` is an id; `since` and `until` are days of the bill's own date."""

    state: str = ""
    vendor: int | None = None
    since: date | None = None
    until: date | None = None
    sort: str = "-date"


def vendor_filters(args: Mapping[str, str]) -> VendorFilters:
    return VendorFilters(
        q=words_of(args), page=page_of(args), active=one_of(args, "active", ACTIVE),
        owed=one_of(args, "owed", OWED), sort=one_of(args, "sort", VENDOR_SORTS) or "name",
    )  # fmt: skip


def bill_filters(args: Mapping[str, str]) -> BillFilters:
    vendor = args.get("vendor", "")
    return BillFilters(
        q=words_of(args), page=page_of(args), state=one_of(args, "state", BILL_STATES),
        vendor=int(vendor) if vendor.isascii() and vendor.isdigit() and len(vendor) < 10 else None,
        since=day_of(args.get("since", "")), until=day_of(args.get("until", "")),
        sort=one_of(args, "sort", BILL_SORTS) or "-date",
    )  # fmt: skip


def search_terms(text: str) -> tuple[str, ...]:
    """What a search asks for: a row is found when its search text holds every term."""
    return tuple(dict.fromkeys(fold(text[:200]).split()))
