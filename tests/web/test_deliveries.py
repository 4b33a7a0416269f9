"""Webhook deliveries: listed, read without showing a company's id, and explained to whoever has none."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from crm.db import db
from crm.models import Delivery, InboxEvent
from crm.services.sync.inbox import showing
from tests.engine_rows import REALM, ago, company, contact, delivery, event, sweep


def ids_on(client: FlaskClient, query: str = "") -> list[int]:
    return [int(id_) for id_ in re.findall(r">#(\d+)</a>", client.get(f"/sync/deliveries{query}").text)]


def test_without_any_the_page_says_how_to_set_webhooks_up_and_that_nothing_is_missed(
    client: FlaskClient, sign_in
) -> None:
    sign_in("admin")
    company()
    page = client.get("/sync/deliveries").text
    for text in ("http://localhost/webhooks/quickbooks", "No delivery yet", "asks QuickBooks for all changes",
                 "Customer, Invoice, Payment, CreditMemo and Estimate", "not reached by https yet"):  # fmt: skip
        assert text in page, text


def test_deliveries_are_filtered_sorted_and_downloaded(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    old = delivery(received_at=ago(days=9), size=9)
    bad = delivery(state="unreadable", error="The body is not JSON.", counts={}, form="", size=3)
    new = delivery(size=5)
    event(books, new, remote_id="77")
    cases = {"": [new, bad, old], "?state=unreadable": [bad], "?q=77": [new], "?sort=-size": [old, new, bad],
             f"?until={ago(days=5).date()}": [old], f"?since={ago(days=5).date()}": [new, bad],
             "?q=99": []}  # fmt: skip
    for query, found in cases.items():
        assert ids_on(client, query) == found, query
    csv = client.get("/sync/deliveries/export.csv?state=unreadable").text.strip().splitlines()
    assert len(csv) == 2 and csv[1].endswith("The body is not JSON.")
    assert client.get("/sync/deliveries?since=x").status_code == 422
    assert client.get("/sync/deliveries/export.csv?since=x").status_code == 422


@pytest.mark.parametrize(
    ("query", "says"),
    [("?since=abc", "“abc” is not a date."), ("?since=2026-11-21&until=2026-11-20", "ends before it begins"),
     ("?state=zzz", "There is no “zzz”"), ("/replay?since=2026-11-21&until=2026-11-20", "ends before it begins"),
     ("/replay?since=2026-11-21", "up to which day")],
)  # fmt: skip
def test_what_is_asked_wrongly_is_said_on_the_page(client: FlaskClient, sign_in, query: str, says: str) -> None:
    sign_in("admin")
    company()
    for _ in range(2):
        answer = client.get(f"/sync/deliveries{query}")
        assert answer.status_code == 422 and says in answer.text
        assert 'class="tab"' in answer.text and 'class="error"' in answer.text
        if "2026" in query:
            assert 'value="2026-11-21"' in answer.text
        delivery()


def test_one_delivery_shows_what_each_event_caused_and_hides_the_company(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books, amy = company(), contact("Amy Fox")
    id_ = delivery()
    event(books, id_, contact_id=amy, outcome="changed", message="Changed in QuickBooks: phone.")
    event(None, id_, remote_id="12", state="ignored", message="It is about a company that was never connected here.")
    page = client.get(f"/sync/deliveries/{id_}").text
    for text in ("Changed in QuickBooks: phone.", "Amy Fox", "never connected here", "qbo.customer.updated.v1",
                 "t-1", "CloudEvents", "••••2345"):  # fmt: skip
        assert text in page, text
    assert REALM not in page
    assert client.get("/sync/deliveries/4711").status_code == 404


def test_a_pruned_body_is_said_to_be_gone(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    assert "The body was deleted" in client.get(f"/sync/deliveries/{delivery(body=None)}").text


def test_one_delivery_or_a_range_is_read_again_after_a_question(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    old, new = delivery(received_at=ago(days=9)), delivery()
    seen = event(books, old)
    assert client.post(f"/sync/deliveries/{new}/replay").location == f"/sync/deliveries/{new}"
    assert [one.state for one in (_of(Delivery, old), _of(Delivery, new))] == ["split", "received"]
    days = {"since": str(ago(days=10).date()), "until": str(ago(days=8).date())}
    assert "Read 1 delivery again" in client.get("/sync/deliveries/replay", query_string=days).text
    assert client.post("/sync/deliveries/replay", data=days).location == "/sync/deliveries"
    assert (_of(Delivery, old).state, _of(InboxEvent, seen).state) == ("received", "pending")
    none = {"since": "2001-01-01", "until": "2001-01-02"}
    assert "Nothing to read again" in client.get("/sync/deliveries/replay", query_string=none).text
    for wrong in ({}, {"since": "2026-01-02", "until": "2026-01-01"}, {"since": "x", "until": "2026-01-01"}):
        assert client.post("/sync/deliveries/replay", data=wrong).status_code == 422
        assert client.get("/sync/deliveries/replay", query_string=wrong).status_code == 422
    assert client.post("/sync/deliveries/4711/replay").status_code == 404


def _of(model, id_: int):
    db.session.remove()
    return db.session.get_one(model, id_)


def test_silent_webhooks_are_said_to_be_silent(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    sweep(company(), silent_since=ago(days=2))
    page = client.get("/sync/deliveries").text
    assert "Bedrock: webhooks are silent" in page and "2 days ago" in page


@pytest.mark.parametrize("role", ["rep", "bookkeeper"])
def test_only_admins_see_deliveries(client: FlaskClient, sign_in, role: str) -> None:
    sign_in(role)
    id_ = delivery()
    for path in ("/sync/deliveries", f"/sync/deliveries/{id_}", "/sync/deliveries/export.csv"):
        assert client.get(path).status_code == 403
    for path in (f"/sync/deliveries/{id_}/replay", "/sync/deliveries/replay"):
        assert client.post(path).status_code == 403


def test_ids_of_companies_are_masked_whether_the_body_can_be_read_or_not() -> None:
    notified = '{"eventNotifications":[{"realmId":"4620816365","dataChangeEvent":{"entities":[{"id":"4620","name":' \
               '"Customer","operation":"Update","lastUpdated":"2026-11-20T10:00:00Z"}]}}]}'  # fmt: skip
    shown = showing.readable_body("quickbooks", notified)
    assert "4620816365" not in shown and '"4620"' in shown and "••••6365" in shown
    broken = showing.readable_body("quickbooks", 'realm=9341452000012345 {"id": 58')
    assert broken == 'realm=••••2345 {"id": 58'
    assert showing.masked("12") == "••••"
