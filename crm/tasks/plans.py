"""The hands of plans. A task that is lost or killed loses nothing: the sweep finds the plan again."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.db import transaction
from crm.services.sync.plans import plans


@shared_task(name="crm.tasks.plans.run")
def run(plan_id: int) -> None:
    plans.run(plan_id, clock=clock.now)


@shared_task(name="crm.tasks.plans.sweep")
def sweep() -> None:
    """Twice is harmless: it only rings, and a plan has a lease of its own."""
    with transaction():
        plans.ring_due(now=clock.now())
