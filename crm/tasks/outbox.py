"""The hands of the outbox. A task that is lost or killed loses nothing: `tend` rings again for whatever is due."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.db import transaction
from crm.services import sync


@shared_task(name="crm.tasks.outbox.send")
def send(connection_id: int) -> None:
    sync.send(connection_id, clock=clock.now)


@shared_task(name="crm.tasks.outbox.tend")
def tend() -> None:
    """Twice is harmless: it only rings, and entries are claimed by compare-and-set."""
    with transaction():
        sync.tend_outbox(now=clock.now())


@shared_task(name="crm.tasks.outbox.tell")
def tell() -> None:
    """Twice is harmless: one notice stands open for the topic and gets the same words again."""
    with transaction():
        sync.tell_parked(now=clock.now())
