"""Real workers and a real beat keep segments true: a payment moves a contact, a killed worker loses or doubles nothing.

The processes take longest to start, so all of it is one story, told by one beat and two workers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from crm.celery_app import celery_app
from crm.services import jobs
from tests.engine_rows import company, contact
from tests.services.test_segments import OWES, inside, make, money, moves, notes, rules, stored

ROOT = Path(__file__).resolve().parents[2]
CELERY = [sys.executable, "-m", "celery", "--app=tests.flows.segments_app"]
WORKER = [*CELERY, "worker", "--pool=threads", "--concurrency=3", "--without-gossip", "--without-mingle"]


class Stand:
    """Beat and two workers of one installation, and what their refreshes wrote down."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home, self.queue = home, f"segments-{uuid4().hex}"
        self.environment = {**os.environ, **environment, "SCHEDULE_HOME": str(home), "SCHEDULE_QUEUE": self.queue}
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str) -> None:
        with (self.home / "log").open("ab") as log:
            self.running.append(subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log))

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()

    def lines(self) -> list[tuple[str, int]]:
        """(began, taken or ended; id of the process) in the order they were written."""
        path = self.home / "refresh"
        split = (line.split() for line in path.read_text().splitlines()) if path.exists() else ()
        return [(what, int(pid)) for what, pid in split]

    def until(self, true: Callable[[], Any], what: str, seconds: float = 60) -> float:
        """Seconds it took."""
        began = time.monotonic()
        while not true():
            ended = [process.args for process in self.running if process.poll() not in (None, -signal.SIGKILL)]
            if ended or time.monotonic() > began + seconds:
                pytest.fail(f"waited {seconds:.0f} s for: {what}\n{(self.home / 'log').read_text()[-3000:]}")
            time.sleep(0.1)
        return time.monotonic() - began


@pytest.fixture
def stand(app: Flask, environment: dict[str, str], tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path, environment)
    beat = ("beat", f"--schedule={tmp_path / 'beat'}", "--pidfile=")
    for name, command in (("one", WORKER), ("two", WORKER), ("", [*CELERY, *beat])):
        made.start(*command, *([f"--hostname={name}@segments"] if name else []))
    yield made
    made.stop()


@pytest.mark.timeout(400)
def test_a_change_in_money_moves_a_contact_whatever_happens_to_a_worker(stand: Stand) -> None:
    books, amy = company(), contact("Amy Fox")
    money(amy, "900", books)
    owes, paid = make(), make(rules(("balance", "at_most", "0")), "Paid")
    told = {owes: [(amy, True, "rules")], paid: []}
    stand.until(lambda: notes() == 0, "the first notes to be taken", 200)

    money(amy, "0")
    stand.until(lambda: inside(paid) == {amy} and inside(owes) == set(), "the payment to move the contact", 30)
    told[owes].append((amy, False, "facts"))
    told[paid].append((amy, True, "facts"))
    assert {one: moves(one) for one in told} == told

    (stand.home / "hang").touch()
    money(amy, "900")
    stand.until(lambda: any(what == "taken" for what, _ in stand.lines()), "a refresh under way")
    killed = stand.lines()[-1][1]
    assert inside(paid) == {amy} and notes() == 1, "nothing of what is under way is seen"
    time.sleep(5)  # longer than a lease: who lives extends it, and nobody else begins
    assert stand.lines()[-1] == ("taken", killed)
    os.kill(killed, signal.SIGKILL)
    (stand.home / "hang").unlink()
    stand.until(lambda: inside(owes) == {amy} and inside(paid) == set(), "the other worker to do it")
    told[owes].append((amy, True, "facts"))
    told[paid].append((amy, False, "facts"))
    assert {one: moves(one) for one in told} == told and notes() == 0
    assert {pid for what, pid in stand.lines()[-4:]} - {killed}, "another process went on"

    for _ in range(40):
        celery_app.send_task(jobs.TASK, args=("segments-changed",), queue=stand.queue, retry=False)
    money(amy, "0")
    stand.until(lambda: inside(paid) == {amy}, "a refresh among many rings")
    never_two_at_once(stand.lines(), killed)
    assert (stored(owes).members, stored(paid).members) == (0, 1) and OWES.parts


def never_two_at_once(lines: list[tuple[str, int]], killed: int) -> None:
    under_way: set[int] = set()
    for what, pid in lines:
        if what == "began":
            assert not under_way - {killed}, "a second refresh began while one was under way"
            under_way.add(pid)
        elif what == "ended":
            under_way.discard(pid)
