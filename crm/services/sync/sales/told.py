"""What the books did to quotes and invoices, in the history of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import insert

from crm.db import table_of
from crm.models import SalesEvent
from crm.services.sync.work import Batch

Said: TypeAlias = tuple[int, str, str, Mapping[str, Any]]
"""(document, event, sentence, details)"""


def note(batch: Batch, said: Sequence[Said]) -> None:
    if said:
        batch.session.execute(insert(table_of(SalesEvent)), [
            {"document_id": id_, "at": batch.now, "event": event[:30], "actor": batch.books.company or "QuickBooks",
             "source": "quickbooks", "text": text, "details": dict(details)}
            for id_, event, text, details in said
        ])  # fmt: skip
