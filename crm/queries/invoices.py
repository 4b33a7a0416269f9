"""Lists of invoices: a page of rows, what they come to, what is late and whose it is.

The state of an invoice is worked out by the database as `domain/invoices.state_now` does it. Where no index answers how
many rows a list has, it is counted up to MOST_COUNTED only. `today` is the company's own day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import date as Day
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, not_, or_, select, text, union_all
from sqlalchemy.orm import aliased

from crm.db import db
from crm.domain.contacts import search_terms as contact_terms
from crm.domain.invoice_filters import DIFFERING, DUE_SOON, ISSUED, SOON, Filters, search_terms
from crm.domain.invoice_filters import UNPAID as ALL_UNPAID
from crm.domain.invoices import DRAFT, HELD, OPEN, OVERDUE, PAID, PARTLY, SENDING, UNPAID, VOID, state_now
from crm.domain.list_filters import PAGE_SIZE
from crm.models import Contact, OutboxEntry, SalesDocument
from crm.queries import contact_search, invoice_narrowing, text_search
from crm.queries.invoice_standing import WAITS, all_waiting, plain

MOST_COUNTED = 10_000
MOST_CALLED = 1000
LAST = "\uffff"
"""Sorts after whatever a number goes on with."""
D = SalesDocument
SORT_COLUMNS: dict[str, Any] = {
    "date": D.date, "due": D.due_date, "number": D.number, "total": D.total, "open": D.balance,
}  # fmt: skip
LIVE = and_(D.kind == "invoice", D.gone_at.is_(None))
CHOSEN = and_(D.kind + "" == "invoice", D.gone_at.is_(None))
"""The same where the ids are chosen otherwise: without statistics SQLite would go through all invoices by an index."""
FINISHED = (LIVE, D.state == "open")
"""Neither draft nor void."""
OWED = (*FINISHED, D.hold.is_(False), D.balance > 0)
"""An index holds everything that these are counted and summed by."""
_WAITING = exists().where(
    OutboxEntry.kind == "invoice", OutboxEntry.local_id == D.id, OutboxEntry.state.in_(WAITS)
).correlate(D)  # fmt: skip
_IN_OUTBOX = D.id.in_(union_all(*(
    select(OutboxEntry.local_id).where(OutboxEntry.kind == "invoice", text(states))
    for states in ("state IN ('pending', 'parked', 'skipped')", "state = 'frozen'")  # as their indexes say it
)))  # fmt: skip
_E = aliased(SalesDocument)
_TEXTS = text_search.Texts(_E.id, _E.search_text, "sales_search", only='kind : "inv"')
_DIFFERING = D.id.in_(select(_E.id).where(_E.expected_total.is_not(None)))
_ARRIVED = or_(D.books_total.is_not(None), not_(_WAITING))
"""In the books, or never to go there."""


@dataclass(frozen=True, slots=True)
class Row:
    id: int
    number: str
    title: str
    contact_id: int | None
    contact: str
    date: Day | None
    due_date: Day | None
    state: str
    """A key of `invoices.STATES`."""
    total: Decimal
    balance: Decimal | None
    currency: str
    expected_total: Decimal | None
    promised_on: Day | None
    next_step: str
    quote_id: int | None
    updated_at: datetime
    lock: int

    def days_late(self, today: Day) -> int:
        """Also of one that is still on its way to the books."""
        owed = self.state in (*UNPAID, SENDING) and self.due_date is not None
        return max(0, (today - self.due_date).days) if owed and self.due_date else 0


@dataclass(frozen=True, slots=True)
class Page:
    """`more`: the list goes on beyond `total`, which was counted no further."""

    rows: list[Row] = field(default_factory=list)
    number: int = 1
    size: int = PAGE_SIZE
    total: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed in one currency."""

    currency: str
    invoices: int
    open: Decimal
    late: int
    overdue: Decimal
    soon: int
    due_soon: Decimal
    """Due within SOON days, today included."""


@dataclass(frozen=True, slots=True)
class Figures:
    owed: tuple[Owed, ...]
    """By currency, the one with most invoices first; one row of zeros where nothing is owed."""
    drafts: int
    held: int
    differing: int


