"""The timeline of a contact: what happened to it, and who or what made it happen.

Every service that changes a contact calls `add()` in the same transaction; nothing here is ever changed again.
The import of many contacts writes the same rows in bulk from `row()`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from crm.db import db, table_of
from crm.models import TimelineEntry
from crm.services.audit import Actor

MAX_VALUE = 500
"""Longer values are cut in `changes`: the timeline says that and what changed, it is no archive of texts."""


def add(
    contact_id: int,
    *,
    verb: str,
    summary: str,
    actor: Actor,
    now: datetime,
    changes: Mapping[str, Sequence[str | None]] | None = None,
) -> None:
    """Add one entry in the open transaction. `changes` is field -> [old, new], as text."""
    db.session.add(TimelineEntry(**row(contact_id, verb=verb, summary=summary, actor=actor, now=now, changes=changes)))


def add_many(rows: Sequence[Mapping[str, Any]]) -> None:
    """Add entries made by `row()` in one statement."""
    if rows:
        db.session.execute(insert(table_of(TimelineEntry)), [dict(values) for values in rows])


def row(
    contact_id: int,
    *,
    verb: str,
    summary: str,
    actor: Actor,
    now: datetime,
    changes: Mapping[str, Sequence[str | None]] | None = None,
) -> dict[str, Any]:
    return {
        "contact_id": contact_id,
        "at": now,
        "source": actor.source,
        "actor": actor.label[:254],
        "verb": verb[:40],
        "summary": summary,
        "changes": {field: [_short(old), _short(new)] for field, (old, new) in (changes or {}).items()},
    }


def _short(value: str | None) -> str:
    text = value or ""
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"
