"""What QuickBooks posts: kept when its signature fits, and answered before anything is looked at."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from celery import Celery
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from crm import bell
from crm.celery_app import celery_app
from crm.db import db
from crm.models import Delivery, InboxEvent
from crm.services.sync.inbox import inbox
from sandbox.webhooks import Notice, cloudevents, legacy, sign

ADDRESS = "/webhooks/quickbooks"
NOTICES = [Notice(n, "9341", "Customer", str(n), "updated", "2026-11-20T08:00:00+00:00", None, 0) for n in range(3)]
BODY = json.dumps(cloudevents(NOTICES)).encode()
TOKEN = "sandbox-verifier"


def post(client: FlaskClient, body: bytes = BODY, *, signature: str | None = None, **headers: str) -> TestResponse:
    sent = {"Content-Type": "application/cloudevents+json", "intuit-t-id": "trace-1", **headers}
    sent["intuit-signature"] = sign(body, TOKEN) if signature is None else signature
    return client.post(ADDRESS, data=body, headers=sent)


def kept() -> int:
    db.session.remove()
    tables: tuple[Any, ...] = (Delivery, InboxEvent)
    return sum(db.session.scalar(select(func.count()).select_from(table)) or 0 for table in tables)


@pytest.mark.parametrize("body", [BODY, json.dumps(legacy(NOTICES)).encode(), b"not json at all \xff\x00"])
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/cloudevents-batch+json", "application/x-www-form-urlencoded", "text/plain", "x"],
)
def test_a_signed_body_is_kept_as_it_came_whatever_its_type_claims(
    client: FlaskClient, body: bytes, content_type: str
) -> None:
    answer = post(client, body, **{"Content-Type": content_type, "X-Other": "not kept"})
    assert (answer.status_code, answer.data) == (200, b"")
    row = db.session.scalars(select(Delivery)).one()
    assert (row.provider, row.state, row.size) == ("quickbooks", "received", len(body))
    assert row.body == body.decode("utf-8", "backslashreplace")
    assert row.headers["intuit-t-id"] == "trace-1" and "x-other" not in row.headers
    assert not any("signature" in name for name in row.headers)


@pytest.mark.parametrize(
    "signature", ["", "AAAA", sign(BODY, "another token"), sign(BODY[:-1], TOKEN), "ü", "\xff" * 9]
)
def test_a_wrong_signature_is_told_so_and_fills_no_table(client: FlaskClient, signature: str) -> None:
    answer = post(client, signature=signature)
    assert (answer.status_code, answer.data) == (401, b"")
    assert kept() == 0


def test_no_signature_no_get_and_no_body_of_more_than_a_megabyte(client: FlaskClient) -> None:
    assert client.post(ADDRESS, data=BODY).status_code == 401
    assert client.get(ADDRESS).status_code == 405
    assert post(client, b"x" * (inbox.MOST_BYTES + 1)).status_code == 413
    assert kept() == 0
    assert post(client, b"x" * inbox.MOST_BYTES).status_code == 200


def test_without_a_verifier_token_nothing_is_taken_and_the_log_says_why(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    before = app.extensions["settings"]
    app.extensions["settings"] = replace(before, quickbooks_webhook_verifier_token="")
    try:
        with caplog.at_level(logging.ERROR):
            assert post(client, signature=sign(BODY, "")).status_code == 503
    finally:
        app.extensions["settings"] = before
    assert "verifier token" in caplog.text and kept() == 0


def test_the_body_is_stored_encrypted(client: FlaskClient) -> None:
    post(client)
    with db.engine.connect() as connection:
        raw = connection.exec_driver_sql("SELECT body FROM deliveries").scalar_one()
    assert raw.startswith("v1.") and "9341" not in raw


def bell_at_rest() -> None:
    """Until whatever was asked of the bell, by this test or one before, has been rung."""
    patience = time.monotonic() + 30
    while bell._soon._running:
        assert time.monotonic() < patience, "the bell never comes to rest"
        time.sleep(0.02)


class SilentBroker:
    """One that gives no answer before it is told to say no; the names of the threads that asked it."""

    def __init__(self) -> None:
        self.no = threading.Event()
        self.asked: list[str] = []

    def send_task(self, *_: object, **__: object) -> None:
        self.asked.append(threading.current_thread().name)
        self.no.wait(10)
        raise ConnectionError("nobody there")


@pytest.fixture
def silent_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentBroker]:
    bell_at_rest()
    broker = SilentBroker()
    monkeypatch.setattr(celery_app, "send_task", broker.send_task)
    monkeypatch.setattr(bell, "_quiet_until", 0.0)
    yield broker
    broker.no.set()
    bell_at_rest()


def test_a_broker_that_is_away_costs_a_delivery_nothing(client: FlaskClient, silent_broker: SilentBroker) -> None:
    for _ in range(20):  # each is answered, and the broker is still silent
        assert post(client).status_code == 200
    silent_broker.no.set()
    bell_at_rest()
    assert silent_broker.asked == ["bell"], "one ring was enough for all, and no delivery waited for it"
    assert kept() == 20


def test_a_ring_that_failed_is_not_tried_again_at_once(silent_broker: SilentBroker) -> None:
    silent_broker.no.set()
    bell._send("crm.tasks.inbox.split", ())
    bell._send("crm.tasks.inbox.split", ())
    assert len(silent_broker.asked) == 1


def test_many_deliveries_ring_once_and_the_last_one_is_heard(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[tuple[float, str]] = []
    bell_at_rest()  # what another test asked for is through
    monkeypatch.setattr(bell, "_send", lambda task, ids, countdown=0: rung.append((time.monotonic(), task)))
    begun = last = time.monotonic()
    while last - begun < 1.0:
        last = time.monotonic()
        assert post(client).status_code == 200
    bell_at_rest()
    assert {task for _, task in rung} == {"crm.tasks.inbox.split"}
    assert len(rung) <= (rung[-1][0] - begun) / bell.SOON, "each waits for those who ask meanwhile"
    assert rung[-1][0] >= last


def test_a_dead_broker_is_waited_for_once_and_then_left_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real broker connection to a port where nobody listens, as when Redis was killed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    dead = Celery("dead", broker=f"redis://127.0.0.1:{port}/0", set_as_current=False)
    dead.conf.update(broker_connection_timeout=1)
    tried: list[str] = []
    send = dead.send_task

    def sent(task: str, **how: Any) -> Any:
        tried.append(task)
        return send(task, **how)

    monkeypatch.setattr(dead, "send_task", sent)
    monkeypatch.setattr(bell, "celery_app", dead)
    monkeypatch.setattr(bell, "_quiet_until", 0.0)
    for _ in range(50):
        bell._send("crm.tasks.inbox.split", ())
    assert tried == ["crm.tasks.inbox.split"]
