"""Both sides of a bill, whole, for who decides about its lines (`conflict_wholes`). Reads only; no row is locked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain.days import day_text
from crm.domain.purchase_fields import TITLES, WHOLE
from crm.domain.record_documents import BillRecord
from crm.domain.sales_sides import Side, SideLine, Whole, sides
from crm.models import Bill, Vendor
from crm.queries import bills
from crm.services.sync.mirror.stored import from_stored
from crm.services.sync.purchases import rows

PRICED = ("account", "item")


def of_bill(session: Session, bill_id: int) -> tuple[Side, Side] | None:
    """(ours, theirs); None where the books do not hold it (any more)."""
    bill = session.get(Bill, bill_id, populate_existing=True)
    if bill is None or not bill.remote_id or not bill.record or bill.gone_at is not None:
        return None
    theirs: BillRecord = from_stored(BillRecord, bill.record)
    said = rows.bill(theirs)
    ours = {name: getattr(bill, name) for name in ("number", "date", "due_date", "private_note")}
    vendor = session.scalar(select(Vendor.display_name).where(Vendor.id == bill.vendor_id)) or ""
    mine = (Vendor.connection_id == bill.connection_id, Vendor.remote_id == theirs.vendor.remote_id)
    there = session.scalar(select(Vendor.display_name).where(*mine)) or theirs.vendor.name
    return sides(
        _whole(session, bill, ours | {"vendor": vendor}, bill.lines, bill.total),
        _whole(session, bill, said | {"vendor": there}, said["lines"], theirs.total, void=theirs.void),
    )


def _whole(
    session: Session, bill: Bill, facts: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], total: Decimal,
    *, void: bool = False,
) -> Whole:  # fmt: skip
    names = bills.line_names(session, bill, lines)
    made = [_line(line, name) for line, name in zip(lines, names, strict=True)]
    subtotal = sum((line.amount for line in made if line.amount is not None), Decimal(0))
    figures = {"subtotal": subtotal, "discount": Decimal(0), "tax": total - subtotal, "total": total}
    texts = {title.capitalize(): _text(facts[name]) for name, title in TITLES["bill"].items() if name != WHOLE}
    return Whole(texts, made, figures, bill.currency, void)


def _line(line: Mapping[str, Any], names: bills.Names) -> SideLine:
    """Of what is booked to an account the amount is all there is; whom it is for stands below its description."""
    buyer = f"For {names.customer}{', billable' if line['billable'] in ('billable', 'billed') else ''}"
    said = "\n".join(part for part in (line["description"], buyer if names.customer else "") if part)
    kind = line.get("kind") or "account"
    sold = kind == "item"
    return SideLine(
        line["remote_id"], "item" if kind in PRICED else "text", names.product or names.account, said,
        rows.amount(line["quantity"]) if sold else None, rows.amount(line["unit_price"]) if sold else None,
        rows.amount(line["amount"]), taxable=False, member=False,
    )  # fmt: skip


def _text(value: Any) -> str:
    return day_text(value) if isinstance(value, date) else str(value or "")
