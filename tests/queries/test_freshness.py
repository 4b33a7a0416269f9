"""As of when figures are proven: whole readings, and sweeps that went on from them; never what waits to be read."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Flask

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, InboxEvent, Sweep
from crm.queries import freshness
from tests.engine_rows import add, company

NOW = clock.now()
READ, SWEPT = NOW - timedelta(hours=3), NOW - timedelta(minutes=4)


def swept(*kinds: str, **turns: str) -> int:
    connection_id = company()
    counts = {"turns": {kind: {"cursor": text, "at": text} for kind, text in turns.items()}} if turns else {}
    with transaction() as session:
        session.merge(Sweep(connection_id=connection_id, cursor=SWEPT, available_at=NOW, counts=counts))
        session.get_one(Connection, connection_id).read_at = dict.fromkeys(kinds, READ.isoformat())
    return connection_id


def proven(connection_id: int) -> dict[str, datetime]:
    return freshness.proven(connection_id, db.session.get_one(Connection, connection_id).read_at)


def test_a_sweep_proves_a_later_moment_than_the_last_whole_reading(app: Flask) -> None:
    books = swept("customer", "invoice")
    found = proven(books)
    assert found == {"customer": SWEPT, "invoice": SWEPT}, "a kind never read whole is proven by no sweep"
    assert freshness.later(READ, found, ("customer",)) == SWEPT
    assert freshness.later(NOW, found, ("customer",)) == NOW, "a push read this one later"
    assert freshness.later(READ, found, freshness.DOCUMENTS) == READ and freshness.later(None, found, ()) is None


def test_what_waits_to_be_read_or_has_a_turn_of_its_own_is_not_proven_by_the_sweep(app: Flask) -> None:
    books = swept("customer", "invoice", "payment", payment=(SWEPT - timedelta(hours=1)).isoformat())
    add(InboxEvent(connection_id=books, kind="invoice", remote_id="7", verb="updated", state="pending", event_key="e1",
                   source="webhook", available_at=NOW, created_at=NOW))  # fmt: skip
    found = proven(books)
    assert (found["customer"], found["invoice"]) == (SWEPT, READ)
    assert found["payment"] == SWEPT - timedelta(hours=1)
    db.session.remove()
