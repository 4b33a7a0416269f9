"""People, API keys and the audit trail, for their pages and for signing in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, or_, select

from crm.db import db
from crm.models import ApiKey, AuditEntry, User

SIZE = 50


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its rows, its number (from 1), rows a page, rows in all."""

    rows: Sequence[object]
    number: int
    size: int
    total: int


def signed_in(session_id: str) -> User | None:
    """The person a session or remembered device belongs to, unless it was ended or the account disabled."""
    number, _, epoch = session_id.partition(":")
    if not (number.isdigit() and epoch.isdigit()):
        return None
    user = db.session.get(User, int(number))
    return user if user and user.session_epoch == int(epoch) and user.disabled_at is None else None


def user(user_id: int) -> User | None:
    return db.session.get(User, user_id)


USER_SORTS: dict[str, Any] = {
    "name": func.lower(func.coalesce(func.nullif(User.name, ""), User.email)),
    "role": User.role,
    "sign-in": User.last_sign_in_at,
    "made": User.created_at,
}
API_KEY_SORTS: dict[str, Any] = {
    "name": func.lower(ApiKey.name),
    "scope": ApiKey.scope,
    "made": ApiKey.created_at,
    "used": ApiKey.last_used_at,
}
AUDIT_SORTS: dict[str, Any] = {"at": AuditEntry.at, "who": func.lower(AuditEntry.actor), "action": AuditEntry.action}


def users(*, q: str = "", role: str = "", state: str = "", sort: str = "name") -> Select[Any]:
    """Accounts; `q` finds in name and address, `state` is `active` or `disabled`."""
    query = select(User)
    if q.strip():
        query = query.where(or_(_holds(User.name, q), _holds(User.email, q)))
    if role:
        query = query.where(User.role == role)
    if state:
        query = query.where(User.disabled_at.is_(None) if state == "active" else User.disabled_at.is_not(None))
    return _sorted(query, USER_SORTS, sort, "name", User.id)


def has_users() -> bool:
    return db.session.scalar(select(User.id).limit(1)) is not None


def api_keys(*, q: str = "", state: str = "", sort: str = "-made") -> Select[Any]:
    """API keys; `q` finds in the name and the first characters, `state` is `active` or `revoked`."""
    query = select(ApiKey)
    if q.strip():
        query = query.where(or_(_holds(ApiKey.name, q), ApiKey.prefix.startswith(q.strip(), autoescape=True)))
    if state:
        query = query.where(ApiKey.revoked_at.is_(None) if state == "active" else ApiKey.revoked_at.is_not(None))
    return _sorted(query, API_KEY_SORTS, sort, "made", ApiKey.id)


def audit(*, q: str = "", action: str = "", sort: str = "-at") -> Select[Any]:
    """Entries of the audit trail; `q` finds in who and summary."""
    query = select(AuditEntry)
    if action:
        query = query.where(AuditEntry.action == action)
    if q.strip():
        query = query.where(or_(_holds(AuditEntry.actor, q), _holds(AuditEntry.summary, q)))
    return _sorted(query, AUDIT_SORTS, sort, "at", AuditEntry.id)


def page(query: Select[Any], *, number: int = 1, size: int = SIZE) -> Page:
    """One page of a list, with the number of all its rows."""
    total = db.session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    return Page(db.session.scalars(query.limit(size).offset((number - 1) * size)).all(), number, size, total)


def each(query: Select[Any]) -> Iterator[Any]:
    """Every row of a list, read in pieces, for a download."""
    yield from db.session.scalars(query.execution_options(yield_per=1000))


def _holds(column: Any, text: str) -> Any:
    return func.lower(column).contains(text.strip().lower(), autoescape=True)


def _sorted(query: Select[Any], sorts: dict[str, Any], sort: str, default: str, last: Any) -> Select[Any]:
    """In the order asked for (`-` in front: backwards); an order nobody offers is the default one."""
    column = sorts.get(sort.removeprefix("-"), sorts[default])
    backwards = sort.startswith("-")
    order = column.desc().nulls_last() if backwards else column.asc().nulls_last()
    return query.order_by(order, last.desc() if backwards else last.asc())


def audit_actions() -> Sequence[str]:
    return db.session.scalars(select(AuditEntry.action).distinct().order_by(AuditEntry.action)).all()
