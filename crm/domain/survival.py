"""How long something lasts until it happens, from what ended and from what is still going on.

Days are whole numbers on any scale. What is still open says that it lasted at least so long, so it counts as at risk
up to its last day and as no event (the product-limit estimate of Kaplan and Meier, 1958, with late entry). One group's
own days are shrunk to everybody's day by day: `(own events + weight * rate of all) / (own at risk + weight)`, the
posterior mean of a beta process (Hjort, 1990). Nothing of one's own gives everybody's rates, much of it one's own.
Numbers here are chances, never money. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

LEAST_AT_RISK = 5
"""Fewer than so many still open say nothing about what comes later."""
SPREAD = ((-3, 1 / 16), (-2, 2 / 16), (-1, 3 / 16), (0, 4 / 16), (1, 3 / 16), (2, 2 / 16), (3, 1 / 16))
"""Who pays on day 20 might as well have paid on day 19 or 22: one's own few days are spread over their neighbours."""
WEIGHT = 4.0
"""As though so many of everybody's stood beside one's own."""


@dataclass(slots=True)
class Table:
    """Counts from which rates are made. One spell: open on each day from `first` to `last`, where it ended or where
    it was last looked at."""

    first: Counter[int] = field(default_factory=Counter)
    last: Counter[int] = field(default_factory=Counter)
    events: Counter[int] = field(default_factory=Counter)
    ended: int = 0
    """How many spells ended in the event."""

    def add(self, first: int, last: int, event: bool) -> None:
        """Raises ValueError for a spell that ends before it begins."""
        if last < first:
            raise ValueError("a spell cannot end before it begins")
        self.first[first] += 1
        self.end(last, event)

    def end(self, last: int, event: bool) -> None:
        """The last day of a spell that was begun before."""
        self.last[last] += 1
        if event:
            self.events[last] += 1
            self.ended += 1

    def plus(self, other: Table) -> Table:
        """The counts of both together; what comes to nothing is left out."""
        return Table(
            self.first + other.first, self.last + other.last, self.events + other.events, self.ended + other.ended
        )

    def rates(self, least: int = LEAST_AT_RISK) -> Rates:
        """The chance of the event on each day, of those still open; up to the last day on which `least` were."""
        return _rates(self.first, self.last, self.events, least)


@dataclass(frozen=True, slots=True)
class Rates:
    """From day `start` on, a place for each day: how many were open, and for how many it happened."""

    start: int
    at_risk: tuple[float, ...]
    events: tuple[float, ...]

    @property
    def end(self) -> int:
        """The first day of which nothing is known."""
        return self.start + len(self.at_risk)

    def rate(self, day: int) -> float:
        at = day - self.start
        if not 0 <= at < len(self.at_risk) or not self.at_risk[at]:
            return 0.0
        return self.events[at] / self.at_risk[at]


NOTHING = Rates(0, (), ())


def own_rates(spells: Sequence[tuple[int, int, bool]]) -> Rates:
    """Of one group's few spells (first day, last day, whether it happened), each event spread over its neighbours."""
    first: Counter[int] = Counter()
    last: Counter[int] = Counter()
    events: Counter[int] = Counter()
    for begun, ended, event in spells:
        first[begun] += 1
        if not event:
            last[ended] += 1
            continue
        for shift, part in SPREAD:
            day = max(ended + shift, begun)
            last[day] += part  # type: ignore[assignment]
            events[day] += part  # type: ignore[assignment]
    return _rates(first, last, events, 0)


def _rates(first: Counter[int], last: Counter[int], events: Counter[int], least: int) -> Rates:
    if not first:
        return NOTHING
    start, end = min(first), max(last)
    at_risk, happened, known = [], [], 0
    open_now = 0.0
    for place, day in enumerate(range(start, end + 1)):
        open_now += first.get(day, 0)
        at_risk.append(max(open_now, 0.0))
        happened.append(float(events.get(day, 0)) if open_now >= least else 0.0)
        if open_now >= max(least, 1e-9):
            known = place + 1
        open_now -= last.get(day, 0)
    return Rates(start, tuple(at_risk[:known]), tuple(happened[:known]))


def still_open(company: Rates, own: Rates, *, after: int, weight: float = WEIGHT) -> Iterator[tuple[int, float]]:
    """(day, share still open at its end) for each day after `after`, of those open at the end of that day, for as long
    as anything is known. The share never rises."""
    share = 1.0
    c_start, c_risk, c_events, c_end = company.start, company.at_risk, company.events, company.end
    o_start, o_risk, o_events, o_end = own.start, own.at_risk, own.events, own.end
    for day in range(after + 1, max(c_end, o_end)):
        rate = 0.0
        if c_start <= day < c_end:
            risk = c_risk[day - c_start]
            rate = c_events[day - c_start] / risk if risk else 0.0
        if o_start <= day < o_end:
            place = day - o_start
            total = o_risk[place] + weight
            if total:
                rate = (o_events[place] + weight * rate) / total
        share *= 1.0 - min(rate, 1.0)
        yield day, share


@dataclass(frozen=True, slots=True)
class Outlook:
    """Days; None where so many never were, within what was seen."""

    early: int | None
    """One in ten was over by then."""
    middle: int | None
    """Half of them."""
    late: int | None
    """Nine in ten."""


def outlook(shares: Sequence[tuple[int, float]]) -> Outlook:
    """Where the shares of `still_open` cross nine tenths, a half and a tenth."""
    found: list[int | None] = [None, None, None]
    levels = (0.9, 0.5, 0.1)
    at = 0
    for day, share in shares:
        while at < 3 and share <= levels[at] + 1e-12:
            found[at] = day
            at += 1
        if at == 3:
            break
    return Outlook(*found)
