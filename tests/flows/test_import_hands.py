"""Who lends an import hands: the task, the sweep and the command line."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from crm import bell, clock
from crm.celery_app import celery_app
from crm.db import db, transaction
from crm.models import Connection, Customer, MoneyFacts, SyncRun
from crm.services import sync
from sandbox import Served
from tests.bells import listen
from tests.flows.imports import run_import, start, stored
from tests.quickbooks import connect, quickbooks, sandbox  # noqa: F401


@pytest.fixture
def connection(quickbooks: Served) -> Connection:  # noqa: F811
    return connect(quickbooks, country="US", currency="USD")


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int, ...]]]:
    """What the bell was rung for."""
    return listen(monkeypatch)


def test_starting_rings_for_the_task_and_the_task_does_the_work(connection: Connection, rung: list) -> None:
    run_id = start(connection.id)
    assert rung == [("crm.tasks.sync.run", (run_id,))]
    celery_app.tasks["crm.tasks.sync.run"].run(run_id)
    assert stored(run_id).state == "done"


def test_a_run_that_waits_is_woken_when_its_retry_is_due(
    connection: Connection, quickbooks: Served, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:
    run_id, heard = start(connection.id), listen(monkeypatch, delays=True)
    quickbooks.sandbox.script.set([{"action": "status", "status": 503, "path": "/query", "count": 9}])
    sync.run(run_id, clock=clock.now, jitter=lambda: 1.0)
    assert stored(run_id).state == "waiting"
    assert heard == [("crm.tasks.sync.run", (run_id,), 15 + bell.MARGIN)]


def test_the_sweep_finds_a_run_whose_bell_nobody_heard(connection: Connection, rung: list) -> None:
    run_id = start(connection.id)
    rung.clear()
    celery_app.tasks["crm.tasks.sync.sweep"].run()
    assert rung == [("crm.tasks.sync.run", (run_id,))]


def test_every_task_that_is_rung_or_scheduled_exists() -> None:
    from crm import tasks  # noqa: F401  as Celery imports it
    from crm.services.sync.imports.runner import TASK
    from crm.tasks.schedule import SCHEDULE

    wanted = {TASK, *(entry.task for entry in SCHEDULE.values())}
    assert wanted <= set(celery_app.tasks)


def test_the_command_imports_and_says_what_came_of_it(app: Flask, connection: Connection) -> None:
    answer = app.test_cli_runner().invoke(args=["sync", "run", "--wait", "--resources", "customers"])
    assert answer.exit_code == 0, answer.output
    assert "is done" in answer.output and "created" in answer.output
    assert db.session.scalars(select(SyncRun.resources)).all() == [["customer"]]


def test_the_command_refuses_with_a_sentence(app: Flask) -> None:
    answer = app.test_cli_runner().invoke(args=["sync", "run"])
    assert answer.exit_code == 1 and "Connect one first" in answer.output


def test_an_unknown_resource_is_named(app: Flask, connection: Connection) -> None:
    answer = app.test_cli_runner().invoke(args=["sync", "run", "--resources", "spaceships"])
    assert answer.exit_code == 1 and "spaceships" in answer.output


def test_what_is_overdue_moves_with_the_calendar_without_an_import(connection: Connection) -> None:
    run_import(connection.id)
    before = {f.contact_id: (f.aging_current, f.overdue) for f in db.session.scalars(select(MoneyFacts))}
    assert sum(overdue for _, overdue in before.values()) > 0
    sync.refresh_aging(clock=lambda: clock.now() - timedelta(days=10_000))
    db.session.remove()
    for facts in db.session.scalars(select(MoneyFacts)):
        assert facts.overdue == 0
        assert facts.aging_current == sum(before[facts.contact_id])
    sync.refresh_aging(clock=clock.now)
    db.session.remove()
    after = {f.contact_id: (f.aging_current, f.overdue) for f in db.session.scalars(select(MoneyFacts))}
    assert after == before


def test_a_run_gives_way_after_its_time_slice_and_goes_on_where_it_was(connection: Connection, rung: list) -> None:
    run_id = start(connection.id)
    rung.clear()
    moments = iter(range(10_000))
    sync.run(run_id, clock=lambda: clock.now() + timedelta(seconds=100 * next(moments)))
    run = stored(run_id)
    assert run.state == "queued" and run.lease_until is None and run.step not in ("", "finished")
    assert rung == [("crm.tasks.sync.run", (run_id,))]
    customers = db.session.scalars(select(Customer.id)).all()
    with transaction() as session:
        session.get_one(SyncRun, run_id).lease_until = None
    sync.run(run_id, clock=clock.now)
    assert stored(run_id).state == "done"
    assert set(customers) <= set(db.session.scalars(select(Customer.id)))
