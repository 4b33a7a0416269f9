"""What the books would refuse of a vendor or bill, found before a call is spent on it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date

from sqlalchemy import select

from crm.domain import preflight
from crm.domain.preflight import Problem
from crm.domain.purchase_fields import Purchase, phone_of, total_of
from crm.domain.record_documents import BillRecord, LineRecord
from crm.domain.records import VendorRecord
from crm.models import Connection, Item, ListEntry, Vendor
from crm.services.sync.outbox.kinds.port import Park
from crm.services.sync.work import Batch


def problem_of(batch: Batch, ours: Purchase, theirs: Purchase | None, *, fields: Collection[str]) -> Park | None:
    """The first thing that is wrong with these shared fields; `theirs` None: it is new there."""
    found = _bill(batch, ours, theirs, fields) if isinstance(ours, BillRecord) else _vendor(ours, fields)
    wrong = next(found, None)
    return Park(wrong.cause, wrong.sentence, {"field": wrong.field}) if wrong else None


def _vendor(ours: VendorRecord, fields: Collection[str]) -> Iterator[Problem]:
    if "display_name" in fields:
        yield from _one(preflight.name(ours.display_name))
    if "email" in fields and ours.email_text:
        yield from _one(preflight.email(ours.email_text))
    if "phone" in fields and len(phone_of(ours)) > preflight.LONGEST_PHONE:
        yield Problem(
            "phone", "bad_phone", f"The phone has more than {preflight.LONGEST_PHONE} characters. Shorten it."
        )


def _bill(batch: Batch, ours: BillRecord, theirs: Purchase | None, fields: Collection[str]) -> Iterator[Problem]:
    connection = batch.session.get_one(Connection, batch.books.id)
    closed = connection.preferences.get("books_closed_until")
    until = date.fromisoformat(str(closed)) if closed else None
    old = theirs.date if isinstance(theirs, BillRecord) else None
    yield from _one(preflight.dated(ours.date, closed_until=until))
    yield from _one(preflight.dated(old, closed_until=until))
    yield from _one(_owner(batch, ours))
    if len(ours.number) > preflight.LONGEST_NUMBER:
        yield Problem("number", "bad_number", f"QuickBooks keeps {preflight.LONGEST_NUMBER} characters of a number."
                      " Shorten it.")  # fmt: skip
    if "lines" in fields:
        yield from _lines(batch, ours.lines)


def _owner(batch: Batch, ours: BillRecord) -> Problem | None:
    if not ours.vendor.remote_id:
        return Problem("vendor", "reference", "The vendor is not in QuickBooks yet. Send the vendor there first.")
    row = batch.session.execute(
        select(Vendor.display_name, Vendor.active, Vendor.gone_at)
        .where(Vendor.connection_id == batch.books.id, Vendor.remote_id == ours.vendor.remote_id)
    ).one_or_none()  # fmt: skip
    if row is None:
        return preflight.reference("the vendor", active=False, there=False)
    return preflight.reference(f"the vendor “{row.display_name}”", active=row.active, there=row.gone_at is None)


def _lines(batch: Batch, lines: Sequence[LineRecord]) -> Iterator[Problem]:
    if not any(line.kind in ("account", "item") for line in lines):
        yield Problem("lines", "no_lines", "The bill has no lines. Add one with an account or a product.")
    if total_of(lines) < 0:
        yield Problem("lines", "negative_line", "The lines come to less than zero. What a vendor gives back is a "
                      "vendor credit, which is written down in QuickBooks.")  # fmt: skip
    accounts = select(ListEntry.remote_id, ListEntry.active).where(
        ListEntry.connection_id == batch.books.id, ListEntry.kind == "account",
        ListEntry.remote_id.in_([line.account.remote_id for line in lines if line.account]),
    )  # fmt: skip
    items = select(Item.remote_id, Item.active).where(
        Item.connection_id == batch.books.id, Item.gone_at.is_(None),
        Item.remote_id.in_([line.item.remote_id for line in lines if line.item]),
    )  # fmt: skip
    usable = {("account", row.remote_id): row.active for row in batch.session.execute(accounts)}
    usable |= {("item", row.remote_id): row.active for row in batch.session.execute(items)}
    for at, line in enumerate(lines, 1):
        ref = line.account if line.kind == "account" else line.item
        if line.kind not in ("account", "item"):
            continue
        word = "an account" if line.kind == "account" else "a product that QuickBooks has"
        if ref is None:
            yield Problem("lines", "missing_value", f"Line {at} has no account and no product. Choose {word}.")
            continue
        if line.amount is None:
            yield Problem("lines", "missing_value", f"Line {at} has no amount. Give it one.")
        if line.billable == "billable" and line.customer is None:
            yield Problem(
                "lines", "missing_value", f"Line {at} is billable, and its customer is not in QuickBooks yet."
            )
        what = f"“{ref.name or ref.remote_id}” of line {at}"
        known = usable.get((line.kind, ref.remote_id))
        if known is not None:
            yield from _one(preflight.reference(what, active=known))


def _one(problem: Problem | None) -> Iterator[Problem]:
    if problem is not None:
        yield problem
