"""What came in and waits to be understood: deliveries into events, events into reads; and the sweep that asks."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.db import transaction
from crm.services.sync import inbox, intake, replaying, sweep


@shared_task(name="crm.tasks.inbox.split")
def split() -> None:
    inbox.split(clock=clock.now)


@shared_task(name="crm.tasks.inbox.take_in")
def take_in(connection_id: int) -> None:
    intake.take_in(connection_id, clock=clock.now)


@shared_task(name="crm.tasks.inbox.ring_due")
def ring_due() -> None:
    """What a lost bell or a dead worker left behind."""
    with transaction():
        inbox.ring_due(now=clock.now())
        intake.ring_due(now=clock.now())


@shared_task(name="crm.tasks.inbox.decide_newcomers")
def decide_newcomers() -> None:
    sweep.decide_newcomers(clock=clock.now)


@shared_task(name="crm.tasks.inbox.sweep_changes")
def sweep_changes(connection_id: int) -> None:
    sweep.run(connection_id, clock=clock.now)


@shared_task(name="crm.tasks.inbox.ring_sweeps")
def ring_sweeps() -> None:
    with transaction():
        sweep.ring_due(now=clock.now())


@shared_task(name="crm.tasks.inbox.prune")
def prune() -> None:
    with transaction():
        replaying.prune(now=clock.now())
