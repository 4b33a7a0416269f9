"""What every decision about a difference does to the rows: base, outbox, contact, the conflict itself, and its words.

Used by `services/conflicts`, for one contact or a page of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain.conflicts import CHOICES
from crm.domain.directions import DIRECTIONS
from crm.domain.shared_fields import TITLES, shown_here
from crm.models import Conflict, Link, SyncLogEntry
from crm.services.audit import Actor
from crm.services.sync import settings
from crm.services.sync.merge import conflicts as rows
from crm.services.sync.merge.comparing import KIND, Compared
from crm.services.sync.merge.enrich import again
from crm.services.sync.merge.enrich_told import Decided
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.outbox import outbox
from crm.services.sync.work import Books


def value(compared: Compared, field: str, choice: str) -> str:
    if choice == "theirs":
        return compared.theirs.shown(field)
    return shown_here(field, compared.merged.here[field], compared.contact, compared.lines)


def close(session: Session, chosen: Mapping[int, str], choice: str, *, by: str, now: datetime) -> None:
    """`chosen`: conflict -> the value, as people read it."""
    update_by_id(session, table_of(Conflict), [
        {"id": id_, "state": "resolved", "choice": choice, "decided": text, "decided_by": by[:254], "decided_at": now}
        for id_, text in chosen.items()
    ])  # fmt: skip
    rows.forget(session)


def carry_out(
    session: Session,
    meant: Sequence[Compared],
    field: str,
    choice: str,
    *,
    books: Books,
    actor: Actor,
    now: datetime,
) -> bool:
    """One side counts as unchanged since they last agreed; the merge does the rest. Answers whether ours goes out."""
    bases = []
    for one in meant:
        agreed = one.merged.here[field] if choice == "theirs" else one.theirs.keys()[field]
        bases.append({"id": one.link.id, "base": {**one.link.base, field: agreed}})
    update_by_id(session, table_of(Link), bases)
    ids = [one.contact.id for one in meant]
    goes_out = DIRECTIONS[settings.current(session, books.id, KIND).direction].goes_out
    if choice != "theirs" and goes_out:
        wish = outbox.Wish("update", outbox.dated([field], now))
        outbox.note_many(session, books.id, KIND, dict.fromkeys(ids, wish), trigger="conflict", actor=actor, now=now)
    decided = Decided(frozenset([field]), actor) if choice == "theirs" else None
    again(session, ids, books=books, now=now, decided=decided)
    if meant:
        session.execute(insert(table_of(SyncLogEntry)), [
            {"connection_id": books.id, "at": now, "level": "info", "event": "conflict_decided", "kind": KIND,
             "remote_id": one.entry.remote_id, "contact_id": one.contact.id, "trigger": "person", "outcome": choice,
             "direction": "in" if choice == "theirs" else "out", "details": {"field": field},
             "message": f"{TITLES[field].capitalize()}: decided by {actor.label}. {CHOICES[choice]}."}
            for one in meant
        ])  # fmt: skip
    return goes_out


def said(compared: Compared, field: str, choice: str, chosen: str, *, goes_out: bool) -> str:
    title, value = TITLES[field].capitalize(), chosen or "nothing"
    if choice == "theirs":
        return f"{title}: {value} was taken from QuickBooks."
    there = compared.theirs.shown(field) or "nothing"
    if goes_out:
        return f"{title}: {value} stays here and is sent to QuickBooks, where it was {there}."
    return f"{title}: {value} stays here; QuickBooks keeps {there}, since nothing is sent there."
