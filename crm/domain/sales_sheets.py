"""A quote or invoice as it is shown: its lines with what they come to, and its figures. Pure.

One shape for a kept document (whose figures may be the books' own), for one that is being typed, and for a version that
was kept, so that pages, the public page and comparisons draw them with one template (`sales/_document.html`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from crm.domain.amounts import ZERO
from crm.domain.sales import NO_TAX, SOLD, Tax
from crm.domain.sales_content import Content


@dataclass(frozen=True, slots=True)
class Row:
    kind: str
    """item, text, section, group, other."""
    name: str
    description: str
    quantity: Decimal | None
    unit_price: Decimal | None
    amount: Decimal
    optional: bool
    chosen: bool
    member: bool
    """Stands within the bundle above it."""
    taxable: bool
    product_id: int | None = None
    """For pages of our own."""
    line_id: int | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    rows: tuple[Row, ...]
    currency: str
    subtotal: Decimal
    discount: Decimal
    """Never negative: it is taken off."""
    tax: Decimal
    total: Decimal
    deposit: Decimal
    inclusive: bool = False
    """Prices hold their tax."""
    discount_percent: Decimal | None = None

    @property
    def options(self) -> bool:
        """Whether a line is the customer's to choose."""
        return any(row.optional for row in self.rows)

    @property
    def due(self) -> Decimal:
        return self.total - self.deposit


def of_document(document: Any, currency: str = "") -> Sheet:
    """A kept document, with the figures it is kept with. `currency`: where the document does not say."""
    rows = tuple(
        Row(line.kind, line.name, line.description, line.quantity, line.unit_price, _amount(document.lines, at),
            line.optional, line.chosen, line.within is not None, line.taxable, line.product_id, line.id)
        for at, line in enumerate(document.lines)
    )  # fmt: skip
    percent = document.discount_value if document.discount_kind == "percent" else None
    return Sheet(rows, document.currency or currency, document.subtotal, document.discount, document.tax,
                 document.total, document.deposit, document.tax_mode == "inclusive", percent)  # fmt: skip


def _amount(lines: Sequence[Any], at: int) -> Decimal:
    """As kept; of a heading and a bundle, which the books give none, what is theirs: what counts until the next
    heading, the members of the bundle."""
    line = lines[at]
    if line.kind == "group" and line.amount is None:
        return sum((one.amount or ZERO for one in lines if one.within == line.position), ZERO)
    if line.kind != "section":
        return line.amount or ZERO
    end = next((place for place in range(at + 1, len(lines)) if lines[place].kind == "section"), len(lines))
    below = lines[at + 1 : end]
    left_out = {one.position for one in below if one.optional and not one.chosen}
    sold = [one for one in below if one.kind in SOLD and not left_out & {one.position, one.within}]
    return sum((one.amount or ZERO for one in sold), ZERO)


def of_content(content: Content, tax: Tax = NO_TAX) -> Sheet:
    """What somebody typed, or a version that was kept, calculated now."""
    totals = content.totals(tax)
    rows = tuple(
        Row(line.kind, line.name, line.description, line.quantity, line.unit_price, total.amount, line.optional,
            line.chosen, bool(line.within), line.taxable, int(line.item) if line.item.isdigit() else None)
        for line, total in zip(content.lines, totals.per_line, strict=True)
    )  # fmt: skip
    percent = content.discount_value if content.discount_kind == "percent" else None
    return Sheet(rows, content.currency, totals.subtotal, totals.discount, totals.tax, totals.total, totals.deposit,
                 tax.mode == "inclusive", percent)  # fmt: skip
