"""No company is called more often than it allows, whoever calls: threads, processes, with Redis and without."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from flask import Flask
from sqlalchemy import func, select

from crm import clock
from crm.db import db, transaction
from crm.domain import throttle as rules
from crm.domain.errors import NotFound, RateLimited
from crm.models import CallSlot, Connection
from crm.services import connections, throttle
from sandbox import Served
from tests.conftest import forget_calls, own_redis
from tests.quickbooks import connect, reread

ROOT = Path(__file__).resolve().parents[2]
LIMITS = rules.WINDOWS
SERVER = own_redis(os.environ.get("TEST_REDIS_URL") or "redis://127.0.0.1:6379/14")


def _answers(url: str) -> bool:
    try:
        return bool(redis.Redis.from_url(url, socket_connect_timeout=0.5).ping())
    except redis.RedisError:
        return False


WAYS = ["database", pytest.param("redis", marks=pytest.mark.skipif(not _answers(SERVER), reason="no Redis here"))]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Who counts. The limits are the real ones again, and what this process knows of Redis is new."""
    monkeypatch.setattr(rules, "WINDOWS", LIMITS)
    monkeypatch.setattr(throttle, "_redis", throttle._Redis())
    before = app.extensions["settings"]
    app.extensions["settings"] = replace(before, redis_url=SERVER if request.param == "redis" else "")
    if request.param == "redis":
        _empty(app)
    yield request.param
    app.extensions["settings"] = before


def _empty(app: Flask) -> int:
    """As if Redis had lost everything; how many of our keys that were."""
    return forget_calls(SERVER, app.extensions["settings"].secret_key)


@pytest.fixture
def company(app: Flask) -> int:
    with transaction() as session:
        row = Connection(
            provider="quickbooks", realm_id="1", realm_fingerprint="f", state="connected", connected_at=clock.now()
        )
        session.add(row)
        session.flush()
        return row.id


