"""What figures of the dashboard mean, in words and as plain calculations. Pure.

Every figure has a line in FORMULAS, shown beside it; where there is too little to tell, a sentence stands in place of
a number (LEAST_*). Amounts are in the home currency; what is in others is named beside and never added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from crm.domain.periods import Span, month_span, months

ZERO = Decimal(0)
DSO_DAYS = 90
LEAST_INVOICES = 10
"""Invoices of the last DSO_DAYS days that days of sales outstanding need."""
LEAST_DECIDED = 10
"""Decided quotes that a win rate, and days to decide, need."""
LEAST_JOBS = 5
"""Invoices that an average needs."""
LEAST_KNOWN = Decimal("0.5")
"""Share of sales with a known cost that a margin needs."""
MOST_DAYS, MOST_MONTHS = 31, 36
"""A longer span is shown by month, and a still longer one by year."""

FORMULAS: dict[str, str] = {
    "invoiced": "The totals of issued invoices dated in the period, tax included: no drafts, none that are void, held "
    "back or deleted. Credit memos are not taken off; they are named beside.",
    "collected": "Payments received in the period, those of QuickBooks and those recorded here that are not there yet, "
    "void ones left out. A payment counts on its own day, whatever it was for.",
    "receivables": "What is open of all issued invoices today, whatever the period. Credits and payments that are not "
    "applied to an invoice are not taken off.",
    "dso": f"Days of sales outstanding: what is open today, divided by what was invoiced in the last {DSO_DAYS} days, "
    f"times {DSO_DAYS}. It needs {LEAST_INVOICES} invoices in these days.",
    "pipeline": "The totals of quotes that the customer has and may still accept today: sent or viewed, not expired, "
    "nothing invoiced yet. Estimates pending in QuickBooks are drafts here and left out; the forecast counts them.",
    "weighted": "Each open quote, without tax, times the share of quotes of its age, its size and its sort of customer "
    "that were won in the past. What may be won later than in a year is not counted. As the forecast does, it counts "
    "expired quotes nobody answered and estimates pending in QuickBooks as well, which the open quotes leave out.",
    "average": f"What was invoiced in the period, divided by the number of these invoices. It needs {LEAST_JOBS}.",
    "win_rate": "Of quotes dated in the period: those accepted or invoiced, divided by these and those declined or "
    f"expired. It needs {LEAST_DECIDED} of them together.",
    "decide": "The middle one (median) of the days from a quote's date to the customer's answer, of quotes dated in "
    f"the period that were accepted or declined. It needs {LEAST_DECIDED}.",
    "margin": "Of lines of issued invoices dated in the period whose cost is known: their amounts less their cost, as "
    "it stood when each was written, before discounts of a whole invoice.",
    "time": "Invoiced by the invoice's date, collected by the payment's day. Each part stands beside the part at the "
    "same place of the other period.",
    "aging": "What is open of issued invoices, by days past due today. One without a due date counts from its own day.",
    "customers": "Totals of issued invoices dated in the period, by the contact they are for, the highest first.",
    "newness": "New: the contact's first issued invoice is dated in the period. Returning: it was invoiced before.",
    "services": "Amounts of the lines of issued invoices dated in the period, before tax and before discounts of a "
    "whole invoice; the last row leads to what was invoiced. Margin: of lines whose cost is known, their amounts less "
    f"their cost as it stood when each was written; where that covers less than {LEAST_KNOWN:.0%}, none is told.",
    "places": "Totals of issued invoices dated in the period, by the address of the contact they are for, however it "
    "is spelled.",
    "quotes": "Quotes as they stand today: with the customer, or accepted and not invoiced. Won and lost ones are "
    "those dated in the period.",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Amount:
    """What documents come to."""

    home: Decimal = ZERO
    number: int = 0
    """Of documents in the home currency."""
    others: tuple[tuple[str, Decimal], ...] = ()
    """(currency, amount) of the rest."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a period: a day, a month or a year."""

    label: str
    span: Span


