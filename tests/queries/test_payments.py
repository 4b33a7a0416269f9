"""The list of payments: what it holds and in which order, as plain Python says it, and how SQLite goes about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from crm import clock
from crm.db import db
from crm.domain.payment_filters import Filters
from crm.models import Link, Payment, Receipt
from crm.queries import payments
from tests.engine_rows import add, company, contact

DAY = date(2026, 5, 6)


@pytest.fixture
def books(app: Flask) -> list[tuple[payments.Row, bool]]:
    """Of each payment the row a list shows, and whether it is gone; days, amounts and customers repeat."""
    connection_id, now = company(), clock.now()
    amy, bob = contact("Amy Fox"), contact("bob Wolf")
    whose = [(amy, "Amy Fox"), (bob, "bob Wolf"), (None, None)]
    kept = []
    for at, (contact_id, name) in enumerate(whose * 4):
        day, amount, left = DAY - timedelta(days=at // 2), Decimal(10 * (at % 4 + 1)), Decimal(at % 3 * 2)
        method, void, gone = ("Check", "Wire")[at % 2], at % 5 == 4, at == 7
        id_ = add(Payment(connection_id=connection_id, remote_id=str(at), customer_remote_id="1", contact_id=contact_id,
                          date=day, method=method, reference=f"ref{at}", void=void, currency="USD", total=amount,
                          unapplied=left, seen_at=now, gone_at=now if gone else None))  # fmt: skip
        receipt_id = None
        if at == 3:  # recorded here, and in the books by now
            receipt_id = receipt(connection_id, amy, day, amount)
            add(Link(connection_id=connection_id, kind="payment", local_id=receipt_id, remote_id="3", linked_at=now,
                     synced_at=now))  # fmt: skip
        row = payments.Row("books", id_, receipt_id, day, contact_id, name, method, f"ref{at}", amount, left, "USD",
                           void)  # fmt: skip
        kept.append((row, gone))
    waits = receipt(connection_id, bob, DAY - timedelta(days=1), Decimal(25))
    kept.append((payments.Row("here", waits, waits, DAY - timedelta(days=1), bob, "bob Wolf", "", "ours", Decimal(25),
                              Decimal(25), "USD", False), False))  # fmt: skip
    return kept


def receipt(connection_id: int, contact_id: int, day: date, amount: Decimal) -> int:
    now = clock.now()
    return add(Receipt(connection_id=connection_id, contact_id=contact_id, customer_remote_id="1", date=day,
                       amount=amount, currency="USD", reference="ours", created_at=now, updated_at=now))  # fmt: skip


NARROWED: dict[str, tuple[dict[str, str], Callable[[payments.Row], bool]]] = {
    "all": ({}, lambda row: True),
    "a contact": ({"contact": "amy"}, lambda row: row.contact == "Amy Fox"),
    "not applied": ({"unapplied": "yes"}, lambda row: row.unapplied > 0 and not row.void),
    "a method": ({"method": "Wire"}, lambda row: row.method == "Wire"),
    "standing": ({"state": "standing"}, lambda row: not row.void),
    "void": ({"state": "void"}, lambda row: row.void),
    "waiting": ({"state": "waiting"}, lambda row: row.origin == "here" and not row.void),
    "days": (
        {"since": (DAY - timedelta(days=3)).isoformat(), "until": (DAY - timedelta(days=1)).isoformat()},
        lambda row: row.date is not None and DAY - timedelta(days=3) <= row.date <= DAY - timedelta(days=1),
    ),
    "a search": ({"q": "fox"}, lambda row: row.contact == "Amy Fox"),
    "a reference": ({"q": "ref1"}, lambda row: row.reference in ("ref1", "ref10", "ref11")),
    "an amount": ({"q": "20"}, lambda row: row.amount == 20),
}  # fmt: skip
KEYS: dict[str, Callable[[payments.Row], Any]] = {
    "date": lambda row: row.date, "amount": lambda row: row.amount, "unapplied": lambda row: row.unapplied,
    "contact": lambda row: (row.contact or "").lower(),
}  # fmt: skip


def test_every_list_holds_what_plain_python_says_in_its_order(books: list[tuple[payments.Row, bool]]) -> None:
    amy = next(str(row.contact_id) for row, _ in books if row.contact == "Amy Fox")
    for (name, (given, wanted)), key, sign in product(NARROWED.items(), KEYS, ("", "-")):
        asked: dict[str, Any] = {field: amy if field == "contact" else text for field, text in given.items()}
        filters = Filters(**asked, sort=f"{sign}{key}")
        rows = [row for row, gone in books if not gone and wanted(row)]
        rows.sort(key=lambda row: row.id, reverse=True)
        rows.sort(key=lambda row: row.origin)
        rows.sort(key=lambda row: row.date or DAY, reverse=True)
        rows.sort(key=KEYS[key], reverse=bool(sign))
        assert payments.rows(filters, limit=50) == rows, (name, filters.sort)
        assert payments.rows(filters, limit=3, offset=2) == rows[2:5], (name, filters.sort)
        assert payments.count(filters) == len(rows), name


def test_what_is_not_applied_is_the_sum_of_the_list_it_opens(books: list[tuple[payments.Row, bool]]) -> None:
    told, listed = payments.figures(DAY, "USD"), payments.rows(Filters(unapplied="yes"), limit=50)
    there = [row.unapplied for row in listed if row.origin == "books"]
    assert (told.unapplied, told.unapplied_count) == (sum(there), len(there)) and there


@contextmanager
def plans() -> Iterator[list[str]]:
    """How SQLite goes through payments in each statement that is asked meanwhile."""
    found: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            asked = connection.connection.cursor()
            asked.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found.extend(row[3] for row in asked.fetchall())

    event.listen(db.engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(db.engine, "before_cursor_execute", explain)


def test_sqlite_finds_what_is_not_applied_by_its_index_and_sorts_all_without_their_rows(app: Flask) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL knows how many rows there are, and chooses by that")
    company()
    with plans() as found:
        payments.figures(DAY, "USD")
    assert any("ix_payments_unapplied" in step for step in found), found
    with plans() as found:
        payments.rows(Filters(unapplied="yes"), limit=50)
    assert any("ix_payments_unapplied" in step for step in found), found
    for sort in ("-date", "-amount"):
        with plans() as found:
            payments.rows(Filters(sort=sort), limit=50)
        assert any("payments USING COVERING INDEX ix_payments_date" in step for step in found), found
    with plans() as found:
        payments.rows(Filters(contact="1"), limit=50)
    assert any("ix_payments_contact" in step for step in found), found
