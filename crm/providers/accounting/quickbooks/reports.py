"""QuickBooks' aged receivables report, read by what its columns say of themselves, never by their place.

Intuit is rebuilding its reports: columns may move or be added. Customers with jobs come as sections, whose header holds
what the customer owes itself; lines of sums bear no id and are passed over. A column of money whose meaning cannot be
told is refused, since leaving it out would make a wrong figure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from crm.domain.errors import UnexpectedAnswer
from crm.providers.accounting.base import Receivable

NAME = "AgedReceivables"
BUCKETS = ("current", "1-30", "31-60", "61-90", "over-90")
TOTAL = "total"
_SPAN = re.compile(r"(\d+)\s*[-\u2013]\s*(\d+)")
_OVER = re.compile(r"(?:>|over)\s*90\b|\b9[01]\s*(?:\+|and over|or more|& over)")
_ZERO = Decimal(0)


def asked(as_of: date) -> dict[str, str]:
    """By days past due on the day of the report, in four spans of thirty days; the default may be today's."""
    return {
        "report_date": as_of.isoformat(), "aging_method": "Report_Date", "aging_period": "30", "num_periods": "4",
    }  # fmt: skip


def receivables_in(report: Mapping[str, Any]) -> list[Receivable]:
    """A row per customer who owes or is owed. Raises UnexpectedAnswer for a report that cannot be understood."""
    header = report.get("Header")
    if not isinstance(header, Mapping) or header.get("ReportName") != NAME:
        raise UnexpectedAnswer("QuickBooks answered with another report than the one asked for.")
    if _option(header, "NoReportData").casefold() == "true":
        return []
    columns = _columns(report)
    found: dict[str, Receivable] = {}
    for cells in _lines(report.get("Rows")):
        row = _receivable(cells, columns)
        if row and any(row.amounts.values()):
            found[row.remote_id] = _joined(found.get(row.remote_id), row)
    return list(found.values())


def _option(header: Mapping[str, Any], name: str) -> str:
    for option in header.get("Option") or ():
        if isinstance(option, Mapping) and option.get("Name") == name:
            return str(option.get("Value", ""))
    return ""


def _columns(report: Mapping[str, Any]) -> list[str]:
    """What each column holds: one of BUCKETS, `total`, `customer`, or nothing we read."""
    try:
        columns = [_meaning(column) for column in report["Columns"]["Column"]]
    except (KeyError, TypeError):
        raise UnexpectedAnswer("QuickBooks' aged receivables have no columns.") from None
    if sorted(filter(None, columns)) != sorted((*BUCKETS, TOTAL, "customer")):
        raise UnexpectedAnswer(f"QuickBooks' aged receivables have other columns: {', '.join(columns)}.")
    return columns


def _meaning(column: Mapping[str, Any]) -> str:
    kind, title = str(column.get("ColType", "")), " ".join(str(column.get("ColTitle", "")).casefold().split())
    if kind.casefold() in ("customer", "name"):
        return "customer"
    if kind.casefold() != "money":
        return ""
    key = next((str(meta.get("Value", "")).casefold() for meta in column.get("MetaData") or ()
                if isinstance(meta, Mapping) and meta.get("Name") == "ColKey"), "")  # fmt: skip
    span = _SPAN.search(title)
    if span and f"{span[1]}-{span[2]}" in BUCKETS:
        return f"{span[1]}-{span[2]}"
    if TOTAL in (key, title) or "current" in (key, title):
        return TOTAL if TOTAL in (key, title) else "current"
    return "over-90" if _OVER.search(title) else f"{title or key or 'untitled'} (unknown)"


def _lines(rows: Any) -> Iterator[Sequence[Mapping[str, Any]]]:
    """The cells of every line but the sums, from the outside in."""
    for row in (rows.get("Row") or ()) if isinstance(rows, Mapping) else ():
        for holder in (row.get("Header"), row):
            cells = holder.get("ColData") if isinstance(holder, Mapping) else None
            if isinstance(cells, list):
                yield cells
        yield from _lines(row.get("Rows"))


def _receivable(cells: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Receivable | None:
    line = dict(zip(columns, cells, strict=False))
    customer = line.get("customer", {})
    if not customer.get("id"):
        return None
    amounts = {bucket: _amount(line.get(bucket)) for bucket in (*BUCKETS, TOTAL)}
    if sum((amounts[bucket] for bucket in BUCKETS), _ZERO) != amounts[TOTAL]:
        raise UnexpectedAnswer(f"QuickBooks' aged receivables do not add up for customer {customer['id']}.")
    return Receivable(str(customer["id"]), str(customer.get("value", "")), amounts)


def _amount(cell: Any) -> Decimal:
    """Cells are texts; an empty one is nothing."""
    text = str(cell.get("value", "")).strip().replace(",", "") if isinstance(cell, Mapping) else ""
    try:
        return Decimal(text) if text else _ZERO
    except InvalidOperation:
        raise UnexpectedAnswer(f"QuickBooks' aged receivables hold {text!r} where an amount belongs.") from None


def _joined(first: Receivable | None, second: Receivable) -> Receivable:
    """A customer may come in two lines: what it owes itself and a project's share, say."""
    if first is None:
        return second
    amounts = {bucket: first.amounts[bucket] + amount for bucket, amount in second.amounts.items()}
    return Receivable(first.remote_id, first.name, amounts)
