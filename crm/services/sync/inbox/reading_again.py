"""Asking for objects to be read again: an event of a person, as a webhook would tell it. The inbox does the rest."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import uuid4

from sqlalchemy import insert, select

from crm.bell import ring
from crm.db import db, table_of
from crm.models import InboxEvent

TASK = "crm.tasks.inbox.take_in"


def read_again(connection_id: int, objects: Collection[tuple[str, str]], *, asked_by: str, now: datetime) -> int:
    """Have these (kind, id) read again; answers how many. In the caller's transaction; rings the bell of the inbox.

    What is due in the inbox already is not asked for twice. What a worker has taken up is: it may have been read before
    what the caller knows of.
    """
    waiting = select(InboxEvent.kind, InboxEvent.remote_id).where(
        InboxEvent.connection_id == connection_id, InboxEvent.state == "pending", InboxEvent.available_at <= now
    )
    known = {(row[0], row[1]) for row in db.session.execute(waiting)}
    rows = [
        {"event_key": f"person:{uuid4().hex}", "connection_id": connection_id, "source": "person", "kind": kind,
         "entity": "", "remote_id": remote_id, "verb": "updated", "other_remote_id": "", "state": "pending",
         "available_at": now, "occurred_at": now, "created_at": now, "outcome": "",
         "message": f"Asked for by {asked_by}."}
        for kind, remote_id in sorted(set(objects) - known)
        if remote_id
    ]  # fmt: skip
    if rows:
        db.session.execute(insert(table_of(InboxEvent)), rows)
    if objects:
        ring(TASK, connection_id)
    return len(objects)
