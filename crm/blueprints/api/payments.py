"""The API's operations about payments: read, recorded."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from crm import clock
from crm.blueprints.api import _read_cursor, blueprint
from crm.blueprints.api import payment_schemas as schemas
from crm.blueprints.api.contract import operation
from crm.blueprints.api.schemas import unmatched_customer
from crm.db import transaction
from crm.domain.errors import Invalid, NotFound
from crm.domain.payment_filters import Filters
from crm.queries import payment_page, payments, unmatched
from crm.queries.unmatched import Unmatched
from crm.services import receipts as service
from crm.services import sales_documents
from crm.services.receipts import Draft, SeemsThere
from crm.web import problem


@operation(
    blueprint, "GET", "/payments", summary="Payments, newest first, a page at a time", scope="read",
    answer=schemas.PaymentPage, query=schemas.PaymentQuery,
)  # fmt: skip
def list_payments(query: schemas.PaymentQuery) -> schemas.PaymentPage:
    filters = Filters(
        q=query.q.strip(), contact=str(query.contact_id or ""), unapplied="yes" if query.unapplied else "",
        since=query.since.isoformat() if query.since else "", until=query.until.isoformat() if query.until else "",
    )  # fmt: skip
    offset = _read_cursor(query.cursor) or 0
    rows = payments.rows(filters, limit=query.limit + 1, offset=offset)
    more = len(rows) > query.limit
    cursor = f"c{offset + query.limit}" if more else None
    page = rows[: query.limit]
    nobodys = unmatched.of_payments([row.id for row in page if row.origin == "books" and row.contact_id is None])
    data = [_row(row, nobodys.get(row.id) if row.origin == "books" else None) for row in page]
    return schemas.PaymentPage(data=data, next_cursor=cursor)


@operation(
    blueprint, "GET", "/payments/<int:payment_id>", summary="One payment of QuickBooks", scope="read",
    answer=schemas.Payment, refusals=(404,),
)  # fmt: skip
def get_payment(payment_id: int) -> schemas.Payment:
    return _payment(payment_page.of_books(payment_id), payment_id)


@operation(
    blueprint, "GET", "/payments/recorded/<int:receipt_id>", summary="One payment recorded here", scope="read",
    answer=schemas.Payment, refusals=(404,),
)  # fmt: skip
def get_recorded_payment(receipt_id: int) -> schemas.Payment:
    there = payment_page.in_books(receipt_id)
    return _payment(payment_page.of_books(there) if there else payment_page.recorded(receipt_id), receipt_id)


@operation(
    blueprint, "POST", "/payments", summary="Record a payment", scope="write",
    answer=schemas.Payment, status=201, body=schemas.NewPayment, refusals=(404, 409),
)  # fmt: skip
def record_payment(body: schemas.NewPayment) -> schemas.Payment | Response:
    parts: dict[str, Any] = {}
    for one in body.applied:
        parts[str(one.invoice_id)] = parts.get(str(one.invoice_id), 0) + one.amount
    try:
        with transaction():
            account = body.deposit_account
            if account is None:
                account = service.choices(sales_documents.company()).account
            draft = Draft(
                body.contact_id, body.amount, body.date, payer=body.customer_id, method=body.method,
                reference=body.reference, deposit_account=account, note=body.note, parts=parts,
                credits=tuple(body.credit_memos),
            )  # fmt: skip
            made = service.record(draft, sure=body.another, actor=g.actor, now=clock.now()).id
    except Invalid as wrong:
        # The request is one we understand; what stands here stands against it.
        return problem(409, "Not possible as things stand", str(wrong), errors=wrong.fields)
    except SeemsThere as found:
        likes = [{"payment": like.key, "because": list(like.reasons)} for like in found.likes]
        return problem(409, "Seems to be there already", f"{found} Send another: true for another one.", likes=likes)
    return _payment(payment_page.recorded(made), made)


def _row(row: payments.Row, nobodys: Unmatched | None) -> schemas.PaymentRow:
    plain = ("contact_id", "contact", "date", "amount", "unapplied", "currency", "method", "reference", "void")
    return schemas.PaymentRow(
        payment_id=row.id if row.origin == "books" else None, receipt_id=row.receipt_id,
        in_quickbooks=row.origin == "books", unmatched=unmatched_customer(nobodys),
        **{name: getattr(row, name) for name in plain},
    )  # fmt: skip


def _payment(view: payment_page.PaymentView | None, asked: int) -> schemas.Payment:
    if view is None:
        raise NotFound(f"There is no payment {asked}.")
    plain = ("date", "amount", "unapplied", "currency", "method", "reference", "note", "void", "deposited")
    there, receipt = view.payment, view.receipt
    nobodys = unmatched.of_payments([there.id] if there and view.contact is None else [])
    return schemas.Payment(
        payment_id=there.id if there else None,
        receipt_id=receipt.id if receipt else None,
        quickbooks_id=there.remote_id if there else None,
        contact_id=view.contact.id if view.contact else None,
        unmatched=unmatched_customer(nobodys.get(there.id) if there else None),
        deposit_account=view.account,
        applied=[schemas.PaymentPart(kind=part.kind, invoice_id=part.document_id, number=part.number,
                                     amount=part.amount) for part in view.parts],
        recorded_by=receipt.created_by if receipt else "",
        recorded_at=receipt.created_at if receipt else None,
        lock=receipt.lock if receipt else None,
        **{name: getattr(view, name) for name in plain},
    )  # fmt: skip
