"""File imports as their pages show them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import contains_eager

from crm.db import db
from crm.models import ContactImport, ContactImportRow, User

STATES: dict[str, tuple[str, ...]] = {
    "uploaded": ("uploaded",),
    "busy": ("queued", "running", "cancelling", "undoing"),
    "done": ("done",),
    "stopped": ("failed", "cancelled"),
    "undone": ("undone",),
}
SORTS: dict[str, Any] = {
    "at": ContactImport.created_at,
    "file": func.lower(ContactImport.filename),
    "by": func.lower(func.coalesce(func.nullif(User.name, ""), User.email, "")),
    "rows": ContactImport.total,
}


def imports(*, q: str = "", state: str = "", sort: str = "-at") -> Select[Any]:
    """Imports with who brought them; `q` finds in the file's and the person's name, `state` is a key of STATES."""
    query = select(ContactImport).outerjoin(ContactImport.created_by).options(contains_eager(ContactImport.created_by))
    if text := q.strip().lower():
        held = (func.lower(part).contains(text, autoescape=True) for part in (ContactImport.filename, User.name))
        query = query.where(or_(*held, User.email.contains(text, autoescape=True)))
    if state in STATES:
        query = query.where(ContactImport.state.in_(STATES[state]))
    key = SORTS.get(sort.removeprefix("-"), SORTS["at"])
    down = sort.startswith("-")
    return query.order_by(key.desc() if down else key, ContactImport.id.desc() if down else ContactImport.id)


def any_imports() -> bool:
    return db.session.scalar(select(ContactImport.id).limit(1)) is not None


def find(import_id: int) -> ContactImport | None:
    return db.session.get(ContactImport, import_id, populate_existing=True)


def with_reason(import_id: int) -> int:
    """How many rows carry a reason: refused, skipped, or kept by the undo."""
    query = select(func.count()).where(ContactImportRow.import_id == import_id, ContactImportRow.error != "")
    return db.session.scalar(query) or 0


def first_reasons(import_id: int, limit: int = 10) -> list[ContactImportRow]:
    query = select(ContactImportRow).where(ContactImportRow.import_id == import_id, ContactImportRow.error != "")
    return list(db.session.scalars(query.order_by(ContactImportRow.number).limit(limit)))


def pace(found: ContactImport) -> tuple[float | None, float | None]:
    """(rows a second, seconds left) of one that is running; None while nothing is known."""
    rate = found.options.get("rate")
    undoing = found.counts.get("created", 0) + found.counts.get("updated", 0)
    total = undoing if found.state == "undoing" else found.total
    return rate, (max(0, total - found.done) / rate if rate else None)
