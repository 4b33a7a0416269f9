"""Files of contacts on their way in, and on their way out again."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.db import transaction
from crm.services import contact_imports


@shared_task(name="crm.tasks.contact_imports.run")
def run(import_id: int) -> None:
    contact_imports.run(import_id, clock=clock.now)


@shared_task(name="crm.tasks.contact_imports.sweep")
def sweep() -> None:
    """Twice is harmless: it only rings, and an import has a lease of its own."""
    with transaction():
        contact_imports.ring_due(now=clock.now())
