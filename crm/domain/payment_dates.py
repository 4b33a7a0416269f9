"""When an open invoice will probably be paid, from how this customer and everybody paid before.

Everything is counted from what was known on a day, so that the same code predicts today and is tried on days gone by
(`payment_backtest`). Days are ordinals (`date.toordinal`). An invoice that is open says that it was not paid so far;
one that a credit settled says no more than that. What is already late is compared only with what was as late. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from crm.domain.survival import NOTHING, WEIGHT, Outlook, Rates, Table, outlook, own_rates, still_open

LEAST_OWN = 3
"""Paid invoices from which on a customer's own history is spoken of."""
LEAST_COMPANY = 20
"""Paid invoices below which there is no history to speak of: the due date stands alone."""
LONGEST = 1100
"""Days: later than three years after its day nothing is expected any more."""

OWN, COMPANY, DUE, NONE = "own", "company", "due", "none"
BASES: dict[str, str] = {
    OWN: "This customer's own invoices",
    COMPANY: "Invoices of all customers",
    DUE: "The due date: there is too little history",
    NONE: "No date: too few were ever paid as late as this",
}
ISSUED, FROM_DUE = "issued", "due"
CLOCKS: dict[str, str] = {ISSUED: "the day of the invoice", FROM_DUE: "the due date"}
"""What days to payment are counted from."""


class Bill(NamedTuple):
    """One invoice. Days are ordinals."""

    id: int
    issued: int
    due: int
    ended: int | None
    """The day on which nothing was open any more; None: it is open."""
    paid: bool
    """Settled by money; False where a credit settled it, which says nothing about when money comes."""


@dataclass(slots=True)
class Lessons:
    """What all invoices known on a day say. Filled by `learn`, one customer's after the other."""

    as_of: int
    tables: dict[str, Table] = field(default_factory=lambda: {name: Table() for name in CLOCKS})

    def learn(self, bills: Sequence[Bill]) -> None:
        for name, table in self.tables.items():
            for bill in bills:
                spell = spell_of(bill, self.as_of, name)
                if spell is not None:
                    table.add(*spell)

    def company(self) -> Company:
        """Ready to predict with."""
        clock = min(CLOCKS, key=lambda name: (_spread(self.tables[name].events), name))
        table = self.tables[clock]
        return Company(self.as_of, clock, table.rates(), table.ended)


class LessonsOfDays:
    """The lessons of several days, learned together: what an invoice says changes only on the day it begins and on the
    day it ends, so each is looked at once and not once for each day. The same as `Lessons` of each day."""

    def __init__(self, days: Sequence[int]) -> None:
        self._days = sorted(days)
        self._changes = [Lessons(day) for day in self._days]
        """What is other on each day than on the one before; counts may be negative."""

    def learn(self, bills: Sequence[Bill]) -> None:
        days, changes = self._days, self._changes
        for bill in bills:
            begun = bisect_left(days, bill.issued)
            over = len(days) if bill.ended is None else max(bisect_left(days, bill.ended), begun)
            for name in CLOCKS if begun < len(days) else ():
                zero = bill.issued if name == ISSUED else bill.due
                changes[begun].tables[name].first[bill.issued - zero] += 1
                for place in range(begun, over):  # still open: at risk up to that day
                    changes[place].tables[name].last[days[place] - zero] += 1
                    if place + 1 < len(days):
                        changes[place + 1].tables[name].last[days[place] - zero] -= 1
                if over < len(days):
                    changes[over].tables[name].end(max(bill.ended or 0, bill.issued) - zero, bill.paid)

    def companies(self) -> list[Company]:
        """Of each day, oldest first."""
        tables, found = {name: Table() for name in CLOCKS}, []
        for change in self._changes:
            tables = {name: tables[name].plus(change.tables[name]) for name in CLOCKS}
            found.append(Lessons(change.as_of, tables).company())
        return found


@dataclass(frozen=True, slots=True)
class Company:
    """How everybody pays, as known on `as_of`."""

    as_of: int
    clock: str
    """Of CLOCKS, the one that days of payment keep closer to."""
    rates: Rates = NOTHING
    paid: int = 0


@dataclass(frozen=True, slots=True)
class Expected:
    """Ordinals. `on` is None where nothing is known of anything as late; `latest`: so many never were paid within what
    was seen."""

    on: int | None
    earliest: int | None
    latest: int | None
    basis: str
    sample: int
    """Paid invoices that the basis rests on."""
    shares: tuple[tuple[int, float], ...] = ()
    """(day, chance that it is still open at its end), until next to nothing is."""


def spell_of(bill: Bill, as_of: int, clock: str) -> tuple[int, int, bool] | None:
    """First and last day at risk, counted from the clock's day, and whether it was paid, as known at the end of
    `as_of`; None for an invoice that was not there yet."""
    if bill.issued > as_of:
        return None
    zero = bill.issued if clock == ISSUED else bill.due
    first = bill.issued - zero
    if bill.ended is None or bill.ended > as_of:
        return first, as_of - zero, False
    return first, max(bill.ended, bill.issued) - zero, bill.paid


def is_open(bill: Bill, as_of: int) -> bool:
    return bill.issued <= as_of and (bill.ended is None or bill.ended > as_of)


def own_history(bills: Sequence[Bill], company: Company) -> tuple[Rates, int]:
    """A customer's own rates as known on the company's day, and how many paid invoices they rest on."""
    spells = [spell for bill in bills if (spell := spell_of(bill, company.as_of, company.clock)) is not None]
    return own_rates(spells), sum(event for _, _, event in spells)


def expect(bill: Bill, company: Company, own: Rates, own_paid: int, *, weight: float = WEIGHT) -> Expected:
    """When an invoice that is open at the end of the company's day will be paid: the middle of four in five."""
    if company.paid < LEAST_COMPANY:
        return Expected(bill.due, None, None, DUE, company.paid)
    zero = bill.issued if company.clock == ISSUED else bill.due
    shares = []
    for day, share in still_open(company.rates, own, after=company.as_of - zero, weight=weight):
        shares.append((day + zero, share))
        if share <= 0.02 or day > LONGEST:
            break
    found: Outlook = outlook(shares)
    mine = own_paid >= LEAST_OWN
    sample = own_paid if mine else company.paid
    if found.middle is None:
        return Expected(None, found.early, None, NONE, sample, tuple(shares))
    return Expected(found.middle, found.early, found.late, OWN if mine else COMPANY, sample, tuple(shares))


def chance_until(expected: Expected, day: int) -> float:
    """That it is paid by the end of this day (an ordinal)."""
    share = 1.0
    for at, left in expected.shares:
        if at > day:
            break
        share = left
    return 1.0 - share


def _spread(delays: Counter[int]) -> float:
    """How far from their middle days of payment lie on average; nothing paid: as wide as can be."""
    total = sum(delays.values())
    if not total:
        return float("inf")
    middle = median(delays)
    return sum(abs(day - middle) * count for day, count in delays.items()) / total


def median(counts: Counter[int]) -> int:
    """The lower middle one. Raises ValueError of nothing."""
    half, seen = (sum(counts.values()) + 1) // 2, 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= half:
            return value
    raise ValueError("nothing has no middle")
