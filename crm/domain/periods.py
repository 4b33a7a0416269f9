"""Periods that figures are asked for, and what each is compared with, read from the arguments of an address.

A period that is still running ends today, and what it is compared with ends just as far into its own: Nov 1–21 beside
Oct 1–21. A day that ends its month stands for the end of the other month (Feb 28 beside Jan 31, Mar 31 beside Feb 29).
A fiscal year may begin with another month than January; quarters and years then follow it. Pure.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MINYEAR, date, timedelta

from crm.domain.days import day_text
from crm.domain.errors import Invalid

MONTH, LAST_MONTH, QUARTER, YEAR, LAST_YEAR, TWELVE, ALL, OWN = (
    "month", "last_month", "quarter", "year", "last_year", "12_months", "all", "own",
)  # fmt: skip
PERIODS: dict[str, str] = {
    MONTH: "This month", LAST_MONTH: "Last month", QUARTER: "This quarter", YEAR: "This year", LAST_YEAR: "Last year",
    TWELVE: "Last 12 months", ALL: "All time", OWN: "Own dates",
}  # fmt: skip
BEFORE, YEAR_AGO, NOTHING = "before", "year", "none"
COMPARISONS: dict[str, str] = {
    YEAR_AGO: "The same days a year ago", BEFORE: "The period before", NOTHING: "Nothing",
}  # fmt: skip
BACK: dict[str, int] = {MONTH: 1, LAST_MONTH: 1, QUARTER: 3, YEAR: 12, LAST_YEAR: 12, TWELVE: 12}
"""Months from a named period to the one before it."""
PLAIN, PLAIN_COMPARISON = TWELVE, YEAR_AGO
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
OLDEST = 1900
"""No business here has older papers; a year before it is a slip of the keyboard."""


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` to `until`, both included; None: without an end on that side."""

    since: date | None = None
    until: date | None = None

    @property
    def days(self) -> int | None:
        """How many days; None where it has no end on a side."""
        return (self.until - self.since).days + 1 if self.since and self.until else None

    @property
    def words(self) -> str:
        """As people write it, as short as it stays clear: "Nov 1 – 21, 2026"."""
        if self.since is None or self.until is None:
            return "All time"
        first, last = self.since, self.until
        if first == last:
            return day_text(first)
        if first.year != last.year:
            return f"{day_text(first)} – {day_text(last)}"
        if first.month != last.month:
            return f"{first:%b} {first.day} – {day_text(last)}"
        return f"{first:%b} {first.day} – {last.day}, {last.year}"

    def query(self) -> dict[str, str]:
        """As lists take it."""
        return {
            name: day.isoformat() for name, day in (("since", self.since), ("until", self.until)) if day is not None
        }


@dataclass(frozen=True, slots=True)
class Period:
    """What an address asks for."""

    key: str
    compare: str
    span: Span
    other: Span | None
    """What it is compared with; None: with nothing."""

    @property
    def title(self) -> str:
        return self.span.words if self.key == OWN else PERIODS[self.key]

    @property
    def other_words(self) -> str:
        """The other days in words; empty where it is compared with nothing."""
        return self.other.words if self.other else ""

    def query(self) -> dict[str, str]:
        """As arguments of an address: only what differs from the plain page."""
        found = {} if self.key == PLAIN else {"period": self.key}
        if self.key == OWN:
            found |= self.span.query()
        if self.compare != PLAIN_COMPARISON:
            found["compare"] = self.compare
        return found


def read(args: Mapping[str, str], *, today: date, first_month: int = 1) -> Period:
    """The period an address asks for. Raises Invalid with a sentence beside the argument that cannot be read.

    `today`: the company's own day; `first_month`: of its fiscal year, 1 to 12.
    """
    key, compare = args.get("period", "") or PLAIN, args.get("compare", "") or PLAIN_COMPARISON
    given = {name: args.get(name, "").strip() for name in ("since", "until")}
    if any(given.values()) and not args.get("period"):
        key = OWN
    wrong = {}
    if key not in PERIODS:
        wrong["period"] = f"Period: “{key[:40]}” is none. Choose one of the list."
    if compare not in COMPARISONS:
        wrong["compare"] = f"Compare with: “{compare[:40]}” is not known. Choose one of the list."
    own = _own(given, wrong) if key == OWN else Span()
    if wrong:
        raise Invalid(wrong)
    span = own if key == OWN else named(key, today=today, first_month=first_month)
    return Period(key, compare, span, compared(span, compare, key))


