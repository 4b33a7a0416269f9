"""The one calculation of a quote, invoice or credit: what each line comes to, discount, tax, total, what is to pay.

Used everywhere the same: live totals of the builder, pages, PDF, public page, what is sent, and the rehearsal of the
tax that the books will answer. The rules are QuickBooks':

- an amount is quantity times price, rounded to the smallest unit; a line may carry its amount alone;
- optional lines count once they are chosen; texts and sections never; a bundle is the sum of its members;
- a discount is taken of the sum of the lines and spread over them in proportion, so that taxed and untaxed lines bear
  it alike; tax is figured on what is left (`before_tax`, ApplyTaxAfterDiscount there), or on everything;
- tax is figured per rate on the sum of its lines, not line by line, and rounded once;
- `inclusive`: prices hold their tax already, which is taken out of them.

A discount never exceeds the lines, a deposit never the total. What a person typed wrong is told by `sales_checks`; here
it counts as well as it can, so that a form half filled in still shows totals. Not known here: rates figured on top of
other taxes. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from crm.domain.amounts import HUNDRED, ZERO, countable, exactly, places, rounded, share_out

ITEM, TEXT, SECTION, GROUP, OTHER = "item", "text", "section", "group", "other"
LINE_KINDS: dict[str, str] = {ITEM: "Item", TEXT: "Text", SECTION: "Section", GROUP: "Bundle", OTHER: "Other"}
"""`other` is a line of the books we cannot edit: it counts with its amount."""
SOLD = (ITEM, OTHER)
"""Kinds with an amount of their own."""
NONE, US, EXCLUSIVE, INCLUSIVE = "none", "us", "exclusive", "inclusive"
TAX_MODES: dict[str, str] = {
    NONE: "No tax", US: "Sales tax on taxable lines", EXCLUSIVE: "Prices without tax", INCLUSIVE: "Prices with tax",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A line as typed. `key` names it within its document for as long as it lives, whatever its place."""

    kind: str = ITEM
    """A key of LINE_KINDS."""
    key: str = ""
    item: str = ""
    """Id of the product, as the caller names products; empty for a free line."""
    name: str = ""
    description: str = ""
    quantity: Decimal | None = None
    """None counts as 1 where there is a price."""
    unit_price: Decimal | None = None
    amount: Decimal | None = None
    """Only where there is no price: the line's amount as such."""
    taxable: bool = True
    """Counts in the mode `us`."""
    tax_code: str = ""
    """Counts in the modes `exclusive` and `inclusive`; a key of `Tax.codes`."""
    optional: bool = False
    chosen: bool = False
    within: str = ""
    """Key of the bundle the line is a member of; members follow their bundle."""


@dataclass(frozen=True, slots=True)
class Discount:
    """`percent` (8.5 means 8.5 %) of the lines, or an `amount`; the percent wins. Neither: none."""

    percent: Decimal | None = None
    amount: Decimal | None = None
    before_tax: bool = True
    """Tax is figured on what the discount leaves; else on everything, and the discount taken after."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """Asked for in advance, or paid already: `percent` of the total, or an `amount`; the percent wins."""

    percent: Decimal | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    key: str
    name: str
    percent: Decimal
    """8 means 8 %."""


@dataclass(frozen=True, slots=True)
class Tax:
    mode: str = NONE
    """A key of TAX_MODES."""
    rates: tuple[Rate, ...] = ()
    """Of the whole document, on its taxable lines: mode `us`."""
    codes: Mapping[str, tuple[Rate, ...]] = field(default_factory=dict)
    """Code of a line -> its rates: modes `exclusive` and `inclusive`."""
    exempt: bool = False
    """The customer bears no tax: mode `us`."""


NO_DISCOUNT, NO_DEPOSIT, NO_TAX = Discount(), Deposit(), Tax()


@dataclass(frozen=True, slots=True)
class LineTotal:
    """What one line comes to. Over all lines that count, every figure sums to that of the document."""

    key: str
    amount: Decimal
    """Quantity times price; of a bundle the sum of its members, of a section what counts until the next one."""
    counts: bool
    """Part of the subtotal; false for texts, sections, bundles (their members count) and options not chosen."""
    discount: Decimal = ZERO
    """Its share of the document's discount."""
    tax: Decimal = ZERO
    """Its share of the document's tax; contained in the amount where prices hold their tax."""
    net: Decimal = ZERO
    """What is earned: after discount, without tax."""


