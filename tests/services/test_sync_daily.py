"""A company is read again by itself once a day, counted from its last good import; never before a person began."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, SyncRun
from crm.services import sync


def connection(state: str = "connected") -> int:
    with transaction():
        row = Connection(
            provider="quickbooks", realm_id="1", realm_fingerprint=state.ljust(64, "f"), state=state,
            connected_at=clock.now(),
        )  # fmt: skip
        db.session.add(row)
    return row.id


def imported(connection_id: int, *, hours_ago: int, state: str = "done") -> None:
    at = clock.now() - timedelta(hours=hours_ago)
    with transaction():
        db.session.add(
            SyncRun(connection_id=connection_id, trigger="person", state=state, created_at=at, finished_at=at)
        )


def start_due() -> list[int]:
    with transaction():
        return sync.start_due(now=clock.now())


def test_what_was_imported_a_day_ago_is_imported_again_once(app: Flask) -> None:
    company = connection()
    imported(company, hours_ago=30)
    first = start_due()
    run = db.session.scalars(select(SyncRun).where(SyncRun.id.in_(first))).one()
    assert (run.connection_id, run.trigger, run.state) == (company, "schedule", "queued")
    assert start_due() == first, "the run under way is the one; no second is made"


def test_a_fresh_import_a_first_one_and_a_broken_connection_are_left_alone(app: Flask) -> None:
    imported(connection(), hours_ago=2)
    connection("needs_reconnect")
    never = connection("permission_lost")
    imported(never, hours_ago=50)
    assert start_due() == []


def test_an_import_that_failed_does_not_count_as_good(app: Flask) -> None:
    company = connection()
    imported(company, hours_ago=30)
    imported(company, hours_ago=1, state="failed")
    assert len(start_due()) == 1