def named(key: str, *, today: date, first_month: int = 1) -> Span:
    """The days of a period of PERIODS (`own` has none of its own)."""
    this_month = today.replace(day=1)
    year = fiscal_year(today, first_month)
    quarter = _months(year, ((today.year - year.year) * 12 + today.month - year.month) // 3 * 3)
    if key == TWELVE:
        return Span(shifted(today, -12) + timedelta(days=1), today)
    return {
        MONTH: Span(this_month, today),
        LAST_MONTH: Span(_months(this_month, -1), this_month - timedelta(days=1)),
        QUARTER: Span(quarter, today),
        YEAR: Span(year, today),
        LAST_YEAR: Span(_months(year, -12), year - timedelta(days=1)),
    }.get(key, Span())


def fiscal_year(today: date, first_month: int = 1) -> date:
    """The first day of the fiscal year that `today` is in."""
    return date(today.year if today.month >= first_month else today.year - 1, first_month, 1)


def month_of(text: str) -> int:
    """1 to 12 of a month's English name, as the books write it; 1 where it is none."""
    return MONTHS.index(text.strip().capitalize()) + 1 if text.strip().capitalize() in MONTHS else 1


def compared(span: Span, compare: str, key: str = OWN) -> Span | None:
    """What a span is compared with; None for nothing, and for a span without ends.

    The period before a named one lies as many months back as the name says. Own dates of whole months go back by as
    many months, any others by as many days.
    """
    if compare == NOTHING or span.since is None or span.until is None:
        return None
    back = 12 if compare == YEAR_AGO else BACK.get(key) or _whole_months(span.since, span.until)
    if back:
        return _moved(span.since, span.until, back)
    last = span.since - timedelta(days=1)
    return Span(last - (span.until - span.since), last)


def _whole_months(since: date, until: date) -> int:
    """How many a span is; 0 where it is not made of whole months."""
    ends = until.day == monthrange(until.year, until.month)[1]
    return (until.year - since.year) * 12 + until.month - since.month + 1 if since.day == 1 and ends else 0


def shifted(day: date, months: int) -> date:
    """The same day so many months later; the end of a month stays one, and no day is beyond its month's end."""
    first = _months(day.replace(day=1), months)
    last = monthrange(first.year, first.month)[1]
    ends = day.day == monthrange(day.year, day.month)[1]
    return first.replace(day=last if ends else min(day.day, last))


def months(span: Span) -> list[date]:
    """The first days of the months that a span with ends touches, in order."""
    if span.since is None or span.until is None:
        return []
    found, month = [], span.since.replace(day=1)
    while month <= span.until:
        found.append(month)
        month = _months(month, 1)
    return found


def month_span(month: date, within: Span) -> Span:
    """The days of a month that lie within a span."""
    last = month.replace(day=monthrange(month.year, month.month)[1])
    since = max(month, within.since) if within.since else month
    return Span(since, min(last, within.until) if within.until else last)


def _moved(since: date, until: date, back: int) -> Span:
    first = _months(since, -back) if since.day == 1 else shifted(since - timedelta(days=1), -back) + timedelta(days=1)
    return Span(first, shifted(until, -back))


def _months(first: date, number: int) -> date:
    """The first day of the month so many months later."""
    at = first.year * 12 + first.month - 1 + number
    return date(max(at // 12, MINYEAR), at % 12 + 1, 1)


def _own(given: Mapping[str, str], wrong: dict[str, str]) -> Span:
    titles = {"since": "From", "until": "Until"}
    days: dict[str, date] = {}
    for name, text in given.items():
        try:
            days[name] = date.fromisoformat(text) if len(text) == 10 else date.fromisoformat("")
            if days[name].year < OLDEST or days[name].year > 9000:
                wrong[name] = f"{titles[name]}: the year {days[name].year} is none that figures are kept for."
        except ValueError:
            said = f"“{text[:40]}” is no day" if text else "a day is missing"
            wrong[name] = f"{titles[name]}: {said}. Write it as 2026-11-21."
    if not wrong and days["until"] < days["since"]:
        wrong["until"] = f"Until: {day_text(days['until'])} is before {day_text(days['since'])}. Choose a later day."
    return Span(days.get("since"), days.get("until")) if not wrong else Span()
