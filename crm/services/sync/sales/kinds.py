"""Estimates and invoices as kinds that come in: the mirror takes them, our own rows follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from crm.domain.record_documents import DocumentRecord
from crm.models import Link
from crm.services import became_customers
from crm.services.identity_keys import chunks
from crm.services.sync.mirror.document_kind import Documents, Invoices
from crm.services.sync.sales import leaving, releasing, taking
from crm.services.sync.work import Batch


def _follow(batch: Batch, kind: str, records: Sequence[DocumentRecord]) -> None:
    """Ours become what the books say; leads among their contacts customers."""
    taking.apply(batch, kind, records)
    ids = [one.origin.remote_id for one in records]
    for part in chunks(ids, 500):
        mine = (Link.connection_id == batch.books.id, Link.kind == kind, Link.remote_id.in_(part))
        local = batch.session.scalars(select(Link.local_id).where(*mine)).all()
        became_customers.of_documents(batch.session, local, actor=batch.books.actor, now=batch.now)


class Estimates(Documents):
    follows = True

    def applied(self, batch: Batch, records: Sequence[DocumentRecord]) -> None:
        _follow(batch, self.kind, records)

    def gone(self, batch: Batch, rows: Sequence[Any]) -> None:
        super().gone(batch, rows)
        leaving.gone(batch, self.kind, [row.remote_id for row in rows])


class SalesInvoices(Invoices):
    follows = True

    def applied(self, batch: Batch, records: Sequence[DocumentRecord]) -> None:
        _follow(batch, self.kind, records)
        releasing.ended(batch, [one.origin.remote_id for one in records if one.void])

    def gone(self, batch: Batch, rows: Sequence[Any]) -> None:
        super().gone(batch, rows)
        leaving.gone(batch, self.kind, [row.remote_id for row in rows])
        releasing.ended(batch, [row.remote_id for row in rows])
