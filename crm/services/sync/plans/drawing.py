"""What would become of objects if they were sent now: asked when a plan is made, and again when it is carried out.

The answer comes from the very code that makes the bodies of the outbox (`outbox/kinds`), so that a plan never shows
anything else than what is done. Reads only: whatever that code would keep is rolled back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain.plans import KEPT_BACK, STAYS
from crm.models import Conflict, Connection, Link, OutboxEntry
from crm.providers.accounting import registry
from crm.services.sync.outbox.kinds import OUTGOING
from crm.services.sync.outbox.kinds.port import Nothing, Park, Prepared, Wait
from crm.services.sync.outbox.outbox import WAITING
from crm.services.sync.plans.kinds import Drawn, Seen, planned
from crm.services.sync.work import Batch, Books

NOT_YET = "Stays in Tradebook. Before it can be created in QuickBooks: {}"
TWIN = "Another contact of this plan has the same name; QuickBooks lets no two share one. Give it another name there."
CONFLICT = "Waits for your decision under Conflicts: {}."
NOT_NOW = "Somebody said in the outbox that it shall not go out now: {}"
SKIPPED = "take it up again there."


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of a page of objects of one kind."""

    kind: str
    seen: Mapping[int, Seen]
    links: Mapping[int, Any]
    entries: Mapping[int, OutboxEntry]
    conflicts: Mapping[int, list[str]]


def draw(
    session: Session,
    books: Books,
    kind: str,
    local_ids: Sequence[int],
    *,
    chosen: bool,
    now: datetime,
    names: Mapping[int, str] | None = None,
) -> dict[int, Drawn]:
    """Local id -> what would be done; ids without an object are missing.

    `chosen`: those not in the books yet would be created; else they stay here until somebody chooses them. `names`:
    local id -> another name than its own to create it under.
    """
    around = _around(session, books, kind, local_ids)
    known = {id_: one for id_ in around.seen if (one := _at_once(id_, around)) is not None}
    open_ones = [id_ for id_ in around.seen if id_ not in known]
    prepared = _prepared(session, books, open_ones, around, names or {}, now)
    return known | {id_: _drawn(id_, around, prepared[id_], chosen=chosen) for id_ in open_ones}


def _around(session: Session, books: Books, kind: str, ids: Sequence[int]) -> Around:
    mine = (Link.connection_id == books.id, Link.kind == kind, Link.local_id.in_(ids))
    known = select(Link.local_id, Link.remote_id, Link.state).where(*mine)
    links = {row.local_id: row for row in session.execute(known)}
    waiting = select(OutboxEntry).where(
        OutboxEntry.connection_id == books.id, OutboxEntry.kind == kind, OutboxEntry.local_id.in_(ids),
        OutboxEntry.state.in_(WAITING),
    )  # fmt: skip
    asked = select(Conflict.local_id, Conflict.field).where(
        Conflict.connection_id == books.id, Conflict.kind == kind, Conflict.local_id.in_(ids), Conflict.state == "open"
    )
    brings, conflicts = planned(kind), dict[int, list[str]]()
    for local_id, name in session.execute(asked.order_by(Conflict.local_id, Conflict.field)):
        conflicts.setdefault(local_id, []).append(brings.title(name))
    entries = {entry.local_id: entry for entry in session.scalars(waiting)}
    return Around(kind, brings.look(session, books, ids, links), links, entries, conflicts)


def _at_once(id_: int, around: Around) -> Drawn | None:
    """What needs no comparing to be known; None where the object must be looked at."""
    entry, one = around.entries.get(id_), _plain(id_, around)
    if entry is not None and entry.state == "skipped" and not entry.error.startswith(KEPT_BACK):
        return replace(one, reason=NOT_NOW.format(entry.error or SKIPPED))
    if (stays := around.seen[id_].stays) is not None:
        return replace(one, action=stays[0], reason=stays[1])
    return None


def _plain(id_: int, around: Around) -> Drawn:
    link, seen = around.links.get(id_), around.seen[id_]
    return Drawn(id_, seen.name, "skip", link.remote_id if link else "", amount=seen.amount, kind=around.kind)


def _prepared(
    session: Session, books: Books, ids: Sequence[int], around: Around, names: Mapping[int, str], now: datetime
) -> Mapping[int, Prepared]:
    """What the outbox would make of these objects, as if each had an entry; nothing of it is kept."""
    if not ids:
        return {}
    provider = session.get_one(Connection, books.id).provider
    entries = [_imagined(books, id_, around, names) for id_ in ids]
    session.flush()
    trial = session.begin_nested()
    try:
        batch = Batch(session, books, now, trigger="plan")
        prepared = OUTGOING[around.kind].prepare(batch, entries, body=registry.body(provider))
    finally:
        trial.rollback()
    return prepared


def _imagined(books: Books, id_: int, around: Around, names: Mapping[int, str]) -> OutboxEntry:
    """The entry this object would have; what waits already is part of it. Never stored."""
    real, link = around.entries.get(id_), around.links.get(id_)
    options = {**(real.options if real else {}), "left": {}}  # what an earlier plan left is offered again
    if id_ in names:
        options["display_name"] = names[id_]
    return OutboxEntry(
        id=id_, connection_id=books.id, kind=around.kind, local_id=id_, state="pending", options=options,
        operation=real.operation if real else "update" if link else "create", fields=dict(real.fields) if real else {},
        attempts=0, failures=0, rounds=0, generation=0, remote_id=link.remote_id if link else "", trigger="plan",
        evidence={}, actor="",
    )  # fmt: skip


def _drawn(id_: int, around: Around, prepared: Prepared, *, chosen: bool) -> Drawn:
    link, entry, one = around.links.get(id_), around.entries.get(id_), _plain(id_, around)
    asked = CONFLICT.format(", ".join(around.conflicts[id_])) if id_ in around.conflicts else ""
    if isinstance(prepared, Park):
        here = link is None and not (chosen or entry is not None or around.seen[id_].ready)
        free = str(prepared.evidence.get("suffix", ""))
        told = f"{prepared.error} “{free}” is free." if free else prepared.error
        reason = NOT_YET.format(told) if here else told
        return replace(one, action="skip" if here else "refuse", reason=reason)
    if isinstance(prepared, Wait):
        return replace(one, reason=prepared.why)
    if isinstance(prepared, Nothing):
        return replace(one, reason=asked) if asked else replace(one, action="link")
    one = replace(one, action=prepared.operation, changes=prepared.changes, before=prepared.before)
    if prepared.operation == "create":
        asked_for = chosen or entry is not None or around.seen[id_].ready
        return replace(one, reason=around.seen[id_].remark) if asked_for else replace(one, action="skip", reason=STAYS)
    parked = f"Parked in the outbox: {entry.error}" if entry is not None and entry.state == "parked" else ""
    return replace(one, reason=parked or asked)
