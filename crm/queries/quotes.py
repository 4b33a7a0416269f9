"""Quotes as pages, the board and the API show them: the list and its figures, one quote's versions and history.

Everything is asked of `sales_documents`. A list costs the same few statements whatever its size; where no index answers
how many there are, it is counted up to MOST_COUNTED only. `today` is the company's own day: what has expired depends on
it, what is partly invoiced on the invoices that stand; neither is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date as Day
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import selectinload

from crm.db import db
from crm.domain.amounts import ZERO
from crm.domain.list_filters import PAGE_SIZE
from crm.domain.product_filters import search_terms
from crm.domain.quote_filters import ANSWERED, LOST, NOBODY, OPEN, UNDECIDED, WON, Filters
from crm.domain.quotes import ACCEPTED, DECLINED, DRAFT, EXPIRED, INVOICED, PARTLY, WITH_CUSTOMER, state_now
from crm.models import Contact, Document, Link, SalesDocument, SalesEvent, SalesVersion, User
from crm.queries import products, quote_progress, text_search

KIND = "estimate"
MOST_COUNTED = 10_000
DAYS = 90
"""Of the win rate, and of what ended on the board."""
ON_BOARD = 25
"""Cards of a column."""
D = SalesDocument
SORT_COLUMNS: dict[str, Any] = {"date": D.date, "number": D.number, "total": D.total, "expires": D.expires_on}
_COLUMNS = (
    D.id, D.number, D.title, D.state, D.date, D.expires_on, D.total, D.books_total, D.expected_total,
    D.currency, D.contact_id, Contact.display_name.label("contact"), User.name.label("owner"),
    User.email.label("owner_email"), D.lock, D.revision,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One quote in a list. `state` is what it is now."""

    id: int
    number: str
    title: str
    state: str
    date: Day | None
    expires_on: Day | None
    total: Decimal
    ours: Decimal
    """What we figured; the books made `theirs` of it, where they know it."""
    theirs: Decimal | None
    currency: str
    contact_id: int | None
    contact: str
    owner: str
    lock: int
    revision: int
    invoiced: Decimal = ZERO
    """Of one that is partly invoiced: what its invoices come to."""


@dataclass(frozen=True, slots=True)
class Page:
    """`more`: the list goes on beyond `total`, which was counted no further."""

    rows: list[Line] = field(default_factory=list)
    number: int = 1
    size: int = PAGE_SIZE
    total: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Sum:
    number: int = 0
    amounts: tuple[tuple[str, Decimal], ...] = ()
    """(currency, amount), the largest first."""


@dataclass(frozen=True, slots=True)
class Figures:
    open: Sum
    """With the customer, not expired."""
    accepted: Sum
    """Accepted, no invoice made yet."""
    partly: Sum
    """Invoiced in part: what is quoted less what their invoices come to."""
    pending: Sum
    """Pending in the books, which do not say that the customer has them."""
    won: int
    """Of the quotes of the last DAYS days, the accepted and the invoiced ones; `lost`: the declined and the expired."""
    lost: int

    @property
    def win_rate(self) -> Decimal | None:
        """None where none is decided."""
        return Decimal(self.won) / (self.won + self.lost) if self.won + self.lost else None


@dataclass(frozen=True, slots=True)
class Column:
    """One stage of the board."""

    state: str
    sum: Sum
    rows: list[Line]


