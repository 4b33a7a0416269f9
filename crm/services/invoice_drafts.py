"""Invoices as they are written: made from scratch or of a quote, changed, copied.

What happens to an invoice after that (released, voided, deleted) is in `invoices`. Called inside `transaction()`.
Whoever changes an invoice says which `lock` they saw; what the books would refuse is refused here, with the way out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import select

from crm.db import db
from crm.domain import invoices as rules
from crm.domain import preflight, quotes
from crm.domain.amounts import ZERO
from crm.domain.contacts import Draft
from crm.domain.days import company_day
from crm.domain.due_dates import due_on
from crm.domain.errors import Invalid, Refused
from crm.domain.invoices import DRAFT, Standing
from crm.domain.invoicing import Conversion, invoice_of
from crm.domain.sales_content import AMOUNT, Content, renumbered
from crm.domain.sales_settings import FIELD
from crm.models import ListEntry, SalesDocument
from crm.queries import invoice_standing
from crm.queries import quote_progress as quote_lines
from crm.queries.sales_documents import buyer
from crm.services import became_customers, contacts, quote_progress, sales_documents, sales_numbers, sales_settings
from crm.services.audit import Actor

KIND, OPEN = "invoice", "open"
NOBODY = "Choose who this invoice is for first."
ENDING = "This invoice is about to be {} in QuickBooks. Wait until that is done, or give it up in the sync log."
FIGURES = ("tax_mode", "subtotal", "discount", "tax", "total", "deposit", "balance")
MONEY = frozenset({"lines", "date", "currency", "tax_code", "discount_kind", "discount_value", "discount_before_tax",
                   "deposit_kind", "deposit_value"})  # fmt: skip
"""What of an invoice changes amounts, or the day they are booked on; `contact_id` is asked for by itself."""
INTERNAL = frozenset({"title", "internal_note", "owner_id"})
"""Nobody outside sees these: always open."""


def today(now: datetime) -> date:
    """The company's own day."""
    company = sales_documents.company()
    return company_day(now, company.time_zone if company is not None else "")


def due_by_terms(terms: str, issued: date) -> date:
    """When an invoice of that day is due by these terms (remote id); without any on its own day."""
    company = sales_documents.company()
    details = db.session.scalar(
        select(ListEntry.details).where(
            ListEntry.connection_id == (company.id if company else None), ListEntry.kind == "term",
            ListEntry.remote_id == terms,
        )
    ) if terms else None  # fmt: skip
    return due_on(issued, details)


def beginning(content: Content, now: datetime) -> Content:
    """What a new invoice begins with where nothing was said: today, the usual terms, and due by them."""
    settings = sales_settings.current(db.session(), sales_settings.company_in_use(db.session()))
    return _dated(replace(content, terms=content.terms or settings.terms), now)


def _dated(content: Content, now: datetime) -> Content:
    issued = content.date or today(now)
    return replace(content, date=issued, due_date=content.due_date or due_by_terms(content.terms, issued))


# --- made -----------------------------------------------------------------------------------------------------


def create(
    content: Content,
    *,
    actor: Actor,
    now: datetime,
    new_contact: Draft | None = None,
    quote: SalesDocument | None = None,
) -> SalesDocument:
    """A draft, which nobody outside knows; with `new_contact` the contact is made along with it. `quote`: what it is
    made of. Raises Invalid with a sentence per field."""
    if new_contact is not None and content.contact_id is None:
        content = replace(content, contact_id=contacts.create(new_contact, actor=actor, now=now).id)
    content = _dated(content, now)
    check(content, document=None)
    content = replace(content, number=sales_numbers.number_of(KIND, content.number))
    document = sales_documents.new(KIND, content, state=DRAFT, actor=actor, now=now)
    if quote is not None:
        document.quote_id = quote.id
        if quote.connection_id is not None:
            document.connection_id = quote.connection_id
        document.customer_remote_id = quote.customer_remote_id if quote.contact_id == content.contact_id else ""
        sales_documents.flush(document)
    sales_documents.tell(document, "created", "made", actor=actor, now=now)
    return document


