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
    with transaction():
        sync.tend_outbox(now=clock.now())


@shared_task(name="crm.tasks.outbox.tell")
def tell() -> None:
    """Admins hear of what has been parked for over an hour."""
    with transaction():
        sync.tell_parked(now=clock.now())
