"""A quote or invoice that was changed here and came in changed: field by field, and lines as a whole.

What theirs wins is taken into our row, and what stood there is kept in the document's history; what ours wins waits in
the outbox (a draft's edits wait for the draft); what nobody but a person can decide becomes a conflict. Nothing of
either side is lost without one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain import quotes, sales_fields
from crm.domain.directions import OFF
from crm.domain.record_documents import DocumentRecord
from crm.models import Link, SalesLine
from crm.services import line_costs
from crm.services.sync import settings
from crm.services.sync.merge import conflicts
from crm.services.sync.merge.conflicts import Question
from crm.services.sync.merge.enrich_told import Decided
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.outbox import outbox
from crm.services.sync.sales import rows, told
from crm.services.sync.sales.comparing import Held, held
from crm.services.sync.work import Batch

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "customer": ("customer_remote_id",), "number": ("number",), "date": ("date",), "due_date": ("due_date",),
    "expires_on": ("expires_on",), "terms": ("terms",), "email": ("email",), "customer_memo": ("customer_memo",),
    "private_note": ("private_note",), "billing_address": ("billing_address",),
    "shipping_address": ("shipping_address",), "tax_code": ("tax_code",),
    "deposit": ("deposit", "deposit_kind", "deposit_value"), "custom_fields": ("custom_fields",),
    "lines": ("discount_kind", "discount_value", "discount_before_tax", "subtotal", "discount", "tax", "total",
              "tax_mode", "currency"),
}  # fmt: skip
"""Shared field -> our columns; the status of a quote is read by `taking`."""
ALWAYS = ("books_tax", "books_total", "balance")
"""The books' own figures."""


def merge(batch: Batch, kind: str, records: Sequence[DocumentRecord]) -> set[str]:
    """Merge these into their rows. Answers the remote ids of those of which nothing of ours is left: they are what the
    books say, whole."""
    if not records:
        return set()
    read = {one.origin.remote_id: one for one in records}
    mine = (Link.connection_id == batch.books.id, Link.kind == kind, Link.remote_id.in_(list(read)))
    batch.session.execute(update(table_of(Link)).where(*mine, Link.state == "gone").values(state="linked"))
    ids = list(batch.session.scalars(select(Link.local_id).where(*mine)))
    return merge_ours(batch, kind, ids, read)


def merge_ours(
    batch: Batch,
    kind: str,
    ids: Sequence[int],
    read: Mapping[str, DocumentRecord] | None = None,
    *,
    decided: Decided | None = None,
) -> set[str]:
    """The same by our ids; from the mirror where nothing was read: a rule or a decision (`decided`) has changed."""
    chosen = decided.fields if decided else ()
    found = held(batch.session, batch.books, kind, ids, read=read, decided=chosen)
    questions: list[Question] = []
    wishes: dict[int, outbox.Wish] = {}
    whole: set[str] = set()
    for one in found.values():
        if one.merged is None or one.theirs is None:
            continue
        questions += [question(one, name, reason) for name, reason in one.merged.asked.items()]
        update_by_id(batch.session, table_of(Link), [
            {"id": one.link.id, "base": one.merged.base, "version": one.theirs.origin.version, "synced_at": batch.now}
        ])  # fmt: skip
        _tell(batch, one, decided)
        if not one.merged.sent and not one.merged.asked and not one.merged.differing:
            whole.add(one.link.remote_id)
            continue
        _tell_void(batch, one)
        take(batch.session, one, one.merged.taken, now=batch.now)
        if one.merged.sent and one.direction.goes_out and not one.waiting and leaves(one.document):
            wishes[one.document.id] = outbox.Wish("update")
    if settings.current(batch.session, batch.books.id, kind).direction != OFF:
        conflicts.open_or_refresh(batch.session, batch.books.id, kind, questions, ids=list(found), now=batch.now)
    if wishes:
        outbox.note_many(batch.session, batch.books.id, kind, wishes, trigger="change", actor=batch.books.actor,
                         now=batch.now)  # fmt: skip
    return whole


def leaves(document: Any) -> bool:
    """Whether edits of a linked one go to the books: those of a draft wait until it is sent again."""
    return document.state != "draft" and not document.template


