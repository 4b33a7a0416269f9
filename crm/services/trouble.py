"""From an error to the state of a connection and back: what pauses it, who hears of it, when it is well again.

`mark()` and `recover()` compare the version of the grant the error was met with, so that late news about an old grant
never undoes a reconnect. Admins get one notice and the audit trail one entry, however many calls met the same error.
Work that waits is not touched: it looks at the state.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update

from crm.db import changed, db
from crm.domain.connections import CONNECTED, DISCONNECTED, NEEDS_RECONNECT, PAUSED, PERMISSION_LOST, WORDS, WRONG_KEYS
from crm.domain.connections import SUBSCRIPTION_LAPSED as LAPSED
from crm.domain.errors import NeedsReconnect, PermissionLost, ProviderError, SubscriptionLapsed, WrongKeys
from crm.models import Connection
from crm.services import audit, notices

#: Error -> state. Every other error leaves the connection as it is.
STATE_OF: dict[type[ProviderError], str] = {
    NeedsReconnect: NEEDS_RECONNECT,
    PermissionLost: PERMISSION_LOST,
    SubscriptionLapsed: LAPSED,
    WrongKeys: WRONG_KEYS,
}
ERROR_OF = {state: error for error, state in STATE_OF.items()}
TOPICS = tuple(ERROR_OF)


def of(connection: Connection) -> ProviderError | None:
    """The error that calling this connection would meet, without calling; None when it is well."""
    if connection.state == DISCONNECTED:
        return NeedsReconnect("The company was disconnected in Tradebook. Connect it again to go on.")
    kind = ERROR_OF.get(connection.state)
    return kind(connection.state_reason or WORDS[connection.state].sentence) if kind else None


def mark(connection_id: int, version: int, error: ProviderError, *, now: datetime) -> bool:
    """Pause the connection if this error means that; answers whether it is news. Needs the open transaction."""
    state = STATE_OF.get(type(error))
    if state is None:
        return False
    news = changed(
        update(Connection)
        .where(
            Connection.id == connection_id,
            Connection.grant_version == version,
            Connection.state.not_in((state, DISCONNECTED)),
        )
        .values(state=state, state_reason=str(error), last_error=str(error))
    )
    if not news:
        return False
    name = _name(connection_id)
    notices.settle(connection_id, *(topic for topic in TOPICS if topic != state), now=now)
    notices.post(state, connection_id, level="danger", text=f"{name}: {error} Work waits until then.", now=now)
    audit.record(
        state,
        actor=audit.SYSTEM,
        now=now,
        subject=f"connection:{connection_id}",
        summary=f"{name}: {error}",
        details={"code": error.cause.code, "trace_id": error.cause.trace_id, "status": error.cause.http_status},
    )
    return True


def recover(connection_id: int, version: int, *, now: datetime) -> bool:
    """The company answered: a paused connection is well again. Needs the open transaction."""
    news = changed(
        update(Connection)
        .where(Connection.id == connection_id, Connection.grant_version == version, Connection.state.in_(PAUSED))
        .values(state=CONNECTED, state_reason="")
    )
    if not news:
        return False
    notices.settle(connection_id, *TOPICS, now=now)
    audit.record(
        "connection_recovered",
        actor=audit.SYSTEM,
        now=now,
        subject=f"connection:{connection_id}",
        summary=f"{_name(connection_id)} answers again.",
    )
    return True


def _name(connection_id: int) -> str:
    name: str | None = db.session.query(Connection.company_name).filter_by(id=connection_id).scalar()
    return name or "QuickBooks company"
