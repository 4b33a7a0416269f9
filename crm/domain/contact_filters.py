"""What a list of contacts is narrowed and sorted by, read from the arguments of its address.

The list page, its export, the API and saved views all read the same `Filters`, so that they show the same contacts.
Reading is tolerant: an argument nobody understands is left out, never an error page. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from crm.domain.contacts import LINK_STATES, TYPES

SORTS: dict[str, str] = {
    "name": "Name",
    "balance": "Balance",
    "sales": "Total sales",
    "activity": "Last activity",
    "created": "Created",
}
BALANCES: dict[str, str] = {"open": "With open balance", "overdue": "Overdue"}
SINCE: dict[str, int] = {"7d": 7, "30d": 30, "90d": 90, "365d": 365}
PAGE_SIZE = 50
MAX_PAGE = 100_000


@dataclass(frozen=True, slots=True)
class Filters:
    """Empty text means "all". `owner` and `tag` are ids, or "none" for contacts without one."""

    q: str = ""
    owner: str = ""
    tag: str = ""
    type: str = ""
    link: str = ""
    balance: str = ""
    """`open`, `overdue`, or an amount: more than that."""
    since: str = ""
    """`7d`, `30d`, `90d`, `365d` or an ISO date: last activity on or after it."""
    archived: bool = False
    sort: str = "name"
    page: int = 1

    @property
    def narrowed(self) -> bool:
        return any(getattr(self, name) for name in ("q", "owner", "tag", "type", "link", "balance", "since"))

    @property
    def sort_key(self) -> str:
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        return self.sort.startswith("-")

    def amount(self) -> Decimal | None:
        """The amount of `balance`, when it is one."""
        return None if self.balance in BALANCES else read_amount(self.balance)

    def moment(self, now: datetime) -> datetime | None:
        """From when on something must have happened; days are counted back from `now`, dates begin at midnight UTC."""
        if not self.since:
            return None
        if self.since in SINCE:
            return now - timedelta(days=SINCE[self.since])
        return datetime.combine(date.fromisoformat(self.since), datetime.min.time(), now.tzinfo)

    def query(self) -> dict[str, str]:
        """As arguments of an address: only what differs from the plain list, without the page."""
        plain = Filters()
        out = {
            f.name: str(getattr(self, f.name)) for f in fields(self) if getattr(self, f.name) != getattr(plain, f.name)
        }
        if self.archived:
            out["archived"] = "1"
        out.pop("page", None)
        return out

    def without(self, *names: str) -> Filters:
        plain = Filters()
        return replace(self, page=1, **{name: getattr(plain, name) for name in names})


def read(args: Mapping[str, str]) -> Filters:
    """The filters an address asks for."""
    sort = args.get("sort", "name")
    return Filters(
        q=args.get("q", "").strip()[:200],
        owner=_id_or_none(args.get("owner", "")),
        tag=_id_or_none(args.get("tag", "")),
        type=args.get("type", "") if args.get("type", "") in TYPES else "",
        link=args.get("link", "") if args.get("link", "") in LINK_STATES else "",
        balance=_balance(args.get("balance", "")),
        since=_since(args.get("since", "")),
        archived=args.get("archived", "") == "1",
        sort=sort if sort.removeprefix("-") in SORTS else "name",
        page=_page(args.get("page", "")),
    )


def read_amount(text: str) -> Decimal | None:
    """ "$1,500" -> 1500; None for what is no amount of at most two decimals."""
    try:
        amount = Decimal(text.replace("$", "").replace(",", "").strip())
    except InvalidOperation:
        return None
    if not amount.is_finite() or amount < 0 or amount >= 10**12:
        return None
    return amount.quantize(Decimal("0.01"))


def _id_or_none(text: str) -> str:
    return text if text == "none" or (text.isascii() and text.isdigit() and len(text) < 10) else ""


def _balance(text: str) -> str:
    if text in BALANCES:
        return text
    amount = read_amount(text)
    return "" if amount is None else f"{amount.normalize():f}"


def _since(text: str) -> str:
    if text in SINCE:
        return text
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return ""


def _page(text: str) -> int:
    return min(int(text), MAX_PAGE) if text.isascii() and text.isdigit() and 0 < len(text) < 8 and int(text) else 1
