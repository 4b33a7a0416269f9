"""What came in and waits to be understood: deliveries into events, events into reads; and the sweep that asks."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.db import transaction
from crm.services.sync.inbox import inbox, intake, replaying
from crm.services.sync.sweep import sweep


@shared_task(name="crm.tasks.inbox.split")
def split() -> None:
    inbox.split(clock=clock.now)


@shared_task(name="crm.tasks.inbox.take_in")
def take_in(connection_id: int) -> None:
    intake.take_in(connection_id, clock=clock.now)


@shared_task(name="crm.tasks.inbox.ring_due")
def ring_due() -> None:
    """Twice is harmless: it only rings, and what is taken in is claimed row by row."""
    with transaction():
        inbox.ring_due(now=clock.now())
        intake.ring_due(now=clock.now())


@shared_task(name="crm.tasks.inbox.decide_newcomers")
def decide_newcomers() -> None:
    """Twice is harmless: a customer that was decided about is not new any more."""
    sweep.decide_newcomers(clock=clock.now)


@shared_task(name="crm.tasks.inbox.sweep_changes")
def sweep_changes(connection_id: int) -> None:
    sweep.run(connection_id, clock=clock.now)


@shared_task(name="crm.tasks.inbox.ring_sweeps")
def ring_sweeps() -> None:
    """Twice is harmless: it only rings, and a sweep is claimed by its row; a missing row is made once."""
    with transaction():
        sweep.ring_due(now=clock.now())


@shared_task(name="crm.tasks.inbox.prune")
def prune() -> None:
    """Twice is harmless: what is old enough goes, and the second time nothing is."""
    with transaction():
        replaying.prune(now=clock.now())
