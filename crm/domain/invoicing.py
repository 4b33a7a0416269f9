"""An invoice made of a quote: which lines, which discount, how much of a deposit. Nothing is invented and no cent lost.

Of the whole quote the invoice comes to exactly what the quote came to. A part takes the chosen lines as far as they are
left (`quote_progress`): a discount in percent stays the percent, an amount is shared out, so that all parts together
come to the whole and never to more. Each line remembers the line of the quote it came from. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType

from crm.domain import quote_progress
from crm.domain.amounts import ZERO
from crm.domain.errors import Invalid
from crm.domain.quote_progress import Done
from crm.domain.sales import GROUP, NO_DISCOUNT, NO_TAX, SECTION, Discount, Line, Tax, Totals, calculate, counting


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    line: Line
    """Not optional any more; its key is that of the quote's line."""
    origin: str
    """Key of the line of the quote."""


@dataclass(frozen=True, slots=True)
class Conversion:
    lines: tuple[InvoiceLine, ...]
    discount: Discount
    tax: Tax
    totals: Totals
    """Its deposit is what is applied of the deposit paid; `due` is what is left to pay."""
    deposit_left: Decimal
    """Paid in advance beyond this invoice: stays the customer's credit."""
    left_out: tuple[str, ...]
    """Keys of lines of which something is left after it."""


def invoice_of(
    lines: Sequence[Line],
    *,
    discount: Discount = NO_DISCOUNT,
    tax: Tax = NO_TAX,
    deposit_paid: Decimal = ZERO,
    keys: Collection[str] | None = None,
    currency: str = "USD",
    done: Done = MappingProxyType({}),
) -> Conversion:
    """The invoice of these lines of a quote; `keys` None: of all that count and are left, with texts and sections.

    `done`: what stands on other invoices of it. A chosen bundle brings its members, a chosen option counts, a section
    stays while something of it does. Raises Invalid (field `lines`) where nothing is chosen or left, or something the
    quote does not have.
    """
    left = quote_progress.rest(lines, done, currency) if done else tuple(lines)
    taken = _whole(left) if keys is None else _chosen(left, keys, {line.key for line in lines})
    if not any(counting(taken)):
        raise Invalid({"lines": "Nothing is left to invoice. Choose at least one line with an item."})
    after = quote_progress.rest(lines, {line.key: [*done.get(line.key, ()), line] for line in taken} | {
        key: made for key, made in done.items() if key not in {line.key for line in taken}}, currency)  # fmt: skip
    if keys is not None or done:
        discount = _part_of(discount, lines, taken, left, after, tax, currency)
    totals = calculate(taken, discount=discount, tax=tax, currency=currency)
    applied = max(ZERO, min(deposit_paid, totals.total))
    return Conversion(
        tuple(InvoiceLine(line, line.key) for line in taken),
        discount,
        tax,
        replace(totals, deposit=applied, due=totals.total - applied),
        deposit_paid - applied,
        tuple(line.key for line, counts in zip(after, counting(after), strict=True) if counts),
    )


def _whole(lines: Sequence[Line]) -> list[Line]:
    """All but the options nobody chose, with whatever belongs to them."""
    refused = {line.key for line in lines if line.optional and not line.chosen and line.key}
    return [_plain(line) for line in lines
            if (line.chosen or not line.optional) and line.within not in refused]  # fmt: skip


def _chosen(lines: Sequence[Line], keys: Collection[str], known: Collection[str]) -> list[Line]:
    """`lines`: as far as they are left; `known`: keys of all the quote has."""
    wanted = set(keys)
    if unknown := wanted - set(known):
        raise Invalid({"lines": f"{len(unknown)} of the chosen lines are not on this quote. Choose again."})
    if invoiced := wanted - {line.key for line in lines}:
        raise Invalid({"lines": f"{len(invoiced)} of the chosen lines are invoiced already. Choose of what is left."})
    groups = {line.key for line in lines if line.kind == GROUP and line.key in wanted}
    taken: list[Line] = []
    heading: Line | None = None
    for line in lines:
        if line.kind == SECTION:
            heading = line
        if line.key not in wanted and line.within not in groups:
            continue
        if heading is not None and heading is not line:
            taken.append(_plain(heading))
        heading = None
        taken.append(_plain(line if line.within in groups else replace(line, within="")))
    return taken


def _plain(line: Line) -> Line:
    return replace(line, optional=False, chosen=False)


def _part_of(
    discount: Discount, lines: Sequence[Line], taken: Sequence[Line], left: Sequence[Line], after: Sequence[Line],
    tax: Tax, currency: str,
) -> Discount:  # fmt: skip
    """A discount of an amount, as far as these lines bear it; options chosen now bear theirs as if the quote had."""
    if discount.percent is not None or not discount.amount:
        return discount
    kept = {line.key for line in taken}
    gone = {line.key for line in lines} - {line.key for line in left}
    as_chosen = [replace(line, chosen=True) if line.key in kept | gone else line for line in lines]
    shares = quote_progress.shares(as_chosen, discount=discount, tax=tax, currency=currency)
    part = quote_progress.discount_of(as_chosen, left, after, shares=shares, currency=currency)
    return replace(discount, amount=max(ZERO, part))
