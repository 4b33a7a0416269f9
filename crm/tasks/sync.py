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
    with transaction():
        sync.ring_due(now=clock.now())


@shared_task(name="crm.tasks.sync.start_due")
def start_due() -> None:
    with transaction():
        sync.start_due(now=clock.now())


@shared_task(name="crm.tasks.sync.refresh_aging")
def refresh_aging() -> None:
    sync.refresh_aging(clock=clock.now)


@shared_task(name="crm.tasks.sync.prune_log")
def prune_log() -> None:
    log_care.prune(clock=clock.now)
