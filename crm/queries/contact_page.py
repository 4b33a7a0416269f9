"""One contact with everything its page shows: details, money, what the books hold of it, matches, notes, timeline.

All from the local mirror; the number of statements does not grow with what is found. Documents come in pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date as Date
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import and_, func, literal, select, union_all
from sqlalchemy.orm import joinedload, selectinload

from crm.db import db
from crm.domain.documents import days_late, estimate_state, invoice_state
from crm.models import (
    Connection,
    Contact,
    ContactPoint,
    Customer,
    Document,
    Link,
    Match,
    MoneyFacts,
    Note,
    Payment,
    TimelineEntry,
)
from crm.queries import contact_differences, freshness
from crm.queries.contact_differences import Difference
from crm.queries.segment_measures import PassedOver

TABS: dict[str, str] = {
    "estimate": "Quotes",
    "invoice": "Invoices",
    "payment": "Payments",
    "credit_memo": "Credit memos",
}
DOCUMENTS_SIZE = 20
TIMELINE_SIZE = 15
NOTES_SIZE = 10
MAX_JOBS = 200


@dataclass(frozen=True, slots=True)
class Company:
    """The connected company whose books speak of the contact; no secrets of its connection."""

    id: int
    name: str
    currency: str
    time_zone: str
    read_at: dict[str, datetime]
    """Kind -> as of when the mirror of it is complete; a kind that was never read is missing."""
    live: bool = True
    """Whether its books can be read; else an admin must reconnect."""

    @property
    def last_read_at(self) -> datetime | None:
        return max(self.read_at.values(), default=None)


@dataclass(frozen=True, slots=True)
class Job:
    """A customer of the books under another, `depth` steps down."""

    customer: Customer
    depth: int


@dataclass(frozen=True, slots=True)
class ContactView:
    contact: Contact
    money: MoneyFacts | None
    company: Company | None
    customers: list[Customer] = field(default_factory=list)
    """The customers of the books this contact is linked to; mostly one."""
    jobs: list[Job] = field(default_factory=list)
    more_jobs: bool = False
    matches: list[Match] = field(default_factory=list)
    """The decision first, then those that wait or were turned down."""
    counts: dict[str, int] = field(default_factory=dict)
    """Of documents per key of TABS."""
    differences: list[Difference] = field(default_factory=list)
    """What QuickBooks says otherwise."""

    @property
    def balance_as_of(self) -> datetime | None:
        """The newest moment as of which the balance is proven; None: never read."""
        known = self.money.balance_as_of if self.money else None
        return freshness.later(known, self.company.read_at, ("customer",)) if self.company else known

    @property
    def documents_as_of(self) -> datetime | None:
        """The same for figures that documents make up."""
        known = self.money.documents_as_of if self.money else None
        return freshness.later(known, self.company.read_at, freshness.DOCUMENTS) if self.company else known


@dataclass(frozen=True, slots=True)
class DocumentRow:
    kind: str
    number: str
    date: Date | None
    due_date: Date | None
    state: str
    days_late: int
    total: Decimal
    balance: Decimal | None
    currency: str
    note: str = ""
    """For payments: method and reference."""
    job: str = ""
    """The sub-customer or project it belongs to; empty for the contact's own customer."""
    ours: int | None = None
    """Of estimates and invoices: our own row (`sales_documents`); of payments the mirror's."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One page of documents, notes or timeline entries."""

    rows: Sequence[Any]
    number: int
    size: int
    total: int | None = None
    has_next: bool = False


def contact(contact_id: int) -> Contact | None:
    """The contact with its lines, tags and owner, as the database holds it now."""
    return db.session.scalar(
        select(Contact)
        .where(Contact.id == contact_id)
        .options(selectinload(Contact.points), selectinload(Contact.tags), joinedload(Contact.owner))
        .execution_options(populate_existing=True)
    )


