"""The API's operations about quotes: read, and made as drafts. Sending and answering is for people."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from flask import Response, g

from crm import clock
from crm.blueprints.api import _cursor, _read_cursor, blueprint
from crm.blueprints.api import quote_schemas as schemas
from crm.blueprints.api.contract import operation
from crm.blueprints.api.schemas import unmatched_customer
from crm.db import transaction
from crm.domain.contacts import clean
from crm.domain.errors import Invalid
from crm.domain.quotes import state_now
from crm.domain.sales import Line
from crm.domain.sales_content import PERCENT, Content
from crm.queries import products as lists
from crm.queries import quotes as queries
from crm.queries import sales_documents as parts
from crm.queries import unmatched
from crm.queries.unmatched import Unmatched
from crm.services import quote_drafts, sales_documents
from crm.web import problem


@operation(
    blueprint, "GET", "/quotes", summary="Quotes, a page at a time", scope="read",
    answer=schemas.QuotePage, query=schemas.QuoteQuery,
)  # fmt: skip
def list_quotes(query: schemas.QuoteQuery) -> schemas.QuotePage:
    if query.updated_since is not None and query.updated_since.tzinfo is None:
        raise Invalid({"updated_since": "updated_since needs a time zone, as in 2026-11-20T08:00:00Z."})
    today = quote_drafts.today(clock.now())
    rows = queries.after(
        _read_cursor(query.cursor) or 0, limit=query.limit + 1, today=today, state=query.state,
        contact_id=query.contact_id, updated_since=query.updated_since,
    )  # fmt: skip
    page, more = rows[: query.limit], len(rows) > query.limit
    partly = queries.partly([row.id for row in page])
    nobodys = unmatched.of_documents("estimate", [row.id for row in page if row.contact_id is None])
    return schemas.QuotePage(
        data=[_quote(row, today, partly=row.id in partly, nobodys=nobodys.get(row.id)) for row in page],
        next_cursor=_cursor(page[-1].id) if more else None,
    )


@operation(
    blueprint, "GET", "/quotes/<int:quote_id>", summary="One quote", scope="read",
    answer=schemas.Quote, refusals=(404,),
)  # fmt: skip
def get_quote(quote_id: int) -> schemas.Quote:
    partly = bool(queries.partly([quote_id]))
    quote = sales_documents.find(quote_id, kind="estimate")
    whose = unmatched.of_documents("estimate", [quote_id] if quote.contact_id is None else [])
    return _quote(quote, quote_drafts.today(clock.now()), partly=partly, nobodys=whose.get(quote_id))


@operation(
    blueprint, "POST", "/quotes", summary="A new draft", scope="write",
    answer=schemas.Quote, status=201, body=schemas.NewQuote, refusals=(409,),
)  # fmt: skip
def create_quote(body: schemas.NewQuote) -> schemas.Quote | Response:
    now = clock.now()
    first, last = quote_drafts.beginning(now)
    buyer = parts.buyer(body.contact_id)
    try:
        content = Content(
            contact_id=body.contact_id, title=clean(body.title), date=body.date or first,
            expires_on=body.expires_on or (last if body.date is None else None),
            currency=(buyer.currency if buyer else "") or lists.home_currency(),
            discount_kind=PERCENT if body.discount_percent else "", discount_value=body.discount_percent or None,
            customer_memo=_text(body.customer_memo), internal_note=_text(body.internal_note),
            email=buyer.email if buyer else "", billing_address=buyer.address if buyer else {},
            lines=tuple(_line(line, at) for at, line in enumerate(body.lines, 1)),
        )  # fmt: skip
        with transaction():
            made = quote_drafts.create(content, actor=g.actor, now=now)
    except Invalid as wrong:
        return problem(409, "Not possible as things stand", str(wrong), errors=wrong.fields)
    return _quote(made, quote_drafts.today(now))


def _line(line: schemas.NewLine, at: int) -> Line:
    """What is left out is as the product has it. Raises Invalid for one that is not in use."""
    product: Any = None
    if line.product_id is not None:
        product = parts.product(line.product_id)
        if product is None or product.type == "group":
            raise Invalid({f"lines-{at}-product_id": f"Line {at}: there is no such product in use, or it is a bundle."})
    sold = line.kind == "item"
    price = line.unit_price if line.unit_price is not None or product is None else product.price
    taxable = line.taxable if line.taxable is not None else bool(product.taxable) if product is not None else True
    said = line.description if line.description is not None else product.description if product is not None else ""
    return Line(
        kind=line.kind, key=f"n{at}", item=str(product.id) if product is not None and sold else "",
        name=product.name if product is not None and sold else "", description=_text(said),
        quantity=(Decimal(1) if line.quantity is None else line.quantity) if sold else None,
        unit_price=price if sold else None, taxable=taxable and sold, tax_code=line.tax_code, optional=line.optional,
    )  # fmt: skip


def _text(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\x00", "").strip()


def _quote(document: Any, today: date, *, partly: bool = False, nobodys: Unmatched | None = None) -> schemas.Quote:
    apart = ("state", "lines", "quickbooks_total", "unmatched")
    plain = {name: getattr(document, name) for name in schemas.Quote.model_fields if name not in apart}
    lines = [
        schemas.QuoteLine(**{name: getattr(line, name) for name in schemas.QuoteLine.model_fields})
        for line in document.lines
    ]
    state: Any = state_now(document.state, expires_on=document.expires_on, today=today, partly=partly)
    whose = unmatched_customer(nobodys)
    return schemas.Quote(**plain, state=state, quickbooks_total=document.books_total, lines=lines, unmatched=whose)