class Clock:
    """Stands still but for sleeping."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 4, 12, tzinfo=UTC)
        self.slept = 0.0

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += timedelta(seconds=seconds)

    def call(self, company: int, *, takes: float = 0.0, urgent: bool = False, operation: str = "query") -> datetime:
        """A whole call; when it was sent."""
        gate = throttle.Gate(company, urgent=urgent, clock=self, sleep=self.sleep)
        with gate(operation):
            sent = self.now
            self.now += timedelta(seconds=takes)
        with transaction():
            gate.settle()
        return sent


def most_in(moments: Sequence[datetime], seconds: float) -> int:
    """In any span of that many seconds."""
    sorted_ = sorted(moment.timestamp() for moment in moments)
    return max(sum(first <= at < first + seconds - 1e-4 for at in sorted_) for first in sorted_)


# --- windows ---------------------------------------------------------------------------------------------------


def test_background_work_keeps_to_eight_a_second_and_is_not_slower(way: str, company: int) -> None:
    at = Clock()
    sent = [at.call(company) for _ in range(40)]
    assert most_in(sent, 1.0) == 8
    assert 4.0 <= (sent[-1] - sent[0]).total_seconds() < 4.6


def test_slow_calls_are_not_slowed_further(way: str, company: int) -> None:
    at = Clock()
    for _ in range(40):
        at.call(company, takes=0.2)
    assert at.slept == 0


def test_no_minute_sees_more_than_its_share(way: str, company: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "WINDOWS", (rules.Window(60.0, 50, 45),))
    at = Clock()
    sent = [at.call(company) for _ in range(100)]
    assert most_in(sent, 60.0) == 45
    assert (sent[-1] - sent[0]).total_seconds() == pytest.approx(120, abs=2)


def test_batches_have_a_window_of_their_own_that_reads_do_not_wait_for(way: str, company: int) -> None:
    at = Clock()
    sent = [at.call(company, takes=0.3, operation="batch") for _ in range(38)]
    assert at.slept == 0
    at.call(company)
    assert at.slept == 0
    sent += [at.call(company, takes=0.3, operation="batch") for _ in range(10)]
    assert at.slept > 30
    assert most_in(sent, 60.0) <= 40


def test_who_a_person_waits_for_finds_a_place_while_background_work_waits(way: str, company: int) -> None:
    at = Clock()
    for _ in range(8):
        at.call(company)
    assert at.slept == 0
    at.call(company, urgent=True)
    at.call(company, urgent=True)
    assert at.slept == 0
    at.call(company, urgent=True)  # the eleventh in this second
    assert at.slept > 0.9


def test_another_company_is_not_slowed(way: str, company: int) -> None:
    with transaction() as session:
        other = Connection(
            provider="quickbooks", realm_id="2", realm_fingerprint="g", state="connected", connected_at=clock.now()
        )
        session.add(other)
    at = Clock()
    for _ in range(8):
        at.call(company)
        at.call(other.id)
    assert at.slept == 0


def test_what_would_have_to_wait_too_long_comes_back_later(way: str, company: int) -> None:
    at = Clock()
    with transaction():
        throttle.hold(company, 200, now=at.now)
    with pytest.raises(RateLimited) as refused:
        at.call(company)
    assert refused.value.retry_after == 200
    assert at.slept == 0
    assert db.session.scalar(select(func.count()).select_from(CallSlot)) == 0


def test_a_held_company_is_called_by_nobody_until_it_is_over(way: str, company: int) -> None:
    at = Clock()
    at.call(company)
    began = at.now
    with transaction():
        throttle.hold(company, 60, now=at.now)
    with pytest.raises(RateLimited):
        at.call(company, urgent=True)  # nobody sits in front of a page for a minute
    at.call(company)
    assert (at.now - began).total_seconds() == pytest.approx(60, abs=1)
    with transaction():
        throttle.hold(company, 50, now=at.now)
        throttle.hold(company, 5, now=at.now)  # the longer one stays
    assert reread(company).held_until == at.now + timedelta(seconds=50)


def test_a_call_in_flight_counts_until_it_is_answered_and_then_from_that_moment(way: str, company: int) -> None:
    """Its request may have been counted there at any moment in between."""
    at = Clock()
    gates = [throttle.Gate(company, urgent=False, clock=at, sleep=at.sleep) for _ in range(8)]
    with ExitStack() as under_way:
        for gate in gates:
            under_way.enter_context(gate("query"))
        at.sleep(rules.ARRIVAL + 1)
    with transaction():
        for gate in gates:
            gate.settle()
    answered = at.now
    assert (at.call(company) - answered).total_seconds() >= 1.0


def test_a_worker_that_died_with_its_call_gives_its_place_back(way: str, company: int) -> None:
    at = Clock()
    under_way = [throttle.Gate(company, urgent=False, clock=at, sleep=at.sleep)("query") for _ in range(8)]
    for gate in under_way:  # kept until the end of the test: never left
        gate.__enter__()
    at.call(company)
    assert at.slept == pytest.approx(rules.ARRIVAL + 1.0, abs=0.1)


def test_a_clock_that_was_set_back_does_not_stop_anything(way: str, company: int) -> None:
    at = Clock()
    for _ in range(8):
        at.call(company)
    at.now -= timedelta(hours=1)
    at.call(company)
    assert at.slept == 0


def test_old_rows_are_pruned_on_the_way(way: str, company: int) -> None:
    at = Clock()
    for _ in range(20):
        at.call(company, takes=30)
    assert db.session.scalar(select(func.count()).select_from(CallSlot)) == 5  # at -120, -90, -60, -30 and 0 s


def test_a_connection_that_is_not_there_is_said_so(app: Flask) -> None:
    with pytest.raises(NotFound):
        throttle.wait(10**6, batch=False, urgent=False, clock=clock.now)


# --- all at once -----------------------------------------------------------------------------------------------


def hammer(app: Flask, company: int, *, threads: int, calls: int, urgent: bool = False) -> list[datetime]:
    """Calls of 5 ms from several threads, so many in all and however long that takes; when each was sent."""
    sent: list[datetime] = []
    lock, left = threading.Lock(), iter(range(calls))

    def more() -> bool:
        with lock:
            return next(left, None) is not None

    def work() -> None:
        with app.app_context():
            while more():
                gate = throttle.Gate(company, urgent=urgent, clock=clock.now)
                with gate("query"):
                    moment = clock.now()
                    time.sleep(0.005)
                with transaction():
                    gate.settle()
                with lock:
                    sent.append(moment)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work) for _ in range(threads)]:
            done.result()
    return sent


def test_threads_together_never_exceed_the_limit(way: str, app: Flask, company: int) -> None:
    sent = hammer(app, company, threads=6, calls=20)
    assert len(sent) == 20 and most_in(sent, 1.0) <= 8


def test_a_person_is_served_at_once_while_background_work_is_saturated(way: str, app: Flask, company: int) -> None:
    served: list[datetime] = []
    naps: list[float] = []

    def person() -> None:
        with app.app_context():
            time.sleep(0.5)
            for _ in range(3):
                gate = throttle.Gate(company, urgent=True, clock=clock.now, sleep=naps.append)
                with gate("query"):
                    served.append(clock.now())
                time.sleep(0.6)

    thread = threading.Thread(target=person)
    thread.start()
    sent = hammer(app, company, threads=4, calls=20)
    thread.join()
    assert len(served) == 3 and naps == [], "admitted as soon as asked"
    assert most_in(sent, 1.0) <= 8


HAMMER = """
import os, sys
from crm import clock, config, create_app
from crm.db import transaction
from crm.services import throttle

company, urgent = int(sys.argv[1]), sys.argv[2] == "urgent"
app = create_app(config.read(os.environ))
print("ready", flush=True)
calls = int(sys.stdin.readline())
with app.app_context():
    for _ in range(calls):
        gate = throttle.Gate(company, urgent=urgent, clock=clock.now)
        with gate("query"):
            print(clock.now().isoformat(), flush=True)
        with transaction():
            gate.settle()
