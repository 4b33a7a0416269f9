"""A real beat and real workers: a schedule fires, outlives a killed worker, never runs twice at once, stays paused.

The processes take longest to start, so all of it is one story, told by one beat and two workers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import select

from crm import clock
from crm.celery_app import celery_app
from crm.db import db, transaction
from crm.domain.jobs import Entry
from crm.models import Job, JobRun
from crm.services import jobs
from crm.services.audit import Actor

ROOT = Path(__file__).resolve().parents[2]
TICK = Entry("tests.tick", jobs.UNHEARD, "Tick", "")
KIM = Actor(name="kim@example.com", shown_as="Kim")
CELERY = [sys.executable, "-m", "celery", "--app=tests.flows.schedule_app"]
WORKER = [*CELERY, "worker", "--pool=threads", "--concurrency=3", "--without-gossip", "--without-mingle"]


@dataclass
class Stand:
    """Beat and two workers of one installation, and what their entries wrote down."""

    home: Path
    environment: dict[str, str]
    queue: str = field(default_factory=lambda: f"schedule-{uuid4().hex}")
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str) -> None:
        ours = {"SCHEDULE_HOME": str(self.home), "SCHEDULE_QUEUE": self.queue, "PYTHONUNBUFFERED": "1"}
        with (self.home / "log").open("ab") as log:
            self.running.append(
                subprocess.Popen(
                    command, cwd=ROOT, env={**os.environ, **self.environment, **ours}, stdout=log, stderr=log
                )
            )

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()

    def lines(self, name: str) -> list[tuple[str, int, float]]:
        """(began, hangs or ended, id of the process, when) in the order they were written."""
        path = self.home / name
        split = (line.split() for line in path.read_text().splitlines()) if path.exists() else ()
        return [(what, int(pid), float(at)) for what, pid, at in split]

    def number(self, name: str, what: str = "ended") -> int:
        return sum(line[0] == what for line in self.lines(name))

    def ring(self, key: str) -> None:
        """As beat does."""
        celery_app.send_task(jobs.TASK, args=(key,), queue=self.queue, retry=False)

    def until(self, true: Callable[[], object], what: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            ended = [process.args for process in self.running if process.poll() not in (None, -signal.SIGKILL)]
            if ended or time.monotonic() > deadline:
                pytest.fail(f"waited {seconds:.0f} s for: {what}\n{(self.home / 'log').read_text()[-3000:]}")
            time.sleep(0.05)


@pytest.fixture
def stand(app: Flask, environment: dict[str, str], tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path, environment)
    beat = ("beat", f"--schedule={tmp_path / 'beat'}", "--pidfile=")
    for name, command in (("one", WORKER), ("two", WORKER), ("", [*CELERY, *beat])):
        made.start(*command, *([f"--hostname={name}@test"] if name else []))
    yield made
    made.stop()


def job(key: str) -> Job | None:
    db.session.remove()
    return db.session.get(Job, key)


def outcomes(key: str) -> list[tuple[str, str]]:
    db.session.remove()
    rows = db.session.execute(select(JobRun.trigger, JobRun.outcome).where(JobRun.key == key).order_by(JobRun.id))
    return [(row.trigger, row.outcome) for row in rows]


@pytest.mark.timeout(240)
def test_a_schedule_fires_once_at_a_time_stays_paused_and_outlives_a_killed_worker(stand: Stand) -> None:
    stand.until(lambda: stand.number("tick") >= 2 and stand.number("slow"), "the schedule to fire", 150)
    never_twice_at_once(stand)
    a_pause_holds(stand)
    what_was_asked_for_begins_although_its_bell_was_lost(stand)
    a_killed_worker_is_outlived(stand)


def never_twice_at_once(stand: Stand) -> None:
    before = stand.number("tick")
    for _ in range(60):
        stand.ring("tick")
    both = "both workers at it, one after the other"
    stand.until(
        lambda: len({pid for _, pid, _ in stand.lines("tick")}) == 2 and stand.number("tick") > before + 3, both
    )
    whats = [what for what, _, _ in stand.lines("tick")]
    assert whats == ["began", "ended"] * (len(whats) // 2) + ["began"] * (len(whats) % 2)


def a_pause_holds(stand: Stand) -> None:
    with transaction():
        jobs.pause("tick", TICK, actor=KIM, now=clock.now())
    stand.until(lambda: (found := job("tick")) and found.lease_until is None, "the run under way to end")
    stopped = stand.number("tick", "began")
    for _ in range(10):
        stand.ring("tick")
    time.sleep(1.5)  # three turns of beat
    assert stand.number("tick", "began") == stopped
    with transaction():
        jobs.resume("tick", TICK, actor=KIM, now=clock.now())
    stand.until(lambda: stand.number("tick", "began") > stopped, "it to go on")


def what_was_asked_for_begins_although_its_bell_was_lost(stand: Stand) -> None:
    with transaction():  # the bell of this process goes to another queue
        jobs.ask("seldom", Entry("tests.seldom", jobs.UNHEARD, "Seldom", ""), actor=KIM, now=clock.now())
    stand.until(lambda: ("person", "done") in outcomes("seldom"), "what a person asked for")
    assert stand.number("seldom") == 1


def a_killed_worker_is_outlived(stand: Stand) -> None:
    (stand.home / "hang").touch()
    stand.until(lambda: stand.number("slow", "hangs"), "a run that hangs")
    begun, (_, killed, _) = stand.number("slow", "began"), stand.lines("slow")[-1]
    time.sleep(5)  # longer than a lease: who lives extends it, and nobody else begins
    assert stand.number("slow", "began") == begun
    os.kill(killed, signal.SIGKILL)
    (stand.home / "hang").unlink()
    ended = stand.number("slow")
    stand.until(lambda: stand.number("slow") > ended, "the next run, by the worker that is left")
    assert [pid for what, pid, _ in stand.lines("slow") if what == "ended"][ended] != killed
    stand.until(lambda: ("schedule", "lost") in outcomes("slow"), "the old run to be marked lost")
    assert outcomes("slow").count(("schedule", "lost")) == 1
    stand.until(lambda: (found := job("slow")) and found.outcome == "done" and not found.failures, "its good end")
    ticks = stand.number("tick")
    stand.until(lambda: stand.number("tick") > ticks, "all else to go on")
