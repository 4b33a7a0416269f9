"""What a person does about a quote or invoice that is parked in the outbox: another number, that document there, a copy
anew, or gone here too.

Called inside `transaction()`. What is the same for every kind (try again, skip, give up) is `sync/outbox/parked`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.bell import ring
from crm.db import db
from crm.domain import sales_fields
from crm.domain.errors import Changed, NotFound, Refused
from crm.domain.sales_sides import Side
from crm.models import Connection, Link, OutboxEntry, Product, SalesDocument
from crm.services import audit, conflict_wholes, products, sales_documents, sales_numbers
from crm.services.audit import Actor
from crm.services.sync.outbox.outbox import TASK, dated, taken_anew
from crm.services.sync.outbox.verdicts import drop
from crm.services.sync.sales.comparing import records_of
from crm.services.sync.work import Batch, books_of

KINDS = ("estimate", "invoice")
DECIDED = "Somebody has decided about this entry meanwhile. The list shows what is left."
UNSURE = "QuickBooks may have done this already. Look there, or try it again first: that does nothing twice."


@dataclass(frozen=True, slots=True)
class Bearer:
    """A document there that bears the number of ours, beside ours."""

    remote_id: str
    ours: Side
    theirs: Side
    document_id: int | None
    """Our row of it."""
    adoptable: bool


def bearers(entry: OutboxEntry) -> list[Bearer]:
    """The documents there that bear the number, both sides whole; as they were read when it was refused."""
    session = db.session()
    document = session.get(SalesDocument, entry.local_id)
    remote_ids = [str(one) for one in entry.evidence.get("documents", [])]
    if entry.kind not in KINDS or document is None or not remote_ids:
        return []
    found = records_of(session, entry.connection_id, entry.kind, remote_ids)
    rows = _rows_of(session, entry, remote_ids)
    return [
        Bearer(id_, *conflict_wholes.beside(session, entry.connection_id, document, found[id_]),
               rows[id_].id if id_ in rows else None, id_ in rows and _why_not(rows[id_]) == "")
        for id_ in remote_ids if id_ in found
    ]  # fmt: skip


def next_number(entry_id: int, *, actor: Actor, now: datetime) -> OutboxEntry:
    """The document bears the next free number of ours, or the one the books give it."""
    entry, document = _parked(entry_id, "duplicate_number")
    number, before = sales_numbers.number_of(entry.kind, ""), document.number
    document.number, document.updated_at = number, now
    document.search_text = sales_documents.search_text(document)
    sales_documents.flush(document)
    said = f"Number {before} is taken in QuickBooks; it is {number or 'given by QuickBooks'} now"
    sales_documents.tell(document, "number", said, actor=actor, now=now, changes={"number": (before, number)})
    _make_anew(entry, now=now)
    sales_documents.to_books(document, ["number"], actor=actor, now=now)
    _record("outbox_numbered", entry, said, actor=actor, now=now)
    return entry


def adopt(entry_id: int, remote_id: str, *, actor: Actor, now: datetime) -> OutboxEntry:
    """It is that document there: ours takes the place of the row that only says what the books say. What differs is
    sent as a change; none is created."""
    entry, document = _parked(entry_id, "duplicate_number")
    session = db.session()
    row = _rows_of(session, entry, [remote_id]).get(remote_id)
    there = records_of(session, entry.connection_id, entry.kind, [remote_id]).get(remote_id)
    if row is None or there is None or remote_id not in entry.evidence.get("documents", []):
        raise NotFound("This document is not there (any more). Try again: its number may be free by now.")
    why = _why_not(row)
    if why:
        raise Refused(why)
    row.gone_at = now
    session.flush()
    mine = (Link.connection_id == entry.connection_id, Link.kind == entry.kind, Link.remote_id == remote_id)
    link = session.scalars(select(Link).where(*mine).with_for_update()).one()
    link.local_id, link.linked_by, link.linked_at = document.id, actor.label[:254], now
    link.base = sales_fields.keys(there)
    entry.operation, entry.fields = "update", dated(sales_fields.OF_KIND[entry.kind], now)
    document.edited_at = now
    _make_anew(entry, now=now)
    said = "Linked to the one that is in QuickBooks; what differs is sent"
    sales_documents.tell(document, "linked", said, actor=actor, now=now)
    _record("outbox_adopted", entry, said, actor=actor, now=now)
    return entry


def create_again(entry_id: int, *, actor: Actor, now: datetime) -> OutboxEntry:
    """What is gone there is made anew, as another document."""
    entry, document = _parked(entry_id, "gone")
    _let_go(entry, document)
    document.gone_at, document.edited_at = None, now
    entry.operation, entry.remote_id = "create", ""
    _make_anew(entry, now=now)
    sales_documents.tell(document, "again", "Created again in QuickBooks", actor=actor, now=now)
    _record("outbox_created_again", entry, "Created again in QuickBooks", actor=actor, now=now)
    return entry


def delete_here(entry_id: int, *, actor: Actor, now: datetime) -> OutboxEntry:
    """What is gone there is gone here too: kept as evidence, in no list and no figure."""
    entry, document = _parked(entry_id, "gone")
    document.gone_at, document.edited_at, document.updated_at = now, None, now
    connection = db.session.get_one(Connection, entry.connection_id)
    drop(Batch(db.session(), books_of(connection), now), entry, f"{actor.label} deleted it here too.")
    sales_documents.tell(document, "gone", "Deleted here, as in QuickBooks", actor=actor, now=now)
    _record("outbox_deleted_here", entry, "Deleted here", actor=actor, now=now)
    return entry


def reactivate(entry_id: int, *, actor: Actor, now: datetime) -> OutboxEntry:
    """The products it needs become active, there as well; it follows by itself."""
    entry, _ = _parked(entry_id, "reference")
    ids = [int(one) for one in entry.evidence.get("products", [])]
    if not ids:
        raise Refused("What it points to is no product of ours. Make it active in QuickBooks, then try again.")
    for product_id in ids:
        product = db.session.get(Product, product_id, populate_existing=True)
        if product is None:
            raise NotFound("A product of its lines is not here any more. Edit the lines instead.")
        products.reactivate(db.session(), product_id, lock=product.lock, actor=actor, now=now)
    _make_anew(entry, now=now)
    _record("outbox_reactivated", entry, "Products made active", actor=actor, now=now)
    return entry


def _parked(entry_id: int, cause: str) -> tuple[OutboxEntry, SalesDocument]:
    """The entry and its document, locked, the document first."""
    session = db.session()
    local_id = session.scalar(select(OutboxEntry.local_id).where(OutboxEntry.id == entry_id))
    query = select(SalesDocument).where(SalesDocument.id == local_id)
    document = session.scalars(query.with_for_update().execution_options(populate_existing=True)).first()
    entry = session.get(OutboxEntry, entry_id, with_for_update=True, populate_existing=True)
    if entry is None or document is None or entry.kind not in KINDS:
        raise NotFound("There is no such quote or invoice in the outbox.")
    if entry.state != "parked":
        raise Changed(DECIDED, entry)
    if entry.cause != cause:
        raise Refused("It does not wait for that.")
    if entry.request_key:
        raise Refused(UNSURE)
    return entry, document


def _rows_of(session: Session, entry: OutboxEntry, remote_ids: list[str]) -> dict[str, SalesDocument]:
    """Remote id -> our row of it."""
    query = (
        select(Link.remote_id, SalesDocument)
        .join(SalesDocument, SalesDocument.id == Link.local_id)
        .where(Link.connection_id == entry.connection_id, Link.kind == entry.kind, Link.remote_id.in_(remote_ids),
               Link.state == "linked", SalesDocument.id != entry.local_id)
    )  # fmt: skip
    return {remote_id: row for remote_id, row in session.execute(query)}


def _why_not(row: SalesDocument) -> str:
    """Why ours cannot take the place of this row; empty where it can."""
    number = row.number or "without a number"
    if row.source != "quickbooks" or row.quote_id is not None:
        return f"Document {number} there was written here. Give this one another number instead."
    if row.edited_at is not None:
        return f"Document {number} was changed here and waits to be sent. Give this one another number instead."
    return ""


def _let_go(entry: OutboxEntry, document: SalesDocument) -> None:
    """Nothing ties it to what is gone; its lines are new ones."""
    session = db.session()
    mine = (Link.connection_id == entry.connection_id, Link.kind == entry.kind, Link.local_id == document.id)
    for link in session.scalars(select(Link).where(*mine)):
        session.delete(link)
    for line in document.lines:
        line.remote_id = ""
    document.books_tax = document.books_total = None
    document.seen_hash = ""
    session.flush()


def _make_anew(entry: OutboxEntry, *, now: datetime) -> None:
    entry.body, entry.request_key, entry.batch_item, entry.state = None, "", "", "pending"
    for name, value in taken_anew(now).items():
        setattr(entry, name, value)
    ring(TASK, entry.connection_id)


def _record(action: str, entry: OutboxEntry, words: str, *, actor: Actor, now: datetime) -> None:
    details: dict[str, Any] = {"connection": entry.connection_id, "kind": entry.kind, "local_id": entry.local_id}
    audit.record(action, actor=actor, now=now, subject=f"outbox:{entry.id}", summary=f"{words}.", details=details)
