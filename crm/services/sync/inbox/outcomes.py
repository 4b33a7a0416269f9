"""What became of each event, told where people look: at the event itself and in the sync log.

Called by `intake` in the transaction in which the reading was applied. What was not found is dealt with here: a failed
read is no deletion, so an object is gone when the event said so and the read agrees, or at the second look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import and_, or_, select

from crm.bell import ring
from crm.db import table_of
from crm.models import Customer, InboxEvent
from crm.services.sync.inbox.inbox import TAKE_IN
from crm.services.sync.mirror import gone, lists, money
from crm.services.sync.mirror.applying import Applied, Reading
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.mirror.kinds import INCOMING, Key, mirrored
from crm.services.sync.work import Batch

AGAIN = timedelta(seconds=30)
"""Between two looks for an object that was not found."""
OURS = timedelta(seconds=10)
"""Until a create of ours that is on its way is settled."""
TOGETHER = timedelta(hours=1)
"""What leaves within this time is looked at as one."""
MOST_WAITS = 6
NOT_FOUND = "It was not found in the books. It is asked for once more before it counts as gone."
KEPT = "kept"
TOO_MANY = "It is not in the books any more, with more than half of its kind. Nothing leaves until an admin says so."
WAITS = "A customer we are creating is on its way there; this may be the one."
SENTENCES = {
    "unchanged": "Nothing that is kept here had changed.",
    "echo": "Our own change, coming back.",
    "gone": "It is not in the books any more.",
}


class Held(Protocol):
    events: Sequence[Any]

    @property
    def merged_away(self) -> list[Key]: ...

    @property
    def by_object(self) -> dict[Key, list[Any]]: ...


@dataclass(slots=True)
class Said:
    """What one event becomes. `again`: pending still, and due then."""

    outcome: str
    message: str
    again: datetime | None = None
    missed: int = 0


def trigger_of(events: Iterable[Any]) -> str:
    """A person's wish before a webhook's hint."""
    sources = {event.source for event in events}
    return "person" if "person" in sources else "sweep" if sources == {"sweep"} else "webhook"


def settle(batch: Batch, hold: Held, reading: Reading, applied: Applied) -> None:
    said: dict[int, Said] = {}
    lost: dict[Key, list[Any]] = {}
    undecided = _undecided(batch, reading) if applied.waiting else set()
    for key, events in hold.by_object.items():
        if not reading.holds(*key):
            lost[key] = events
            continue
        for event in events:
            said[event.id] = _found(batch, event, key, reading, applied, waits=key[1] in undecided)
    said |= _not_found(batch, lost)
    for kind, remote_id in hold.merged_away:
        if not reading.holds(kind, remote_id):  # told to have gone, and not there
            mark_gone(batch, kind, [remote_id])
    contacts = contacts_of(batch, hold.by_object)
    _write(batch, hold, said, contacts)
    _log(batch, hold, applied, reading, contacts)


def _found(batch: Batch, event: Any, key: Key, reading: Reading, applied: Applied, *, waits: bool) -> Said:
    if key in reading.refusals:
        return Said("refused", reading.refusals[key].reason)
    followed = applied.merged.get((event.remote_id, event.other_remote_id))
    if event.verb == "merged" and followed is not None:
        return Said(followed.outcome, followed.message)
    if waits and event.attempts < MOST_WAITS:
        return Said("", WAITS, again=batch.now + OURS)
    outcome = applied.outcomes[key]
    if outcome == "changed":
        return Said(outcome, sentence(key, reading, applied))
    return Said(outcome, SENTENCES.get(outcome, "It cannot be kept; the sync log says why."))


def sentence(key: Key, reading: Reading, applied: Applied) -> str:
    """What happened to an object that changed."""
    record = reading.records[key[0]][key[1]]
    name = getattr(record, "display_name", "") or getattr(record, "name", "")
    number = getattr(record, "number", "") or getattr(record, "reference", "")
    what = f"“{name}”" if name else " ".join((INCOMING[key[0]].word, number or f"with id {key[1]}"))
    return f"{what} {'is new' if key in applied.new else 'changed'} in QuickBooks."


def _undecided(batch: Batch, reading: Reading) -> set[str]:
    ids = list(reading.records.get("customer", {}))
    mine = (Customer.connection_id == batch.books.id, Customer.remote_id.in_(ids), Customer.match_state == "new")
    return set(batch.session.scalars(select(Customer.remote_id).where(*mine)))


# --- what was not found ---------------------------------------------------------------------------------------


def _not_found(batch: Batch, lost: Mapping[Key, Sequence[Any]]) -> dict[int, Said]:
    """Gone where the event said so or at the second look; else looked for again."""
    said: dict[int, Said] = {}
    over: dict[str, list[str]] = {}
    for key, events in lost.items():
        missed = max(event.missed for event in events) + 1
        if missed >= 2 or any(event.verb == "deleted" for event in events):
            over.setdefault(key[0], []).append(key[1])
            said |= {event.id: Said("gone", SENTENCES["gone"], missed=missed) for event in events}
        else:
            again = batch.now + AGAIN
            said |= {event.id: Said("", NOT_FOUND, again=again, missed=missed) for event in events}
    for kind, ids in over.items():
        if _are_too_many(batch, kind, ids):
            for event in (event for id_ in ids for event in lost[kind, id_]):
                said[event.id] = Said(KEPT, TOO_MANY, missed=said[event.id].missed)
        else:
            mark_gone(batch, kind, ids)
    return said


def _are_too_many(batch: Batch, kind: str, ids: Sequence[str]) -> bool:
    """Whether more than half of the kind goes: with these, what went or was kept a moment ago, and what is suspected.

    Events come in pages, so none of them shows by itself how many there are.
    """
    if kind not in mirrored():
        return False
    lately = batch.now - TOGETHER
    waits = and_(InboxEvent.state == "pending", or_(InboxEvent.missed > 0, InboxEvent.verb == "deleted"))
    kept = and_(InboxEvent.outcome == KEPT, InboxEvent.settled_at >= lately)
    mine = (InboxEvent.connection_id == batch.books.id, InboxEvent.kind == kind)
    suspected = select(InboxEvent.remote_id).where(*mine, or_(waits, kept))
    told = {*ids, *batch.session.scalars(suspected.distinct())}
    here = gone.still_here(batch.session, batch.books.id, kind, sorted(told))
    if not set(here) & set(ids):
        return False
    left = gone.left_since(batch, kind, lately)
    return gone.park_many(batch, kind, len(here) + left, left=left)


def mark_gone(batch: Batch, kind: str, remote_ids: Sequence[str]) -> list[str]:
    """These are gone from the books: out of the figures, told; answers those that were here until now."""
    if kind not in mirrored():
        lists.make_inactive(batch, kind, remote_ids)
        return []
    rows = gone.rows_of(batch, kind, remote_ids)
    gone.mark(batch, kind, rows)
    contacts = [row.contact_id for row in rows if row.contact_id]
    if contacts:
        money.refresh(batch.session, batch.books, contacts, now=batch.now)
    return [row.remote_id for row in rows]


# --- where it is told -----------------------------------------------------------------------------------------


def contacts_of(batch: Batch, keys: Iterable[Key]) -> dict[Key, int]:
    """At whose page each object is shown."""
    found: dict[Key, int] = {}
    by_kind: dict[str, list[str]] = {}
    for kind, remote_id in keys:
        by_kind.setdefault(kind, []).append(remote_id)
    tables = mirrored()
    for kind, ids in by_kind.items():
        shown = tables[kind].contacts(batch.session, batch.books.id, ids) if kind in tables else {}
        found |= {(kind, remote_id): contact_id for remote_id, contact_id in shown.items()}
    return found


def _write(batch: Batch, hold: Held, said: Mapping[int, Said], contacts: Mapping[Key, int]) -> None:
    rows = [
        {"id": event.id, "state": "pending" if one.again else "done", "outcome": one.outcome, "message": one.message,
         "available_at": one.again or batch.now, "missed": max(one.missed, event.missed),
         "contact_id": contacts.get((event.kind, event.remote_id)), "settled_at": None if one.again else batch.now}
        for event in hold.events for one in [said[event.id]]
    ]  # fmt: skip
    update_by_id(batch.session, table_of(InboxEvent), rows)
    again = [one.again for one in said.values() if one.again]
    if again:
        ring(TAKE_IN, batch.books.id, after=(min(again) - batch.now).total_seconds())


def _log(batch: Batch, hold: Held, applied: Applied, reading: Reading, contacts: Mapping[Key, int]) -> None:
    """A line for each object that changed; what went, merged or was refused has its line already."""
    for key, events in hold.by_object.items():
        if applied.outcomes.get(key) == "changed" and key in applied.moved:
            batch.log("record_changed", sentence(key, reading, applied), kind=key[0], remote_id=key[1], outcome="done",
                      contact_id=contacts.get(key), attempt=max(event.attempts for event in events) + 1,
                      trigger=trigger_of(events), details={"event": events[-1].id})  # fmt: skip
