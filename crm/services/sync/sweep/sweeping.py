"""Asking the books what changed, and what is told of it. `sweep` decides when, and stores it.

An answer holds a thousand objects. Where there were more, each kind is asked for by itself; a kind that is still too
many is asked for over half the time, and half of that, so that its latest changes are here at once, and is `short`:
only a full read shows the rest; a list is read whole at once. An object that the books say was deleted is believed, but
what has a name is asked for by its id: QuickBooks may call it deleted when it was only made inactive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from crm.db import db, end_reading
from crm.domain.runs import LISTS
from crm.providers.accounting.base import Changes
from crm.services.sync.imports.fetch import Fetch
from crm.services.sync.inbox import outcomes as intake_outcomes
from crm.services.sync.mirror import gone
from crm.services.sync.mirror.applying import Applied, Reading, learn_names
from crm.services.sync.mirror.kinds import INCOMING, Key, mirrored
from crm.services.sync.work import Batch

HALVINGS = 6


@dataclass(slots=True)
class Asked:
    """What the books said."""

    until: datetime
    reading: Reading = field(default_factory=Reading)
    gone: dict[Key, datetime | None] = field(default_factory=dict)
    short: dict[str, datetime] = field(default_factory=dict)
    """Kinds that changed more often than could be told, and since when all their changes are here."""

    def add(self, changes: Changes) -> None:
        self.reading.add(changes.records, changes.refusals)
        self.gone |= {(stone.kind, stone.remote_id): stone.at for stone in changes.gone}


def ask(fetch: Fetch, connection_id: int, kinds: Sequence[str], since: datetime) -> Asked:
    """One call, unless there was too much to tell."""
    first = fetch.changes(kinds, since)
    asked = Asked(first.until)
    asked.add(first)
    if not first.complete:
        for kind in kinds:
            _ask_one(fetch, asked, kind, since)
    _confirm(fetch, asked, connection_id)
    learn_names(fetch, asked.reading)
    return asked


def _ask_one(fetch: Fetch, asked: Asked, kind: str, since: datetime) -> None:
    answer = fetch.changes([kind], since)
    asked.add(answer)
    if answer.complete:
        return
    if kind in LISTS:
        asked.reading.add(*fetch.whole_list(kind))
        return
    asked.short[kind] = asked.until
    for _ in range(HALVINGS):
        since += (asked.until - since) / 2
        answer = fetch.changes([kind], since)
        asked.add(answer)
        if answer.complete:
            asked.short[kind] = since
            return


def _confirm(fetch: Fetch, asked: Asked, connection_id: int) -> None:
    """What has a name, is here still and is said to be deleted: read once more, since it may only be inactive."""
    tables = mirrored()
    for kind in sorted({key[0] for key in asked.gone}):
        if not INCOMING[kind].confirms:
            continue
        said = [remote_id for one, remote_id in asked.gone if one == kind]
        here = tables[kind].still_here(db.session(), connection_id, said) if kind in tables else said
        end_reading()
        if here:
            page = fetch.fetch(kind, here)
            asked.reading.add(page.records, page.refusals)
    asked.gone = {
        key: at for key, at in asked.gone.items() if not (INCOMING[key[0]].confirms and asked.reading.holds(*key))
    }


def mark_gone(batch: Batch, asked: Asked) -> set[Key]:
    """What was deleted there leaves the figures here, unless it is more than half of all; answers what left now."""
    by_kind: dict[str, list[str]] = {}
    for kind, remote_id in asked.gone:
        by_kind.setdefault(kind, []).append(remote_id)
    left: set[Key] = set()
    for kind, ids in by_kind.items():
        if kind in LISTS:
            intake_outcomes.mark_gone(batch, kind, ids)
            continue
        here = gone.still_here(batch.session, batch.books.id, kind, ids)
        if here and not gone.park_many(batch, kind, len(here)):
            left |= {(kind, remote_id) for remote_id in intake_outcomes.mark_gone(batch, kind, here)}
    return left


def tell(batch: Batch, reading: Reading, applied: Applied) -> None:
    """A line of the sync log for each object that changed."""
    keys = [key for key in applied.moved if applied.outcomes[key] == "changed"]
    contacts = intake_outcomes.contacts_of(batch, keys)
    for key in sorted(keys):
        batch.log("record_changed", intake_outcomes.sentence(key, reading, applied), kind=key[0], remote_id=key[1],
                  contact_id=contacts.get(key), outcome="done")  # fmt: skip


def counted(applied: Applied, left: set[Key], *, calls: int, missed: int) -> dict[str, int]:
    found = {"calls": calls, "changes": len(applied.outcomes) + len(left), "gone": len(left), "missed": missed}
    for outcome in applied.outcomes.values():
        found[outcome] = found.get(outcome, 0) + 1
    return found


def summary(counts: Mapping[str, int]) -> str:
    number = counts.get("changed", 0) + counts["gone"]
    if not number:
        return "Swept: nothing had changed that was not here yet."
    return f"Swept: {number:,} change{'s' if number > 1 else ''} came in."
