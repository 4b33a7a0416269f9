"""How the customer value would have done: asked on days gone by, with only what was known then.

On four days, a quarter apart, each customer is given the sales of the next twelve months and the chance of any; what
came is counted. Beside it stands the simple way: the same as in the last twelve months. Pure; the same histories give
the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from crm.domain.amounts import ZERO
from crm.domain.customer_value import AHEAD, Lessons, Model, Sale, history
from crm.domain.quote_backtest import share, whole

ORIGINS, APART, YEAR = 4, 91, AHEAD * 7
Histories = Callable[[], Iterable[Sequence[Sale]]]


def origins(as_of: int) -> list[int]:
    return [as_of - YEAR - APART * back for back in reversed(range(ORIGINS))]


def run(histories: Histories, as_of: int) -> dict[str, Any]:
    """The figures as JSON, numbers as text."""
    lessons = [Lessons(day) for day in origins(as_of)]
    for sales in histories():
        for one in lessons:
            one.learn(sales)
    return look_back(histories, lessons)


def look_back(histories: Histories, lessons: Sequence[Lessons]) -> dict[str, Any]:
    """The same where all sales were learned from already, as known on each of the days it stands on."""
    stands = [Stand(model) for one in lessons if (model := one.model()) is not None]
    for sales in histories():
        for stand in stands:
            stand.judge(sales)
    return told(stands)


class Stand:
    """One day gone by: what was expected then, and what came."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.customers = 0
        self.ours = self.simple = self.came = self.ours_off = self.simple_off = ZERO
        self.bins: dict[int, list[Any]] = {}

    def judge(self, sales: Sequence[Sale]) -> None:
        day = self.model.as_of
        found = history(sales, day)
        if found is None:
            return
        made = self.model.prospect(found)
        after = [sale for sale in sales if day < sale.day <= day + YEAR]
        came = sum((sale.amount for sale in after), ZERO)
        before = sum((sale.amount for sale in sales if day - YEAR < sale.day <= day), ZERO)
        self.customers += 1
        self.ours += made.expected
        self.simple += before
        self.came += came
        self.ours_off += abs(made.expected - came)
        self.simple_off += abs(before - came)
        row = self.bins.setdefault(min(int(made.chance * 5), 4), [0, ZERO, 0])
        row[0] += 1
        row[1] += made.chance
        row[2] += any(sale.amount > 0 for sale in after)


def told(stands: Sequence[Stand]) -> dict[str, Any]:
    bins: dict[int, list[Any]] = {}
    for stand in stands:
        for place, row in stand.bins.items():
            kept = bins.setdefault(place, [0, ZERO, 0])
            for at in range(3):
                kept[at] += row[at]
    customers = sum(stand.customers for stand in stands)
    came = sum((stand.came for stand in stands), ZERO)
    ours, simple = (sum((getattr(stand, name) for stand in stands), ZERO) for name in ("ours", "simple"))
    offs = [sum((getattr(stand, name) for stand in stands), ZERO) for name in ("ours_off", "simple_off")]
    return {
        "rows": [
            {"day": stand.model.as_of, "customers": stand.customers, "ours": whole(stand.ours),
             "simple": whole(stand.simple), "came": whole(stand.came)}
            for stand in stands
        ],
        "customers": customers,
        "ours_off": share(abs(ours - came), came), "simple_off": share(abs(simple - came), came),
        "ours_each": _each(offs[0], customers), "simple_each": _each(offs[1], customers),
        "calibration": [
            {"chance": str((row[1] / row[0]).quantize(Decimal("0.001"))), "came": f"{row[2] / row[0]:.3f}",
             "customers": row[0]}
            for _, row in sorted(bins.items())
        ],
    }  # fmt: skip


def _each(total: Decimal, count: int) -> str:
    return whole(total / count) if count else ""
