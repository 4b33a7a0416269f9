"""Customers that turned up in the books since the last import: decided about at once, the way an import does it.

Left alone while somebody else has a say: an import under way decides itself, one that never ended well is a person's to
start again, and one that bears the name of a customer we are creating may be just that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from crm.domain.names import without_deleted
from crm.domain.runs import LIVE
from crm.models import Customer, OutboxEntry, SyncRun
from crm.services.sync.imports import links, matching
from crm.services.sync.mirror.customers import undecided
from crm.services.sync.work import Batch

MOST = 500
"""Decided about in one transaction."""


@dataclass(frozen=True, slots=True)
class Decided:
    remote_ids: list[str]
    waits: bool = False
    """Others wait for a write of ours."""


def decide(batch: Batch, remote_ids: Sequence[str] | None = None) -> list[str]:
    """Link, propose, or make contacts for the undecided among these (None: among all); answers their remote ids."""
    return decide_now(batch, remote_ids).remote_ids


def decide_now(batch: Batch, remote_ids: Sequence[str] | None = None) -> Decided:
    """The same, and whether some wait. While an import has them nothing is decided and nothing waits."""
    where = [*undecided(batch.books.id), Customer.gone_at.is_(None)]
    if remote_ids is not None:
        where.append(Customer.remote_id.in_(remote_ids))
    session = batch.session
    found = session.execute(select(*links.NEEDED).where(*where).order_by(Customer.id).limit(MOST)).all()
    if not found or not _is_ours(batch):
        return Decided([])
    creating = _creating(batch)
    number = len(found)
    found = [row for row in found if without_deleted(row.display_name).casefold() not in creating]
    waits = len(found) < number
    if not found:
        return Decided([], waits)
    matching.draft(batch, {row.id: row.record for row in found})
    matching.settle_drafts(batch, [row.id for row in found])
    links.carry_out(batch, found)
    return Decided([row.remote_id for row in found], waits)


def _is_ours(batch: Batch) -> bool:
    """Whether the last import of customers is over, and went well."""
    runs = select(SyncRun.state, SyncRun.resources).where(SyncRun.connection_id == batch.books.id)
    states = [row.state for row in batch.session.execute(runs.order_by(SyncRun.id.desc()).limit(20))
              if row.state in LIVE or "customer" in row.resources]  # fmt: skip
    return bool(states) and not any(state in LIVE for state in states) and states[0] == "done"


def _creating(batch: Batch) -> set[str]:
    """Names of the creates of ours that are on their way, or whose answer was lost: the outbox links those itself."""
    sent = (OutboxEntry.connection_id == batch.books.id, OutboxEntry.kind == "customer")
    frozen = select(OutboxEntry.changes).where(*sent, OutboxEntry.state == "frozen", OutboxEntry.operation == "create")
    return {changes.get("display_name", ["", ""])[1].casefold() for changes in batch.session.scalars(frozen)}
