"""Reading the books for a run: the connection is opened at the first call, every call is counted, names are resolved.

Used by the steps between two transactions, never inside one. `Names` answers what a reference is called: from the
reference itself, from the mirror of lists, and, only where a page holds one that neither knows, by reading that list.
How fast is no business of a run: `services/throttle` admits every call of a company.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import select

from crm.db import db, end_reading, table_of
from crm.domain.records import ListRecord, PartyRecord, Ref, Refusal
from crm.domain.runs import EMPLOYEE
from crm.models import ListEntry
from crm.providers.accounting.base import Accounting, Changes
from crm.providers.accounting.base import Page as RemotePage
from crm.services.sync.mirror.bulk import upsert
from crm.services.sync.mirror.stored import as_stored
from crm.services.sync.work import Batch, Books


class Caller(Protocol):
    """Whose calls are counted: the work on a run, or on events."""

    books: Books
    calls: int


@dataclass(slots=True)
class Fetch:
    """The remote side of a run."""

    work: Caller
    open: Callable[[], Accounting]
    names: Names = field(default_factory=lambda: Names())
    _books: Accounting | None = None

    @property
    def books(self) -> Accounting:
        if self._books is None:
            end_reading()
            self._books = self.open()
            end_reading()
        return self._books

    def count(self, kind: str) -> int:
        self._call()
        return self.books.count(kind)

    def scan(self, kind: str, cursor: str | None) -> RemotePage:
        self._call()
        return self.books.scan(kind, cursor)

    def fetch(self, kind: str, ids: Sequence[str]) -> RemotePage:
        self._call()
        return self.books.fetch(kind, ids)

    def changes(self, kinds: Sequence[str], since: datetime) -> Changes:
        self._call()
        return self.books.changes(kinds, since)

    def _call(self) -> None:
        self.work.calls += 1

    def whole_list(self, kind: str) -> tuple[list[ListRecord | PartyRecord], list[Refusal]]:
        """Every row of a list such as terms; lists are short."""
        records: list[ListRecord | PartyRecord] = []
        refusals: list[Refusal] = []
        cursor: str | None = None
        while True:
            page = self.scan(kind, cursor)
            records += [record for record in page.records if isinstance(record, ListRecord | PartyRecord)]
            refusals += page.refusals
            cursor = page.cursor
            if cursor is None:
                return records, refusals


@dataclass(slots=True)
class Names:
    """What references are called, for one worker on one run. A list is read at most once."""

    known: dict[tuple[str, str], str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    read: list[ListRecord] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def learn(self, fetch: Fetch, refs: Iterable[tuple[str, Ref | None]]) -> None:
        """Make sure that every reference, given as (kind of list, reference), has a name if the books know one."""
        self.read, self.refusals = [], []
        unnamed = {(kind, ref.remote_id) for kind, ref in refs if ref is not None and not ref.name}
        if unnamed and not self.known:
            self._load(fetch.work)
        for kind in sorted({kind for kind, remote_id in unnamed if (kind, remote_id) not in self.known} - self.asked):
            records, refusals = fetch.whole_list(kind)
            self.asked.add(kind)
            read = [record for record in records if isinstance(record, ListRecord)]
            self.read += read
            self.refusals += refusals
            self.known |= {(kind, record.origin.remote_id): record.name for record in read}

    def of(self, kind: str, ref: Ref | None) -> str:
        if ref is None:
            return ""
        return ref.name or self.known.get((kind, ref.remote_id), "")

    def store(self, batch: Batch) -> None:
        """Write the lists that were read, in the open transaction."""
        upsert(batch.session, table_of(ListEntry), [
            {"connection_id": batch.books.id, "kind": record.kind, "remote_id": record.origin.remote_id,
             "name": record.name[:255], "active": record.active, "details": as_stored(record.details),
             "seen_at": batch.now}
            for record in {(record.kind, record.origin.remote_id): record for record in self.read}.values()
        ], by=("connection_id", "kind", "remote_id"))  # fmt: skip
        for refusal in self.refusals:
            refuse(batch, refusal)

    def _load(self, work: Caller) -> None:
        entries = select(ListEntry.kind, ListEntry.remote_id, ListEntry.name)
        for row in db.session.execute(entries.where(ListEntry.connection_id == work.books.id)):
            self.known[(row.kind, row.remote_id)] = row.name
        end_reading()


def refuse(batch: Batch, refusal: Refusal) -> None:
    """Keep a body that could not be read, with the reason, and go on. An employee's is not kept: it tells of pay."""
    batch.count("refused")
    if not refusal.remote_id:
        batch.met_unnamed()
    batch.log(
        "record_refused", refusal.reason, level="warning", kind=refusal.kind, remote_id=refusal.remote_id[:40],
        details={"body": {} if refusal.kind == EMPLOYEE else as_stored(refusal.body)},
    )  # fmt: skip