def show(contact_id: int) -> ContactView | None:
    found = contact(contact_id)
    if found is None:
        return None
    money = db.session.get(MoneyFacts, contact_id)
    of_contact = select(Customer).where(Customer.contact_id == contact_id)
    linked = list(db.session.scalars(of_contact.where(Customer.match_state == "linked").order_by(Customer.id)))
    jobs = list(
        db.session.scalars(
            of_contact.where(Customer.match_state == "job").order_by(Customer.full_path).limit(MAX_JOBS + 1)
        )
    )
    matches = list(
        db.session.scalars(
            select(Match)
            .where(Match.contact_id == contact_id, Match.state.in_(("linked", "proposed", "rejected")))
            .options(joinedload(Match.customer))
            .order_by(Match.state != "linked", Match.state != "proposed", Match.score.desc(), Match.id)
            .limit(10)
        )
    )
    connection_id = money.connection_id if money else next((c.connection_id for c in linked), None)
    company = _company(connection_id) if connection_id else None
    return ContactView(
        found, money, company, linked, _tree(linked, jobs[:MAX_JOBS]), len(jobs) > MAX_JOBS, matches,
        _counts(contact_id), contact_differences.of_contact(found, linked),
    )  # fmt: skip


def today_at(time_zone: str, now: datetime) -> Date:
    """The calendar day it is at the company."""
    try:
        zone = ZoneInfo(time_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    return now.astimezone(zone).date()


def documents(contact_id: int, kind: str, *, page: int, now: datetime, size: int = DOCUMENTS_SIZE) -> Stretch:
    """Newest first. `kind` is a key of TABS."""
    table: Any = Payment if kind == "payment" else Document
    mine = [table.contact_id == contact_id, PassedOver(table.gone_at).is_(None)]
    mine += [] if kind == "payment" else [Document.kind == kind]
    total = db.session.scalar(select(func.count()).select_from(table).where(*mine)) or 0
    page = min(page, max(1, (total + size - 1) // size))
    rows = list(
        db.session.execute(
            select(table, Connection.time_zone, Customer.display_name, _ours(table, kind))
            .join(Connection, Connection.id == table.connection_id)
            .outerjoin(
                Customer,
                and_(
                    Customer.connection_id == table.connection_id,
                    Customer.remote_id == table.customer_remote_id,
                    Customer.match_state == "job",
                ),
            )
            .where(*mine)
            .order_by(table.date.desc(), table.id.desc())
            .limit(size)
            .offset((page - 1) * size)
        )
    )
    shape = _payment_row if kind == "payment" else _document_row
    shown = [replace(shape(row, today_at(zone, now), job or ""), ours=ours) for row, zone, job, ours in rows]
    return Stretch(shown, page, size, total)


def _ours(table: Any, kind: str) -> Any:
    """The id under which our pages show it."""
    if kind == "payment":
        return table.id
    mine = (Link.connection_id == table.connection_id, Link.kind == kind, Link.remote_id == table.remote_id)
    return select(Link.local_id).where(*mine).scalar_subquery()


def timeline(contact_id: int, *, page: int, size: int = TIMELINE_SIZE) -> Stretch:
    found = list(
        db.session.scalars(
            select(TimelineEntry)
            .where(TimelineEntry.contact_id == contact_id)
            .order_by(TimelineEntry.at.desc(), TimelineEntry.id.desc())
            .limit(size + 1)
            .offset((page - 1) * size)
        )
    )
    return Stretch(found[:size], page, size, has_next=len(found) > size)


def notes(contact_id: int, *, page: int, size: int = NOTES_SIZE) -> Stretch:
    """Newest first, with their authors."""
    found = list(
        db.session.scalars(
            select(Note)
            .where(Note.contact_id == contact_id)
            .options(joinedload(Note.author))
            .order_by(Note.created_at.desc(), Note.id.desc())
            .limit(size + 1)
            .offset((page - 1) * size)
        )
    )
    return Stretch(found[:size], page, size, has_next=len(found) > size)


def sharing_lines(normals: Sequence[str], limit: int = 5) -> list[tuple[Contact, str]]:
    """Contacts (not archived) that hold one of these phones or e-mails already, with the line in question."""
    if not normals:
        return []
    found = db.session.execute(
        select(Contact, ContactPoint.normal)
        .join(ContactPoint, ContactPoint.contact_id == Contact.id)
        .where(ContactPoint.normal.in_(normals), Contact.archived_at.is_(None))
        .order_by(Contact.sort_name, Contact.id)
        .limit(limit * 4)
    )
    return list({contact_.id: (contact_, normal) for contact_, normal in found}.values())[:limit]


def _company(connection_id: int) -> Company:
    query = select(
        Connection.id, Connection.company_name, Connection.currency, Connection.time_zone, Connection.read_at,
        Connection.state,
    )  # fmt: skip
    id_, name, currency, zone, read, state = db.session.execute(query.where(Connection.id == connection_id)).one()
    return Company(id_, name, currency, zone, freshness.proven(id_, read), state == "connected")


def _counts(contact_id: int) -> dict[str, int]:
    # SQLite knows no figures, and would rather go through all documents and payments than to those of this contact.
    here = (Document.contact_id == contact_id, PassedOver(Document.gone_at).is_(None))
    mine = select(Document.kind, func.count()).where(*here).group_by(Document.kind)
    received = (Payment.contact_id == contact_id, PassedOver(Payment.gone_at).is_(None))
    paid = select(literal("payment"), func.count()).where(*received)
    return {kind: number for kind, number in db.session.execute(union_all(mine, paid))}


def _tree(roots: Sequence[Customer], jobs: Sequence[Customer]) -> list[Job]:
    """Jobs below their parents, depth first; one whose parent is not among them stands at the first step."""
    known = {(job.connection_id, job.remote_id) for job in [*roots, *jobs]}
    below: dict[tuple[int, str], list[Customer]] = {}
    for job in jobs:
        parent = (job.connection_id, job.parent_remote_id or "")
        below.setdefault(parent if parent in known else (0, ""), []).append(job)
    out: list[Job] = []
    seen: set[int] = set()

    def walk(key: tuple[int, str], depth: int) -> None:
        for job in below.get(key, ()):
            if job.id not in seen:  # a circle in the books must not become ours
                seen.add(job.id)
                out.append(Job(job, depth))
                walk((job.connection_id, job.remote_id), depth + 1)

    for root in roots:
        walk((root.connection_id, root.remote_id), 1)
    walk((0, ""), 1)
    out.extend(Job(job, 1) for job in jobs if job.id not in seen)
    return out


def _document_row(document: Document, today: Date, job: str) -> DocumentRow:
    state, late = "", 0
    if document.kind == "invoice":
        state = invoice_state(
            total=document.total, balance=document.balance, due_date=document.due_date, today=today, void=document.void
        )
        late = days_late(document.due_date, today) if state == "overdue" else 0
    elif document.kind == "estimate":
        expires = document.record.get("expires_on")
        state = estimate_state(
            document.status, expires_on=Date.fromisoformat(expires) if expires else None, today=today
        )
    else:
        state = "void" if document.void else "open" if document.balance else "used"
    return DocumentRow(
        document.kind, document.number, document.date, document.due_date, state, late, document.total, document.balance,
        document.currency or "USD", job=job,
    )  # fmt: skip


def _payment_row(payment: Payment, today: Date, job: str) -> DocumentRow:
    state = "void" if payment.void else "unapplied" if payment.unapplied else "received"
    note = " ".join(part for part in (payment.method, payment.reference) if part)
    return DocumentRow(
        "payment", payment.reference, payment.date, None, state, 0, payment.total, payment.unapplied,
        payment.currency or "USD", note, job,
    )  # fmt: skip
