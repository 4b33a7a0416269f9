"""What a line of a quote or invoice costs us: its quantity times the product's cost as it stood on the document's day.

Never raises for what may stand in a line: where it cannot be told there is None, and margins leave the line out. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from crm.domain.amounts import exactly

PLACES = Decimal("0.0001")
MOST = Decimal(10) ** 15
"""What an amount can hold; beyond it nothing is kept."""
COUNTED = frozenset({"item", "other"})
"""Sorts of lines that have a cost of their own: of a bundle its members have it, a text has none."""

Change = tuple[date, Decimal | None]
"""The company's day from which on a product had this cost, None: unknown."""


def unit_cost(changes: Sequence[Change], current: Decimal | None, day: date | None, *, service: bool) -> Decimal | None:
    """A product's cost on a day; before the first day that is known, what is known first.

    `changes` oldest first; `current` where there are none. A service that costs 0.00 is one whose cost nobody entered
    (see `domain/products.margin`).
    """
    known = current
    if changes:
        then = [cost for since, cost in changes if day is None or since <= day]
        known = then[-1] if then else next((cost for _, cost in changes if cost is not None), None)
    return None if service and not known else known


def line_cost(quantity: Decimal | None, unit: Decimal | None) -> Decimal | None:
    """To four places, half up."""
    if quantity is None or unit is None:
        return None
    with exactly():
        cost = quantity * unit
        return cost.quantize(PLACES, ROUND_HALF_UP) if abs(cost) < MOST else None
