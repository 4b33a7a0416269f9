"""Who is late, with what and since when: overdue invoices by customer and currency.

`today` is the company's own day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import aliased

from crm.db import db
from crm.domain.contacts import search_terms
from crm.models import Contact, PaymentExpectation, SalesDocument
from crm.queries import contact_search
from crm.queries.invoices import CHOSEN, LIVE, OWED, D, Row, of_contacts, rows


@dataclass(frozen=True, slots=True)
class Debtor:
    """A contact's overdue invoices in one currency."""

    contact_id: int | None
    name: str
    currency: str
    phone: str
    email: str
    overdue: Decimal
    oldest: date
    """The earliest due date."""
    invoices: tuple[Row, ...]

    @property
    def promised_on(self) -> date | None:
        """The earliest promise that stands."""
        return min((one.promised_on for one in self.invoices if one.promised_on), default=None)

    @property
    def next_step(self) -> str:
        return next((one.next_step for one in self.invoices if one.next_step), "")

    @property
    def ids(self) -> list[int]:
        return [one.id for one in self.invoices]


@dataclass(frozen=True, slots=True)
class Debtors:
    rows: list[Debtor]
    number: int
    size: int
    total: int


DEBTOR_SORTS = {
    "-overdue": "Most first", "oldest": "Oldest first", "promised": "Promises first", "expected": "Expected first",
}  # fmt: skip


def debtors(*, today: date, q: str = "", sort: str = "-overdue", number: int = 1, size: int = 25) -> Debtors:
    """Who is late, with what and since when: a page of contacts, of those that `q` finds (see `_found`)."""
    overdue, oldest, promised = func.sum(D.balance), func.min(D.due_date), func.min(D.promised_on)
    expected = func.min(PaymentExpectation.expected_on)
    order = {
        "oldest": (oldest, overdue.desc()),
        "promised": (case((promised.is_(None), 1), else_=0), promised),
        "expected": (case((expected.is_(None), 1), else_=0), expected),
    }.get(sort, (overdue.desc(),))  # fmt: skip
    owing = (*OWED, D.due_date < today, *_found(q))
    groups = select(D.contact_id, D.currency, overdue, oldest).where(*owing).group_by(D.contact_id, D.currency)
    if sort == "expected":
        groups = groups.outerjoin(PaymentExpectation, PaymentExpectation.document_id == D.id)
    total = db.session.scalar(select(func.count()).select_from(groups.subquery())) or 0
    number = min(max(number, 1), max(1, (total + size - 1) // size))
    found = db.session.execute(
        groups.order_by(*order, D.contact_id, D.currency).limit(size).offset((number - 1) * size)
    ).all()
    ids = [one.contact_id for one in found if one.contact_id is not None]
    known = {one.id: one for one in db.session.execute(
        select(Contact.id, Contact.display_name, Contact.phone, Contact.email).where(Contact.id.in_(ids))
    )}  # fmt: skip
    theirs = _late_of([one.contact_id for one in found], owing, today)
    return Debtors([
        Debtor(contact_id, known[contact_id].display_name if contact_id in known else "Without a contact", currency,
               known[contact_id].phone if contact_id in known else "",
               known[contact_id].email if contact_id in known else "", amount or Decimal(0), first or today,
               tuple(theirs.get((contact_id, currency), ())))
        for contact_id, currency, amount, first in found
    ], number, size, total)  # fmt: skip


MOST_EACH = 200


def late(*, today: date, q: str = "", size: int = 1000) -> Iterator[Row]:
    """Every invoice that is late, the longest first: what the export of the list is written from."""
    offset = 0
    query = select(D.id).where(*OWED, D.due_date < today, *_found(q)).order_by(D.due_date, D.id).limit(size)
    while ids := db.session.scalars(query.offset(offset)).all():
        yield from rows(ids, today=today)
        offset += size


def _found(q: str) -> tuple[ColumnElement[bool], ...]:
    """Of contacts called so, of that phone or e-mail, or with an invoice of that number: all they are late with."""
    if not q.strip():
        return ()
    called, one = select(Contact.id).where(*contact_search.matching(search_terms(q))), aliased(SalesDocument)
    numbered = select(one.contact_id).where(one.kind == "invoice", one.number == q.strip())
    return (D.contact_id.in_(called.union(numbered) if search_terms(q) else numbered),)


def _late_of(contacts: Sequence[int | None], owing: Any, today: date) -> dict[tuple[int | None, str], list[Row]]:
    chosen = [CHOSEN if one is LIVE else one for one in owing]
    query = select(D.id).where(*chosen, of_contacts(contacts)).order_by(D.due_date, D.id)
    query = query.limit(len(contacts) * MOST_EACH)
    found: dict[tuple[int | None, str], list[Row]] = {}
    for row in rows(db.session.scalars(query).all(), today=today):
        found.setdefault((row.contact_id, row.currency), []).append(row)
    return found
