"""What must leave for the books is noted here, in the transaction of the change that caused it.

One entry per object waits at a time: later changes are absorbed by it until its body is made (`sending`). Two people
who change the same object at the same moment meet at a unique index; the one who comes second absorbs. Works on many
objects with the same few statements as on one.

| waiting entry | what is noted | becomes |
|---|---|---|
| `pending` | anything | `pending`, with both |
| `parked` | anything | `pending`: it was mended, and is tried at once |
| `parked`, may have been done | anything | `frozen`: it is repeated first, what is noted waits beside it |
| `skipped` | by a person | `pending` |
| `skipped` | by anything else | `skipped`; what changed is remembered |
| a create | a deactivation | `dropped`: it was never there |
| none; a create was given up that may have been done | anything | that create `frozen`: as above |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, text, union, update
from sqlalchemy.orm import Session

from crm.bell import ring
from crm.db import changed, table_of
from crm.models import Link, OutboxEntry, OutboxNeed, PlanLine
from crm.services.audit import Actor
from crm.services.identity_keys import chunks
from crm.services.sync.mirror.bulk import INSERTS, update_by_id

TASK = "crm.tasks.outbox.send"
ENTRIES = table_of(OutboxEntry)
WAITING = ("pending", "parked", "skipped")
WAITS = "state IN ('pending', 'parked', 'skipped')"
"""The same as the unique index says it."""
OPEN = (*WAITING, "frozen")
GIVEN_UP = "given_up"
"""Option of a create that a person gave up though it may have been done."""
NEVER_THERE = "It was taken back before it was sent."
STRONGER = {
    ("create", "update"): "create", ("create", "reactivate"): "create", ("deactivate", "update"): "deactivate",
    ("reactivate", "update"): "reactivate",
}  # fmt: skip
"""(waiting, noted) -> the operation of both; otherwise what was noted last counts."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall be done about one object."""

    operation: str
    """As `OutboxEntry.operation`."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Shared field -> when it was changed here (ISO, UTC)."""
    options: Mapping[str, Any] = field(default_factory=dict)
    plan_line_id: int | None = None
    needs: tuple[tuple[str, int], ...] = ()
    """(kind, local id) of what must be linked first."""


def note(
    session: Session,
    connection_id: int,
    kind: str,
    local_id: int,
    *,
    operation: str,
    fields: Mapping[str, str] | Iterable[str] = (),
    trigger: str,
    actor: Actor,
    now: datetime,
    options: Mapping[str, Any] | None = None,
    plan_line_id: int | None = None,
    needs: Sequence[tuple[str, int]] = (),
) -> OutboxEntry:
    """This object must go out; answers the entry that says so. `fields` given as mere names were changed now."""
    wish = Wish(operation, dated(fields, now), options or {}, plan_line_id, tuple(needs))
    ids = note_many(session, connection_id, kind, {local_id: wish}, trigger=trigger, actor=actor, now=now)
    return session.get_one(OutboxEntry, ids[local_id], populate_existing=True)


def dated(fields: Mapping[str, str] | Iterable[str], now: datetime) -> dict[str, str]:
    return dict(fields) if isinstance(fields, Mapping) else dict.fromkeys(fields, now.isoformat())


def note_many(
    session: Session,
    connection_id: int,
    kind: str,
    wishes: Mapping[int, Wish],
    *,
    trigger: str,
    actor: Actor,
    now: datetime,
) -> dict[int, int]:
    """The same for many objects of a kind: local id -> entry id."""
    session.flush()
    ids: dict[int, int] = {}
    for part in chunks(sorted(wishes), 500):
        left = {local_id: wishes[local_id] for local_id in part}
        while left:
            # What the insert leaves out was noted by somebody else a moment ago, and is there to absorb.
            found = _absorb(session, connection_id, kind, left, trigger=trigger, actor=actor, now=now)
            left = {local_id: wish for local_id, wish in left.items() if local_id not in found}
            made = _insert(session, connection_id, kind, left, trigger=trigger, actor=actor, now=now)
            left = {local_id: wish for local_id, wish in left.items() if local_id not in made}
            ids |= found | made
    _note_needs(session, {ids[local_id]: wish.needs for local_id, wish in wishes.items() if wish.needs})
    if wishes:
        ring(TASK, connection_id)
    return ids


