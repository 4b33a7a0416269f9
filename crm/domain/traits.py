"""How a write whose answer was lost long ago is found in the books, where its kind has no name to find it by. Pure.

The traits are kept when the body is frozen; later they are held against what the books made for the same customer (or
vendor) since then. Only what the books keep word for word is among them: tax and totals of documents are their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from crm.domain import sales_fields
from crm.domain.preflight import legible
from crm.domain.record_documents import NEXT_NUMBER, BillRecord, DocumentRecord, LineRecord, PaymentRecord
from crm.domain.records import Record

PARTY = "party"
"""The trait that says whose it is: id of the customer or vendor there."""


def traits(record: Record) -> dict[str, str]:
    """Trait -> what stands there, without those that say nothing; empty for a kind that is not found by them."""
    if isinstance(record, PaymentRecord):
        found = {PARTY: record.customer.remote_id, "date": str(record.date or ""), "total": _number(record.total),
                 "reference": record.reference.strip(),
                 "method": record.method.remote_id if record.method else ""}  # fmt: skip
    elif isinstance(record, DocumentRecord) and record.kind in sales_fields.OF_KIND:
        said = sales_fields.keys(record)
        number = "" if record.number == NEXT_NUMBER else said["number"]
        found = {PARTY: said["customer"], "number": number, "date": said["date"], "sold": _sold(record)}
    elif isinstance(record, BillRecord):
        found = {PARTY: record.vendor.remote_id, "number": record.number.strip(), "date": str(record.date or ""),
                 "total": _number(record.total)}  # fmt: skip
    else:
        return {}
    return {name: text for name, text in found.items() if text}


def fits(record: Record, wanted: Mapping[str, str]) -> bool:
    """Whether the record has every trait of these."""
    there = traits(record)
    return bool(wanted) and all(there.get(name) == text for name, text in wanted.items())


def _sold(record: DocumentRecord) -> str:
    """A digest of what stands on the lines. Quantity and price are not among it: where only an amount was said, the
    books work them out themselves."""
    lines = [_line(line) for line in record.lines if line.kind not in ("subtotal", "discount")]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def _line(line: LineRecord) -> list[Any]:
    item = line.item.remote_id if line.item else ""
    amount = _number(line.amount) if line.kind == "item" and line.amount is not None else ""
    return [line.kind, item, legible(line.description), amount, [_line(member) for member in line.members]]


def _number(value: Decimal) -> str:
    return format(value.normalize() + 0, "f")
