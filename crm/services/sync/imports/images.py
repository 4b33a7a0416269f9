"""What an import filled in contacts it linked, kept so that the import can be taken back (`plans/import_undo`).

One line of the sync log per contact of which something was filled, all of a page in one statement; contacts the import
made need none, their links say whose they are. The lines are pruned with the log: what is older stays filled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.domain.shared_fields import FILLED
from crm.models import SyncLogEntry
from crm.services.sync.merge.enrich_told import Outcome
from crm.services.sync.work import Batch

EVENT = "contact_filled"


@dataclass(frozen=True, slots=True)
class Image:
    """What was empty before and holds this since."""

    values: Mapping[str, str] = field(default_factory=dict)
    """Column of the contact -> what was written there."""
    lines: tuple[tuple[str, str], ...] = ()
    """(kind, value) of the phones and e-mails that were added."""


def keep(batch: Batch, outcomes: Sequence[Outcome], remote_ids: Mapping[int, str]) -> None:
    """Of an import's run; decisions outside of one leave nothing here. `remote_ids`: contact -> its customer."""
    if batch.run_id is None:
        return
    rows = [_row(batch, outcome, remote_ids[outcome.row["id"]]) for outcome in outcomes if outcome.filled]
    if rows:
        batch.session.execute(insert(table_of(SyncLogEntry)), rows)


def _row(batch: Batch, outcome: Outcome, remote_id: str) -> dict[str, Any]:
    values = {name: new for name, (_, new) in outcome.filled.items() if name in FILLED}
    added = {new for name, (_, new) in outcome.filled.items() if name not in FILLED}
    lines = [[row["kind"], row["value"]] for row in outcome.added if row["value"] in added]
    return {
        "connection_id": batch.books.id, "run_id": batch.run_id, "at": batch.now, "level": "info", "event": EVENT,
        "kind": "customer", "remote_id": remote_id, "contact_id": outcome.row["id"], "direction": "in",
        "message": f"Filled from QuickBooks: {', '.join(outcome.filled)}.", "error_code": "", "trace_id": "",
        "trigger": batch.trigger, "outcome": "done", "details": {"values": values, "lines": lines},
    }  # fmt: skip


def of_run(session: Session, run_id: int, contact_ids: Sequence[int]) -> dict[int, Image]:
    """Contact -> what this run filled there."""
    mine = (SyncLogEntry.run_id == run_id, SyncLogEntry.event == EVENT, SyncLogEntry.contact_id.in_(contact_ids))
    query = select(SyncLogEntry.contact_id, SyncLogEntry.details).where(*mine).order_by(SyncLogEntry.id)
    return {
        row.contact_id: Image(row.details["values"], tuple((kind, value) for kind, value in row.details["lines"]))
        for row in session.execute(query)
    }