def _absorb(
    session: Session,
    connection_id: int,
    kind: str,
    wishes: Mapping[int, Wish],
    *,
    trigger: str,
    actor: Actor,
    now: datetime,
) -> dict[int, int]:
    mine = (ENTRIES.c.connection_id == connection_id, ENTRIES.c.kind == kind, ENTRIES.c.local_id.in_(list(wishes)))
    waiting = session.execute(
        select(ENTRIES).where(*mine, ENTRIES.c.state.in_(WAITING)).order_by(ENTRIES.c.id).with_for_update()
    ).all()
    unsure = [entry for entry in waiting if _is_repeated(entry, wishes[entry.local_id], trigger=trigger)]
    update_by_id(session, ENTRIES, [{"id": entry.id, "state": "frozen", **taken_anew(now)} for entry in unsure])
    _forget(session, {entry.id for entry in unsure})
    waiting = [entry for entry in waiting if entry not in unsure]
    rows = [_absorbed(entry, wishes[entry.local_id], trigger=trigger, actor=actor, now=now) for entry in waiting]
    update_by_id(session, ENTRIES, rows)
    _tell_undone(session, [entry.plan_line_id for entry in waiting], rows)
    _forget(session, {row["id"] for row in rows})
    return {entry.local_id: entry.id for entry in waiting}


def _is_repeated(entry: Any, wish: Wish, *, trigger: str) -> bool:
    """Whether it may have been done and is sent once more as it was, before anything else of its object."""
    both = STRONGER.get((entry.operation, wish.operation), wish.operation)
    return bool(entry.request_key) and (entry.state == "parked" or trigger == "person" or both != entry.operation)


def taken_anew(now: datetime) -> dict[str, Any]:
    """The columns of an entry that is tried again as if nothing had failed."""
    return {"available_at": now, "updated_at": now, "failures": 0, "rounds": 0, "parked_at": None, "cause": "",
            "error": "", "error_code": "", "trace_id": "", "evidence": {}}  # fmt: skip


def _absorbed(entry: Any, wish: Wish, *, trigger: str, actor: Actor, now: datetime) -> dict[str, Any]:
    undone = entry.operation == "create" and wish.operation == "deactivate"
    stays = entry.state == "skipped" and trigger != "person"
    mended = entry.state == "parked" or (entry.state == "skipped" and not stays)
    state = "dropped" if undone else "skipped" if stays else "pending"
    kept = {name: getattr(entry, name) for name in ("cause", "error", "error_code", "trace_id", "evidence")}
    clean: dict[str, Any] = {"cause": "", "error": "", "error_code": "", "trace_id": "", "evidence": {}}
    return {
        "id": entry.id,
        "operation": STRONGER.get((entry.operation, wish.operation), wish.operation),
        "state": state,
        "fields": {**entry.fields, **wish.fields},
        "options": {**entry.options, **wish.options},
        "plan_line_id": wish.plan_line_id or entry.plan_line_id,
        "trigger": trigger if trigger != "change" else entry.trigger,
        "actor": actor.label,
        "available_at": now if mended or trigger == "person" else entry.available_at,
        "failures": 0 if mended else entry.failures,
        "rounds": 0 if mended else entry.rounds,
        "parked_at": None if mended else entry.parked_at,
        "settled_at": now if undone else None,
        "updated_at": now,
        **(clean | {"error": NEVER_THERE} if undone else clean if mended else kept),
    }


def _tell_undone(session: Session, planned: Sequence[int | None], rows: Sequence[Mapping[str, Any]]) -> None:
    """What was taken back before it was sent is through, for the plan that made it and the one that took it back."""
    lines = {one for old, row in zip(planned, rows, strict=True) if row["state"] == "dropped"
             for one in (old, row["plan_line_id"])} - {None}  # fmt: skip
    if lines:
        through = {"outcome": "nothing", "outcome_text": NEVER_THERE}
        changed(update(PlanLine).where(PlanLine.id.in_(lines)).values(through))


def _insert(
    session: Session,
    connection_id: int,
    kind: str,
    wishes: Mapping[int, Wish],
    *,
    trigger: str,
    actor: Actor,
    now: datetime,
) -> dict[int, int]:
    if not wishes:
        return {}
    rows = [
        {"connection_id": connection_id, "kind": kind, "local_id": local_id, "operation": wish.operation,
         "state": "pending", "fields": dict(wish.fields), "options": dict(wish.options), "available_at": now,
         "plan_line_id": wish.plan_line_id, "trigger": trigger, "actor": actor.label, "created_at": now,
         "updated_at": now}
        for local_id, wish in wishes.items()
    ]  # fmt: skip
    statement = INSERTS[session.get_bind().dialect.name](OutboxEntry).on_conflict_do_nothing(
        index_elements=["connection_id", "kind", "local_id"], index_where=text(WAITS)
    )
    made = session.execute(statement.returning(OutboxEntry.local_id, OutboxEntry.id), rows)
    noted = {local_id: entry_id for local_id, entry_id in made}
    _repeat_given_up(session, connection_id, kind, list(noted), now=now)
    return noted


