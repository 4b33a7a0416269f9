"""Rows for tests of figures: contacts somewhere, invoices with lines and costs, quotes, payments."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient

from crm import clock
from crm.db import transaction
from crm.models import (
    Connection,
    Contact,
    ContactPlace,
    Document,
    Payment,
    Product,
    SalesDocument,
    SalesLine,
)
from tests.factories import ContactFactory

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
TODAY = NOW.date()
_number = count(1)
EXPORTS = {
    "/invoices": ("/invoices/export.csv", "Total"), "/payments": ("/payments/export.csv", "Amount"),
    "/quotes": ("/quotes/export.csv", "Total"), "/insight/lines": ("/insight/lines.csv", "Amount (USD)"),
}  # fmt: skip


def company(currency: str = "USD", zone: str = "America/Chicago", **preferences: Any) -> Connection:
    read = {kind: NOW.isoformat() for kind in ("invoice", "payment", "credit_memo")}
    with transaction() as session:
        row = Connection(
            provider="quickbooks", realm_id="1", realm_fingerprint="insight", company_name="Prairie Basements",
            state="connected", currency=currency, time_zone=zone, connected_at=clock.now(), read_at=read,
            preferences=preferences,
        )  # fmt: skip
        session.add(row)
    return row


def contact(
    name: str, city: str = "", region: str = "", postal: str = "", at: tuple[float, float] | None = None
) -> int:
    with transaction() as session:
        made: Contact = ContactFactory.create(display_name=name, city=city, region=region, postal_code=postal)
        if at is not None:
            latitude, longitude = (round(degree * 1_000_000) for degree in at)
            session.add(ContactPlace(
                contact_id=made.id, x=0, y=0, z=0, latitude=latitude, longitude=longitude, precision="postal"
            ))  # fmt: skip
        return made.id


def product(name: str, category: str = "", type_: str = "service") -> int:
    with transaction() as session:
        made = Product(name=name, sort_name=name.lower(), category=category, type=type_, created_at=NOW, updated_at=NOW)
        session.add(made)
        session.flush()
        return made.id


def document(kind: str, contact_id: int | None, day: date | None, total: str | Decimal, **values: Any) -> int:
    """`lines`: (product, amount, cost or None), and anything more where nobody took it."""
    lines = values.pop("lines", ())
    amount = Decimal(total)
    plain: dict[str, Any] = {
        "state": "open" if kind == "invoice" else "sent", "currency": "USD", "number": f"N{next(_number)}",
        "balance": Decimal(0) if kind == "invoice" else None, "subtotal": amount, "books_total": amount,
    }  # fmt: skip
    with transaction() as session:
        row = SalesDocument(
            kind=kind, contact_id=contact_id, date=day, total=amount, created_at=NOW, updated_at=NOW, **plain | values
        )
        for position, (product_id, sold, cost, *untaken) in enumerate(lines):
            row.lines.append(SalesLine(
                position=position, kind="item", product_id=product_id, name="Work", amount=Decimal(sold),
                cost=None if cost is None else Decimal(cost), optional=bool(untaken), chosen=not untaken,
            ))  # fmt: skip
        session.add(row)
        session.flush()
        return row.id


def invoice(contact_id: int | None, day: date | None, total: str | Decimal, **values: Any) -> int:
    return document("invoice", contact_id, day, total, **values)


def quote(contact_id: int | None, day: date, total: str | Decimal, **values: Any) -> int:
    return document("estimate", contact_id, day, total, **values)


def payment(connection: Connection, contact_id: int, day: date, total: str, **values: Any) -> None:
    with transaction() as session:
        session.add(Payment(
            connection_id=connection.id, remote_id=f"p{next(_number)}", customer_remote_id="1", contact_id=contact_id,
            date=day, total=Decimal(total), unapplied=Decimal(0), seen_at=NOW, **{"currency": "USD", **values},
        ))  # fmt: skip


def credit(connection: Connection, day: date, total: str, **values: Any) -> None:
    with transaction() as session:
        session.add(Document(
            connection_id=connection.id, kind=values.pop("kind", "credit_memo"), remote_id=f"c{next(_number)}",
            customer_remote_id="1", date=day, total=Decimal(total), seen_at=NOW, **{"currency": "USD", **values},
        ))  # fmt: skip


def opened(client: FlaskClient, address: str) -> list[dict[str, str]]:
    """The rows of the list an address opens, as its own export has them."""
    parts = urlsplit(address)
    export, _ = EXPORTS[parts.path]
    answer = client.get(f"{export}?{parts.query}")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))


def sum_of(client: FlaskClient, address: str, column: str = "") -> Decimal:
    """What the documents that an address opens come to."""
    _, plain = EXPORTS[urlsplit(address).path]
    return sum((Decimal(row[column or plain] or 0) for row in opened(client, address)), Decimal(0))
