"""What an image puts back is what an import leaves: all tables, the connection's own tokens, the calls counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from crm import clock
from crm.db import EncryptedText, UtcDateTime, db
from crm.models import Connection, SyncRun
from crm.services import grants, sync
from sandbox import Served, serving
from tests import images
from tests.conftest import emptying
from tests.flows.imports import run_import
from tests.flows.sending import ask, calls, new_contacts, only, writable

LIVELY = ("progress", "read_at")
"""JSON columns in which moments stand as text."""


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=15, seed=5) as served:
        yield served


@pytest.fixture
def imports(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids of the connections that were really read by `after_import`; no image is there at the start."""
    seen: list[int] = []

    def counted(connection_id: int, *rest: Any) -> SyncRun:
        seen.append(connection_id)
        return run_import(connection_id, *rest)

    monkeypatch.setattr(images, "run_import", counted)
    monkeypatch.setattr(images, "_images", {})
    return seen


def begun_again(served: Served, **values: Any) -> Connection:
    db.session.remove()
    with db.engine.begin() as connection:
        for statement in emptying():
            connection.exec_driver_sql(statement)
        if connection.dialect.name == "postgresql":  # so that both imports give the same ids
            connection.exec_driver_sql(
                "SELECT setval(sequencename::regclass, 1, false) FROM pg_sequences WHERE schemaname = 'public'"
            )
    served.sandbox.counters.reset()
    return writable(served, **values)


def everything() -> dict[str, list[str]]:
    """Table -> its rows without moments and secrets."""
    db.session.remove()
    found = {}
    for table in db.metadata.sorted_tables:
        kept = [one for one in table.c if not isinstance(one.type, UtcDateTime | EncryptedText)]
        kept = [one for one in kept if one.name not in LIVELY]
        if table.name == "contact_changes":  # a queue: triggers number it in the order in which rows lie
            kept = [table.c.contact_id]
        rows = db.session.execute(select(*kept)).all() if kept else []
        found[table.name] = sorted(map(repr, rows))
    db.session.remove()
    return found


def test_an_image_is_what_another_import_would_leave(app: Flask, quickbooks: Served, imports: list[int]) -> None:
    images.after_import(begun_again(quickbooks).id, quickbooks)
    again = begun_again(quickbooks)
    run = images.after_import(again.id, quickbooks)
    assert (imports, run.connection_id, run.state) == ([again.id], again.id, "done")
    put_back, counted = everything(), calls(quickbooks)
    run_import(begun_again(quickbooks).id)
    really = everything()
    assert put_back["customers"] and [name for name in really if really[name] != put_back[name]] == []
    assert calls(quickbooks) == counted
    again = begun_again(quickbooks)
    images.after_import(again.id, quickbooks)
    assert grants.access(again.id, clock=clock.now).token == again.access_token
    ask(again.id, new_contacts("After An Image"))  # with ids that follow on, and the token of now
    assert sync.send(again.id) == 1 and only().state == "done"


@pytest.mark.parametrize("other", ["company", "connection", "contacts"])
def test_another_beginning_is_read_for_itself(app: Flask, quickbooks: Served, imports: list[int], other: str) -> None:
    images.after_import(begun_again(quickbooks).id, quickbooks)
    again = begun_again(quickbooks, **({"country": "CA"} if other == "connection" else {}))
    if other == "company":
        with quickbooks.store.writing(quickbooks.realm) as books:
            customer = next(books.all("Customer"))
            books.put("Customer", customer | {"CompanyName": "Somebody Else"})
    elif other == "contacts":
        new_contacts("Was Here")
    images.after_import(again.id, quickbooks)
    assert imports == [again.id, again.id]
