"""What is wrong with a document as typed, told by line and field, before anything is kept or sent. Pure.

Called by the builder and before a document goes out; `sales.calculate` counts it all the same. Limits are those of
QuickBooks: amounts below a hundred billion, descriptions of 4,000 characters. Lines are counted from 1, as people do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from crm.domain.amounts import HUNDRED, MOST, ZERO, decimals, places, told
from crm.domain.errors import Invalid
from crm.domain.sales import (
    EXCLUSIVE,
    GROUP,
    INCLUSIVE,
    ITEM,
    LINE_KINDS,
    NO_DEPOSIT,
    NO_DISCOUNT,
    NO_TAX,
    Deposit,
    Discount,
    Line,
    Tax,
    calculate,
    counting,
    line_amount,
)

QUANTITY_DECIMALS, PRICE_DECIMALS, PERCENT_DECIMALS = 5, 7, 5
LONGEST_DESCRIPTION = 4000


@dataclass(frozen=True, slots=True)
class Problem:
    line: int | None
    """Place of the line, from 1; None: the document as a whole."""
    field: str
    """quantity, unit_price, amount, tax_code, description, within, kind; discount, deposit, lines, total."""
    sentence: str

    @property
    def name(self) -> str:
        """As a form names the field: "lines-3-unit_price", "discount"."""
        return f"lines-{self.line}-{self.field}" if self.line else self.field


def problems(
    lines: Sequence[Line],
    *,
    discount: Discount = NO_DISCOUNT,
    tax: Tax = NO_TAX,
    deposit: Deposit = NO_DEPOSIT,
    currency: str = "USD",
) -> tuple[Problem, ...]:
    """Everything that must change before the document can go out; empty when it can."""
    found = [problem for at, line in enumerate(lines, 1) for problem in _line(line, at, tax, currency)]
    found += _members(lines)
    if not any(counting(lines)):
        found.append(Problem(None, "lines", "The document has no lines that count. Add at least one item."))
    totals = calculate(lines, discount=discount, tax=tax, deposit=deposit, currency=currency)
    found += _part("discount", "the lines, which come", discount.percent, discount.amount, totals.subtotal, currency)
    found += _part("deposit", "the total, which comes", deposit.percent, deposit.amount, totals.total, currency)
    if totals.total < 0:
        found.append(Problem(None, "total", f"The total is negative ({told(totals.total, currency)}). Take credits off "
                             "until it is not, or make a credit memo."))  # fmt: skip
    return tuple(found)


def refuse(found: Iterable[Problem]) -> None:
    """Raises Invalid with each sentence beside its field; nothing where nothing is wrong."""
    fields: dict[str, str] = {}
    for problem in found:
        fields[problem.name] = f"{fields.get(problem.name, '')} {problem.sentence}".strip()
    if fields:
        raise Invalid(fields)


def _line(line: Line, at: int, tax: Tax, currency: str) -> Iterator[Problem]:
    if line.kind not in LINE_KINDS:
        yield Problem(at, "kind", f"Line {at}: there is no kind of line called “{line.kind}”.")
    if len(line.description) > LONGEST_DESCRIPTION:
        yield Problem(at, "description", f"Line {at}: the description has {len(line.description):,} characters; "
                      f"{LONGEST_DESCRIPTION:,} are kept. Shorten it.")  # fmt: skip
    if line.kind != ITEM:
        return
    figures = (("quantity", "quantity", line.quantity, QUANTITY_DECIMALS),
               ("unit_price", "price", line.unit_price, PRICE_DECIMALS),
               ("amount", "amount", line.amount, decimals(currency)))  # fmt: skip
    wrong = [problem for figure in figures if (problem := _figure(at, *figure))]
    yield from wrong
    if not wrong:
        yield from _amount(line, at, currency)
    if tax.mode in (EXCLUSIVE, INCLUSIVE) and line.tax_code not in tax.codes:
        why = f"the tax code “{line.tax_code}” does not exist or is inactive" if line.tax_code else "it has no tax code"
        yield Problem(at, "tax_code", f"Line {at}: {why}. Choose one.")


def _figure(at: int, field: str, word: str, value: Decimal | None, most: int) -> Problem | None:
    if value is None:
        return None
    if not value.is_finite():
        return Problem(at, field, f"Line {at}: the {word} is no number.")
    if abs(value) > MOST:
        return Problem(at, field, f"Line {at}: the {word} is over {MOST:,}, the most there can be.")
    if places(value) > most:
        kept = f"{most} are kept" if most else "this currency has none"
        return Problem(at, field, f"Line {at}: the {word} has more than {most} decimals ({value.normalize():f}); "
                       f"{kept}. Round it.")  # fmt: skip
    return None


def _amount(line: Line, at: int, currency: str) -> Iterator[Problem]:
    if line.unit_price is None:
        if line.amount is None:
            yield Problem(at, "unit_price", f"Line {at}: the price is missing. Write 0 if it costs nothing.")
        return
    amount = line_amount(line, currency)
    if abs(amount) > MOST:
        yield Problem(at, "amount", f"Line {at}: the amount is over {MOST:,}, the most there can be.")
    elif line.amount is not None and line.amount != amount:
        yield Problem(at, "amount", f"Line {at}: the amount is {told(line.amount, currency)}, but quantity times price "
                      f"is {told(amount, currency)}. Correct one of the three.")  # fmt: skip


def _members(lines: Sequence[Line]) -> Iterator[Problem]:
    """Members stand right after their bundle, and a bundle is no member of another."""
    bundle = ""
    for at, line in enumerate(lines, 1):
        if line.within and (line.within != bundle or line.kind == GROUP):
            yield Problem(at, "within", f"Line {at}: it belongs to a bundle that does not stand above it. Move it "
                          "below its bundle, or take it out.")  # fmt: skip
        if not line.within:
            bundle = line.key if line.kind == GROUP else ""
        if line.optional and line.within:
            yield Problem(at, "optional", f"Line {at}: one part of a bundle cannot be optional. Make the bundle "
                          "optional, or open it.")  # fmt: skip


def _part(
    field: str, of: str, percent: Decimal | None, amount: Decimal | None, whole: Decimal, currency: str
) -> Iterator[Problem]:
    """A discount or deposit, given in percent or as an amount, of a whole."""
    title = field.capitalize()
    if percent is not None:
        if not percent.is_finite() or not ZERO <= percent <= HUNDRED:
            yield Problem(None, field, f"{title}: a percentage lies between 0 and 100.")
        elif places(percent) > PERCENT_DECIMALS:
            yield Problem(None, field, f"{title}: the percentage has more than {PERCENT_DECIMALS} decimals. Round it.")
    elif amount is not None:
        if not amount.is_finite() or amount < 0:
            yield Problem(None, field, f"{title}: an amount of 0 or more is needed; it is taken off by itself.")
        elif places(amount) > decimals(currency):
            yield Problem(None, field, f"{title}: the amount has more than {decimals(currency)} decimals. Round it.")
        elif amount > max(whole, ZERO):
            yield Problem(None, field, f"{title}: {told(amount, currency)} is more than {of} to "
                          f"{told(whole, currency)}. Lower it.")  # fmt: skip
