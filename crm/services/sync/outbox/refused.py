"""What follows a refusal: its row of `domain/refusals` says whether it is tried again, made anew or parked.

Called by `settling`, in its transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from crm.domain.delivery import MOST_TRIES, delay
from crm.domain.errors import ProviderError, UnexpectedAnswer, Unreadable
from crm.domain.refusals import REFUSALS, ROUNDS, Reaction, cause_of
from crm.models import Link, OutboxEntry
from crm.services import throttle
from crm.services.sync.outbox.kinds import OUTGOING
from crm.services.sync.outbox.settling_work import Settling, guarded, trouble
from crm.services.sync.outbox.verdicts import log_out, make_anew, park_sent, pause, wait_for

if TYPE_CHECKING:
    from crm.services.sync.outbox.lookups import Found

ENDS = ("delete", "void")


def reread(work: Settling, found: Found) -> set[int]:
    """Bring what was read again to mirror and contacts, and mark what is gone, before any entry changes.

    Answers the entries whose records could not be kept, each tried alone; that is kept on them.
    """
    lost: set[int] = set()
    asked = sorted(set(work.entries) & {*found.now, *found.holders})
    for kind in OUTGOING:
        mine = [id_ for id_ in asked if work.entries[id_].kind == kind]
        if not mine or guarded(work, mine, partial(_take_again, work, kind, mine, found)):
            continue
        lost |= {id_ for id_ in mine if len(mine) == 1 or not _again_alone(work, kind, id_, found)}
    return lost


def _again_alone(work: Settling, kind: str, entry_id: int, found: Found) -> bool:
    return guarded(work, [entry_id], partial(_take_again, work, kind, [entry_id], found))


def _take_again(work: Settling, kind: str, entry_ids: Sequence[int], found: Found) -> None:
    there = {id_: found.now[id_] for id_ in entry_ids if id_ in found.now}
    read = [record for record in there.values() if record is not None]
    read += [record for id_ in entry_ids for record in found.holders.get(id_, ())]
    records = {record.origin.remote_id: record for record in read}
    OUTGOING[kind].reread(work.batch, list(records.values()))
    OUTGOING[kind].gone(work.batch, [work.entries[id_].remote_id for id_, record in there.items() if record is None])


def failed(work: Settling, entry: OutboxEntry, error: ProviderError, found: Found) -> None:
    """One item was refused: its row of the table says what follows."""
    cause = cause_of(error)
    row = REFUSALS[cause]
    entry.error_code = (error.cause.code or type(error).__name__)[:40]
    entry.trace_id = error.cause.trace_id[:120]
    evidence = {"said": error.cause.message, "detail": error.cause.detail, "field": error.cause.field}
    there = found.now.get(entry.id) if entry.id in found.now else None
    match row.reaction:
        case Reaction.RELOAD | Reaction.CONFIRM if (
            entry.id in found.now and there is None and (entry.operation in ENDS or _moved(work, entry))
        ):
            make_anew(work.batch, entry)  # what was to end has ended: its kind finds nothing left to send
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
            park_sent(work.batch, entry, cause, str(error), evidence, certain=_says(entry, error))
        case Reaction.SAME_KEY if entry.failures >= MOST_TRIES:
            park_sent(work.batch, entry, cause, row.sentence, evidence, certain=False)
        case Reaction.RELOAD | Reaction.CONFIRM | Reaction.LOOK_UP if found.trouble is not None:
            trouble(work, entry, found.trouble)
        case _:
            later(work, entry, error)


def _says(entry: OutboxEntry, error: ProviderError) -> bool:
    """Whether it may be made anew: the books said that they did not do it. Nonsense without a code says nothing. An
    answer that only cannot be read says that they did; that makes two of a create, and of nothing else."""
    if isinstance(error, Unreadable):
        return entry.operation != "create"
    return bool(error.cause.code) or not isinstance(error, UnexpectedAnswer)


def _moved(work: Settling, entry: OutboxEntry) -> bool:
    """Whether the object has another record there by now: the old one was merged into it."""
    mine = (Link.connection_id == entry.connection_id, Link.kind == entry.kind, Link.local_id == entry.local_id)
    remote_id = work.batch.session.scalar(select(Link.remote_id).where(*mine))
    return remote_id not in (None, entry.remote_id)


def never_came(work: Settling, entry: OutboxEntry) -> None:
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


def later(work: Settling, entry: OutboxEntry, error: ProviderError) -> None:
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


def passes(error: Exception) -> bool:
    """Trouble of the service or the connection, not of what was sent."""
    waits = (Reaction.SAME_KEY, Reaction.SLOW, Reaction.LATER, Reaction.CONNECTION)
    return isinstance(error, ProviderError) and REFUSALS[cause_of(error)].reaction in waits
