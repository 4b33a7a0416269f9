"""The API: keys and scopes, cursor pages, problem+json, money as text, and a document that tells the truth."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.models import ApiKey, Connection, ContactPoint, Customer, Link, MoneyFacts, Proof, SyncLogEntry, SyncRun
from crm.services import api_keys
from crm.services.audit import SYSTEM
from tests.factories import ContactFactory


@pytest.fixture
def key(app: Flask) -> Callable[[str], dict[str, str]]:
    """`key("read")`: headers with a fresh key of that scope."""

    def make(scope: str = "read") -> dict[str, str]:
        with transaction():
            _, text = api_keys.create(f"{scope} program", scope=scope, actor=SYSTEM, now=clock.now())
        return {"Authorization": f"Bearer {text}"}

    return make


@pytest.fixture
def connection(app: Flask) -> Connection:
    with transaction():
        row = Connection(
            provider="quickbooks", realm_id="123", realm_fingerprint="f" * 64, company_name="Bedrock", currency="USD",
            state="connected", connected_at=clock.now(), access_token="hush", refresh_token="hush",
        )  # fmt: skip
        db.session.add(row)
    return row


def linked_contact(connection: Connection) -> int:
    now = clock.now()
    with transaction():
        contact = ContactFactory(display_name="Amy Lauterbach", search_text=" amy lauterbach 6505553311 ")
        contact.points = [
            ContactPoint(kind="phone", label="mobile", value="(650) 555-3311", normal="+16505553311"),
            ContactPoint(kind="email", label="", value="amy@example.com", normal="amy@example.com", position=1),
        ]
        db.session.flush()
        db.session.add_all(
            [
                Customer(
                    connection_id=connection.id, remote_id="58", version="3", display_name="Amy's Bird Sanctuary",
                    contact_id=contact.id, match_state="linked", seen_at=now,
                ),
                Link(
                    connection_id=connection.id, kind="customer", local_id=contact.id, remote_id="58", version="3",
                    linked_at=now, synced_at=now, linked_by="same phone",
                ),
                MoneyFacts(
                    contact_id=contact.id, connection_id=connection.id, currency="USD", balance=Decimal("239"),
                    balance_with_jobs=Decimal("1239.5"), total_sales=Decimal("8412.75"), days_to_pay=Decimal("12.5"),
                ),
            ]
        )  # fmt: skip
    return contact.id


def test_without_a_valid_key_nothing_is_told(client: FlaskClient) -> None:
    for headers in ({}, {"Authorization": "Bearer tb_wrong"}, {"Authorization": "Basic abc"}):
        answer = client.get("/api/v1/contacts", headers=headers)
        assert answer.status_code == 401 and answer.content_type == "application/problem+json"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_key_is_refused(client: FlaskClient, key: Callable[..., dict[str, str]]) -> None:
    headers = key()
    assert client.get("/api/v1/contacts", headers=headers).status_code == 200
    with transaction():
        api_keys.revoke(db.session.scalar(select(ApiKey.id)), actor=SYSTEM, now=clock.now())
    assert client.get("/api/v1/contacts", headers=headers).status_code == 401


def test_a_session_cookie_does_not_open_the_api(client: FlaskClient, sign_in: Callable[..., object]) -> None:
    sign_in("admin")
    assert client.get("/api/v1/contacts").status_code == 401


def test_a_contact_carries_its_lines_its_link_and_its_money_as_text(
    client: FlaskClient, key: Callable[..., dict[str, str]], connection: Connection
) -> None:
    contact_id = linked_contact(connection)
    body = client.get(f"/api/v1/contacts/{contact_id}", headers=key()).json
    assert body["phones"] == [{"label": "mobile", "value": "(650) 555-3311", "e164": "+16505553311", "extension": None}]
    assert body["money"]["balance"] == "239.00" and body["money"]["balance_with_jobs"] == "1239.50"
    assert body["money"]["days_to_pay"] == "12.5"
    assert (body["quickbooks"]["customer_id"], body["quickbooks"]["sync_version"]) == ("58", "3")
    assert body["created_at"].endswith("Z")


def test_pages_hold_every_contact_once(client: FlaskClient, key: Callable[..., dict[str, str]]) -> None:
    with transaction():
        ContactFactory.create_batch(7)
        ContactFactory(archived_at=clock.now())
    headers, seen, cursor = key(), [], None
    for _ in range(9):
        query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = client.get("/api/v1/contacts", headers=headers, query_string=query).json
        seen += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 7 and seen == sorted(seen)


def test_contacts_are_found_by_any_notation_of_a_phone(
    client: FlaskClient, key: Callable[..., dict[str, str]], connection: Connection
) -> None:
    linked_contact(connection)
    headers = key()
    for q in ("+1 650-555-3311", "amy", "650.555.3311"):
        assert len(client.get("/api/v1/contacts", query_string={"q": q}, headers=headers).json["data"]) == 1
    assert client.get("/api/v1/contacts?q=nobody", headers=headers).json["data"] == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "cursor=abc", "unknown=1", "updated_since=2026-01-01T00:00:00"]
)
def test_a_bad_query_is_explained_by_field(client: FlaskClient, key: Callable[..., dict[str, str]], query: str) -> None:
    answer = client.get(f"/api/v1/contacts?{query}", headers=key())
    assert answer.status_code == 422 and query.split("=")[0] in answer.json["errors"]


def test_sync_status_and_log_of_a_connection(
    client: FlaskClient, key: Callable[..., dict[str, str]], connection: Connection
) -> None:
    linked_contact(connection)
    now = clock.now()
    with transaction():
        run = SyncRun(connection_id=connection.id, trigger="person", state="done", created_at=now, finished_at=now)
        db.session.add(run)
        db.session.flush()
        for number in range(3):
            db.session.add(
                SyncLogEntry(
                    connection_id=connection.id, run_id=run.id, at=now, event="step_done", message=f"line {number}"
                )
            )
    headers = key()
    status = client.get(f"/api/v1/connections/{connection.id}/sync-status", headers=headers).json
    assert status["current_run"] is None and status["last_run"]["state"] == "done"
    assert {"resource": "customers", "count": 1}.items() <= status["resources"][0].items()
    first = client.get(f"/api/v1/connections/{connection.id}/logs?limit=2", headers=headers).json
    assert [row["message"] for row in first["data"]] == ["line 2", "line 1"]
    rest = client.get(f"/api/v1/connections/{connection.id}/logs?cursor={first['next_cursor']}", headers=headers).json
    assert [row["message"] for row in rest["data"]] == ["line 0"] and rest["next_cursor"] is None
    listed = client.get("/api/v1/connections", headers=headers)
    assert listed.json["data"][0]["company_name"] == "Bedrock" and "hush" not in listed.text


def test_starting_a_sync_needs_the_write_scope(
    client: FlaskClient, key: Callable[..., dict[str, str]], connection: Connection
) -> None:
    path = f"/api/v1/connections/{connection.id}/sync"
    assert client.post(path, json={}, headers=key("read")).status_code == 403
    headers = key("write")
    started = client.post(path, json={"resources": ["customers"]}, headers=headers)
    assert started.status_code == 202 and started.json["trigger"] == "api" and started.json["state"] == "queued"
    again = client.post(path, json={"resources": ["customers"]}, headers=headers)
    assert again.json["id"] == started.json["id"], "one run at a time; the one under way is told"
    for body in ({"resources": ["everything"]}, {"resources": "customers"}, {"other": 1}):
        assert client.post(path, json=body, headers=headers).status_code == 422
    assert client.post(path, data="{not json", headers=headers).status_code == 422
    assert client.post("/api/v1/connections/999/sync", json={}, headers=headers).status_code == 404


def test_the_document_names_every_resource(app: Flask) -> None:
    from crm.blueprints.api.schemas import RESOURCES
    from crm.services import sync

    assert sync.read_resources(RESOURCES) == list(sync.RESOURCES)


BETWEEN_TWO = ("The range ends before it begins", "so only that can be planned")
"""Rules of one value about another."""


def test_the_openapi_document_is_true(app: Flask, key: Callable[..., dict[str, str]], connection: Connection) -> None:
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings

    linked_contact(connection)
    with transaction() as session:  # one under way: whoever asks for another gets it, whatever else is going on
        session.add(Proof(connection_id=connection.id, trigger="person", state="queued", available_at=clock.now(),
                          created_at=clock.now(), figures=[], progress={}))  # fmt: skip
    headers = key("write")
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    called: set[str] = set()
    for found in schema.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck),
            database=None,
        )  # fmt: skip
        def every_answer_is_as_described(case: schemathesis.Case) -> None:
            with app.app_context():
                response = case.call(headers=headers)
            if any(rule in response.text for rule in BETWEEN_TWO):
                return  # what no schema can say
            case.validate_response(response, headers=headers)

        every_answer_is_as_described()
        called.add(operation.label)
    assert len(called) == 53
