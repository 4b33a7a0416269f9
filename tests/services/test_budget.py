"""The month's reads: used, pace, and when they run out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from crm.db import db, transaction
from crm.domain.budget import month_end
from crm.models import CallCount, Connection, Notice
from crm.queries import budget as queries
from crm.services import budget
from crm.tasks.schedule import SCHEDULE

NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)


@pytest.fixture
def company(app: Flask) -> int:
    with transaction() as session:
        row = Connection(
            provider="quickbooks", realm_id="1", realm_fingerprint="f", state="connected", connected_at=NOON
        )
        session.add(row)
        session.flush()
        return row.id


def called(company: int, day: date, calls: int, category: str = "metered") -> None:
    with transaction() as session:
        session.add(CallCount(connection_id=company, day=day, category=category, calls=calls))


def every_day(company: int, calls: int, *, first: date = date(2026, 2, 20), last: date = date(2026, 3, 11)) -> None:
    for number in range((last - first).days + 1):
        called(company, first + timedelta(days=number), calls)


def watch(app: Flask, limit: int, now: datetime = NOON) -> list[tuple[str, str]]:
    """The open notices of this topic after a look."""
    app.extensions["settings"] = replace(app.extensions["settings"], quickbooks_monthly_calls=limit)
    with transaction():
        budget.watch(now=now)
    db.session.remove()
    rows = db.session.execute(
        select(Notice.level, Notice.text).where(Notice.topic == "budget_short", Notice.settled_at.is_(None))
    )
    return [(level, text) for level, text in rows]


@pytest.fixture(autouse=True)
def _settings(app: Flask) -> object:
    before = app.extensions["settings"]
    yield
    app.extensions["settings"] = before


def test_the_month_is_counted_from_its_first_day_and_the_pace_from_the_last_week(company: int) -> None:
    every_day(company, 1_000)
    called(company, date(2026, 3, 11), 50_000, "unmetered")
    found = queries.this_month(NOON, budget=500_000)
    assert found.used == 11_000
    assert found.a_day == pytest.approx(7_000 / 6.5)
    assert found.expected == pytest.approx(11_000 + 20.5 * 7_000 / 6.5, abs=1)
    assert not found.short and found.eased


def test_on_the_first_of_a_month_the_pace_is_that_of_the_month_before(company: int) -> None:
    every_day(company, 1_000, last=date(2026, 2, 28))
    found = queries.this_month(datetime(2026, 3, 1, 6, tzinfo=UTC), budget=20_000)
    assert found.used == 0
    assert found.a_day == pytest.approx(6_000 / 6.25)
    assert found.short


def test_a_first_import_of_an_hour_is_no_pace(company: int) -> None:
    """Its calls count as those of a whole day, not as those of every hour to come."""
    called(company, NOON.date(), 400)
    assert queries.this_month(NOON, budget=500_000).a_day == 400


def test_nothing_called_lasts_for_ever(company: int) -> None:
    found = queries.this_month(NOON, budget=500_000)
    assert (found.used, found.expected, found.lasts_until) == (0, 0, None)


def test_it_says_when_it_runs_out(company: int) -> None:
    every_day(company, 13_000)
    found = queries.this_month(NOON, budget=283_000)
    assert found.used == 143_000 and found.a_day == pytest.approx(14_000)
    assert found.lasts_until == NOON + timedelta(days=10)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2028, 2, 1, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
    ],
)
def test_a_month_ends_where_the_next_begins(now: datetime, end: datetime) -> None:
    assert month_end(now) == end


def test_admins_hear_once_and_until_it_lasts_again(app: Flask, company: int) -> None:
    every_day(company, 13_000)
    assert watch(app, 500_000) == []
    [(level, text)] = watch(app, 283_000)
    assert level == "warning" and "last until 21 March only" in text and "143,000 are used" in text
    assert len(watch(app, 283_000)) == 1
    expected = queries.this_month(NOON, budget=1).expected
    assert len(watch(app, expected + 1)) == 1  # enough by a hair: not settled yet
    assert watch(app, 500_000) == []
    assert len(db.session.scalars(select(Notice)).all()) == 1


def test_what_is_used_up_is_said_so_until_the_next_month(app: Flask, company: int) -> None:
    every_day(company, 13_000)
    [(level, text)] = watch(app, 143_000)
    assert level == "danger" and "until 1 April" in text
    assert watch(app, 143_000, datetime(2026, 4, 20, tzinfo=UTC)) == []


def test_the_budget_is_shared_by_all_companies_and_told_once(app: Flask, company: int) -> None:
    with transaction() as session:
        other = Connection(
            provider="quickbooks", realm_id="2", realm_fingerprint="g", state="disconnected", connected_at=NOON
        )
        session.add(other)
    every_day(company, 6_500)
    every_day(other.id, 6_500)
    assert queries.this_month(NOON, budget=283_000).used == 143_000
    assert len(watch(app, 283_000)) == 1


def test_it_is_looked_at_hourly() -> None:
    from crm.tasks import connections as tasks

    entry = SCHEDULE["connections-budget"]
    assert entry.task == tasks.watch_budget.name and entry.every == timedelta(hours=1)
