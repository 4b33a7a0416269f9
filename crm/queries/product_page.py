"""One product as its page shows it: what it cost when, which documents it stands on, which books know it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from crm.db import db
from crm.models import Connection, Contact, Item, Link, PriceChange, Product, SalesDocument, SalesLine
from crm.queries.products import in_books

THERE = {
    "production": "https://app.qbo.intuit.com/app/items", "sandbox": "https://app.sandbox.qbo.intuit.com/app/items",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Used:
    """Where a product stands in documents of one kind and currency; voided and deleted ones left out."""

    kind: str
    currency: str
    documents: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """One line it stands on."""

    document_id: int
    kind: str
    number: str
    title: str
    date: date | None
    state: str
    contact_id: int | None
    contact: str | None
    currency: str
    quantity: Decimal | None
    unit_price: Decimal | None
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class InBooks:
    """An item of the books that this product is."""

    connection_id: int
    company: str
    environment: str
    remote_id: str
    version: str
    name: str
    state: str
    """Of the link: `linked`, `inactive` or `gone`."""
    seen_at: datetime | None

    @property
    def address(self) -> str:
        """Of the list of products there, which has no address for each of them; empty where it has no pages."""
        return THERE.get(self.environment, "")


def product(product_id: int) -> Product | None:
    return db.session.get(Product, product_id, populate_existing=True)


def known_to_books(session: Session, product_id: int) -> bool:
    return session.scalar(select(in_books(product_id))) or False


def prices(product_id: int, *, limit: int = 20) -> Sequence[PriceChange]:
    """What it cost from when on, the latest first."""
    query = select(PriceChange).where(PriceChange.product_id == product_id).order_by(PriceChange.id.desc())
    return db.session.scalars(query.limit(limit)).all()


def used(product_id: int) -> list[Used]:
    rows = db.session.execute(
        select(SalesDocument.kind, SalesDocument.currency, func.count(SalesDocument.id.distinct()),
               func.sum(SalesLine.amount))
        .join(SalesLine, SalesLine.document_id == SalesDocument.id)
        .where(*_standing(product_id))
        .group_by(SalesDocument.kind, SalesDocument.currency)
        .order_by(SalesDocument.kind, SalesDocument.currency)
    )  # fmt: skip
    return [Used(kind, currency, number, amount or Decimal(0)) for kind, currency, number, amount in rows]


def last_lines(product_id: int, *, limit: int = 10) -> list[Line]:
    d, line = SalesDocument, SalesLine
    rows = db.session.execute(
        select(d.id, d.kind, d.number, d.title, d.date, d.state, d.contact_id, Contact.display_name, d.currency,
               line.quantity, line.unit_price, line.amount)
        .join(line, line.document_id == d.id)
        .outerjoin(Contact, Contact.id == d.contact_id)
        .where(*_standing(product_id))
        .order_by(d.date.desc(), d.id.desc(), line.position)
        .limit(limit)
    )  # fmt: skip
    return [Line(*tuple(row)) for row in rows]


def in_which_books(product_id: int) -> list[InBooks]:
    rows = db.session.execute(
        select(Link.connection_id, Connection.company_name, Connection.environment, Link.remote_id, Link.version,
               Item.name, Link.state, Item.seen_at)
        .join(Connection, Connection.id == Link.connection_id)
        .outerjoin(Item, (Item.connection_id == Link.connection_id) & (Item.remote_id == Link.remote_id))
        .where(Link.kind == "item", Link.local_id == product_id)
        .order_by(Link.id)
    )  # fmt: skip
    return [InBooks(*row[:5], row[5] or "", *row[6:]) for row in rows]


def _standing(product_id: int) -> list[ColumnElement[bool]]:
    """Lines that count: of documents that are there, an optional one only where it is taken."""
    return [
        SalesLine.product_id == product_id,
        SalesDocument.gone_at.is_(None),
        SalesDocument.template.is_(False),
        SalesDocument.state != "void",
        or_(SalesLine.optional.is_(False), SalesLine.chosen.is_(True)),
    ]


def members(bundle: Product) -> list[tuple[int | None, str, str]]:
    """(product id, name, quantity) of what a bundle holds, under the names products have here now."""
    ids = [one["product_id"] for one in bundle.members if one.get("product_id")]
    rows = db.session.execute(select(Product.id, Product.name).where(Product.id.in_(ids)))
    known = {id_: name for id_, name in rows}
    return [
        (one.get("product_id") if one.get("product_id") in known else None,
         known.get(one.get("product_id", 0)) or str(one.get("name", "")), str(one.get("quantity", "")))
        for one in bundle.members
    ]  # fmt: skip
