"""The application for Celery with a schedule of its own, short enough for tests.

Everything else is as in production. What the entries do is written to a file: a line as a run begins, one as it ends.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

from celery import shared_task

from crm import create_app
from crm.domain.jobs import Entry
from crm.services import job_pulse, jobs
from crm.tasks.schedule import SCHEDULE

HOME = Path(os.environ["SCHEDULE_HOME"])
QUEUE = os.environ["SCHEDULE_QUEUE"]
job_pulse.LEASE, job_pulse.EVERY = timedelta(seconds=4), 0.5
jobs.UNHEARD = timedelta(seconds=1)


def note(name: str, what: str) -> None:
    with (HOME / name).open("a") as file:
        file.write(f"{what} {os.getpid()} {time.time()}\n")


@shared_task(name="tests.tick")
def tick() -> None:
    note("tick", "began")
    time.sleep(0.2)
    note("tick", "ended")


@shared_task(name="tests.slow")
def slow() -> None:
    note("slow", "began")
    if (HOME / "hang").exists():
        note("slow", "hangs")
    while (HOME / "hang").exists():
        time.sleep(0.05)
    note("slow", "ended")


@shared_task(name="tests.seldom")
def seldom() -> None:
    note("seldom", "began")
    note("seldom", "ended")


SCHEDULE.clear()
SCHEDULE.update({
    "tick": Entry("tests.tick", timedelta(seconds=0.5), "Tick", "So that a test sees it ring."),
    "slow": Entry("tests.slow", timedelta(seconds=1), "Slow", "So that a test can kill its worker."),
    "seldom": Entry("tests.seldom", timedelta(hours=1), "Seldom", "So that only a person makes it run."),
    "jobs-tend": Entry("crm.tasks.jobs.tend", timedelta(seconds=1), "Tend", "As in production."),
})  # fmt: skip

celery_app = create_app().extensions["celery"]
celery_app.conf.task_default_queue = QUEUE
celery_app.conf.beat_max_loop_interval = 0.2
