"""What quotes and invoices have in common: written from what a person typed, read back, computed, told.

`services/quotes` and `services/invoices` are the use cases; they call this inside `transaction()`. Every figure comes
from `domain/sales`. Whoever changes a document says which `lock` they saw; when it is no longer that one, `Changed` is
raised and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm.exc import StaleDataError

from crm.db import db
from crm.domain import custom_fields, sales_checks, sales_content
from crm.domain.errors import Changed, Invalid, NotFound
from crm.domain.sales import Line, Tax, Totals
from crm.domain.sales_content import Content
from crm.models import Connection, Contact, Item, Link, Product, SalesDocument, SalesEvent, SalesLine
from crm.queries import households
from crm.services import line_costs, sales_tax, sync, timeline
from crm.services.audit import Actor
from crm.services.sync import settings
from crm.services.sync.outbox import outbox
from crm.services.sync.sales import deciding
from crm.services.sync.work import Batch, books_of

WORDS = {"estimate": "quote", "invoice": "invoice"}
CHANGED = "Somebody changed this {} while you were editing it. Nothing of yours is lost: choose what to keep."
HEADER = (
    "contact_id", "title", "number", "date", "due_date", "expires_on", "terms", "currency", "tax_code", "discount_kind",
    "discount_value", "discount_before_tax", "deposit_kind", "deposit_value", "customer_memo", "private_note",
    "internal_note", "email", "billing_address", "shipping_address", "custom_fields", "owner_id",
)  # fmt: skip
"""Columns of a document that are fields of Content, by the same name."""
OURS_ALONE = frozenset({"title", "internal_note", "owner_id"})
"""Of these, what no books ever get."""
SHARED_AS = {
    "contact_id": "customer", "deposit_kind": "deposit", "deposit_value": "deposit", "discount_kind": "lines",
    "discount_value": "lines", "discount_before_tax": "lines",
}  # fmt: skip
"""Of these, what has another name among the shared fields: an edit is known by that one, and when it was made."""


def company() -> Connection | None:
    """The company whose books documents go to; None while none is connected."""
    query = select(Connection).where(Connection.state != "disconnected").order_by(Connection.id.desc())
    return db.session.scalars(query.limit(1)).first()


def find(document_id: int, *, kind: str | None = None) -> SalesDocument:
    """Raises NotFound; a document of the other kind is none."""
    document = db.session.get(SalesDocument, document_id, populate_existing=True)
    if document is None or (kind and document.kind != kind):
        word = WORDS.get(kind or "", "document")
        raise NotFound(f"There is no such {word}. The link may be old or not complete.")
    return document


def at_lock(document_id: int, lock: int, *, kind: str) -> SalesDocument:
    """The document, locked for this transaction. Raises Changed (carrying the fresh one), NotFound."""
    query = select(SalesDocument).where(SalesDocument.id == document_id, SalesDocument.kind == kind)
    document = db.session.scalars(query.with_for_update().execution_options(populate_existing=True)).first()
    if document is None:
        raise NotFound(f"There is no such {WORDS[kind]}. The link may be old or not complete.")
    if document.lock != lock:
        raise Changed(CHANGED.format(WORDS[kind]), current=document)
    return document


# --- content and rows -----------------------------------------------------------------------------------------


def content_of(document: SalesDocument) -> Content:
    """What it says now. The key of a line is its row's id."""
    heads = {line.position: str(line.id) for line in document.lines}
    lines = tuple(
        Line(
            kind=line.kind, key=str(line.id), item=str(line.product_id or ""), name=line.name,
            description=line.description, quantity=line.quantity, unit_price=line.unit_price,
            amount=line.amount if _has_own_amount(line) else None,
            taxable=line.taxable, tax_code=line.tax_code, optional=line.optional, chosen=line.chosen,
            within=heads.get(line.within, "") if line.within is not None else "",
        )
        for line in document.lines
    )  # fmt: skip
    return Content(**{name: getattr(document, name) for name in HEADER}, lines=lines)


def tax_of(document: SalesDocument | None, content: Content) -> Tax:
    """The tax its figures are rehearsed with; `document` None: it is not kept yet."""
    connection = company()
    inclusive = document is not None and document.tax_mode == "inclusive"
    return sales_tax.tax_of(
        db.session(), connection, contact_id=content.contact_id, tax_code=content.tax_code, inclusive=inclusive
    )


def check(content: Content, tax: Tax) -> None:
    """Raises Invalid with a sentence per field for what cannot go out as it is."""
    found = sales_checks.problems(
        content.lines, discount=content.discount, tax=tax, deposit=content.deposit, currency=content.currency
    )
    sales_checks.refuse(found)


