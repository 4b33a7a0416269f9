"""The hands of plans. A task that is lost or killed loses nothing: the sweep finds the plan again."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.services.sync import plans


@shared_task(name="crm.tasks.plans.run")
def run(plan_id: int) -> None:
    plans.run(plan_id, clock=clock.now)


@shared_task(name="crm.tasks.plans.sweep")
def sweep() -> None:
    plans.sweep(clock=clock.now)
