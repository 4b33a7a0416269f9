"""Part: the change sweep of a company in which nothing changed, as a worker runs it every quarter of an hour.

`ready` reads the company whole and sweeps it once, which also reads the lists that are read once a day. `sweep` is what
is measured: the one after it.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import update

from bench.child import answer, peak_mb
from crm import clock, create_app
from crm.db import changed, db, transaction
from crm.models import Sweep, SyncRun
from crm.services import sync
from crm.services.audit import SYSTEM
from crm.services.sync.sweep import sweep


def work(deed: str, connection_id: int) -> dict[str, Any]:
    """`deed` is `ready` or `sweep`."""
    with create_app().app_context():
        if deed == "ready":
            return ready(connection_id)
        due(connection_id)
        at_rest, began, cpu = peak_mb(), time.monotonic(), time.process_time()
        swept(connection_id)
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        counts = db.session.get_one(Sweep, connection_id, populate_existing=True).counts
        return {"seconds": seconds, "cpu_seconds": cpu, "at_rest_mb": round(at_rest, 1), "counts": counts,
                "changed": counts.get("changed", 0)}  # fmt: skip


def ready(connection_id: int) -> dict[str, Any]:
    with transaction():
        run_id = sync.start_run(
            connection_id, resources=list(sync.RESOURCES), trigger="command", actor=SYSTEM, now=clock.now()
        ).id
    while (run := db.session.get_one(SyncRun, run_id, populate_existing=True)).live:
        sync.run(run_id, clock=clock.now)
    if run.state != "done":
        raise RuntimeError(f"the import ended as {run.state}: {run.error}")
    with transaction():
        sweep.ring_due(now=clock.now())  # gives the company its row
    due(connection_id)
    swept(connection_id)
    return {"customers": run.progress["customer"]["done"]}


def due(connection_id: int) -> None:
    with transaction():
        changed(update(Sweep).where(Sweep.connection_id == connection_id).values(available_at=clock.now()))


def swept(connection_id: int) -> None:
    if not sweep.run(connection_id, clock=clock.now):
        db.session.rollback()
        row = db.session.get_one(Sweep, connection_id, populate_existing=True)
        raise RuntimeError(f"the sweep was not done: {row.error or 'it was not due'}")


if __name__ == "__main__":
    answer(work)
