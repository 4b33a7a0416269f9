"""What a kind of record brings so that it can come in: from imports, events, sweeps, and answers to our writes.

The engine itself knows nothing of invoices or products: it asks the registry (`mirror/kinds`). A kind is a class that
inherits this and fills in what differs. Everything works on many records at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain.records import Ref
from crm.services.sync.imports.fetch import Names
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.mirror.stored import as_stored, content_hash
from crm.services.sync.mirror.table import Mirror
from crm.services.sync.work import Batch

Key: TypeAlias = tuple[str, str]
"""(kind, remote id)"""


class Incoming(Protocol):
    kind: str
    word: str
    """One of it, at the beginning of a sentence ("Credit memo")."""
    shape: type
    """The record (`domain/records`) it comes as."""
    mirror: Mirror | None
    """Where it is kept; None for a list (`list_entries`)."""
    confirms: bool = False
    """What the change feed calls deleted may only be inactive, so it is asked for by its id first: all with names."""
    follows: bool = False
    """There is an object of ours to bring in step: `applied` wants to be called."""

    def take(self, batch: Batch, records: Sequence[Any], names: Names) -> Collection[str]:
        """Bring these to the mirror; answers the remote ids of the customers whose money moved. The one way in.

        What cannot be kept is refused with a line in the log; a reading older than what stands here is passed over.
        """
        ...

    def applied(self, batch: Batch, records: Sequence[Any]) -> None:
        """These stand in the mirror now, changed or not, with their contacts set as far as they are known: bring our
        own objects in step. Refused and older ones are not among them. In the same transaction; called by every way in.
        """
        return None

    def merged(self, batch: Batch, survivor: str, loser: str) -> None:
        """The loser went into the survivor, which was read and stands in the mirror; `applied` and `gone` follow.
        Customers are followed in their own way (`merges`)."""
        return None

    def gone(self, batch: Batch, rows: Sequence[Any]) -> None:
        """These rows (`Mirror.columns`) are not in the books any more; somebody has made sure. Without its hash a row
        that comes back is taken for changed, and written anew whole."""
        if self.mirror is not None:
            left = [{"id": row.id, "gone_at": batch.now, "content_hash": ""} for row in rows]
            update_by_id(batch.session, table_of(self.mirror.model), left)

    def gone_text(self, row: Any) -> str:
        """What people read of it."""
        return " ".join((self.word, row.name or f"with id {row.remote_id}", "was deleted in QuickBooks."))

    def refs(self, records: Sequence[Any]) -> Iterable[tuple[str, Ref | None]]:
        """References of which `take` wants to know the names: (kind of list, reference)."""
        return ()

    def ties(
        self, session: Session, connection_id: int, records: Sequence[Any], *, asked: Collection[str]
    ) -> Iterable[Key]:
        """What moves with these without saying so, as it stands here and in the reading. `asked`: the ids an event
        named; `records`: what was found of them. Each is read as well, together with others of its kind."""
        return ()

    def hashes(self, session: Session, connection_id: int, remote_ids: Collection[str]) -> dict[str, str]:
        """Content hashes of what stands here, by remote id."""
        return self.mirror.hashes(session, connection_id, remote_ids) if self.mirror is not None else {}


def bring_in_step(batch: Batch, kind: Incoming, records: Sequence[Any]) -> None:
    """Call `applied` with those of the records that stand in the mirror."""
    if not kind.follows or not records:
        return
    stands = kind.hashes(batch.session, batch.books.id, [record.origin.remote_id for record in records])
    kept = [one for one in records if stands.get(one.origin.remote_id) == content_hash(as_stored(one))]
    if kept:
        kind.applied(batch, kept)
