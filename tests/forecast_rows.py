"""Rows that forecasts are learned from: invoices with their payments as the books hold them, and quotes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count

from crm import clock
from crm.db import transaction
from crm.models import Document, Link, Payment, PaymentApplication, SalesDocument
from tests.engine_rows import company

_numbers = count(1)


def a_company() -> int:
    return company(time_zone="UTC")


def settled(
    books: int, contact_id: int | None, *, issued: date, paid: date | None, due: date | None = None,
    total: str = "100", money: bool = True,
) -> int:  # fmt: skip
    """An invoice of the mirror; with `paid` a payment (or, without `money`, a credit) that settled it."""
    number, now = str(next(_numbers)), clock.now()
    with transaction() as session:
        one = Document(
            connection_id=books, kind="invoice", remote_id=f"i{number}", customer_remote_id="c", contact_id=contact_id,
            date=issued, due_date=due or issued + timedelta(days=30), currency="USD", total=Decimal(total),
            tax=Decimal(0), balance=Decimal(0) if paid else Decimal(total), seen_at=now,
        )  # fmt: skip
        session.add(one)
        if paid:
            session.add(Payment(
                connection_id=books, remote_id=f"p{number}", customer_remote_id="c", contact_id=contact_id, date=paid,
                total=Decimal(total) if money else Decimal(0), unapplied=Decimal(0), seen_at=now,
            ))  # fmt: skip
            session.add(PaymentApplication(
                connection_id=books, payment_remote_id=f"p{number}", document_kind="invoice",
                document_remote_id=f"i{number}", amount=Decimal(total),
            ))  # fmt: skip
        session.flush()
        return one.id


def open_invoice(
    books: int, contact_id: int | None, *, issued: date, due: date | None = None, total: str = "100", **values: object
) -> int:
    """An invoice people here see, open as a whole; returns its id."""
    return _add(SalesDocument(**_sale(books, contact_id, "invoice", issued, total) | {
        "state": "open", "due_date": due or issued + timedelta(days=30), "balance": Decimal(total),
    } | values))  # fmt: skip


def quote(
    books: int, contact_id: int | None, *, sent: date, won: date | None = None, open_still: bool = False,
    total: str = "100", **values: object,
) -> int:  # fmt: skip
    """A quote that was accepted on a day, declined after ten, or is open still."""
    over = won or sent + timedelta(days=10)
    state = "sent" if open_still else "accepted" if won else "declined"
    return _add(SalesDocument(**_sale(books, contact_id, "estimate", sent, total) | {
        "state": state, "sent_at": _noon(sent), "decided_at": None if open_still else _noon(over),
    } | values))  # fmt: skip


def linked_quote(books: int, contact_id: int, *, sent: date, record: dict[str, object], state: str = "invoiced") -> int:
    """A quote that came from the books, with what they say of it."""
    id_, number, now = _add(SalesDocument(
        **_sale(books, contact_id, "estimate", sent, "100") | {"state": state, "books_total": Decimal(100)}
    )), f"e{next(_numbers)}", clock.now()  # fmt: skip
    with transaction() as session:
        session.add(Document(
            connection_id=books, kind="estimate", remote_id=number, customer_remote_id="c", contact_id=contact_id,
            date=sent, total=Decimal(100), record=record, seen_at=now,
        ))  # fmt: skip
        session.add(Link(connection_id=books, kind="estimate", local_id=id_, remote_id=number, linked_at=now,
                         synced_at=now))  # fmt: skip
    return id_


def _sale(books: int, contact_id: int | None, kind: str, day: date, total: str) -> dict[str, object]:
    now = clock.now()
    return {"kind": kind, "connection_id": books, "contact_id": contact_id, "number": str(next(_numbers)), "date": day,
            "currency": "USD", "total": Decimal(total), "created_at": now, "updated_at": now}  # fmt: skip


def _add(row: SalesDocument) -> int:
    with transaction() as session:
        session.add(row)
        session.flush()
        return row.id


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)
