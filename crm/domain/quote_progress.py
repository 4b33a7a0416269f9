"""How much of a quote is invoiced, and what is left of it: worked out from the lines of its invoices, never stored.

`done` is, per key of a line of the quote, the lines of standing invoices (neither void nor deleted) that were made of
it. What is left of a line is its quantity less theirs, or its amount where it has no price; more than was quoted is
never left, and never less than nothing. Pure; `invoicing` makes the next invoice of what is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TypeAlias

from crm.domain.amounts import ZERO, countable, rounded
from crm.domain.sales import GROUP, SECTION, SOLD, Discount, Line, Tax, calculate, counting, line_amount

Done: TypeAlias = Mapping[str, Sequence[Line]]
ONE = Decimal(1)


def rest(lines: Sequence[Line], done: Done, currency: str = "USD") -> tuple[Line, ...]:
    """The lines with what is left of each, under the keys they have; those of which nothing is left are not there.

    A heading stays while something below it does, a bundle while one of its members does. Texts are said once.
    """
    left = {line.key: part for line in lines if (part := _left(line, done.get(line.key, ()), currency)) is not None}
    held = {line.within for line in left.values() if line.within}
    bundles = {line.within for line in lines if line.within}
    found: list[Line] = []
    heading: Line | None = None
    for line in lines:
        if line.kind == SECTION:
            heading = line
            continue
        part = left.get(line.key)
        if part is None or (line.kind == GROUP and line.key in bundles and line.key not in held):
            continue
        if heading is not None:
            found.append(heading)
            heading = None
        found.append(part)
    return tuple(found)


def anything(lines: Sequence[Line]) -> bool:
    """Whether a line among these is still to be invoiced."""
    return any(counting(lines))


def amounts(left: Sequence[Line], currency: str = "USD") -> list[Decimal]:
    """What each of these comes to, as `sales.calculate` shows it: a bundle its members, a heading what stands below."""
    return [line.amount for line in calculate(left, currency=currency).per_line]


def shares(lines: Sequence[Line], *, discount: Discount, tax: Tax, currency: str) -> dict[str, Decimal]:
    """Key -> what of the quote's discount the whole line bears."""
    whole = calculate(lines, discount=discount, tax=tax, currency=currency)
    return {line.key: line.discount for line in whole.per_line}


def discount_of(
    lines: Sequence[Line], left: Sequence[Line], after: Sequence[Line], *, shares: Mapping[str, Decimal], currency: str
) -> Decimal:
    """The discount of an invoice that takes what is `left` of the lines down to what is left `after` it.

    It is what all invoices bear together after it less what they bore before, so that parts never come to more than
    the whole, and all of them to exactly the whole.
    """
    return _borne(lines, after, shares, currency) - _borne(lines, left, shares, currency)


def _borne(lines: Sequence[Line], left: Sequence[Line], shares: Mapping[str, Decimal], currency: str) -> Decimal:
    still = {line.key: line_amount(line, currency) for line in left}
    total = ZERO
    for line in lines:
        amount, share = line_amount(line, currency), shares.get(line.key, ZERO)
        if line.key not in still:
            total += share
        elif amount and share:
            total += share * (amount - still[line.key]) / amount
    return rounded(total, currency)


def _left(line: Line, done: Sequence[Line], currency: str) -> Line | None:
    if not done:
        return line
    if line.kind not in SOLD:
        return line if line.kind == GROUP else None
    if line.unit_price is None:
        whole = line_amount(line, currency)
        amount = _between(whole - sum((line_amount(one, currency) for one in done), ZERO), whole)
        return replace(line, amount=amount, quantity=None) if amount else None
    whole = _quantity(line, ONE)
    quantity = _between(whole - sum((_quantity(one, whole) for one in done), ZERO), whole)
    return _priced(line, quantity, done, currency) if quantity else None


def _priced(line: Line, quantity: Decimal, done: Sequence[Line], currency: str) -> Line:
    """At the price of the quote; where its parts were rounded, with the amount that makes them come to the whole."""
    part = replace(line, quantity=quantity)
    if any(one.unit_price != line.unit_price for one in done):
        return part
    amount = line_amount(line, currency) - sum((line_amount(one, currency) for one in done), ZERO)
    return part if amount == line_amount(part, currency) else replace(part, unit_price=None, amount=amount)


def _quantity(line: Line, whole: Decimal) -> Decimal:
    """An invoiced line without a price stands for all of it."""
    if line.unit_price is None:
        return whole
    return ONE if line.quantity is None else countable(line.quantity)


def _between(value: Decimal, whole: Decimal) -> Decimal:
    """Between nothing and the whole, whichever sign that has."""
    return max(ZERO, min(value, whole)) if whole > 0 else min(ZERO, max(value, whole))
