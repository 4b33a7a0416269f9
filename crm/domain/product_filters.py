"""What a list of products is narrowed and sorted by, read from the arguments of its address, and what is searched in.

The page, its export, the API and pickers read the same. Reading is tolerant: an argument nobody understands is left
out, never an error page. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crm.domain.list_filters import ListFilters, page_of, words_of
from crm.domain.names import fold
from crm.domain.products import TYPES

SORTS: dict[str, str] = {
    "name": "Name", "sku": "SKU", "price": "Price", "cost": "Cost", "stock": "In stock", "updated": "Changed",
}  # fmt: skip
STATES: dict[str, str] = {"inactive": "Inactive", "all": "Active and inactive"}
STOCK: dict[str, str] = {"low": "At or below reorder point", "out": "Nothing in stock"}
BOOKS: dict[str, str] = {"in": "In QuickBooks", "out": "Not in QuickBooks"}
COSTS: dict[str, str] = {"none": "Without cost"}
YES_NO: dict[str, str] = {"yes": "Taxable", "no": "Not taxable"}


@dataclass(frozen=True, slots=True)
class Filters(ListFilters):
    """Empty text means "all"; of `active` those in use. Categories are listed only where they are asked for."""

    type: str = ""
    category: str = ""
    """A category's path; what stands in its sub-categories is meant too."""
    active: str = ""
    taxable: str = ""
    stock: str = ""
    books: str = ""
    cost: str = ""
    sort: str = "name"

    @property
    def narrowed(self) -> bool:
        return any(getattr(self, name) for name in NARROWING)


NARROWING = ("q", "type", "category", "active", "taxable", "stock", "books", "cost")
_CHOICES: dict[str, Mapping[str, str]] = {
    "type": TYPES, "active": STATES, "taxable": YES_NO, "stock": STOCK, "books": BOOKS, "cost": COSTS,
}  # fmt: skip


def read(args: Mapping[str, str]) -> Filters:
    """The filters an address asks for."""
    sort = args.get("sort", "name")
    chosen = {name: args.get(name, "") for name, known in _CHOICES.items() if args.get(name, "") in known}
    return Filters(
        q=words_of(args),
        category=args.get("category", "").strip()[:500],
        sort=sort if sort.removeprefix("-") in SORTS else "name",
        page=page_of(args),
        **chosen,
    )


def search_text(*, name: str, sku: str, category: str, description: str) -> str:
    """One folded text to search in, beginning with a blank, so that " am" finds every word that begins so.

    A SKU stands there as typed ("ab 12 3") and without its marks ("ab123"), so that either finds it.
    """
    parts = [fold(name), fold(sku), fold(sku).replace(" ", ""), fold(category), fold(description)]
    return "".join(f" {part}" for part in dict.fromkeys(parts) if part)


def search_terms(text: str) -> tuple[str, ...]:
    """What a search asks for: a product is found when its search text holds every term."""
    return tuple(dict.fromkeys(fold(text[:200]).split()))
