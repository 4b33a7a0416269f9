"""What may become of an entry of the outbox: done, dropped, parked, made anew, or the same again later.

Each leaves its line in the sync log and its outcome beside the plan that asked for it. Asked by `sending` before a call
and by `settling` after it, in their transactions. An entry that leaves the frozen state unfinished gives way to a newer
entry of the same object, if one waits: that one goes on with what both knew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from crm.bell import ring
from crm.db import changed
from crm.domain.delivery import LONGEST_DELAY
from crm.models import OutboxEntry, PlanLine
from crm.providers.accounting.base import Draft
from crm.services.sync.outbox.kinds import OUTGOING
from crm.services.sync.outbox.outbox import STRONGER, TASK, WAITING
from crm.services.sync.work import Batch

LONGEST_SOON = 300
NAMED_BY = ("display_name", "name", "number")
"""The field that is a record's name, or its number."""
TRAITS = "traits"
"""Option of an entry: by what a create is found in the books (`domain/traits`)."""
NEWER = "It was changed again before it arrived; the newer entry goes on with both."


@dataclass(frozen=True, slots=True)
class Sent:
    """A frozen entry as it goes out, held by no session."""

    entry_id: int
    attempt: int
    key: str
    draft: Draft
    remote_id: str
    name: str
    frozen_at: datetime
    failures: int
    traits: Mapping[str, str] = field(default_factory=dict)


def sent_of(entry: OutboxEntry) -> Sent:
    assert entry.body is not None and entry.frozen_at is not None
    draft = Draft(entry.batch_item, entry.kind, entry.operation, entry.body)
    name = next((entry.changes[key][1] for key in NAMED_BY if key in entry.changes), "")
    return Sent(entry.id, entry.attempts, entry.request_key, draft, entry.remote_id, name, entry.frozen_at,
                entry.failures, entry.options.get(TRAITS, {}))  # fmt: skip


# --- settled -------------------------------------------------------------------------------------------------


def settled(batch: Batch, entry: OutboxEntry, state: str) -> None:
    entry.state, entry.settled_at, entry.updated_at, entry.failures = state, batch.now, batch.now, 0


def drop(batch: Batch, entry: OutboxEntry, why: str) -> None:
    """Nothing is left to send."""
    settled(batch, entry, "dropped")
    entry.error = why
    log_out(batch, entry, "nothing_to_send", why, outcome="unchanged")
    tell_plan(batch, entry, "nothing", why)


def tell_plan(
    batch: Batch, entry: OutboxEntry, outcome: str, text: str, *, after: dict[str, Any] | None = None
) -> None:
    """What happened is kept beside what was planned."""
    if entry.plan_line_id is None:
        return
    values: dict[str, Any] = {"outcome": outcome, "outcome_text": text}
    if outcome == "done":
        values |= {"before": entry.before, "after": after, "remote_id": entry.remote_id}
    changed(update(PlanLine).where(PlanLine.id == entry.plan_line_id).values(**values))


# --- leaving the frozen state ---------------------------------------------------------------------------------


def park(batch: Batch, entry: OutboxEntry, cause: str, error: str, evidence: Mapping[str, Any]) -> None:
    """A person decides about it."""
    entry.state, entry.cause, entry.error, entry.evidence = "parked", cause, error, dict(evidence)
    entry.parked_at = entry.updated_at = batch.now
    entry.failures = 0
    log_out(batch, entry, "parked", error, outcome="parked", level="error", details={"evidence": dict(evidence)})
    tell_plan(batch, entry, "parked", error)


def park_sent(
    batch: Batch,
    entry: OutboxEntry,
    cause: str,
    error: str,
    evidence: Mapping[str, Any],
    *,
    certain: bool = True,
) -> None:
    """A person decides about what was sent; `certain`: the books did not do it.

    Where that is not certain the entry keeps body and key, and goes out with them again when it is taken up. It cannot
    give way then: while something newer of its object waits, it is repeated.
    """
    if certain:
        if not gives_way(batch, entry):
            park(batch, entry, cause, error, evidence)
            entry.request_key, entry.batch_item = "", ""
    elif _newer(batch, entry) is None:
        park(batch, entry, cause, error, evidence)
    else:
        wait_for(batch, entry, LONGEST_DELAY, error, took=None)


