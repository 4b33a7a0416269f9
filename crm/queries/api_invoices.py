"""What the API reads of invoices: a page at a time by id, each with its lines and its link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from crm.db import db
from crm.domain.invoices import state_now
from crm.models import Link, SalesDocument
from crm.queries.invoice_standing import all_waiting, plain
from crm.queries.invoices import of_contacts, of_state


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    document: SalesDocument
    state: str
    link: Link | None


def invoices(
    *,
    after: int,
    limit: int,
    today: date,
    state: str = "",
    contact_id: int | None = None,
    updated_since: datetime | None = None,
) -> list[InvoiceRow]:
    """Invoices with an id above `after`, in the order of their ids. `today` is the company's own day."""
    query = select(SalesDocument.id).where(SalesDocument.id > after, *of_state(state, today))
    if contact_id is not None:
        query = query.where(of_contacts([contact_id]))
    if updated_since is not None:
        query = query.where(SalesDocument.updated_at >= updated_since)
    return _rows(db.session.scalars(query.order_by(SalesDocument.id).limit(limit)).all(), today)


def invoice(document_id: int, *, today: date) -> InvoiceRow | None:
    mine = (SalesDocument.id == document_id, SalesDocument.kind == "invoice", SalesDocument.gone_at.is_(None))
    rows = _rows(db.session.scalars(select(SalesDocument.id).where(*mine)).all(), today)
    return rows[0] if rows else None


def _rows(ids: Sequence[int], today: date) -> list[InvoiceRow]:
    query = select(SalesDocument).where(SalesDocument.id.in_(ids)).options(selectinload(SalesDocument.lines))
    documents = db.session.scalars(query.order_by(SalesDocument.id).execution_options(populate_existing=True)).all()
    links = {one.local_id: one for one in db.session.scalars(
        select(Link).where(Link.kind == "invoice", Link.local_id.in_(ids)).order_by(Link.id.desc())
    )}  # fmt: skip
    waiting = all_waiting(db.session(), ids)
    found = []
    for one in documents:
        linked = one.id in links and links[one.id].state != "gone"
        standing = plain(one, linked=linked, outgoing=one.id in waiting)
        found.append(InvoiceRow(one, state_now(standing, today=today), links.get(one.id)))
    return found