def from_quote(
    quote_id: int,
    *,
    lock: int,
    actor: Actor,
    now: datetime,
    line_ids: Collection[int] | None = None,
    deposit_paid: Decimal = ZERO,
) -> SalesDocument:
    """A draft of all that is left of the quote, or of the chosen lines (ids) as far as they are left. The quote is
    invoiced once nothing is left, and accepted until then.

    `deposit_paid` is what was received in advance, where deposits stand in the invoice itself. Raises Invalid, Changed,
    and Refused where the quote's state allows no invoice.
    """
    quote = sales_documents.at_lock(quote_id, lock, kind="estimate")
    if quote.template or quote.gone_at is not None:
        raise Refused("This quote was deleted, or is a template. Open another one.")
    state = quotes.move("invoice", quote.state, who=quotes.REP, expires_on=quote.expires_on, today=today(now),
                        partly=quote_lines.is_partly(db.session(), quote))  # fmt: skip
    offered = sales_documents.content_of(quote)
    made = convert(quote, offered, line_ids=line_ids, deposit_paid=deposit_paid)
    document = create(_content_of(offered, made, now), actor=actor, now=now, quote=quote)
    for row, part in zip(document.lines, made.lines, strict=True):
        row.from_line_id = int(part.origin)
    text = f"made of quote {quote.number}".strip() + (", some of its lines" if made.left_out else "")
    sales_documents.tell(document, "from_quote", text, actor=actor, now=now, details={"quote": quote.id})
    _invoiced(quote, quotes.ACCEPTED if made.left_out else state, document, actor=actor, now=now)
    return document


def _invoiced(quote: SalesDocument, state: str, invoice: SalesDocument, *, actor: Actor, now: datetime) -> None:
    """The books close an estimate by themselves with its last invoice; that it was taken at all, they are told."""
    was, quote.state, quote.updated_at = quote.state, state, now
    sales_documents.flush(quote)
    text = "invoiced" if state == quotes.INVOICED else "partly invoiced"
    details = {"from": was, "to": state, "invoice": invoice.id}
    sales_documents.tell(quote, "invoice", text, actor=actor, now=now, details=details)
    became_customers.of_documents(db.session(), [quote.id], actor=actor, now=now)
    if state == quotes.ACCEPTED != was:
        sales_documents.to_books(quote, ("status",), actor=actor, now=now)
        sales_documents.flush(quote)


def convert(
    quote: SalesDocument, offered: Content, *, line_ids: Collection[int] | None, deposit_paid: Decimal
) -> Conversion:
    """What an invoice of it would hold and come to. Raises Invalid."""
    wanted = None if line_ids is None else {str(one) for one in line_ids}
    settings = sales_settings.current(db.session(), quote.connection_id)
    if deposit_paid < 0:
        raise Invalid({"deposit_paid": "What was paid in advance cannot be negative."})
    if deposit_paid and settings.deposits != FIELD:
        raise Invalid({"deposit_paid": "Deposits are payments of their own here (Sales settings). Record it under "
                       "Payments; it is applied to the invoice there."})  # fmt: skip
    quote_progress.refuse_deposit(quote, deposit_paid)
    made = invoice_of(
        offered.lines, discount=offered.discount, tax=sales_documents.tax_of(quote, offered),
        deposit_paid=deposit_paid, keys=wanted, currency=offered.currency or "USD",
        done=quote_lines.done(db.session(), [quote.id])[quote.id],
    )  # fmt: skip
    if made.deposit_left:
        raise Invalid({"deposit_paid": f"The invoice comes to {made.totals.total:,.2f}; more cannot be its deposit. "
                       "Record the rest as a payment: it stays the customer's credit."})  # fmt: skip
    return made


def _content_of(offered: Content, made: Conversion, now: datetime) -> Content:
    discount, deposit = made.discount, made.totals.deposit
    percent = discount.percent is not None
    content = replace(
        offered, number="", date=today(now), due_date=None, expires_on=None,
        lines=tuple(one.line for one in made.lines),
        discount_kind="percent" if percent else AMOUNT if discount.amount else "",
        discount_value=discount.percent if percent else discount.amount or None,
        deposit_kind=AMOUNT if deposit else "", deposit_value=deposit or None,
    )  # fmt: skip
    return beginning(content, now)


def duplicate(document_id: int, *, actor: Actor, now: datetime) -> SalesDocument:
    """A new draft of the same content, dated today; of no quote and with nothing paid in advance."""
    document = sales_documents.find(document_id, kind=KIND)
    content = replace(
        renumbered(sales_documents.content_of(document)), number="", date=None, due_date=None, deposit_kind="",
        deposit_value=None, owner_id=actor.user_id or document.owner_id,
    )  # fmt: skip
    made = create(content, actor=actor, now=now)
    of = document.number or document.title or "another invoice"
    sales_documents.tell(made, "duplicated", f"made from {of}", actor=actor, now=now, details={"of": document.id})
    return made


