"""Which invoice of a quote is linked to its estimate in the books.

QuickBooks closes an estimate with the first invoice that is linked to it, and links none to one that is closed [FACTS
5.3]. So the invoice that takes the last of a quote carries the link, and no other: until then the estimate stays open
there. Where one that stands carries it already, none does: a second link would be refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from crm.domain import quotes
from crm.models import Document, Link, SalesDocument
from crm.queries import quote_progress


def linked_by(session: Session, invoices: Collection[SalesDocument]) -> dict[int, int]:
    """Invoice -> the quote whose estimate it is to be linked to; the others are not there."""
    found: dict[int, int] = {}
    for invoice in invoices:
        quote = session.get(SalesDocument, invoice.quote_id) if invoice.quote_id else None
        if quote is None or quote.state != quotes.INVOICED:
            continue
        carriers = _carriers(session, quote.id)
        last = max((one.id for one in quote_progress.standing(session, quote.id)), default=invoice.id)
        if invoice.id in carriers or (not carriers and invoice.id == last):
            found[invoice.id] = quote.id
    return found


def closes(session: Session, quote_id: int) -> bool:
    """Whether an invoice that stands keeps the estimate closed there."""
    return bool(_carriers(session, quote_id))


def _carriers(session: Session, quote_id: int) -> set[int]:
    """Standing invoices of the quote that are linked to an estimate there."""
    ids = [one.id for one in quote_progress.standing(session, quote_id)]
    query = (
        select(Link.local_id, Document.record)
        .join(Document, and_(Document.connection_id == Link.connection_id, Document.kind == Link.kind,
                             Document.remote_id == Link.remote_id))
        .where(Link.kind == "invoice", Link.local_id.in_(ids), Link.state != "gone", Document.gone_at.is_(None))
    )  # fmt: skip
    return {row.local_id for row in session.execute(query) if _names_estimate(row.record)}


def _names_estimate(record: Mapping[str, object]) -> bool:
    linked = record.get("linked")
    return isinstance(linked, list) and any(one.get("kind") == "estimate" for one in linked)
