"""The API about the engine: standing, log, plans and conflicts, read and acted upon with the scopes they need."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from crm import clock
from crm.db import db
from crm.domain.records import CustomerRecord, Origin
from crm.models import Conflict, Contact, Customer, Link, OutboxEntry, Plan, PlanLine, SyncSettings
from crm.services.sync.mirror.stored import as_stored
from tests.engine_rows import add, ago, company, contact, entry, line, sweep
from tests.web.test_api import key  # noqa: F401

Key = Callable[..., dict[str, str]]


def pages(client: FlaskClient, path: str, headers: dict[str, str], **query: Any) -> list[Any]:
    """Every row, two to a page."""
    rows, cursor = [], None
    while True:
        asked = query | {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = client.get(f"/api/v1{path}", headers=headers, query_string=asked)
        assert answer.status_code == 200, answer.text
        rows += answer.json["data"]
        cursor = answer.json["next_cursor"]
        if cursor is None:
            return rows


def test_a_program_learns_whether_a_company_is_in_step_and_why_not(client: FlaskClient, key: Key) -> None:  # noqa: F811
    books = company()
    sweep(books, webhook_at=ago(minutes=3))
    entry(books, contact(), "parked")
    [told] = client.get("/api/v1/sync-status", headers=key()).json["data"]
    assert (told["light"], told["words"], told["company_name"]) == ("amber", "Something waits for you", "Bedrock")
    assert told["reasons"][0]["sentence"].startswith("1 change could not be sent")
    kinds = {row["kind"]: row for row in told["kinds"]}
    assert (kinds["customer"]["parked"], kinds["customer"]["direction"]) == (1, "both")
    assert (kinds["credit_memo"]["parked"], kinds["credit_memo"]["direction"]) == (0, "in")
    assert told["last_proof"] is None and told["webhook_at"] is not None


def test_the_log_over_everything_is_filtered_and_walked_through(client: FlaskClient, key: Key) -> None:  # noqa: F811
    books, amy = company(), contact("Amy Fox")
    lines = [line(books, f"Line {n}.") for n in range(4)]
    sent = line(books, "Sent.", direction="out", contact_id=amy, outcome="done", trigger="change", attempt=1)
    old = line(books, "Old.", level="error", at=ago(days=9), trace_id="1-abc")
    headers = key()
    assert [row["id"] for row in pages(client, "/logs", headers)] == [old, sent, *lines[::-1]]
    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({"direction": "out"}, [sent]), ({"q": "amy"}, [sent]), ({"q": "1-abc"}, [old]), ({"level": "error"}, [old]),
        ({"contact_id": amy}, [sent]), ({"until": ago(days=8).date()}, [old]), ({"connection_id": 4711}, []),
    ]  # fmt: skip
    for query, found in cases:
        assert [row["id"] for row in pages(client, "/logs", headers, **query)] == found, query
    for wrong in ({"since": "soon"}, {"level": "loud"}, {"run_id": "x"}, {"other": 1}):
        answer = client.get("/api/v1/logs", headers=headers, query_string=wrong)
        assert (answer.status_code, answer.content_type) == (422, "application/problem+json")


def plan(connection_id: int, state: str = "ready", **values: Any) -> int:
    return add(Plan(connection_id=connection_id, purpose="push", state=state, available_at=clock.now(), total=2,
                    created_at=clock.now(), counts={"update": 2}, **values))  # fmt: skip


def plan_line(plan_id: int, local_id: int) -> int:
    return add(PlanLine(plan_id=plan_id, kind="customer", local_id=local_id, remote_id="1", name="Amy", action="update",
                        changes={"phone": ["1", "2"]}, amount=Decimal("12.5")))  # fmt: skip


def test_plans_are_read_with_their_totals_and_lines(client: FlaskClient, key: Key) -> None:  # noqa: F811
    books = company()
    made = [plan(books, "discarded"), plan(books, "done"), plan(books)]
    lines = [plan_line(made[2], contact(f"Amy {n}")) for n in range(3)]
    headers = key()
    assert [row["id"] for row in pages(client, "/plans", headers)] == made[::-1]
    assert [row["id"] for row in pages(client, "/plans", headers, state="ready")] == [made[2]]
    one = client.get(f"/api/v1/plans/{made[2]}", headers=headers).json
    assert (one["totals"][0]["lines"], one["totals"][0]["amount"]) == (3, "37.50")
    assert (one["currency"], one["writes"]) == ("USD", 3)
    told = pages(client, f"/plans/{made[2]}/lines", headers)
    assert [row["id"] for row in told] == lines and told[0]["changes"] == {"phone": ["1", "2"]}
    assert pages(client, f"/plans/{made[2]}/lines", headers, action="create") == []
    for path in ("/plans/4711", "/plans/4711/lines"):
        assert client.get(f"/api/v1{path}", headers=headers).status_code == 404


def test_a_plan_is_approved_or_discarded_with_the_write_scope_only(client: FlaskClient, key: Key) -> None:  # noqa: F811
    books = company()
    first, second = plan(books), plan(books)
    lines = [plan_line(first, contact(f"Amy {n}")) for n in range(2)]
    for deed in ("approve", "discard"):
        refused = client.post(f"/api/v1/plans/{first}/{deed}", json={"what": "all"}, headers=key("read"))
        assert refused.status_code == 403
    headers = key("write")
    seen = client.post(f"/api/v1/plans/{first}/approve", json={"what": "all", "seen": 1}, headers=headers)
    assert seen.status_code == 409 and "not 1" in seen.json["detail"]
    for wrong in ({}, {"what": "everything"}, {"what": "some"}, {"what": "all", "fields": ["shoe_size"]}):
        assert client.post(f"/api/v1/plans/{first}/approve", json=wrong, headers=headers).status_code == 422, wrong
    done = client.post(f"/api/v1/plans/{first}/approve", json={"what": "some", "ids": lines[:1]}, headers=headers)
    assert (done.status_code, done.json["state"], done.json["total"]) == (202, "carrying_out", 1)
    assert done.json["approved_by"] == "API key write program"
    assert client.post(f"/api/v1/plans/{first}/discard", headers=headers).status_code == 409
    assert client.post(f"/api/v1/plans/{second}/discard", headers=headers).json["state"] == "discarded"
    assert client.post("/api/v1/plans/4711/discard", headers=headers).status_code == 404


@pytest.fixture
def conflict(app: Any) -> int:
    """Amy's website was changed on both sides."""
    books = company()
    amy = contact("Amy Fox", website="https://ours.example")
    record = as_stored(CustomerRecord(Origin("58", "1"), "Amy Fox", website="https://theirs.example"))
    add(Customer(connection_id=books, remote_id="58", version="1", display_name="Amy Fox", contact_id=amy,
                 record=record, match_state="linked", seen_at=clock.now()))  # fmt: skip
    add(Link(connection_id=books, kind="customer", local_id=amy, remote_id="58", linked_at=clock.now(),
             synced_at=clock.now(), base={"website": "old.example"}))  # fmt: skip
    return add(Conflict(connection_id=books, kind="customer", local_id=amy, remote_id="58", field="website",
                        reason="both_changed", base="old.example", ours="https://ours.example",
                        theirs="https://theirs.example", opened_at=clock.now()))  # fmt: skip