# --- changed --------------------------------------------------------------------------------------------------


def change(document_id: int, content: Content, *, lock: int, actor: Actor, now: datetime) -> SalesDocument:
    """The invoice says this now. Raises Invalid, NotFound, Changed, and Refused for what cannot be changed now."""
    document = held(document_id, lock)
    before = sales_documents.content_of(document)
    content = _dated(content, now)
    changes = sales_documents.changed_fields(before, content)
    if not changes:
        return document
    standing = invoice_standing.of(db.session(), document)
    refuse_ending(document)
    for action in actions_of(changes):
        rules.refuse(action, standing)
    touched = bool(MONEY & set(changes))
    if touched or "contact_id" in changes:
        check(content, document=document)
        _check_total(document, content, standing)
    _write(document, content, recalculated=touched, now=now)
    text = f"changed: {', '.join(name.removesuffix('_id').replace('_', ' ') for name in changes)}"
    sales_documents.tell(document, "edited", text, actor=actor, now=now, changes=changes)
    sales_documents.to_books(document, changes, actor=actor, now=now)
    sales_documents.flush(document)
    if document.quote_id is not None and "lines" in changes and document.state == DRAFT:
        quote_progress.settle(document.quote_id, actor=actor, now=now)
    return document


def actions_of(changes: Collection[str]) -> list[str]:
    """Keys of `invoices.ACTIONS` that these fields ask for."""
    found = []
    if MONEY & set(changes):
        found.append("edit")
    if "contact_id" in changes:
        found.append("change_customer")
    if set(changes) - MONEY - INTERNAL - {"contact_id"}:
        found.append("annotate")
    return found


def check(content: Content, *, document: SalesDocument | None) -> None:
    """Raises Invalid with everything that is wrong at once."""
    wrong: dict[str, str] = {}
    company = sales_documents.company()
    known = buyer(content.contact_id)
    if content.contact_id is None:
        wrong["contact_id"] = NOBODY
    elif known is not None and known.currency and content.currency not in ("", known.currency):
        wrong["contact_id"] = (
            f"QuickBooks bills {known.name} in {known.currency}, and this invoice is in {content.currency}. "
            f"Choose another customer, or write it in {known.currency}."
        )
    if content.date is not None and content.due_date is not None and content.due_date < content.date:
        wrong["due_date"] = "Due date: it would be due before its own date. Give it a later one."
    until = invoice_standing.closed_until(db.session(), company.id if company else None)
    closed = preflight.dated(content.date, closed_until=until)
    if closed is not None:
        wrong["date"] = closed.sentence
    try:
        sales_documents.check(content, sales_documents.tax_of(document, content))
    except Invalid as problem:
        wrong |= problem.fields
    if wrong:
        raise Invalid(wrong)


def held(document_id: int, lock: int) -> SalesDocument:
    """The invoice, locked for this transaction. Raises Changed, NotFound, Refused for one that was deleted."""
    document = sales_documents.at_lock(document_id, lock, kind=KIND)
    if document.gone_at is not None:
        raise Refused("This invoice was deleted. Duplicate it to make a new one.")
    return document


def refuse_ending(document: SalesDocument) -> None:
    """One that is about to be voided or deleted there is left alone: a later change would take its place."""
    entry = invoice_standing.waiting(db.session(), document.id)
    if entry is not None and entry.operation in invoice_standing.ENDS:
        raise Refused(ENDING.format("voided" if entry.operation == "void" else "deleted"))


def _check_total(document: SalesDocument, content: Content, standing: Standing) -> None:
    total = content.totals(sales_documents.tax_of(document, content)).total
    refusal = rules.why_not_total(total, standing, currency=content.currency or "USD")
    if refusal is not None:
        raise Invalid({"lines": refusal.sentence})


def _write(document: SalesDocument, content: Content, *, recalculated: bool, now: datetime) -> None:
    """What was not touched keeps the books' figures: a new note must not bring our rehearsal of the tax with it."""
    kept: Mapping[str, object] = {name: getattr(document, name) for name in FIGURES}
    amounts = {line.id: line.amount for line in document.lines}
    total, balance = document.total, document.balance
    sales_documents.write(document, content, now=now)
    if not recalculated:
        for name, value in kept.items():
            setattr(document, name, value)
        for line in document.lines:
            line.amount = amounts.get(line.id, line.amount)
    elif document.books_total is not None and balance is not None:
        document.balance = balance + document.total - total  # until the books say it
    sales_documents.flush(document)

