"""The API's operations about bills: read, written down, changed, deleted. They are paid in the books."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from flask import Response, g

from crm import clock
from crm.blueprints.api import _cursor, _read_cursor, blueprint
from crm.blueprints.api import bill_schemas as schemas
from crm.blueprints.api.contract import operation
from crm.db import db, transaction
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.purchase_filters import BillFilters
from crm.domain.purchases import BillLine, BillTyped
from crm.queries import api_purchases as queries
from crm.queries import bills as lists
from crm.queries.bills import Names
from crm.services import bills as service
from crm.services import invoice_drafts
from crm.web import problem

WORDED = ("vendor_id", "number", "date", "due_date", "private_note")


@operation(
    blueprint, "GET", "/bills", summary="Bills, a page at a time", scope="read",
    answer=schemas.BillPage, query=schemas.BillQuery,
)  # fmt: skip
def list_bills(query: schemas.BillQuery) -> schemas.BillPage:
    if query.updated_since is not None and query.updated_since.tzinfo is None:
        raise Invalid({"updated_since": "updated_since needs a time zone, as in 2026-11-20T08:00:00Z."})
    today = invoice_drafts.today(clock.now())
    rows = queries.bills(
        BillFilters(q=query.q.strip(), state=query.state, vendor=query.vendor_id),
        after=_read_cursor(query.cursor) or 0, limit=query.limit + 1, today=today, updated_since=query.updated_since,
    )  # fmt: skip
    page, more = rows[: query.limit], len(rows) > query.limit
    cursor = _cursor(page[-1].bill.id) if more else None
    return schemas.BillPage(data=[_bill(row, today) for row in page], next_cursor=cursor)


@operation(
    blueprint, "GET", "/bills/<int:bill_id>", summary="One bill", scope="read", answer=schemas.Bill, refusals=(404,),
)  # fmt: skip
def get_bill(bill_id: int) -> schemas.Bill:
    return _shown(bill_id)


@operation(
    blueprint, "POST", "/bills", summary="A new bill", scope="write",
    answer=schemas.Bill, status=201, body=schemas.NewBill, refusals=(404, 409),
)  # fmt: skip
def create_bill(body: schemas.NewBill) -> schemas.Bill | Response:
    typed = _typed(BillTyped(), body.model_dump(exclude={"lines"}), body.lines)
    try:
        with transaction() as session:
            made = service.create(session, typed, actor=g.actor, now=clock.now())
    except Invalid as wrong:
        return _unfit(wrong)
    return _shown(made.id)


@operation(
    blueprint, "PATCH", "/bills/<int:bill_id>", summary="Change what is named of a bill", scope="write",
    answer=schemas.Bill, body=schemas.BillChange, refusals=(404, 409),
)  # fmt: skip
def change_bill(bill_id: int, body: schemas.BillChange) -> schemas.Bill | Response:
    stands = service.typed(db.session(), _found(bill_id).bill)
    given = body.model_dump(exclude={"lock", "lines"}, exclude_unset=True)
    typed = _typed(stands, given, body.lines)
    try:
        with transaction() as session:
            service.change(session, bill_id, typed, lock=body.lock, actor=g.actor, now=clock.now())
    except (Changed, NotFound):
        raise
    except Refused as refused:
        return _unfit(refused)
    return _shown(bill_id)


@operation(
    blueprint, "POST", "/bills/<int:bill_id>/delete", summary="Delete a bill, there as here", scope="write",
    answer=schemas.Bill, status=202, body=schemas.DeleteBill, refusals=(404, 409),
)  # fmt: skip
def delete_bill(bill_id: int, body: schemas.DeleteBill) -> schemas.Bill | Response:
    """One that QuickBooks has goes as soon as QuickBooks has deleted it."""
    row, today = _found(bill_id), invoice_drafts.today(clock.now())
    before = _bill(row, today)
    try:
        with transaction() as session:
            gone = service.delete(session, bill_id, lock=body.lock, actor=g.actor, now=clock.now()).gone_at is not None
    except (Changed, NotFound):
        raise
    except Refused as refused:
        return _unfit(refused)
    return before if gone else _shown(bill_id)


def _typed(before: BillTyped, given: Mapping[str, Any], lines: list[schemas.NewBillLine] | None) -> BillTyped:
    """As the form of a bill would send it; a line that is there keeps its kind."""
    texts = {name: "" if given[name] is None else str(given[name]) for name in WORDED if name in given}
    kinds = {line.remote_id: line.kind for line in before.lines if line.remote_id}
    made = before.lines if lines is None else tuple(_line(line, kinds.get(line.id, "")) for line in lines)
    return replace(before, **texts, lines=made)


def _line(line: schemas.NewBillLine, kind: str) -> BillLine:
    numbers = {name: "" if (value := getattr(line, name)) is None else format(value, "f")
               for name in ("quantity", "unit_price", "amount")}  # fmt: skip
    texts = {
        name: getattr(line, name).replace("\x00", "") for name in ("account", "product", "description", "customer")
    }
    return BillLine(remote_id=line.id, kind=kind, billable="1" if line.billable else "", **texts, **numbers)


def _unfit(refused: Refused) -> Response:
    """The request is one we understand, and what is there already stands against it: no such vendor, paid already."""
    fields = refused.fields if isinstance(refused, Invalid) else {}
    return problem(409, "Not possible as things stand", str(refused), errors=fields)


def _found(bill_id: int) -> queries.BillRow:
    row = queries.bill(bill_id)
    if row is None:
        raise NotFound(f"There is no bill {bill_id}.")
    return row


def _shown(bill_id: int) -> schemas.Bill:
    return _bill(_found(bill_id), invoice_drafts.today(clock.now()))


def _bill(row: queries.BillRow, today: date) -> schemas.Bill:
    bill, link = row.bill, row.link
    made = ("vendor", "state", "lines", "payments", "quickbooks")
    values = {name: getattr(bill, name) for name in schemas.Bill.model_fields if name not in made}
    paid = [
        schemas.BillPayment(
            payment_id=one["remote_id"],
            date=date.fromisoformat(one["date"]) if one["date"] else None,
            amount=Decimal(one["amount"]),
        )
        for one in bill.payments
    ]
    there = None if link is None else schemas.BillLink(
        connection_id=link.connection_id, bill_id=link.remote_id, sync_version=link.version, state=link.state
    )  # fmt: skip
    return schemas.Bill(
        **values, vendor=row.vendor, state=lists.state(bill, today)[0].lower().replace(" ", "_"),
        lines=[_line_shown(line, names) for line, names in row.lines], payments=paid, quickbooks=there,
    )  # fmt: skip


def _line_shown(line: Mapping[str, Any], names: Names) -> schemas.BillLine:
    numbers = {name: Decimal(line[name]) if line[name] else None for name in ("quantity", "unit_price", "amount")}
    return schemas.BillLine(
        id=line["remote_id"], kind=line.get("kind", ""), account=line["account"], account_name=names.account,
        product_id=names.product_id, product=names.product, description=line["description"],
        contact_id=names.contact_id, customer=names.customer, billable=line["billable"] in ("billable", "billed"),
        **numbers,
    )  # fmt: skip