def _repeat_given_up(
    session: Session, connection_id: int, kind: str, local_ids: Sequence[int], *, now: datetime
) -> None:  # fmt: skip
    """A create whose answer was lost and that a person gave up goes out once more as it was, with its key, before what
    is noted now: under a new key the books could make it a second time."""
    linked = select(Link.local_id).where(Link.connection_id == connection_id, Link.kind == kind)
    lost = session.execute(
        select(ENTRIES.c.id, ENTRIES.c.options)
        .where(ENTRIES.c.connection_id == connection_id, ENTRIES.c.kind == kind, ENTRIES.c.local_id.in_(local_ids),
               ENTRIES.c.state == "dropped", ENTRIES.c.operation == "create", ENTRIES.c.request_key != "",
               ENTRIES.c.local_id.not_in(linked.where(Link.local_id.in_(local_ids))))
        .order_by(ENTRIES.c.id)
        .with_for_update()
    )  # fmt: skip
    rows = [
        {"id": row.id, "state": "frozen", "settled_at": None, **taken_anew(now),
         "options": {name: value for name, value in row.options.items() if name != GIVEN_UP}}
        for row in lost if row.options.get(GIVEN_UP)
    ]  # fmt: skip
    update_by_id(session, ENTRIES, rows)
    _forget(session, {row["id"] for row in rows})


def _note_needs(session: Session, needs: Mapping[int, Sequence[tuple[str, int]]]) -> None:
    rows = [
        {"entry_id": entry_id, "kind": kind, "local_id": local_id}
        for entry_id, wanted in needs.items()
        for kind, local_id in wanted
    ]
    if rows:
        statement = INSERTS[session.get_bind().dialect.name](OutboxNeed).on_conflict_do_nothing()
        session.execute(statement, rows)


def _forget(session: Session, entry_ids: set[int]) -> None:
    """What the session remembers of these entries is old now."""
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, OutboxEntry) and loaded.id in entry_ids:
            session.expire(loaded)


# --- contacts -------------------------------------------------------------------------------------------------


def contact_changed(session: Session, contact_id: int, fields: Iterable[str], *, actor: Actor, now: datetime) -> None:
    """A person, file or program changed these shared fields of a contact; nothing to do where no books know it."""
    contacts_changed(session, {contact_id: fields}, actor=actor, now=now)


def contacts_changed(
    session: Session, changes: Mapping[int, Iterable[str]], *, actor: Actor, now: datetime
) -> dict[int, int]:
    """The same for many contacts, contact id -> fields; answers connection id -> how many were noted for it.

    A contact without fields was written in another way only (a comma, a capital): that mends what is parked.
    """
    session.flush()
    wanted = {contact_id: tuple(names) for contact_id, names in changes.items()}
    noted: dict[int, dict[int, Wish]] = {}
    for part in chunks(list(wanted), 500):
        for connection_id, contact_id in session.execute(_known_to(
            [id_ for id_ in part if wanted[id_]], [id_ for id_ in part if not wanted[id_]]
        )):  # fmt: skip
            wish = Wish("update", dated(wanted[contact_id], now))
            noted.setdefault(connection_id, {})[contact_id] = wish
    for connection_id, wishes in sorted(noted.items()):
        note_many(session, connection_id, "customer", wishes, trigger="change", actor=actor, now=now)
    return {connection_id: len(wishes) for connection_id, wishes in noted.items()}


def _known_to(changed: Sequence[int], respelled: Sequence[int]) -> Any:
    """(connection, contact) of those that are linked or on their way there; of the respelled only what is parked.

    Also where nothing can be sent now, since the customer is inactive there or the company disconnected: the entry
    waits, and says since when ours is newer than theirs.
    """
    linked = select(Link.connection_id, Link.local_id).where(
        Link.kind == "customer", Link.local_id.in_(changed), Link.state != "gone"
    )
    leaving = select(OutboxEntry.connection_id, OutboxEntry.local_id).where(
        OutboxEntry.kind == "customer",
        or_(
            OutboxEntry.local_id.in_(changed) & OutboxEntry.state.in_(OPEN),
            OutboxEntry.local_id.in_(respelled) & (OutboxEntry.state == "parked"),
        ),
    )
    return union(linked, leaving)
