"""Vendors and bills in the API: read a page at a time, made and changed as their pages do it, refused with reasons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from crm.db import db
from crm.models import Bill, OutboxEntry, Vendor
from tests.web.test_api import key as key
from tests.web.test_purchases import bill, books, stored, vendor

Key = Callable[[str], dict[str, str]]


def waiting() -> list[tuple[str, str]]:
    return [(one.kind, one.operation) for one in db.session.query(OutboxEntry).order_by(OutboxEntry.id)]


def test_vendors_are_read_a_page_at_a_time(client: FlaskClient, key: Key) -> None:
    books()
    ids = [vendor(f"Supply {number}") for number in range(3)]
    vendor("Another one")
    first = client.get("/api/v1/vendors?limit=2&q=supply", headers=key("read")).json
    rest = client.get(f"/api/v1/vendors?q=supply&cursor={first['next_cursor']}", headers=key("read")).json
    assert [one["id"] for one in first["data"] + rest["data"]] == ids and rest["next_cursor"] is None
    assert client.get("/api/v1/vendors/4711", headers=key("read")).status_code == 404


def test_a_vendor_is_made_and_goes_out(client: FlaskClient, key: Key) -> None:
    books()
    body = {"display_name": "Rebar\x00 & Co", "email": "office@rebar.example", "city": "Tulsa"}
    answer = client.post("/api/v1/vendors", json=body, headers=key("write"))
    made = answer.json
    assert answer.status_code == 201 and (made["display_name"], made["city"]) == ("Rebar & Co", "Tulsa")
    assert made["balance"] is None and made["quickbooks"] is None and waiting() == [("vendor", "create")]
    again = client.post("/api/v1/vendors", json=body, headers=key("write"))
    assert again.status_code == 409 and "display_name" in again.json["errors"]
    assert client.post("/api/v1/vendors", json=body, headers=key("read")).status_code == 403


def test_a_change_names_what_it_changes_and_the_version_it_saw(client: FlaskClient, key: Key) -> None:
    books()
    vendor_id = vendor(phone="405 555 0100", city="Norman")
    lock, address = stored(Vendor, vendor_id).lock, f"/api/v1/vendors/{vendor_id}"
    answer = client.patch(address, json={"lock": lock, "phone": None, "line1": "1 Main St"}, headers=key("write"))
    assert answer.status_code == 200 and (answer.json["phone"], answer.json["line1"]) == ("", "1 Main St")
    assert answer.json["city"] == "Norman" and answer.json["display_name"] == "Concrete Supply"
    late = client.patch(address, json={"lock": lock, "phone": "1"}, headers=key("write"))
    assert late.status_code == 409 and stored(Vendor, vendor_id).phone == ""


def test_a_vendor_that_is_owed_something_stays_in_use(client: FlaskClient, key: Key) -> None:
    books()
    vendor_id = vendor()
    bill(vendor_id)
    lock = stored(Vendor, vendor_id).lock
    answer = client.patch(f"/api/v1/vendors/{vendor_id}", json={"lock": lock, "active": False}, headers=key("write"))
    assert answer.status_code == 409 and "still owed money" in answer.json["detail"]
    assert stored(Vendor, vendor_id).active is True


def test_bills_say_their_state_and_what_their_lines_name(client: FlaskClient, key: Key) -> None:
    books()
    vendor_id, other = vendor(), vendor("Diesel Depot")
    late = bill(vendor_id, "B-1", due=-1)
    bill(other, "B-2", account="61")
    found = client.get(f"/api/v1/bills?vendor_id={vendor_id}", headers=key("read")).json["data"]
    assert [(one["id"], one["state"], one["vendor"], one["total"]) for one in found] == [
        (late, "overdue", "Concrete Supply", "100.00")
    ]
    both = client.get("/api/v1/bills", headers=key("read")).json["data"]
    assert [one["lines"][0]["account_name"] for one in both] == ["Fuel", "Materials"]
    assert [one["id"] for one in client.get("/api/v1/bills?q=diesel", headers=key("read")).json["data"]] != [late]


def test_a_bill_is_written_down_changed_and_deleted(client: FlaskClient, key: Key) -> None:
    books()
    vendor_id = vendor()
    body = {"vendor_id": vendor_id, "number": "INV-7", "date": "2026-11-02",
            "lines": [{"account": "60", "amount": "12.50", "description": "Two loads"}, {"amount": "7.5"}]}  # fmt: skip
    missing = client.post("/api/v1/bills", json=body, headers=key("write"))
    assert missing.status_code == 409 and "Line 2: choose the account" in missing.json["errors"]["lines"]
    body["lines"][1]["account"] = "61"  # type: ignore[index]
    answer = client.post("/api/v1/bills", json=body, headers=key("write"))
    made = answer.json
    assert answer.status_code == 201 and (made["total"], made["balance"], made["state"]) == ("20.00", "20.00", "open")
    assert waiting() == [("vendor", "create"), ("bill", "create")]
    address = f"/api/v1/bills/{made['id']}"
    changed = client.patch(address, json={"lock": made["lock"], "due_date": "2026-12-02"}, headers=key("write")).json
    assert changed["due_date"] == "2026-12-02" and changed["lines"] == made["lines"] and changed["number"] == "INV-7"
    late = client.patch(address, json={"lock": made["lock"], "number": "x"}, headers=key("write"))
    assert late.status_code == 409 and stored(Bill, made["id"]).number == "INV-7"
    gone = client.post(f"{address}/delete", json={"lock": changed["lock"]}, headers=key("write"))
    assert gone.status_code == 202 and client.get(address, headers=key("read")).status_code == 404


def test_a_bill_with_payments_is_not_touched(client: FlaskClient, key: Key) -> None:
    books()
    paid = bill(vendor(), payments=[{"remote_id": "9", "date": "2026-11-03", "amount": "40"}])
    address, lock = f"/api/v1/bills/{paid}", stored(Bill, paid).lock
    shown = client.get(address, headers=key("read")).json
    assert shown["payments"] == [{"payment_id": "9", "date": "2026-11-03", "amount": "40"}]
    for answer in (client.patch(address, json={"lock": lock, "number": "x"}, headers=key("write")),
                   client.post(f"{address}/delete", json={"lock": lock}, headers=key("write"))):  # fmt: skip
        assert answer.status_code == 409 and "There are payments on this bill" in answer.json["detail"]


@pytest.mark.parametrize(
    "body", [{}, {"vendor_id": 1, "date": "2026-11-02", "lines": []}, {"vendor_id": 1, "date": "soon", "lines": [{}]},
             {"vendor_id": 1, "date": "2026-11-02", "lines": [{"amount": "1e99"}]},
             {"vendor_id": 1, "date": "2026-11-02", "lines": [{}], "number": "x" * 22}]
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_field(client: FlaskClient, key: Key, body: dict[str, Any]) -> None:
    answer = client.post("/api/v1/bills", json=body, headers=key("write"))
    assert answer.status_code == 422 and answer.json["errors"]
