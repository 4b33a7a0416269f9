"""Quotes in the API: read a page at a time, made as drafts with what the products say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from crm.db import db
from crm.models import OutboxEntry, SalesDocument
from tests.engine_rows import company, contact
from tests.web.test_api import key as key
from tests.web.test_quotes import product, quote

Key = Callable[[str], dict[str, str]]


def test_quotes_are_read_a_page_at_a_time_with_their_lines(client: FlaskClient, key: Key) -> None:
    ids = [quote(number=f"Q-{number}").id for number in range(3)]
    first = client.get("/api/v1/quotes?limit=2", headers=key("read")).json
    rest = client.get(f"/api/v1/quotes?limit=2&cursor={first['next_cursor']}", headers=key("read")).json
    assert [one["id"] for one in first["data"] + rest["data"]] == ids and rest["next_cursor"] is None
    line = first["data"][0]["lines"][0]
    assert (line["unit_price"], line["quantity"], line["amount"]) == ("33.335", "3", "100.01")


def test_quotes_are_narrowed_by_state_and_contact(client: FlaskClient, key: Key) -> None:
    ada = contact("Ada")
    sent = quote(ada, sent=True).id
    quote()
    assert [one["id"] for one in client.get("/api/v1/quotes?state=sent", headers=key("read")).json["data"]] == [sent]
    found = client.get(f"/api/v1/quotes?contact_id={ada}", headers=key("read")).json["data"]
    assert [one["id"] for one in found] == [sent]
    assert client.get("/api/v1/quotes/4711", headers=key("read")).status_code == 404


def test_a_draft_is_made_of_products_and_goes_nowhere(client: FlaskClient, key: Key) -> None:
    company()
    body = {"contact_id": contact(), "title": "Wall", "discount_percent": "10",
            "lines": [{"product_id": product(), "quantity": "2"}, {"kind": "section", "description": "Extras"},
                      {"description": "Paint", "unit_price": "50", "optional": True}]}  # fmt: skip
    answer = client.post("/api/v1/quotes", json=body, headers=key("write"))
    assert answer.status_code == 201, answer.json
    made = answer.json
    assert (made["state"], made["subtotal"], made["discount"], made["total"]) == (
        "draft", "3250.00", "325.00", "2925.00"
    )  # fmt: skip
    assert [line["name"] or line["description"] for line in made["lines"]] == ["Helical pier", "Extras", "Paint"]
    assert made["date"] < made["expires_on"]
    assert db.session.scalar(select(OutboxEntry.id)) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"contact_id": 4711}, "contact_id"),
        ({"lines": [{"product_id": 4711}]}, "lines-1-product_id"),
        ({"lines": [{"description": "no price"}]}, "lines-1-unit_price"),
        ({"lines": [{"kind": "text", "description": "only words"}]}, "lines"),
        ({"date": "2026-11-21", "expires_on": "2026-11-20"}, "expires_on"),
    ],
)
def test_what_stands_against_it_is_told_by_field(
    client: FlaskClient, key: Key, change: dict[str, Any], field: str
) -> None:
    body = {"contact_id": contact(), "lines": [{"description": "Paint", "unit_price": "5"}]} | change
    answer = client.post("/api/v1/quotes", json=body, headers=key("write"))
    assert answer.status_code == 409 and list(answer.json["errors"]) == [field]
    db.session.remove()
    assert db.session.scalar(select(SalesDocument.id)) is None


@pytest.mark.parametrize("body", [{}, {"contact_id": 1}, {"contact_id": 1, "lines": []}, {"contact_id": 1, "x": 1},
                                  {"contact_id": 1, "lines": [{"unit_price": "5"}], "date": "1989-12-31"}])  # fmt: skip
def test_what_cannot_be_read_is_refused(client: FlaskClient, key: Key, body: dict[str, Any]) -> None:
    assert client.post("/api/v1/quotes", json=body, headers=key("write")).status_code == 422
    assert client.post("/api/v1/quotes", json=body, headers=key("read")).status_code == 403
