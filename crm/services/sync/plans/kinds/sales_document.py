"""Quotes and invoices in plans: those written before a company was connected are created there, with their money; how a
write is taken back.

| written was | taken back by | unless |
|---|---|---|
| a new quote | deleting it | an invoice was made of it |
| a new invoice | deleting it; else voiding it | `domain/invoices` refuses both: paid, in a deposit, books closed |
| fields | their old values, on both sides; lines as a whole | the field was changed since, on either side |
| void, deleted | nothing: QuickBooks brings neither back | |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from crm.domain import invoices, quotes, sales_fields
from crm.domain.plans import AS_BEFORE, GONE_HERE, Kept, take_back
from crm.domain.record_documents import DocumentRecord
from crm.domain.sales_fields import TITLES
from crm.models import Document, Link, OutboxEntry, Plan, SalesDocument
from crm.queries import households, invoice_standing
from crm.services.audit import Actor
from crm.services.sync.mirror.stored import as_stored, from_stored
from crm.services.sync.outbox.asking import ask_create
from crm.services.sync.outbox.kinds import OUTGOING
from crm.services.sync.plans.kinds.port import Deed, Drawn, Seen, Usual
from crm.services.sync.sales import merging
from crm.services.sync.sales.comparing import Held, held
from crm.services.sync.work import Books

READY: Mapping[str, tuple[str, ...]] = {"estimate": (quotes.SENT, quotes.VIEWED, quotes.ACCEPTED), "invoice": ("open",)}
"""Kind -> states in which one goes to the books by itself."""
FIRST = "Its customer is created in QuickBooks first."
OTHER = "It is another document in QuickBooks by now."
GONE = "It was deleted in QuickBooks since: there is nothing left to take back."
NO_IMAGE = "It was changed in QuickBooks since, and how we had left it is not known. Change it by hand where needed."
INVOICED = "An invoice was made of it. Delete or void that first."
FINAL = "QuickBooks brings back nothing that was voided or deleted. Duplicate it instead."
DELETED = "It was created by us; it is deleted, there and here."
VOIDED = "It was created by us and cannot be deleted: {} So it becomes void, there and here."


@dataclass(frozen=True, slots=True)
class Taken(Drawn):
    """What taking it back would do, with the record it shall be again."""

    target: DocumentRecord | None = None


class DocumentPlans(Usual):
    def offered(self, connection_id: int) -> Select[int] | None:
        """Written here and ready to go, while the books do not know them."""
        known = exists().where(
            Link.connection_id == connection_id, Link.kind == self.kind, Link.local_id == SalesDocument.id
        )
        return select(SalesDocument.id).where(
            SalesDocument.kind == self.kind, SalesDocument.state.in_(READY[self.kind]), SalesDocument.hold.is_(False),
            SalesDocument.template.is_(False), SalesDocument.gone_at.is_(None), ~known,
        )  # fmt: skip

    def look(
        self, session: Session, books: Books, local_ids: Sequence[int], links: Mapping[int, Any]
    ) -> Mapping[int, Seen]:
        known = super().look(session, books, local_ids, links)
        query = select(SalesDocument.id, SalesDocument.total, SalesDocument.contact_id)
        rows = session.execute(query.where(SalesDocument.id.in_(list(known)))).all()
        mine = (Link.connection_id == books.id, Link.kind == "customer")
        payers = households.payers(row.contact_id for row in rows if row.contact_id)
        asked = [payers.get(row.contact_id, row.contact_id) for row in rows if row.contact_id]
        there = set(session.scalars(select(Link.local_id).where(*mine, Link.local_id.in_(asked))))
        found = {}
        for row in rows:
            seen = replace(known[row.id], amount=row.total, ready=row.id not in links)
            payer = payers.get(row.contact_id, row.contact_id)
            waits = row.id not in links and payer is not None and payer not in there
            found[row.id] = replace(seen, stays=("create", FIRST)) if waits and seen.stays is None else seen
        return found

    def needs(
        self, session: Session, books: Books, local_ids: Sequence[int], *, actor: Actor, now: datetime
    ) -> Mapping[int, tuple[tuple[str, int], ...]]:
        from crm.services import sales_documents  # it asks the engine itself, which this is a part of

        query = select(SalesDocument).where(SalesDocument.id.in_(local_ids)).order_by(SalesDocument.id)
        documents = session.scalars(query).all()
        for document in documents:
            document.connection_id = books.id
        session.flush()
        contacts = {one.contact_id for one in documents if one.contact_id and not one.customer_remote_id}
        if contacts:
            payers = households.payers(contacts)
            wanted = sorted({payers.get(id_, id_) for id_ in contacts})
            ask_create(session, wanted, books.id, actor=actor, now=now, trigger="plan")
        return {one.id: tuple(sales_documents.needs(one)) for one in documents}

    def left_as(self, session: Session, entry: OutboxEntry) -> dict[str, Any] | None:
        there = (Link.connection_id == Document.connection_id) & (Link.remote_id == Document.remote_id)
        found = session.execute(
            select(Document.record, Document.content_hash, Link.written_hash)
            .join(Link, there & (Link.kind == Document.kind))
            .where(Document.connection_id == entry.connection_id, Document.kind == self.kind,
                   Document.remote_id == entry.remote_id)
        ).first()  # fmt: skip
        return dict(found.record) if found is not None and found.content_hash == found.written_hash else None

    def undoing(self, session: Session, books: Books, deeds: Sequence[Deed]) -> list[Drawn]:
        ids = [deed.local_id for deed in deeds]
        here, names = held(session, books, self.kind, ids), OUTGOING[self.kind].names(session, ids)
        made = select(SalesDocument.quote_id).where(
            SalesDocument.quote_id.in_(ids), SalesDocument.gone_at.is_(None), SalesDocument.state != "void"
        )
        invoiced = set(session.scalars(made))
        return [
            _undoing(session, self.kind, deed, here.get(deed.local_id), names.get(deed.local_id, ""), invoiced)
            for deed in deeds
        ]

    def put_back(
        self, session: Session, plan: Plan, one: Drawn, fields: Sequence[str], *, books: Books, actor: Actor,
        now: datetime,
    ) -> str:  # fmt: skip
        from crm.services import sales_documents  # it asks the engine itself, which this is a part of

        assert isinstance(one, Taken) and one.target is not None
        mine = held(session, books, self.kind, [one.local_id]).get(one.local_id)
        if mine is None:
            return GONE_HERE
        document = mine.document
        figures, total = {name: getattr(document, name) for name in merging.ALWAYS}, document.total
        merging.take(session, replace(mine, theirs=one.target), fields, now=now)
        for name, value in figures.items():
            setattr(document, name, value)
        if document.balance is not None:
            document.balance += document.total - total  # until the books say it
        document.edited_at = now
        document.search_text = sales_documents.search_text(document)
        sales_documents.flush(document)
        titles = ", ".join(TITLES[name] for name in fields)
        changes = {name: (one.changes[name][0], one.changes[name][1]) for name in fields}
        said = f"As it was before: {titles}"
        sales_documents.tell(document, "undone", said, actor=actor, now=now, changes=changes)
        return ""


def _undoing(
    session: Session, kind: str, deed: Deed, one: Held | None, name: str, invoiced: set[int | None]
) -> Taken:
    if one is None:
        return Taken(deed.local_id, name, "skip", deed.remote_id, {}, GONE_HERE, kind=kind)
    theirs, document = one.theirs, one.document

    def stays(action: str, reason: str) -> Taken:
        before = as_stored(theirs) if theirs is not None else None
        return Taken(deed.local_id, name, action, deed.remote_id, {}, reason, document.total, before, kind)

    if deed.operation in ("void", "delete"):
        return stays("refuse", FINAL)
    if one.link is None or one.link.remote_id != deed.remote_id:
        return stays("skip", OTHER)
    if theirs is None:
        return stays("skip", GONE)
    if deed.operation == "update":
        return _fields_back(deed, one, theirs, name, stays)
    if kind == "estimate":
        return stays("refuse", INVOICED) if document.id in invoiced else stays("delete", DELETED)
    standing = replace(invoice_standing.of(session, document), outgoing=False)
    deletes, voids = (invoices.why_not(action, standing) for action in ("delete", "void"))
    if deletes is None:
        return stays("delete", DELETED)
    return stays("void", VOIDED.format(deletes.sentence)) if voids is None else stays("refuse", voids.sentence)


def _fields_back(deed: Deed, one: Held, theirs: DocumentRecord, name: str, stays: Any) -> Taken:
    if deed.after is None or deed.before is None:
        return stays("skip", NO_IMAGE)  # type: ignore[no-any-return]
    before, after = (from_stored(DocumentRecord, dict(record)) for record in (deed.before, deed.after))
    old, left = sales_fields.keys(before), sales_fields.keys(after)
    written = [field for field in old if old[field] != left[field]]
    back, kept = take_back(written, before=old, after=left, there=sales_fields.keys(theirs),
                           here=sales_fields.keys(one.ours))  # fmt: skip
    reason = _told(kept)
    if not back:
        return stays("skip", reason or AS_BEFORE)  # type: ignore[no-any-return]
    changes = {field: [sales_fields.shown(theirs, field), sales_fields.shown(before, field)] for field in back}
    return Taken(deed.local_id, name, "update", deed.remote_id, changes, reason, one.document.total, as_stored(theirs),
                 theirs.kind, before)  # fmt: skip


def _told(kept: Sequence[Kept]) -> str:
    parts = [f"{TITLES[one.field]} ({one.why})" for one in kept]
    return f"Left as they are: {', '.join(parts)}." if parts else ""
