"""A vendor or bill of ours as the record that the books shall hold.

Of one that is there the record starts from what stands there, so that nothing of theirs is lost; a line keeps what we
do not know of it. Nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from crm.domain.purchase_fields import PHONE, total_of
from crm.domain.record_documents import BillRecord, LineRecord
from crm.domain.record_parts import Address, Origin, PhoneField, Ref
from crm.domain.records import VendorRecord
from crm.services.sync.purchases.rows import amount


@dataclass(frozen=True, slots=True)
class Known:
    """Remote ids of what lines of ours name by our own ids, and names of what all of them name."""

    items: Mapping[int, str] = field(default_factory=dict)
    """Product -> item."""
    customers: Mapping[int, str] = field(default_factory=dict)
    """Contact -> customer."""
    vendors: Mapping[int, str] = field(default_factory=dict)
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(kind, remote id) -> name."""

    def ref(self, kind: str, remote_id: str, there: Ref | None = None) -> Ref | None:
        if there is not None and there.remote_id == remote_id:
            return there
        return Ref(remote_id, self.names.get((kind, remote_id), "")) if remote_id else None


def vendor(row: Any, there: VendorRecord | None, known: Known) -> VendorRecord:
    base = there or VendorRecord("vendor", Origin(""), "", currency=row.currency)
    others = tuple(phone for phone in base.phones if phone.label != PHONE)
    phones = (PhoneField(PHONE, row.phone), *others) if row.phone else others
    name = base.display_name if there and _same_name(base, row) else row.display_name
    return replace(
        base,
        display_name=name,
        company_name=row.company_name,
        phones=phones,
        email_text=row.email,
        address=Address(**row.address) if row.address else None,
        account_number=row.account_number,
        terms=known.ref("term", row.terms, base.terms),
    )


def bill(row: Any, there: BillRecord | None, known: Known) -> BillRecord:
    vendor_id = row.vendor_remote_id or known.vendors.get(row.vendor_id or 0, "")
    base = there or BillRecord(Origin(""), Ref(vendor_id), currency=row.currency)
    lines = tuple(_line(line, base, known) for line in row.lines)
    tax = base.tax if base.tax_mode != "inclusive" else None
    return replace(
        base,
        vendor=known.ref("vendor", vendor_id, base.vendor) or Ref(""),
        number=row.number,
        date=row.date,
        due_date=row.due_date,
        private_note=row.private_note,
        lines=lines,
        total=total_of(lines) + (tax or Decimal(0)),
    )


def _line(line: Mapping[str, Any], base: BillRecord, known: Known) -> LineRecord:
    there = next((one for one in base.lines if one.remote_id and one.remote_id == line["remote_id"]), None)
    kind = line.get("kind") or ("item" if line["item"] or line.get("product_id") else "account")
    old = there if there is not None and there.kind == kind else LineRecord(None, kind=kind)
    if kind not in ("account", "item"):
        return replace(old, description=line["description"])
    item = line["item"] or known.items.get(line.get("product_id") or 0, "")
    customer = line["customer"] or known.customers.get(line.get("contact_id") or 0, "")
    return replace(
        old,
        description=line["description"],
        amount=amount(line["amount"]),
        quantity=amount(line["quantity"]) if kind == "item" else old.quantity,
        unit_price=amount(line["unit_price"]) if kind == "item" else old.unit_price,
        item=known.ref("item", item, old.item) if kind == "item" else None,
        account=known.ref("account", line["account"], old.account) if kind == "account" else old.account,
        customer=known.ref("customer", customer, old.customer),
        billable=line["billable"],
    )


def _same_name(base: VendorRecord, row: Any) -> bool:
    """An inactive one bears a suffix of the books there."""
    return base.display_name.startswith(row.display_name) and not base.active
