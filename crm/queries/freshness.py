"""As of when what stands here is proven to be what the books say, by kind.

Whole readings prove a moment, and every sweep that asked for all changes up to its cursor proves a later one, as long
as nothing that was heard of waits to be read. A push or webhook proves the object it is about (`seen_at`), no kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select

from crm.db import db
from crm.models import InboxEvent, Sweep
from crm.queries import sync_settings

DOCUMENTS = ("invoice", "payment", "credit_memo")
"""Kinds that figures of documents are computed from."""


def proven(connection_id: int, read: Mapping[str, str]) -> dict[str, datetime]:
    """Kind -> as of when its mirror is complete; a kind that was never read whole is missing.

    `read`: the company's `Connection.read_at`.
    """
    moments = {kind: datetime.fromisoformat(text) for kind, text in read.items()}
    sweep = db.session.get(Sweep, connection_id, populate_existing=True)
    if sweep is None or sweep.cursor is None or not moments:
        return moments
    waits = set(db.session.scalars(
        select(InboxEvent.kind).where(InboxEvent.connection_id == connection_id, InboxEvent.state == "pending")
        .distinct()
    ))  # fmt: skip
    turns: Mapping[str, Mapping[str, str]] = sweep.counts.get("turns", {})
    settings = sync_settings.of_connection(db.session(), connection_id)
    for kind in moments.keys() - waits:
        if kind in settings and settings[kind].allows_in:
            own = turns.get(kind, {}).get("cursor")
            moments[kind] = max(moments[kind], datetime.fromisoformat(own) if own else sweep.cursor)
    return moments


def later(known: datetime | None, moments: Mapping[str, datetime], kinds: tuple[str, ...]) -> datetime | None:
    """`known`, or the later moment up to which all of the kinds are proven; None stays None: nothing was read."""
    if known is None or any(kind not in moments for kind in kinds):
        return known
    return max(known, min(moments[kind] for kind in kinds))
