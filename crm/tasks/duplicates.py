"""The hands of the search for duplicates. A task that is lost or killed loses nothing: `tend` rings again."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.db import transaction
from crm.services import duplicates, match_learning


@shared_task(name="crm.tasks.duplicates.run")
def run(run_id: int) -> None:
    duplicates.advance(run_id, clock=clock.now)


@shared_task(name="crm.tasks.duplicates.tend")
def tend() -> None:
    """Twice is harmless: it only rings, and a search has a lease of its own."""
    with transaction():
        duplicates.ring_due(now=clock.now())
    with transaction():
        duplicates.look_again(now=clock.now())


@shared_task(name="crm.tasks.duplicates.start_due")
def start_due() -> None:
    """Twice is harmless: a search that was started within the day is not due."""
    with transaction():
        duplicates.start_due(now=clock.now())


@shared_task(name="crm.tasks.duplicates.learn_due")
def learn_due() -> None:
    """Twice is harmless: what was learned tonight is found, and the same counts make the same points."""
    with transaction():
        match_learning.learn_due(now=clock.now())
