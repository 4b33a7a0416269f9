"""What must be read from the books before the outcome of a write can be settled. Calls only; nothing is stored here.

One question per kind for all entries of a batch: who bears a name that was refused, what a record looks like now that
was changed or is not found, and, for a write whose answer was lost long ago, whether it is there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.exc import OperationalError

from crm.domain.errors import ProviderError
from crm.domain.names import without_deleted
from crm.domain.preflight import legible
from crm.domain.record_documents import DocumentRecord
from crm.domain.records import CustomerRecord, ItemRecord, PartyRecord, Record
from crm.domain.refusals import REFUSALS, Reaction, cause_of
from crm.domain.traits import PARTY, fits
from crm.providers.accounting.base import Accounting, Pushed, Spec
from crm.services.sync.outbox.verdicts import Sent

log = logging.getLogger(__name__)

RECALLED_FOR = timedelta(hours=6)
"""How long the books certainly recall a key; how long they do is not documented. Beyond it they are asked first."""
DOUBTFUL = 6
"""After so many lost answers in a row the books are asked as well."""
PRODUCT = "item"
NUMBERED = ("estimate", "invoice")
ALONE = {PRODUCT, *NUMBERED}
"""Kinds that share their names or numbers with no other."""
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


def recall(
    books: Accounting,
    sent: Sequence[Sent],
    *,
    now: datetime,
    hold: Callable[[], None],
    linked: Callable[[str, Sequence[str]], Collection[str]],
) -> Recalled:
    """Of writes whose answer was lost long ago: those that are there, as if they had been answered now.

    One that is not there is made anew with a new key; of an update that is decided by reading the record again. `hold`
    is called before each call, and keeps the entries ours. `linked` says which ids of a kind are known as others of
    ours already.
    """
    old = [one for one in sent if one.frozen_at <= now - RECALLED_FOR or one.failures >= DOUBTFUL]
    creates = [one for one in old if one.draft.operation == "create"]
    answers: dict[int, Pushed] = {}
    again: set[int] = set()
    for kind in sorted({one.draft.kind for one in creates}):
        mine = [one for one in creates if one.draft.kind == kind]
        if kind in _named(books.spec):
            found, lost = _by_name(books, kind, mine, hold)
        elif kind in books.spec.recent_kinds:
            mine = [one for one in mine if PARTY in one.traits]
            found, lost = _by_traits(books, kind, mine, hold, linked)
        else:
            continue
        answers |= {id_: Pushed(one.draft.item, found[id_]) for one in mine if (id_ := one.entry_id) in found}
        again |= lost
    return Recalled(answers, frozenset(again))


def _by_name(
    books: Accounting, kind: str, sent: Sequence[Sent], hold: Callable[[], None]
) -> tuple[dict[int, Record], set[int]]:
    """What is there, and which are not there. A body that cannot be read could be any of them."""
    hold()
    page = books.find(kind, [one.name for one in sent])
    found = {one.entry_id: next((record for record in page.records if _is_ours(record, one)), None) for one in sent}
    there = {id_: record for id_, record in found.items() if record is not None}
    return there, set() if page.refusals else found.keys() - there.keys()


def _by_traits(
    books: Accounting,
    kind: str,
    sent: Sequence[Sent],
    hold: Callable[[], None],
    linked: Callable[[str, Sequence[str]], Collection[str]],
) -> tuple[dict[int, Record], set[int]]:
    """What the books made for the same party since the body was frozen, and that looks the same: one for each entry,
    none that is another of ours. And which are not there, as in `_by_name`."""
    found: dict[int, Record] = {}
    lost: set[int] = set()
    for party in sorted({one.traits[PARTY] for one in sent}):
        mine = sorted((one for one in sent if one.traits[PARTY] == party), key=lambda one: one.entry_id)
        hold()
        page = books.recent(kind, party, min(one.frozen_at for one in mine) - SLACK)
        records = page.records
        taken = set(linked(kind, [record.origin.remote_id for record in records]))
        for one in mine:
            fitting = (record for record in sorted(records, key=_made_at) if record.origin.remote_id not in taken)
            made = next((record for record in fitting if _is_alike(record, one)), None)
            if made is not None:
                taken.add(made.origin.remote_id)
                found[one.entry_id] = made
            elif not page.refusals:
                lost.add(one.entry_id)
    return found, lost


def _is_alike(record: Record, one: Sent) -> bool:
    made = record.origin.created_at
    return made is not None and made >= one.frozen_at - SLACK and fits(record, one.traits)


def _made_at(record: Record) -> tuple[bool, datetime | None, str]:
    return (record.origin.created_at is None, record.origin.created_at, record.origin.remote_id)


def _is_ours(record: Record, one: Sent) -> bool:
    named = isinstance(record, CustomerRecord | ItemRecord | PartyRecord)
    if not named or _name(record) != legible(one.name).casefold():
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
    """Customers, vendors and employees share their names; products have theirs to themselves, and documents their
    numbers."""
    found: dict[int, list[Record]] = {one.entry_id: [] for one in sent}
    for kind in (*_named(books.spec), *(kind for kind in NUMBERED if kind in books.spec.find_kinds)):
        mine = [one for one in sent if one.name and (one.draft.kind == kind or not {kind, one.draft.kind} & ALONE)]
        names = sorted({one.name for one in mine})
        if not names:
            continue
        hold()
        records = books.find(kind, names).records
        for one in mine:
            found[one.entry_id] += [record for record in records if _name(record) == legible(one.name).casefold()]
    return found


def _named(spec: Spec) -> tuple[str, ...]:
    """Kinds whose names are unique there, and that can be looked up by them."""
    return (*spec.name_kinds, *(kind for kind in (PRODUCT,) if kind in spec.find_kinds))


def _name(record: Record) -> str:
    if isinstance(record, DocumentRecord):
        return record.number.casefold()
    if isinstance(record, ItemRecord):
        return without_deleted(record.name).casefold()
    named = isinstance(record, CustomerRecord | PartyRecord)
    return without_deleted(record.display_name).casefold() if named else ""  # type: ignore[union-attr]
