"""Vendors as pages show them: the list, its key figures, one of them with the books it is in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select

from crm.db import db
from crm.domain.list_filters import PAGE_SIZE
from crm.domain.purchase_filters import VendorFilters, search_terms
from crm.models import AuditEntry, Bill, Connection, Link, ListEntry, Vendor
from crm.queries import text_search

MOST_COUNTED = 10_000
TEXTS = text_search.Texts(Vendor.id, Vendor.search_text, "vendor_search")
SORTS: dict[str, Any] = {
    "name": Vendor.sort_name, "balance": func.coalesce(Vendor.balance, 0), "updated": Vendor.updated_at,
}  # fmt: skip
THERE = {"production": "https://app.qbo.intuit.com", "sandbox": "https://app.sandbox.qbo.intuit.com"}


@dataclass(frozen=True, slots=True)
class Row:
    id: int
    display_name: str
    company_name: str
    phone: str
    email: str
    account_number: str
    active: bool
    balance: Decimal | None
    currency: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """`more`: the list goes on beyond `total`, which was counted no further."""

    rows: Sequence[Row] = field(default_factory=list)
    number: int = 1
    size: int = PAGE_SIZE
    total: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    in_use: int
    owed: list[tuple[str, Decimal]]
    """(currency, sum) of what the books say is owed to vendors."""
    owing: int
    """Vendors that are owed something."""


@dataclass(frozen=True, slots=True)
class InBooks:
    company: str
    environment: str
    remote_id: str
    version: str
    state: str

    @property
    def address(self) -> str:
        """Of the vendor's page there; empty where it has none."""
        base = THERE.get(self.environment, "")
        return f"{base}/app/vendordetail?nameId={self.remote_id}" if base else ""


_COLUMNS = tuple(getattr(Vendor, name) for name in Row.__slots__)


def page(filters: VendorFilters, *, today: date) -> Page:
    """The asked page of the list; the last one when there are fewer."""
    total = count(filters, today=today, most=MOST_COUNTED + 1)
    more, total = total > MOST_COUNTED, min(total, MOST_COUNTED)
    number = min(filters.page, max(1, (total + PAGE_SIZE - 1) // PAGE_SIZE))
    query = _listed(filters, today).limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)
    rows = [Row(*row) for row in db.session.execute(query)] if total else []
    return Page(rows, number, PAGE_SIZE, total, more)


def count(filters: VendorFilters, *, today: date, most: int | None = None) -> int:
    """How many the list holds, counted up to `most`."""
    found = select(Vendor.id).where(*conditions(filters, today)).limit(most)
    return db.session.scalar(select(func.count()).select_from(found.subquery())) or 0


def each(filters: VendorFilters, *, today: date) -> Iterator[Row]:
    """All rows of the list in its order: what an export is written from."""
    for row in db.session.execute(_listed(filters, today).execution_options(yield_per=500)):
        yield Row(*row)


def figures() -> Figures:
    here = (Vendor.gone_at.is_(None), Vendor.balance != 0)
    owed = db.session.execute(
        select(Vendor.currency, func.sum(Vendor.balance), func.count())
        .where(*here).group_by(Vendor.currency).order_by(Vendor.currency)
    ).all()  # fmt: skip
    used = select(func.count()).select_from(Vendor).where(Vendor.gone_at.is_(None), Vendor.active.is_(True))
    return Figures(
        db.session.scalar(used) or 0, [(row[0], row[1] or Decimal(0)) for row in owed], sum(int(row[2]) for row in owed)
    )  # fmt: skip


def any_vendors() -> bool:
    return db.session.scalar(select(Vendor.id).where(Vendor.gone_at.is_(None)).limit(1)) is not None


def one(vendor_id: int) -> Vendor | None:
    return db.session.get(Vendor, vendor_id, populate_existing=True)


def choices(*, besides: int | None = None) -> list[tuple[str, str]]:
    """(id, name) of those a bill can be of: in use, and the one it is of already."""
    usable = Vendor.gone_at.is_(None) & (Vendor.active.is_(True) | (Vendor.id == (besides or 0)))
    query = select(Vendor.id, Vendor.display_name).where(usable).order_by(Vendor.sort_name, Vendor.id)
    return [(str(row.id), row.display_name) for row in db.session.execute(query)]


def terms(connection_id: int | None) -> list[tuple[str, str]]:
    """(remote id, name) of the terms of a company, as choices."""
    mine = (ListEntry.connection_id == connection_id, ListEntry.kind == "term", ListEntry.active.is_(True))
    rows = db.session.execute(select(ListEntry.remote_id, ListEntry.name).where(*mine).order_by(ListEntry.name))
    return [(row.remote_id, row.name) for row in rows]


def term_name(vendor: Vendor) -> str:
    mine = (ListEntry.connection_id == vendor.connection_id, ListEntry.kind == "term",
            ListEntry.remote_id == vendor.terms)  # fmt: skip
    return db.session.scalar(select(ListEntry.name).where(*mine)) or vendor.terms


def in_books(kind: str, local_id: int) -> list[InBooks]:
    rows = db.session.execute(
        select(Connection.company_name, Connection.environment, Link.remote_id, Link.version, Link.state)
        .join(Connection, Connection.id == Link.connection_id)
        .where(Link.kind == kind, Link.local_id == local_id)
        .order_by(Link.id)
    )
    return [InBooks(*row) for row in rows]


def history(subject: str, limit: int = 20) -> Sequence[AuditEntry]:
    """What was done to it here (`vendor:7`), the latest first."""
    query = select(AuditEntry).where(AuditEntry.subject == subject).order_by(AuditEntry.id.desc()).limit(limit)
    return db.session.scalars(query).all()


def _listed(filters: VendorFilters, today: date) -> Any:
    column = SORTS[filters.sort_key]
    order = column.desc() if filters.descending else column
    return select(*_COLUMNS).where(*conditions(filters, today)).order_by(order, Vendor.id)


def matching(terms: Sequence[str]) -> list[ColumnElement[bool]]:
    """A vendor must hold every term; one of two letters or fewer at the beginning of a word."""
    return list(text_search.search(TEXTS, terms).conditions)


def conditions(filters: VendorFilters, today: date) -> list[ColumnElement[bool]]:
    """What a vendor fulfils that the list holds."""
    found: list[ColumnElement[bool]] = [Vendor.gone_at.is_(None), *matching(search_terms(filters.q))]
    if filters.active != "all":
        found.append(Vendor.active.is_(filters.active != "inactive"))
    if filters.owed == "none":
        found.append(func.coalesce(Vendor.balance, 0) == 0)
    if filters.owed == "open":
        found.append(Vendor.balance != 0)
    if filters.owed == "overdue":
        late = (Bill.vendor_id == Vendor.id, Bill.gone_at.is_(None), Bill.balance > 0, Bill.due_date < today)
        found.append(exists().where(*late))
    return found
