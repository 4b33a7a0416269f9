"""How the forecast from quotes would have done: asked on days gone by, with only what was known then.

On each of twelve days, thirty days apart, every quote that was open then is given its chance to be won within half a
year; what it would have brought is compared with what it did. Beside it stand the simple ways: all open quotes times
the share of decided quotes that were won, and the same of those alone that are younger than FRESH days. Pure; the same
histories give the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from crm.domain.amounts import ZERO
from crm.domain.quote_outlook import Lessons, Offer, Rates, Sum, exact, is_open

ORIGINS, APART, AHEAD = 12, 30, 180
FRESH = 90
BINS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
Histories = Callable[[], Iterable[Sequence[Offer]]]


def origins(as_of: int) -> list[int]:
    return [as_of - AHEAD - APART * back for back in reversed(range(ORIGINS))]


def run(histories: Histories, as_of: int) -> dict[str, Any]:
    """The figures as JSON, numbers as text."""
    lessons = [Lessons(day) for day in origins(as_of)]
    for offers in histories():
        for one in lessons:
            one.learn(offers)
    return look_back(histories, lessons)


def look_back(histories: Histories, lessons: Sequence[Lessons]) -> dict[str, Any]:
    """The same where all quotes were learned from already, as known on each of the days it stands on."""
    stands = [Stand(one.rates()) for one in lessons]
    for offers in histories():
        for stand in stands:
            stand.judge(offers)
    return told([stand for stand in stands if not stand.rates.thin])


class Stand:
    """One day gone by: what was forecast then, and what came."""

    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self.sum = Sum()
        self.open = self.simple = self.fresh = self.came = ZERO
        self.quotes = 0
        self.bins: dict[int, list[float]] = {}

    def judge(self, offers: Sequence[Offer]) -> None:
        for offer in offers:
            if not is_open(offer, self.rates.as_of):
                continue
            chance = self.rates.chance(offer, AHEAD)
            won = offer.won is not None and offer.won <= self.rates.as_of + AHEAD
            self.quotes += 1
            self.open += offer.value
            self.sum.add(offer.value, chance)
            self.simple += offer.value * exact(self.rates.overall)
            if self.rates.as_of - offer.sent < FRESH:
                self.fresh += offer.value * exact(self.rates.overall)
            self.came += offer.value if won else ZERO
            place = sum(chance >= edge for edge in BINS)
            row = self.bins.setdefault(place, [0, 0.0, 0])
            row[0] += 1
            row[1] += chance
            row[2] += won


def told(stands: Sequence[Stand]) -> dict[str, Any]:
    rows, inside = [], 0
    ours_off = simple_off = fresh_off = came = ZERO
    bins: dict[int, list[float]] = {}
    for stand in stands:
        low, high = stand.sum.between(stand.rates.won)
        inside += low <= stand.came <= high
        ours_off += abs(stand.sum.expected - stand.came)
        simple_off += abs(stand.simple - stand.came)
        fresh_off += abs(stand.fresh - stand.came)
        came += stand.came
        rows.append({
            "day": stand.rates.as_of, "quotes": stand.quotes, "open": whole(stand.open),
            "ours": whole(stand.sum.expected), "low": whole(low), "high": whole(high),
            "simple": whole(stand.simple), "fresh": whole(stand.fresh), "came": whole(stand.came),
        })  # fmt: skip
        for place, row in stand.bins.items():
            kept = bins.setdefault(place, [0, 0.0, 0])
            for at in range(3):
                kept[at] += row[at]
    return {
        "rows": rows, "inside": inside, "came": whole(came),
        "ours_off": share(ours_off, came), "simple_off": share(simple_off, came),
        "fresh_off": share(fresh_off, came),
        "calibration": [
            {"chance": f"{row[1] / row[0]:.3f}", "came": f"{row[2] / row[0]:.3f}", "quotes": int(row[0])}
            for _, row in sorted(bins.items())
        ],
    }  # fmt: skip


def whole(amount: Decimal) -> str:
    return str(amount.quantize(Decimal(1)))


def share(part: Decimal, of: Decimal) -> str:
    """As a share of one, three places; empty where there is nothing to compare with."""
    return str((part / of).quantize(Decimal("0.001"))) if of else ""
