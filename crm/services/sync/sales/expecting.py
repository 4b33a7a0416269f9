"""What the books made of a document we sent, held against what we had figured: a cent of difference is a task.

Called with the answers to our writes before they are taken: then their figures are the document's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from crm.db import table_of
from crm.domain.amounts import told as amount
from crm.domain.record_documents import DocumentRecord
from crm.domain.sales_fields import WHOLE
from crm.models import SalesDocument
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.outbox.kinds.port import Answer
from crm.services.sync.sales import told
from crm.services.sync.work import Batch

DOCUMENTS = table_of(SalesDocument)
FIGURED = frozenset({WHOLE, "tax_code", "customer", "date"})
"""Shared fields that amounts rest on; a change of others is no new calculation."""


def note(batch: Batch, answers: Sequence[Answer], *, edited: set[int]) -> None:
    """`edited`: documents (ids) that were changed again meanwhile, whose figures are not those that were sent."""
    asked = {
        one.entry.local_id: one.record
        for one in answers
        if isinstance(one.record, DocumentRecord) and one.entry.local_id not in edited and _figured(one)
    }
    query = select(DOCUMENTS.c.id, DOCUMENTS.c.tax, DOCUMENTS.c.total).where(DOCUMENTS.c.id.in_(list(asked)))
    rows = batch.session.execute(query.order_by(DOCUMENTS.c.id)).all()
    differing = [row for row in rows if _theirs(asked[row.id]) != (row.tax, row.total)]
    other = {row.id for row in differing}
    update_by_id(batch.session, DOCUMENTS, [
        {"id": row.id, "expected_tax": row.tax if row.id in other else None,
         "expected_total": row.total if row.id in other else None} for row in rows
    ])  # fmt: skip
    told.note(batch, [(row.id, "differs", _sentence(row, asked[row.id]), _details(row, asked[row.id]))
                      for row in differing])  # fmt: skip


def _figured(one: Answer) -> bool:
    return one.entry.operation == "create" or bool(FIGURED & set(one.entry.changes))


def _theirs(record: DocumentRecord) -> tuple[Decimal, Decimal]:
    return record.tax or Decimal(0), record.total


def _sentence(row: Any, record: DocumentRecord) -> str:
    tax, total = _theirs(record)
    currency = record.currency or "USD"
    return (f"QuickBooks makes it {amount(total, currency)} with {amount(tax, currency)} tax; we had figured "
            f"{amount(row.total, currency)} with {amount(row.tax, currency)}")  # fmt: skip


def _details(row: Any, record: DocumentRecord) -> Mapping[str, Any]:
    tax, total = _theirs(record)
    return {"expected_tax": str(row.tax), "expected_total": str(row.total), "books_tax": str(tax),
            "books_total": str(total)}  # fmt: skip
