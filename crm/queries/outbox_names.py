"""What an entry of the outbox is about, in words: its object of whatever kind, and the contact it belongs to.

Each is joined by its key, so that lists of mixed kinds cost one statement; entries whose object is gone have no name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_

from crm.domain import payments
from crm.models import Bill, Contact, OutboxEntry, Product, Receipt, SalesDocument, Vendor
from crm.queries import contact_search

DOCUMENTS = {"estimate": "Quote", "invoice": "Invoice"}
_KIND, _ID = OutboxEntry.kind, OutboxEntry.local_id
SORT = func.coalesce(Contact.sort_name, Product.sort_name, Vendor.sort_name, "")
COLUMNS: tuple[Any, ...] = (
    Contact.id, Contact.display_name, SalesDocument.number, SalesDocument.title, Product.name, Vendor.display_name,
    Bill.number, Receipt.amount, Receipt.currency, Receipt.reference,
)  # fmt: skip


def joined(query: Any) -> Any:
    """With the object of each entry beside it."""
    whose = case((_KIND == "customer", _ID), else_=func.coalesce(SalesDocument.contact_id, Receipt.contact_id))
    return (
        query.outerjoin(SalesDocument, and_(_KIND.in_(DOCUMENTS), SalesDocument.id == _ID))
        .outerjoin(Receipt, and_(_KIND == "payment", Receipt.id == _ID))
        .outerjoin(Contact, Contact.id == whose)
        .outerjoin(Product, and_(_KIND == "item", Product.id == _ID))
        .outerjoin(Bill, and_(_KIND == "bill", Bill.id == _ID))
        .outerjoin(Vendor, Vendor.id == case((_KIND == "vendor", _ID), else_=Bill.vendor_id))
    )


def name_of(kind: str, values: Sequence[Any]) -> str:
    """`values`: what COLUMNS say of the entry."""
    _, contact, number, title, product, vendor, bill, amount, currency, reference = values
    if kind in DOCUMENTS and number is not None:
        return _with(f"{DOCUMENTS[kind]} {number or title}".strip(), contact)
    if kind == "payment" and amount is not None:
        return _with(payments.called(amount, currency, reference), contact)
    if kind == "bill" and bill is not None:
        return _with(f"Bill {bill}".strip(), vendor)
    return (contact if kind == "customer" else product if kind == "item" else vendor if kind == "vendor" else "") or ""


def saying(terms: Sequence[str]) -> ColumnElement[bool]:
    """Entries whose object holds all the words; of documents and payments also the name of their contact."""
    found: list[ColumnElement[bool]] = [and_(Contact.id.is_not(None), *contact_search.matching(terms))]
    for column in (SalesDocument.search_text, Product.search_text):
        found.append(and_(*(column.contains(term, autoescape=True) for term in terms)))
    found.append(and_(*(func.lower(Vendor.display_name).contains(term, autoescape=True) for term in terms)))
    return or_(*found)


def of_contact(contact_id: int) -> ColumnElement[bool]:
    mine = and_(OutboxEntry.kind == "customer", OutboxEntry.local_id == contact_id)
    return or_(mine, SalesDocument.contact_id == contact_id, Receipt.contact_id == contact_id)


def _with(name: str, whose: str | None) -> str:
    return f"{name}, {whose}" if whose else name