def test_a_conflict_is_read_and_decided(client: FlaskClient, key: Key, conflict: int) -> None:  # noqa: F811
    headers = key("write")
    [told] = pages(client, "/conflicts", key())
    assert (told["id"], told["field"], told["state"]) == (conflict, "website", "open")
    assert told["ours"] == "https://ours.example"
    path = f"/api/v1/conflicts/{conflict}/resolve"
    assert client.post(path, json={"choice": "theirs"}, headers=key("read")).status_code == 403
    for wrong in ({}, {"choice": "mine"}, {"choice": "edited"}, {"choice": "always_edited"}):
        assert client.post(path, json=wrong, headers=headers).status_code == 422, wrong
    assert client.post(path, json={"choice": "theirs", "seen": "another"}, headers=headers).status_code == 409
    done = client.post(path, json={"choice": "theirs", "seen": told["mark"]}, headers=headers)
    assert done.status_code == 200 and "theirs.example" in done.json["text"]
    db.session.remove()
    assert db.session.get_one(Contact, told["contact_id"]).website == "https://theirs.example"
    assert pages(client, "/conflicts", headers) == []
    [after] = pages(client, "/conflicts", headers, state="resolved", contact_id=told["contact_id"])
    assert (after["choice"], after["decided_by"]) == ("theirs", "API key write program")
    assert client.post(path, json={"choice": "ours"}, headers=headers).status_code == 409
    assert client.post("/api/v1/conflicts/4711/resolve", json={"choice": "ours"}, headers=headers).status_code == 404


def test_a_value_written_by_hand_is_kept_and_sent(client: FlaskClient, key: Key, conflict: int) -> None:  # noqa: F811
    body = {"choice": "edited", "value": "https://third.example"}
    done = client.post(f"/api/v1/conflicts/{conflict}/resolve", json=body, headers=key("write"))
    assert done.status_code == 200, done.text
    db.session.remove()
    assert db.session.get_one(Contact, done.json["contact_id"]).website == "https://third.example"
    assert [one.operation for one in db.session.query(OutboxEntry)] == ["update"]


def test_a_side_can_be_made_the_rule(client: FlaskClient, key: Key, conflict: int) -> None:  # noqa: F811
    body = {"choice": "always_theirs"}
    assert client.post(f"/api/v1/conflicts/{conflict}/resolve", json=body, headers=key("write")).status_code == 200
    db.session.remove()
    [setting] = db.session.query(SyncSettings)
    assert (setting.kind, setting.policies) == ("customer", {"website": "quickbooks"})
