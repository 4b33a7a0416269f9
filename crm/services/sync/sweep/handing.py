"""What a sweep read and could not store, handed to the inbox: one event for each object.

One object that cannot be applied takes the whole transaction of a sweep with it, and would do so each time. The inbox
reads each object again, and tries by itself whatever failed together with others; so the rest comes in, and the one
that does not is named there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from crm.bell import ring
from crm.services.sync.imports.fetch import refuse
from crm.services.sync.inbox import event_rows
from crm.services.sync.inbox.event_rows import plain
from crm.services.sync.inbox.inbox import TAKE_IN
from crm.services.sync.sweep.sweeping import Asked
from crm.services.sync.work import Batch

MESSAGE = "A sweep read it and could not store it together with the others."


def hand_over(batch: Batch, asked: Asked) -> int:
    """Events for all that was read, and the inbox's bell; answers how many were not there yet.

    What the next sweep reads again within its overlap is the same event, unless it changed since.
    """
    rows = {row["event_key"]: row for row in _rows(batch, asked)}
    new = event_rows.insert(batch.session, rows)
    for refusal in asked.reading.refusals.values():
        if not refusal.remote_id:
            refuse(batch, refusal)  # nobody can ask for it again
    if new:
        ring(TAKE_IN, batch.books.id)
    return len(new)


def _rows(batch: Batch, asked: Asked) -> Iterator[dict[str, Any]]:
    for kind, found in asked.reading.records.items():
        for remote_id, record in found.items():
            # All of it, since balances move under the same version.
            yield _row(batch, (kind, remote_id, "updated"), record.origin.updated_at, repr(record))
    for kind, remote_id in asked.reading.refusals:
        if remote_id:
            yield _row(batch, (kind, remote_id, "updated"), asked.until, "")
    for (kind, remote_id), at in asked.gone.items():
        yield _row(batch, (kind, remote_id, "deleted"), at or asked.until, "")


def _row(batch: Batch, what: tuple[str, str, str], at: datetime | None, content: str) -> dict[str, Any]:
    """`what`: kind, remote id and verb."""
    kind, remote_id, verb = what
    return {
        "event_key": event_rows.digest("sweep", str(batch.books.id), kind, remote_id, verb, str(at), content),
        "connection_id": batch.books.id, "source": "sweep", "kind": kind, "entity": "",
        "remote_id": plain(remote_id, 40), "verb": verb, "other_remote_id": "", "occurred_at": at, "state": "pending",
        "available_at": batch.now, "message": MESSAGE, "created_at": batch.now,
    }  # fmt: skip
