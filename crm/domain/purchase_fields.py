"""The fields of a vendor or bill that both sides share, in the form in which they are compared.

Both sides are compared as records: ours is made from our row, theirs came from the books. `lines` of a bill is all that
makes up its amount, as one value, since lines of two sides never mix. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from decimal import Decimal
from typing import Any, TypeAlias

from crm.domain.amounts import told
from crm.domain.names import without_deleted
from crm.domain.policies import shared
from crm.domain.record_documents import BillRecord, LineRecord
from crm.domain.record_parts import Address, Ref
from crm.domain.records import VendorRecord

Purchase: TypeAlias = VendorRecord | BillRecord

TITLES: Mapping[str, Mapping[str, str]] = {
    kind: {field.name: field.title for field in shared(kind)} for kind in ("vendor", "bill")
}
WHOLE = "lines"
SENT: Mapping[str, str] = {"phone": "phones", "email": "email_text"}
"""Shared field -> field of the record, where that has another name."""
PHONE = "primary"


def kind_of(record: Purchase) -> str:
    return "bill" if isinstance(record, BillRecord) else "vendor"


def keys(record: Purchase) -> dict[str, str]:
    """Shared field -> what stands there; empty where nothing does."""
    return {name: _text(name, _value(record, name)) for name in TITLES[kind_of(record)]}


def shown(record: Purchase, field: str) -> str:
    """A field as people read it; of `lines` the sum and what it is made of."""
    value = _value(record, field)
    if field == WHOLE and isinstance(record, BillRecord):
        said = "; ".join(_line_shown(line, record.currency) for line in record.lines if line.amount is not None)
        return f"{told(record.total, record.currency)}: {said}" if said else told(record.total, record.currency)
    if isinstance(value, Ref):
        return value.name or value.remote_id
    return _text(field, value)


def shown_key(field: str, key: str) -> str:
    """A value of which only the key was kept; of `lines` how many there were."""
    if field != WHOLE or not key:
        return key
    number = len(json.loads(key))
    return f"{number} line{'' if number == 1 else 's'}"


def phone_of(record: VendorRecord) -> str:
    return next((phone.text for phone in record.phones if phone.label == PHONE), "")


def total_of(lines: Sequence[LineRecord]) -> Decimal:
    return sum((line.amount for line in lines if line.amount is not None), Decimal(0))


def _value(record: Any, name: str) -> Any:
    if name == "phone":
        return phone_of(record)
    if name == "display_name":
        return without_deleted(record.display_name)
    return getattr(record, SENT.get(name, name))


def _text(name: str, value: Any) -> str:
    if name == WHOLE:
        return json.dumps([_line(line) for line in value], ensure_ascii=False, separators=(",", ":")) if value else ""
    if isinstance(value, Ref):
        return value.remote_id
    if isinstance(value, Address):
        return "\n".join(part for one in fields_of(value) if (part := str(getattr(value, one.name)).strip()))
    return "" if value is None else str(value).strip()


def _line(line: LineRecord) -> list[Any]:
    """What a line says. Two writings of the same number are the same; one whose product has a price has a quantity."""
    description = " ".join(line.description.split())
    if line.kind not in ("account", "item"):
        return [line.kind, description, number(line.amount)]
    what = line.item if line.kind == "item" else line.account
    who = line.customer.remote_id if line.customer else ""
    billable = line.billable if line.billable not in ("", "not_billable") else ""
    quantity = ""
    if line.kind == "item":
        quantity = number(Decimal(1) if line.quantity is None else line.quantity)
    return [line.kind, what.remote_id if what else "", description, quantity, number(line.amount), who, billable]


def _line_shown(line: LineRecord, currency: str) -> str:
    what = line.item if line.kind == "item" else line.account
    name = (what.name if what else "") or line.description.split("\n")[0] or "no description"
    return f"{name} {told(line.amount or Decimal(0), currency)}"


def number(value: Decimal | None) -> str:
    """A number as it is kept and compared: "12.5" for 12.50."""
    return "" if value is None else format(value.normalize() + 0, "f")
