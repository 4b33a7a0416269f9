"""What the list of scheduled work can be narrowed and sorted by. Pure: the whole schedule fits into one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crm.domain.jobs import Judged
from crm.domain.log_filters import known

GROUPS: dict[str, str] = {
    "trouble": "Needs a look",
    "paused": "Paused",
    "running": "Running or asked for",
    "seldom": "Once an hour or less often",
    "often": "More often",
}
EARLY = datetime(1970, 1, 1, tzinfo=UTC)
ORDER = ("late", "failing", "lost", "failed", "paused", "asked", "running", "new", "good")
"""The gravest first."""

FITS: dict[str, Callable[[Judged], bool]] = {
    "trouble": lambda one: bool(one.trouble) or one.state in ("failed", "lost") or bool(one.loud),
    "paused": lambda one: one.state == "paused",
    "running": lambda one: one.state in ("running", "asked"),
    "seldom": lambda one: one.entry.seldom,
    "often": lambda one: not one.entry.seldom,
}

SORTS: dict[str, Callable[[Judged], Any]] = {
    "title": lambda one: one.entry.title.casefold(),
    "every": lambda one: one.entry.every,
    "last": lambda one: one.facts.started_at or EARLY,
    "took": lambda one: one.facts.took_ms or 0,
    "state": lambda one: ORDER.index(one.state),
    "next": lambda one: one.next_at or EARLY,
}


@dataclass(frozen=True, slots=True)
class JobFilters:
    """`q` is part of a title, a reason or a name; empty means: any."""

    q: str = ""
    state: str = ""
    """A key of GROUPS."""
    sort: str = ""


def found(judged: Sequence[Judged], filters: JobFilters) -> list[Judged]:
    """Those that fit, in the order asked for; without one those that need a look first, then as the schedule has them.

    Raises Invalid for a state there is not.
    """
    known("state", filters.state, GROUPS)
    words = filters.q.casefold().split()
    fits = FITS.get(filters.state)
    rows = [one for one in judged if all(word in _text(one) for word in words) and (fits is None or fits(one))]
    name = filters.sort.removeprefix("-")
    if name not in SORTS:
        return sorted(rows, key=lambda one: 0 if one.trouble or one.loud else 1)
    return sorted(rows, key=SORTS[name], reverse=filters.sort.startswith("-"))


def _text(one: Judged) -> str:
    return f"{one.entry.title} {one.entry.reason} {one.key} {one.words}".casefold()
