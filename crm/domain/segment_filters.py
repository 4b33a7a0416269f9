"""What lists of segments, of their members and of who came and went are narrowed and sorted by, read from addresses.

Pages and their exports read the same. Reading is tolerant: an argument nobody understands is left out, never an error
page. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from crm.domain.list_filters import ListFilters, day_of, one_of, page_of, words_of

SORTS: dict[str, str] = {
    "name": "Name", "-members": "Most members first", "members": "Fewest members first",
    "-changed": "Changed last first", "changed": "Changed longest ago first",
}  # fmt: skip
KINDS: dict[str, str] = {"live": "Live", "static": "Static"}
MEMBER_SORTS: dict[str, str] = {
    "name": "Name", "-since": "Newest members first", "since": "Oldest members first", "-balance": "Highest balance",
    "-sales": "Highest sales", "balance": "Lowest balance", "sales": "Lowest sales",
}  # fmt: skip
WAYS: dict[str, str] = {"in": "Came in", "out": "Left"}
CAUSES: dict[str, str] = {
    "facts": "Something about the contact changed", "day": "A day passed", "rules": "The rules were saved",
    "hand": "By hand",
}  # fmt: skip
HISTORY_DAYS = 400
"""Who came in or left is kept so long: a year and the season before it. Since when somebody is in stays with the
member."""


@dataclass(frozen=True, slots=True)
class SegmentFilters(ListFilters):
    """Empty text means "all"; archived ones are a list of their own. `owner` is an id, or "none"."""

    kind: str = ""
    owner: str = ""
    archived: str = ""
    """`1`: the archived ones instead of the others."""
    sort: str = "name"


@dataclass(frozen=True, slots=True)
class MemberFilters(ListFilters):
    """`q` finds contacts as their own list does."""

    sort: str = "name"


@dataclass(frozen=True, slots=True)
class HistoryFilters(ListFilters):
    """Newest first, always. `since` and `until` are days."""

    way: str = ""
    cause: str = ""
    since: date | None = None
    until: date | None = None
    sort: str = ""


def segment_filters(args: Mapping[str, str]) -> SegmentFilters:
    owner = args.get("owner", "")
    return SegmentFilters(
        q=words_of(args), page=page_of(args), kind=one_of(args, "kind", KINDS),
        owner=owner if owner == "none" or (owner.isascii() and owner.isdigit() and len(owner) < 10) else "",
        archived="1" if args.get("archived") == "1" else "", sort=one_of(args, "sort", SORTS) or "name",
    )  # fmt: skip


def member_filters(args: Mapping[str, str]) -> MemberFilters:
    sort = one_of(args, "sort", MEMBER_SORTS) or "name"
    return MemberFilters(q=words_of(args), page=page_of(args), sort=sort)


def history_filters(args: Mapping[str, str]) -> HistoryFilters:
    return HistoryFilters(
        q=words_of(args), page=page_of(args), way=one_of(args, "way", WAYS),
        cause=one_of(args, "cause", CAUSES), since=day_of(args.get("since", "")), until=day_of(args.get("until", "")),
    )  # fmt: skip