@dataclass(frozen=True, slots=True)
class RateTotal:
    rate: Rate
    taxable: Decimal
    """What the rate was figured on, without the tax itself."""
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    currency: str
    subtotal: Decimal
    """Sum of the lines that count; tax included where prices hold it."""
    discount: Decimal
    """Never negative: it is taken off."""
    taxable: Decimal
    tax: Decimal
    total: Decimal
    deposit: Decimal
    due: Decimal
    """Total less deposit."""
    per_line: tuple[LineTotal, ...]
    """In the order of the lines, one for each."""
    per_rate: tuple[RateTotal, ...]


def calculate(
    lines: Sequence[Line],
    *,
    discount: Discount = NO_DISCOUNT,
    tax: Tax = NO_TAX,
    deposit: Deposit = NO_DEPOSIT,
    currency: str = "USD",
) -> Totals:
    """All figures of a document, rounded to the currency's smallest unit. Never raises for what a person may type."""
    with exactly():
        return _Sheet(tuple(lines), discount, tax, deposit, currency).totals()


def line_amount(line: Line, currency: str = "USD") -> Decimal:
    """Quantity times price, rounded; its own amount where it has no price; nothing for what is no item."""
    if line.kind not in SOLD:
        return ZERO
    if line.unit_price is None or line.kind == OTHER:
        return rounded(countable(line.amount), currency)
    with exactly():
        quantity = Decimal(1) if line.quantity is None else countable(line.quantity)
        return rounded(quantity * countable(line.unit_price), currency)


