"""Small parts every written record has: exact amounts, Pacific time stamps, the envelope of Id and MetaData.

Used by `customers`, `documents` and `books`. Days are counted backwards from the company's today.
"""

from datetime import date, datetime, time, timedelta
from decimal import Decimal

from sandbox.seed.lists import Record
from sandbox.times import PACIFIC

HUNDRED = Decimal(100)
ZERO = Decimal(0)


def money(cents: int) -> Decimal:
    """Exact amount; whole amounts without needless zeros."""
    return Decimal(cents) / HUNDRED


def base(number: str, token: str, created: str, updated: str) -> Record:
    """The members every record carries."""
    return {"domain": "QBO", "sparse": False, "Id": number, "SyncToken": token,
            "MetaData": {"CreateTime": created, "LastUpdatedTime": updated}}  # fmt: skip


class Calendar:
    """Turns "so many days before today" into dates and Pacific time stamps, each day worked out once."""

    def __init__(self, today: date):
        self.today = today
        self._days: dict[int, tuple[str, str]] = {}

    def _day(self, age: int) -> tuple[str, str]:
        known = self._days.get(age)
        if known is None:
            day = self.today - timedelta(days=age)
            offset = datetime.combine(day, time(12), PACIFIC).isoformat()[-6:]
            known = self._days[age] = day.isoformat(), offset
        return known

    def date(self, age: int) -> str:
        return self._day(age)[0]

    def stamp(self, age: int, second: int) -> str:
        """`second` counts from midnight; use office hours, so that a change of the clocks does not matter."""
        day, offset = self._day(age)
        return f"{day}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}{offset}"