def new(kind: str, content: Content, *, state: str, actor: Actor, now: datetime) -> SalesDocument:
    """A new document with its figures; it is in the session and has its id."""
    connection = company()
    document = SalesDocument(
        kind=kind, connection_id=connection.id if connection else None, state=state, source=actor.source,
        created_by=actor.label, created_at=now, updated_at=now, edited_at=now,
    )  # fmt: skip
    document.lines = []
    db.session.add(document)
    write(document, content, now=now)
    return document


def write(document: SalesDocument, content: Content, *, now: datetime) -> Totals:
    """The document says this now; its figures are computed anew. Raises Invalid, Changed."""
    _refuse_contact(content.contact_id)
    for name in HEADER:
        value = getattr(content, name)
        setattr(document, name, dict(value) if isinstance(value, Mapping) else value)
    _write_lines(document, content.lines)
    totals = compute(document, content)
    document.updated_at = now
    document.search_text = search_text(document)
    flush(document)
    return totals


def compute(document: SalesDocument, content: Content) -> Totals:
    """Its figures, from `domain/sales`, into its columns."""
    tax = tax_of(document, content)
    totals = content.totals(tax)
    document.tax_mode = tax.mode
    for name in ("subtotal", "discount", "tax", "total", "deposit"):
        setattr(document, name, getattr(totals, name))
    if document.kind == "invoice" and document.books_total is None:
        document.balance = totals.due
    for line, total in zip(document.lines, totals.per_line, strict=True):
        line.amount = total.amount
    return totals


def search_text(document: SalesDocument) -> str:
    """What people find it by: number, title, contact, what its lines say."""
    contact = db.session.get(Contact, document.contact_id) if document.contact_id else None
    words = [document.number, document.title, contact.display_name if contact else "", document.customer_memo]
    words += [f"{line.name} {line.description}" for line in document.lines]
    return sales_content.search_text(words)


def changed_fields(before: Content, after: Content) -> dict[str, tuple[str, str]]:
    """Field -> (old, new) as text; `lines` where any line differs."""
    found = {
        name: (_text(getattr(before, name)), _text(getattr(after, name)))
        for name in HEADER
        if getattr(before, name) != getattr(after, name)
    }
    if _without_keys(before.lines) != _without_keys(after.lines):
        found["lines"] = (f"{len(before.lines)} lines", f"{len(after.lines)} lines")
    return found


# --- what happened --------------------------------------------------------------------------------------------


def tell(
    document: SalesDocument,
    event: str,
    text: str,
    *,
    actor: Actor,
    now: datetime,
    details: Mapping[str, Any] | None = None,
    changes: Mapping[str, tuple[str, str]] | None = None,
) -> None:
    """Keep what happened at the document, and on the timeline of its contact."""
    db.session.add(
        SalesEvent(document_id=document.id, at=now, event=event, actor=actor.label, source=actor.source, text=text,
                   details=dict(details or {}) | ({"changes": dict(changes)} if changes else {}))
    )  # fmt: skip
    if document.contact_id is not None and not document.template:
        name = f"{WORDS[document.kind].capitalize()} {document.number}".strip()
        timeline.add(document.contact_id, verb=f"{WORDS[document.kind]}_{event}"[:40], summary=f"{name}: {text}",
                     actor=actor, now=now)  # fmt: skip


# --- to the books ---------------------------------------------------------------------------------------------


def goes_out(document: SalesDocument) -> bool:
    """Whether the books are to know it: what is a draft, a template or held back stays here until they know it."""
    if document.template or document.gone_at is not None or document.connection_id is None:
        return False
    if is_linked(document):
        return True
    return not document.hold and document.state not in ("draft", "cancelled", "declined", "void")


def is_linked(document: SalesDocument) -> bool:
    """Whether the books hold it."""
    mine = (Link.kind == document.kind, Link.local_id == document.id, Link.state != "gone")
    return db.session.scalar(select(Link.id).where(*mine).limit(1)) is not None


def to_books(
    document: SalesDocument,
    fields: Iterable[str],
    *,
    actor: Actor,
    now: datetime,
    operation: str = "",
    trigger: str = "change",
) -> None:
    """What changed here goes to the books, if they are to know the document. `operation` is found when left out.

    The contact becomes a customer there first where it is none: a lead stays out of the books until this moment. So do
    products that are only ours.
    """
    fields = set(fields)
    shared = {SHARED_AS.get(name, name) for name in fields - OURS_ALONE}
    if document.connection_id is not None and fields & custom_fields.FILLED_BY.keys():
        sources = settings.current(db.session(), document.connection_id, document.kind).custom_fields
        shared |= {"custom_fields"} if custom_fields.affected(fields, sources) else set()
    document.edited_at = now
    if not goes_out(document) or not (shared or operation):
        return
    assert document.connection_id is not None
    linked = is_linked(document)
    if document.contact_id is not None and not document.customer_remote_id:
        payer = households.payer(document.contact_id)
        sync.ask_create(db.session(), [payer], document.connection_id, actor=actor, now=now, trigger="change")
    sync.ask_products(db.session(), document.connection_id, _sold(document), actor=actor, now=now)
    outbox.note(
        db.session(), document.connection_id, document.kind, document.id,
        operation=operation or ("update" if linked else "create"), fields=sorted(shared), trigger=trigger, actor=actor,
        now=now, needs=needs(document),
    )  # fmt: skip
    if linked:
        books = books_of(db.session.get_one(Connection, document.connection_id))
        deciding.asked_again(Batch(db.session(), books, now), document.kind, [document.id])


