"""The one way an entry of the schedule runs: rung by beat, or by the bell when a person asked."""

from __future__ import annotations

from celery import current_app, shared_task

from crm import clock
from crm.db import transaction
from crm.services import job_care, jobs
from crm.tasks.schedule import SCHEDULE


@shared_task(name=jobs.TASK)
def run(key: str) -> None:
    entry = SCHEDULE.get(key)
    if entry is not None:  # rung by a beat of another release
        jobs.run(key, entry, current_app.tasks[entry.task].run, clock=clock.now)


@shared_task(name="crm.tasks.jobs.tend")
def tend() -> None:
    """Twice is harmless: a run is marked lost once only, and a bell too many finds the entry busy or just done."""
    with transaction():
        jobs.tend(SCHEDULE, now=clock.now())


@shared_task(name="crm.tasks.jobs.prune")
def prune() -> None:
    """Twice is harmless: what is old enough goes, and the second time nothing is."""
    job_care.prune(clock=clock.now)
