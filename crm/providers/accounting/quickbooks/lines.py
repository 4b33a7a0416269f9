"""The lines of QuickBooks' sales documents and bills, both ways.

A line's own object (`SalesItemLineDetail` ...) is opened for what is ours; the rest of it stays in the line's `extra`.
Amounts are not computed: they are as sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm.domain.records import LineRecord
from crm.providers.accounting.quickbooks.fields import Field, Reader, Unreadable, Writer, read_fields, write_fields
from crm.providers.accounting.quickbooks.links import read_links, write_links
from crm.providers.accounting.quickbooks.words import word, word_back

#: QuickBooks' DetailType -> our kind, and the object that goes with it.
DETAIL_TYPES = {
    "SalesItemLineDetail": ("item", "SalesItemLineDetail"),
    "DescriptionOnly": ("text", "DescriptionLineDetail"),
    "DiscountLineDetail": ("discount", "DiscountLineDetail"),
    "SubTotalLineDetail": ("subtotal", "SubTotalLineDetail"),
    "GroupLineDetail": ("group", "GroupLineDetail"),
    "ItemBasedExpenseLineDetail": ("item", "ItemBasedExpenseLineDetail"),
    "AccountBasedExpenseLineDetail": ("account", "AccountBasedExpenseLineDetail"),
}
#: The kinds whose DetailType depends on the document, as a bill has them.
OF_A_BILL = {"item": "ItemBasedExpenseLineDetail"}
_TAX: tuple[Field, ...] = (("tax_code", "TaxCodeRef.value", "inside"), ("amount_with_tax", "TaxInclusiveAmt", "number"))
_SOLD: tuple[Field, ...] = (
    ("item", "ItemRef", "ref"), ("quantity", "Qty", "number"), ("unit_price", "UnitPrice", "number"),
    ("account", "ItemAccountRef", "ref"),
)  # fmt: skip
_DAY: Field = ("service_date", "ServiceDate", "day")
_WHO: Field = ("customer", "CustomerRef", "ref")
#: The object -> what of it is ours.
PARTS: dict[str, tuple[Field, ...]] = {
    "SalesItemLineDetail": (*_SOLD, *_TAX, _DAY, ("discount_percent", "DiscountRate", "number"),
                            ("discount_amount", "DiscountAmt", "number")),
    "DescriptionLineDetail": (_TAX[0], _DAY),
    "DiscountLineDetail": (_TAX[0], _DAY, ("account", "DiscountAccountRef", "ref")),
    "GroupLineDetail": (("item", "GroupItemRef", "ref"), ("quantity", "Quantity", "number"), _DAY),
    "ItemBasedExpenseLineDetail": (*_SOLD, *_TAX, _WHO),
    "AccountBasedExpenseLineDetail": (("account", "AccountRef", "ref"), *_TAX, _WHO),
}  # fmt: skip
_LINE: tuple[Field, ...] = (
    ("description", "Description", "text"), ("amount", "Amount", "number"), ("number", "LineNum", "whole"),
)  # fmt: skip
#: The pseudo codes of the US, which only say whether there is tax.
TAXABLE = {"TAX": True, "NON": False}
BILLABLE = {"Billable": "billable", "NotBillable": "not_billable", "HasBeenBilled": "billed"}
_EXPENSES = ("ItemBasedExpenseLineDetail", "AccountBasedExpenseLineDetail")


def read_lines(body: Reader) -> tuple[LineRecord, ...]:
    return tuple(_read(row) for row in body.rows("Line"))


def write_lines(body: Writer, lines: tuple[LineRecord, ...], *, bill: bool = False) -> None:
    if lines:
        body.body["Line"] = [_write(line, bill) for line in lines]


def _read(row: Mapping[str, Any]) -> LineRecord:
    body = Reader(row)
    said = body.text("DetailType")
    kind, holder = DETAIL_TYPES.get(said, ("other", ""))
    if kind == "other" and said:
        body.rest["DetailType"] = said
    parts = read_fields(body, _LINE)
    if holder in PARTS and body.rest.get(holder) is not None:
        parts |= _open(body, holder)
    return LineRecord(remote_id=body.text("Id") or None, kind=kind, linked=read_links(body), extra=body.rest, **parts)


def _open(body: Reader, holder: str) -> dict[str, Any]:
    inner = body.taken(holder)
    if inner is None:
        raise Unreadable(f"Line.{holder} is not an object.")
    parts = read_fields(inner, PARTS[holder])
    parts["taxable"] = TAXABLE.get(parts.get("tax_code", ""))
    if holder == "DiscountLineDetail" and inner.rest.get("PercentBased") is not False:
        parts["discount_percent"] = inner.number("DiscountPercent")
    if holder in _EXPENSES:
        parts["billable"] = word(BILLABLE, inner, "BillableStatus")
    if holder == "GroupLineDetail":
        parts["members"] = tuple(_read(row) for row in inner.rows("Line"))
    if inner.rest:
        body.rest[holder] = inner.rest
    else:
        del body.rest[holder]
    return parts


def _write(line: LineRecord, bill: bool) -> dict[str, Any]:
    body = Writer(line.extra)
    body.put("Id", line.remote_id)
    write_fields(body, line, _LINE)
    write_links(body, line.linked)
    said = (OF_A_BILL if bill else {}).get(line.kind) or next(
        (said for said, (kind, _) in DETAIL_TYPES.items() if kind == line.kind), ""
    )
    body.put("DetailType", said)
    holder = DETAIL_TYPES[said][1] if said else ""
    if holder:
        body.body[holder] = _fill(line, holder, Writer(body.body.get(holder, {})), bill)
    return body.body


def _fill(line: LineRecord, holder: str, inner: Writer, bill: bool) -> dict[str, Any]:
    write_fields(inner, line, PARTS.get(holder, ()))
    if line.taxable is not None and line.tax_code in ("", *TAXABLE) and _TAX[0] in PARTS.get(holder, ()):
        inner.put_inside("TaxCodeRef", "value", "TAX" if line.taxable else "NON")
    if holder == "DiscountLineDetail":
        _fill_discount(line, inner)
    if holder in _EXPENSES:
        inner.put("BillableStatus", word_back(BILLABLE, line.billable, inner, "BillableStatus"))
    if line.members:
        inner.body["Line"] = [_write(member, bill) for member in line.members]
    return inner.body


def _fill_discount(line: LineRecord, inner: Writer) -> None:
    if line.discount_percent is None and inner.body.get("PercentBased") is not False:
        inner.body.pop("DiscountPercent", None)  # it was a percentage before
    inner.body["PercentBased"] = line.discount_percent is not None
    inner.put("DiscountPercent", line.discount_percent)
