"""What a customer does on the page of their quote: takes it, with the options they chose; does not; asks something.

Nobody is signed in there: the link is the authority (`public_links`), and everything goes through the one table of
`domain/quotes` as the customer. They say which version they were shown; another one is never answered. Pressed twice,
it counts once. The team is told in the app. Called inside `transaction()`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select

from crm.db import db
from crm.domain import quotes as rules
from crm.domain.errors import Changed, Invalid
from crm.models import Notice, PublicLink, SalesDocument, SalesEvent
from crm.services import line_costs, notices, quotes, sales_documents, sales_papers
from crm.services.audit import Actor
from crm.services.quote_drafts import held

LONGEST = 2000
NEWER = "There is a newer version of this quote. Please read it before you answer."
TOPIC = "quote_answer"
"""Of the notices; the quote's id follows after a colon."""


def customer(name: str = "", ip: str = "") -> Actor:
    """Who acts on a public page."""
    return Actor(name=" ".join(name.split())[:120] or "the customer", source="customer", ip=ip)


def accept(link: PublicLink, *, version: str, by: str, chosen: Collection[int], ip: str, now: datetime) -> None:
    """The quote is taken by this name, with these optional lines and no others.

    Raises Invalid without a name, Changed where another version was shown, Refused with what the table says.
    """
    document = _shown(link, version)
    name = " ".join(by.split())[:120]
    if not name:
        raise Invalid({"name": "Please write your name: it says who accepted."})
    was, actor = document.state, customer(name, ip)
    chose = was in rules.WITH_CUSTOMER and _choose(document, chosen, actor=actor, now=now)
    quotes.accept(document.id, lock=None, by=name, actor=actor, now=now, who=rules.CUSTOMER)
    if chose:
        sales_documents.to_books(document, ["lines"], actor=actor, now=now)
    if document.state != was:
        _tell_team(document, f"accepted by {name}", level="info", now=now)


def decline(link: PublicLink, *, version: str, why: str, ip: str, now: datetime) -> None:
    """The quote is not taken; the reason may be empty. Raises Changed, Refused."""
    document = _shown(link, version)
    was, actor = document.state, customer("", ip)
    quotes.decline(document.id, lock=None, why=why.strip()[:LONGEST], actor=actor, now=now, who=rules.CUSTOMER)
    if document.state != was:
        reason = f": {document.declined_why}" if document.declined_why else "."
        _tell_team(document, f"declined by the customer{reason}", level="info", now=now)


def ask(link: PublicLink, *, text: str, by: str, ip: str, now: datetime) -> None:
    """A question, kept at the quote. The same one twice in a row is one. Raises Invalid, Refused."""
    document = held(link.document_id, None)
    question = text.strip()[:LONGEST]
    if not question:
        raise Invalid({"question": "Please write your question."})
    rules.move("ask", document.state, who=rules.CUSTOMER, expires_on=document.expires_on, today=quotes.today(now))
    if last_question(document.id) == question:
        return
    actor = customer(by, ip)
    sales_documents.tell(document, "ask", question, actor=actor, now=now)
    _tell_team(document, f"asked about by {actor.label}: {question}", level="warning", now=now)


def last_question(document_id: int) -> str:
    """What was asked last, unless somebody answered it since."""
    talk = (SalesEvent.document_id == document_id, SalesEvent.event.in_(("ask", "answered")))
    query = select(SalesEvent.event, SalesEvent.text).where(*talk)
    row = db.session.execute(query.order_by(SalesEvent.id.desc()).limit(1)).first()
    return row.text if row is not None and row.event == "ask" else ""


def unheeded(document: SalesDocument) -> str:
    """What the customer did that nobody here took note of yet, as a sentence; empty: nothing."""
    mine = (Notice.topic == f"{TOPIC}:{document.id}", Notice.settled_at.is_(None))
    text = db.session.scalar(select(Notice.text).where(*mine).order_by(Notice.id.desc()).limit(1))
    asked = last_question(document.id)
    return text or (f"The customer asked: {asked}" if asked else "")


def noted(document_id: int, *, actor: Actor, now: datetime) -> None:
    """Somebody here answered what the customer asked, or took note of their answer: its notice is settled."""
    document = held(document_id, None)
    if last_question(document.id):
        sales_documents.tell(document, "answered", "the customer's question was answered", actor=actor, now=now)
    if document.connection_id is not None:
        notices.settle(document.connection_id, f"{TOPIC}:{document.id}", now=now)


def _shown(link: PublicLink, version: str) -> SalesDocument:
    document = held(link.document_id, None)
    if document.state == rules.DRAFT or sales_papers.version(document) != version:
        raise Changed(NEWER, document)
    return document


def _choose(document: SalesDocument, chosen: Collection[int], *, actor: Actor, now: datetime) -> bool:
    """Count these options; whether that changed anything. The figures are computed anew."""
    wanted = {line.id: line.id in chosen for line in document.lines if line.optional}
    changed = [line for line in document.lines if line.id in wanted and line.chosen != wanted[line.id]]
    costs = line_costs.of_products(db.session(), [line.product_id for line in changed])
    for line in changed:
        line.chosen = wanted[line.id]
        line.cost = costs.of_line(line.product_id, line.quantity, kind=line.kind, chosen=line.chosen, day=document.date)
    if changed:
        sales_documents.compute(document, sales_documents.content_of(document))
        document.updated_at = now
        sales_documents.flush(document)
        names = ", ".join(line.name or line.description for line in document.lines if line.optional and line.chosen)
        sales_documents.tell(document, "chosen", f"options: {names or 'none'}", actor=actor, now=now)
    return bool(changed)


def _tell_team(document: SalesDocument, text: str, *, level: str, now: datetime) -> None:
    """A notice to admins and the quote's owner. Before any company is connected the timeline alone tells."""
    if document.connection_id is None:
        return
    name = f"Quote {document.number}".strip()
    notices.post(f"{TOPIC}:{document.id}", document.connection_id, level=level, text=f"{name} {text}"[:500], now=now)
