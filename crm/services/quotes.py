"""What happens to quotes: sent, answered, revised, withdrawn, reopened; one by one or many at once.

Writing them is in `quote_drafts`. Called by pages, the API and the customer's page inside `transaction()`. Every change
of state goes through the one table (`domain/quotes.move`), is told at the quote and its contact, and goes to the books
as far as they are to know. Whoever does something says which `lock` they saw; the customer, who saw none, gives None.
`expired` is computed, never stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from crm.db import db
from crm.domain import quotes as rules
from crm.domain.errors import Invalid, Refused
from crm.domain.quotes import ACCEPTED, CANCELLED, CUSTOMER, DECLINED, DRAFT, PARTLY, REP, SENT
from crm.domain.sales_content import to_json
from crm.models import SalesDocument, SalesVersion, User
from crm.queries import quote_progress
from crm.services import became_customers, public_links, quote_drafts, sales_documents, sales_numbers
from crm.services.audit import Actor
from crm.services.quote_drafts import KIND, NOBODY, held, state_of, today

ANSWER = ("status", "accepted_by", "accepted_on")
"""What the books keep of a quote's state."""
WHOLE = (*sales_documents.HEADER, "lines", *ANSWER)
MOST_AT_ONCE = 500


# --- what happens to it ---------------------------------------------------------------------------------------


def send(document_id: int, *, lock: int, actor: Actor, now: datetime) -> SalesDocument:
    """It is with the customer from now on: in the books, and at an address of its own. Raises Invalid for a quote that
    cannot go out as it is."""
    document = held(document_id, lock)
    state = _moved(document, "send", who=REP, now=now)
    quote_drafts.check(sales_documents.content_of(document), document=document)
    again = document.sent_at is not None and document.state != DRAFT
    document.sent_at = now
    if not document.number:
        document.number = sales_numbers.number_of(quote_drafts.KIND, "")
    public_links.make(document.id, actor=actor, now=now)
    text = "sent once more" if again else f"sent, version {document.revision}" if document.revision > 1 else "sent"
    return _becomes(document, state, "send", text, actor=actor, now=now, fields=WHOLE)


def accept(
    document_id: int, *, lock: int | None, by: str, actor: Actor, now: datetime, who: str = REP
) -> SalesDocument:
    """The customer takes it. `by`: the name they gave."""
    document = held(document_id, lock)
    name = " ".join(by.split())[:120]
    if not name:
        raise Invalid({"accepted_by": "Write down who accepted it."})
    if document.contact_id is None:
        raise Invalid({"contact_id": NOBODY})
    state = _moved(document, "accept", who=who, now=now)
    if state == document.state:
        return document
    document.accepted_by, document.decided_at, document.declined_why = name, now, ""
    text = f"accepted by {name}" + ("" if who == CUSTOMER else ", told by word of mouth")
    return _becomes(document, state, "accept", text, actor=actor, now=now, fields=_of_answer(document))


def decline(
    document_id: int, *, lock: int | None, why: str, actor: Actor, now: datetime, who: str = REP
) -> SalesDocument:
    """The customer does not take it; the reason may be empty."""
    document = held(document_id, lock)
    state = _moved(document, "decline", who=who, now=now)
    if state == document.state:
        return document
    reason = why.strip()[:2000]
    document.declined_why, document.decided_at, document.accepted_by = reason, now, ""
    text = f"declined: {reason}" if reason else "declined"
    return _becomes(document, state, "decline", text, actor=actor, now=now, fields=_of_answer(document))


def cancel(document_id: int, *, lock: int, actor: Actor, now: datetime) -> SalesDocument:
    """Withdrawn: it is not offered any more."""
    document = held(document_id, lock)
    state = _moved(document, "cancel", who=REP, now=now)
    return _becomes(document, state, "cancel", "withdrawn", actor=actor, now=now, fields=ANSWER)


def reopen(document_id: int, *, lock: int, actor: Actor, now: datetime) -> SalesDocument:
    """The answer or the withdrawal was a mistake."""
    document = held(document_id, lock)
    state = _moved(document, "reopen", who=REP, now=now)
    document.decided_at, document.accepted_by, document.declined_why = None, "", ""
    return _becomes(document, state, "reopen", "reopened", actor=actor, now=now, fields=ANSWER)


def revise(document_id: int, *, lock: int, actor: Actor, now: datetime) -> SalesDocument:
    """A draft again, as its next version; the one the customer was shown is kept beside it."""
    document = held(document_id, lock)
    state = _moved(document, "revise", who=REP, now=now)
    kept = to_json(sales_documents.content_of(document)) | {"totals": _figures(document)}
    db.session.add(
        SalesVersion(document_id=document.id, revision=document.revision, content=kept, made_by=actor.label[:254],
                     made_at=now)
    )  # fmt: skip
    document.revision += 1
    document.decided_at, document.accepted_by, document.declined_why = None, "", ""
    if document.expires_on is not None and document.expires_on < today(now):
        document.expires_on = quote_drafts.beginning(now)[1]
    text = f"version {document.revision - 1} kept, version {document.revision} begun"
    return _becomes(document, state, "revise", text, actor=actor, now=now, fields=())


