"""Payments as a kind that comes in: the mirror takes them, those that were recorded here follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crm.domain.record_documents import PaymentRecord
from crm.services.sync.mirror.document_kind import Payments
from crm.services.sync.receipts import taking
from crm.services.sync.work import Batch


class Receipts(Payments):
    follows = True

    def applied(self, batch: Batch, records: Sequence[PaymentRecord]) -> None:
        taking.apply(batch, records)

    def gone(self, batch: Batch, rows: Sequence[Any]) -> None:
        super().gone(batch, rows)
        taking.gone(batch, [row.remote_id for row in rows])
