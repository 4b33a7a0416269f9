"""A quote whose invoice was voided or deleted, here or in the books, is accepted again: what stood on it can be
invoiced anew. Called where invoices end; what is left, `domain/quote_progress` says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from crm.domain import quote_progress, quotes
from crm.domain.sales import SOLD, Line
from crm.models import Link, SalesDocument, SalesEvent
from crm.queries import quote_progress as queries
from crm.services.audit import Actor
from crm.services.identity_keys import chunks
from crm.services.sync.outbox import outbox
from crm.services.sync.sales import linking
from crm.services.sync.work import Batch

TEXT = "Its invoice is void or deleted: it can be invoiced again"
PART = "An invoice of it is void or deleted: that part can be invoiced again"


def release(session: Session, invoice_ids: Collection[int], *, actor: Actor, now: datetime) -> list[int]:
    """The quotes of these invoices of which something is left now are released; answers their ids.

    The books are told: they close an estimate once it is invoiced, and link only one that is open.
    """
    session.flush()
    made = aliased(SalesDocument)
    wanted = (
        select(SalesDocument)
        .where(
            SalesDocument.id.in_(select(made.quote_id).where(made.id.in_(invoice_ids), made.quote_id.is_not(None))),
            SalesDocument.state == quotes.INVOICED, SalesDocument.gone_at.is_(None),
        )
        .order_by(SalesDocument.id)
        .with_for_update(of=SalesDocument)
        .execution_options(populate_existing=True)
    )  # fmt: skip
    freed = []
    for quote in session.scalars(wanted).all():
        others = queries.standing(session, quote.id)
        if others and not _left(session, quote):
            continue
        freed.append(quote)
        was = quote.state
        quote.state = quotes.move("release", was, who=quotes.REP, expires_on=None, today=now.date())
        quote.updated_at = now
        session.add(SalesEvent(document_id=quote.id, at=now, event="release", actor=actor.label[:254],
                               source=actor.source, text=PART if others else TEXT,
                               details={"from": was, "to": quote.state}))  # fmt: skip
        if not linking.closes(session, quote.id):
            _tell_books(session, quote, actor=actor, now=now)
    session.flush()
    return [quote.id for quote in freed]


def _left(session: Session, quote: SalesDocument) -> bool:
    lines = tuple(
        Line(kind=one.kind, key=str(one.id), quantity=one.quantity, unit_price=one.unit_price, amount=one.amount,
             optional=one.optional, chosen=one.chosen)
        for one in quote.lines if one.within is None or one.kind in SOLD
    )  # fmt: skip
    left = quote_progress.rest(lines, queries.done(session, [quote.id])[quote.id], quote.currency or "USD")
    return quote_progress.anything(left)


def ended(batch: Batch, remote_ids: Sequence[str]) -> None:
    """These invoices of the books are void or gone there."""
    for part in chunks(sorted(remote_ids), 500):
        mine = (Link.connection_id == batch.books.id, Link.kind == "invoice", Link.remote_id.in_(part))
        ids = batch.session.scalars(select(Link.local_id).where(*mine)).all()
        release(batch.session, ids, actor=batch.books.actor, now=batch.now)


def _tell_books(session: Session, quote: SalesDocument, *, actor: Actor, now: datetime) -> None:
    mine = (Link.kind == "estimate", Link.local_id == quote.id, Link.state != "gone")
    connection_id = session.scalar(select(Link.connection_id).where(*mine).order_by(Link.id).limit(1))
    if connection_id is None:
        return
    quote.edited_at = now
    outbox.note(session, connection_id, "estimate", quote.id, operation="update", fields=["status"], trigger="change",
                actor=actor, now=now)  # fmt: skip