def needs(document: SalesDocument) -> list[tuple[str, int]]:
    """(kind, local id) of what the books must hold before it."""
    found: list[tuple[str, int]] = []
    if document.contact_id is not None and not document.customer_remote_id:
        found.append(("customer", households.payer(document.contact_id)))
    if document.connection_id is not None:
        found += [("item", id_) for id_ in sync.missing_products(db.session(), document.connection_id, _sold(document))]
    quote = db.session.get(SalesDocument, document.quote_id) if document.quote_id else None
    if quote is not None and goes_out(quote):
        found.append(("estimate", quote.id))
    return found


def _sold(document: SalesDocument) -> list[int]:
    """Products of its lines; of options those that are taken."""
    lines = [line for line in document.lines if line.chosen or not line.optional]
    return sorted({line.product_id for line in lines if line.product_id})


def flush(document: SalesDocument) -> None:
    try:
        db.session.flush()
    except StaleDataError:
        raise Changed(CHANGED.format(WORDS[document.kind])) from None


def _refuse_contact(contact_id: int | None) -> None:
    contact = db.session.get(Contact, contact_id) if contact_id else None
    if contact_id and contact is None:
        raise Invalid({"contact_id": "There is no such contact any more. Choose another one."})
    if contact is not None and contact.archived_at is not None:
        words = f"{contact.display_name} is archived. Restore the contact, or choose another one."
        raise Invalid({"contact_id": words})


def _write_lines(document: SalesDocument, lines: Iterable[Line]) -> None:
    """Rows that stood there keep their ids (and the books' ids with them); their order is that of `lines`."""
    known = {str(line.id): line for line in document.lines}
    lines = tuple(lines)
    places = {line.key: place for place, line in enumerate(lines)}
    sold = {int(line.item) for line in lines if line.item.isdigit()}
    remote, costs = _items_of(sold), line_costs.of_products(db.session(), sold)
    rows = []
    for place, line in enumerate(lines):
        row = known.pop(line.key, None) or SalesLine()
        before = line_costs.Stood.of(row)
        product_id = int(line.item) if line.item.isdigit() else None
        if row.product_id != product_id:
            row.item_remote_id = ""
        row.position, row.kind, row.product_id = place, line.kind, product_id
        row.item_remote_id = row.item_remote_id or remote.get(product_id or 0, "")
        row.within = places.get(line.within) if line.within else None
        for name in ("name", "description", "quantity", "unit_price", "taxable", "tax_code", "optional"):
            setattr(row, name, getattr(line, name))
        row.chosen = line.chosen or not line.optional
        row.amount = line.amount
        row.cost = costs.of_line(product_id, row.quantity, kind=row.kind, chosen=row.chosen, day=document.date,
                                 before=before)  # fmt: skip
        rows.append(row)
    document.lines = rows
    db.session.flush()


def _items_of(product_ids: set[int]) -> dict[int, str]:
    """Product -> its id in the books. Raises Invalid for one that is not there any more."""
    if not product_ids:
        return {}
    known = set(db.session.scalars(select(Product.id).where(Product.id.in_(product_ids))))
    if product_ids - known:
        gone = "A product of these lines does not exist any more. Take the line out, or choose another."
        raise Invalid({"lines": gone})
    query = select(Item.product_id, Item.remote_id).where(Item.product_id.in_(product_ids), Item.gone_at.is_(None))
    return {int(row.product_id): row.remote_id for row in db.session.execute(query)}


def _has_own_amount(line: SalesLine) -> bool:
    """Of all other lines the amount is computed."""
    return line.kind == "other" or (line.kind == "item" and line.unit_price is None)


def _without_keys(lines: Iterable[Line]) -> list[Line]:
    """Lines as they compare whatever their rows are; a bundle's members by the bundle's place."""
    lines = tuple(lines)
    places = {line.key: str(at) for at, line in enumerate(lines)}
    return [
        replace(line, key="", within=places.get(line.within, ""), chosen=line.chosen or not line.optional)
        for line in lines
    ]


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, Mapping):
        return ", ".join(str(part) for part in value.values() if part)
    return "" if value is None else str(value)
