"""What open quotes will bring, and when: the chance to be won by age since sending, size, and whether one returns.

A quote is open from the day it was sent; each day it may be won, lost, or stay open. Rates per day are counted in
stretches of age and in classes (size, returning or not); a class is shrunk to all quotes of the same age, as though
`PRIOR` quotes of all stood beside its own. A quote that went cold is worth less because those as old were seldom won,
and nothing else. Days are ordinals; chances are floats, money is Decimal. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from crm.domain.amounts import ZERO

AGES = (7, 14, 21, 28, 42, 60, 90, 120, 180, 365)
"""Where a stretch of age ends, in days since sending; after the last there is one more."""
SIZES = (1000, 5000, 20000)
"""Where a class of size ends, in the quote's currency, tax left out."""
SIZE_NAMES = ("below 1,000", "1,000 to 5,000", "5,000 to 20,000", "20,000 and more")
CUSTOMER_NAMES = ("new customer", "returning customer")
PRIOR = 20.0
LEAST_DECIDED = 20
"""Quotes that were won or lost below which no rate is spoken of."""
HORIZON = 365
"""Days ahead: what is won later is not counted."""


class Offer(NamedTuple):
    """One quote. Days are ordinals."""

    id: int
    sent: int
    value: Decimal
    """Without tax."""
    returning: bool
    """The customer had an invoice before it was sent."""
    won: int | None
    """The day it was accepted or invoiced."""
    lost: int | None
    """The day it was declined, withdrawn or found expired."""

    @property
    def kind(self) -> tuple[int, bool]:
        return bisect_right(SIZES, self.value), self.returning


@dataclass(slots=True)
class Counted:
    """In one stretch of age: days that quotes were open, how many were won and lost in it."""

    days: float = 0.0
    won: float = 0.0
    lost: float = 0.0


def stretch(age: int) -> int:
    """Which of AGES."""
    return bisect_right(AGES, age)


def is_open(offer: Offer, as_of: int) -> bool:
    """Sent, and neither won nor lost by the end of this day."""
    over = min(day for day in (offer.won, offer.lost, as_of + 1) if day is not None)
    return offer.sent <= as_of < over


@dataclass(slots=True)
class Lessons:
    """What all quotes known on a day say."""

    as_of: int
    classes: dict[tuple[int, bool], list[Counted]] = field(default_factory=dict)
    won: int = 0
    lost: int = 0
    won_value: Decimal = ZERO

    def learn(self, offers: Sequence[Offer]) -> None:
        for offer in offers:
            if offer.sent > self.as_of:
                continue
            won = offer.won is not None and offer.won <= self.as_of
            lost = not won and offer.lost is not None and offer.lost <= self.as_of
            over = offer.won if won else offer.lost if lost else self.as_of
            self._count(offer.kind, max((over or 0) - offer.sent, 0), won, lost)
            self.won += won
            self.lost += lost
            if won:
                self.won_value += offer.value

    def _count(self, kind: tuple[int, bool], age: int, won: bool, lost: bool) -> None:
        """Open on each of the days 0 to `age`; on the last of them it was won or lost, or is still open."""
        rows = self.classes.setdefault(kind, [Counted() for _ in range(len(AGES) + 1)])
        begun = 0
        for row, ends in zip(rows, (*AGES, 10**9), strict=True):
            row.days += min(age + 1, ends) - begun
            if age < ends:
                row.won += won
                row.lost += lost
                return
            begun = ends

    def rates(self) -> Rates:
        everybody = [Counted() for _ in range(len(AGES) + 1)]
        for rows in self.classes.values():
            for whole, row in zip(everybody, rows, strict=True):
                whole.days += row.days
                whole.won += row.won
                whole.lost += row.lost
        return Rates(self.as_of, everybody, dict(self.classes), self.won, self.lost)


@dataclass(slots=True)
class _Rates:
    as_of: int
    everybody: list[Counted]
    classes: dict[tuple[int, bool], list[Counted]]
    won: int
    lost: int
    curves: dict[tuple[int, bool, int], list[float]] = field(default_factory=dict)


class Rates(_Rates):
    """Ready to predict with."""

    @property
    def thin(self) -> bool:
        return self.won + self.lost < LEAST_DECIDED or not self.won

    @cached_property
    def overall(self) -> float:
        """Of all that were decided, the share that was won: the simple way."""
        return self.won / (self.won + self.lost) if self.won + self.lost else 0.0

    def daily(self, kind: tuple[int, bool], place: int) -> tuple[float, float]:
        """The chances to be won and to be lost on one day, for an open quote in this stretch of age."""
        whole, row = self.everybody[place], (self.classes.get(kind) or [Counted()] * (len(AGES) + 1))[place]
        if not whole.days:
            return 0.0, 0.0
        begun, ends = (AGES[place - 1] if place else 0), (AGES[place] if place < len(AGES) else AGES[-1] * 2)
        prior = PRIOR * (ends - begun) / 2
        return (
            (row.won + prior * whole.won / whole.days) / (row.days + prior),
            (row.lost + prior * whole.lost / whole.days) / (row.days + prior),
        )

    def curve(self, kind: tuple[int, bool], age: int) -> list[float]:
        """The chance that a quote open at this age is won within 0, 1, 2 ... HORIZON days from now."""
        key = (*kind, min(age, AGES[-1]))
        if key not in self.curves:
            by_stretch = [self.daily(kind, place) for place in range(len(AGES) + 1)]
            open_share, won, curve = 1.0, 0.0, [0.0]
            for day in range(key[2] + 1, key[2] + 1 + HORIZON):
                win, lose = by_stretch[stretch(day)]
                won += open_share * win
                open_share *= max(1.0 - win - lose, 0.0)
                curve.append(won)
            self.curves[key] = curve
        return self.curves[key]

    def chance(self, offer: Offer, within: int = HORIZON) -> float:
        """That an offer open at the end of `as_of` is won within so many days."""
        return self.curve(offer.kind, self.as_of - offer.sent)[min(within, HORIZON)]


Z = Decimal("1.2816")
"""Eight in ten of a normal distribution lie within so many standard deviations."""


@dataclass(slots=True)
class Sum:
    """What may come: the middle and, in `spread`, how sure it is. Amounts of quotes that are won or not."""

    expected: Decimal = ZERO
    variance: Decimal = ZERO

    def add(self, value: Decimal, chance: float) -> None:
        share = exact(chance)
        self.expected += value * share
        self.variance += value * value * share * (1 - share)

    def between(self, known: int) -> tuple[Decimal, Decimal]:
        """Four in five: as though each were decided by itself, and widened because the rate rests on `known` wins."""
        rate = self.expected * self.expected / known if known else ZERO
        width = Z * (self.variance + rate).sqrt()
        return max(ZERO, self.expected - width), self.expected + width


def exact(chance: float) -> Decimal:
    """A chance as a decimal of six places, so that money meets no float."""
    return Decimal(str(round(min(max(chance, 0.0), 1.0), 6)))
