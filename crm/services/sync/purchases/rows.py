"""A vendor or bill of the books as the columns of its row. Nothing is read or written here."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from crm.domain.names import fold, without_deleted
from crm.domain.purchase_fields import number, phone_of
from crm.domain.record_documents import BillRecord, LineRecord
from crm.domain.record_parts import Ref
from crm.domain.records import VendorRecord
from crm.domain.sales_content import ADDRESS
from crm.services.sync.mirror.stored import as_stored, content_hash
from crm.services.sync.work import Batch

MOST_SEARCHED = 10_000


def theirs(batch: Batch, record: VendorRecord | BillRecord) -> dict[str, Any]:
    """What the books alone say of either, whoever changed what here."""
    stored = as_stored(record)
    return {
        "version": record.origin.version,
        "currency": (record.currency or batch.books.currency)[:3],
        "balance": record.balance,
        "record": stored,
        "content_hash": content_hash(stored),
        "remote_updated_at": record.origin.updated_at,
        "seen_at": batch.now,
        "seen_run_id": batch.run_id,
        "gone_at": None,
        **({"void": record.void} if isinstance(record, BillRecord) else {}),
    }


def vendor(record: VendorRecord) -> dict[str, Any]:
    values = {
        "display_name": without_deleted(record.display_name)[:500],
        "company_name": record.company_name[:500],
        "phone": phone_of(record)[:60],
        "email": record.email_text[:254],
        "address": {name: text for name in ADDRESS if (text := getattr(record.address, name, ""))},
        "account_number": record.account_number[:100],
        "terms": record.terms.remote_id if record.terms else "",
    }
    return {**values, "active": record.active, **vendor_texts(values)}


def bill(record: BillRecord) -> dict[str, Any]:
    """Without `vendor_id`, which is looked up."""
    values = {
        "vendor_remote_id": record.vendor.remote_id,
        "number": record.number[:40],
        "date": record.date,
        "due_date": record.due_date,
        "private_note": record.private_note,
        "total": record.total,
        "lines": [line(one) for one in record.lines],
    }
    return {**values, **bill_texts(values)}


def line(record: LineRecord) -> dict[str, Any]:
    return {
        "remote_id": record.remote_id or "",
        "kind": record.kind,
        "account": _id(record.account) if record.kind == "account" else "",
        "item": _id(record.item),
        "description": record.description,
        "amount": number(record.amount),
        "quantity": number(record.quantity),
        "unit_price": number(record.unit_price),
        "customer": _id(record.customer),
        "billable": record.billable,
    }


def vendor_texts(values: Mapping[str, Any]) -> dict[str, str]:
    """What lists sort by and search in."""
    name = values["display_name"]
    parts = [name, values["company_name"], values["email"], values["account_number"],
             "".join(sign for sign in values["phone"] if sign.isdigit())]  # fmt: skip
    return {"sort_name": (fold(name) or name.strip().casefold())[:500], "search_text": _searched(parts)}


def bill_texts(values: Mapping[str, Any]) -> dict[str, str]:
    parts = [values["number"], values["private_note"], *(one["description"] for one in values["lines"])]
    return {"search_text": _searched(parts)}


def _searched(parts: list[str]) -> str:
    """One folded text that begins with a blank, so that " am" finds every word that begins so."""
    found = dict.fromkeys(text for part in parts if (text := fold(part)))
    return "".join(f" {text}" for text in found)[:MOST_SEARCHED]


def _id(ref: Ref | None) -> str:
    return ref.remote_id if ref else ""


def amount(text: str) -> Decimal | None:
    """A number kept as text in a line."""
    return Decimal(text) if text else None
