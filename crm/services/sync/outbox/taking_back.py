"""What waits to be created in the books, and was surely never sent, is taken back: nothing goes out, nothing is there.

The caller holds the object's lock.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.models import OutboxEntry
from crm.services.audit import Actor
from crm.services.sync.outbox import outbox
from crm.services.sync.outbox.verdicts import drop
from crm.services.sync.work import Batch, books_of


def take_back(session: Session, kind: str, local_id: int, *, actor: Actor, now: datetime) -> bool:
    """Whether nothing of it waits any more. False: it is on its way, or may have arrived."""
    query = (
        select(OutboxEntry)
        .where(OutboxEntry.kind == kind, OutboxEntry.local_id == local_id, OutboxEntry.state.in_(outbox.OPEN))
        .order_by(OutboxEntry.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    entries = session.scalars(query).all()
    if any(entry.request_key or entry.state == "frozen" for entry in entries):
        return False
    for entry in entries:
        drop(Batch(session, books_of(entry.connection), now), entry, f"{actor.label} took it back before it was sent.")
    return True
