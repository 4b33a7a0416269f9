"""Invoices in the API: read a page at a time, made as drafts or at once, voided as the books allow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from crm import clock
from crm.models import SalesDocument
from crm.services import sales_documents
from tests.services.test_invoices import TODAY, company, content, draft, entries, finished, in_books
from tests.web.test_api import key as key

Key = Callable[[str], dict[str, str]]
STRAP = {"name": "Carbon strap", "quantity": "3", "unit_price": "33.335"}


def post(client: FlaskClient, key: Key, **values: Any) -> Any:
    contact_id = values.pop("contact_id", None) or content().contact_id
    body = {"contact_id": contact_id, "lines": [STRAP, {"kind": "text", "description": "North wall"}], **values}
    return client.post("/api/v1/invoices", json=body, headers=key("write"))


def stored(document_id: int) -> SalesDocument:
    return sales_documents.find(document_id)


def test_invoices_are_read_a_page_at_a_time_and_by_state(client: FlaskClient, key: Key) -> None:
    company()
    ids = [draft().id, draft().id, finished(date=TODAY - timedelta(days=9)).id]
    first = client.get("/api/v1/invoices?limit=2", headers=key("read")).json
    rest = client.get(f"/api/v1/invoices?limit=2&cursor={first['next_cursor']}", headers=key("read")).json
    assert [one["id"] for one in first["data"] + rest["data"]] == ids and rest["next_cursor"] is None
    drafts = client.get("/api/v1/invoices?state=draft", headers=key("read")).json["data"]
    assert [one["id"] for one in drafts] == ids[:2] and {one["state"] for one in drafts} == {"draft"}
    contact_id = stored(ids[0]).contact_id
    mine = client.get(f"/api/v1/invoices?contact_id={contact_id}", headers=key("read")).json["data"]
    assert [one["id"] for one in mine] == ids[:1]


def test_a_draft_is_made_and_calculated_here(client: FlaskClient, key: Key) -> None:
    company()
    answer = post(client, key, title="Wall\x00s")
    assert answer.status_code == 201, answer.json
    made = answer.json
    assert (made["state"], made["total"], made["balance"], made["title"]) == ("draft", "100.01", "100.01", "Wall s")
    assert [line["kind"] for line in made["lines"]] == ["item", "text"]
    assert made["date"] == made["due_date"] == clock.now().date().isoformat() and made["source"] == "api"
    assert entries() == []


def test_one_that_is_finished_is_on_its_way_unless_it_is_held(client: FlaskClient, key: Key) -> None:
    company()
    assert post(client, key, finish=True).json["state"] == "sending"
    assert entries() == [("create", "pending")]
    assert post(client, key, finish=True, hold=True).json["state"] == "held"
    assert len(entries()) == 1


@pytest.mark.parametrize(
    "values", [{"lines": []}, {"lines": [{"name": "x", "price": "1"}]}, {"number": "n" * 22}, {"date": "0202-11-21"},
               {"due_date": "2101-01-01"}]
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_field(client: FlaskClient, key: Key, values: dict[str, Any]) -> None:
    company()
    answer = post(client, key, **values)
    assert answer.status_code == 422 and answer.json["errors"]


@pytest.mark.parametrize(
    "values",
    [{"contact_id": 4711}, {"lines": [{"product_id": 4711}]}, {"lines": [{"name": "no price"}]},
     {"lines": [{"name": "x", "unit_price": "-1"}]}, {"due_date": "2001-01-01"}],
)  # fmt: skip
def test_what_stands_against_it_is_a_conflict(client: FlaskClient, key: Key, values: dict[str, Any]) -> None:
    company()
    answer = post(client, key, **values)
    assert answer.status_code == 409 and answer.json["errors"], answer.json


def test_an_invoice_is_voided_where_the_books_allow_it(client: FlaskClient, key: Key) -> None:
    company()
    made = finished()
    address = f"/api/v1/invoices/{made.id}/void"
    refused = client.post(address, json={"lock": made.lock}, headers=key("write"))
    assert refused.status_code == 409 and "not in QuickBooks" in refused.json["detail"]
    in_books(made)
    stale = client.post(address, json={"lock": 1}, headers=key("write"))
    assert stale.status_code == 409
    answer = client.post(address, json={"lock": stored(made.id).lock}, headers=key("write"))
    assert answer.status_code == 202, answer.json
    assert entries()[-1] == ("void", "pending")
    assert client.post("/api/v1/invoices/999/void", json={"lock": 1}, headers=key("write")).status_code == 404
    assert client.post(address, json={"lock": 1}, headers=key("read")).status_code == 403
