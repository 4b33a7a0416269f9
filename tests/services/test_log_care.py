"""Old lines of the sync log go: what went well first, in portions, nothing else."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from crm import clock, config
from crm.db import db
from crm.domain.errors import SettingsError
from crm.models import SyncLogEntry
from crm.services.sync import log_care
from tests.engine_rows import ago, company, line


def test_lines_go_after_their_time_and_trouble_stays_three_times_as_long(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_care, "PORTION", 2)
    books = company()
    kept = [line(books), line(books, at=ago(days=179)), line(books, at=ago(days=181), level="warning"),
            line(books, at=ago(days=539), level="error")]  # fmt: skip
    for _ in range(5):
        line(books, at=ago(days=181))
    line(books, at=ago(days=541), level="error")
    assert log_care.prune(clock=clock.now) == 6
    assert db.session.scalars(select(SyncLogEntry.id).order_by(SyncLogEntry.id)).all() == kept
    assert log_care.prune(clock=clock.now) == 0


def test_keeping_nothing_at_all_is_refused_with_advice(environment: dict[str, str]) -> None:
    assert config.read(environment).sync_log_days == 180
    assert config.read({**environment, "SYNC_LOG_DAYS": "30"}).sync_log_days == 30
    with pytest.raises(SettingsError, match="SYNC_LOG_DAYS must be at least 1"):
        config.read({**environment, "SYNC_LOG_DAYS": "0"})
