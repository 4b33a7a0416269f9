"""Connections as pages and the API show them: state in words, token ages, calls against the budget. No secrets.

Tokens and the company's id are never selected here, so nothing can show them and no key is needed to draw a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select

from crm.db import db
from crm.domain import connections as states
from crm.domain.errors import NotFound
from crm.models import CallCount, Connection, Customer, Document, Link, Notice, Payment, User


@dataclass(frozen=True, slots=True)
class ConnectionView:
    id: int
    provider: str
    company_name: str
    country: str
    currency: str
    time_zone: str
    environment: str
    state: str
    state_reason: str
    read_only: bool
    access_expires_at: datetime | None
    refresh_expires_at: datetime | None
    hard_expires_at: datetime | None
    refreshed_at: datetime | None
    scopes: Sequence[str]
    connected_at: datetime
    connected_by: str
    disconnected_at: datetime | None
    last_contact_at: datetime | None
    last_error: str
    check_asked_at: datetime | None
    checked_at: datetime | None
    holds_grant: bool
    """Whether a refresh token is stored; a disconnected company with one is still being given back."""

    @property
    def name(self) -> str:
        return self.company_name or "QuickBooks company"

    @property
    def words(self) -> states.Words:
        return states.words(self.state, read_only=self.read_only)

    @property
    def live(self) -> bool:
        return self.state == states.CONNECTED

    @property
    def grant_ends_at(self) -> datetime | None:
        return states.grant_ends_at(self.refresh_expires_at, self.hard_expires_at)


@dataclass(frozen=True, slots=True)
class Calls:
    """Remote calls since the first of the month (UTC)."""

    metered: int = 0
    unmetered: int = 0
    sign_in: int = 0
    metered_today: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays here when the company is disconnected."""

    links: int
    customers: int
    documents: int
    payments: int


def every() -> Sequence[ConnectionView]:
    """All connections, those in use first, then by name."""
    rows = db.session.execute(
        _select().order_by(Connection.disconnected_at.is_not(None), Connection.company_name, Connection.id)
    )
    return [_view(row) for row in rows]


def one(connection_id: int) -> ConnectionView:
    """Raises NotFound."""
    row = db.session.execute(_select().where(Connection.id == connection_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such connection.")
    return _view(row)


def calls_this_month(today: date, connection_id: int | None = None) -> Calls:
    """Of one connection, or of all: the vendor's budget is shared by all companies of one app."""
    query = select(CallCount.category, func.sum(CallCount.calls)).where(
        CallCount.day >= today.replace(day=1), CallCount.day <= today
    )
    now = select(func.sum(CallCount.calls)).where(CallCount.day == today, CallCount.category == "metered")
    if connection_id is not None:
        query = query.where(CallCount.connection_id == connection_id)
        now = now.where(CallCount.connection_id == connection_id)
    figures = {category: int(calls) for category, calls in db.session.execute(query.group_by(CallCount.category))}
    return Calls(metered_today=int(db.session.scalar(now) or 0), **figures)


def open_notices(connection_id: int) -> Sequence[Notice]:
    return db.session.scalars(
        select(Notice)
        .where(Notice.connection_id == connection_id, Notice.settled_at.is_(None))
        .order_by(Notice.created_at.desc())
    ).all()


def kept(connection_id: int) -> Kept:
    return Kept(*(_count(model, connection_id) for model in (Link, Customer, Document, Payment)))


def _count(model: Any, connection_id: int) -> int:
    return db.session.scalar(select(func.count()).where(model.connection_id == connection_id)) or 0


COLUMNS = tuple(name for name in ConnectionView.__slots__ if name not in ("connected_by", "holds_grant"))


def _select() -> Any:
    return select(
        *(getattr(Connection, name) for name in COLUMNS),
        func.coalesce(func.nullif(User.name, ""), User.email, "").label("connected_by"),
        Connection.refresh_token.is_not(None).label("holds_grant"),
    ).outerjoin(User, User.id == Connection.connected_by_id)


def _view(row: Any) -> ConnectionView:
    return ConnectionView(**row._mapping)