def page(filters: Filters, *, today: date, size: int = PAGE_SIZE) -> Page:
    """The asked page of the list; the last one when there are fewer."""
    total = count(filters, today=today, most=MOST_COUNTED + 1)
    more, total = total > MOST_COUNTED, min(total, MOST_COUNTED)
    number = min(filters.page, max(1, (total + size - 1) // size))
    ids = _ids(filters, today, limit=size, offset=(number - 1) * size) if total else []
    return Page(rows(ids, today=today), number, size, total, more)


def count(filters: Filters, *, today: date, most: int | None = None) -> int:
    """How many the list holds, counted up to `most`."""
    found = select(D.id).where(*_conditions(filters, today)).limit(most)
    return db.session.scalar(select(func.count()).select_from(found.subquery())) or 0


def each(filters: Filters, *, today: date, size: int = 1000) -> Iterator[Row]:
    """All rows of the list in its order, read in stretches: what an export is written from."""
    offset = 0
    while ids := _ids(filters, today, limit=size, offset=offset):
        yield from rows(ids, today=today)
        offset += size


def rows(ids: Sequence[int], *, today: date) -> list[Row]:
    """What lists show of these invoices, in the order of `ids`."""
    found = db.session.execute(
        select(
            D.id, D.number, D.title, D.contact_id, D.date, D.due_date, D.state, D.hold, D.total, D.balance, D.currency,
            D.books_total, D.expected_total, D.sent_at, D.viewed_at, D.promised_on, D.next_step, D.quote_id,
            D.updated_at, D.lock, Contact.display_name,
        )
        .outerjoin(Contact, Contact.id == D.contact_id)
        .where(D.id.in_(ids))
    ).all()  # fmt: skip
    fresh = [one.id for one in found if one.books_total is None]
    waiting = all_waiting(db.session(), fresh) if fresh else set()
    shown = {one.id: _row(one, today, one.id in waiting) for one in found}
    return [shown[id_] for id_ in ids if id_ in shown]


def figures(*, today: date) -> Figures:
    late, soon = D.due_date < today, and_(D.due_date >= today, D.due_date <= today + timedelta(days=SOON))
    owed = db.session.execute(
        select(
            D.currency, func.count(), func.sum(D.balance), _counted(late), _summed(late), _counted(soon), _summed(soon)
        )
        .where(*OWED)
        .group_by(D.currency)
        .order_by(func.count().desc(), D.currency)
    ).all()
    found = tuple(Owed(row[0], row[1], _amount(row[2]), row[3], _amount(row[4]), row[5], _amount(row[6]))
                  for row in owed)  # fmt: skip
    zero = Decimal(0)
    return Figures(
        found or (Owed("", 0, zero, 0, zero, 0, zero),),
        _number(LIVE, D.state == DRAFT), _number(*FINISHED, D.hold.is_(True), D.books_total.is_(None)),
        _number(CHOSEN, _DIFFERING),
    )  # fmt: skip


def any_invoices() -> bool:
    return db.session.scalar(select(D.id).where(LIVE).limit(1)) is not None


def contact_name(contact_id: int | None) -> str:
    return (db.session.scalar(select(Contact.display_name).where(Contact.id == contact_id)) or "") if contact_id else ""


# --- conditions -----------------------------------------------------------------------------------------------


def of_state(state: str, today: date) -> list[ColumnElement[bool]]:
    """As `domain/invoices.state_now` says it; `open` holds what was sent or viewed."""
    on_time = or_(D.due_date.is_(None), D.due_date >= today)
    settled = (*FINISHED, D.hold.is_(False), _ARRIVED)
    known: dict[str, tuple[ColumnElement[bool], ...]] = {
        VOID: (LIVE, D.state == VOID),
        DRAFT: (LIVE, D.state == DRAFT),
        HELD: (*FINISHED, D.hold.is_(True), D.books_total.is_(None)),
        SENDING: (*FINISHED, D.hold.is_(False), D.books_total.is_(None), _IN_OUTBOX),
        PAID: (*settled, D.balance <= 0),
        OVERDUE: (*settled, D.balance > 0, D.due_date < today),
        PARTLY: (*settled, D.balance > 0, D.balance < D.total, on_time),
        OPEN: (*settled, D.balance > 0, D.balance >= D.total, on_time),
        ALL_UNPAID: OWED,
        DUE_SOON: (*OWED, D.due_date >= today, D.due_date <= today + timedelta(days=SOON)),
        DIFFERING: (LIVE, _DIFFERING),
        ISSUED: (*FINISHED, D.hold.is_(False)),
    }
    return list(known.get(state, (LIVE,)))


def _conditions(filters: Filters, today: date) -> list[ColumnElement[bool]]:
    conditions = of_state(filters.state, today)
    chosen = filters.contact is not None or filters.state in (SENDING, DIFFERING)
    if search_terms(filters.q):
        found, leads = _found(filters.q)
        conditions.append(found)
        chosen = chosen or leads
    if chosen:
        conditions = [CHOSEN if one is LIVE else one for one in conditions]
    if filters.contact is not None:
        conditions.append(of_contacts([filters.contact]))
    if filters.since is not None:
        conditions.append(D.date >= filters.since)
    if filters.until is not None:
        conditions.append(D.date <= filters.until)
    if filters.least is not None:
        conditions.append(D.total >= filters.least)
    if filters.most is not None:
        conditions.append(D.total <= filters.most)
    return [*conditions, *invoice_narrowing.more(filters, today)]


def _ids(filters: Filters, today: date, *, limit: int, offset: int) -> Sequence[int]:
    # As the indexes stand: without `gone_at`, empty in all of them, PostgreSQL would sort what is sorted already.
    columns = [D.gone_at, SORT_COLUMNS[filters.sort_key], D.id]
    order = [column.desc() for column in columns] if filters.descending else columns
    query: Select[Any] = select(D.id).where(*_conditions(filters, today))
    return db.session.scalars(query.order_by(*order).limit(limit).offset(offset)).all()


def _found(text_: str) -> tuple[ColumnElement[bool], bool]:
    """Those whose number begins so, those of contacts who are called so, and those that hold each word; and whether
    few are, so that they are found before any order is looked at."""
    terms, typed = search_terms(text_), text_.strip()
    begins = [_begins(one) for one in sorted({typed, typed.upper(), typed.lower()})]
    numbered = [select(_E.id).where(_E.kind == "invoice", _E.gone_at.is_(None), one) for one in begins]
    called = select(Contact.id).where(*contact_search.matching(contact_terms(text_))).limit(MOST_CALLED)
    theirs = select(_E.id).where(_E.contact_id.in_(called), _E.kind == "invoice")
    known = [*numbered, *([theirs] if contact_terms(text_) else [])]
    said = text_search.search(_TEXTS, terms)
    told = select(_E.id).where(*said.conditions)
    if said.leads or (db.engine.dialect.name != "sqlite" and text_search.few(told.where(_E.kind == "invoice"))):
        return D.id.in_(union_all(*known, told)), True
    return or_(D.id.in_(union_all(*known)), and_(*text_search.holding(D.search_text, terms))), False


def _begins(number: str) -> ColumnElement[bool]:
    if db.engine.dialect.name == "sqlite":  # its LIKE knows no index
        return and_(_E.number >= number, _E.number < number + LAST)
    found: ColumnElement[bool] = _E.number.startswith(number, autoescape=True)
    return found


def of_contacts(ids: Sequence[int | None]) -> ColumnElement[bool]:
    """By their index first: without statistics SQLite would look through all that are open."""
    known = [one for one in ids if one is not None]
    some = _E.contact_id.in_(known)
    return D.id.in_(select(_E.id).where(or_(some, _E.contact_id.is_(None)) if None in ids else some))


def _row(one: Any, today: date, waiting: bool) -> Row:
    linked = one.books_total is not None
    state = state_now(plain(one, linked=linked, outgoing=waiting), today=today)
    return Row(one.id, one.number, one.title, one.contact_id, one.display_name or "", one.date, one.due_date, state,
               one.total, one.balance, one.currency, one.expected_total, one.promised_on, one.next_step, one.quote_id,
               one.updated_at, one.lock)  # fmt: skip


def _counted(condition: ColumnElement[bool]) -> Any:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _summed(condition: ColumnElement[bool]) -> Any:
    return func.sum(case((condition, D.balance)))


def _amount(value: Any) -> Decimal:
    return value if value is not None else Decimal(0)


def _number(*conditions: ColumnElement[bool]) -> int:
    return db.session.scalar(select(func.count()).select_from(D).where(*conditions)) or 0
