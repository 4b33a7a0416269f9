"""Part: the CRM's own import of customers with matching and linking, as a worker runs it."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from bench.child import answer, peak_mb
from crm import clock, create_app
from crm.db import db, transaction
from crm.models import SyncRun
from crm.services import sync
from crm.services.audit import SYSTEM


def work(connection_id: int) -> dict[str, Any]:
    with create_app().app_context():
        at_rest = peak_mb()
        with transaction():
            run = sync.start_run(
                connection_id, resources=["customer"], trigger="command", actor=SYSTEM, now=clock.now()
            )
            run_id = run.id
        began, cpu = time.monotonic(), time.process_time()
        while (run := db.session.get(SyncRun, run_id, populate_existing=True)) is not None and run.live:
            sync.run(run_id, clock=clock.now)  # lets go after its time slice and goes on where it was
            if (run := db.session.get(SyncRun, run_id, populate_existing=True)) and run.state == "waiting":
                raise RuntimeError(f"the import waits: {run.error}")
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        if run is None or run.state != "done":
            raise RuntimeError(f"the import ended as {run and run.state}: {run and run.error}")
        return {
            "seconds": seconds, "cpu_seconds": cpu, "at_rest_mb": round(at_rest, 1), "counts": run.counts,
            "steps": steps(run.progress), "records": run.progress["customer"]["done"],
        }  # fmt: skip


def steps(progress: dict[str, Any]) -> dict[str, float]:
    """Seconds each step took."""
    return {
        name: (datetime.fromisoformat(step["finished_at"]) - datetime.fromisoformat(step["started_at"])).total_seconds()
        for name, step in progress.items()
        if "finished_at" in step
    }


if __name__ == "__main__":
    answer(work)
