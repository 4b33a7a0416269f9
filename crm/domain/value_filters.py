"""What the list of customer values is narrowed and sorted by, read from the arguments of its address.

The page and its export read the same. Reading is tolerant: what nobody understands is left out. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from crm.domain.amounts import read_number
from crm.domain.list_filters import ListFilters, page_of, words_of

SORTS: dict[str, str] = {
    "expected": "Next twelve months", "sales": "Sales so far", "simple": "Three years at this pace",
    "margin": "Margin", "chance": "Chance to buy again", "name": "Name",
}  # fmt: skip
CHANCES: dict[str, str] = {"likely": "Likely to buy again (half or more)", "unlikely": "Unlikely (below one in five)"}
PLAIN_SORT = "-expected"


@dataclass(frozen=True, slots=True)
class Filters(ListFilters):
    """Empty text means all."""

    q: str = ""
    """Name, company, phone or e-mail of the contact."""
    chance: str = ""
    least: str = ""
    """Sales so far, at least; as typed where it is a number."""
    margin: str = ""
    """`yes`: only those whose margin is known."""
    sort: str = PLAIN_SORT

    @property
    def narrowed(self) -> bool:
        return bool(self.q or self.chance or self.least or self.margin)

    @property
    def least_amount(self) -> Decimal | None:
        return read_number(self.least) if self.least else None


def read(args: Mapping[str, str]) -> Filters:
    sort, chance = args.get("sort", PLAIN_SORT), args.get("chance", "")
    return Filters(
        q=words_of(args),
        chance=chance if chance in CHANCES else "",
        least=_number(args.get("least", "")),
        margin="yes" if args.get("margin") == "yes" else "",
        sort=sort if sort.removeprefix("-") in SORTS else PLAIN_SORT,
        page=page_of(args),
    )


def _number(text: str) -> str:
    try:
        found = read_number(text.strip()[:20])
    except ValueError:
        return ""
    return text.strip()[:20] if found is not None and 0 <= found < 10**14 else ""
