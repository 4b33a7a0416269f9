"""The nightly work, one kind after the other: learn from everything, predict, look back, and keep it.

Read a range of contacts at a time and stored in short transactions, so that memory stays flat and nobody waits. Run
twice it leaves the same. A run that is killed leaves rows of two days side by side, each with its day, until the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from crm.db import transaction
from crm.domain.days import company_day
from crm.models import Connection, Forecast, SyncRun
from crm.queries import products
from crm.services.forecasting import payments, quotes, values
from crm.services.forecasting.company import Books
from crm.services.sync.mirror.money import documents_as_of

MAKERS: dict[str, Callable[[Books], tuple[dict[str, Any], dict[str, Any]]]] = {
    "payments": payments.make, "quotes": quotes.make, "value": values.make,
}  # fmt: skip
KINDS = tuple(MAKERS)
NIGHT = timedelta(hours=2)
"""After midnight in the company's zone: from then on yesterday's figures are made anew."""
KEPT = 400
"""Makings of a kind that are kept: a year of nights."""


def refresh(*, clock: Callable[[], datetime], kinds: Sequence[str] = KINDS) -> dict[str, int]:
    """Make these kinds anew; returns how many milliseconds each took."""
    books, took = books_now(clock()), {}
    for kind in kinds:
        began = time.monotonic()
        learned, backtest = MAKERS[kind](books)
        took[kind] = int((time.monotonic() - began) * 1000)
        with transaction() as session:
            session.add(Forecast(
                kind=kind, as_of=books.today, learned=learned, backtest=backtest, made_at=clock(), took_ms=took[kind],
            ))  # fmt: skip
            session.flush()
            _forget(session, kind)
    return took


def refresh_due(*, clock: Callable[[], datetime]) -> dict[str, int]:
    """Make what is due: of a day gone by once it is NIGHT, and whatever was made before the last complete read."""
    now = clock()
    with transaction() as session:
        connection = _company(session)
        newest: dict[str, tuple[date, datetime]] = {}
        for kind in KINDS:
            made = select(Forecast.as_of, Forecast.made_at).where(Forecast.kind == kind)
            row = session.execute(made.order_by(Forecast.id.desc()).limit(1)).first()
            if row is not None:
                newest[kind] = row.as_of, row.made_at
        read_at = documents_as_of(session, connection.id) if connection is not None else None
        reading = session.scalar(select(SyncRun.id).where(SyncRun.state == "running").order_by(SyncRun.id).limit(1))
    if reading is not None:
        return {}  # of a half-read company nothing can be said; when it is read, the next turn comes soon
    books = books_now(now)
    night = company_day(now - NIGHT, books.zone) == books.today
    due = [
        kind for kind in KINDS
        if kind not in newest or (newest[kind][0] < books.today and night)
        or (read_at is not None and newest[kind][1] < read_at)
    ]  # fmt: skip
    return refresh(clock=clock, kinds=due) if due else {}


def books_now(now: datetime) -> Books:
    """The company in use: its day, zone and currency."""
    with transaction() as session:
        connection = _company(session)
        zone = connection.time_zone if connection is not None else ""
        return Books(company_day(now, zone), zone or "UTC", products.home_currency(session))


def _company(session: Session) -> Any:
    """Id and zone of the company in use; None before any. Its secrets are left alone."""
    query = select(Connection.id, Connection.time_zone)
    return session.execute(query.order_by(Connection.disconnected_at.is_not(None), Connection.id).limit(1)).first()


def _forget(session: Session, kind: str) -> None:
    newest = select(Forecast.id).where(Forecast.kind == kind).order_by(Forecast.id.desc()).offset(KEPT).limit(1)
    oldest = session.scalar(newest)
    if oldest is not None:
        session.execute(delete(Forecast).where(Forecast.kind == kind, Forecast.id <= oldest))
