"""Products in the API: read a page at a time, made with the found accounts, changed only when nobody else did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from crm.db import db
from crm.domain.product_values import Values
from crm.models import PriceChange
from tests.web.test_api import key as key
from tests.web.test_products import books, in_books, product, stored

Key = Callable[[str], dict[str, str]]


def test_products_are_read_a_page_at_a_time(client: FlaskClient, key: Key) -> None:
    ids = [product(Values(name=f"Thing {number}")) for number in range(3)]
    product(Values(name="Old"), active=False)
    first = client.get("/api/v1/products?limit=2", headers=key("read")).json
    rest = client.get(f"/api/v1/products?limit=2&cursor={first['next_cursor']}", headers=key("read")).json
    assert [one["id"] for one in first["data"] + rest["data"]] == ids and rest["next_cursor"] is None


def test_one_product_says_its_margin_and_where_it_is(client: FlaskClient, key: Key) -> None:
    product_id = product()
    in_books(books(), product_id)
    found = client.get(f"/api/v1/products/{product_id}", headers=key("read")).json
    assert (found["price"], found["margin"], found["quickbooks"]["item_id"]) == ("1625.00", "725.00", "77")
    assert client.get("/api/v1/products/4711", headers=key("read")).status_code == 404


def test_a_product_is_made_with_the_found_accounts(client: FlaskClient, key: Key) -> None:
    books()
    answer = client.post("/api/v1/products", json={"name": "Pump\x00 1/2 HP", "type": "inventory", "price": "389.9900"},
                         headers=key("write"))  # fmt: skip
    made = answer.json
    assert answer.status_code == 201 and made["name"] == "Pump 1/2 HP" and made["price"] == "389.99"
    assert (made["income_account"], made["expense_account"], made["asset_account"]) == ("2", "3", "4")
    assert made["source"] == "api" and made["quantity_on_hand"] is None


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "A:B"}, {"name": "x", "price": "-1"}, {"name": "x", "quantity_on_hand": "5"},
             {"name": "x", "type": "group"}, {"name": "x", "price": "0.00001"}, {"name": "x", "price": "1e99"}]
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_field(client: FlaskClient, key: Key, body: dict[str, Any]) -> None:
    answer = client.post("/api/v1/products", json=body, headers=key("write"))
    assert answer.status_code == 422 and answer.json["errors"]


@pytest.mark.parametrize(
    "body", [{"name": "helical PIER"}, {"name": "x", "category": "Nowhere"}, {"name": "x", "sku": "HP-100"}]
)
def test_what_stands_against_it_is_a_conflict(client: FlaskClient, key: Key, body: dict[str, Any]) -> None:
    product()
    answer = client.post("/api/v1/products", json=body, headers=key("write"))
    assert answer.status_code == 409 and len(answer.json["errors"]) == 1


def test_a_change_names_what_it_changes_and_the_version_it_saw(client: FlaskClient, key: Key) -> None:
    product_id = product()
    lock, address = stored(product_id).lock, f"/api/v1/products/{product_id}"
    answer = client.patch(address, json={"lock": lock, "price": "1700", "cost": None}, headers=key("write"))
    assert answer.status_code == 200 and (answer.json["price"], answer.json["cost"]) == ("1700.00", None)
    assert answer.json["sku"] == "HP-100" and answer.json["lock"] > lock
    late = client.patch(address, json={"lock": lock, "price": "1"}, headers=key("write"))
    assert late.status_code == 409 and stored(product_id).price == 1700
    assert [one.price for one in db.session.query(PriceChange).order_by(PriceChange.id)] == [1625, 1700]
    gone = client.patch(address, json={"lock": answer.json["lock"], "active": False}, headers=key("write"))
    assert gone.json["active"] is False


def test_reading_keys_change_nothing(client: FlaskClient, key: Key) -> None:
    assert client.post("/api/v1/products", json={"name": "x"}, headers=key("read")).status_code == 403
