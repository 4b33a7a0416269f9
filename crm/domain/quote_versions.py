"""Two versions of a quote (or of any document) side by side: lines added, removed, changed, moved; fields; totals.

For the comparing page and the timeline; values come as they are (Decimal, text, bool, None), the page formats them.
Lines are recognised by their key, which a new version keeps; lines without one by their place among lines alike. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from crm.domain.sales import NO_DEPOSIT, NO_DISCOUNT, NO_TAX, Deposit, Discount, Line, Tax, Totals, calculate

Value = Decimal | str | bool | None

LINE_FIELDS: dict[str, str] = {
    "kind": "Kind", "item": "Product", "name": "Name", "description": "Description", "quantity": "Quantity",
    "unit_price": "Price", "amount": "Amount", "taxable": "Taxable", "tax_code": "Tax code", "optional": "Optional",
    "chosen": "Chosen", "within": "Bundle",
}  # fmt: skip
FIGURES: dict[str, str] = {
    "subtotal": "Subtotal", "discount": "Discount", "tax": "Tax", "total": "Total", "deposit": "Deposit",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Version:
    number: int
    """1 is the first."""
    lines: tuple[Line, ...]
    discount: Discount = NO_DISCOUNT
    tax: Tax = NO_TAX
    deposit: Deposit = NO_DEPOSIT
    currency: str = "USD"
    fields: Mapping[str, str] = field(default_factory=dict)
    """Title -> what stands there: expiry date, terms, notes to the customer."""

    def totals(self) -> Totals:
        return calculate(self.lines, discount=self.discount, tax=self.tax, deposit=self.deposit, currency=self.currency)


@dataclass(frozen=True, slots=True)
class Change:
    title: str
    old: Value
    new: Value


@dataclass(frozen=True, slots=True)
class PlacedLine:
    place: int
    """From 1, in its own version."""
    line: Line
    amount: Decimal


@dataclass(frozen=True, slots=True)
class LineChange:
    old: PlacedLine
    new: PlacedLine
    changes: tuple[Change, ...]
    """In the order of LINE_FIELDS, then the amount as calculated; empty for a line that only moved."""


@dataclass(frozen=True, slots=True)
class Comparison:
    old: int
    new: int
    added: tuple[PlacedLine, ...]
    removed: tuple[PlacedLine, ...]
    changed: tuple[LineChange, ...]
    moved: tuple[LineChange, ...]
    """The same lines in another order, as few as say it."""
    fields: tuple[Change, ...]
    figures: tuple[Change, ...]
    """Those of FIGURES that differ."""

    @property
    def same(self) -> bool:
        return not (self.added or self.removed or self.changed or self.moved or self.fields or self.figures)


def compare(old: Version, new: Version) -> Comparison:
    """What became of the old version in the new one."""
    before, after = old.totals(), new.totals()
    olds, news = _placed(old, before), _placed(new, after)
    kept = [key for key in news if key in olds]
    pairs = {key: LineChange(olds[key], news[key], _line_changes(olds[key], news[key])) for key in kept}
    steady = _longest_rising([olds[key].place for key in kept])
    return Comparison(
        old.number,
        new.number,
        tuple(news[key] for key in news if key not in olds),
        tuple(olds[key] for key in olds if key not in news),
        tuple(pair for pair in pairs.values() if pair.changes),
        tuple(pair for pair in pairs.values() if not pair.changes and pair.old.place not in steady),
        _field_changes(old, new),
        tuple(Change(title, getattr(before, name), getattr(after, name)) for name, title in FIGURES.items()
              if getattr(before, name) != getattr(after, name)),
    )  # fmt: skip


def _placed(version: Version, totals: Totals) -> dict[tuple[str, ...], PlacedLine]:
    found: dict[tuple[str, ...], PlacedLine] = {}
    for place, (line, total) in enumerate(zip(version.lines, totals.per_line, strict=True), 1):
        name = ("key", line.key) if line.key else ("alike", line.kind, line.item, line.name, line.description)
        count = 0
        while (*name, str(count)) in found:
            count += 1
        found[*name, str(count)] = PlacedLine(place, line, total.amount)
    return found


def _line_changes(old: PlacedLine, new: PlacedLine) -> tuple[Change, ...]:
    changes = [Change(title, getattr(old.line, name), getattr(new.line, name)) for name, title in LINE_FIELDS.items()
               if getattr(old.line, name) != getattr(new.line, name)]  # fmt: skip
    if old.amount != new.amount and old.line.amount == new.line.amount:
        changes.append(Change("Amount", old.amount, new.amount))
    return tuple(changes)


def _field_changes(old: Version, new: Version) -> tuple[Change, ...]:
    changes = [Change(title, old.fields.get(title, ""), new.fields.get(title, ""))
               for title in dict.fromkeys((*old.fields, *new.fields))]  # fmt: skip
    changes.append(Change("Discount in percent", old.discount.percent, new.discount.percent))
    changes.append(Change("Discount before tax", old.discount.before_tax, new.discount.before_tax))
    changes.append(Change("Tax", old.tax.mode, new.tax.mode))
    changes.append(Change("Currency", old.currency, new.currency))
    return tuple(change for change in changes if change.old != change.new)


def _longest_rising(places: Sequence[int]) -> set[int]:
    """The most places that stand in rising order: the lines that did not move."""
    best: list[list[int]] = []
    for at, place in enumerate(places):
        before: list[int] = []
        for earlier in range(at):
            if places[earlier] < place and len(best[earlier]) > len(before):
                before = best[earlier]
        best.append([*before, place])
    longest: list[int] = []
    for run in best:
        longest = run if len(run) > len(longest) else longest
    return set(longest)
