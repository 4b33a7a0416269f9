"""Where a sweep begins and what it asks for; and where only a full read of the books will do.

| the cursor | then |
|---|---|
| stands, within what the books remember | from there |
| none, or too old, and a full import is done that began later | from where that import began |
| too old, and none | a full import is started; the sweep waits for it |
| none, and nobody ever imported this company | the sweep waits: that is a person's to begin |

Of a kind that is `short` only the latest changes were told. The cursor passes the others when an import of that kind
has read them to the end, not when it was started: it may fail, or be cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain.directions import DIRECTIONS, EVERYTHING
from crm.domain.errors import Refused
from crm.domain.runs import LISTS, LIVE, RESOURCES
from crm.models import Connection, Sweep, SyncRun, SyncSettings
from crm.providers.accounting import registry
from crm.services.audit import SYSTEM
from crm.services.sync import settings
from crm.services.sync.imports import runs
from crm.services.sync.sweep import turns
from crm.services.sync.sweep.sweeping import Asked
from crm.services.sync.sweep.turns import Turn

MARGIN = timedelta(days=1)
"""Less than the books promise to remember is trusted."""
SKEW = timedelta(minutes=5)
"""Imports begin by our clock, changes are told by that of the books."""


@dataclass(frozen=True, slots=True)
class Begin:
    turn: Turn
    kinds: list[str]
    """All that changes are asked of, whether it is their turn or not."""
    every: dict[str, int]
    """Of these, the minutes of those with an interval of their own."""
    keeps_cursor: bool


def begin(session: Session, connection: Connection, sweep: Sweep, *, now: datetime) -> Begin | None:
    """None: not now, but at `sweep.available_at`. A full import may have been started, as the table says."""
    sweep.available_at = now + timedelta(minutes=sweep.interval_minutes)
    kept = settings.of_connection(session, connection.id)
    if not connection.live or kept[EVERYTHING].paused:
        return None
    spec = registry.spec(connection.provider)
    kinds = [kind for kind in RESOURCES if kind in spec.change_kinds and kept[kind].allows_in]
    if not kinds:
        return None
    oldest = now - timedelta(days=spec.changes_days) + MARGIN
    full = _last_full(session, connection.id, kinds)
    if full is None and not _was_imported(session, connection.id):
        return None
    since = sweep.cursor
    if since is None or since < oldest:
        since = full if full and full >= oldest and (since is None or full > since) else None
    if since is None:
        read_whole(session, connection.id, kinds, now=now)
        return None
    if not read_whole(session, connection.id, _reopened(session, connection.id, kept, sweep.swept_at), now=now):
        return None
    every = {kind: minutes for kind in kinds if (minutes := kept[kind].interval_minutes)}
    kinds = [*(kind for kind in LISTS if kind in spec.change_kinds), *kinds]
    turn = turns.next_turn(sweep, kinds, every, since=since, now=now)
    if turn is None:
        sweep.available_at = turns.following(sweep, kinds, every, now=now)
        return None
    paused = any(setting.paused for kind, setting in kept.items() if DIRECTIONS[setting.direction].comes_in)
    return Begin(turn, kinds, every, keeps_cursor=paused)


def _last_full(session: Session, connection_id: int, kinds: Sequence[str]) -> datetime | None:
    """When the last import began that read all of these kinds to the end."""
    done = (SyncRun.connection_id == connection_id, SyncRun.state == "done")
    latest = select(SyncRun.resources, SyncRun.started_at).where(*done).order_by(SyncRun.id.desc()).limit(50)
    return next((row.started_at for row in session.execute(latest) if set(kinds) <= set(row.resources)), None)


def _was_imported(session: Session, connection_id: int) -> bool:
    done = select(SyncRun.id).where(SyncRun.connection_id == connection_id, SyncRun.state == "done").limit(1)
    return bool(session.scalars(done).all())


def _reopened(
    session: Session, connection_id: int, kept: dict[str, settings.Setting], swept_at: datetime | None
) -> list[str]:
    """Kinds that come in again since the last sweep, and did not before: what changed meanwhile was not asked for."""
    found = []
    for kind, setting in kept.items():
        if not (setting.allows_in and swept_at and setting.changed_at and setting.changed_at > swept_at):
            continue
        earlier = select(SyncSettings.direction).where(
            SyncSettings.connection_id == connection_id, SyncSettings.kind == kind,
            SyncSettings.version < setting.version,
        )  # fmt: skip
        if kind in RESOURCES and any(not DIRECTIONS[one].comes_in for one in session.scalars(earlier)):
            found.append(kind)
    return found


def reached(session: Session, connection_id: int, asked: Asked, *, since: datetime, now: datetime) -> datetime:
    """How far every change was read, by this sweep that began at `since` or by an import. Starts one where it lacks."""
    read = {kind: _last_full(session, connection_id, [kind]) or since for kind in asked.short}
    read_whole(session, connection_id, [kind for kind, at in read.items() if at <= since], now=now)
    open_ = [max(at, since) for kind, at in read.items() if at - SKEW < asked.short[kind]]
    return min([asked.until, *open_])


def read_whole(session: Session, connection_id: int, kinds: Sequence[str], *, now: datetime) -> bool:
    """Have an import read these kinds from the beginning. False where that must wait for one that is under way: it may
    be past them. True as well where nothing is to be read."""
    if not kinds:
        return True
    live = select(SyncRun.id).where(SyncRun.connection_id == connection_id, SyncRun.state.in_(LIVE)).limit(1)
    if session.scalars(live).all():
        return False
    try:
        runs.start_run(connection_id, resources=kinds, trigger="schedule", actor=SYSTEM, now=now)
    except Refused:
        return False  # the connection or its settings changed a moment ago; the next sweep finds it again
    return True
