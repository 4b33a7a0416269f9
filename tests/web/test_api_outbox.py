"""The API about the outbox: walked through, filtered, one entry in full, and what may be done with it by which key."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from crm.db import db
from crm.models import AuditEntry, OutboxEntry, OutboxNeed
from tests.engine_rows import add, ago, company, contact, entry
from tests.web.test_api import key  # noqa: F401
from tests.web.test_api_engine import Key, pages


def state_of(entry_id: int) -> str:
    db.session.remove()
    return db.session.get_one(OutboxEntry, entry_id).state


def test_entries_are_walked_through_and_filtered(client: FlaskClient, key: Key) -> None:  # noqa: F811
    books, other = company(), company(realm_id="2", realm_fingerprint="two", state="disconnected")
    amy, ben = contact("Amy Fox"), contact("Ben Elm")
    old = entry(books, amy, "done", settled_at=ago(days=8), created_at=ago(days=9), trace_id="1-abc")
    parked = entry(books, amy, "parked", cause="duplicate_name", trigger="plan", parked_at=ago(hours=1))
    waiting = entry(books, ben)
    invoice = entry(other, 7, "frozen", kind="invoice", operation="create")
    headers = key()
    assert [row["id"] for row in pages(client, "/outbox", headers)] == [invoice, waiting, parked, old]
    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({"state": "parked"}, [parked]), ({"cause": "duplicate_name"}, [parked]), ({"trigger": "plan"}, [parked]),
        ({"kind": "invoice"}, [invoice]), ({"q": "amy"}, [parked, old]), ({"q": "1-abc"}, [old]),
        ({"until": ago(days=8).date()}, [old]), ({"connection_id": other}, [invoice]), ({"contact_id": ben}, [waiting]),
        ({"contact_id": 7}, []), ({"since": ago(days=1).date(), "state": "done"}, []),
    ]  # fmt: skip
    for query, found in cases:
        assert [row["id"] for row in pages(client, "/outbox", headers, **query)] == found, query
    for wrong in ({"state": "lost"}, {"since": "soon"}, {"other": 1}):
        answer = client.get("/api/v1/outbox", headers=headers, query_string=wrong)
        assert (answer.status_code, answer.content_type) == (422, "application/problem+json"), wrong


def test_one_entry_says_what_goes_out_and_what_can_be_done(client: FlaskClient, key: Key) -> None:  # noqa: F811
    books, amy = company(), contact("Amy Fox")
    changes = {"website": ["", "https://fox.example"]}
    parked = entry(books, amy, "parked", cause="gone", error="It is gone.", changes=changes, error_code="610")
    behind = entry(books, 9, kind="invoice", operation="create")
    add(OutboxNeed(entry_id=behind, kind="customer", local_id=amy))
    told = client.get(f"/api/v1/outbox/{parked}", headers=key()).json
    assert (told["name"], told["contact_id"], told["fields"], told["changes"]) == ("Amy Fox", amy, ["website"], changes)
    assert told["waiting_behind"] == {"invoice": 1}
    assert told["deeds"] == ["skip"], "what is gone there is not mended by trying again"
    other = client.get(f"/api/v1/outbox/{behind}", headers=key()).json
    assert (other["contact_id"], other["name"], other["deeds"]) == (None, "", ["retry", "skip"])
    assert client.get("/api/v1/outbox/4711", headers=key()).status_code == 404


def test_an_entry_is_tried_again_skipped_and_put_back_by_a_key_that_may_write(
    client: FlaskClient,
    key: Key,  # noqa: F811
) -> None:
    parked = entry(company(), contact(), "parked", cause="duplicate_name", parked_at=ago(hours=1))
    path = f"/api/v1/outbox/{parked}"
    for deed in ("retry", "skip", "unskip"):
        assert client.post(f"{path}/{deed}", headers=key("read")).status_code == 403
    assert state_of(parked) == "parked"
    writing = key("write")
    answer = client.post(f"{path}/skip", headers=writing)
    assert (answer.status_code, answer.json["state"], answer.json["deeds"]) == (200, "skipped", ["unskip"])
    assert client.post(f"{path}/retry", headers=writing).status_code == 409
    assert client.post(f"{path}/unskip", headers=writing).json["state"] == "pending"
    assert client.post(f"{path}/retry", headers=writing).json["state"] == "pending"
    assert client.post(f"{path}/skip", json={"why": "x"}, headers=writing).status_code == 422
    assert client.post("/api/v1/outbox/4711/retry", headers=writing).status_code == 404
    done = [row.action for row in db.session.query(AuditEntry).order_by(AuditEntry.id) if "outbox" in row.action]
    assert done == ["outbox_skipped", "outbox_taken_up"]
