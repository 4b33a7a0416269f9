"""The application for Celery with what moves contacts between segments alone, every second.

Everything else is as in production. A refresh writes a line as it begins and as it ends, and while there is a file
`hang` it stands still in its transaction, after it took the notes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from crm import create_app
from crm.services import job_pulse, jobs, places, segment_refresh
from crm.tasks.schedule import SCHEDULE

HOME = Path(os.environ["SCHEDULE_HOME"])
job_pulse.LEASE, job_pulse.EVERY = timedelta(seconds=4), 0.5
jobs.UNHEARD = timedelta(seconds=1)


def note(what: str) -> None:
    with (HOME / "refresh").open("a") as file:
        file.write(f"{what} {os.getpid()}\n")


def told(work: Callable[..., int]) -> Callable[..., int]:
    def refresh(**how: Any) -> int:
        note("began")
        try:
            return work(**how)
        finally:
            note("ended")

    return refresh


def slow(settle: Callable[..., Any]) -> Callable[..., Any]:
    def settled(*given: Any) -> Any:
        if (HOME / "hang").exists():
            note("taken")
            while (HOME / "hang").exists():
                time.sleep(0.05)
        return settle(*given)

    return settled


segment_refresh.refresh_changed = told(segment_refresh.refresh_changed)
places.settle = slow(places.settle)

KEPT = {"segments-changed", "jobs-tend"}
for key in list(SCHEDULE):
    if key in KEPT:
        SCHEDULE[key] = replace(SCHEDULE[key], every=timedelta(seconds=1))
    else:
        del SCHEDULE[key]

celery_app = create_app().extensions["celery"]
celery_app.conf.task_default_queue = os.environ["SCHEDULE_QUEUE"]
celery_app.conf.beat_max_loop_interval = 0.2
