"""The hands of an import. A task that is lost or killed loses nothing: the sweep finds the run again."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.db import transaction
from crm.services import sync
from crm.services.sync import log_care


@shared_task(name="crm.tasks.sync.run")
def run(run_id: int) -> None:
    sync.run(run_id, clock=clock.now)


@shared_task(name="crm.tasks.sync.sweep")
def sweep() -> None:
    """Twice is harmless: it only rings, and an import has a lease of its own."""
    with transaction():
        sync.ring_due(now=clock.now())


@shared_task(name="crm.tasks.sync.start_due")
def start_due() -> None:
    """Twice is harmless: an import under way is not started again, and one that was done is not due."""
    with transaction():
        sync.start_due(now=clock.now())


@shared_task(name="crm.tasks.sync.refresh_aging")
def refresh_aging() -> None:
    """Twice is harmless: the facts are made anew from the mirror, and the same day makes the same facts."""
    sync.refresh_aging(clock=clock.now)


@shared_task(name="crm.tasks.sync.prune_log")
def prune_log() -> None:
    """Twice is harmless: what is old enough goes, and the second time nothing is."""
    log_care.prune(clock=clock.now)