def page(filters: Filters, *, today: Day, size: int = PAGE_SIZE) -> Page:
    """The asked page of the list; the last one when there are fewer."""
    total = count(filters, today=today, most=MOST_COUNTED + 1)
    more = total > MOST_COUNTED
    total = min(total, MOST_COUNTED)
    number = min(filters.page, max(1, (total + size - 1) // size))
    rows = _rows(filters, today=today, limit=size, offset=(number - 1) * size) if total else []
    return Page(rows, number, size, total, more)


def count(filters: Filters, *, today: Day, most: int | None = None) -> int:
    found = select(D.id).where(*conditions(filters, today)).limit(most)
    return db.session.scalar(select(func.count()).select_from(found.subquery())) or 0


def each(filters: Filters, *, today: Day, size: int = 1000) -> Iterator[Line]:
    """All rows of the list in its order, read in stretches: what an export is written from."""
    offset = 0
    while rows := _rows(filters, today=today, limit=size, offset=offset):
        yield from rows
        offset += size


def after(
    last: int, *, limit: int, today: Day, state: str = "", contact_id: int | None = None,
    updated_since: datetime | None = None,
) -> Sequence[SalesDocument]:  # fmt: skip
    """Quotes with an id above `last` in the order of their ids, with their lines: what the API gives a page of."""
    query = select(D).where(*conditions(Filters(state=state, contact=str(contact_id or "")), today), D.id > last)
    if updated_since is not None:
        query = query.where(D.updated_at >= updated_since)
    return db.session.scalars(query.options(selectinload(D.lines)).order_by(D.id).limit(limit)).all()


def partly(ids: Sequence[int]) -> set[int]:
    """Those of these that are partly invoiced."""
    return set(db.session.scalars(select(D.id).where(D.id.in_(ids), quote_progress.partly())))


def any_quotes() -> bool:
    return db.session.scalar(select(D.id).where(*_QUOTES).limit(1)) is not None


def figures(*, today: Day) -> Figures:
    recent = D.date >= today - timedelta(days=DAYS)
    decided = select(func.count()).select_from(D)
    return Figures(
        open=_sum(in_state(OPEN, today)),
        accepted=_sum(in_state(ACCEPTED, today)),
        partly=_left(),
        pending=_sum(D.state == DRAFT, D.books_total.is_not(None), D.sent_at.is_(None)),
        won=db.session.scalar(decided.where(*_QUOTES, D.state.in_((ACCEPTED, INVOICED)), recent)) or 0,
        lost=db.session.scalar(decided.where(*_QUOTES, (D.state == DECLINED) | in_state(EXPIRED, today), recent)) or 0,
    )


def board(states: Sequence[str], *, today: Day, owner: str = "") -> list[Column]:
    """The stages with their sums and newest quotes. What has ended is shown for DAYS days."""
    since = (today - timedelta(days=DAYS)).isoformat()
    columns = []
    for state in states:
        ended = state in (DECLINED, EXPIRED, INVOICED)
        filters = Filters(state=state, owner=owner, since=since if ended else "")
        found = _sum(*conditions(filters, today))
        columns.append(Column(state, found, _rows(filters, today=today, limit=ON_BOARD, offset=0)))
    return columns


def of_contact(contact_id: int, *, today: Day, limit: int = 10) -> list[Line]:
    """The newest quotes of a contact."""
    return _rows(Filters(contact=str(contact_id)), today=today, limit=limit, offset=0)


def templates() -> list[tuple[int, str]]:
    """(id, name) of the templates there are, by name."""
    query = select(D.id, D.title).where(*_TEMPLATES)
    return [(row.id, row.title) for row in db.session.execute(query.order_by(D.title, D.id).limit(200))]


def versions(document_id: int) -> Sequence[SalesVersion]:
    """The versions that were kept, the newest first."""
    query = select(SalesVersion).where(SalesVersion.document_id == document_id)
    return db.session.scalars(query.order_by(SalesVersion.revision.desc())).all()


def version(document_id: int, revision: int) -> SalesVersion | None:
    mine = (SalesVersion.document_id == document_id, SalesVersion.revision == revision)
    return db.session.scalar(select(SalesVersion).where(*mine))


def events(document_id: int, *, limit: int = 100) -> Sequence[SalesEvent]:
    """What happened, the newest first."""
    query = select(SalesEvent).where(SalesEvent.document_id == document_id)
    return db.session.scalars(query.order_by(SalesEvent.id.desc()).limit(limit)).all()


def invoices_of(document_id: int) -> Sequence[Any]:
    """(id, number, state, total, currency) of the invoices made from this quote."""
    query = select(D.id, D.number, D.state, D.total, D.currency).where(D.quote_id == document_id, D.gone_at.is_(None))
    return db.session.execute(query.order_by(D.id)).all()


# --- conditions -----------------------------------------------------------------------------------------------

_QUOTES: tuple[ColumnElement[bool], ...] = (D.kind == KIND, D.gone_at.is_(None), D.template.is_(False))
_TEXTS = text_search.Texts(D.id, D.search_text, "sales_search", only='kind : "est"')
_CHOSEN = D.kind + "" == KIND
"""Where search leads: without statistics SQLite would rather go through all quotes by an index."""
_TEMPLATES = (*_QUOTES[:2], D.template.is_(True), D.contact_id.is_(None))  # of nobody: found by the contact's index


def _rows(filters: Filters, *, today: Day, limit: int, offset: int) -> list[Line]:
    """The ids first, by an index; whole rows only of those."""
    found = select(D.id).where(*conditions(filters, today)).order_by(*_order(filters))
    ids = db.session.scalars(found.limit(limit).offset(offset)).all()
    query = select(*_COLUMNS).outerjoin(Contact, Contact.id == D.contact_id).outerjoin(User, User.id == D.owner_id)
    invoiced = quote_progress.invoiced(db.session(), ids)
    rows = {row.id: _line(row, today, invoiced.get(row.id)) for row in db.session.execute(query.where(D.id.in_(ids)))}
    return [rows[id_] for id_ in ids if id_ in rows]


def _line(row: Any, today: Day, invoiced: Decimal | None) -> Line:
    state = state_now(row.state, expires_on=row.expires_on, today=today, partly=invoiced is not None)
    return Line(
        row.id, row.number, row.title, state, row.date, row.expires_on, row.total,
        row.total if row.expected_total is None else row.expected_total, row.books_total,
        row.currency, row.contact_id, row.contact or "", row.owner or row.owner_email or "", row.lock, row.revision,
        (invoiced or ZERO) if state == PARTLY else ZERO,
    )  # fmt: skip


def _order(filters: Filters) -> list[Any]:
    """As the indexes stand: without `gone_at`, empty in all of them, PostgreSQL would sort what is sorted already."""
    columns = [D.gone_at, SORT_COLUMNS[filters.sort_key], D.id]
    return [column.desc() for column in columns] if filters.descending else columns


def conditions(filters: Filters, today: Day) -> list[ColumnElement[bool]]:
    search = text_search.search(_TEXTS, search_terms(filters.q))
    kind, *rest = _TEMPLATES if filters.templates else _QUOTES
    conditions = [_CHOSEN if search.leads else kind, *rest, *search.conditions]
    if filters.state:
        conditions.append(in_state(filters.state, today))
    if filters.owner:
        conditions.append(D.owner_id.is_(None) if filters.owner == NOBODY else D.owner_id == int(filters.owner))
    if filters.currency:
        conditions.append(D.currency.in_(products.spelled_currencies(filters.currency)))
    if filters.contact:
        conditions.append(D.contact_id == int(filters.contact))
    for name, column, bound in (
        ("since", D.date, filters.day("since")),
        ("until", D.date, filters.day("until")),
        ("least", D.total, filters.amount("least")),
        ("most", D.total, filters.amount("most")),
    ):
        if bound is not None:
            conditions.append(column >= bound if name in ("since", "least") else column <= bound)
    return conditions


def in_state(state: str, today: Day) -> ColumnElement[bool]:
    """Of a state or group that can be asked for: what is stored, the day, and the invoices that stand."""
    if state == WON:
        return D.state.in_((ACCEPTED, INVOICED)) | quote_progress.partly()
    if state == ANSWERED:
        return D.state.in_((ACCEPTED, INVOICED, DECLINED)) & or_(D.decided_at.is_not(None), _accepted_in_books())
    if state == LOST:
        return (D.state == DECLINED) | in_state(EXPIRED, today)
    if state == UNDECIDED:
        outside = D.state.in_((DRAFT, *WITH_CUSTOMER)) & or_(D.state != DRAFT, D.books_total.is_not(None))
        return outside & ~quote_progress.begun()  # as `domain/quote_days.offer_of` has it
    if state == PARTLY:
        return quote_progress.partly()
    if state not in (OPEN, EXPIRED, ACCEPTED, *WITH_CUSTOMER):
        return D.state == state
    still = ~quote_progress.begun()  # all of these states go on
    if state == ACCEPTED:
        return and_(D.state == state, still)
    if state == EXPIRED:
        return and_(D.state.in_(WITH_CUSTOMER), D.expires_on < today, still)
    stored = D.state.in_(WITH_CUSTOMER) if state == OPEN else D.state == state
    return and_(stored, or_(D.expires_on.is_(None), D.expires_on >= today), still)


def _accepted_in_books() -> ColumnElement[bool]:
    """The books give a day of its acceptance: so it is with most quotes that were invoiced before they came here."""
    mirrored = and_(
        Document.connection_id == Link.connection_id, Document.kind == KIND, Document.remote_id == Link.remote_id
    )
    return (
        select(Link.id)
        .join(Document, mirrored)
        .where(Link.kind == KIND, Link.local_id == D.id, Link.state != "gone",
               Document.record["accepted_on"].as_string().is_not(None))
        .exists()
    )  # fmt: skip


def _left() -> Sum:
    """Of those that are partly invoiced; an invoice may have been made dearer than its part of the quote."""
    sums: dict[str, Decimal] = {}
    rows = db.session.execute(quote_progress.going_on(*_QUOTES)).all()
    for row in rows:
        sums[row.currency] = sums.get(row.currency, ZERO) + max(ZERO, row.total - row.invoiced)
    return Sum(len(rows), tuple(sorted(sums.items(), key=lambda one: (-one[1], one[0]))))


def _sum(*conditions: ColumnElement[bool]) -> Sum:
    query = select(D.currency, func.count().label("number"), func.sum(D.total).label("amount"))
    rows = db.session.execute(query.where(*_QUOTES, *conditions).group_by(D.currency)).all()
    amounts = sorted(((row.currency, row.amount) for row in rows), key=lambda one: (-one[1], one[0]))
    return Sum(sum(row.number for row in rows), tuple(amounts))