def taken_up(entry: Any) -> str:
    """The state of a parked or skipped entry that is tried again: what may have been done is repeated word for word."""
    return "frozen" if entry.request_key else "pending"


def make_anew(batch: Batch, entry: OutboxEntry) -> None:
    """Its body is made anew, with a new key."""
    if gives_way(batch, entry):
        return
    entry.state, entry.available_at, entry.updated_at = "pending", batch.now, batch.now
    entry.body, entry.request_key, entry.batch_item, entry.failures = None, "", "", 0
    ring(TASK, batch.books.id)


def gives_way(batch: Batch, entry: OutboxEntry) -> bool:
    """To a newer entry of the same object, which takes over what this one knew. Whether there is one."""
    newer = _newer(batch, entry)
    if newer is None:
        return False
    newer.operation = STRONGER.get((entry.operation, newer.operation), newer.operation)
    newer.fields = {**entry.fields, **newer.fields}
    newer.options = {**entry.options, **newer.options}
    if newer.plan_line_id is None:
        newer.plan_line_id, entry.plan_line_id = entry.plan_line_id, None
    newer.rounds, newer.updated_at = max(entry.rounds, newer.rounds), batch.now
    settled(batch, entry, "dropped")
    entry.error = NEWER
    tell_plan(batch, entry, "left", NEWER)
    return True


def _newer(batch: Batch, entry: OutboxEntry) -> OutboxEntry | None:
    return batch.session.scalar(
        select(OutboxEntry)
        .where(OutboxEntry.connection_id == entry.connection_id, OutboxEntry.kind == entry.kind,
               OutboxEntry.local_id == entry.local_id, OutboxEntry.state.in_(WAITING), OutboxEntry.id != entry.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )  # fmt: skip


# --- the same again -------------------------------------------------------------------------------------------


def pause(failures: int, jitter: float) -> float:
    """Seconds until a lost answer is asked for again: two, then twice as long each time, to five minutes."""
    span = min(2 ** min(failures, 20), LONGEST_SOON)
    return span / 2 + jitter * span / 2


def wait_for(batch: Batch, entry: OutboxEntry, wait: float, text: str, *, took: int | None) -> None:
    entry.available_at, entry.error, entry.updated_at = batch.now + timedelta(seconds=wait), text, batch.now
    log_out(batch, entry, "sent_again_later", text, outcome="retried", level="warning", took=took)
    ring(TASK, batch.books.id, after=wait)


# --- the log --------------------------------------------------------------------------------------------------


def log_out(
    batch: Batch,
    entry: OutboxEntry,
    event: str,
    message: str,
    *,
    outcome: str,
    level: str = "info",
    took: int | None = None,
    contact_id: int | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """A line of the sync log. Of what was sent it names the fields, never what stood in them.

    `contact_id` is looked up where it is not given.
    """
    if contact_id is None and entry.kind in OUTGOING:
        contact_id = OUTGOING[entry.kind].contact_ids(batch.session, [entry.local_id]).get(entry.local_id)
    request = {"operation": entry.operation, "fields": sorted(entry.body or {}), "key": entry.request_key,
               "item": entry.batch_item}  # fmt: skip
    batch.log(
        event, message, level=level, kind=entry.kind, remote_id=entry.remote_id, direction="out",
        trigger=entry.trigger, attempt=entry.attempts, outcome=outcome, duration_ms=took, contact_id=contact_id,
        error_code=entry.error_code, trace_id=entry.trace_id,
        details={"entry_id": entry.id, "local_id": entry.local_id, "request": request} | (details or {}),
    )  # fmt: skip
