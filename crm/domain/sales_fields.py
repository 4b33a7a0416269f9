"""The fields of a quote or invoice that both sides share, in the form in which they are compared.

Both sides are compared as records (`DocumentRecord`): ours is made from our rows, theirs came from the books. A key is
a field of that record, a value its text; `lines` is everything that makes up the amounts (lines, discount), as one
value, since lines of two sides never mix. Tax is not among them: the books compute it. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields as fields_of
from decimal import Decimal
from typing import Any

from crm.domain.amounts import told
from crm.domain.record_documents import DocumentRecord, LineRecord
from crm.domain.record_parts import Address, Ref

TITLES: Mapping[str, str] = {
    "customer": "customer", "number": "number", "date": "date", "due_date": "due date", "expires_on": "expiry date",
    "terms": "terms", "email": "e-mail", "customer_memo": "note to the customer", "private_note": "private note",
    "billing_address": "billing address", "shipping_address": "service address", "status": "status",
    "accepted_by": "accepted by", "accepted_on": "accepted on", "tax_code": "tax code", "deposit": "deposit",
    "custom_fields": "custom fields", "lines": "lines and amounts",
}  # fmt: skip
OF_KIND: Mapping[str, tuple[str, ...]] = {
    "estimate": ("customer", "number", "date", "expires_on", "email", "customer_memo", "private_note",
                 "billing_address", "shipping_address", "status", "accepted_by", "accepted_on", "tax_code",
                 "custom_fields", "lines"),
    "invoice": ("customer", "number", "date", "due_date", "terms", "email", "customer_memo", "private_note",
                "billing_address", "shipping_address", "tax_code", "deposit", "custom_fields", "lines"),
}  # fmt: skip
"""Kind -> its shared fields."""
WHOLE = "lines"
"""The field about which a person sees both documents whole."""
LEFT_OUT = ("subtotal",)
"""Lines that the books make themselves."""


def keys(record: DocumentRecord) -> dict[str, str]:
    """Shared field -> what stands there; empty where nothing does."""
    return {name: _text(name, getattr(record, name), record) for name in OF_KIND[record.kind]}


def shown(record: DocumentRecord, field: str) -> str:
    """A field as people read it; of `lines` the sum and what it is made of."""
    if field == WHOLE:
        sold = [line for line in record.lines if line.kind in ("item", "group", "other")]
        said = "; ".join(_line_shown(line, record.currency) for line in sold)
        return f"{told(record.total, record.currency)}: {said}" if said else told(record.total, record.currency)
    value = getattr(record, field)
    return value.name or value.remote_id if isinstance(value, Ref) else _text(field, value, record)


def shown_key(field: str, key: str) -> str:
    """A value of the base, of which only the key was kept; of `lines` how many there were."""
    if field != WHOLE or not key:
        return key
    number = sum(1 for line in json.loads(key) if line[0] in ("item", "group", "other"))
    return f"{number} line{'' if number == 1 else 's'}"


def _line_shown(line: LineRecord, currency: str) -> str:
    name = (line.item.name if line.item else "") or line.description.split("\n")[0] or "no description"
    amount = "" if line.amount is None else f" {told(line.amount, currency)}"
    return f"{name} × {_number(Decimal(1) if line.quantity is None else line.quantity)}{amount}"


def _text(name: str, value: Any, record: DocumentRecord) -> str:
    if name == WHOLE:
        return _lines(record)
    if name == "custom_fields":
        return "\n".join(sorted(f"{one.definition_id}={one.value}" for one in value if one.value))
    if name == "deposit":
        return _number(value) if value else ""
    if isinstance(value, Ref):
        return value.remote_id
    if isinstance(value, Address):
        return "\n".join(part for one in fields_of(value) if (part := str(getattr(value, one.name)).strip()))
    return "" if value is None else str(value).strip()


def _lines(record: DocumentRecord) -> str:
    """Canonical JSON of what the amounts are made of. Two writings of the same number are the same."""
    found = [_line(line) for line in record.lines if line.kind not in (*LEFT_OUT, "discount")]
    discount = record.discount_line
    if discount is not None and (discount.discount_percent or discount.amount):
        percent = discount.discount_percent
        found.append(["discount", f"{_number(percent)}%" if percent else _number(discount.amount)])
        found.append(["before tax" if record.discount_before_tax is not False else "after tax"])
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")) if found else ""


def _line(line: LineRecord) -> list[Any]:
    description = " ".join(line.description.split())
    if line.kind == "text":
        return ["text", description]
    item = line.item.remote_id if line.item else ""
    if line.kind == "group":
        return ["group", item, description, _number(line.quantity), [_line(member) for member in line.members]]
    priced = line.unit_price is not None
    quantity = _number(line.quantity if line.quantity is not None else Decimal(1) if priced else None)
    return [line.kind, item, description, quantity, _number(line.unit_price), _number(line.amount), _taxed(line)]


def _taxed(line: LineRecord) -> str:
    """The code where lines have codes of their own; else whether it is taxed. Untaxed and not said are the same."""
    if line.taxable is not None or line.tax_code in ("", "TAX", "NON"):
        return "taxed" if line.taxable or line.tax_code == "TAX" else ""
    return line.tax_code


def _number(value: Decimal | None) -> str:
    return "" if value is None else format(value.normalize() + 0, "f")
