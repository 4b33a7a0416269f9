"""What is done to bills: written down, changed, deleted, sent to the books. They are paid in the books.

Called by the pages inside `transaction()`. Lines name accounts of the books, or products and customers of ours. Whoever
changes a bill says which version they saw; when it is no longer that one, Changed is raised and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from crm.domain import purchases
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.purchases import BillLine, BillTyped, BillValues
from crm.models import Bill, Vendor
from crm.queries import bills as queries
from crm.queries import households
from crm.services import audit, bill_lines, sales_settings, vendors
from crm.services.audit import Actor
from crm.services.sync.outbox import outbox
from crm.services.sync.purchases.rows import amount, bill_texts

KIND = "bill"
CHANGED = "Somebody changed this bill while you were editing it. Nothing of yours is lost: look at what stands now."
MISSING = "There is no such bill. The link may be old or not complete."
GONE = "This bill was deleted in QuickBooks. It stays here as evidence and cannot be changed."
PAID = "There are payments on this bill, so it is neither changed nor deleted. Take them off in QuickBooks first."
VOID = "This bill is void in QuickBooks and cannot be changed."


def create(session: Session, typed: BillTyped, *, actor: Actor, now: datetime) -> Bill:
    """A new bill; it goes to the books of its vendor. Raises Invalid with a sentence per field."""
    values, lines = _read(session, typed, None)
    vendor = vendors.held(session, values.vendor_id or 0, None)
    bill = Bill(connection_id=vendor.connection_id, currency=vendor.currency, record={}, payments=[], created_at=now)
    _give(bill, values, vendor, lines, now=now)
    session.add(bill)
    session.flush()
    audit.record("bill_created", actor=actor, now=now, subject=f"bill:{bill.id}", summary=called(bill, vendor))
    to_books(session, bill, (), actor=actor, now=now)
    return bill


def change(session: Session, bill_id: int, typed: BillTyped, *, lock: int, actor: Actor, now: datetime) -> Bill:
    """Raises Invalid, NotFound, Refused, Changed (carrying the bill as it is now)."""
    bill = held(session, bill_id, lock)
    _may_change(bill)
    values, lines = _read(session, typed, bill)
    vendor = vendors.held(session, values.vendor_id or 0, None)
    before = _said(bill)
    _give(bill, values, vendor, lines, now=now)
    changed = [name for name, value in _said(bill).items() if before[name] != value]
    if not changed:
        return bill
    session.flush()
    audit.record("bill_changed", actor=actor, now=now, subject=f"bill:{bill.id}", summary=called(bill, vendor))
    to_books(session, bill, ["vendor" if name == "vendor_id" else name for name in changed], actor=actor, now=now)
    return bill


def delete(session: Session, bill_id: int, *, lock: int, actor: Actor, now: datetime) -> Bill:
    """Take it out of the books. One that is not there yet goes at once, another one when they have said so."""
    bill = held(session, bill_id, lock)
    _may_change(bill)
    vendor = session.get(Vendor, bill.vendor_id) if bill.vendor_id else None
    audit.record("bill_deleted", actor=actor, now=now, subject=f"bill:{bill.id}", summary=called(bill, vendor))
    if bill.remote_id is None:
        bill.gone_at = bill.updated_at = now
        session.flush()
    if bill.connection_id is not None:
        outbox.note(session, bill.connection_id, KIND, bill.id, operation="delete", trigger="change", actor=actor,
                    now=now)  # fmt: skip
    return bill


def send(session: Session, bill_id: int, *, actor: Actor, now: datetime) -> Bill:
    """Put one into the books that was written down before a company was connected."""
    bill = held(session, bill_id, None)
    vendor = session.get(Vendor, bill.vendor_id) if bill.vendor_id else None
    if bill.remote_id is not None:
        raise Refused("This bill is in QuickBooks already.")
    if vendor is None or sales_settings.company_in_use(session) is None:
        raise Refused("There is no connected company that this bill can be written to. Ask an admin to connect one.")
    if vendor.remote_id is None and vendor.connection_id is None:
        vendors.send(session, vendor.id, actor=actor, now=now)
    bill.connection_id = vendor.connection_id
    to_books(session, bill, (), actor=actor, now=now)
    return bill


def to_books(session: Session, bill: Bill, fields: Iterable[str], *, actor: Actor, now: datetime) -> None:
    """Note it for the books, with what must be there before it: its vendor, products and customers of its lines."""
    if bill.connection_id is None:
        return
    vendor = session.get(Vendor, bill.vendor_id) if bill.vendor_id else None
    needs = [(vendors.KIND, vendor.id)] if vendor is not None else []
    if vendor is not None and vendor.remote_id is None and not vendors.is_leaving(session, vendor):
        vendors.to_books(session, vendor, (), actor=actor, now=now)
    for line in bill.lines:
        needs += [("item", line["product_id"])] if line.get("product_id") and not line["item"] else []
        if line.get("contact_id") and not line["customer"]:
            needs.append(("customer", households.payer(line["contact_id"])))
    outbox.note(
        session, bill.connection_id, KIND, bill.id, operation="update" if bill.remote_id else "create",
        fields=tuple(sorted(fields)), trigger="change", actor=actor, now=now, needs=needs,
    )  # fmt: skip


def held(session: Session, bill_id: int, lock: int | None) -> Bill:
    """Locked, since whoever edits an object locks it before its entry in the outbox."""
    bill = session.get(Bill, bill_id, populate_existing=True, with_for_update=True)
    if bill is None:
        raise NotFound(MISSING)
    if lock is not None and bill.lock != lock:
        raise Changed(CHANGED, current=bill)
    if bill.gone_at is not None:
        raise Refused(GONE)
    return bill


def why_not(bill: Bill) -> str:
    """Why it can neither be changed nor deleted; empty where it can."""
    if bill.gone_at is not None:
        return GONE
    if bill.void:
        return VOID
    there = bill.record
    paid = there.get("balance") is not None and Decimal(there["balance"]) != Decimal(there.get("total", "0"))
    return PAID if paid or bill.payments else ""


def called(bill: Bill, vendor: Vendor | None) -> str:
    return " ".join(part for part in ("Bill", bill.number, f"of {vendor.display_name}" if vendor else "") if part)


def record_export(count: int, filters: str, *, actor: Actor, now: datetime) -> None:
    """Keep who took how many bills out of the house; `filters` says in words which."""
    audit.record("bills_exported", actor=actor, now=now, summary=f"Bills as CSV: {count:,} ({filters})")


def typed(session: Session, bill: Bill) -> BillTyped:
    """What a stored bill says, as its form shows it."""
    names = queries.line_names(session, bill, bill.lines)
    lines = tuple(
        BillLine(
            line["remote_id"], line.get("kind", ""), line["account"], name.product, line["description"],
            line["quantity"], line["unit_price"], line["amount"] if not line["unit_price"] else "", name.customer,
            "1" if line["billable"] in ("billable", "billed") else "",
        )
        for line, name in zip(bill.lines, names, strict=True)
    )  # fmt: skip
    day, due = (str(one) if one else "" for one in (bill.date, bill.due_date))
    return BillTyped(str(bill.vendor_id or ""), bill.number, day, due, bill.private_note, lines)


# --- reading what was typed -----------------------------------------------------------------------------------


def problems(session: Session, typed: BillTyped, bill: Bill | None) -> dict[str, str]:
    """Field -> sentence; empty where it can be kept."""
    try:
        _read(session, typed, bill)
    except Invalid as wrong:
        return dict(wrong.fields)
    return {}


def _read(session: Session, typed: BillTyped, bill: Bill | None) -> tuple[BillValues, list[dict[str, Any]]]:
    values, wrong = purchases.bill_values(typed)
    vendor = session.get(Vendor, values.vendor_id) if values.vendor_id else None
    if values.vendor_id and (vendor is None or vendor.gone_at is not None):
        wrong["vendor_id"] = "This vendor is not here any more. Choose another one."
    elif vendor is not None and not vendor.active and (bill is None or bill.vendor_id != vendor.id):
        wrong["vendor_id"] = f"{vendor.display_name} is out of use. Reactivate it, or choose another vendor."
    elif vendor is not None and bill is not None and bill.remote_id and bill.connection_id != vendor.connection_id:
        wrong["vendor_id"] = f"{vendor.display_name} is not of the same company. Choose another vendor."
    currency = vendor.currency if vendor else ""
    usual = queries.usual_account(session, vendor.id) if vendor is not None else ""
    said = [(at, line) for at, line in enumerate(typed.lines, 1) if not line.blank]
    texts = [text for at, line in said for text in purchases.line_problems(line, at, currency)]
    lines: list[dict[str, Any]] = []
    if not texts:
        for at, line in said:
            made, problem = bill_lines.read(session, line, bill, usual, currency)
            lines.append(made)
            texts += [f"Line {at}: {problem}"] if problem else []
    if not said:
        texts.append("The bill has no lines. Write at least one, with what it is for and its amount.")
    if not texts and sum((amount(line["amount"]) or Decimal(0) for line in lines), Decimal(0)) < 0:
        texts.append("The lines come to less than zero. Vendor credits are written down in QuickBooks.")
    if texts:
        wrong["lines"] = " ".join(texts)
    if wrong:
        raise Invalid(wrong)
    return values, lines


# --- writing --------------------------------------------------------------------------------------------------


def _give(bill: Bill, values: BillValues, vendor: Vendor, lines: list[dict[str, Any]], *, now: datetime) -> None:
    before = _said(bill) if bill.id else {}
    bill.vendor_id, bill.vendor_remote_id = vendor.id, vendor.remote_id or ""
    bill.number, bill.date, bill.due_date = values.number, values.date, values.due_date
    bill.private_note, bill.lines = values.private_note, lines
    sold = sum((amount(line["amount"]) or Decimal(0) for line in lines), Decimal(0))
    tax = Decimal(str(bill.record.get("tax") or 0)) if bill.record.get("tax_mode") != "inclusive" else Decimal(0)
    bill.total = bill.balance = sold + tax
    bill.search_text = bill_texts({"number": bill.number, "private_note": bill.private_note, "lines": lines})[
        "search_text"
    ]
    if _said(bill) != before:
        bill.edited_at = bill.updated_at = now


def _said(bill: Bill) -> dict[str, Any]:
    names = ("vendor_id", "number", "date", "due_date", "private_note")
    lines = [{name: line.get(name) or "" for name in _COMPARED} for line in bill.lines]
    return {**{name: getattr(bill, name) for name in names}, "lines": lines}


_COMPARED = (
    "remote_id", "account", "item", "product_id", "description", "amount", "quantity", "unit_price", "customer",
    "contact_id", "billable",
)  # fmt: skip


def _may_change(bill: Bill) -> None:
    why = why_not(bill)
    if why:
        raise Refused(why)
