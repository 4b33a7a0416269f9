"""What came of a batch is kept: done, tried again, or parked for a person. One transaction, one savepoint per outcome.

The answers that succeeded are stored together; where that fails each is stored alone, so that one bad item undoes no
other. An entry that is no longer held by the attempt that sent it is left alone. What follows a refusal says its row of
`domain/refusals`.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from crm.db import changed, transaction
from crm.domain.delivery import MOST_TRIES, delay
from crm.domain.errors import ProviderError, UnexpectedAnswer
from crm.domain.refusals import REFUSALS, ROUNDS, Reaction, cause_of
from crm.models import Connection, Link, OutboxEntry
from crm.providers.accounting.base import Pushed
from crm.services import throttle
from crm.services.audit import Actor
from crm.services.sync import outbox
from crm.services.sync.kinds import OUTGOING
from crm.services.sync.kinds.port import Answer
from crm.services.sync.stored import as_stored
from crm.services.sync.verdicts import Sent, log_out, make_anew, park_sent, pause, settled, tell_plan, wait_for
from crm.services.sync.work import Batch, books_of

if TYPE_CHECKING:
    from crm.services.sync.lookups import Found

log = logging.getLogger(__name__)

OUR_TRIES = 3
"""Trouble of our own is tried again this often, then a person looks."""


@dataclass(slots=True)
class Settling:
    """The open transaction in which a batch is settled."""

    batch: Batch
    entries: dict[int, OutboxEntry]
    jitter: float
    took: int | None = None


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
        work = Settling(_batch(session, connection_id, now), _held(session, sent), jitter, took)
        answers = {entry_id: answer for entry_id, answer in answers.items() if entry_id in work.entries}
        done = [entry_id for entry_id, answer in answers.items() if answer.error is None]
        _all_done(work, {entry_id: answers[entry_id] for entry_id in done})
        unread = _reread(work, found)
        for entry_id in sorted(set(work.entries) & found.again):
            _guarded(work, [entry_id], partial(_never_came, work, work.entries[entry_id]))
        for entry_id in sorted(set(answers) - set(done) - unread):
            error = answers[entry_id].error
            assert error is not None
            _guarded(work, [entry_id], partial(_failed, work, work.entries[entry_id], error, found))


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


def _guarded(work: Settling, entry_ids: Sequence[int], step: Callable[[], None]) -> bool:
    """Do this in a savepoint of its own. What goes wrong concerns these entries only, and is kept on them."""
    session = work.batch.session
    try:
        with session.begin_nested():
            step()
            session.flush()
        return True
    except OperationalError:
        raise
    except Exception as error:
        if len(entry_ids) == 1:
            log.exception("settling entry %s failed", entry_ids[0])
            _trouble(work, work.entries[entry_ids[0]], error)
        return False


# --- done -----------------------------------------------------------------------------------------------------


def _all_done(work: Settling, answers: Mapping[int, Pushed]) -> None:
    if not answers or _guarded(work, list(answers), lambda: _done(work, answers)) or len(answers) == 1:
        return
    for entry_id, answer in answers.items():
        _guarded(work, [entry_id], partial(_done, work, {entry_id: answer}))


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


# --- not done -------------------------------------------------------------------------------------------------


def _reread(work: Settling, found: Found) -> set[int]:
    """Bring what was read again to mirror and contacts, and mark what is gone, before any entry changes.

    Answers the entries whose records could not be kept, each tried alone; that is kept on them.
    """
    failed: set[int] = set()
    asked = sorted(set(work.entries) & {*found.now, *found.holders})
    for kind in OUTGOING:
        mine = [id_ for id_ in asked if work.entries[id_].kind == kind]
        if not mine or _guarded(work, mine, partial(_take_again, work, kind, mine, found)):
            continue
        failed |= {id_ for id_ in mine if len(mine) == 1 or not _again_alone(work, kind, id_, found)}
    return failed


def _again_alone(work: Settling, kind: str, entry_id: int, found: Found) -> bool:
    return _guarded(work, [entry_id], partial(_take_again, work, kind, [entry_id], found))


def _take_again(work: Settling, kind: str, entry_ids: Sequence[int], found: Found) -> None:
    there = {id_: found.now[id_] for id_ in entry_ids if id_ in found.now}
    read = [record for record in there.values() if record is not None]
    read += [record for id_ in entry_ids for record in found.holders.get(id_, ())]
    records = {record.origin.remote_id: record for record in read}
    OUTGOING[kind].reread(work.batch, list(records.values()))
    OUTGOING[kind].gone(work.batch, [work.entries[id_].remote_id for id_, record in there.items() if record is None])


def _failed(work: Settling, entry: OutboxEntry, error: ProviderError, found: Found) -> None:
    """One item was refused: its row of the table says what follows."""
    cause = cause_of(error)
    row = REFUSALS[cause]
    entry.error_code = (error.cause.code or type(error).__name__)[:40]
    entry.trace_id = error.cause.trace_id[:120]
    evidence = {"said": error.cause.message, "detail": error.cause.detail, "field": error.cause.field}
    there = found.now.get(entry.id) if entry.id in found.now else None
    match row.reaction:
        case Reaction.RELOAD | Reaction.CONFIRM if entry.id in found.now and there is None and _moved(work, entry):
            make_anew(work.batch, entry)
        case Reaction.RELOAD | Reaction.CONFIRM if entry.id in found.now and there is None:
            park_sent(work.batch, entry, "gone", REFUSALS["gone"].sentence, evidence)
        case Reaction.RELOAD if there is not None:
            _reload(work, entry, error, evidence)
        case Reaction.CONFIRM if there is not None or not entry.remote_id:
            inactive = there is not None and getattr(there, "active", True) is False
            cause = "inactive" if inactive else "reference"
            park_sent(work.batch, entry, cause, REFUSALS[cause].sentence, evidence)
        case Reaction.LOOK_UP if entry.id in found.holders:
            taken = OUTGOING[entry.kind].name_taken(work.batch, entry, found.holders[entry.id])
            park_sent(work.batch, entry, cause, taken.error, {**evidence, **taken.evidence})
        case Reaction.PARK:
            park_sent(work.batch, entry, cause, str(error), evidence, certain=_says(error))
        case Reaction.SAME_KEY if entry.failures >= MOST_TRIES:
            park_sent(work.batch, entry, cause, row.sentence, evidence, certain=False)
        case Reaction.RELOAD | Reaction.CONFIRM | Reaction.LOOK_UP if found.trouble is not None:
            _trouble(work, entry, found.trouble)
        case _:
            _later(work, entry, error)


def _says(error: ProviderError) -> bool:
    """Whether the books said that they did not do it. Nonsense without a code says nothing."""
    return bool(error.cause.code) or not isinstance(error, UnexpectedAnswer)


def _moved(work: Settling, entry: OutboxEntry) -> bool:
    """Whether the object has another record there by now: the old one was merged into it."""
    mine = (Link.connection_id == entry.connection_id, Link.kind == entry.kind, Link.local_id == entry.local_id)
    remote_id = work.batch.session.scalar(select(Link.remote_id).where(*mine))
    return remote_id not in (None, entry.remote_id)


def _never_came(work: Settling, entry: OutboxEntry) -> None:
    """Its answer was lost so often, or so long ago, that the books were asked: it is not there."""
    entry.rounds += 1
    if entry.rounds >= ROUNDS:
        park_sent(work.batch, entry, "no_answer", REFUSALS["no_answer"].sentence, {})
    else:
        make_anew(work.batch, entry)


def _reload(work: Settling, entry: OutboxEntry, error: ProviderError, evidence: dict[str, Any]) -> None:
    entry.rounds += 1
    if entry.rounds >= ROUNDS:
        park_sent(work.batch, entry, "stale", REFUSALS["stale"].sentence, evidence)
        return
    log_out(work.batch, entry, "sent_stale", str(error), outcome="retried", level="warning", took=work.took)
    make_anew(work.batch, entry)


def _later(work: Settling, entry: OutboxEntry, error: ProviderError) -> None:
    """The same again, with the same key, after a pause that grows."""
    row, batch = REFUSALS[cause_of(error)], work.batch
    if row.reaction is Reaction.CONNECTION:
        wait = 60.0  # due as soon as the connection works; the minute keeps a broken one from being asked in a loop
    elif row.reaction is Reaction.SLOW:
        wait = float(getattr(error, "retry_after", None) or 60)
        if not isinstance(error, throttle.NoPlace):  # that was kept back here
            throttle.hold(batch.books.id, wait, now=batch.now)
    else:
        entry.failures += 1
        soon = row.reaction is Reaction.SAME_KEY
        wait = pause(entry.failures, work.jitter) if soon else delay(entry.failures, jitter=work.jitter)
    wait_for(batch, entry, max(wait, row.pause), str(error), took=work.took)


# --- trouble of the whole call, and our own -------------------------------------------------------------------


def call_failed(connection_id: int, sent: Sequence[Sent], error: Exception, *, now: datetime, jitter: float) -> None:
    """The call as a whole failed: the same again, with the same key. One that nobody understands comes entry by entry.

    A person looks at what a single entry met that will not pass by itself.
    """
    with transaction() as session:
        work = Settling(_batch(session, connection_id, now), _held(session, sent), jitter)
        for entry in work.entries.values():
            if not isinstance(error, ProviderError):
                _trouble(work, entry, error)
            elif passes(error):
                _later(work, entry, error)
            else:
                evidence = {"said": error.cause.message, "detail": error.cause.detail}
                entry.error_code, entry.trace_id = error.cause.code[:40], error.cause.trace_id[:120]
                park_sent(work.batch, entry, cause_of(error), str(error), evidence, certain=False)


def passes(error: Exception) -> bool:
    """Trouble of the service or the connection, not of what was sent."""
    waits = (Reaction.SAME_KEY, Reaction.SLOW, Reaction.LATER, Reaction.CONNECTION)
    return isinstance(error, ProviderError) and REFUSALS[cause_of(error)].reaction in waits


def we_failed(
    connection_id: int, attempts: Mapping[int, int], error: Exception, *, now: datetime, jitter: float
) -> None:
    """Making a body went wrong on our side."""
    with transaction() as session:
        rows = session.scalars(select(OutboxEntry).where(OutboxEntry.id.in_(attempts)).with_for_update())
        work = Settling(_batch(session, connection_id, now), {row.id: row for row in rows}, jitter)
        for entry in work.entries.values():
            if entry.attempts == attempts[entry.id]:
                _trouble(work, entry, error)


def _trouble(work: Settling, entry: OutboxEntry, error: Exception) -> None:
    """Our own trouble: a few more tries, then a person, with the traceback kept for whoever mends it."""
    trace = "".join(traceback.format_exception(error))[-4000:]
    entry.failures += 1
    entry.error_code = type(error).__name__[:40]
    if entry.failures >= OUR_TRIES:
        text = REFUSALS["our_error"].sentence
        park_sent(work.batch, entry, "our_error", text, {"traceback": trace}, certain=entry.state != "frozen")
        return
    wait = delay(entry.failures, jitter=work.jitter)
    wait_for(work.batch, entry, wait, "Trouble on our side; it is tried again by itself.", took=work.took)


def due_now(entry_ids: Sequence[int], *, now: datetime) -> None:
    with transaction():
        changed(update(OutboxEntry).where(OutboxEntry.id.in_(entry_ids)).values(available_at=now))
