"""What a customer is worth: by a simple formula, and by a model of who buys how often and until when.

The simple formula: sales so far, divided by the years since the first invoice (at least one), times `YEARS`.
The model is BG/NBD (Fader, Hardie and Lee, 2005), fitted with scipy: each customer buys at a pace of their own and may
stay away for good after any purchase; paces and leaving differ between customers as two distributions say, whose four
numbers fit the history of all best. It knows no season and no reason. What a purchase brings is the customer's own
average, drawn to everybody's as though `PRIOR` purchases of all stood beside it. Days are ordinals, time in the model
is in weeks, chances are floats, money is Decimal. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from crm.domain.amounts import ZERO

YEARS = 3
LEAST_PURCHASES = 2
LEAST_DAYS = 182
"""Below either, a pace per year would be made of too little."""
AHEAD = 52
"""Weeks that are looked ahead: a year."""
LEAST_REPEATS = 30
"""Customers who bought again, below which nothing is fitted."""
PRIOR = 2
YEAR = Decimal("365.25")
CENT = Decimal("0.01")


class Sale(NamedTuple):
    day: int
    amount: Decimal
    """Without tax; a credit is negative."""


@dataclass(frozen=True, slots=True)
class History:
    """One customer's sales, as known on a day. Several invoices of one week are one purchase."""

    weeks: tuple[int, ...]
    """Weeks of the purchases, counted back from the day: the latest has the smallest number."""
    sales: Decimal
    first: int
    invoices: int


def history(sales: Sequence[Sale], as_of: int) -> History | None:
    """None for a customer who had bought nothing by then."""
    weeks: set[int] = set()
    total, first, count = ZERO, as_of, 0
    for day, amount in sales:
        if day > as_of:
            continue
        total += amount
        if amount > 0:
            weeks.add((as_of - day) // 7)
            first, count = min(first, day), count + 1
    return History(tuple(sorted(weeks)), total, first, count) if weeks else None


def simple(found: History, as_of: int) -> Decimal | None:
    """By the simple formula; None where history is too thin."""
    if found.invoices < LEAST_PURCHASES or as_of - found.first < LEAST_DAYS:
        return None
    years = max(Decimal(as_of - found.first) / YEAR, Decimal(1))
    return max((found.sales / years * YEARS).quantize(CENT), ZERO)


class Rhythm(NamedTuple):
    """What the model looks at in one customer."""

    again: int
    """Purchases after the first."""
    until: int
    """Weeks from the first to the latest purchase."""
    age: int
    """Weeks from the first purchase to the day."""


def rhythm(found: History) -> Rhythm:
    first = found.weeks[-1]
    return Rhythm(len(found.weeks) - 1, first - found.weeks[0], first)


@dataclass(slots=True)
class Lessons:
    """What all customers known on a day say. Those alike are counted together."""

    as_of: int
    rhythms: Counter[Rhythm] = field(default_factory=Counter)
    repeating: int = 0
    purchases: int = 0
    sales: Decimal = ZERO

    def learn(self, sales: Sequence[Sale]) -> None:
        found = history(sales, self.as_of)
        if found is None:
            return
        self.rhythms[rhythm(found)] += 1
        self.repeating += len(found.weeks) > 1
        self.purchases += len(found.weeks)
        self.sales += found.sales

    def model(self) -> Model | None:
        """None where too few customers bought again."""
        if self.repeating < LEAST_REPEATS:
            return None
        mean = max((self.sales / self.purchases).quantize(CENT), ZERO)
        return Model(self.as_of, *fit(self.rhythms), mean=mean, customers=self.rhythms.total())


def fit(rhythms: Counter[Rhythm]) -> tuple[float, float, float, float]:
    """(r, alpha, a, b) of greatest likelihood, to three digits, so that every machine says the same."""
    import numpy
    from scipy import optimize, special  # only where it is fitted: what serves pages needs neither

    rows = numpy.array(sorted((*one, count) for one, count in rhythms.items()), dtype=float)
    again, until, age, count = rows.T

    def cost(given: Any) -> float:
        r, alpha, a, b = numpy.exp(given)
        start = special.gammaln(r + again) - special.gammaln(r) + r * numpy.log(alpha)
        leaving = special.betaln(a, b + again) - special.betaln(a, b)
        stays = -(r + again) * numpy.log(alpha + age)
        safe = numpy.maximum(again, 1)
        left = numpy.log(a) - numpy.log(b + safe - 1) - (r + again) * numpy.log(alpha + until)
        # With no repeat nobody can have left: BG/NBD lets people leave only after a purchase that repeats.
        either = numpy.where(again > 0, numpy.logaddexp(stays, left), stays)
        return -float((count * (start + leaving + either)).sum() / count.sum()) + 1e-3 * float((given**2).sum())

    # The usual limits end some tenths of a percent away from the best, and not everywhere at the same place.
    found = optimize.minimize(
        cost, numpy.array([0.0, 2.0, 0.0, 0.5]), method="L-BFGS-B", jac="3-point", bounds=[(-6, 8)] * 4,
        options={"ftol": 1e-15, "gtol": 1e-8},
    )  # fmt: skip
    r, alpha, a, b = (float(f"{value:.3g}") for value in numpy.exp(found.x))
    return r, alpha, a if abs(a - 1) > 1e-6 else 1.001, b


class Prospect(NamedTuple):
    """Of one customer for the next twelve months."""

    chance: Decimal
    """That there is any sale."""
    expected: Decimal
    """Sales."""


@dataclass(frozen=True, slots=True)
class Model:
    as_of: int
    r: float
    alpha: float
    a: float
    b: float
    mean: Decimal
    """What a purchase of anybody brings on average."""
    customers: int = 0
    _kept: dict[Rhythm, tuple[Decimal, Decimal]] = field(default_factory=dict, compare=False)

    def prospect(self, found: History) -> Prospect:
        one, bought = rhythm(found), len(found.weeks)
        if one not in self._kept:
            chance, purchases = self.ahead(one, AHEAD)
            self._kept[one] = _exact(chance), _exact(purchases)
        each = (max(found.sales, ZERO) + PRIOR * self.mean) / (bought + PRIOR)
        return Prospect(self._kept[one][0], (each * self._kept[one][1]).quantize(CENT))

    def alive(self, one: Rhythm) -> float:
        """The chance that they have not left for good."""
        if not one.again:
            return 1.0
        paces = ((self.alpha + one.age) / (self.alpha + one.until)) ** (self.r + one.again)
        return 1 / (1 + self.a / (self.b + one.again - 1) * paces)

    def ahead(self, one: Rhythm, weeks: float) -> tuple[float, float]:
        """(chance of any purchase, expected purchases) within so many weeks (formula 10 of the paper)."""
        from scipy import special

        r, a, b, start = self.r + one.again, self.a, self.b + one.again, self.alpha + one.age
        quiet = (start / (start + weeks)) ** r
        series = float(special.hyp2f1(r, b, a + b - 1, weeks / (start + weeks)))
        purchases = (a + b - 1) / (a - 1) * (1 - quiet * series) * self.alive(one)
        return self.alive(one) * (1 - quiet), max(purchases, 0.0)


def _exact(number: float) -> Decimal:
    return Decimal(str(round(number, 6)))
