"""A simulated QuickBooks for tests of the application: served on loopback, the application pointed at it.

The fixtures `sandbox`, `quickbooks` and `refreshes` are known to every test (conftest imports them). `connect()` makes
a connection without the consent page; `consent()` walks a browser through it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from crm import clock
from crm.db import db, transaction
from crm.models import Connection
from crm.services import connections, grants
from sandbox import Served, serving
from sandbox.tokens import Tokens


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.fixture
def quickbooks(app: Flask, sandbox: Served) -> Iterator[Served]:
    """The served company, without trouble, calls or grants left over; the application's settings lead to it."""
    before = app.extensions["settings"]
    app.extensions["settings"] = replace(
        before, quickbooks_api_url=sandbox.url, quickbooks_discovery_url=sandbox.discovery_url
    )
    sandbox.sandbox.script.clear()
    sandbox.sandbox.counters.reset()
    sandbox.sandbox.authority.revoke_all()
    yield sandbox
    app.extensions["settings"] = before
    sandbox.sandbox.script.clear()


def connect(served: Served, realm: str | None = None, **values: Any) -> Connection:
    """A connected company, as after a consent. `values` set further columns."""
    realm = realm or served.realm
    tokens = served.connect(realm)
    now = clock.now()
    given: dict[str, Any] = {
        "company_name": dict(served.store.companies())[realm], "state": "connected", "connected_at": now,
        "environment": "simulated", "access_token": tokens.access, "refresh_token": tokens.refresh,
        "access_expires_at": now + connections.RECHECK / 24, "refreshed_at": now, "scopes": [tokens.scope],
    }  # fmt: skip
    with transaction() as session:
        row = Connection(
            provider="quickbooks", realm_id=realm, realm_fingerprint=grants.fingerprint(realm), **(given | values)
        )
        session.add(row)
    return row


def reread(connection_id: int) -> Connection:
    """The row as it is stored now."""
    db.session.remove()
    row = db.session.get(Connection, connection_id)
    assert row is not None
    return row


def consent(
    client: FlaskClient, served: Served, *, realm: str = "", decision: str = "connect", start: str = "/auth/quickbooks"
) -> str:
    """From our button over QuickBooks' consent page to the address of our callback that it answers with."""
    begun = client.get(start)
    assert begun.status_code == 302, begun.text
    asked = dict(parse_qsl(urlsplit(begun.location).query))
    answer = requests.post(
        begun.location.split("?")[0],
        data={**asked, "decision": decision, "realm": realm or served.realm},
        allow_redirects=False,
        timeout=10,
    )
    assert answer.status_code == 302, answer.text
    parts = urlsplit(answer.headers["Location"])
    return f"{parts.path}?{parts.query}"


def come_back(client: FlaskClient, address: str) -> tuple[TestResponse, str]:
    """The callback's answer (always a redirect) and the page it leads to, as text."""
    answer = client.get(address)
    assert answer.status_code in (302, 303)
    return answer, client.get(answer.location, follow_redirects=True).text


@pytest.fixture
def refreshes(quickbooks: Served, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every refresh token that reached the token endpoint, from whatever process."""
    seen: list[str] = []
    authority = quickbooks.sandbox.authority
    refresh = authority.refresh

    def listened(value: str) -> Tokens:
        seen.append(value)
        return refresh(value)

    monkeypatch.setattr(authority, "refresh", listened)
    return seen
