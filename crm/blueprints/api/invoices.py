"""The API's operations about invoices: read, made, voided."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from crm import clock
from crm.blueprints import building
from crm.blueprints.api import _cursor, _read_cursor, blueprint
from crm.blueprints.api import invoice_schemas as schemas
from crm.blueprints.api.contract import operation
from crm.blueprints.api.schemas import unmatched_customer
from crm.db import transaction
from crm.domain.contacts import clean
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.sales import Line
from crm.domain.sales_content import Content
from crm.queries import api_invoices as queries
from crm.queries import sales_documents as lists
from crm.queries import unmatched
from crm.queries.unmatched import Unmatched
from crm.services import invoice_drafts
from crm.services import invoices as service
from crm.web import problem


@operation(
    blueprint, "GET", "/invoices", summary="Invoices, a page at a time", scope="read",
    answer=schemas.InvoicePage, query=schemas.InvoiceQuery,
)  # fmt: skip
def list_invoices(query: schemas.InvoiceQuery) -> schemas.InvoicePage:
    if query.updated_since is not None and query.updated_since.tzinfo is None:
        raise Invalid({"updated_since": "updated_since needs a time zone, as in 2026-11-20T08:00:00Z."})
    rows = queries.invoices(
        after=_read_cursor(query.cursor) or 0, limit=query.limit + 1, state=query.state, contact_id=query.contact_id,
        updated_since=query.updated_since, today=invoice_drafts.today(clock.now()),
    )  # fmt: skip
    page, more = rows[: query.limit], len(rows) > query.limit
    cursor = _cursor(page[-1].document.id) if more else None
    nobodys = unmatched.of_documents("invoice", [row.document.id for row in page if row.document.contact_id is None])
    data = [_invoice(row, nobodys.get(row.document.id)) for row in page]
    return schemas.InvoicePage(data=data, next_cursor=cursor)


@operation(
    blueprint, "GET", "/invoices/<int:document_id>", summary="One invoice", scope="read",
    answer=schemas.Invoice, refusals=(404,),
)  # fmt: skip
def get_invoice(document_id: int) -> schemas.Invoice:
    return _one(document_id)


@operation(
    blueprint, "POST", "/invoices", summary="A new invoice", scope="write",
    answer=schemas.Invoice, status=201, body=schemas.NewInvoice, refusals=(409,),
)  # fmt: skip
def create_invoice(body: schemas.NewInvoice) -> schemas.Invoice | Response:
    now = clock.now()
    try:
        with transaction():
            content = _content(body)
            made = invoice_drafts.create(invoice_drafts.beginning(content, now), actor=g.actor, now=now)
            if body.finish:
                service.finish(made.id, lock=made.lock, hold=body.hold, actor=g.actor, now=now)
    except Invalid as wrong:
        return problem(409, "Not possible as things stand", str(wrong), errors=wrong.fields)
    return _one(made.id)


@operation(
    blueprint, "POST", "/invoices/<int:document_id>/void", summary="Void an invoice, there as here", scope="write",
    answer=schemas.Invoice, status=202, body=schemas.VoidInvoice, refusals=(404, 409),
)  # fmt: skip
def void_invoice(document_id: int, body: schemas.VoidInvoice) -> schemas.Invoice | Response:
    """It is void as soon as QuickBooks has done it."""
    _found(document_id)
    try:
        with transaction():
            service.void(document_id, lock=body.lock, actor=g.actor, now=clock.now())
    except (Changed, NotFound):
        raise
    except Refused as refused:
        return problem(409, "Not possible as things stand", str(refused))
    return _one(document_id)


def _content(body: schemas.NewInvoice) -> Content:
    buyer = lists.buyer(body.contact_id)
    if buyer is None or buyer.archived:
        raise Invalid({"contact_id": "There is no such contact, or it is archived."})
    rules = building.settings()
    lines = tuple(_line(one, at, rules.taxable, building.line_code(rules)) for at, one in enumerate(body.lines, 1))
    return Content(
        contact_id=body.contact_id, currency=buyer.currency or building.home(), email=clean(body.email) or buyer.email,
        billing_address=buyer.address, tax_code=rules.tax_code if rules.books_tax == "us_manual" else "", lines=lines,
        date=body.date, due_date=body.due_date, terms=clean(body.terms), number=clean(body.number),
        title=clean(body.title), customer_memo=_text(body.customer_memo),
    )  # fmt: skip


def _line(line: schemas.NewLine, at: int, taxable: bool, code: str) -> Line:
    if line.kind != "item":
        return Line(kind=line.kind, key=f"n{at}", description=_text(line.description or line.name))
    product = lists.product(line.product_id) if line.product_id else None
    if line.product_id and (product is None or product.type == "group"):
        raise Invalid({f"lines-{at}-product_id": f"Line {at}: there is no such product in use, or it is a bundle."})
    price = line.unit_price if line.unit_price is not None else product.price if product else None
    return Line(
        key=f"n{at}", item=str(product.id) if product else "", quantity=line.quantity,
        name=clean(line.name) or (product.name if product else ""),
        description=_text(line.description) or (product.description if product else ""),
        unit_price=price, taxable=line.taxable if line.taxable is not None else product.taxable if product else taxable,
        tax_code=clean(line.tax_code) or code,
    )  # fmt: skip


def _text(text: str) -> str:
    """Of several lines, without what no text holds."""
    return text.replace("\r\n", "\n").replace("\x00", "").strip()


def _found(document_id: int) -> queries.InvoiceRow:
    row = queries.invoice(document_id, today=invoice_drafts.today(clock.now()))
    if row is None:
        raise NotFound(f"There is no invoice {document_id}.")
    return row


def _one(document_id: int) -> schemas.Invoice:
    row = _found(document_id)
    nobodys = unmatched.of_documents("invoice", [document_id] if row.document.contact_id is None else [])
    return _invoice(row, nobodys.get(document_id))


def _invoice(row: queries.InvoiceRow, nobodys: Unmatched | None) -> schemas.Invoice:
    document, link = row.document, row.link
    apart = ("state", "lines", "quickbooks", "unmatched")
    plain = [name for name in schemas.Invoice.model_fields if name not in apart]
    values: dict[str, Any] = {name: getattr(document, name) for name in plain}
    there = None if link is None else schemas.InvoiceLink(
        connection_id=link.connection_id, invoice_id=link.remote_id, sync_version=link.version, state=link.state
    )  # fmt: skip
    lines = [schemas.InvoiceLine.model_validate({name: getattr(one, name) for name in schemas.InvoiceLine.model_fields})
             for one in document.lines]  # fmt: skip
    return schemas.Invoice(
        **values, state=row.state, lines=lines, quickbooks=there, unmatched=unmatched_customer(nobodys)
    )
