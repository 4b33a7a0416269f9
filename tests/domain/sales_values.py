"""What the property tests of sales draw from, and a slow calculation of another kind to hold the quick one against.

The slow one knows nothing of Decimals: exact fractions of whole cents, and every way of sharing out tried in turn.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st

from crm.domain.sales import Deposit, Discount, Line, Rate, Tax, Totals

RATES = (Rate("1", "State", Decimal(8)), Rate("2", "County", Decimal("0.875")), Rate("3", "City", Decimal("5.5")),
         Rate("4", "Nothing", Decimal(0)))  # fmt: skip
CURRENCIES = {"USD": 2, "JPY": 0, "KWD": 3}


def examples(most: int) -> settings:
    """The same examples in every run, and not too many: the suite stays quick."""
    return settings(max_examples=most, derandomize=True, deadline=None, database=None)


def exact(least: str, most: str, places: int) -> st.SearchStrategy[Decimal]:
    """Decimals between two bounds; every second one a multiple of a half, so that halves are met often."""
    any_one = st.decimals(Decimal(least), Decimal(most), places=places)
    halves = st.integers(int(Decimal(least) * 200), int(Decimal(most) * 200)).map(lambda n: Decimal(n) / 200)
    return st.one_of(any_one, halves)


item_lines = st.builds(
    Line,
    kind=st.sampled_from(("item", "item", "item", "item", "text", "section", "other")),
    quantity=st.one_of(st.none(), st.integers(-3, 12).map(Decimal), exact("-5", "40", 5)),
    unit_price=st.one_of(st.none(), exact("0", "60", 2), exact("-20", "400", 7)),
    amount=st.one_of(st.none(), exact("-20", "80", 2)),
    taxable=st.booleans(),
    tax_code=st.sampled_from(("", "A", "B", "C", "unknown")),
    optional=st.booleans(),
    chosen=st.booleans(),
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, object]:
    """Everything `calculate` takes, by name."""
    lines = [replace(line, key=f"l{at}") for at, line in enumerate(draw(st.lists(item_lines, max_size=7)))]
    if lines and draw(st.booleans()):  # the first half becomes a bundle
        half = draw(st.integers(1, len(lines)))
        optional, chosen = draw(st.booleans()), draw(st.booleans())
        members = [replace(one, kind="item", optional=False, within="bundle") for one in lines[:half]]
        lines = [Line(key="bundle", kind="group", optional=optional, chosen=chosen), *members, *lines[half:]]
    return {
        "lines": lines,
        "discount": draw(discounts),
        "tax": draw(taxes),
        "deposit": draw(st.builds(Deposit, st.one_of(st.none(), exact("0", "100", 2)), exact("0", "300", 2))),
        "currency": draw(st.sampled_from(tuple(CURRENCIES))),
    }


discounts = st.one_of(
    st.just(Discount()),
    st.builds(Discount, percent=exact("0", "100", 3), before_tax=st.booleans()),
    st.builds(Discount, amount=exact("0", "300", 2), before_tax=st.booleans()),
)
_rate_sets = st.lists(st.sampled_from(RATES), max_size=3, unique=True).map(tuple)
taxes = st.one_of(
    st.just(Tax()),
    st.builds(Tax, mode=st.just("us"), rates=_rate_sets, exempt=st.sampled_from((False, False, True))),
    st.builds(Tax, mode=st.sampled_from(("exclusive", "inclusive")),
              codes=st.fixed_dictionaries({"A": _rate_sets, "B": _rate_sets, "C": _rate_sets})),
)  # fmt: skip


# --- the slow calculation -------------------------------------------------------------------------------------


def half_up(value: Fraction) -> int:
    """The nearest whole number; halves go away from zero."""
    size = abs(value)
    whole = size.numerator // size.denominator
    up = 2 * (size - whole) >= 1
    return (whole + up) * (-1 if value < 0 else 1)


def cents(line: Line, unit: int) -> int:
    if line.kind not in ("item", "other"):
        return 0
    if line.kind == "other" or line.unit_price is None:
        return half_up(Fraction(line.amount or 0) * unit)
    return half_up(Fraction(1 if line.quantity is None else line.quantity) * Fraction(line.unit_price) * unit)


def fairest(amount: int, weights: Sequence[int]) -> list[int]:
    """Of all ways to round each part up or down that sum to the amount, the one nearest to the exact parts."""
    if not amount:
        return [0] * len(weights)
    parts = [Fraction(amount * weight, sum(weights)) for weight in weights]
    ways = itertools.product(*({math.floor(part), math.ceil(part)} for part in parts))
    fitting = [way for way in ways if sum(way) == amount]
    return list(min(fitting, key=lambda way: (sum((a - b) ** 2 for a, b in zip(way, parts, strict=True)),
                                              [-part for part in way])))  # fmt: skip


def rates_of(line: Line, tax: Tax) -> tuple[Rate, ...]:
    if line.kind not in ("item", "other") or tax.mode == "none":
        return ()
    if tax.mode == "us":
        return () if tax.exempt or not line.taxable else tax.rates
    return tax.codes.get(line.tax_code, ())


def figures(
    lines: Sequence[Line], *, discount: Discount, tax: Tax, deposit: Deposit, currency: str
) -> dict[str, Fraction]:
    """Subtotal, discount, tax, total, deposit and due, in whole units and fractions of them."""
    unit = 10 ** CURRENCIES[currency]
    hidden = {line.key for line in lines if line.kind == "group" and line.optional and not line.chosen}
    sums: dict[tuple[Rate, ...], int] = {}
    for line in lines:
        if line.within not in hidden and not (line.optional and not line.chosen):
            sums[rates_of(line, tax)] = sums.get(rates_of(line, tax), 0) + cents(line, unit)
    subtotal = sum(sums.values())
    off = capped(discount.percent, discount.amount, subtotal, unit)
    groups = sorted(sums, key=lambda rates: "\n".join(rate.key for rate in rates), reverse=True)
    shares = fairest(off, [sums[rates] for rates in groups])
    bases = {rates: sums[rates] - (share if discount.before_tax else 0)
             for rates, share in zip(groups, shares, strict=True)}  # fmt: skip
    taxed = 0
    for rate in RATES:
        whole = Fraction(0)
        for rates, base in bases.items():
            if rate in rates:
                every = sum(Fraction(one.percent) for one in rates)
                whole += base * Fraction(rate.percent) / (100 + every if tax.mode == "inclusive" else 100)
        taxed += half_up(whole)
    total = subtotal - off + (0 if tax.mode == "inclusive" else taxed)
    paid = capped(deposit.percent, deposit.amount, total, unit)
    found = {"subtotal": subtotal, "discount": off, "tax": taxed, "total": total, "deposit": paid, "due": total - paid}
    return {name: Fraction(value, unit) for name, value in found.items()}


def capped(percent: Decimal | None, amount: Decimal | None, whole: int, unit: int) -> int:
    asked = whole * Fraction(percent) / 100 if percent is not None else Fraction(amount or 0) * unit
    return max(0, min(half_up(asked), whole))


def as_fractions(totals: Totals) -> dict[str, Fraction]:
    names = ("subtotal", "discount", "tax", "total", "deposit", "due")
    return {name: Fraction(getattr(totals, name)) for name in names}