def counting(lines: Sequence[Line]) -> list[bool]:
    """Per line whether it is part of the subtotal: sold, and neither it nor its bundle an option nobody chose."""
    left_out = {line.key for line in lines if line.kind == GROUP and line.optional and not line.chosen}
    return [
        line.kind in SOLD and (line.chosen or not line.optional) and not (line.within and line.within in left_out)
        for line in lines
    ]


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One document while it is being calculated."""

    lines: tuple[Line, ...]
    asked: Discount
    tax: Tax
    asked_deposit: Deposit
    currency: str

    def totals(self) -> Totals:
        amounts = [line_amount(line, self.currency) for line in self.lines]
        counts = counting(self.lines)
        sold = [amount if counted else ZERO for amount, counted in zip(amounts, counts, strict=True)]
        subtotal = self._round(sum(sold, ZERO))
        discount = self._discount(subtotal)
        shares = self._discount_shares(sold, discount, subtotal)
        bases = [amount - share for amount, share in zip(sold, shares, strict=True)] if self.asked.before_tax else sold
        per_rate, taxes = self._taxes(bases)
        tax = sum((found.amount for found in per_rate), ZERO)
        inclusive = self.tax.mode == INCLUSIVE
        total = self._round(subtotal - discount + (ZERO if inclusive else tax))
        deposit = self._share_of(total, self.asked_deposit.percent, self.asked_deposit.amount)
        nets = [amount - share - (part if inclusive else ZERO)
                for amount, share, part in zip(sold, shares, taxes, strict=True)]  # fmt: skip
        shown = self._shown(amounts, sold)
        per_line = tuple(
            LineTotal(line.key, shown[at], counts[at], shares[at], taxes[at], nets[at])
            for at, line in enumerate(self.lines)
        )
        taxed = sum((bases[at] - (taxes[at] if inclusive else ZERO) for at in self._taxed()), ZERO)
        return Totals(self.currency, subtotal, discount, self._round(taxed), self._round(tax), total, deposit,
                      total - deposit, per_line, per_rate)  # fmt: skip

    def _round(self, value: Decimal) -> Decimal:
        return rounded(value, self.currency)

    def _share_of(self, whole: Decimal, percent: Decimal | None, amount: Decimal | None) -> Decimal:
        """A percent or an amount of the whole, between nothing and all of it."""
        asked = whole * countable(percent) / HUNDRED if percent is not None else countable(amount)
        return self._round(max(ZERO, min(self._round(asked), whole)))

    def _discount(self, subtotal: Decimal) -> Decimal:
        return self._share_of(subtotal, self.asked.percent, self.asked.amount)

    def _rates(self, line: Line) -> tuple[Rate, ...]:
        if line.kind not in SOLD or self.tax.mode == NONE:
            return ()
        if self.tax.mode == US:
            return self.tax.rates if line.taxable and not self.tax.exempt else ()
        return self.tax.codes.get(line.tax_code, ())

    def _taxed(self) -> list[int]:
        return [at for at, line in enumerate(self.lines) if self._rates(line)]

    def _discount_shares(self, sold: Sequence[Decimal], discount: Decimal, subtotal: Decimal) -> list[Decimal]:
        """First over the sums that are taxed alike, so that tax does not depend on how many lines there are or on their
        order; then over the lines of each."""
        shares = [ZERO] * len(sold)
        if not subtotal or not discount:
            return shares
        alike: dict[str, list[int]] = {}
        for at, line in enumerate(self.lines):
            alike.setdefault(self._taxed_as(line), []).append(at)
        groups = [alike[key] for key in sorted(alike, reverse=True)]
        parts = share_out(discount, [sum((sold[at] for at in group), ZERO) for group in groups], self.currency)
        for group, part in zip(groups, parts, strict=True):
            weights = [sold[at] for at in group]
            if not sum(weights, ZERO):
                continue
            for at, share in zip(group, share_out(part, weights, self.currency), strict=True):
                shares[at] = share
        return shares

    def _taxed_as(self, line: Line) -> str:
        """Lines that bear the same rates; empty for those that bear none, which come last when a unit is left over."""
        return "\n".join(rate.key for rate in self._rates(line))

    def _taxes(self, bases: Sequence[Decimal]) -> tuple[tuple[RateTotal, ...], list[Decimal]]:
        """Per rate its tax, and per line the tax it bears."""
        borne: dict[Rate, list[int]] = {}
        for at in self._taxed():
            for rate in self._rates(self.lines[at]):
                borne.setdefault(rate, []).append(at)
        taxes = [ZERO] * len(bases)
        amounts: dict[Rate, Decimal] = {}
        for rate, group in borne.items():
            weights = self._weights(bases, group)
            amounts[rate] = self._round(sum(weights, ZERO) * rate.percent / self._divisor(group))
            if not sum(weights, ZERO):
                continue
            for at, part in zip(group, share_out(amounts[rate], weights, self.currency), strict=True):
                taxes[at] += part
        inclusive = self.tax.mode == INCLUSIVE
        return tuple(
            RateTotal(rate, self._round(sum((bases[at] - (taxes[at] if inclusive else ZERO) for at in group), ZERO)),
                      amounts[rate])
            for rate, group in borne.items()
        ), taxes  # fmt: skip

    def _percents(self, group: Sequence[int]) -> list[Decimal]:
        """Per line what 100 % and its tax come to, where prices hold it: 120 for 20 %."""
        return [HUNDRED + sum((rate.percent for rate in self._rates(self.lines[at])), ZERO) for at in group]

    def _divisor(self, group: Sequence[int]) -> Decimal:
        return _common(self._percents(group)) if self.tax.mode == INCLUSIVE else HUNDRED

    def _weights(self, bases: Sequence[Decimal], group: Sequence[int]) -> list[Decimal]:
        """What each line brings to a rate. Where prices hold their tax, by the divisor all lines have in common, so
        that nothing is rounded before the sum."""
        if self.tax.mode != INCLUSIVE:
            return [bases[at] for at in group]
        percents = self._percents(group)
        common = _common(percents)
        return [bases[at] * (common / percent) for at, percent in zip(group, percents, strict=True)]

    def _shown(self, amounts: Sequence[Decimal], sold: Sequence[Decimal]) -> list[Decimal]:
        """What stands at each line: bundles and sections show the sum of what is theirs."""
        shown = [self._round(amount) for amount in amounts]
        for at, line in enumerate(self.lines):
            if line.kind == GROUP:
                mine = [amounts[place] for place, one in enumerate(self.lines) if line.key and one.within == line.key]
                shown[at] = self._round(sum(mine, ZERO))
            elif line.kind == SECTION:
                after = range(at + 1, len(self.lines))
                end = next((place for place in after if self.lines[place].kind == SECTION), len(self.lines))
                shown[at] = self._round(sum(sold[at + 1 : end], ZERO))
        return shown


def _common(percents: Sequence[Decimal]) -> Decimal:
    """The smallest number that all of them divide."""
    scale = max((places(percent) for percent in percents), default=0)
    return Decimal(math.lcm(*(abs(int(percent.scaleb(scale))) for percent in percents))).scaleb(-scale)
