"""Whether a month's calls will last, at the pace of the last days. Pure; months are those of UTC, as calls are counted.

Intuit's free tier includes 500,000 metered reads a month for all companies of an app together, and refuses reads beyond
until the next month begins (its App Partner Program, 2025). What Intuit's own clock calls a month it does not say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

DAYS = 7
"""The pace is that of this many days back."""
EASE = 0.95
"""A month that was short is enough again only when it would end this far below its budget: no to and fro."""


@dataclass(frozen=True, slots=True)
class Forecast:
    used: int
    """Since the month began."""
    budget: int
    a_day: float
    month_ends: datetime
    expected: int
    """At the end of the month, at this pace."""
    lasts_until: datetime | None
    """When it runs out at this pace; None when it lasts the month. In the past when it has run out."""

    @property
    def short(self) -> bool:
        return self.lasts_until is not None

    @property
    def used_up(self) -> bool:
        return self.used >= self.budget

    @property
    def eased(self) -> bool:
        return self.expected <= self.budget * EASE


def forecast(now: datetime, *, budget: int, used: int, recent: int, recent_days: float) -> Forecast:
    """`recent` calls were made in the `recent_days` up to now, which may reach into the month before."""
    ends = month_end(now)
    a_day = recent / max(1.0, recent_days)
    left = (ends - now) / timedelta(days=1)
    expected = round(used + a_day * left)
    runs_out = None
    if used >= budget:
        runs_out = now
    elif expected > budget:
        runs_out = min(now + timedelta(days=(budget - used) / a_day), ends)
    return Forecast(used, budget, a_day, ends, expected, runs_out)


def month_start(now: datetime) -> datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_end(now: datetime) -> datetime:
    """The first moment of the next month."""
    return month_start(month_start(now) + timedelta(days=32))