"""


def test_processes_together_never_exceed_the_limit(
    way: str, app: Flask, company: int, environment: dict[str, str]
) -> None:
    variables = {**os.environ, **environment, "REDIS_URL": SERVER if way == "redis" else ""}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", HAMMER, str(company), urgency], cwd=ROOT, env=variables, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for urgency in ("background", "background", "urgent")
    ]  # fmt: skip
    for worker in workers:  # a busy machine may take long to start them; they hammer together
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
    for worker in workers:  # all of them, before any is waited for
        assert worker.stdin is not None
        worker.stdin.write("12\n")
        worker.stdin.flush()
    said = [worker.communicate(timeout=60) for worker in workers]
    assert all(worker.returncode == 0 for worker in workers), [errors for _, errors in said]
    sent = [datetime.fromisoformat(line) for text, _ in said for line in text.split()]
    assert len(sent) == 3 * 12 and most_in(sent, 1.0) <= 10


# --- Redis goes ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not _answers(SERVER), reason="no Redis here")
class TestRedisGoes:
    @pytest.fixture(autouse=True)
    def _redis(self, request: pytest.FixtureRequest, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(rules, "WINDOWS", LIMITS)
        monkeypatch.setattr(throttle, "_redis", throttle._Redis())
        before = app.extensions["settings"]
        app.extensions["settings"] = replace(before, redis_url=SERVER)
        _empty(app)
        yield
        app.extensions["settings"] = before

    def test_redis_emptied_is_filled_again_from_what_the_database_knows(self, app: Flask, company: int) -> None:
        at, sent = Clock(), []
        for number in range(40):
            sent.append(at.call(company))
            if number % 5 == 0:
                assert _empty(app), "Redis had counted"
        assert most_in(sent, 1.0) <= 8

    def test_redis_emptied_does_not_end_a_hold(self, app: Flask, company: int) -> None:
        at = Clock()
        with transaction():
            throttle.hold(company, 60, now=at.now)
        assert _empty(app), "Redis had noted the hold"
        with pytest.raises(RateLimited):
            at.call(company, urgent=True)

    def test_redis_emptied_while_all_hammer_costs_no_more_than_the_calls_under_way(
        self, app: Flask, company: int
    ) -> None:
        stop = threading.Event()

        def empty() -> None:
            while not stop.wait(0.3):
                _empty(app)

        thread = threading.Thread(target=empty)
        thread.start()
        sent = hammer(app, company, threads=2, calls=24)
        stop.set()
        thread.join()
        assert len(sent) == 24 and most_in(sent, 1.0) <= 8 + 2

    def test_the_database_goes_on_counting_while_redis_is_away_and_redis_after_it(
        self, app: Flask, company: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        at, sent = Clock(), []
        monkeypatch.setattr(throttle, "AWAY", 0.2)
        here = app.extensions["settings"]
        for url in (SERVER, "redis://127.0.0.1:1/0", SERVER):
            app.extensions["settings"] = replace(here, redis_url=url)
            time.sleep(0.25)
            sent += [at.call(company) for _ in range(6)]
        assert most_in(sent, 1.0) <= 8
        assert "Redis does not answer" in caplog.text


# --- where it is used ------------------------------------------------------------------------------------------


def test_the_books_admit_every_request_and_hold_the_company_after_a_429(way: str, quickbooks: Served) -> None:
    row = connect(quickbooks)
    quickbooks.sandbox.script.set([{"action": "throttle", "path": "companyinfo", "count": 1}])
    with connections.books(row.id, clock=clock.now) as books:
        with pytest.raises(RateLimited):
            books.company()
        held = reread(row.id).held_until
        assert held is not None and 50 < (held - clock.now()).total_seconds() <= 60
    with connections.books(row.id, clock=clock.now, urgent=True) as books, pytest.raises(throttle.NoPlace):
        books.company()
    assert quickbooks.sandbox.counters.snapshot().get(row.realm_id) is None  # the second one was not even sent


def test_a_question_of_many_requests_counts_each_repetition(way: str, quickbooks: Served) -> None:
    row = connect(quickbooks)
    quickbooks.sandbox.script.set([{"action": "status", "status": 503, "path": "companyinfo", "count": 2}])
    with connections.books(row.id, clock=clock.now) as books:
        assert books.company().name
    assert db.session.scalar(select(func.count()).select_from(CallSlot)) == 3


def test_a_served_company_with_intuits_limits_never_refuses(way: str, quickbooks: Served, app: Flask) -> None:
    from sandbox.settings import Throttle

    row = connect(quickbooks)
    gate, before = quickbooks.sandbox.gate, quickbooks.sandbox.gate.limits
    gate.reset()
    gate.limits = Throttle()
    calls: list[str] = []

    def work() -> None:
        with app.app_context():
            while len(calls) < 26:  # more than two seconds' worth
                with connections.books(row.id, clock=clock.now, urgent=True) as books:
                    calls.append(books.company().name)

    try:
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(work) for _ in range(4)]:
                done.result()
    finally:
        gate.limits = before
    assert "throttled" not in quickbooks.sandbox.counters.snapshot()[row.realm_id]
