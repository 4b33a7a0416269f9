"""What a kind of record brings so that the outbox can send it: how bodies are made, and what is kept of an answer.

The outbox itself knows nothing of customers or invoices. Everything here works on many entries at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from sqlalchemy.orm import Session

from crm.domain.records import Record
from crm.models import OutboxEntry
from crm.providers.accounting.base import Body
from crm.services.sync.work import Batch


@dataclass(frozen=True, slots=True)
class Send:
    """Goes out with this body."""

    operation: str
    body: dict[str, Any]
    before: dict[str, Any] | None = None
    """The stored record as the books hold it now; None for a create."""
    changes: dict[str, list[str]] = field(default_factory=dict)
    """Shared field -> [what stands there, what will], as people read them."""
    remote_id: str = ""
    traits: Mapping[str, str] = field(default_factory=dict)
    """Of a create of a kind without names: by what it is found there should its answer be lost (`domain/traits`)."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing (left) to send."""

    why: str


@dataclass(frozen=True, slots=True)
class Park:
    """A person decides; no call was spent."""

    cause: str
    """A key of `refusals.REFUSALS`."""
    error: str
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: something else has to happen first. No failure."""

    until: datetime
    why: str


Prepared: TypeAlias = Send | Nothing | Park | Wait


@dataclass(frozen=True, slots=True)
class Answer:
    """An entry and the record as the books hold it after the write; None after a deletion."""

    entry: OutboxEntry
    record: Record | None


class Outgoing(Protocol):
    def hold(self, session: Session, local_ids: Sequence[int]) -> None:
        """Lock these objects. Whoever edits one locks it before its entry, and so does whoever sends it."""
        ...

    def prepare(self, batch: Batch, entries: Sequence[OutboxEntry], *, body: Body) -> Mapping[int, Prepared]:
        """What becomes of each entry (by its id), as things stand in the open transaction."""
        ...

    def settle(self, batch: Batch, answers: Sequence[Answer]) -> Mapping[int, str]:
        """Keep what came back: mirror, link, timeline. A sentence by the id of each entry."""
        ...

    def reread(self, batch: Batch, records: Sequence[Record]) -> None:
        """Take records that were read again because ours was no longer theirs."""
        ...

    def gone(self, batch: Batch, remote_ids: Sequence[str]) -> None:
        """These do not exist there any more; somebody has made sure."""
        ...

    def name_taken(self, batch: Batch, entry: OutboxEntry, bearers: Sequence[Record]) -> Park:
        """The name was refused; these bear it. With a name that is free."""
        ...

    def contact_ids(self, session: Session, local_ids: Sequence[int]) -> Mapping[int, int]:
        """The contact at whose page each object is told about."""
        ...

    def names(self, session: Session, local_ids: Sequence[int]) -> Mapping[int, str]:
        """What people call these objects."""
        ...
