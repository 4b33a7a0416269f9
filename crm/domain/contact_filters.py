"""What a list of contacts is narrowed and sorted by, read from the arguments of its address.

The list page, its export, the API and saved views all read the same `Filters`, so that they show the same contacts.
Reading is tolerant: an argument nobody understands is left out, never an error page. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from crm.domain.amounts import read_number
from crm.domain.contacts import LINK_STATES, TYPES
from crm.domain.list_filters import ListFilters, page_of, words_of

SORTS: dict[str, str] = {
    "name": "Name",
    "balance": "Balance",
    "sales": "Total sales",
    "activity": "Last activity",
    "created": "Created",
}
BALANCES: dict[str, str] = {"open": "With open balance", "overdue": "Overdue"}
SINCE: dict[str, int] = {"7d": 7, "30d": 30, "90d": 90, "365d": 365}
MADE_BY = re.compile(r"(file|quickbooks)-[1-9][0-9]{0,8}")
RFM = re.compile(r"[1-5]-[1-5]")


@dataclass(frozen=True, slots=True)
class Filters(ListFilters):
    """Empty text means "all". `owner` and `tag` are ids, or "none" for contacts without one."""

    owner: str = ""
    tag: str = ""
    type: str = ""
    link: str = ""
    balance: str = ""
    """`open`, `overdue`, or an amount: more than that."""
    since: str = ""
    """`7d`, `30d`, `90d`, `365d` or an ISO date: last activity on or after it."""
    archived: bool = False
    held: bool = False
    """Only those held from automation since an import made them."""
    made_by: str = ""
    """Of these only one import's: `file-7`, `quickbooks-3`."""
    segment: str = ""
    """Id of a segment: its members."""
    rfm: str = ""
    """How recently and how often they bought, in fifths: `5-3`."""
    sort: str = "name"

    @property
    def narrowed(self) -> bool:
        names = ("q", "owner", "tag", "type", "link", "balance", "since", "held", "made_by", "segment", "rfm")
        return any(getattr(self, name) for name in names)

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
        out = ListFilters.query(self)
        return out | {name: "1" for name in ("archived", "held") if name in out}


def read(args: Mapping[str, str]) -> Filters:
    """The filters an address asks for."""
    sort = args.get("sort", "name")
    return Filters(
        q=words_of(args),
        owner=_id_or_none(args.get("owner", "")),
        tag=_id_or_none(args.get("tag", "")),
        type=args.get("type", "") if args.get("type", "") in TYPES else "",
        link=args.get("link", "") if args.get("link", "") in LINK_STATES else "",
        balance=_balance(args.get("balance", "")),
        since=_since(args.get("since", "")),
        archived=args.get("archived", "") == "1",
        held=args.get("held", "") == "1",
        made_by=args.get("made_by", "") if MADE_BY.fullmatch(args.get("made_by", "")) else "",
        segment=_id_or_none(args.get("segment", "")).replace("none", ""),
        rfm=args.get("rfm", "") if RFM.fullmatch(args.get("rfm", "")) else "",
        sort=sort if sort.removeprefix("-") in SORTS else "name",
        page=page_of(args),
    )


def read_amount(text: str) -> Decimal | None:
    """ "$1,500" -> 1500; None for what is no amount of at most two decimals."""
    try:
        amount = read_number(text)
    except ValueError:
        return None
    if amount is None or amount < 0 or amount >= 10**12:
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
