"""What the API reads: contacts, connections, sync state and log, a page at a time by id.

Pages go by the last id seen, so a page costs the same wherever it is and rows that come meanwhile shift
nothing. Each page takes a constant number of queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from crm.db import db
from crm.domain.runs import LIVE
from crm.models import (
    Connection,
    Contact,
    Customer,
    Document,
    Link,
    MoneyFacts,
    Payment,
    SyncLogEntry,
    SyncRun,
    User,
)
from crm.queries import contact_search


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A contact with what stands beside it; `link`, `customer`, `money` and `owner_email` may be missing."""

    contact: Contact
    owner_email: str | None
    link: Link | None
    customer: Customer | None
    money: MoneyFacts | None


@dataclass(frozen=True, slots=True)
class Mirrored:
    """How much of one kind is mirrored, and when it was last read."""

    resource: str
    count: int
    last_read_at: datetime | None


def contacts(
    *, after: int, limit: int, terms: Sequence[str] = (), updated_since: datetime | None = None, archived: bool = False
) -> list[ContactRow]:
    """Contacts with an id above `after`, in the order of their ids."""
    query = select(Contact.id).where(Contact.id > after)
    if not archived:
        query = query.where(Contact.archived_at.is_(None))
    if updated_since is not None:
        query = query.where(Contact.updated_at >= updated_since)
    if terms:
        query = query.where(*contact_search.matching(terms))
    return _rows(db.session.scalars(query.order_by(Contact.id).limit(limit)).all())


def contact(contact_id: int) -> ContactRow | None:
    rows = _rows([contact_id])
    return rows[0] if rows else None


def _rows(ids: Sequence[int]) -> list[ContactRow]:
    joined = (
        select(Contact, User.email, Link, Customer, MoneyFacts)
        .outerjoin(User, User.id == Contact.owner_id)
        .outerjoin(Link, (Link.kind == "customer") & (Link.local_id == Contact.id))
        .outerjoin(Customer, (Customer.connection_id == Link.connection_id) & (Customer.remote_id == Link.remote_id))
        .outerjoin(MoneyFacts, MoneyFacts.contact_id == Contact.id)
        .where(Contact.id.in_(ids))
        .order_by(Contact.id, Link.id)
        .options(selectinload(Contact.points), selectinload(Contact.tags))
    )
    rows: dict[int, ContactRow] = {}
    for found in db.session.execute(joined):
        rows.setdefault(found[0].id, ContactRow(*found))  # one connection's link is shown, the oldest
    return list(rows.values())


def connections(*, after: int, limit: int) -> Sequence[Connection]:
    query = select(Connection).where(Connection.id > after).order_by(Connection.id).limit(limit)
    return db.session.scalars(query).all()


def connection(connection_id: int) -> Connection | None:
    return db.session.get(Connection, connection_id)


def runs(connection_id: int) -> tuple[SyncRun | None, SyncRun | None]:
    """The run under way and the last one that ended."""
    query = select(SyncRun).where(SyncRun.connection_id == connection_id).order_by(SyncRun.id.desc()).limit(1)
    current = db.session.scalar(query.where(SyncRun.state.in_(LIVE)))
    return current, db.session.scalar(query.where(SyncRun.state.not_in(LIVE)))


def mirrored(connection_id: int) -> list[Mirrored]:
    rows = []
    for resource, model, kind in (
        ("customers", Customer, None),
        ("invoices", Document, "invoice"),
        ("estimates", Document, "estimate"),
        ("credit_memos", Document, "credit_memo"),
        ("payments", Payment, None),
    ):
        query = select(func.count(), func.max(model.seen_at)).where(
            model.connection_id == connection_id, model.gone_at.is_(None)
        )
        if kind is not None:
            query = query.where(Document.kind == kind)
        rows.append(Mirrored(resource, *db.session.execute(query).one()))
    return rows


def log(connection_id: int, *, before: int | None, limit: int, level: str = "") -> Sequence[SyncLogEntry]:
    """Log lines, newest first, with an id below `before`."""
    query = select(SyncLogEntry).where(SyncLogEntry.connection_id == connection_id)
    if before is not None:
        query = query.where(SyncLogEntry.id < before)
    if level:
        query = query.where(SyncLogEntry.level == level)
    return db.session.scalars(query.order_by(SyncLogEntry.id.desc()).limit(limit)).all()
