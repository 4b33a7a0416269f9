"""The runner of file imports: claims one, works through its rows page by page, and settles it, whatever happens.

The rows table is the checkpoint: a row without outcome is still to do, so a run that was killed goes on where it
stopped and does nothing twice. One transaction per page. Called by the tasks and by `flask contacts import`.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.exc import OperationalError

from crm.bell import ring
from crm.db import db, transaction
from crm.domain.delivery import delay
from crm.models import ContactImport, ContactImportRow, User
from crm.services import contact_import_rows as rows_of
from crm.services.audit import Actor
from crm.services.contact_import_decisions import decide
from crm.services.contact_import_undo import take_back

log = logging.getLogger(__name__)

TASK = "crm.tasks.contact_imports.run"
PAGE = 1000
LEASE = timedelta(minutes=2)
SLICE = timedelta(minutes=10)
"""Then the worker lets go, so that one long file does not keep others waiting; the bell is rung at once."""
MOST_TRIES = 5
"""So often in a row a database that is away is waited for (about eight minutes); then a person should look."""
BUSY = ("queued", "running", "cancelling", "undoing")
FAILED = "Something went wrong on our side; the log says what. What was imported so far is kept. Try again to go on."
AWAY = "The database could not be reached for a while. What was imported so far is kept. Try again to go on."
TRYING = "The database could not be reached; the import goes on by itself as soon as it answers."


def run(
    import_id: int, *, clock: Callable[[], datetime], jitter: Callable[[], float] = random.random
) -> ContactImport:
    """Do the pages that are left, one transaction each, until the end, a cancel, or the end of the time slice.

    Another worker at it, or nothing to do: returns at once. A database that is away is waited for and tried again;
    anything else unexpected ends the import, with its sentence, and is raised.
    """
    if _claim(import_id, clock()):
        try:
            _through_pages(import_id, clock=clock)
        except OperationalError as trouble:
            log.warning("file import %s: the database is away (%s)", import_id, type(trouble.orig).__name__)
            _try_later(import_id, now=clock(), jitter=jitter())
        except Exception:
            with transaction():
                _end(db.session.get_one(ContactImport, import_id), "failed", clock(), FAILED)
            raise
    return db.session.get_one(ContactImport, import_id, populate_existing=True)


def due(now: datetime) -> list[int]:
    """Imports whose bell was lost or whose worker died: what the schedule rings again."""
    idle = or_(ContactImport.lease_until.is_(None), ContactImport.lease_until < now)
    busy = select(ContactImport.id).where(ContactImport.state.in_(BUSY), idle)
    return list(db.session.scalars(busy.order_by(ContactImport.id)))


def ring_due(*, now: datetime) -> list[int]:
    """Ring for them; answers their ids. Needs the open transaction."""
    ids = due(now)
    for import_id in ids:
        ring(TASK, import_id)
    return ids


def _claim(import_id: int, now: datetime) -> bool:
    """Take the import for this worker: one compare-and-set, so that two never run the same one."""
    idle = or_(ContactImport.lease_until.is_(None), ContactImport.lease_until < now)
    with transaction():
        for state in ("undoing", "queued", "running", "cancelling"):
            free = idle if state != "cancelling" else or_(idle, ContactImport.error != "")
            claimed = db.session.execute(
                update(ContactImport)
                .where(ContactImport.id == import_id, ContactImport.state == state, free)
                .values(state="running" if state == "queued" else state, lease_until=now + LEASE)
            )
            if claimed.rowcount:  # type: ignore[attr-defined]
                found = db.session.get_one(ContactImport, import_id, populate_existing=True)
                found.options = {**found.options, "since": now.isoformat(), "from": found.done}
                return True
    return False


def _through_pages(import_id: int, *, clock: Callable[[], datetime]) -> None:
    until = clock() + SLICE
    while _run_page(import_id, clock()):
        if clock() >= until:
            with transaction():
                db.session.get_one(ContactImport, import_id).lease_until = None
                ring(TASK, import_id)
            return


def _run_page(import_id: int, now: datetime) -> bool:
    """One page in one transaction; False when there is none left."""
    with transaction():
        found = db.session.get_one(ContactImport, import_id, populate_existing=True, with_for_update=True)
        if found.state == "cancelling":
            _end(found, "cancelled", now)
        if found.state not in ("running", "undoing"):
            return False
        actor = _actor(found)
        step = _undo_step if found.state == "undoing" else _import_step
        found.options = {**found.options, "tries": 0, "rate": _rate(found, now)}
        found.error = ""
        more = step(found, actor, now)
        found.lease_until = now + LEASE
        if not more:
            _end(found, "undone" if found.state == "undoing" else "done", now)
    db.session.expunge_all()  # memory stays flat however long the file is
    return more


def _rate(found: ContactImport, now: datetime) -> float | None:
    """Rows a second since this worker began; before its first page is stored, what was measured before."""
    options = found.options
    seconds = (now - datetime.fromisoformat(options["since"])).total_seconds() if "since" in options else 0
    rows = found.done - options.get("from", 0)
    return round(rows / seconds, 1) if seconds > 0 and rows > 0 else options.get("rate")


def _end(found: ContactImport, state: str, now: datetime, error: str = "") -> None:
    found.state, found.error, found.lease_until, found.finished_at = state, error, None, now


def _try_later(import_id: int, *, now: datetime, jitter: float) -> None:
    """Wait longer each time, by way of the lease; while the database is away for this too, the lease itself waits."""
    try:
        with transaction():
            found = db.session.get_one(ContactImport, import_id, populate_existing=True, with_for_update=True)
            tries = int(found.options.get("tries", 0)) + 1
            found.options = {**found.options, "tries": tries}
            if found.state == "cancelling":
                _end(found, "cancelled", now)
            elif tries > MOST_TRIES:
                _end(found, "failed", now, AWAY)
            else:
                found.error, found.lease_until = TRYING, now + timedelta(seconds=delay(tries, jitter=jitter))
    except OperationalError as trouble:
        log.warning("file import %s stays where it is (%s)", import_id, type(trouble.orig).__name__)


def _import_step(found: ContactImport, actor: Actor, now: datetime) -> bool:
    rows = _rows(found.id, ("",))
    if rows:
        options = found.options
        duplicates = options.get("duplicates", "update")
        decisions = decide(rows, found.mapping, duplicates)
        rows_of.carry_out(decisions, owner_id=options.get("owner_id"), actor=actor, now=now)
        found.counts = _sum(found.counts, (d.outcome for d in decisions if not d.later))
        found.done = sum(found.counts.values())
    return bool(rows)


def _undo_step(found: ContactImport, actor: Actor, now: datetime) -> bool:
    last = int(found.options.get("undo_from", 0))
    rows = _rows(found.id, ("created", "updated"), after=last)
    if rows:
        undone, kept = take_back(rows, actor=actor, now=now)
        counts = dict(found.counts)
        counts["undone"], counts["kept"] = counts.get("undone", 0) + undone, counts.get("kept", 0) + kept
        found.counts, found.done = counts, counts["undone"] + counts["kept"]
        found.options = {**found.options, "undo_from": rows[-1].number}
    return bool(rows)


def _rows(import_id: int, outcomes: Sequence[str], after: int = 0) -> list[ContactImportRow]:
    query = select(ContactImportRow).where(
        ContactImportRow.import_id == import_id, ContactImportRow.outcome.in_(outcomes), ContactImportRow.number > after
    )
    return list(db.session.scalars(query.order_by(ContactImportRow.number).limit(PAGE)))


def _actor(found: ContactImport) -> Actor:
    user = db.session.get(User, found.created_by_id) if found.created_by_id else None
    if user is None:
        return Actor(name=found.filename, source="file")
    name, shown = f"{found.filename} ({user.email})", f"{found.filename} ({user.label})"
    return Actor(name=name, user_id=user.id, source="file", shown_as=shown)


def _sum(counts: Mapping[str, int], outcomes: Iterator[str] | Any) -> dict[str, int]:
    out = dict(counts)
    for outcome in outcomes:
        out[outcome] = out.get(outcome, 0) + 1
    return out
