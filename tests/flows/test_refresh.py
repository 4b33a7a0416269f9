"""Two workers and the web need the grant at the same moment: one refresh reaches QuickBooks, all three are served."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from crm import clock
from crm.services import connections, grants
from sandbox import Served
from tests.quickbooks import connect, reread

ROOT = Path(__file__).resolve().parents[2]
COMPANY = "Bedrock Foundation Repair"

#: Reads the ids of connections, one a line, and answers each with the company's name or the error.
WORKER = """
import sys
from crm import clock, config, create_app
from crm.domain.errors import ProviderError
from crm.services import connections

app = create_app(config.read(config.environment()))
print("ready", flush=True)
for line in sys.stdin:
    with app.app_context():
        try:
            with connections.books(int(line), clock=clock.now) as books:
                print(books.company().name, flush=True)
        except ProviderError as error:
            print(type(error).__name__, flush=True)
"""


class Worker:
    """A process of its own, with its own database connection."""

    def __init__(self, environment: dict[str, str], served: Served) -> None:
        addresses = {"QUICKBOOKS_API_URL": served.url, "QUICKBOOKS_DISCOVERY_URL": served.discovery_url}
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=ROOT,
            env={**os.environ, **environment, **addresses},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, connection_id: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{connection_id}\n")
        self.process.stdin.flush()

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def working(number: int, environment: dict[str, str], served: Served) -> Iterator[list[Worker]]:
    workers = [Worker(environment, served) for _ in range(number)]
    try:
        assert [worker.said() for worker in workers] == ["ready"] * number
        yield workers
    finally:
        for worker in workers:
            worker.kill()


@pytest.fixture(scope="module")
def workers(_app: Flask, environment: dict[str, str], sandbox: Served) -> Iterator[list[Worker]]:
    with working(2, environment, sandbox) as two:
        yield two


@pytest.fixture
def slow(quickbooks: Served) -> Served:
    """The token endpoint takes so long that everybody arrives while the first one is still waiting."""
    quickbooks.sandbox.script.set([{"action": "latency", "path": "tokens/bearer", "seconds": 0.8, "count": None}])
    return quickbooks


def ask_all(workers: list[Worker], connection_id: int) -> list[str]:
    """Both workers and this process (the web) at once."""
    for worker in workers:
        worker.ask(connection_id)
    with connections.books(connection_id, clock=clock.now) as books:
        here = books.company().name
    return [here, *(worker.said() for worker in workers)]


def test_two_workers_and_the_web_make_one_refresh(workers: list[Worker], slow: Served, refreshes: list[str]) -> None:
    row = connect(slow, access_expires_at=clock.now())
    assert ask_all(workers, row.id) == [COMPANY] * 3
    assert refreshes == [row.refresh_token]
    after = reread(row.id)
    assert (after.state, after.grant_version, after.refresh_leased_until) == ("connected", 1, None)


def test_a_token_refused_to_all_at_once_is_renewed_once(
    workers: list[Worker], slow: Served, refreshes: list[str]
) -> None:
    row = connect(slow)
    slow.sandbox.authority.expire()
    assert ask_all(workers, row.id) == [COMPANY] * 3
    assert refreshes == [row.refresh_token]


def test_a_dead_grant_is_tried_once_by_all_together(workers: list[Worker], slow: Served, refreshes: list[str]) -> None:
    row = connect(slow, access_expires_at=clock.now())
    slow.sandbox.authority.revoke_all()
    for worker in workers:
        worker.ask(row.id)
    assert [worker.said() for worker in workers] == ["NeedsReconnect"] * 2
    assert refreshes == [row.refresh_token]
    assert reread(row.id).state == "needs_reconnect"


def test_a_worker_killed_while_quickbooks_answers_is_survived(
    quickbooks: Served, refreshes: list[str], environment: dict[str, str]
) -> None:
    """It stored nothing and gave nothing back: its lease ends by itself, and the next one tries the same token once."""
    row = connect(quickbooks, access_expires_at=clock.now())
    quickbooks.sandbox.script.set([{"action": "latency", "path": "tokens/bearer", "seconds": 20}])
    with working(1, environment, quickbooks) as (worker,):
        worker.ask(row.id)
        patience = time.monotonic() + 20
        while not quickbooks.sandbox.script.shown()[0]["struck"]:
            assert time.monotonic() < patience, "the worker never asked for a new token"
            time.sleep(0.05)
        worker.kill()
    lease = reread(row.id).refresh_leased_until
    assert lease is not None
    assert lease > clock.now() + grants.LEASE / 2
    later = lease - clock.now() + timedelta(seconds=1)
    with connections.books(row.id, clock=lambda: clock.now() + later) as books:
        assert books.company().name == COMPANY
    assert refreshes == [row.refresh_token]
    assert reread(row.id).grant_version == 1
