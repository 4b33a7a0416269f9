"""The hands of proofs. A task that is lost or killed loses nothing: the row says what is due."""

from __future__ import annotations

from celery import shared_task

from crm import clock
from crm.db import transaction
from crm.services.sync.proof import proof


@shared_task(name="crm.tasks.proofs.run")
def run(proof_id: int) -> None:
    proof.run(proof_id, clock=clock.now)


@shared_task(name="crm.tasks.proofs.tend")
def tend() -> None:
    """Twice is harmless: it only rings, and a proof has a lease of its own."""
    with transaction():
        proof.ring_due(now=clock.now())


@shared_task(name="crm.tasks.proofs.start_due")
def start_due() -> None:
    """Twice is harmless: the night's proof is found by its moment, and one under way is answered again."""
    with transaction():
        proof.start_due(now=clock.now())
