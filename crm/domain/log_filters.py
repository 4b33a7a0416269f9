"""What the sync log can be narrowed by: read from an address by its page, from a query by the API."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import date

from crm.domain.errors import Invalid

DIRECTIONS = (("in", "From QuickBooks"), ("out", "To QuickBooks"))
LEVELS = (("info", "Information"), ("warning", "Warning"), ("error", "Error"))
LARGEST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class LogFilters:
    """Empty text and None mean: any."""

    q: str = ""
    """Part of a sentence or of a contact's name; or a QuickBooks id, an error code, a trace id."""
    direction: str = ""
    trigger: str = ""
    kind: str = ""
    level: str = ""
    event: str = ""
    outcome: str = ""
    error_code: str = ""
    since: str = ""
    """A day (UTC), as in 2026-11-21."""
    until: str = ""
    run_id: int | None = None
    contact_id: int | None = None
    connection_id: int | None = None

    def query(self) -> dict[str, str]:
        """As it stands in an address: only what says something."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: str(value) for name, value in found.items() if value not in ("", None)}


NUMBERS = ("run_id", "contact_id", "connection_id")


def read(args: Mapping[str, str]) -> LogFilters:
    """As an address says them. What is not a number where one belongs finds nothing, rather than everything."""
    values: dict[str, str | int | None] = {}
    for one in fields(LogFilters):
        text = args.get(one.name, "").strip()[:200]
        values[one.name] = number(text) if one.name in NUMBERS else text
    return LogFilters(**values)  # type: ignore[arg-type]


def number(text: str) -> int | None:
    """None where nothing is said; 0, the id of nothing, where it is no number."""
    if not text:
        return None
    return min(int(text), LARGEST_ID) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def days(since: str, until: str) -> tuple[date | None, date | None]:
    """The first and the last day of a range, None where nothing is said.

    Raises Invalid for a date that is none, and for a range that ends before it begins.
    """
    first, last = (day(name, text) for name, text in (("since", since), ("until", until)))
    if first is not None and last is not None and last < first:
        raise Invalid({"until": "The range ends before it begins. Exchange the two days."})
    return first, last


def known(name: str, value: str, words: Collection[str]) -> None:
    """Raises Invalid for a word that no line can have, so that nobody takes it for “none of these”."""
    if value and value not in words:
        raise Invalid({name: f"There is no “{value}” to choose. Choose one of the list, or leave it out."})


def day(name: str, text: str) -> date | None:
    """None where nothing is said. Raises Invalid, naming the field, for a date that is none."""
    found = day_of(text) if text else None
    if text and found is None:
        raise Invalid({name: f"“{text}” is not a date. Write it as 2026-11-21."})
    return found


def day_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
