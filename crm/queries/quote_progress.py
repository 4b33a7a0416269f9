"""What stands on the invoices of quotes: asked by whoever says what is left of one (`domain/quote_progress`).

An invoice stands while it is neither void nor deleted. Lists and figures ask `partly` within their own statement. Read
only; what is left in money says `services/quote_progress`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, aliased

from crm.domain.amounts import ZERO
from crm.domain.quotes import GOING_ON
from crm.domain.sales import Line
from crm.models import SalesDocument, SalesLine

D = SalesDocument
INVOICE = aliased(SalesDocument)
STANDS = (INVOICE.kind == "invoice", INVOICE.gone_at.is_(None), INVOICE.state != "void")


def partly() -> ColumnElement[bool]:
    """Of a quote in a statement over `SalesDocument`: an invoice of it stands, and it goes on."""
    return D.state.in_(GOING_ON) & begun()


def begun() -> ColumnElement[bool]:
    """Of a quote in a statement over `SalesDocument`: an invoice of it stands."""
    made = INVOICE.quote_id.is_not(None)  # said, so that PostgreSQL reads those invoices only where it hashes them
    return select(INVOICE.id).where(INVOICE.quote_id == D.id, made, *STANDS).correlate(D).exists()


def is_partly(session: Session, quote: SalesDocument) -> bool:
    if quote.state not in GOING_ON:
        return False
    return session.scalar(select(INVOICE.id).where(INVOICE.quote_id == quote.id, *STANDS).limit(1)) is not None


def standing(session: Session, quote_id: int) -> Sequence[Any]:
    """(id, number, total, deposit) of the invoices of this quote that stand, the oldest first."""
    query = select(INVOICE.id, INVOICE.number, INVOICE.total, INVOICE.deposit)
    return session.execute(query.where(INVOICE.quote_id == quote_id, *STANDS).order_by(INVOICE.id)).all()


def invoiced(session: Session, quote_ids: Sequence[int]) -> dict[int, Decimal]:
    """Quote -> what its standing invoices come to; those that have none are not there."""
    query = select(INVOICE.quote_id, func.sum(INVOICE.total).label("total")).where(
        INVOICE.quote_id.in_(quote_ids), *STANDS
    )
    return {row.quote_id: row.total or ZERO for row in session.execute(query.group_by(INVOICE.quote_id))}


def going_on(*conditions: ColumnElement[bool]) -> Select[str, Decimal, Decimal]:
    """(currency, total, invoiced) of each quote that is partly invoiced."""
    made = select(func.sum(INVOICE.total)).where(INVOICE.quote_id == D.id, *STANDS).correlate(D).scalar_subquery()
    return select(D.currency, D.total, made.label("invoiced")).where(*conditions, partly())


def done(session: Session, quote_ids: Sequence[int]) -> dict[int, dict[str, list[Line]]]:
    """Quote -> its line's id, as text -> the lines of its standing invoices that were made of it."""
    query = (
        select(INVOICE.quote_id, SalesLine.from_line_id, SalesLine.kind, SalesLine.quantity, SalesLine.unit_price,
               SalesLine.amount)
        .join(SalesLine, SalesLine.document_id == INVOICE.id)
        .where(INVOICE.quote_id.in_(quote_ids), *STANDS, SalesLine.from_line_id.is_not(None))
        .order_by(SalesLine.id)
    )  # fmt: skip
    found: dict[int, dict[str, list[Line]]] = {id_: {} for id_ in quote_ids}
    for row in session.execute(query):
        line = Line(kind=row.kind, quantity=row.quantity, unit_price=row.unit_price, amount=row.amount)
        found[row.quote_id].setdefault(str(row.from_line_id), []).append(line)
    return found
