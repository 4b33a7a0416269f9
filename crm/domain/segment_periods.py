"""Stretches of time that rules and figures look at: all time, the last days, a month, quarter or year, two dates.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from crm.domain.days import day_text

KINDS = {
    "all": "over all time", "days": "in the last … days", "this_month": "this month", "last_month": "last month",
    "this_quarter": "this quarter", "last_quarter": "last quarter", "this_year": "this year",
    "last_year": "last year", "dates": "between two dates",
}  # fmt: skip
MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Period:
    """`kind` is a key of KINDS; `days` belongs to `days`, `since` and `until` (included; either may be open) to
    `dates`."""

    kind: str = "all"
    days: int = 0
    since: date | None = None
    until: date | None = None

    def bounds(self, today: date) -> tuple[date | None, date | None]:
        """First and last day, both included; None: open. The last `n` days end with `today` and are `n + 1` days."""
        match self.kind:
            case "days":
                return today - timedelta(days=self.days), today
            case "dates":
                return self.since, self.until
            case "this_month":
                return _months(today.year, today.month, 1)
            case "last_month":
                return _months(today.year, today.month - 1, 1)
            case "this_quarter":
                return _months(today.year, (today.month - 1) // 3 * 3 + 1, 3)
            case "last_quarter":
                return _months(today.year, (today.month - 1) // 3 * 3 - 2, 3)
            case "this_year":
                return _months(today.year, 1, 12)
            case "last_year":
                return _months(today.year - 1, 1, 12)
        return None, None

    @property
    def words(self) -> str:
        """ "in the last 365 days", "since Nov 21, 2026"."""
        if self.kind == "days":
            return f"in the last {self.days} {'day' if self.days == 1 else 'days'}"
        if self.kind != "dates":
            return KINDS[self.kind]
        if self.since and self.until:
            return f"from {day_text(self.since)} to {day_text(self.until)}"
        return f"since {day_text(self.since)}" if self.since else f"until {day_text(self.until)}" if self.until else ""


def _months(year: int, month: int, many: int) -> tuple[date, date]:
    """From the first day of that month (0 is the December before) to the last day of the `many`th."""
    first = _first(year, month)
    return first, _first(year, month + many) - timedelta(days=1)


def _first(year: int, month: int) -> date:
    return date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)