def settle(batch: Batch, kind: str, ids: Collection[int]) -> None:
    """Nobody needs to decide about these any more."""
    conflicts.settle(batch.session, batch.books.id, kind, sorted(ids), now=batch.now)


def take(session: Session, one: Held, fields: Collection[str], *, now: datetime) -> None:
    """These fields, as theirs says them, into our row; the books' own figures always."""
    assert one.theirs is not None
    document, columns = one.document, rows.header(one.theirs)
    for name in ALWAYS:
        setattr(document, name, columns[name])
    for field in fields:
        for name in COLUMNS.get(field, ()):
            setattr(document, name, columns[name])
    if sales_fields.WHOLE in fields:
        _take_lines(session, one)
        if document.kind == "invoice":
            document.state = "void" if one.theirs.void else "open"
    if "status" in fields:
        has_invoice = any(part.kind == "invoice" for part in one.theirs.linked)
        document.state = quotes.from_books(one.theirs.status, document.state, has_invoice=has_invoice).state
        document.accepted_by = one.theirs.accepted_by[:120]
    if document.balance is not None and one.theirs.total is not None:
        # Where our lines stay: what is paid is what the books say, what is open follows from our total.
        document.balance += document.total - one.theirs.total
    document.updated_at = now
    session.flush()


def _tell(batch: Batch, one: Held, decided: Decided | None) -> None:
    """What takes the place of something of ours stays readable in the document's history."""
    assert one.merged is not None and one.theirs is not None
    ours = {*one.edited, *(decided.fields if decided else ())}
    lost = {name: [sales_fields.shown(one.ours, name), sales_fields.shown(one.theirs, name)]
            for name in one.merged.taken if name in ours}  # fmt: skip
    if lost:
        names = ", ".join(sales_fields.TITLES[name] for name in lost)
        who = f", decided by {decided.actor.label}" if decided else ""
        text = f"QuickBooks’ value was taken: {names}{who}"
        told.note(batch, [(one.document.id, "taken", text, {"changes": lost})])


def _tell_void(batch: Batch, one: Held) -> None:
    assert one.merged is not None and one.theirs is not None
    if one.theirs.void and one.document.state != "void" and sales_fields.WHOLE in one.merged.taken:
        told.note(batch, [(one.document.id, "void", "Void in QuickBooks", {})])


def _take_lines(session: Session, one: Held) -> None:
    """Their lines in place of ours, each in its row where it had one. Options nobody chose, which the books never saw,
    stay behind them."""
    assert one.theirs is not None
    document = one.document
    heads = {line.position for line in document.lines if line.optional and not line.chosen and not line.remote_id}
    options = [line for line in document.lines if line.position in heads or line.within in heads]
    known = {line.remote_id: line for line in document.lines if line.remote_id}
    sections = [line.remote_id for line in known.values() if line.kind == "section"]
    products = {remote: product for product, remote in one.known.items.items()}
    read = rows.lines(one.theirs, products=products, sections=sections)
    costs = line_costs.of_products(session, [row["product_id"] for row in read])
    made = []
    for row in read:
        line = known.pop(row["remote_id"], None) or SalesLine()
        before = line_costs.Stood.of(line)
        for name, value in row.items():
            setattr(line, name, value)
        line.cost = costs.of_line(line.product_id, line.quantity, kind=line.kind, chosen=True, day=document.date,
                                  before=before)  # fmt: skip
        made.append(line)
    places = {line.position: len(made) + at for at, line in enumerate(options)}
    for line in options:
        head = None if line.within is None else places[line.within]
        line.position, line.within = places[line.position], head
    document.lines = [*made, *options]
    session.flush()


def question(one: Held, field: str, reason: str) -> Question:
    assert one.merged is not None and one.theirs is not None
    ours, theirs = sales_fields.shown(one.ours, field), sales_fields.shown(one.theirs, field)
    here, there = one.merged.here[field], sales_fields.keys(one.theirs)[field]
    before = one.link.base.get(field, "")
    base = ours if before == here else theirs if before == there else sales_fields.shown_key(field, before)
    return Question(
        one.document.id, one.link.remote_id, field, reason, base, ours, theirs, one.edited.get(field),
        one.theirs.origin.updated_at, one.document.contact_id,
    )  # fmt: skip
