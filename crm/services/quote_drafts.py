"""Quotes as they are written: made, changed, copied, kept as templates.

What happens to a quote after that (sending, answers, versions) is in `quotes`. Called by pages and the API inside
`transaction()`. Whoever changes a quote says which `lock` they saw.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlalchemy import select

from crm.db import db
from crm.domain import quotes as rules
from crm.domain.contacts import Draft
from crm.domain.days import company_day
from crm.domain.errors import Invalid, NotFound, Refused
from crm.domain.quotes import DRAFT
from crm.domain.sales_content import Content, renumbered
from crm.models import SalesDocument
from crm.queries import quote_progress
from crm.services import contacts, sales_documents, sales_numbers, sales_settings
from crm.services.audit import Actor

KIND = "estimate"
NOBODY = "Choose who this quote is for first."
OPEN_ALWAYS = frozenset({"internal_note", "owner_id", "expires_on"})
"""Changing these alone asks for nothing else to be right."""


def today(now: datetime) -> date:
    """The company's own day."""
    company = sales_documents.company()
    return company_day(now, company.time_zone if company is not None else "")


def state_of(document: SalesDocument, now: datetime) -> str:
    """What it is now, `expired` included."""
    partly = quote_progress.is_partly(db.session(), document)
    return rules.state_now(document.state, expires_on=document.expires_on, today=today(now), partly=partly)


def beginning(now: datetime) -> tuple[date, date]:
    """(date, last day) of a new quote, by the sales settings."""
    first = today(now)
    settings = sales_settings.current(db.session(), sales_settings.company_in_use(db.session()))
    return first, first + timedelta(days=settings.quote_days)


# --- made and changed -----------------------------------------------------------------------------------------


def create(
    content: Content, *, actor: Actor, now: datetime, new_contact: Draft | None = None, template: bool = False
) -> SalesDocument:
    """A draft; with `new_contact` the contact is made along with it. Raises Invalid with a sentence per field."""
    if new_contact is not None and content.contact_id is None:
        content = replace(content, contact_id=contacts.create(new_contact, actor=actor, now=now).id)
    check(content, template=template)
    content = replace(content, number="" if template else sales_numbers.number_of(KIND, content.number))
    document = sales_documents.new(KIND, content, state=DRAFT, actor=actor, now=now)
    document.template = template
    sales_documents.flush(document)
    sales_documents.tell(document, "created", "made", actor=actor, now=now)
    return document


def change(document_id: int, content: Content, *, lock: int, actor: Actor, now: datetime) -> SalesDocument:
    """The quote says this now. Raises Invalid, NotFound, Changed, and Refused for what its state keeps closed."""
    document = held(document_id, lock)
    before = sales_documents.content_of(document)
    changes = sales_documents.changed_fields(before, content)
    if not changes:
        return document
    state = state_of(document, now)
    for name in changes:
        if why := rules.why_not_edit(_ruled(name), state):
            raise Refused(why)
    if set(changes) - OPEN_ALWAYS:
        check(content, template=document.template, document=document)
    else:
        _check_days(content)
    sales_documents.write(document, content, now=now)
    text = f"changed: {', '.join(name.removesuffix('_id').replace('_', ' ') for name in changes)}"
    sales_documents.tell(document, "edited", text, actor=actor, now=now, changes=changes)
    document.edited_at = now
    if document.state != DRAFT:
        sales_documents.to_books(document, changes, actor=actor, now=now)
    sales_documents.flush(document)
    return document


def duplicate(document_id: int, *, actor: Actor, now: datetime) -> SalesDocument:
    """A new draft of the same content, from today on."""
    return _copy(sales_documents.find(document_id, kind=KIND), actor=actor, now=now)


def save_as_template(document_id: int, name: str, *, actor: Actor, now: datetime) -> SalesDocument:
    """Its lines, terms and notes, for quotes to come; of nobody in particular."""
    content = sales_documents.content_of(sales_documents.find(document_id, kind=KIND))
    if not name.strip():
        raise Invalid({"name": "Give the template a name to find it by."})
    plain = replace(
        renumbered(content), title=name.strip()[:200], contact_id=None, email="", billing_address={},
        shipping_address={}, number="", date=None, expires_on=None,
    )  # fmt: skip
    return create(plain, actor=actor, now=now, template=True)


def from_template(template_id: int, *, contact_id: int | None, actor: Actor, now: datetime) -> Content:
    """What a new quote made of it begins with; nothing is kept yet."""
    template = sales_documents.find(template_id, kind=KIND)
    if not template.template:
        raise NotFound("There is no such template. It may have been deleted.")
    first, last = beginning(now)
    content = renumbered(sales_documents.content_of(template))
    return replace(content, contact_id=contact_id, date=first, expires_on=last, owner_id=actor.user_id)


def delete_template(template_id: int, *, actor: Actor, now: datetime) -> None:
    template = sales_documents.find(template_id, kind=KIND)
    if not template.template:
        raise Refused("This is a quote and no template. Withdraw it instead.")
    template.gone_at = now
    sales_documents.tell(template, "deleted", "template deleted", actor=actor, now=now)
    sales_documents.flush(template)


def held(document_id: int, lock: int | None) -> SalesDocument:
    """The quote, locked for this transaction. Raises Changed, NotFound, Refused for one that was deleted."""
    if lock is None:
        query = select(SalesDocument).where(SalesDocument.id == document_id, SalesDocument.kind == KIND)
        document = db.session.scalars(query.with_for_update().execution_options(populate_existing=True)).first()
        if document is None:
            raise NotFound("There is no such quote. The link may be old or not complete.")
    else:
        document = sales_documents.at_lock(document_id, lock, kind=KIND)
    if document.gone_at is not None:
        raise Refused("This quote was deleted. Duplicate it to offer the same again.")
    return document


def _ruled(name: str) -> str:
    """A column as the table of what may be edited calls it."""
    return {"owner_id": "owner"}.get(name, name)


def check(content: Content, *, template: bool = False, document: SalesDocument | None = None) -> None:
    """Raises Invalid with everything that is wrong at once."""
    wrong = {}
    if not template and content.contact_id is None:
        wrong["contact_id"] = NOBODY
    try:
        _check_days(content)
    except Invalid as problem:
        wrong |= problem.fields
    try:
        sales_documents.check(content, sales_documents.tax_of(document, content))
    except Invalid as problem:
        wrong |= problem.fields
    if wrong:
        raise Invalid(wrong)


def _check_days(content: Content) -> None:
    if content.date is not None and content.expires_on is not None and content.expires_on < content.date:
        raise Invalid({"expires_on": "Valid until: the quote ends before its date. Give it a later day."})


def _copy(document: SalesDocument, *, actor: Actor, now: datetime) -> SalesDocument:
    first, last = beginning(now)
    content = replace(renumbered(sales_documents.content_of(document)), date=first, expires_on=last, number="")
    made = create(replace(content, owner_id=actor.user_id or content.owner_id), actor=actor, now=now)
    of = document.number or document.title or "another quote"
    sales_documents.tell(made, "duplicated", f"made from {of}", actor=actor, now=now, details={"of": document.id})
    return made
