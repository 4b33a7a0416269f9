"""Linked contacts whose customer changed while an import that is planned first reads: held until the plan is approved.

The mirror is as the books are; what it changes at the contact waits, as lines of the sync log that the plan is made of
(`plans/import_following`). Without its hash the customer's row is taken for changed when it is read next, by whomever:
what was not approved comes in then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.models import Customer, SyncLogEntry
from crm.services.sync.merge.comparing import Linked
from crm.services.sync.work import Batch

EVENT = "contact_held"


def hold(batch: Batch, linked: Sequence[Linked]) -> None:
    """In two statements, however many."""
    if not linked:
        return
    mine = (Customer.connection_id == batch.books.id, Customer.remote_id.in_([one.remote_id for one in linked]))
    batch.session.execute(update(table_of(Customer)).where(*mine).values(content_hash=""))
    batch.session.execute(insert(table_of(SyncLogEntry)), [
        {"connection_id": batch.books.id, "run_id": batch.run_id, "at": batch.now, "level": "info", "event": EVENT,
         "kind": "customer", "remote_id": one.remote_id, "contact_id": one.contact_id, "direction": "in",
         "message": "Changed in QuickBooks. What that changes at the contact waits for the plan of the import.",
         "error_code": "", "trace_id": "", "trigger": batch.trigger, "outcome": "", "details": {}}
        for one in linked
    ])  # fmt: skip
    batch.count("held", len(linked))


def contacts_of(run_id: int) -> Any:
    """The contacts a run held, once each."""
    mine = (SyncLogEntry.run_id == run_id, SyncLogEntry.event == EVENT, SyncLogEntry.contact_id.is_not(None))
    return select(SyncLogEntry.contact_id).where(*mine).distinct()


def page_of(session: Session, run_id: int, *, after: int, limit: int) -> list[int]:
    query = contacts_of(run_id).where(SyncLogEntry.contact_id > after).order_by(SyncLogEntry.contact_id).limit(limit)
    return [id_ for id_ in session.scalars(query) if id_]
