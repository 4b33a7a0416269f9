"""The kinds that come in, by name: the one place where imports, events, sweeps and answers to writes learn of a kind.

Another one joins by a class beside `document_kind` (what `port.Incoming` asks for) and a line here; a line in
`domain/runs.KINDS` makes it a part of imports, settings and pages. In the order in which they are taken: what others
point to is first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crm.domain.records import CompanyRecord, Record
from crm.domain.runs import DOCUMENTS, LISTS
from crm.services.sync.imports.fetch import Names
from crm.services.sync.items.kind import Items
from crm.services.sync.mirror.customer_kind import Customers
from crm.services.sync.mirror.document_kind import CreditMemos, Documents
from crm.services.sync.mirror.lists import Lists
from crm.services.sync.mirror.port import Incoming, Key, bring_in_step
from crm.services.sync.mirror.table import Mirror
from crm.services.sync.purchases.kinds import BillPayments, Bills, Vendors
from crm.services.sync.receipts.kinds import Receipts
from crm.services.sync.sales.kinds import Estimates, SalesInvoices
from crm.services.sync.work import Batch

__all__ = ["INCOMING", "Incoming", "Key", "Mirror", "bring_in_step", "in_order", "kind_of", "mirrored", "take"]

INCOMING: dict[str, Incoming] = {
    one.kind: one
    for one in (
        *(Lists(kind) for kind in LISTS),
        Customers(),
        Items(),
        SalesInvoices("invoice", "Invoice", tied=("estimate",)),
        Receipts(),
        CreditMemos("credit_memo", "Credit memo", tied=DOCUMENTS),
        Estimates("estimate", "Estimate"),
        Documents("sales_receipt", "Sales receipt"),
        Documents("refund_receipt", "Refund"),
        Vendors(),
        Bills(),
        BillPayments(),
    )
}


def mirrored() -> dict[str, Mirror]:
    """Kind -> its table, of all that have one: lists have not."""
    return {kind: one.mirror for kind, one in INCOMING.items() if one.mirror is not None}


def in_order() -> list[Incoming]:
    """All but lists and customers, which the engine takes before them."""
    return [one for kind, one in INCOMING.items() if one.mirror is not None and kind != "customer"]


def kind_of(record: Record) -> str:
    """A record that serves several kinds names its own."""
    if isinstance(record, CompanyRecord):
        return "company"
    named = getattr(record, "kind", "")
    return str(named) if named else next(kind for kind, one in INCOMING.items() if isinstance(record, one.shape))


def take(batch: Batch, kind: str, records: Sequence[Any], names: Names) -> set[str]:
    """Bring records of one kind in, with our own objects; answers the customers whose money moved. For imports and
    for answers to our own writes; what was read because of events and sweeps is `applying`'s."""
    moved = set(INCOMING[kind].take(batch, records, names))
    bring_in_step(batch, INCOMING[kind], records)
    return moved
