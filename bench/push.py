"""Part: contacts nobody knows there are created in QuickBooks, as people ask for it and a worker sends it.

`fill` puts the contacts into an installation that has imported its company already, and lifts the guard that a first
plan lifts. `send` is what is measured: the wish for all of them is noted, then the outbox sends until nothing waits.
Its own throttle is in force.
"""

from __future__ import annotations

import csv
import time
from typing import Any

from sqlalchemy import func, select

from bench.child import answer, peak_mb
from bench.filling import CHUNK, store
from crm import clock, create_app
from crm.db import db, transaction
from crm.models import Connection, Contact, OutboxEntry
from crm.services import sync
from crm.services.audit import SYSTEM

MOST_SECONDS = 3600
"""Then something is wrong, and it is told instead of waited for."""


def work(deed: str, connection_id: int, contacts: str = "", ids: tuple[int, int] = (0, 0)) -> dict[str, Any]:
    """`deed` is `fill` (answers the first id and the one after the last) or `send` (those ids)."""
    with create_app().app_context():
        if deed == "fill":
            return {"ids": fill(connection_id, contacts)}
        return send(connection_id, range(*ids))


def fill(connection_id: int, contacts: str) -> tuple[int, int]:
    first = 1 + (db.session.scalar(select(func.max(Contact.id))) or 0)
    after = first
    with open(contacts, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for start in range(0, len(rows), CHUNK):
        store(rows[start : start + CHUNK], first=after, now=clock.now())
        after += len(rows[start : start + CHUNK])
    with transaction() as session:
        session.get_one(Connection, connection_id).read_only = False
    return first, after


def send(connection_id: int, ids: range) -> dict[str, Any]:
    at_rest, began, cpu = peak_mb(), time.monotonic(), time.process_time()
    with transaction() as session:
        asked = sync.ask_create(session, ids, connection_id, actor=SYSTEM, now=clock.now())
    while (states := counted(connection_id)).keys() & {"pending", "frozen"}:
        if time.monotonic() - began > MOST_SECONDS:
            raise RuntimeError(f"the outbox does not become empty: {states}")
        if not sync.send(connection_id, clock=clock.now):
            time.sleep(0.2)  # what is left waits for a moment of its own
    return {
        "seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - cpu, "at_rest_mb": round(at_rest, 1),
        "asked": asked.noted, "states": states, "records": states.get("done", 0),
    }  # fmt: skip


def counted(connection_id: int) -> dict[str, int]:
    """State -> entries in it."""
    db.session.rollback()
    query = select(OutboxEntry.state, func.count()).where(OutboxEntry.connection_id == connection_id)
    return {state: number for state, number in db.session.execute(query.group_by(OutboxEntry.state))}


if __name__ == "__main__":
    answer(work)
