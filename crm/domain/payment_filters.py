"""What a list of payments is narrowed and sorted by, read from the arguments of its address.

The page, its export and the API read the same. Reading is tolerant: an argument nobody understands is left out, never
an error page. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from crm.domain.amounts import read_number
from crm.domain.list_filters import ListFilters, page_of, words_of

SORTS: dict[str, str] = {"date": "Date", "amount": "Amount", "unapplied": "Not applied", "contact": "Customer"}
STATES: dict[str, str] = {"standing": "Received", "waiting": "Waiting to be sent", "void": "Void"}
UNAPPLIED: dict[str, str] = {"yes": "Not wholly applied"}
PLAIN_SORT = "-date"


@dataclass(frozen=True, slots=True)
class Filters(ListFilters):
    """Empty text means all."""

    q: str = ""
    """Customer, reference, or an amount."""
    method: str = ""
    """The method's name, as the books spell it."""
    since: str = ""
    until: str = ""
    """Days (ISO), both included."""
    unapplied: str = ""
    state: str = ""
    contact: str = ""
    """Id of the contact."""
    currency: str = ""
    """The home currency holds those that name none."""
    sort: str = PLAIN_SORT

    @property
    def narrowed(self) -> bool:
        return any(getattr(self, name) for name in NARROWING)

    @property
    def amount(self) -> Decimal | None:
        """What is searched for, where that is an amount."""
        try:
            return read_number(self.q)
        except ValueError:
            return None


NARROWING = ("q", "method", "since", "until", "unapplied", "state", "contact", "currency")
_CHOICES: dict[str, Mapping[str, str]] = {"unapplied": UNAPPLIED, "state": STATES}


def read(args: Mapping[str, str]) -> Filters:
    """The filters an address asks for."""
    sort, contact = args.get("sort", PLAIN_SORT), args.get("contact", "")
    chosen = {name: args.get(name, "") for name, known in _CHOICES.items() if args.get(name, "") in known}
    days = {name: day.isoformat() for name in ("since", "until") if (day := _day(args.get(name, "")))}
    return Filters(
        q=words_of(args),
        method=args.get("method", "").strip()[:60],
        contact=contact if _whole(contact) else "",
        currency=_currency(args.get("currency", "")),
        sort=sort if sort.removeprefix("-") in SORTS else PLAIN_SORT,
        page=page_of(args),
        **chosen,
        **days,
    )


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0


def _currency(text: str) -> str:
    return text if text.isascii() and text.isalpha() and text.isupper() and len(text) == 3 else ""


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if len(text.strip()) == 10 else None
    except ValueError:
        return None
