"""Every entry of the schedule, done twice: the second time nothing is different."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from crm import bell
from crm.celery_app import celery_app
from crm.db import db
from crm.models import Job
from crm.tasks.schedule import SCHEDULE
from sandbox import Served
from tests.flows.imports import run_import
from tests.quickbooks import connect

#: When something was last looked at may differ; what was found may not.
MOMENTS = frozenset(("made_at", "computed_at", "refreshed_at", "took_ms", "refresh_ms", "updated_at", "at"))


def everything() -> dict[str, list[dict[str, Any]]]:
    """Table -> its rows, without moments of looking."""
    db.session.remove()
    found = {}
    for table in Job.metadata.sorted_tables:
        if table.name in ("jobs", "job_runs", "call_slots", "call_counts"):
            continue
        columns = [column for column in table.columns if column.name not in MOMENTS]
        rows = db.session.execute(select(*columns)).mappings()
        found[table.name] = sorted((dict(row) for row in rows), key=str)
    db.session.remove()
    return found


@pytest.fixture(autouse=True)
def _nobody_is_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "_send", lambda task, ids, countdown=0: None)


def test_twice_is_as_good_as_once(app: Flask, quickbooks: Served) -> None:
    run_import(connect(quickbooks).id)
    for entry in SCHEDULE.values():
        celery_app.tasks[entry.task].run()
    for key, entry in SCHEDULE.items():
        before = everything()
        celery_app.tasks[entry.task].run()
        after = everything()
        assert {name for name in before if before[name] != after[name]} == set(), key
