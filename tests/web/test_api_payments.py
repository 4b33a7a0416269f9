"""Payments in the API: read a page at a time, recorded once, refused with their reasons."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from flask.testing import FlaskClient

from crm.db import db
from crm.models import OutboxEntry
from tests.web.test_api import key as key
from tests.web.test_payments import books, customer, invoice, only, payment, receipts, today

__all__ = ["books"]
Key = Callable[[str], dict[str, str]]


def test_payments_are_read_a_page_at_a_time_the_newest_first(client: FlaskClient, key: Key, books: int) -> None:
    amy = customer(books)
    ids = [payment(books, amy, f"{day + 1}.00", day=today() - timedelta(days=day)) for day in range(3)]
    first = client.get("/api/v1/payments?limit=2", headers=key("read")).json
    rest = client.get(f"/api/v1/payments?limit=2&cursor={first['next_cursor']}", headers=key("read")).json
    assert [one["payment_id"] for one in first["data"] + rest["data"]] == ids and rest["next_cursor"] is None
    assert first["data"][0]["amount"] == "1.00" and first["data"][0]["in_quickbooks"] is True
    narrow = client.get(f"/api/v1/payments?until={today() - timedelta(days=2)}&contact_id={amy}", headers=key("read"))
    assert [one["payment_id"] for one in narrow.json["data"]] == ids[2:]


def test_a_payment_is_recorded_and_goes_out(client: FlaskClient, key: Key, books: int) -> None:
    amy = customer(books)
    paid = invoice(books, amy, "1001", "100.00")
    body = {"contact_id": amy, "amount": "80.00", "date": today().isoformat(), "method": "1", "reference": "1204",
            "applied": [{"invoice_id": paid, "amount": "75.50"}]}  # fmt: skip
    answer = client.post("/api/v1/payments", json=body, headers=key("write"))
    made = answer.json
    assert answer.status_code == 201 and (made["amount"], made["unapplied"]) == ("80.00", "4.50")
    assert [(one["invoice_id"], one["amount"]) for one in made["applied"]] == [(paid, "75.50")]
    assert made["payment_id"] is None and made["deposit_account"] == "Undeposited Funds" and made["method"] == "Check"
    assert db.session.query(OutboxEntry).one().kind == "payment" and only().amount == Decimal(80)
    again = client.get(f"/api/v1/payments/recorded/{made['receipt_id']}", headers=key("read")).json
    assert again == made
    same = client.post("/api/v1/payments", json=body | {"applied": []}, headers=key("write"))
    assert same.status_code == 409 and same.json["likes"][0]["payment"] == f"receipt:{made['receipt_id']}"
    other = client.post("/api/v1/payments", json=body | {"applied": [], "another": True}, headers=key("write"))
    assert other.status_code == 201 and receipts() == 2


def test_more_than_there_is_is_a_conflict_with_its_field(client: FlaskClient, key: Key, books: int) -> None:
    amy = customer(books)
    paid = invoice(books, amy, "1001", "100.00")
    body = {"contact_id": amy, "amount": "80", "date": today().isoformat(),
            "applied": [{"invoice_id": paid, "amount": "50"}, {"invoice_id": paid, "amount": "51"}]}  # fmt: skip
    answer = client.post("/api/v1/payments", json=body, headers=key("write"))
    assert answer.status_code == 409 and "Only 100.00 USD is open" in answer.json["errors"][f"parts-{paid}"]
    assert client.post("/api/v1/payments", json=body | {"contact_id": 4711}, headers=key("write")).status_code == 404
    assert client.post("/api/v1/payments", json=body | {"amount": "-1"}, headers=key("write")).status_code == 422
    assert client.post("/api/v1/payments", json=body, headers=key("read")).status_code == 403
    assert receipts() == 0


def test_a_payment_of_the_books_is_read_by_its_id(client: FlaskClient, key: Key, books: int) -> None:
    there = payment(books, customer(books), "250.00")
    found = client.get(f"/api/v1/payments/{there}", headers=key("read")).json
    assert (found["amount"], found["receipt_id"], found["quickbooks_id"]) == ("250.00", None, "700")
    assert client.get("/api/v1/payments/4711", headers=key("read")).status_code == 404
    assert client.get("/api/v1/payments/recorded/4711", headers=key("read")).status_code == 404
