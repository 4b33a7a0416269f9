"""Which calendar day it is at a company: what "overdue" and "expired" are measured by. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def company_day(now: datetime, zone: str) -> date:
    """The day in the company's time zone ("America/New_York") at this moment, aware; UTC where the zone is unknown."""
    if now.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    place: tzinfo
    try:
        place = ZoneInfo(zone) if zone else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        place = UTC
    return now.astimezone(place).date()


FIRST_YEAR, LAST_YEAR = 1990, 2100
"""Of days people write on documents; what lies outside is a slip of the keyboard."""


def read_day(text: str) -> date:
    """What a person typed: "2026-11-30". Raises ValueError for what is no day of those years."""
    day = date.fromisoformat(text.strip())
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(text)
    return day


def day_text(day: date) -> str:
    """As people write it: "Nov 21, 2026"."""
    return f"{day:%b} {day.day}, {day.year}"
