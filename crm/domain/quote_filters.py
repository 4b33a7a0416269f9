"""What a list of quotes is narrowed and sorted by, read from the arguments of its address.

The page, its export, the board and the API read the same. Reading is tolerant: an argument nobody understands is left
out, never an error page. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from crm.domain.amounts import read_number
from crm.domain.list_filters import ListFilters, page_of, words_of
from crm.domain.quotes import EXPIRED, STATES, WITH_CUSTOMER

OPEN, WON, LOST, ANSWERED, UNDECIDED = "open", "won", "lost", "answered", "undecided"
GROUPS: dict[str, str] = {
    OPEN: "With the customer", WON: "Won", LOST: "Lost", ANSWERED: "Answered", UNDECIDED: "Not decided",
}  # fmt: skip
"""`won`: accepted, in part or wholly invoiced; `lost`: declined or expired; `answered`: the day of the customer's
answer is known; `undecided`: what the forecast counts as open, expired ones and those pending in the books too."""
CHOICES: dict[str, str] = GROUPS | STATES
"""What can be asked for as `state`."""
SORTS: dict[str, str] = {"date": "Date", "number": "Number", "total": "Amount", "expires": "Valid until"}
EXPIRING = (OPEN, *WITH_CUSTOMER, EXPIRED)
"""What can be asked for as `state` and is sorted by its last day."""
NOBODY = "none"


@dataclass(frozen=True, slots=True)
class Filters(ListFilters):
    """Empty text means "all"."""

    state: str = ""
    """A key of CHOICES; `expired` is computed from the day."""
    owner: str = ""
    """Id of a person, or `none`."""
    contact: str = ""
    """Id of a contact."""
    since: str = ""
    """First and last day of the quote's date, as 2026-11-21."""
    until: str = ""
    least: str = ""
    """Bounds of the total, as text of a number."""
    most: str = ""
    currency: str = ""
    """The home currency holds those that name none."""
    templates: str = ""
    """`only`: templates, which are no quotes."""
    sort: str = "-date"
    """By `expires` only what the customer has: of the others nobody asks, and they are many."""

    @property
    def narrowed(self) -> bool:
        return any(getattr(self, name) for name in NARROWING)

    def day(self, name: str) -> date | None:
        text: str = getattr(self, name)
        return date.fromisoformat(text) if text else None

    def amount(self, name: str) -> Decimal | None:
        return read_number(getattr(self, name))


NARROWING = ("q", "state", "owner", "contact", "since", "until", "least", "most", "currency")


def read(args: Mapping[str, str]) -> Filters:
    """The filters an address asks for."""
    sort, state = args.get("sort", "-date"), args.get("state", "")
    if sort.removeprefix("-") == "expires" and state not in EXPIRING:
        sort = "-date"
    return Filters(
        q=words_of(args),
        state=state if state in CHOICES else "",
        owner=NOBODY if args.get("owner") == NOBODY else _id(args.get("owner", "")),
        contact=_id(args.get("contact", "")),
        currency=_currency(args.get("currency", "")),
        templates="only" if args.get("templates") == "only" else "",
        sort=sort if sort.removeprefix("-") in SORTS else "-date",
        page=page_of(args),
        **{name: _day(args.get(name, "")) for name in ("since", "until")},
        **{name: _amount(args.get(name, "")) for name in ("least", "most")},
    )


def _id(text: str) -> str:
    return text if text.isascii() and text.isdigit() and len(text) < 10 else ""


def _currency(text: str) -> str:
    return text if text.isascii() and text.isalpha() and text.isupper() and len(text) == 3 else ""


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        return ""


def _amount(text: str) -> str:
    try:
        number = read_number(text[:30])
    except ValueError:
        return ""
    return "" if number is None or abs(number) > 10**12 else format(round(number, 2), "f")
