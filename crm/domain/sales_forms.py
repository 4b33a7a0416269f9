"""A form of a quote or invoice: from what a person typed to Content and back, and what buttons do to its lines.

Used by the builder's pages of both kinds. A form is flat text: fields of Content by their own names (`custom-<id>` for
a custom field), lines as `lines-<place>-<field>`. What cannot be read is told beside its field and kept as typed;
fields the form does not have keep what they were. Buttons work on texts, so that nothing has to be right before a line
is moved. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from typing import Any

from crm.domain.amounts import places, read_number
from crm.domain.contacts import clean
from crm.domain.days import FIRST_YEAR, LAST_YEAR, read_day
from crm.domain.sales import GROUP, ITEM, LINE_KINDS, OTHER, SECTION, TEXT, Line
from crm.domain.sales_content import AMOUNT, PERCENT, Content

Row = dict[str, str]
"""One line as typed, a text for every one of LINE_FIELDS."""

LABELS: dict[str, str] = {
    "contact_id": "Customer", "title": "Title", "number": "Number", "date": "Date", "due_date": "Due date",
    "expires_on": "Valid until", "terms": "Terms", "tax_code": "Tax code", "discount_kind": "Discount",
    "discount_value": "Discount", "deposit_kind": "Deposit", "deposit_value": "Deposit",
    "customer_memo": "Note to the customer", "private_note": "Note for the books", "internal_note": "Internal note",
    "email": "E-mail", "custom_fields": "Custom fields", "owner_id": "Owner", "lines": "Lines",
}  # fmt: skip
DATES = ("date", "due_date", "expires_on")
NUMBERS = ("discount_value", "deposit_value")
IDS = ("contact_id", "owner_id")
TEXTS = ("customer_memo", "private_note", "internal_note")
"""Of several lines."""
LIMITS = {"title": 200, "number": 21, "terms": 40, "tax_code": 40, "email": 100, "customer_memo": 1000,
          "private_note": 4000, "internal_note": 10_000}  # fmt: skip
"""QuickBooks keeps 21 characters of a number, 100 of an e-mail address, 1,000 of a memo, 4,000 of a private note."""
CUSTOM, LONGEST_CUSTOM = "custom-", 31
MOST_LINES = 500
LINE_FIELDS = tuple(one.name for one in fields(Line))
LINE_NUMBERS = {"quantity": "quantity", "unit_price": "price", "amount": "amount"}
TICKS = ("taxable", "optional", "chosen")
KINDS = (PERCENT, AMOUNT)
_ROW = re.compile(r"lines-(\d{1,4})-([a-z_]+)", re.ASCII)
_KEY = re.compile(r"[A-Za-z0-9]{1,20}", re.ASCII)
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")


@dataclass(frozen=True, slots=True)
class Typed:
    """A form that was read: its texts as they were typed, and what they say."""

    texts: Mapping[str, str]
    """Fields of the head, `custom-<id>` among them."""
    rows: tuple[Row, ...]
    content: Content
    """One line for each row, in their order; what could not be read counts as not given."""
    wrong: Mapping[str, str]
    """Field ("discount_value", "lines-2-quantity") -> what is wrong with it, in a sentence."""


# --- reading --------------------------------------------------------------------------------------------------


def read(form: Mapping[str, str], *, base: Content, blanks: bool = True) -> Typed:
    """The form as typed. `base`: what fields that it does not have keep; without `blanks` empty lines are left out."""
    rows = rows_of(form)
    return of_rows(form, rows if blanks else [row for row in rows if not is_blank(row)], base=base)


def of_rows(form: Mapping[str, str], rows: Sequence[Row], *, base: Content) -> Typed:
    """The same with these lines in place of those of the form."""
    named = {one.name for one in fields(Content)} - {"lines", "custom_fields"}
    texts = {name: text for name, text in form.items() if name in named or name.startswith(CUSTOM)}
    wrong: dict[str, str] = {}
    values = {name: value for name in texts if name in LABELS and (value := _head(name, texts, wrong)) is not _KEPT}
    custom = dict(base.custom_fields) | {
        name.removeprefix(CUSTOM): clean(text) for name, text in texts.items() if name.startswith(CUSTOM)
    }
    wrong |= {
        f"{CUSTOM}{id_}": f"A custom field holds {LONGEST_CUSTOM} characters. Shorten it."
        for id_, text in custom.items() if len(text) > LONGEST_CUSTOM
    }  # fmt: skip
    lines = tuple(_line(row, at, wrong) for at, row in enumerate(rows, 1))
    content = replace(base, **values, custom_fields={id_: text for id_, text in custom.items() if text}, lines=lines)
    return Typed(texts, tuple(rows), content, wrong)


def typed(content: Content) -> Typed:
    """The form of something that is there already."""
    texts = {one.name: _text(getattr(content, one.name)) for one in fields(content) if one.name in LABELS}
    texts |= {f"{CUSTOM}{id_}": text for id_, text in content.custom_fields.items()}
    texts.pop("custom_fields")
    for part in ("discount", "deposit"):
        value = getattr(content, f"{part}_value")
        texts[f"{part}_value"] = _plain(value) if texts[f"{part}_kind"] == AMOUNT else _short(value)
    return Typed(texts, tuple(row_of(line) for line in content.lines), content, {})


def row_of(line: Line) -> Row:
    return {name: _text(getattr(line, name)) for name in LINE_FIELDS} | {
        "quantity": _short(line.quantity), "unit_price": _plain(line.unit_price), "amount": _plain(line.amount),
    }  # fmt: skip


def rows_of(form: Mapping[str, str]) -> list[Row]:
    """The lines of a form in their order, each with a key of its own; more than MOST_LINES are not read."""
    found: dict[int, Row] = {}
    for name, text in form.items():
        match = _ROW.fullmatch(name)
        if match and match[2] in LINE_FIELDS:
            found.setdefault(int(match[1]), dict.fromkeys(LINE_FIELDS, ""))[match[2]] = text
    rows: list[Row] = []
    for place in sorted(found)[:MOST_LINES]:
        row = found[place]
        known = {one["key"] for one in rows}
        if not _KEY.fullmatch(row["key"]) or row["key"] in known:
            row["key"] = fresh_key(rows)
        rows.append(row)
    return rows


def is_blank(row: Row) -> bool:
    """A line nobody has written anything into."""
    said = ("item", "name", "description", "unit_price", "amount")
    return row["kind"] not in (GROUP, OTHER) and not any(row[name].strip() for name in said)


_KEPT = object()


def _head(name: str, texts: Mapping[str, str], wrong: dict[str, str]) -> Any:
    """What a field of the head says; `_KEPT` where it says nothing that can be kept."""
    text = texts[name]
    if name in DATES:
        return _date(name, text, wrong)
    if name in NUMBERS:
        return _part(name, text, texts, wrong)
    if name in IDS:
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    if name in ("discount_kind", "deposit_kind"):
        return text if text in KINDS and texts.get(name.replace("kind", "value"), "").strip() else ""
    if name == "lines":
        return _KEPT
    plain = _lines_of(text) if name in TEXTS else clean(text)
    if len(plain) > LIMITS[name]:
        wrong[name] = f"{LABELS[name]}: {LIMITS[name]:,} characters are kept, these are {len(plain):,}. Shorten it."
    elif name == "email" and plain and not all(_EMAIL.fullmatch(one.strip()) for one in plain.split(",")):
        wrong[name] = f"E-mail: “{plain[:60]}” is no address. Write it as ann@example.com; a comma parts several."
    return plain


def _date(name: str, text: str, wrong: dict[str, str]) -> date | None:
    if not text.strip():
        return None
    try:
        return read_day(text)
    except ValueError:
        wrong[name] = (
            f"{LABELS[name]}: “{text.strip()[:30]}” is no date from {FIRST_YEAR} to {LAST_YEAR}. "
            "Write it as 2026-11-30."
        )
        return None


def _part(name: str, text: str, texts: Mapping[str, str], wrong: dict[str, str]) -> Decimal | None:
    """The figure of a discount or deposit, which counts only where it is said of what it is."""
    try:
        value = read_number(text.strip().removesuffix("%"))
    except ValueError:
        wrong[name] = f"{LABELS[name]}: “{text.strip()[:30]}” is no number. Write it as 10 or 250.00."
        return None
    kind = texts.get(name.replace("value", "kind"), "")
    if value is not None and kind not in KINDS:
        wrong[name] = f"{LABELS[name]}: say whether {text.strip()[:30]} is percent or an amount, or empty the field."
    return value


def _line(row: Row, at: int, wrong: dict[str, str]) -> Line:
    numbers = {name: _number(row, name, at, wrong) for name in LINE_NUMBERS}
    if numbers["unit_price"] is not None and row["kind"] != OTHER:
        numbers["amount"] = None
    kind = row["kind"] if row["kind"] in LINE_KINDS else ITEM
    return Line(
        kind=kind, key=row["key"], item=row["item"] if row["item"].isdigit() and len(row["item"]) < 10 else "",
        name=clean(row["name"])[:500], description=_lines_of(row["description"]), **numbers,
        taxable=bool(row["taxable"]), tax_code=clean(row["tax_code"])[:40], optional=bool(row["optional"]),
        chosen=bool(row["chosen"]), within=row["within"],
    )  # fmt: skip


def _number(row: Row, name: str, at: int, wrong: dict[str, str]) -> Decimal | None:
    if row["kind"] in (TEXT, SECTION):
        return None
    try:
        return read_number(row[name])
    except ValueError:
        wrong[f"lines-{at}-{name}"] = (
            f"Line {at}: the {LINE_NUMBERS[name]} “{row[name].strip()[:30]}” is no number. Write it as 1234.50."
        )
        return None


# --- what buttons do to the lines -----------------------------------------------------------------------------


def new_row(rows: Sequence[Row], kind: str = ITEM, *, taxable: bool = False, tax_code: str = "") -> Row:
    """An empty line for the end of these."""
    sold = kind == ITEM
    return dict.fromkeys(LINE_FIELDS, "") | {
        "kind": kind if kind in (ITEM, TEXT, SECTION) else ITEM, "key": fresh_key(rows),
        "quantity": "1" if sold else "", "taxable": "1" if sold and taxable else "",
        "tax_code": tax_code if sold else "",
    }  # fmt: skip


def product_rows(
    rows: Sequence[Row], product: Any, members: Sequence[tuple[Any, Decimal]] = (), *, currency: str, tax_code: str = ""
) -> list[Row]:
    """The lines of a product for the end of these: one, or of a bundle its head and its members (product, quantity).

    A price in another currency than the document's is left for a person to say.
    """
    head = _sold(rows, product, Decimal(1), currency=currency, tax_code=tax_code)
    found = [
        head | {"kind": GROUP, "unit_price": "", "taxable": "", "tax_code": ""} if product.type == "group" else head
    ]
    for member, quantity in members:
        made = _sold([*rows, *found], member, quantity, currency=currency, tax_code=tax_code)
        found.append(made | {"within": head["key"]})
    return found


def _sold(rows: Sequence[Row], product: Any, quantity: Decimal, *, currency: str, tax_code: str) -> Row:
    own = (product.currency or currency) == currency
    return new_row(rows, taxable=product.taxable, tax_code=tax_code) | {
        "item": str(product.id), "name": product.name, "description": product.description,
        "quantity": _short(quantity), "unit_price": _plain(product.price) if own else "",
    }  # fmt: skip


def fresh_key(rows: Sequence[Row]) -> str:
    known, number = {row["key"] for row in rows}, len(rows) + 1
    while f"n{number}" in known:
        number += 1
    return f"n{number}"


def acted(rows: Sequence[Row], deed: str, key: str) -> list[Row]:
    """The lines after a button was pressed at the one with this key: `remove`, `up`, `down`, or `open` (a bundle
    becomes its members). A bundle moves and goes with its members; a member stays within its bundle."""
    blocks = _blocks(rows)
    if deed == "open":
        return [row | {"within": ""} if row["within"] == key else row
                for row in rows if row["key"] != key or row["kind"] != GROUP]  # fmt: skip
    at = next((place for place, block in enumerate(blocks) if block[0]["key"] == key), None)
    if at is None:
        return [row for block in blocks for row in _within(block, deed, key)]
    return [row for block in _shifted(blocks, deed, at) for row in block]


def _blocks(rows: Sequence[Row]) -> list[list[Row]]:
    """Each line by itself, a bundle with the members that follow it."""
    blocks: list[list[Row]] = []
    for row in rows:
        if row["within"] and blocks and blocks[-1][0]["key"] == row["within"]:
            blocks[-1].append(row)
        else:
            blocks.append([row])
    return blocks


def _within(block: list[Row], deed: str, key: str) -> list[Row]:
    at = next((place for place, row in enumerate(block[1:]) if row["key"] == key), None)
    return block if at is None else [block[0], *_shifted(block[1:], deed, at)]


def _shifted(items: Sequence[Any], deed: str, at: int) -> list[Any]:
    found = list(items)
    if deed == "remove":
        del found[at]
    elif deed in ("up", "down"):
        to = at + (1 if deed == "down" else -1)
        if 0 <= to < len(found):
            found[at], found[to] = found[to], found[at]
    return found


# --- texts ----------------------------------------------------------------------------------------------------


def _lines_of(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\x00", "").strip()


def _short(value: Decimal | None) -> str:
    """A quantity as people write it: 3, not 3.0."""
    return "" if value is None else _text(value.normalize())


def _plain(value: Decimal | None) -> str:
    """A price as people write it: 33.00, not 33.0000."""
    if value is None:
        return ""
    return _text(value.quantize(Decimal("0.01")) if places(value) <= 2 else value.normalize())


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, Decimal):
        return format(value, "f")
    return "" if value is None else str(value)
