"""When an invoice is due by its terms, as QuickBooks works it out. Pure.

Terms are days after the invoice's date (STANDARD, `due_days`), or a day of the month (DATE_DRIVEN, `day_of_month`); one
issued within `next_month_days` of that day is due in the month after. [Term: DueDays, DayOfMonthDue, DueNextMonthDays]
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

DATE_DRIVEN = "date_driven"


def due_on(issued: date, details: Mapping[str, Any] | None) -> date:
    """The day by these details of the term (`list_entries.details`); without terms the invoice's own day."""
    details = details or {}
    day = details.get("day_of_month")
    if str(details.get("type", "")).lower() == DATE_DRIVEN or (day and details.get("due_days") is None):
        return _day_of_month(issued, int(day or 1), int(details.get("next_month_days") or 0))
    return issued + timedelta(days=max(0, int(details.get("due_days") or 0)))


def _day_of_month(issued: date, day: int, margin: int) -> date:
    found = _in_month(issued.year, issued.month, day)
    while found < issued + timedelta(days=max(0, margin)):
        year, month = (found.year + 1, 1) if found.month == 12 else (found.year, found.month + 1)
        found = _in_month(year, month, day)
    return found


def _in_month(year: int, month: int, day: int) -> date:
    """That day, or the month's last one."""
    return date(year, month, min(max(day, 1), calendar.monthrange(year, month)[1]))
