"""The rows of conflicts: opened and kept up to date by whoever merges, settled once both sides agree by themselves.

Set-based: the same few statements for one object or a page of a thousand, of any kind. What a person decides about them
is `services/conflicts`. At most one is open per object and field; two workers that open the same meet at its index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain.conflicts import REASONS
from crm.domain.policies import shared
from crm.models import Conflict, SyncLogEntry
from crm.services.identity_keys import chunks
from crm.services.sync.mirror.bulk import INSERTS

CONFLICTS = table_of(Conflict)
IS_OPEN = "state = 'open'"
"""The same as the unique index says it."""
AGREED = "both sides agree by now"
UNLINKED = "no longer linked, or deleted in QuickBooks"


@dataclass(frozen=True, slots=True)
class Question:
    """One field on which a person is to be asked; the three values as people read them."""

    local_id: int
    remote_id: str
    field: str
    reason: str
    """As `merging.Merged.asked` names it."""
    base: str
    ours: str
    theirs: str
    ours_at: datetime | None
    theirs_at: datetime | None
    contact_id: int | None = None
    """At whose page it is told; of a contact, itself."""


def open_or_refresh(
    session: Session, connection_id: int, kind: str, questions: Sequence[Question], *, ids: Sequence[int], now: datetime
) -> None:
    """These are what is to be asked about the objects `ids`: new ones open, known ones are brought up to date, and any
    other open conflict of these objects is settled."""
    asked = {(question.local_id, question.field) for question in questions}
    known = _open_rows(session, connection_id, kind, ids)
    _settle(session, [row.id for row in known if (row.local_id, row.field) not in asked], AGREED, now=now)
    if not questions:
        return
    statement: Any = INSERTS[session.get_bind().dialect.name](CONFLICTS)
    fresh = ("remote_id", "reason", "base", "ours", "theirs", "ours_at", "theirs_at")
    statement = statement.on_conflict_do_update(
        index_elements=["connection_id", "kind", "local_id", "field"],
        index_where=text(IS_OPEN),
        set_={name: statement.excluded[name] for name in fresh},
    )
    session.execute(statement, [
        {"connection_id": connection_id, "kind": kind, "local_id": one.local_id, "field": one.field, "state": "open",
         "choice": "", "decided": "", "decided_by": "", "opened_at": now, "decided_at": None,
         **{name: getattr(one, name) for name in fresh}}
        for one in questions
    ])  # fmt: skip
    open_already = {(row.local_id, row.field) for row in known}
    fresh_ones = [one for one in questions if (one.local_id, one.field) not in open_already]
    _log_opened(session, connection_id, kind, fresh_ones, now=now)
    forget(session)


def undecided(
    session: Session, connection_id: int, kind: str, ids: Sequence[int]
) -> dict[int, dict[str, datetime | None]]:
    """Object -> its fields with an open conflict -> when ours was changed, where that is known."""
    found: dict[int, dict[str, datetime | None]] = {}
    for row in _open_rows(session, connection_id, kind, ids):
        found.setdefault(row.local_id, {})[row.field] = row.ours_at
    return found


def settle(session: Session, connection_id: int, kind: str, ids: Sequence[int], *, now: datetime) -> None:
    """Nobody needs to decide about these objects any more: they are not linked, or gone there."""
    open_ones = [row.id for row in _open_rows(session, connection_id, kind, ids)]
    _settle(session, open_ones, UNLINKED, now=now)


def _log_opened(
    session: Session, connection_id: int, kind: str, questions: Sequence[Question], *, now: datetime
) -> None:
    """A line of the sync log for each; it names the field, never what stands in it."""
    titles = {field.name: field.title for field in shared(kind)}
    if questions:
        session.execute(insert(table_of(SyncLogEntry)), [
            {"connection_id": connection_id, "at": now, "level": "info", "event": "conflict_opened", "kind": kind,
             "remote_id": one.remote_id, "direction": "in", "outcome": "asked",
             "contact_id": one.local_id if kind == "customer" else one.contact_id,
             "message": f"{titles.get(one.field, one.field).capitalize()}: a person is asked. {REASONS[one.reason]}",
             "details": {"field": one.field}}
            for one in questions
        ])  # fmt: skip


def _open_rows(session: Session, connection_id: int, kind: str, ids: Sequence[int]) -> list[Any]:
    columns = (CONFLICTS.c.id, CONFLICTS.c.local_id, CONFLICTS.c.field, CONFLICTS.c.ours_at)
    mine = (CONFLICTS.c.connection_id == connection_id, CONFLICTS.c.kind == kind, CONFLICTS.c.state == "open")
    return [
        row
        for part in chunks(list(ids), 1000)
        for row in session.execute(select(*columns).where(*mine, CONFLICTS.c.local_id.in_(part)))
    ]


def _settle(session: Session, conflict_ids: Sequence[int], why: str, *, now: datetime) -> None:
    for part in chunks(list(conflict_ids), 1000):
        session.execute(
            update(CONFLICTS)
            .where(CONFLICTS.c.id.in_(part), CONFLICTS.c.state == "open")
            .values(state="settled", decided_by=why, decided_at=now)
        )
    if conflict_ids:
        forget(session)


def forget(session: Session) -> None:
    """What the session remembers of conflicts is old now."""
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, Conflict):
            session.expire(loaded)
