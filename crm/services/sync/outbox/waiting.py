"""What waits behind an entry of the outbox, what need not wait any more, and what has waited too long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import exists, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from crm.db import changed, db
from crm.domain.records import KINDS
from crm.models import Connection, Customer, Link, OutboxEntry, OutboxNeed
from crm.services import notices
from crm.services.sync.outbox.outbox import OPEN

NOTICE = "parked"
PATIENCE = timedelta(hours=1)
"""How long something may be parked before admins are told."""


def waiting_behind(session: Session, entry_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Entry -> kind -> how many entries wait for its object, for those that wait for it, and so on."""
    rows = session.execute(
        select(OutboxEntry.id, OutboxEntry.kind, OutboxEntry.local_id).where(OutboxEntry.id.in_(entry_ids))
    )
    edge = {row.id: {(row.kind, row.local_id)} for row in rows}
    seen: dict[int, set[tuple[str, int]]] = {entry_id: set(start) for entry_id, start in edge.items()}
    behind: dict[int, dict[str, int]] = {entry_id: {} for entry_id in edge}
    while wanted := set().union(*edge.values()):
        found = _needing(session, sorted(wanted))
        for entry_id, objects in edge.items():
            fresh = set().union(*(found.get(one, set()) for one in objects)) - seen[entry_id]
            for kind, _ in fresh:
                behind[entry_id][kind] = behind[entry_id].get(kind, 0) + 1
            seen[entry_id] |= fresh
            edge[entry_id] = fresh
    order = {kind: place for place, kind in enumerate(KINDS)}
    return {
        entry_id: dict(sorted(counts.items(), key=lambda pair: order.get(pair[0], len(order))))
        for entry_id, counts in behind.items()
    }


def _needing(session: Session, objects: Sequence[tuple[str, int]]) -> dict[tuple[str, int], set[tuple[str, int]]]:
    """Object -> objects of open entries that need it."""
    found: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for part in (objects[start : start + 300] for start in range(0, len(objects), 300)):
        query = (
            select(OutboxNeed.kind, OutboxNeed.local_id, OutboxEntry.kind, OutboxEntry.local_id)
            .join(OutboxEntry, OutboxEntry.id == OutboxNeed.entry_id)
            .where(tuple_(OutboxNeed.kind, OutboxNeed.local_id).in_(part), OutboxEntry.state.in_(OPEN))
        )
        for kind, local_id, its_kind, its_id in session.execute(query):
            found.setdefault((kind, local_id), set()).add((its_kind, its_id))
    return found


def active_again(*, now: datetime) -> int:
    """What was parked for an inactive customer or product goes on by itself once that is active; answers how many."""
    there = exists(
        select(Link.id)
        .join(Customer, (Customer.connection_id == Link.connection_id) & (Customer.remote_id == Link.remote_id))
        .where(Link.connection_id == OutboxEntry.connection_id, Link.kind == OutboxEntry.kind,
               Link.local_id == OutboxEntry.local_id, Link.state == "linked", Customer.active,
               Customer.gone_at.is_(None))
    )  # fmt: skip
    item = exists(select(Link.id).where(
        Link.connection_id == OutboxEntry.connection_id, Link.kind == OutboxEntry.kind,
        Link.local_id == OutboxEntry.local_id, Link.state == "linked",
    ))  # fmt: skip
    parked = (OutboxEntry.state == "parked", OutboxEntry.cause == "inactive",
              or_((OutboxEntry.kind == "customer") & there, (OutboxEntry.kind == "item") & item))  # fmt: skip
    again = {"state": "pending", "available_at": now, "updated_at": now, "parked_at": None, "cause": "", "error": "",
             "error_code": "", "trace_id": "", "evidence": {}}  # fmt: skip
    return changed(update(OutboxEntry).where(*parked).values(again))


def tell_parked(*, now: datetime) -> None:
    """One notice per company while anything has been parked for over an hour; settled when nothing is."""
    rows = db.session.execute(
        select(OutboxEntry.connection_id, func.count())
        .where(OutboxEntry.state == "parked", OutboxEntry.parked_at <= now - PATIENCE)
        .group_by(OutboxEntry.connection_id)
    )  # fmt: skip
    old = {connection_id: number for connection_id, number in rows}
    for connection_id in db.session.scalars(select(Connection.id).order_by(Connection.id)):
        number = old.get(connection_id, 0)
        if not number:
            notices.settle(connection_id, NOTICE, now=now)
            continue
        what = "One change has" if number == 1 else f"{number:,} changes have"
        text = f"{what} been waiting for a decision for over an hour before going to QuickBooks. See the outbox."
        notices.post(NOTICE, connection_id, level="warning", text=text, now=now)
