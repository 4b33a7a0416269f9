"""Work on connections that happens without a person: checks asked for, grants kept alive, grants given back."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.db import transaction
from crm.services import budget, connections, grant_care


@shared_task(name="crm.tasks.connections.check")
def check(connection_id: int) -> None:
    connections.check(connection_id, clock=clock.now)


@shared_task(name="crm.tasks.connections.give_back")
def give_back(connection_id: int) -> None:
    connections.give_back(connection_id, clock=clock.now)


@shared_task(name="crm.tasks.connections.tend")
def tend() -> None:
    """What a lost bell left behind, and paused connections that may be well again.

    Twice is harmless: a check that was made, and a grant that was given back, are not due any more.
    """
    grant_care.tend(clock=clock.now)


@shared_task(name="crm.tasks.connections.keep_alive")
def keep_alive() -> None:
    """Twice is harmless: a grant renewed lately is not idle, and each warning is kept by its number of days."""
    grant_care.keep_alive(clock=clock.now)


@shared_task(name="crm.tasks.connections.watch_budget")
def watch_budget() -> None:
    """Twice is harmless: one notice stands open for the topic and gets the same words again."""
    with transaction():
        budget.watch(now=clock.now())
