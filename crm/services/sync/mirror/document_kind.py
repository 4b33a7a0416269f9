"""Invoices, credit memos, estimates and payments as kinds that come in, and what moves with each without saying so.

| an event about | also reads |
|---|---|
| a payment | the documents it was and is applied to |
| a credit memo | the documents it was and is tied to, and the payments that used it |
| an invoice | estimates it closes or closed; payments on it, once it is void or not there any more |

QuickBooks need not tell of these by themselves, and moves them under the same version [FACTS 6.5, 7.2].
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain.records import DocumentRecord, PaymentRecord, Ref
from crm.domain.runs import DOCUMENTS
from crm.models import Document, Payment, PaymentApplication
from crm.services.identity_keys import chunks
from crm.services.sync.imports.fetch import Names
from crm.services.sync.mirror import documents
from crm.services.sync.mirror.port import Incoming, Key
from crm.services.sync.mirror.table import PART, Mirror
from crm.services.sync.work import Batch


class Documents(Incoming):
    """Rows of `documents` of one kind. A kind whose documents close or use others names theirs in `tied`."""

    shape = DocumentRecord

    def __init__(self, kind: str, word: str, *, tied: Collection[str] = ()) -> None:
        self.kind, self.word, self.tied = kind, word, frozenset(tied)
        self.mirror = Mirror(Document, Document.number, kind)

    def take(self, batch: Batch, records: Sequence[DocumentRecord], names: Names) -> Collection[str]:
        return documents.take(batch, self.kind, records, names)

    def ties(
        self, session: Session, connection_id: int, records: Sequence[DocumentRecord], *, asked: Collection[str]
    ) -> Iterable[Key]:
        for record in records:
            yield from ((part.kind, part.remote_id) for part in record.linked if part.kind in self.tied)
        if self.tied:
            yield from self._tied_before(session, connection_id, sorted(asked))

    def _tied_before(self, session: Session, connection_id: int, remote_ids: Sequence[str]) -> Iterable[Key]:
        for part in chunks(remote_ids, PART):
            mine = (Document.connection_id == connection_id, Document.kind == self.kind, Document.remote_id.in_(part))
            for stored in session.scalars(select(Document.record).where(*mine)):
                ties: Sequence[Mapping[str, Any]] = stored.get("linked", ())
                yield from ((tie["kind"], tie.get("remote_id", "")) for tie in ties if tie.get("kind") in self.tied)


class CreditMemos(Documents):
    """Used by payments."""

    def ties(
        self, session: Session, connection_id: int, records: Sequence[DocumentRecord], *, asked: Collection[str]
    ) -> Iterable[Key]:
        yield from Documents.ties(self, session, connection_id, records, asked=asked)
        yield from _payments_on(session, connection_id, self.kind, sorted(asked))


class Invoices(Documents):
    """Paid by payments; where one is void or gone, these lie unapplied."""

    def ties(
        self, session: Session, connection_id: int, records: Sequence[DocumentRecord], *, asked: Collection[str]
    ) -> Iterable[Key]:
        yield from Documents.ties(self, session, connection_id, records, asked=asked)
        stands = {record.origin.remote_id for record in records if not record.void}
        yield from _payments_on(session, connection_id, self.kind, sorted(set(asked) - stands))


class Payments(Incoming):
    kind = "payment"
    word = "Payment"
    shape = PaymentRecord
    mirror = Mirror(Payment, Payment.reference)

    def take(self, batch: Batch, records: Sequence[PaymentRecord], names: Names) -> Collection[str]:
        return documents.take(batch, self.kind, records, names)

    def refs(self, records: Sequence[PaymentRecord]) -> Iterable[tuple[str, Ref | None]]:
        return [("payment_method", record.method) for record in records]

    def ties(
        self, session: Session, connection_id: int, records: Sequence[PaymentRecord], *, asked: Collection[str]
    ) -> Iterable[Key]:
        for record in records:
            yield from ((part.kind, part.remote_id) for part in record.applied if part.kind in DOCUMENTS)
        table = PaymentApplication
        for part in chunks(sorted(asked), PART):
            where = (table.connection_id == connection_id, table.payment_remote_id.in_(part))
            for kind, remote_id in session.execute(select(table.document_kind, table.document_remote_id).where(*where)):
                if kind in DOCUMENTS:
                    yield kind, remote_id


def _payments_on(session: Session, connection_id: int, kind: str, remote_ids: Sequence[str]) -> Iterable[Key]:
    """Payments that stand applied to these documents."""
    table = PaymentApplication
    for part in chunks(remote_ids, PART):
        where = (table.connection_id == connection_id, table.document_kind == kind,
                 table.document_remote_id.in_(part))  # fmt: skip
        yield from (("payment", id_) for id_ in session.scalars(select(table.payment_remote_id).where(*where)))
