"""What a person or a program can say of a product: the fields, how their text is read, and what has changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from crm.domain.amounts import MOST, places, read_number
from crm.domain.contacts import clean

LABELS: dict[str, str] = {
    "name": "Name", "type": "Type", "category": "Category", "sku": "SKU", "description": "Description",
    "purchase_description": "Purchase description", "price": "Price", "cost": "Cost", "taxable": "Taxable",
    "income_account": "Income account", "expense_account": "Expense account",
    "asset_account": "Inventory asset account", "reorder_point": "Reorder point",
}  # fmt: skip
"""Fields a person can change. What is in stock is the books' figure and is none of them."""
NUMBERS = ("price", "cost", "reorder_point")
ACCOUNTS = ("income_account", "expense_account", "asset_account")
TEXTS = ("description", "purchase_description")
"""Of several lines."""
DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Values:
    """A product as it shall be. The numbers may be unknown."""

    name: str = ""
    type: str = "service"
    category: str = ""
    sku: str = ""
    description: str = ""
    purchase_description: str = ""
    price: Decimal | None = None
    cost: Decimal | None = None
    taxable: bool = True
    income_account: str = ""
    expense_account: str = ""
    asset_account: str = ""
    reorder_point: Decimal | None = None


FIELDS = tuple(LABELS)


def of(product: Any) -> Values:
    """What a stored product says now."""
    return Values(**{name: getattr(product, name) for name in FIELDS})


def typed(product: Any) -> dict[str, str]:
    """As a form shows it: every field as text, ticks as "1" or nothing."""
    values = {name: getattr(product, name) for name in FIELDS}
    return {name: _text(value) for name, value in values.items()}


def read(texts: Mapping[str, str]) -> tuple[Values, dict[str, str]]:
    """A form's texts, and a sentence for every number that is none; such a number counts as unknown."""
    numbers: dict[str, Decimal | None] = {}
    wrong: dict[str, str] = {}
    for name in NUMBERS:
        try:
            numbers[name] = read_number(texts.get(name, ""))
        except ValueError:
            numbers[name] = None
            wrong[name] = (
                f"{LABELS[name]}: “{texts[name].strip()[:30]}” is no number. Write it as 1234.50, or leave it empty."
            )
    plain = [name for name in FIELDS if name not in NUMBERS and name != "taxable"]
    words: dict[str, Any] = {
        name: _lines(texts.get(name, "")) if name in TEXTS else clean(texts.get(name, "")) for name in plain
    }
    return Values(**words | numbers, taxable=bool(texts.get("taxable"))), wrong


def unfit(values: Values) -> dict[str, str]:
    """What no table here could hold, in sentences."""
    wrong = {}
    for name in NUMBERS:
        number: Decimal | None = getattr(values, name)
        if number is None:
            continue
        if abs(number) > MOST:
            wrong[name] = f"{LABELS[name]}: QuickBooks keeps {MOST:,} at most."
        elif places(number) > DECIMALS:
            wrong[name] = f"{LABELS[name]}: write it with {DECIMALS} decimals at most."
    if values.reorder_point is not None and values.reorder_point < 0:
        wrong["reorder_point"] = "The reorder point is a number of 0 or more."
    return wrong


def changes(before: Values, after: Values) -> dict[str, tuple[str, str]]:
    """Field -> old and new, as text."""
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in FIELDS}
    return {name: (_text(old), _text(new)) for name, (old, new) in pairs.items() if old != new}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, Decimal):
        return format(value, "f")
    return "" if value is None else str(value)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\x00", "").strip()
