"""What came of a batch is kept: done, tried again, or parked for a person. One transaction, one savepoint per outcome.

The answers that succeeded are stored together; where that fails each is stored alone, so that one bad item undoes no
other. An entry that is no longer held by the attempt that sent it is left alone. What follows a refusal is `refused`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from crm.db import changed, transaction
from crm.domain.errors import ProviderError
from crm.domain.refusals import cause_of
from crm.models import Connection, OutboxEntry
from crm.providers.accounting.base import Pushed
from crm.services.audit import Actor
from crm.services.sync.mirror import applying
from crm.services.sync.mirror.stored import as_stored
from crm.services.sync.outbox import outbox
from crm.services.sync.outbox.kinds import OUTGOING
from crm.services.sync.outbox.kinds.port import Answer
from crm.services.sync.outbox.refused import failed, later, never_came, passes, reread
from crm.services.sync.outbox.settling_work import Settling, guarded, trouble
from crm.services.sync.outbox.verdicts import Sent, log_out, park_sent, settled, tell_plan
from crm.services.sync.work import Batch, books_of

if TYPE_CHECKING:
    from crm.services.sync.outbox.lookups import Found

__all__ = ["call_failed", "due_now", "passes", "settle", "we_failed"]
log = logging.getLogger(__name__)


# --- the whole batch ------------------------------------------------------------------------------------------


def settle(
    connection_id: int,
    sent: Sequence[Sent],
    answers: Mapping[int, Pushed],
    found: Found,
    *,
    now: datetime,
    jitter: float,
    took: int,
) -> None:
    """Keep every outcome. Contacts are written before entries, so that nobody who edits one meanwhile is in the way."""
    with transaction() as session:
        batch = _batch(session, connection_id, now)
        applying.lock(batch)  # an answer and an event may bring the same object, each from another end
        work = Settling(batch, _held(session, sent), jitter, took)
        answers = {entry_id: answer for entry_id, answer in answers.items() if entry_id in work.entries}
        done = [entry_id for entry_id, answer in answers.items() if answer.error is None]
        _all_done(work, {entry_id: answers[entry_id] for entry_id in done})
        unread = reread(work, found)
        for entry_id in sorted(set(work.entries) & found.again):
            guarded(work, [entry_id], partial(never_came, work, work.entries[entry_id]))
        for entry_id in sorted(set(answers) - set(done) - unread):
            error = answers[entry_id].error
            assert error is not None
            guarded(work, [entry_id], partial(failed, work, work.entries[entry_id], error, found))


def _batch(session: Any, connection_id: int, now: datetime) -> Batch:
    return Batch(session, books_of(session.get_one(Connection, connection_id, populate_existing=True)), now)


def _held(session: Any, sent: Sequence[Sent]) -> dict[int, OutboxEntry]:
    """The entries that this attempt still holds, locked."""
    attempts = {one.entry_id: (one.attempt, one.key) for one in sent}
    rows = session.scalars(
        select(OutboxEntry)
        .where(OutboxEntry.id.in_(attempts), OutboxEntry.state == "frozen")
        .order_by(OutboxEntry.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    held = {row.id: row for row in rows if (row.attempts, row.request_key) == attempts[row.id]}
    if len(held) < len(attempts):
        log.info("%s entries were settled by another worker meanwhile", len(attempts) - len(held))
    return held


# --- done -----------------------------------------------------------------------------------------------------


def _all_done(work: Settling, answers: Mapping[int, Pushed]) -> None:
    if not answers or guarded(work, list(answers), lambda: _done(work, answers)) or len(answers) == 1:
        return
    for entry_id, answer in answers.items():
        guarded(work, [entry_id], partial(_done, work, {entry_id: answer}))


def _done(work: Settling, answers: Mapping[int, Pushed]) -> None:
    batch = work.batch
    for kind in sorted({work.entries[id_].kind for id_ in answers}):
        mine = [Answer(work.entries[id_], a.record) for id_, a in answers.items() if work.entries[id_].kind == kind]
        for answer in mine:
            _stays_newer(batch, answer)
        batch.session.flush()
        said = OUTGOING[kind].settle(batch, mine)
        contacts = OUTGOING[kind].contact_ids(batch.session, [answer.entry.local_id for answer in mine])
        for answer in mine:
            _finish(work, answer, said[answer.entry.id], contacts.get(answer.entry.local_id))


def _stays_newer(batch: Batch, answer: Answer) -> None:
    """Making a record active dates it there. It held nothing new when we did, so what waits here is the newer still."""
    entry, record = answer.entry, answer.record
    if entry.operation == "reactivate" and record is not None:
        there = record.origin.updated_at
        moment = max(batch.now, there or batch.now) + timedelta(seconds=1)
        entry.fields = dict.fromkeys(entry.fields, moment.isoformat())


def _finish(work: Settling, answer: Answer, sentence: str, contact_id: int | None) -> None:
    entry, batch = answer.entry, work.batch
    if answer.record is not None:
        entry.remote_id = answer.record.origin.remote_id
    settled(batch, entry, "done")
    entry.cause, entry.error, entry.error_code, entry.trace_id, entry.evidence = "", "", "", "", {}
    log_out(batch, entry, "sent", sentence, outcome="done", took=work.took, contact_id=contact_id)
    after = as_stored(answer.record) if answer.record is not None else None
    tell_plan(batch, entry, "done", sentence, after=after)
    left = _left_over(entry)
    if left:
        batch.session.flush()
        outbox.note(batch.session, batch.books.id, entry.kind, entry.local_id, operation="update", fields=left,
                    trigger="change", actor=Actor(entry.actor, source="system"), now=batch.now)  # fmt: skip


def _left_over(entry: OutboxEntry) -> dict[str, str]:
    """What had to wait for this: all of it while it was inactive, else what was edited after the body was made."""
    if entry.operation == "reactivate" or entry.frozen_at is None:
        return entry.fields
    return {name: at for name, at in entry.fields.items() if datetime.fromisoformat(at) > entry.frozen_at}


# --- trouble of the whole call, and our own -------------------------------------------------------------------


def call_failed(connection_id: int, sent: Sequence[Sent], error: Exception, *, now: datetime, jitter: float) -> None:
    """The call as a whole failed: the same again, with the same key. One that nobody understands comes entry by entry.

    A person looks at what a single entry met that will not pass by itself.
    """
    with transaction() as session:
        work = Settling(_batch(session, connection_id, now), _held(session, sent), jitter)
        for entry in work.entries.values():
            if not isinstance(error, ProviderError):
                trouble(work, entry, error)
            elif passes(error):
                later(work, entry, error)
            else:
                evidence = {"said": error.cause.message, "detail": error.cause.detail}
                entry.error_code, entry.trace_id = error.cause.code[:40], error.cause.trace_id[:120]
                park_sent(work.batch, entry, cause_of(error), str(error), evidence, certain=False)


def we_failed(
    connection_id: int, attempts: Mapping[int, int], error: Exception, *, now: datetime, jitter: float
) -> None:
    """Making a body went wrong on our side."""
    with transaction() as session:
        rows = session.scalars(select(OutboxEntry).where(OutboxEntry.id.in_(attempts)).with_for_update())
        work = Settling(_batch(session, connection_id, now), {row.id: row for row in rows}, jitter)
        for entry in work.entries.values():
            if entry.attempts == attempts[entry.id]:
                trouble(work, entry, error)


def due_now(entry_ids: Sequence[int], *, now: datetime) -> None:
    with transaction():
        changed(update(OutboxEntry).where(OutboxEntry.id.in_(entry_ids)).values(available_at=now))
