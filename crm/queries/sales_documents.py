"""What the builder of quotes and invoices offers: customers by typing, products with bundles, the company's fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from sqlalchemy import select

from crm.db import db
from crm.domain.contacts import search_terms
from crm.models import Connection, Contact, Customer, Product, User
from crm.queries import contact_search


@dataclass(frozen=True, slots=True)
class Buyer:
    """Whom a document is for."""

    id: int
    name: str
    type: str
    email: str
    address: dict[str, str]
    """Under the names documents have for its parts."""
    currency: str
    """Of their customer in the books; empty: not known there."""
    in_books: bool
    archived: bool


def buyer(contact_id: int | None) -> Buyer | None:
    contact = db.session.get(Contact, contact_id) if contact_id else None
    if contact is None:
        return None
    row = db.session.execute(
        select(Customer.currency)
        .where(Customer.contact_id == contact.id, Customer.match_state == "linked", Customer.gone_at.is_(None))
        .order_by(Customer.id)
        .limit(1)
    ).first()
    parts = {"line1": contact.street, "city": contact.city, "region": contact.region,
             "postal_code": contact.postal_code, "country": contact.country}  # fmt: skip
    address = {name: text for name, text in parts.items() if text}
    return Buyer(
        contact.id, contact.display_name, contact.type, contact.email, address,
        row.currency if row else "", row is not None, contact.archived_at is not None,
    )  # fmt: skip


def buyers(text: str, limit: int = 8) -> Sequence[Contact]:
    """Contacts that somebody who typed this may mean; none before anything is typed."""
    if not search_terms(text):
        return []
    query = select(Contact).where(Contact.archived_at.is_(None), *contact_search.matching(search_terms(text)))
    return db.session.scalars(query.order_by(Contact.sort_name, Contact.id).limit(limit)).all()


def product(product_id: int) -> Product | None:
    """One that can be sold: in use, and no category."""
    found = db.session.get(Product, product_id)
    return found if found is not None and found.active and found.type != "category" else None


def members(bundle: Product) -> list[tuple[Product, Decimal]]:
    """What a bundle holds and how many of each, as far as it is known here."""
    ids = [one.get("product_id") for one in bundle.members]
    known = {
        one.id: one for one in db.session.scalars(select(Product).where(Product.id.in_([id_ for id_ in ids if id_])))
    }
    return [(known[one["product_id"]], _quantity(one.get("quantity")))
            for one in bundle.members if one.get("product_id") in known]  # fmt: skip


def owners() -> list[tuple[str, str]]:
    """(id, name) of the people a document can belong to."""
    query = select(User).where(User.disabled_at.is_(None)).order_by(User.name, User.email)
    return [(str(user.id), user.name or user.email) for user in db.session.scalars(query)]


def custom_fields(connection_id: int | None) -> list[tuple[str, str]]:
    """(definition id, name) of the company's own fields of documents."""
    connection = db.session.get(Connection, connection_id) if connection_id else None
    defined = connection.preferences.get("custom_fields") or () if connection is not None else ()
    return [
        (str(one["definition_id"]), str(one.get("name") or f"Custom field {one['definition_id']}")) for one in defined
    ]


def zone(connection_id: int | None) -> str:
    """The company's time zone; UTC before any is connected."""
    connection = db.session.get(Connection, connection_id) if connection_id else None
    return (connection.time_zone if connection is not None else "") or "UTC"


def _quantity(text: object) -> Decimal:
    try:
        return Decimal(str(text or 1))
    except InvalidOperation:
        return Decimal(1)
