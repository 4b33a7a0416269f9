"""A record of the books as the columns of a quote or invoice, and as its lines.

Figures are taken as the books say them: what they have computed is what counts. Nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from crm.domain import sales_content
from crm.domain.record_documents import DocumentRecord, LineRecord
from crm.domain.record_parts import Address
from crm.domain.sales_content import ADDRESS

TAX_MODES = {"excluded": "exclusive", "inclusive": "inclusive", "none": "none"}


def header(record: DocumentRecord) -> dict[str, Any]:
    """Columns of `sales_documents` that the books have a say in."""
    discount = record.discount_line
    percent = discount.discount_percent if discount else None
    amount = record.discount_amount
    return {
        "customer_remote_id": record.customer.remote_id,
        "number": record.number[:40],
        "date": record.date,
        "due_date": record.due_date if record.kind == "invoice" else None,
        "expires_on": record.expires_on,
        "terms": record.terms.remote_id if record.terms else "",
        "currency": record.currency[:3],
        "tax_mode": _tax_mode(record),
        "tax_code": record.tax_code.remote_id if record.tax_code else "",
        "discount_kind": "percent" if percent else "amount" if amount else "",
        "discount_value": percent or amount or None,
        "discount_before_tax": record.discount_before_tax is not False,
        "subtotal": subtotal(record),
        "discount": amount,
        "tax": record.tax or Decimal(0),
        "total": record.total,
        "books_tax": record.tax or Decimal(0),
        "books_total": record.total,
        "balance": record.balance if record.kind == "invoice" else None,
        "customer_memo": record.customer_memo,
        "private_note": record.private_note,
        "email": record.email[:254],
        "billing_address": address(record.billing_address),
        "shipping_address": address(record.shipping_address),
        "custom_fields": {one.definition_id: one.value for one in record.custom_fields if one.value},
        **(_deposit(record) if record.kind == "invoice" else {}),
    }


def _deposit(record: DocumentRecord) -> dict[str, Any]:
    """A quote's deposit is what we ask for, and nothing of the books."""
    paid = record.deposit or Decimal(0)
    return {"deposit": paid, "deposit_kind": "amount" if paid else "", "deposit_value": paid or None}


def address(given: Address | None) -> dict[str, str]:
    return {name: text for name in ADDRESS if (text := getattr(given, name))} if given else {}


def subtotal(record: DocumentRecord) -> Decimal:
    """The sum of what is sold, before discount, as the books' lines say it."""
    sold = (line.amount for line in record.lines if line.kind in ("item", "group", "other"))
    return sum((amount for amount in sold if amount is not None), Decimal(0))


def with_customer(record: DocumentRecord) -> bool:
    """The books e-mailed or printed it. That it is Pending says nothing: so is every estimate nobody has answered."""
    return record.email_status == "sent" or record.print_status == "printed"


def sent_at(record: DocumentRecord, now: datetime) -> datetime | None:
    """When the books e-mailed or printed it; where they do not say when, the moment they last changed it."""
    if not with_customer(record):
        return None
    return record.delivered_at or record.origin.updated_at or now


def lines(record: DocumentRecord, *, products: Mapping[str, int], sections: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Columns of `sales_lines`, in order, without ids. `products`: item -> our product; `sections`: ids of text lines
    that are headings here."""
    rows: list[dict[str, Any]] = []
    for line in record.lines:
        if line.kind in ("subtotal", "discount"):
            continue
        head = len(rows)
        rows.append(_line(line, products, head, None, sections))
        rows += [_line(member, products, head + at, head, sections) for at, member in enumerate(line.members, 1)]
    return rows


def _line(
    line: LineRecord, products: Mapping[str, int], position: int, within: int | None, sections: Sequence[str]
) -> dict[str, Any]:
    item = line.item.remote_id if line.item else ""
    kind = line.kind if line.kind in ("item", "text", "group") else "other"
    code = line.tax_code if line.tax_code not in ("TAX", "NON") else ""
    return {
        "position": position,
        "within": within,
        "kind": "section" if kind == "text" and line.remote_id and line.remote_id in sections else kind,
        "remote_id": line.remote_id or "",
        "product_id": products.get(item),
        "item_remote_id": item,
        "name": (line.item.name if line.item else "")[:500],
        "description": line.description,
        "quantity": line.quantity,
        "unit_price": line.unit_price,
        "amount": line.amount,
        "taxable": bool(line.taxable) or line.tax_code == "TAX",
        "tax_code": code,
        "optional": False,
        "chosen": True,
    }


def search_text(record: DocumentRecord, name: str, title: str = "") -> str:
    words = [record.number, title, name, record.customer_memo]
    for line in record.lines:
        words += [line.item.name if line.item else "", line.description]
    return sales_content.search_text(words)


def _tax_mode(record: DocumentRecord) -> str:
    if record.tax_mode:
        return TAX_MODES.get(record.tax_mode, "none")
    taxed = record.tax or any(line.taxable for line in record.lines)
    return "us" if taxed else "none"
