"""Files of contacts on their way in, and on their way out again."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.services import contact_imports


@shared_task(name="crm.tasks.contact_imports.run")
def run(import_id: int) -> None:
    contact_imports.run(import_id, clock=clock.now)


@shared_task(name="crm.tasks.contact_imports.sweep")
def sweep() -> None:
    """What a lost bell or a dead worker left behind."""
    contact_imports.sweep(clock=clock.now)
