"""What every list's filters are: a search, an order, a page, and the address they make. Pure.

A list has a class of its own, whose further fields are what it is narrowed by; each with its plain value as default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, Self

PAGE_SIZE = 50
MAX_PAGE = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilters:
    q: str = ""
    sort: str = ""
    """A key of the list's orders; with `-` before it the other way round."""
    page: int = 1

    @property
    def sort_key(self) -> str:
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        return self.sort.startswith("-")

    @property
    def narrowed(self) -> bool:
        return bool(self.query().keys() - {"sort"})

    def query(self) -> dict[str, str]:
        """As arguments of an address: only what differs from the plain list, without the page."""
        plain = type(self)()
        names = [one.name for one in fields(self) if one.name not in ("page", "sort")]
        found = {name: getattr(self, name) for name in (*names, "sort")}
        return {name: str(value) for name, value in found.items() if value != getattr(plain, name)}

    def without(self, *names: str) -> Self:
        """Less narrow by these, from the first page on."""
        plain = type(self)()
        given: dict[str, Any] = {name: getattr(plain, name) for name in names}
        return replace(self, page=1, **given)


def words_of(args: Mapping[str, str]) -> str:
    """What is searched for."""
    return args.get("q", "").strip()[:200]


def page_of(args: Mapping[str, str]) -> int:
    text = args.get("page", "")
    whole = text.isascii() and text.isdigit() and len(text) < 8 and int(text) > 0
    return min(int(text), MAX_PAGE) if whole else 1


def one_of(args: Mapping[str, str], name: str, known: Mapping[str, str]) -> str:
    """The choice, or nothing where there is no such choice."""
    return args.get(name, "") if args.get(name, "") in known else ""


def day_of(text: str) -> date | None:
    """The day an address names; None for what is no day."""
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        return None
