"""Both sides of a quote, an invoice or a bill, whole, for who decides about its lines.

Called by the pages of conflicts and of parked documents. Reads only; no row is locked.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain import sales_fields
from crm.domain.amounts import told
from crm.domain.days import day_text
from crm.domain.record_documents import DocumentRecord
from crm.domain.sales_fields import OF_KIND, TITLES, WHOLE
from crm.domain.sales_sides import FIGURES, Side, SideLine, Whole, sides
from crm.models import Customer, Link, ListEntry, SalesDocument
from crm.services.conflict_bills import of_bill
from crm.services.sync.sales import rows
from crm.services.sync.sales.comparing import known_of, records_of
from crm.services.sync.sales.records import record_of

LISTS = {"terms": "term", "tax_code": "tax_code"}


KINDS = ("estimate", "invoice", "bill")


def of_one(session: Session, connection_id: int, kind: str, local_id: int) -> tuple[Side, Side] | None:
    """(ours, theirs) of one of KINDS; None where the books do not hold it (any more)."""
    if kind == "bill":
        return of_bill(session, local_id)
    return of_document(session, connection_id, local_id)


def of_document(session: Session, connection_id: int, document_id: int) -> tuple[Side, Side] | None:
    """(ours, theirs); None where the books do not hold it (any more)."""
    document = session.get(SalesDocument, document_id, populate_existing=True)
    if document is None:
        return None
    mine = (Link.connection_id == connection_id, Link.kind == document.kind, Link.local_id == document_id)
    remote_id = session.scalar(select(Link.remote_id).where(*mine)) or ""
    theirs = records_of(session, connection_id, document.kind, [remote_id]).get(remote_id)
    return beside(session, connection_id, document, theirs) if theirs is not None else None


def beside(
    session: Session, connection_id: int, document: SalesDocument, theirs: DocumentRecord
) -> tuple[Side, Side]:
    """(ours, theirs), with any document of the books."""
    ours = record_of(document, known_of(session, connection_id, [document])[document.id], theirs)
    names = _names(session, connection_id, (ours, theirs))
    return sides(_ours(document, ours, names), _theirs(theirs, names))


def _ours(document: SalesDocument, record: DocumentRecord, names: dict[tuple[str, str], str]) -> Whole:
    left_out = {line.position for line in document.lines if line.optional and not line.chosen}
    lines = [line for line in document.lines if line.position not in left_out and line.within not in left_out]
    figures = {name: getattr(document, name) for name in FIGURES}
    return Whole(_facts(record, names), [_line(line) for line in lines], figures, document.currency,
                 document.state == "void")  # fmt: skip


def _theirs(record: DocumentRecord, names: dict[tuple[str, str], str]) -> Whole:
    columns = rows.header(record)
    lines = [_line(_Row(row)) for row in rows.lines(record, products={})]
    figures = {name: columns[name] for name in FIGURES}
    return Whole(_facts(record, names), lines, figures, record.currency, record.void)


class _Row:
    """A row of columns, read like a line of ours."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self.__dict__.update(columns)


def _line(line: Any) -> SideLine:
    return SideLine(line.remote_id, line.kind, line.name, line.description, line.quantity, line.unit_price, line.amount,
                    bool(line.taxable), line.within is not None)  # fmt: skip


def _facts(record: DocumentRecord, names: dict[tuple[str, str], str]) -> dict[str, str]:
    found = {}
    for name in OF_KIND[record.kind]:
        if name != WHOLE:
            value = getattr(record, name)
            known = names.get((name, getattr(value, "remote_id", ""))) if value is not None else None
            found[TITLES[name].capitalize()] = known or _said(record, name, value)
    return found


def _said(record: DocumentRecord, name: str, value: Any) -> str:
    if isinstance(value, date):
        return day_text(value)
    if name == "deposit" and value:
        return told(value, record.currency)
    return sales_fields.shown(record, name)


def _names(
    session: Session, connection_id: int, records: tuple[DocumentRecord, ...]
) -> dict[tuple[str, str], str]:
    """(field, remote id) -> name, of what both refer to."""
    customers = select(Customer.remote_id, Customer.display_name).where(
        Customer.connection_id == connection_id, Customer.remote_id.in_([one.customer.remote_id for one in records])
    )
    found = {("customer", row.remote_id): row.display_name for row in session.execute(customers)}
    for field, kind in LISTS.items():
        ids = [ref.remote_id for one in records if (ref := getattr(one, field)) is not None]
        query = select(ListEntry.remote_id, ListEntry.name).where(
            ListEntry.connection_id == connection_id, ListEntry.kind == kind, ListEntry.remote_id.in_(ids)
        )
        found |= {(field, row.remote_id): row.name for row in session.execute(query)}
    return found
