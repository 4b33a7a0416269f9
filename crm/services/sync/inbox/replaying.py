"""Taking up again what came in: deliveries replayed, single objects read again, and what is old cleared away.

Called by people through pages and API, and once a day by the schedule. A replay tells nothing new to the books: it only
reads, and finds nothing to do where nothing changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import delete, exists, select, update

from crm.bell import ring
from crm.db import changed, db
from crm.domain.errors import Invalid, NotFound, Refused
from crm.models import Connection, Delivery, InboxEvent
from crm.services import audit
from crm.services.audit import Actor
from crm.services.identity_keys import chunks
from crm.services.sync.inbox.inbox import SPLIT, TAKE_IN
from crm.services.sync.mirror.kinds import INCOMING

KEEP_BODIES = timedelta(days=30)
KEEP_EVENTS = timedelta(days=90)
MOST = 1000
"""Deliveries replayed at once."""


def replay(delivery_ids: Sequence[int], actor: Actor, *, now: datetime) -> int:
    """Split these deliveries again and act on their events again; answers how many there were.

    Events that were ignored are looked at with today's eyes. Raises NotFound, and Refused for too many.
    """
    ids = sorted(set(delivery_ids))
    if len(ids) > MOST:
        raise Refused(f"{len(ids):,} deliveries are too many for one replay. Choose at most {MOST:,}.")
    found = set(db.session.scalars(select(Delivery.id).where(Delivery.id.in_(ids)).with_for_update()))
    if not found:
        raise NotFound("There is no such delivery.")
    for part in chunks(sorted(found), 200):
        _again(part, now)
    audit.record("deliveries_replayed", actor=actor, now=now, subject="deliveries",
                 summary=f"{actor.label} replayed {len(found):,} webhook deliveries.",
                 details={"deliveries": sorted(found)[:50]})  # fmt: skip
    ring(SPLIT)
    return len(found)


def replay_between(since: datetime, until: datetime, *, actor: Actor, now: datetime) -> int:
    """The same for all that arrived in that time."""
    arrived = (Delivery.received_at >= since, Delivery.received_at <= until)
    ids = list(db.session.scalars(select(Delivery.id).where(*arrived).order_by(Delivery.id).limit(MOST + 1)))
    if not ids:
        raise NotFound("No delivery arrived in that time.")
    return replay(ids, actor, now=now)


def _again(ids: Sequence[int], now: datetime) -> None:
    mine = InboxEvent.delivery_id.in_(ids)
    readable = select(Delivery.id).where(Delivery.id.in_(ids), Delivery.body.is_not(None))
    # What was ignored is split anew from the body; the rest is simply due again.
    changed(delete(InboxEvent).where(mine, InboxEvent.state == "ignored", InboxEvent.delivery_id.in_(readable)))
    due = {"state": "pending", "available_at": now, "attempts": 0, "missed": 0, "outcome": "", "message": "",
           "settled_at": None}  # fmt: skip
    changed(update(InboxEvent).where(mine, InboxEvent.state.in_(("done", "failed"))).values(due))
    changed(update(Delivery).where(Delivery.id.in_(ids)).values(replayed_at=now))
    again = (Delivery.id.in_(ids), Delivery.body.is_not(None))
    changed(update(Delivery).where(*again).values(state="received", available_at=now, error=""))
    pending = select(InboxEvent.connection_id).where(mine, InboxEvent.state == "pending").distinct()
    for connection_id in sorted(id_ for id_ in db.session.scalars(pending) if id_ is not None):
        ring(TAKE_IN, connection_id)


def read_again(connection_id: int, kind: str, remote_id: str, *, actor: Actor, now: datetime) -> int:
    """Read this object of the books again, because a person asks; answers the id of the event. NotFound, Invalid."""
    if kind not in INCOMING:
        raise Invalid({"kind": f"There is no kind {kind!r} here. There are: {', '.join(INCOMING)}."})
    if not remote_id or len(remote_id) > 40 or not remote_id.isprintable():
        raise Invalid({"remote_id": "Give the id the object has in QuickBooks."})
    connection = db.session.get(Connection, connection_id)
    if connection is None:
        raise NotFound("There is no such connection.")
    if not connection.live:
        raise Refused("This connection does not work at present. Reconnect first.")
    event = InboxEvent(
        event_key=f"person:{uuid4().hex}", connection_id=connection_id, source="person", kind=kind, entity="",
        remote_id=remote_id, verb="updated", state="pending", available_at=now, occurred_at=now, created_at=now,
        message=f"Asked for by {actor.label}.",
    )  # fmt: skip
    db.session.add(event)
    db.session.flush()
    ring(TAKE_IN, connection_id)
    return event.id


def prune(*, now: datetime) -> None:
    """Raw bodies go after thirty days, settled events and deliveries without any after ninety."""
    old = now - KEEP_EVENTS
    split = (Delivery.received_at <= now - KEEP_BODIES, Delivery.state != "received", Delivery.body.is_not(None))
    changed(update(Delivery).where(*split).values(body=None))
    settled = (InboxEvent.state != "pending", InboxEvent.settled_at <= old)
    changed(delete(InboxEvent).where(*settled))
    told = exists(select(InboxEvent.id).where(InboxEvent.delivery_id == Delivery.id))
    changed(delete(Delivery).where(Delivery.received_at <= old, Delivery.state != "received", ~told))
