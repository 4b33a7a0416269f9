"""What a quote or invoice says: everything a person types into it, as one value.

Forms are read into it, rows are written from it and read back, versions, public pages and PDFs are made of its JSON
(`to_json`, exact numbers as text). Figures are never part of it: `totals` computes them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date as Day
from decimal import Decimal
from typing import Any

from crm.domain.names import fold
from crm.domain.sales import NO_TAX, Deposit, Discount, Line, Tax, Totals, calculate

ADDRESS = ("line1", "line2", "line3", "line4", "line5", "city", "region", "postal_code", "country")
PERCENT, AMOUNT = "percent", "amount"
MOST_SEARCHED = 10_000
"""Letters."""


@dataclass(frozen=True, slots=True)
class Content:
    contact_id: int | None = None
    title: str = ""
    number: str = ""
    date: Day | None = None
    due_date: Day | None = None
    expires_on: Day | None = None
    terms: str = ""
    """Remote id of the term."""
    currency: str = "USD"
    tax_code: str = ""
    """Remote id of the code of the whole document; lines may have their own."""
    discount_kind: str = ""
    """`percent`, `amount` or empty; so is `deposit_kind`."""
    discount_value: Decimal | None = None
    discount_before_tax: bool = True
    deposit_kind: str = ""
    deposit_value: Decimal | None = None
    customer_memo: str = ""
    private_note: str = ""
    internal_note: str = ""
    email: str = ""
    billing_address: Mapping[str, str] = field(default_factory=dict)
    shipping_address: Mapping[str, str] = field(default_factory=dict)
    custom_fields: Mapping[str, str] = field(default_factory=dict)
    owner_id: int | None = None
    lines: tuple[Line, ...] = ()

    @property
    def discount(self) -> Discount:
        kind, value = self.discount_kind, self.discount_value
        return Discount(value if kind == PERCENT else None, value if kind == AMOUNT else None, self.discount_before_tax)

    @property
    def deposit(self) -> Deposit:
        kind, value = self.deposit_kind, self.deposit_value
        return Deposit(value if kind == PERCENT else None, value if kind == AMOUNT else None)

    def totals(self, tax: Tax = NO_TAX) -> Totals:
        return calculate(self.lines, discount=self.discount, tax=tax, deposit=self.deposit, currency=self.currency)


def to_json(content: Content) -> dict[str, Any]:
    """Plain JSON: exact numbers and days as text."""
    made = {one.name: _plain(getattr(content, one.name)) for one in fields(content) if one.name != "lines"}
    made["lines"] = [{one.name: _plain(getattr(line, one.name)) for one in fields(line)} for line in content.lines]
    return made


def from_json(kept: Mapping[str, Any]) -> Content:
    """The content that was kept; keys that are not known any more are passed over."""
    named = {one.name for one in fields(Content)}
    values = {name: value for name, value in kept.items() if name in named and name != "lines"}
    for name in ("date", "due_date", "expires_on"):
        values[name] = Day.fromisoformat(values[name]) if values.get(name) else None
    for name in ("discount_value", "deposit_value"):
        values[name] = _decimal(values.get(name))
    return Content(**values, lines=tuple(_line(row) for row in kept.get("lines", ())))


def renumbered(content: Content) -> Content:
    """The same with fresh keys for its lines ("1", "2" ...): of a copy, whose lines are new ones."""
    keys = {line.key: str(at) for at, line in enumerate(content.lines, 1)}
    lines = tuple(replace(line, key=keys[line.key], within=keys.get(line.within, "")) for line in content.lines)
    return replace(content, lines=lines)


def search_text(words: Iterable[str]) -> str:
    """What a document is found by, folded, beginning with a blank, so that " am" finds every word that begins so."""
    return " " + fold(" ".join(word for word in words if word.strip()))[:MOST_SEARCHED]


def _line(row: Mapping[str, Any]) -> Line:
    named = {one.name for one in fields(Line)}
    values = {name: value for name, value in row.items() if name in named}
    for name in ("quantity", "unit_price", "amount"):
        values[name] = _decimal(values.get(name))
    return Line(**values)


def _decimal(value: Any) -> Decimal | None:
    return None if value in (None, "") else Decimal(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Day):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else value
