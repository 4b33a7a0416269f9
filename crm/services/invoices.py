"""What happens to invoices: finished, held back, released, voided, deleted; what a late payer has promised.

Writing them is in `invoice_drafts`, mailing them in `sales_mail`. Called by pages and the API inside `transaction()`.
What the books would refuse is refused here, with the way out, before a call is spent (`domain/invoices.why_not`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import select

from crm.db import db, end_reading
from crm.domain import invoices as rules
from crm.domain.errors import Invalid, ProviderError, Refused
from crm.domain.invoices import DRAFT, Standing
from crm.models import Link, OutboxEntry, SalesDocument
from crm.queries import invoice_standing
from crm.services import became_customers, sales_documents, sales_mail
from crm.services.audit import Actor
from crm.services.invoice_drafts import KIND, OPEN, check, held, refuse_ending
from crm.services.sync.outbox.taking_back import take_back
from crm.services.sync.sales import releasing

LONGEST_STEP = 200
MOST_AT_ONCE = 500
WHOLE = (*sales_documents.HEADER, "lines")
ON_ITS_WAY = "This invoice is on its way to QuickBooks, and may be there already. Wait until it has arrived."


def standing(document: SalesDocument) -> Standing:
    """As the rules look at it, for what may be done. One that only waits to be sent can still be taken back."""
    known = invoice_standing.of(db.session(), document)
    entry = invoice_standing.waiting(db.session(), document.id)
    return replace(known, outgoing=may_be_there(entry))


def may_be_there(entry: OutboxEntry | None) -> bool:
    return entry is not None and (entry.state == "frozen" or bool(entry.request_key))


def finish(document_id: int, *, lock: int, actor: Actor, now: datetime, hold: bool = False) -> SalesDocument:
    """A draft becomes an invoice and goes to the books, unless it is held back. Raises Invalid."""
    document = held(document_id, lock)
    if document.state != DRAFT:
        raise Refused("This invoice is no draft any more.")
    check(sales_documents.content_of(document), document=document)
    document.state, document.hold, document.updated_at = OPEN, hold, now
    sales_documents.flush(document)
    sales_documents.tell(document, "finished", "finished, held back" if hold else "finished", actor=actor, now=now)
    sales_documents.to_books(document, WHOLE, actor=actor, now=now)
    sales_documents.flush(document)
    became_customers.of_documents(db.session(), [document.id], actor=actor, now=now)
    return document


def hold(document_id: int, *, lock: int, actor: Actor, now: datetime) -> SalesDocument:
    """Not yet to the books. What waits to be sent is taken back."""
    document = held(document_id, lock)
    rules.refuse("hold", standing(document))
    if not take_back(db.session(), KIND, document.id, actor=actor, now=now):
        raise Refused(ON_ITS_WAY)
    document.hold, document.updated_at = True, now
    sales_documents.flush(document)
    sales_documents.tell(document, "hold", "held back from QuickBooks", actor=actor, now=now)
    return document


def release(document_id: int, *, lock: int, actor: Actor, now: datetime) -> SalesDocument:
    """To the books now."""
    document = held(document_id, lock)
    rules.refuse("release", standing(document))
    if document.state != DRAFT:
        check(sales_documents.content_of(document), document=document)
    document.hold, document.updated_at = False, now
    sales_documents.flush(document)
    sales_documents.tell(document, "release", "released to QuickBooks", actor=actor, now=now)
    sales_documents.to_books(document, WHOLE, actor=actor, now=now)
    sales_documents.flush(document)
    return document


def void(document_id: int, *, lock: int, actor: Actor, now: datetime, why: str = "") -> SalesDocument:
    """It stays with its number and comes to nothing, as soon as the books have done it; its quote is free then."""
    document = held(document_id, lock)
    refuse_ending(document)
    rules.refuse("void", standing(document))
    sales_documents.to_books(document, (), operation="void", trigger="person", actor=actor, now=now)
    document.updated_at = now
    sales_documents.flush(document)
    text = "to be voided in QuickBooks" + (f": {why}" if why else "")
    sales_documents.tell(document, "void_asked", text, actor=actor, now=now)
    return document


def delete(document_id: int, *, lock: int, actor: Actor, now: datetime) -> SalesDocument:
    """Gone, there as here. One the books do not hold yet is gone at once, and what waits of it is taken back."""
    document = held(document_id, lock)
    refuse_ending(document)
    known = standing(document)
    rules.refuse("delete", known)
    if known.linked:
        sales_documents.to_books(document, (), operation="delete", trigger="person", actor=actor, now=now)
        document.updated_at = now
        sales_documents.flush(document)
        sales_documents.tell(document, "delete_asked", "to be deleted in QuickBooks", actor=actor, now=now)
        return document
    if not take_back(db.session(), KIND, document.id, actor=actor, now=now):
        raise Refused(ON_ITS_WAY)
    document.gone_at, document.updated_at = now, now
    sales_documents.flush(document)
    sales_documents.tell(document, "gone", "deleted before it went to QuickBooks", actor=actor, now=now)
    releasing.release(db.session(), [document.id], actor=actor, now=now)
    return document


def mail(document_id: int, *, lock: int, to: str, looked: bool, actor: Actor, now: datetime) -> SalesDocument:
    """QuickBooks is to e-mail it to this address (empty: its own), once. `looked`: see `sales_mail.ask`."""
    document = held(document_id, lock)
    refuse_ending(document)
    rules.refuse("send", standing(document))
    sales_mail.ask(document, to=to, looked=looked, actor=actor, now=now)
    return document


def books_pdf(document_id: int, *, clock: Callable[[], datetime]) -> bytes:
    """As the books print it. A call: never inside of a transaction. Raises Refused with what the books said."""
    from crm.services import connections  # it starts imports itself, so it may import the sync

    mine = (Link.kind == KIND, Link.local_id == document_id, Link.state != "gone")
    query = select(Link.connection_id, Link.remote_id).where(*mine)
    link = db.session.execute(query.order_by(Link.id).limit(1)).first()
    if link is None:
        raise Refused("This invoice is not in QuickBooks, so QuickBooks has no PDF of it.")
    end_reading()
    try:
        with connections.books(link.connection_id, clock=clock, urgent=True) as books:
            return books.pdf(KIND, link.remote_id)
    except ProviderError as error:
        raise Refused(f"QuickBooks gave no PDF: {error}") from error


def seen_difference(document_id: int, *, actor: Actor, now: datetime) -> SalesDocument:
    """A person has looked at what the books made of it: their figure counts, and the task is done."""
    document = db.session.scalars(
        select(SalesDocument).where(SalesDocument.id == document_id, SalesDocument.kind == KIND).with_for_update()
        .execution_options(populate_existing=True)
    ).first()  # fmt: skip
    if document is None or document.expected_total is None:
        raise Refused("There is no difference to look at any more.")
    details = {"expected_tax": str(document.expected_tax), "expected_total": str(document.expected_total),
               "books_tax": str(document.books_tax), "books_total": str(document.books_total)}  # fmt: skip
    document.expected_tax = document.expected_total = None
    sales_documents.flush(document)
    sales_documents.tell(document, "difference_seen", "QuickBooks' figures are kept", actor=actor, now=now,
                         details=details)  # fmt: skip
    return document


def promise(
    document_ids: Sequence[int], *, promised_on: date | None, next_step: str, actor: Actor, now: datetime
) -> int:
    """When these are to be paid, as the customer said, and what is to be done next; how many changed. Stays here."""
    step = " ".join(next_step.split())
    if len(step) > LONGEST_STEP:
        raise Invalid({"next_step": f"{LONGEST_STEP} characters are kept, these are {len(step)}. Shorten it."})
    if len(document_ids) > MOST_AT_ONCE:
        raise Refused(f"{MOST_AT_ONCE} invoices at most are changed at once.")
    mine = (SalesDocument.id.in_(document_ids), SalesDocument.kind == KIND, SalesDocument.gone_at.is_(None))
    query = select(SalesDocument).where(*mine).order_by(SalesDocument.id).with_for_update()
    rows = db.session.scalars(query.execution_options(populate_existing=True)).all()
    changed = [one for one in rows if (one.promised_on, one.next_step) != (promised_on, step)]
    for document in changed:
        document.promised_on, document.next_step = promised_on, step
        sales_documents.flush(document)
        text = _promised(promised_on, step)
        sales_documents.tell(document, "promise", text, actor=actor, now=now)
    return len(changed)


def _promised(day: date | None, step: str) -> str:
    said = [f"promised for {day:%B} {day.day}" if day else "", f"next: {step}" if step else ""]
    return ", ".join(one for one in said if one) or "nothing promised any more"
