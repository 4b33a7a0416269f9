"""Customers as a kind that comes in. Tree, merges and matching stand in `customers`, `merges` and `newcomers`.

Whoever is gone owes nothing any more and turns inactive; links stay, and who waited for a decision needs none now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from crm.db import table_of
from crm.domain.records import CustomerRecord, Ref
from crm.models import Customer
from crm.services.sync.imports.fetch import Names
from crm.services.sync.imports.links import drop_drafts, refresh_link_states
from crm.services.sync.merge import conflicts
from crm.services.sync.merge.enrich import touch
from crm.services.sync.mirror import customers
from crm.services.sync.mirror.bulk import update_by_id
from crm.services.sync.mirror.port import Incoming
from crm.services.sync.mirror.table import Mirror
from crm.services.sync.work import Batch


class Customers(Incoming):
    kind = "customer"
    word = "Customer"
    shape = CustomerRecord
    mirror = Mirror(Customer, Customer.display_name, more=(Customer.match_state,))
    confirms = True

    def take(self, batch: Batch, records: Sequence[CustomerRecord], names: Names) -> Collection[str]:
        customers.take(batch, records, names)
        return ()

    def refs(self, records: Sequence[CustomerRecord]) -> Iterable[tuple[str, Ref | None]]:
        return customers.refs(records)

    def gone_text(self, row: Any) -> str:
        return f"Customer “{row.name}” was deleted in QuickBooks, or merged into another one there."

    def gone(self, batch: Batch, rows: Sequence[Any]) -> None:
        undecided = [row.id for row in rows if row.match_state in ("new", "review", "planned")]
        proposed = drop_drafts(batch.session, undecided)
        update_by_id(batch.session, table_of(Customer), [
            {"id": row.id, "active": False, "balance": None, "balance_with_jobs": None,
             "match_state": "ignored" if row.match_state in ("new", "review", "planned") else row.match_state,
             "gone_at": batch.now, "content_hash": ""}
            for row in rows
        ])  # fmt: skip
        customers.set_link_states(batch.session, batch.books.id, [row.remote_id for row in rows])
        contacts = [row.contact_id for row in rows if row.contact_id]
        refresh_link_states(batch.session, [*proposed, *contacts], now=batch.now)
        touch(batch.session, contacts, now=batch.now)
        linked = [row.contact_id for row in rows if row.contact_id and row.match_state == "linked"]
        conflicts.settle(batch.session, batch.books.id, "customer", linked, now=batch.now)
