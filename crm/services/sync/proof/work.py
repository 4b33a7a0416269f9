"""A worker's hold on a proof, its way to the books, and the lines it writes.

Every transaction of the work starts in `Hold.page()`, which fails with `LostHold` if another worker has claimed the
proof since. `Reading` asks the books between transactions and keeps the progress that people see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import ClassVar, TypeVar

from sqlalchemy import delete, insert

from crm.db import db, end_reading, table_of, transaction
from crm.domain.proof import Difference
from crm.models import Proof, ProofLine
from crm.providers.accounting.base import Accounting, Page, Receivable
from crm.services.sync.proof import causes as proof_causes
from crm.services.sync.work import Books

T = TypeVar("T")
MOST = 5000
"""Lines kept of one proof; the rest is counted."""
Wait = timedelta | None
"""What a step answers: how long to wait before it goes on; None when it is through."""


class LostHold(Exception):
    """Another worker has the proof by now; what this one was about to write is rolled back."""


@dataclass(slots=True)
class Hold:
    """A claimed proof."""

    LEASE: ClassVar[timedelta] = timedelta(minutes=3)
    id: int
    attempt: int
    books: Books
    clock: Callable[[], datetime]

    @contextmanager
    def page(self) -> Iterator[Proof]:
        """A transaction in which the proof is held, and its hold renewed."""
        with transaction() as session:
            proof = session.get(Proof, self.id, with_for_update=True, populate_existing=True)
            if proof is None or proof.attempts != self.attempt or proof.state != "running":
                raise LostHold(f"proof {self.id} is no longer held by attempt {self.attempt}")
            proof.available_at = self.clock() + self.LEASE
            yield proof


@dataclass(slots=True)
class Reading:
    """The books, with every call counted on the proof."""

    hold: Hold
    port: Accounting
    calls: int = 0

    def count(self, kind: str) -> int:
        return self._asked(self._asking().count(kind))

    def fetch(self, kind: str, ids: Sequence[str]) -> Page:
        return self._asked(self._asking().fetch(kind, ids))

    def receivables(self, day: date) -> Sequence[Receivable]:
        return self._asked(self._asking().receivables(day))

    def _asking(self) -> Accounting:
        end_reading()
        self.calls += 1
        return self.port

    @staticmethod
    def _asked(answer: T) -> T:
        end_reading()
        return answer

    def scan(self, kind: str, total: int) -> Iterator[Page]:
        """Page by page; between pages the hold is renewed and the progress shown."""
        cursor: str | None = None
        done = 0
        while True:
            page = self._asked(self._asking().scan(kind, cursor))
            yield page
            done += len(page.records) + len(page.refusals)
            cursor = page.cursor
            self.note(done, max(total, done), kind)
            if cursor is None:
                return

    def note(self, done: int, total: int, kind: str = "") -> None:
        with self.hold.page() as proof:
            calls = proof.progress.get("calls", 0) + self.calls
            proof.progress = {**proof.progress, "done": done, "total": total, "kind": kind, "calls": calls}
        self.calls = 0


def replace_lines(
    proof: Proof, found: Iterable[Difference | proof_causes.Explained], *, kinds: Sequence[str] | None
) -> None:
    """These lines instead of those of the same kinds (None: of all)."""
    where = [ProofLine.proof_id == proof.id] + ([ProofLine.kind.in_(kinds)] if kinds else [])
    db.session.execute(delete(ProofLine).where(*where), execution_options={"synchronize_session": False})
    rows = [proof_causes.row(proof.id, one) for one in found][:MOST]
    if rows:
        db.session.execute(insert(table_of(ProofLine)), rows)