@dataclass(frozen=True, slots=True)
class Cell:
    value: object
    url: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    label: str
    kind: str = "text"
    """`text`, `money`, `number`, `share` (of one) or `change`."""
    spare: bool = False
    """Left out where there is little room."""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures as a page, a CSV file and a chart show them. `total` is the whole that the rows are parts of."""

    key: str
    title: str
    formula: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] = ()
    more: int = 0
    """Rows that are there beyond these."""
    note: str = ""


def summed(rows: Iterable[tuple[date | None, str, Decimal, int]], home: str) -> Amount:
    """(day, currency, amount, number) put together; no currency is the home currency."""
    amount, number = ZERO, 0
    others: dict[str, Decimal] = {}
    for _, currency, value, count in rows:
        if currency in ("", home):
            amount, number = amount + value, number + count
        else:
            others[currency] = others.get(currency, ZERO) + value
    return Amount(amount, number, tuple(sorted(others.items())))


def stretches(span: Span, days: Iterable[date | None] = ()) -> list[Stretch]:
    """The days, months or years of a period. One without ends reaches from the first to the last of `days`."""
    if span.since is None or span.until is None:
        known = [day for day in days if day is not None]
        if not known:
            return []
        span = Span(span.since or min(known), span.until or max(known))
    assert span.since is not None and span.until is not None
    if (span.days or 0) <= MOST_DAYS:
        all_days = [date.fromordinal(at) for at in range(span.since.toordinal(), span.until.toordinal() + 1)]
        return [Stretch(f"{day:%b} {day.day}", Span(day, day)) for day in all_days]
    parts = months(span)
    if len(parts) <= MOST_MONTHS:
        return [Stretch(f"{month:%b %Y}", month_span(month, span)) for month in parts]
    years = range(span.since.year, span.until.year + 1)
    return [
        Stretch(str(year), Span(max(span.since, date(year, 1, 1)), min(span.until, date(year, 12, 31))))
        for year in years
    ]


def by_stretch(
    rows: Iterable[tuple[date | None, str, Decimal, int]], parts: Sequence[Stretch], home: str
) -> list[Decimal]:
    """What of the home currency falls into each part."""
    found = [ZERO] * len(parts)
    place: dict[int, int] = {}
    for at, part in enumerate(parts):
        if part.span.since and part.span.until:
            place |= dict.fromkeys(range(part.span.since.toordinal(), part.span.until.toordinal() + 1), at)
    for day, currency, value, _ in rows:
        if day is not None and currency in ("", home) and day.toordinal() in place:
            found[place[day.toordinal()]] += value
    return found


def share(part: Decimal, whole: Decimal) -> Decimal | None:
    """None of nothing."""
    return part / whole if whole else None


def change(now: Decimal, then: Decimal) -> Decimal | None:
    """By what share it grew; None where there was nothing, or less than nothing."""
    return (now - then) / then if then > 0 else None


def dso(open_now: Decimal, sold: Decimal, invoices: int) -> int | None:
    """Whole days; None where too little was sold to tell. `sold`, `invoices`: of the last DSO_DAYS days."""
    if invoices < LEAST_INVOICES or sold <= 0:
        return None
    return int((open_now * DSO_DAYS / sold).quantize(Decimal(1), ROUND_HALF_UP))


def average(amount: Decimal, number: int) -> Decimal | None:
    """To the cent; None of too few."""
    return (amount / number).quantize(Decimal("0.01"), ROUND_HALF_UP) if number >= LEAST_JOBS else None


def win_rate(won: int, lost: int) -> Decimal | None:
    return Decimal(won) / (won + lost) if won + lost >= LEAST_DECIDED else None


def median(counted: Sequence[tuple[int, int]]) -> int | None:
    """The middle of (value, how often), sorted by value; of two middle ones the lower. None of too few."""
    number = sum(count for _, count in counted)
    if number < LEAST_DECIDED:
        return None
    seen = 0
    for value, count in counted:
        seen += count
        if seen * 2 >= number:
            return value
    return None


def margin(amount: Decimal, known: Decimal, cost: Decimal) -> tuple[Decimal, Decimal] | None:
    """(margin, its share) of sales whose cost is known for `known` of them; None where that covers too little."""
    if amount <= 0 or known <= 0 or known / amount < LEAST_KNOWN:
        return None
    return known - cost, (known - cost) / known