def seen_difference(document_id: int, *, lock: int, actor: Actor, now: datetime) -> SalesDocument:
    """A person has looked at what the books made of it: their figures count, and the task is done."""
    document = held(document_id, lock)
    if document.expected_total is None:
        raise Refused("There is no difference to look at any more.")
    details = {"expected_total": str(document.expected_total), "books_total": str(document.books_total)}
    document.expected_tax = document.expected_total = None
    sales_documents.flush(document)
    text = "QuickBooks' figures are kept"
    sales_documents.tell(document, "difference_seen", text, actor=actor, now=now, details=details)
    return document


def to_stage(document_id: int, stage: str, *, lock: int, actor: Actor, now: datetime) -> SalesDocument:
    """As `send`, `accept` ... : the deed that leads there. Raises Refused where none does."""
    document = sales_documents.find(document_id, kind=KIND)
    if stage == SENT and document.state in (ACCEPTED, DECLINED):
        return reopen(document_id, lock=lock, actor=actor, now=now)
    if stage == DRAFT and document.state == CANCELLED:
        return reopen(document_id, lock=lock, actor=actor, now=now)
    if stage == ACCEPTED:
        by = document.contact.display_name if document.contact is not None else ""
        return accept(document_id, lock=lock, by=by, actor=actor, now=now)
    if stage == DECLINED:
        return decline(document_id, lock=lock, why="", actor=actor, now=now)
    deeds = {DRAFT: revise, SENT: send, CANCELLED: cancel}
    if stage not in deeds:
        raise Refused(f"A quote does not become {rules.STATES.get(stage, stage).lower()} by hand.")
    return deeds[stage](document_id, lock=lock, actor=actor, now=now)


# --- many at once ---------------------------------------------------------------------------------------------


def cancel_many(document_ids: Sequence[int], *, actor: Actor, now: datetime) -> tuple[int, int]:
    """(withdrawn, left alone because their state does not allow it)."""
    done = 0
    rows = _rows(document_ids)
    for document in rows:
        state = state_of(document, now)
        if state not in (CANCELLED, PARTLY) and not rules.why_not("cancel", state, who=REP):
            cancel(document.id, lock=document.lock, actor=actor, now=now)
            done += 1
    return done, len(rows) - done


def assign(document_ids: Sequence[int], owner_id: int | None, *, actor: Actor, now: datetime) -> int:
    """Give them to this person, or to nobody; how many changed hands. The books know no owner."""
    owner = db.session.get(User, owner_id) if owner_id else None
    if owner_id and (owner is None or owner.disabled_at is not None):
        raise Invalid({"owner": "There is nobody of that name any more. Choose another person."})
    name = (owner.name or owner.email) if owner is not None else "nobody"
    changed = [one for one in _rows(document_ids) if one.owner_id != owner_id]
    for document in changed:
        document.owner_id, document.updated_at = owner_id, now
        sales_documents.flush(document)
        sales_documents.tell(document, "edited", f"now belongs to {name}", actor=actor, now=now)
    return len(changed)


def _rows(document_ids: Sequence[int]) -> Sequence[SalesDocument]:
    """Those that are there, locked for this transaction, in the order of their ids."""
    if len(document_ids) > MOST_AT_ONCE:
        raise Refused(f"Choose {MOST_AT_ONCE} quotes at most at once.")
    mine = (SalesDocument.id.in_(document_ids), SalesDocument.kind == KIND, SalesDocument.gone_at.is_(None))
    return db.session.scalars(select(SalesDocument).where(*mine).order_by(SalesDocument.id).with_for_update()).all()


# --- parts ----------------------------------------------------------------------------------------------------


def _moved(document: SalesDocument, event: str, *, who: str, now: datetime) -> str:
    """The state to store, by the table. Raises Refused."""
    if document.template:
        raise Refused("This is a template. Make a quote of it first.")
    partly = quote_progress.is_partly(db.session(), document)
    return rules.move(event, document.state, who=who, expires_on=document.expires_on, today=today(now), partly=partly)


def _becomes(
    document: SalesDocument, state: str, event: str, text: str, *, actor: Actor, now: datetime, fields: Sequence[str]
) -> SalesDocument:
    """Store the new state, tell it, and pass `fields` on to the books (none: it waits until it is sent again)."""
    was = document.state
    document.state, document.updated_at, document.edited_at = state, now, now
    sales_documents.flush(document)
    sales_documents.tell(document, event, text, actor=actor, now=now, details={"from": was, "to": state})
    if fields:
        sales_documents.to_books(document, fields, actor=actor, now=now)
    if state == ACCEPTED:
        became_customers.of_documents(db.session(), [document.id], actor=actor, now=now)
    return document


def _of_answer(document: SalesDocument) -> Sequence[str]:
    """One that was never sent goes to the books whole with its answer."""
    return ANSWER if document.state != DRAFT else WHOLE


def _figures(document: SalesDocument) -> dict[str, str]:
    names = ("subtotal", "discount", "tax", "total", "deposit")
    return {name: format(getattr(document, name), "f") for name in names}
