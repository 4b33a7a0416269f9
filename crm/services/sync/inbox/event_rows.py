"""Rows of the inbox: what makes an event the same one, and many of them kept in one statement."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ARRAY, cast, func, select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.models import InboxEvent
from crm.providers.accounting.base import Notification
from crm.services.sync.mirror.bulk import INSERTS

EVENTS = table_of(InboxEvent)


def key_of(provider: str, said: Notification) -> str:
    """The same for the same event told again, and for no other.

    The provider's id is only a part of it: nobody promises that no other company, object or moment has the same one.
    """
    return digest(provider, said.realm_id, said.kind, said.entity, said.remote_id, said.other_remote_id, said.verb,
                  str(said.occurred_at), said.event_id)  # fmt: skip


def digest(*unique: str) -> str:
    return "sha256:" + hashlib.sha256("\x1f".join(unique).encode("utf-8", "replace")).hexdigest()


def insert(session: Session, rows: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Keep those that are not known; answers their keys. In order of the keys, so that two workers do not block."""
    if not rows:
        return set()
    ordered = [rows[key] for key in sorted(rows)]
    dialect = session.get_bind().dialect.name
    statement = INSERTS[dialect](EVENTS)
    given: list[Mapping[str, Any]] | None = ordered
    if dialect == "postgresql":
        # An array for each column: with a parameter for each value, reading the statement takes longer than all else.
        columns = [func.unnest(cast([row[name] for row in ordered], ARRAY(EVENTS.c[name].type))) for name in ordered[0]]
        statement, given = statement.from_select(list(ordered[0]), select(*columns)), None
    told = statement.on_conflict_do_nothing(index_elements=["event_key"]).returning(EVENTS.c.event_key)
    return set(session.scalars(told, given))


def plain(text: str, most: int) -> str:
    """PostgreSQL stores no NUL."""
    return text.replace("\x00", "")[:most]
