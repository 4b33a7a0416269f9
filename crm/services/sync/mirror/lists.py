"""Lists of the books (terms, accounts, tax codes ...): names that other rows point to, kept whole as `ListEntry`.

They come in by a step of each import, once a day with the sweep, by webhooks, and where the books tell changes of them
with every sweep. A row that a complete reading did not see turns inactive: what points to it keeps its name. Employees
are here for their names alone, which nobody else may bear; nothing points to one, and one that is gone bears none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from crm.db import changed, table_of
from crm.domain.records import ListRecord, PartyRecord, Refusal
from crm.domain.runs import EMPLOYEE, LISTS
from crm.models import ListEntry
from crm.services.identity_keys import chunks
from crm.services.sync.imports.fetch import Fetch, Names, refuse
from crm.services.sync.mirror.bulk import upsert
from crm.services.sync.mirror.port import Incoming
from crm.services.sync.mirror.stored import as_stored, content_hash
from crm.services.sync.mirror.table import PART
from crm.services.sync.work import Batch, Work


@dataclass(slots=True)
class Whole:
    """One list as a complete reading found it."""

    kind: str
    records: Sequence[ListRecord | PartyRecord]
    refusals: Sequence[Refusal]


class Lists(Incoming):
    """One kind of list."""

    mirror = None
    confirms = True

    def __init__(self, kind: str) -> None:
        self.kind, self.word = kind, LISTS[kind]
        self.shape = PartyRecord if kind == EMPLOYEE else ListRecord

    def take(self, batch: Batch, records: Sequence[ListRecord | PartyRecord], names: Names) -> Collection[str]:
        store(batch, records)
        return ()

    def hashes(self, session: Session, connection_id: int, remote_ids: Collection[str]) -> dict[str, str]:
        """Lists keep no hash: their content is short enough to be hashed anew."""
        found: dict[str, str] = {}
        for part in chunks(list(remote_ids), PART):
            mine = (ListEntry.connection_id == connection_id, ListEntry.kind == self.kind,
                    ListEntry.remote_id.in_(part))  # fmt: skip
            columns = select(ListEntry.remote_id, ListEntry.name, ListEntry.active, ListEntry.details)
            for row in session.execute(columns.where(*mine)):
                found[row.remote_id] = _hash(self.kind, row.name, row.active, row.details)
        return found


def _hash(kind: str, name: str, active: bool, details: Mapping[str, Any]) -> str:
    stored = {"kind": kind, "display_name" if kind == EMPLOYEE else "name": name, "active": active}
    return content_hash(stored | ({"details": details} if details else {}))


def store(batch: Batch, records: Sequence[ListRecord | PartyRecord]) -> None:
    rows = {(record.kind, record.origin.remote_id): _row(batch, record) for record in records}
    upsert(batch.session, table_of(ListEntry), list(rows.values()), by=("connection_id", "kind", "remote_id"))


def _row(batch: Batch, record: ListRecord | PartyRecord) -> dict[str, Any]:
    name, details = (record.display_name, {}) if isinstance(record, PartyRecord) else (record.name, record.details)
    return {
        "connection_id": batch.books.id, "kind": record.kind, "remote_id": record.origin.remote_id,
        "name": name[:255], "active": record.active, "details": as_stored(details), "seen_at": batch.now,
    }  # fmt: skip


def store_whole(batch: Batch, whole: Whole) -> None:
    """All of a list; what it does not hold any more is inactive. A body without an id could be any of the missing."""
    store(batch, whole.records)
    for refusal in whole.refusals:
        refuse(batch, refusal)
    there = {record.origin.remote_id for record in whole.records} | {one.remote_id for one in whole.refusals}
    if "" in there:
        return
    known = select(ListEntry.remote_id).where(ListEntry.connection_id == batch.books.id, ListEntry.kind == whole.kind)
    if whole.kind != EMPLOYEE:
        known = known.where(ListEntry.active.is_(True))
    make_inactive(batch, whole.kind, sorted(set(batch.session.scalars(known)) - there))


def make_inactive(batch: Batch, kind: str, remote_ids: Sequence[str]) -> None:
    """These are in the books no more. An employee who is merely inactive bears a name still; who is gone does not."""
    for part in chunks(remote_ids, PART):
        mine = (ListEntry.connection_id == batch.books.id, ListEntry.kind == kind, ListEntry.remote_id.in_(part))
        stands = update(ListEntry).where(*mine).values(active=False)
        changed(delete(ListEntry).where(*mine) if kind == EMPLOYEE else stands)


def read(fetch: Fetch) -> list[Whole]:
    """Every list that the books have."""
    return [Whole(kind, *fetch.whole_list(kind)) for kind in LISTS if kind in fetch.books.spec.kinds]


def read_page(work: Work, fetch: Fetch, cursor: str | None) -> str:
    """The step of an import: one list after the other, each whole. The cursor is the list that comes next."""
    kinds = [kind for kind in LISTS if kind in fetch.books.spec.kinds]
    if not kinds:
        with work.page() as page:
            return page.reached(None)
    kind = cursor or kinds[0]
    whole = Whole(kind, *fetch.whole_list(kind))
    with work.page() as page:
        page.note(total=len(kinds))
        store_whole(page, whole)
        following = [*kinds, None][kinds.index(kind) + 1]
        return page.reached(following, done=1)
