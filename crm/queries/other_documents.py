"""Credit memos, sales receipts and refunds as the books hold them: lists of their own, from the mirror alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, and_, func, or_, select

from crm.db import db
from crm.domain.contacts import search_terms
from crm.models import Connection, Contact, Document
from crm.queries import contact_search, products

KINDS: dict[str, tuple[str, str, str]] = {
    "credit_memo": ("Credit memos", "credit memo", "What a customer may use up later, or was forgiven."),
    "sales_receipt": ("Sales receipts", "sales receipt", "Sold and paid at once; nothing of them is open."),
    "refund_receipt": ("Refunds", "refund", "Money given back to a customer."),
}
"""Kind -> title, word for one, what it is."""
SIZE = 50


@dataclass(frozen=True, slots=True)
class Row:
    id: int
    number: str
    date: date | None
    contact_id: int | None
    contact: str | None
    total: Decimal
    balance: Decimal | None
    """Of a credit memo: what is not used yet."""
    currency: str
    void: bool


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Row] = field(default_factory=list)
    number: int = 1
    size: int = SIZE
    total: int = 0


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What figures narrow the list by when they open it."""

    since: date | None = None
    until: date | None = None
    currency: str = ""
    """The home currency holds those that name none."""
    standing: bool = False
    """Without void ones."""

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.since is not None:
            found.append(Document.date >= self.since)
        if self.until is not None:
            found.append(Document.date <= self.until)
        if self.currency:
            found.append(Document.currency.in_(products.spelled_currencies(self.currency)))
        return [*found, Document.void.is_(False)] if self.standing else found


def page(kind: str, words: str, *, number: int, narrowed: Narrowed | None = None) -> Page:
    """The newest first; the last page when there are fewer."""
    total = count(kind, words, narrowed=narrowed)
    number = min(number, max(1, (total + SIZE - 1) // SIZE))
    rows = _rows(_narrowed(kind, words, narrowed), limit=SIZE, offset=(number - 1) * SIZE)
    return Page(rows, number, SIZE, total)


def count(kind: str, words: str, *, narrowed: Narrowed | None = None) -> int:
    counted = select(func.count()).select_from(Document).outerjoin(Contact, Contact.id == Document.contact_id)
    return db.session.scalar(counted.where(*_narrowed(kind, words, narrowed))) or 0


def each(kind: str, words: str, *, narrowed: Narrowed | None = None, size: int = 1000) -> Iterator[Row]:
    """All rows of the list in its order, read in stretches: what an export is written from."""
    offset = 0
    while found := _rows(_narrowed(kind, words, narrowed), limit=size, offset=offset):
        yield from found
        offset += size


def _narrowed(kind: str, words: str, narrowed: Narrowed | None) -> list[ColumnElement[bool]]:
    return [*_conditions(kind, words), *(narrowed.conditions() if narrowed else ())]


def _rows(conditions: Sequence[ColumnElement[bool]], *, limit: int, offset: int) -> list[Row]:
    d = Document
    found = db.session.execute(
        select(d.id, d.number, d.date, d.contact_id, Contact.display_name, d.total, d.balance, d.currency, d.void)
        .outerjoin(Contact, Contact.id == d.contact_id)
        .where(*conditions)
        .order_by(d.date.desc(), d.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return [Row(*row) for row in found]


def read_at(kind: str) -> datetime | None:
    """When all of them were read last; None: never."""
    read = db.session.scalars(select(Connection.read_at).where(Connection.disconnected_at.is_(None))).all()
    return max((datetime.fromisoformat(one[kind]) for one in read if one.get(kind)), default=None)


def _conditions(kind: str, words: str) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [Document.kind == kind, Document.gone_at.is_(None)]
    if words:
        found: list[ColumnElement[bool]] = [func.lower(Document.number).contains(words.lower(), autoescape=True)]
        if search_terms(words):
            found.append(and_(*contact_search.matching(search_terms(words))))
        conditions.append(or_(*found))
    return conditions
