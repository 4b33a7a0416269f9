"""The hands of proofs. A task that is lost or killed loses nothing: the row says what is due."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.db import transaction
from crm.services.sync import proof


@shared_task(name="crm.tasks.proofs.run")
def run(proof_id: int) -> None:
    proof.run(proof_id, clock=clock.now)


@shared_task(name="crm.tasks.proofs.tend")
def tend() -> None:
    with transaction():
        proof.ring_due(now=clock.now())


@shared_task(name="crm.tasks.proofs.start_due")
def start_due() -> None:
    with transaction():
        proof.start_due(now=clock.now())
