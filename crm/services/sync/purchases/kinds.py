"""Vendors, bills and what was paid on them, as kinds that come in, and what moves with each without saying so.

| an event about | also reads |
|---|---|
| a bill | its vendor, who is owed more or less; payments on it, once it is void or not there any more |
| a payment of bills | the bills it was and is for, and their vendor |
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain.record_documents import BillPaymentRecord, BillRecord
from crm.domain.records import VendorRecord
from crm.models import Bill, BillPayment, Vendor
from crm.services.identity_keys import chunks
from crm.services.sync.imports.fetch import Names
from crm.services.sync.mirror.port import Incoming, Key
from crm.services.sync.mirror.table import PART, Mirror
from crm.services.sync.purchases import merging, payments, taking
from crm.services.sync.work import Batch


class Vendors(Incoming):
    kind = "vendor"
    word = "Vendor"
    shape = VendorRecord
    mirror = Mirror(Vendor, Vendor.display_name)
    confirms = True
    follows = True

    def take(self, batch: Batch, records: Sequence[VendorRecord], names: Names) -> Collection[str]:
        taking.take(batch, self.kind, records)
        return ()

    def applied(self, batch: Batch, records: Sequence[VendorRecord]) -> None:
        merging.applied(batch, self.kind, records)

    def merged(self, batch: Batch, survivor: str, loser: str) -> None:
        taking.merged(batch, survivor, loser)

    def gone(self, batch: Batch, rows: Sequence[Any]) -> None:
        taking.gone(batch, self.kind, rows)

    def gone_text(self, row: Any) -> str:
        return f"Vendor “{row.name}” was deleted in QuickBooks, or merged into another one there."


class Bills(Incoming):
    kind = "bill"
    word = "Bill"
    shape = BillRecord
    mirror = Mirror(Bill, Bill.number)
    follows = True

    def take(self, batch: Batch, records: Sequence[BillRecord], names: Names) -> Collection[str]:
        taking.take(batch, self.kind, records)
        return ()

    def applied(self, batch: Batch, records: Sequence[BillRecord]) -> None:
        merging.applied(batch, self.kind, records)

    def gone(self, batch: Batch, rows: Sequence[Any]) -> None:
        taking.gone(batch, self.kind, rows)

    def ties(
        self, session: Session, connection_id: int, records: Sequence[BillRecord], *, asked: Collection[str]
    ) -> Iterable[Key]:
        yield from (("vendor", record.vendor.remote_id) for record in records)
        stands = {record.origin.remote_id for record in records if not record.void}
        for part in chunks(sorted(asked), PART):
            mine = (Bill.connection_id == connection_id, Bill.remote_id.in_(part))
            for row in session.execute(select(Bill.remote_id, Bill.vendor_remote_id, Bill.payments).where(*mine)):
                if row.vendor_remote_id:
                    yield "vendor", row.vendor_remote_id
                if row.remote_id not in stands:
                    yield from (("bill_payment", one["remote_id"]) for one in row.payments)


class BillPayments(Incoming):
    kind = "bill_payment"
    word = "Payment to a vendor"
    shape = BillPaymentRecord
    mirror = Mirror(BillPayment, BillPayment.number)

    def take(self, batch: Batch, records: Sequence[BillPaymentRecord], names: Names) -> Collection[str]:
        payments.take(batch, records)
        return ()

    def gone(self, batch: Batch, rows: Sequence[Any]) -> None:
        payments.gone(batch, rows)

    def ties(
        self, session: Session, connection_id: int, records: Sequence[BillPaymentRecord], *, asked: Collection[str]
    ) -> Iterable[Key]:
        for record in records:
            yield "vendor", record.vendor.remote_id
            yield from (("bill", part.remote_id) for part in record.applied if part.kind == "bill")
        before = payments.stored_of(session, connection_id, asked)
        yield from (("vendor", record["vendor"]["remote_id"]) for record in before)
        yield from (("bill", remote_id) for remote_id in sorted(payments.bills_of(before)))
