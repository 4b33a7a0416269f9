"""What must be read from the books before the outcome of a write can be settled. Calls only; nothing is stored here.

One question per kind for all entries of a batch: who bears a name that was refused, what a record looks like now that
was changed or is not found, and, for a write whose answer was lost long ago, whether it is there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.exc import OperationalError

from crm.domain.errors import ProviderError
from crm.domain.names import without_deleted
from crm.domain.records import CustomerRecord, PartyRecord, Record
from crm.domain.refusals import REFUSALS, Reaction, cause_of
from crm.providers.accounting.base import Accounting, Pushed
from crm.services.sync.verdicts import Sent

log = logging.getLogger(__name__)

RECALLED_FOR = timedelta(hours=6)
"""How long the books certainly recall a key; how long they do is not documented. Beyond it they are asked first."""
DOUBTFUL = 6
"""After so many lost answers in a row the books are asked as well."""
SLACK = timedelta(minutes=5)
"""By which their clock and ours may differ."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was read, by entry id."""

    now: Mapping[int, Record | None] = field(default_factory=dict)
    """The record as it stands there; None: it was asked for by its id, and is not there."""
    holders: Mapping[int, Sequence[Record]] = field(default_factory=dict)
    """Who bears the name that was refused."""
    again: frozenset[int] = frozenset()
    """Lost long ago and not there: to be made anew."""
    trouble: Exception | None = None
    """Of our own: what went wrong while it was read."""


@dataclass(frozen=True, slots=True)
class Recalled:
    answers: Mapping[int, Pushed] = field(default_factory=dict)
    again: frozenset[int] = frozenset()


def recall(books: Accounting, sent: Sequence[Sent], *, now: datetime, hold: Callable[[], None]) -> Recalled:
    """Of writes whose answer was lost long ago: those that are there, as if they had been answered now.

    One that is not there is made anew with a new key; of an update that is decided by reading the record again. `hold`
    is called before each call, and keeps the entries ours.
    """
    old = [one for one in sent if one.frozen_at <= now - RECALLED_FOR or one.failures >= DOUBTFUL]
    creates = [one for one in old if one.draft.operation == "create" and one.draft.kind in books.spec.name_kinds]
    answers: dict[int, Pushed] = {}
    again: set[int] = set()
    for kind in sorted({one.draft.kind for one in creates}):
        mine = [one for one in creates if one.draft.kind == kind]
        hold()
        found = books.find(kind, [one.name for one in mine]).records
        for one in mine:
            made = next((record for record in found if _is_ours(record, one)), None)
            if made is None:
                again.add(one.entry_id)
            else:
                answers[one.entry_id] = Pushed(one.draft.item, made)
    return Recalled(answers, frozenset(again))


def _is_ours(record: Record, one: Sent) -> bool:
    if not isinstance(record, CustomerRecord) or _name(record) != one.name.casefold():
        return False
    made = record.origin.created_at
    return made is not None and made >= one.frozen_at - SLACK


def explain(
    books: Accounting, sent: Sequence[Sent], answers: Mapping[int, Pushed], *, hold: Callable[[], None]
) -> Found:
    """Read what the refusals among the answers leave open. What cannot be read now is asked again with the next try.

    Never raises but for the database: whatever goes wrong here, the answers stand and must be kept.
    """
    wanted: dict[Reaction, list[Sent]] = {}
    for one in sent:
        error = answers[one.entry_id].error
        if error is not None:
            wanted.setdefault(REFUSALS[cause_of(error)].reaction, []).append(one)
    reread = [one for how in (Reaction.RELOAD, Reaction.CONFIRM) for one in wanted.get(how, ()) if one.remote_id]
    try:
        return Found(_reread(books, reread, hold), _holders(books, wanted.get(Reaction.LOOK_UP, ()), hold))
    except OperationalError:
        raise
    except ProviderError as error:
        log.warning("what became of %s writes could not be read: %s", len(sent), type(error).__name__)
        return Found()
    except Exception as error:
        log.exception("what became of %s writes could not be read", len(sent))
        return Found(trouble=error)


def _reread(books: Accounting, sent: Sequence[Sent], hold: Callable[[], None]) -> dict[int, Record | None]:
    found: dict[int, Record | None] = {}
    for kind in sorted({one.draft.kind for one in sent}):
        mine = [one for one in sent if one.draft.kind == kind]
        hold()
        page = books.fetch(kind, [one.remote_id for one in mine])
        there = {record.origin.remote_id: record for record in page.records}
        unreadable = {refusal.remote_id for refusal in page.refusals}
        for one in mine:
            if one.remote_id not in unreadable and "" not in unreadable:
                found[one.entry_id] = there.get(one.remote_id)
    return found


def _holders(books: Accounting, sent: Sequence[Sent], hold: Callable[[], None]) -> dict[int, list[Record]]:
    names = sorted({one.name for one in sent if one.name})
    found: list[Record] = []
    for kind in books.spec.name_kinds if names else ():
        hold()
        found += books.find(kind, names).records
    return {one.entry_id: [record for record in found if _name(record) == one.name.casefold()] for one in sent}


def _name(record: Record) -> str:
    named = isinstance(record, CustomerRecord | PartyRecord)
    return without_deleted(record.display_name).casefold() if named else ""  # type: ignore[union-attr]
