"""Notices to admins: one open notice per topic and connection, told once, settled when the cause is gone.

Services call `post()` when something needs an admin and `settle()` when it no longer does. Posting a topic that is open
already changes its words at most. Who reads them, and where they are shown, is the pages' business.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from crm.db import changed, db
from crm.models import Connection, Notice


def post(topic: str, connection_id: int, *, level: str, text: str, now: datetime) -> bool:
    """Open the notice, or give the open one these words. Answers whether admins hear of it for the first time."""
    # The connection's row is locked (SQLite locks the whole file), so that two processes cannot open it twice; with
    # key_share, so that nobody waits who only adds rows that name the connection.
    db.session.execute(select(Connection.id).where(Connection.id == connection_id).with_for_update(key_share=True))
    found = db.session.scalar(
        select(Notice).where(Notice.topic == topic, Notice.connection_id == connection_id, Notice.settled_at.is_(None))
    )
    if found is not None:
        found.level, found.text = level, text
        return False
    db.session.add(Notice(topic=topic, connection_id=connection_id, level=level, text=text, created_at=now))
    return True


def settle(connection_id: int, *topics: str, now: datetime) -> int:
    """Close the open notices of these topics; answers how many there were."""
    return changed(
        update(Notice)
        .where(Notice.connection_id == connection_id, Notice.topic.in_(topics), Notice.settled_at.is_(None))
        .values(settled_at=now)
    )
