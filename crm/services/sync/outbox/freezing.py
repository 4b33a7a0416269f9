"""Making the bodies of claimed entries and freezing them with their key, in one transaction. `sending` calls it.

What must not go out is parked, dropped or put off instead, each with its reason.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from sqlalchemy import exists, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from crm.db import transaction
from crm.models import Connection, Link, OutboxEntry, OutboxNeed
from crm.providers.accounting import registry
from crm.services.sync.outbox import settling
from crm.services.sync.outbox.claiming import LEASE, Claim, ours
from crm.services.sync.outbox.kinds import OUTGOING
from crm.services.sync.outbox.kinds.port import Nothing, Park, Prepared, Send, Wait
from crm.services.sync.outbox.verdicts import TRAITS, Sent, drop, park, sent_of
from crm.services.sync.work import Batch, books_of

log = logging.getLogger(__name__)

NOT_THERE = "It belongs to something that is not in QuickBooks and is not on its way there. Create that there first."


def frozen_of(claim: Claim) -> list[Sent]:
    """Those of the claim that are still ours, as they were frozen."""
    with transaction() as session:
        entries = ours(session, claim, "frozen")
        return [sent_of(entry) for entry in entries]


def freeze_all(claim: Claim, *, clock: Callable[[], datetime], jitter: Callable[[], float]) -> list[Sent]:
    """Make and freeze their bodies. Where that fails each is tried alone, so that one bad entry stops no other."""
    try:
        return _freeze(claim, now=clock())
    except OperationalError:
        raise
    except Exception as error:
        if len(claim.entries) == 1:
            log.exception("preparing entry %s failed", *claim.entries)
            settling.we_failed(claim.connection_id, claim.entries, error, now=clock(), jitter=jitter())
            return []
    for entry_id, attempt in claim.entries.items():
        alone = replace(claim, entries={entry_id: attempt})
        sent = freeze_all(alone, clock=clock, jitter=jitter)
        settling.due_now([one.entry_id for one in sent], now=clock())  # each has a key of its own: the next rounds
    return []


def _freeze(claim: Claim, *, now: datetime) -> list[Sent]:
    with transaction() as session:
        for kind, local_ids in _objects(session, claim).items():
            OUTGOING[kind].hold(session, local_ids)
        entries = ours(session, claim, "pending")
        connection = session.get_one(Connection, claim.connection_id, populate_existing=True)
        if not connection.live or connection.read_only:
            for entry in entries:
                entry.available_at = now
            return []
        batch = Batch(session, books_of(connection), now)
        key, body = uuid4().hex, registry.body(connection.provider)
        prepared: dict[int, Prepared] = {
            entry_id: Park("reference", NOT_THERE, {"kind": kind, "local_id": local_id})
            for entry_id, (kind, local_id) in _lost_needs(session, entries).items()
        }
        for kind in sorted({entry.kind for entry in entries}):
            mine = [e for e in entries if e.kind == kind and e.id not in prepared]
            prepared |= OUTGOING[kind].prepare(batch, mine, body=body)
        frozen = [entry for entry in entries if _become(batch, entry, prepared[entry.id], key)]
        session.flush()
        return [sent_of(entry) for entry in frozen]


def _objects(session: Session, claim: Claim) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    mine = OutboxEntry.id.in_(claim.entries)
    for kind, local_id in session.execute(
        select(OutboxEntry.kind, OutboxEntry.local_id).where(mine).order_by(OutboxEntry.kind, OutboxEntry.local_id)
    ):
        found.setdefault(kind, []).append(local_id)
    return found


def _lost_needs(session: Session, entries: Sequence[OutboxEntry]) -> dict[int, tuple[str, int]]:
    """Entry -> an object it needs that has no link of any state. Nothing brings it there: else it was not claimed."""
    link = exists(select(Link.id).where(
        Link.connection_id == OutboxEntry.connection_id, Link.kind == OutboxNeed.kind,
        Link.local_id == OutboxNeed.local_id,
    ))  # fmt: skip
    query = (
        select(OutboxNeed.entry_id, OutboxNeed.kind, OutboxNeed.local_id)
        .join(OutboxEntry, OutboxEntry.id == OutboxNeed.entry_id)
        .where(OutboxNeed.entry_id.in_([entry.id for entry in entries]), ~link)
        .order_by(OutboxNeed.id)
    )
    return {entry_id: (kind, local_id) for entry_id, kind, local_id in session.execute(query)}


def _become(batch: Batch, entry: OutboxEntry, what: Prepared, key: str) -> bool:
    """The entry after it was looked at; whether it goes out now."""
    entry.updated_at = batch.now
    match what:
        case Send():
            entry.state, entry.frozen_at, entry.generation = "frozen", batch.now, entry.generation + 1
            entry.request_key, entry.batch_item = key, f"e{entry.id % 10**8}"
            entry.available_at = batch.now + LEASE
            entry.operation, entry.body, entry.before = what.operation, what.body, what.before
            entry.changes, entry.remote_id = what.changes, what.remote_id
            if what.traits:
                entry.options = {**entry.options, TRAITS: dict(what.traits)}
            return True
        case Nothing():
            drop(batch, entry, what.why)
        case Park():
            park(batch, entry, what.cause, what.error, what.evidence)
        case Wait():
            entry.available_at, entry.error = what.until, what.why
    return False
