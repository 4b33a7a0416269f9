"""The lines of QuickBooks' sales documents, both ways.

The mapper uses it for estimates, invoices and credit memos. A line's own object (`SalesItemLineDetail` ...) is opened
for what is ours; the rest of it stays in the line's `extra`. Amounts are not computed: they are as sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm.domain.records import LineRecord
from crm.providers.accounting.quickbooks.fields import Reader, Unreadable, Writer

#: QuickBooks' DetailType -> our kind, and the object that goes with it.
DETAIL_TYPES = {
    "SalesItemLineDetail": ("item", "SalesItemLineDetail"),
    "DescriptionOnly": ("text", "DescriptionLineDetail"),
    "DiscountLineDetail": ("discount", "DiscountLineDetail"),
    "SubTotalLineDetail": ("subtotal", "SubTotalLineDetail"),
    "GroupLineDetail": ("group", "GroupLineDetail"),
}
#: Our kind -> names of item, quantity, unit price and tax code in its object.
PARTS = {
    "item": ("ItemRef", "Qty", "UnitPrice", "TaxCodeRef"),
    "group": ("GroupItemRef", "Quantity", "", ""),
}


def read_lines(body: Reader) -> tuple[LineRecord, ...]:
    return tuple(_read(row) for row in body.rows("Line"))


def write_lines(body: Writer, lines: tuple[LineRecord, ...]) -> None:
    if lines:
        body.body["Line"] = [_write(line) for line in lines]


def _read(row: Mapping[str, Any]) -> LineRecord:
    body = Reader(row)
    word = body.text("DetailType")
    kind, holder = DETAIL_TYPES.get(word, ("other", ""))
    if kind == "other" and word:
        body.rest["DetailType"] = word
    parts: dict[str, Any] = {}
    if kind in PARTS and body.rest.get(holder) is not None:
        parts = _open(body, holder, *PARTS[kind])
    return LineRecord(
        remote_id=body.text("Id") or None,
        kind=kind,
        description=body.text("Description"),
        amount=body.number("Amount"),
        extra=body.rest,
        **parts,
    )


def _open(body: Reader, holder: str, item: str, quantity: str, price: str, tax: str) -> dict[str, Any]:
    sent = body.rest[holder]
    if not isinstance(sent, Mapping):
        raise Unreadable(f"Line.{holder} is not an object.")
    inner = Reader(sent)
    parts = {
        "item": inner.ref(item),
        "quantity": inner.number(quantity),
        "unit_price": inner.number(price) if price else None,
        "tax_code": inner.inside(tax, "value") if tax else "",
    }
    if inner.rest:
        body.rest[holder] = inner.rest
    else:
        del body.rest[holder]
    return parts


def _write(line: LineRecord) -> dict[str, Any]:
    body = Writer(line.extra)
    body.put("Id", line.remote_id)
    body.put("Description", line.description)
    body.put("Amount", line.amount)
    word, holder = next(
        ((word, holder) for word, (kind, holder) in DETAIL_TYPES.items() if kind == line.kind), ("", "")
    )
    body.put("DetailType", word)
    if holder:
        body.body.setdefault(holder, {})
    if line.kind in PARTS:
        item, quantity, price, tax = PARTS[line.kind]
        inner = Writer(body.body[holder])
        inner.put_ref(item, line.item)
        inner.put(quantity, line.quantity)
        if price:
            inner.put(price, line.unit_price)
            inner.put_inside(tax, "value", line.tax_code)
        body.body[holder] = inner.body
    return body.body
