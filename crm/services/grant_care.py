"""Looking after grants that nobody uses: renewing idle ones, warning before one ends, finishing what a bell lost.

The schedule calls `keep_alive()` and `tend()`; every item is done on its own, so that one company's trouble does not
keep another waiting. Errors are already kept on the connection by whoever met them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import or_, select

from crm.db import db, transaction
from crm.domain.connections import CONNECTED, DISCONNECTED, grant_ends_at, warning_due
from crm.domain.errors import ProviderError
from crm.models import Connection
from crm.services import audit, connections, grants, notices
from crm.services.grants import Clock

log = logging.getLogger(__name__)

IDLE = timedelta(days=6)
"""A grant unused for about 100 days is lost at Intuit; renewing it weekly keeps far from that."""


def tend(*, clock: Clock) -> None:
    """Checks and revocations that are due, whoever was meant to do them."""
    for connection_id in connections.to_give_back():
        _each(connection_id, partial(connections.give_back, clock=clock))
    for connection_id in connections.due_checks(clock()):
        _each(connection_id, partial(connections.check, clock=clock))


def keep_alive(*, clock: Clock) -> None:
    """Renew idle grants, then tell admins of those that end soon."""
    for connection_id, version in _idle(clock()):
        _each(connection_id, partial(grants.renew, version=version, clock=clock))
    with transaction():
        warn(now=clock())


def warn(*, now: datetime) -> int:
    """One notice per connection whose grant ends within 30, 14, 7 or 1 days; answers how many are news."""
    told = 0
    for connection in db.session.scalars(select(Connection).where(Connection.state != DISCONNECTED)):
        ends_at = grant_ends_at(connection.refresh_expires_at, connection.hard_expires_at)
        if ends_at is None or ends_at - now > timedelta(days=30):
            if connection.warned_days is not None:
                connection.warned_days = None
                notices.settle(connection.id, "grant_ends", now=now)
            continue
        days = warning_due(ends_at, now, connection.warned_days)
        if days is None:
            continue
        connection.warned_days = days
        text = (
            f"The QuickBooks sign-in of {connection.company_name or 'the company'} ends on "
            f"{ends_at:%B} {ends_at.day}, {ends_at.year}. Reconnect before then, so that nothing stops; links are kept."
        )
        notices.post("grant_ends", connection.id, level="danger" if days <= 7 else "warning", text=text, now=now)
        audit.record(
            "grant_ends", actor=audit.SYSTEM, now=now, subject=f"connection:{connection.id}", summary=text,
            details={"days": days},
        )  # fmt: skip
        told += 1
    return told


def _idle(now: datetime) -> list[tuple[int, int]]:
    rows = db.session.execute(
        select(Connection.id, Connection.grant_version).where(
            Connection.state == CONNECTED,
            or_(Connection.refreshed_at.is_(None), Connection.refreshed_at <= now - IDLE),
        )
    )
    return [(row.id, row.grant_version) for row in rows]


def _each(connection_id: int, work: Callable[[int], object]) -> None:
    try:
        work(connection_id)
    except ProviderError as error:
        log.warning("connection %s: %s", connection_id, error)
