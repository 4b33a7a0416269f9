"""The search for duplicates meets misfortune: killed, replaced, rung twice. Nothing is lost, nothing doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import delete, select

from crm import clock
from crm.celery_app import celery_app
from crm.db import db, transaction
from crm.domain.identity import KEYS_FORM
from crm.models import Duplicate, MatchRun
from crm.services import duplicates
from crm.services.audit import SYSTEM
from crm.services.duplicates import runs
from tests.bells import listen
from tests.flows.imports import own_list

ROOT = Path(__file__).resolve().parents[2]
SIZE, PAGE = 50, 10

WORKER = """
import os, signal, sys
from contextlib import contextmanager
from datetime import timedelta
from crm import clock, create_app, config
from crm.services.duplicates import runs

run_id, pages, place, ahead = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
runs.PAGE = int(sys.argv[5])
app = create_app(config.read(os.environ))
kept, done, seen = runs.keep, runs._page, 0

def die(where):
    if seen > pages and place == where:
        os.kill(os.getpid(), signal.SIGKILL)

def keep(*args, **kwargs):
    global seen
    seen += 1
    kept(*args, **kwargs)
    die("written")  # the rows of this page are written, but not yet committed

def page(*args, **kwargs):
    more = done(*args, **kwargs)
    die("committed")  # the page is stored, nothing of the next one is done
    return more

runs.keep, runs._page = keep, page
with app.app_context():
    runs.advance(run_id, clock=lambda: clock.now() + timedelta(seconds=ahead))
"""


def started() -> int:
    with transaction():
        run_id = duplicates.start(actor=SYSTEM, now=clock.now()).id
    db.session.remove()
    return run_id


def stored(run_id: int) -> MatchRun:
    db.session.remove()
    return db.session.get_one(MatchRun, run_id)


def figures() -> list[tuple]:
    db.session.remove()
    columns = (Duplicate.one_id, Duplicate.other_id, Duplicate.outcome, Duplicate.rule, Duplicate.score)
    return sorted(tuple(row) for row in db.session.execute(select(*columns)))


@pytest.fixture
def crowd(app: Flask) -> None:
    own_list(SIZE, 7)
    own_list(SIZE, 7)  # everybody twice
    with transaction() as session:  # who saw to the keys already
        session.add(MatchRun(state="done", keys_form=KEYS_FORM, created_at=clock.now() - timedelta(days=2)))


@pytest.mark.timeout(400)  # some twenty processes, one after the other
def test_a_worker_killed_at_any_point_loses_and_doubles_nothing(crowd: None, environment: dict[str, str]) -> None:
    run_id, deaths, chance = started(), 0, random.Random(1)
    for attempt in range(30):
        # Each worker comes after the lease of the one before, which must have lapsed.
        pages, place = chance.randint(1, 3), ("written", "committed")[attempt % 2]
        command = [sys.executable, "-c", WORKER, str(run_id), str(pages), place, str(attempt * 240), str(PAGE)]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, timeout=60, check=False,
                              capture_output=True, text=True)  # fmt: skip
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        deaths += 1
    run, found = stored(run_id), figures()
    assert deaths >= 3
    assert (run.state, run.attempts, run.done, run.total) == ("done", deaths + 1, run.total, run.done)
    assert len(found) >= SIZE // 2
    assert sum(run.counts[outcome] for outcome in ("same", "doubtful")) == len(found)
    with transaction() as session:
        session.execute(delete(Duplicate))
    duplicates.advance(started(), clock=clock.now)
    assert figures() == found


def test_a_worker_whose_lease_was_lost_writes_nothing_more(crowd: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PAGE", PAGE)
    run_id, page = started(), runs._page

    def overtaken(*args, **how):
        more = page(*args, **how)
        runs._claim(run_id, clock.now() + runs.LEASE * 2)  # it slept so long that another worker took the run
        return more

    monkeypatch.setattr(runs, "_page", overtaken)
    duplicates.advance(run_id, clock=clock.now)
    run = stored(run_id)
    assert (run.state, run.done, run.attempts) == ("running", PAGE, 2)
    monkeypatch.setattr(runs, "_page", page)
    duplicates.advance(run_id, clock=lambda: clock.now() + runs.LEASE * 4)
    assert (stored(run_id).state, stored(run_id).attempts) == ("done", 3)


def test_a_search_gives_way_after_its_time_slice_and_goes_on_where_it_was(
    crowd: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = listen(monkeypatch)
    monkeypatch.setattr(runs, "PAGE", PAGE)
    run_id, moments = started(), iter(range(10_000))
    duplicates.advance(run_id, clock=lambda: clock.now() + timedelta(seconds=100 * next(moments)))
    run = stored(run_id)
    assert run.state == "running" and run.lease_until is None and 0 < run.done < run.total
    assert heard == [("crm.tasks.duplicates.run", (run_id,))] * 2
    celery_app.tasks["crm.tasks.duplicates.run"].run(run_id)
    assert stored(run_id).state == "done"


def test_a_search_under_way_is_cancelled_after_the_page_at_hand(crowd: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PAGE", PAGE)
    run_id, search = started(), runs._search

    def asked_to_stop(run: MatchRun, *args, **how):
        found = search(run, *args, **how)
        duplicates.cancel(run_id, now=clock.now())
        return found

    monkeypatch.setattr(runs, "_search", asked_to_stop)
    duplicates.advance(run_id, clock=clock.now)
    run = stored(run_id)
    assert (run.state, run.done) == ("cancelled", PAGE)


def test_the_schedule_rings_for_a_search_nobody_works_on(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = listen(monkeypatch)
    own_list(4, 7)
    celery_app.tasks["crm.tasks.duplicates.start_due"].run()
    [run_id] = [ids[0] for _, ids in heard]
    heard.clear()
    celery_app.tasks["crm.tasks.duplicates.tend"].run()
    assert heard == [("crm.tasks.duplicates.run", (run_id,))]
    with transaction() as session:
        session.get_one(MatchRun, run_id).lease_until = clock.now() + timedelta(minutes=2)
    heard.clear()
    celery_app.tasks["crm.tasks.duplicates.tend"].run()
    assert heard == []


def test_the_command_searches_and_says_what_it_found(app: Flask, crowd: None) -> None:
    answer = app.test_cli_runner().invoke(args=["contacts", "duplicates", "--wait"])
    assert answer.exit_code == 0, answer.output
    certain = sum(outcome == "same" for _, _, outcome, _, _ in figures())
    assert certain and f"{2 * SIZE} records looked at" in answer.output and f"{certain} certain" in answer.output
