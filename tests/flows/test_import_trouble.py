"""An import meets misfortune: killed, cancelled, throttled, cut off, disconnected. Nothing is lost, nothing doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Refused, Unavailable, UnexpectedAnswer
from crm.domain.records import CustomerRecord, Origin, Refusal
from crm.models import (
    Bill,
    BillPayment,
    Connection,
    Contact,
    Customer,
    Document,
    IdentityKey,
    Item,
    Link,
    Match,
    Notice,
    Payment,
    PaymentApplication,
    Product,
    SalesDocument,
    SalesLine,
    SyncLogEntry,
    SyncRun,
    Vendor,
)
from crm.providers.accounting.base import Page
from crm.services import sync
from crm.services.audit import SYSTEM
from crm.services.sync import work
from sandbox import Served, serving
from tests.flows.imports import WITHOUT_LISTS, opened, own_list, run_import, start, stored
from tests.quickbooks import connect, quickbooks  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
SIZE = 60


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Served]:
    with serving(size=SIZE, companies=1) as served:
        yield served


@pytest.fixture
def connection(quickbooks: Served) -> Connection:  # noqa: F811
    return connect(quickbooks, country="US", currency="USD")


def trouble(served: Served, *rules: dict[str, Any]) -> None:
    served.sandbox.script.set(list(rules))


class LaterClock:
    """A clock one can put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return clock.now() + self.ahead


# --- killed ---------------------------------------------------------------------------------------------------

WORKER = """
import os, signal, sys
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from crm import clock, create_app, config
from crm.services import sync
from crm.services.sync import work
from crm.services.sync.imports import fetch

run_id, pages, place, ahead = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
app = create_app(config.read(os.environ))
stored, scanned, opened = work.Page.reached, fetch.Fetch.scan, work.Work.page
seen = 0

def die(where):
    if seen > pages and place == where:
        os.kill(os.getpid(), signal.SIGKILL)

def reached(page, *args, **kwargs):
    global seen
    seen += 1
    die("written")  # rows of this page are written, but not yet committed
    return stored(page, *args, **kwargs)

def scan(self, *args):
    found = scanned(self, *args)
    die("fetched")  # the answer is here, no transaction is open yet
    return found

@contextmanager
def page(self):
    with opened(self) as open_page:
        yield open_page
    die("committed")  # the page is stored, nothing of the next one is asked for

work.Page.reached, fetch.Fetch.scan, work.Work.page = reached, scan, page
with app.app_context():
    sync.run(run_id, clock=lambda: clock.now() + timedelta(seconds=ahead))
"""


PLACES = ("written", "fetched", "committed")
"""Where in its page a worker dies: before the commit, between answer and transaction, after the commit."""


@pytest.mark.parametrize("seed", [1, 2])
def test_a_worker_killed_at_any_point_loses_and_doubles_nothing(
    connection: Connection, sandbox: Served, environment: dict[str, str], seed: int
) -> None:
    own_list(SIZE, 7)
    run_id = start(connection.id)
    db.session.remove()
    variables = {**os.environ, **environment, "QUICKBOOKS_API_URL": sandbox.url,
                 "QUICKBOOKS_DISCOVERY_URL": sandbox.discovery_url}  # fmt: skip
    deaths: list[tuple[int, str]] = []
    chance = random.Random(seed)
    for attempt in range(40):
        # Each worker stores a few pages, then dies somewhere in the next; each comes after the lease of the one before.
        pages, place = chance.randint(2, 6), PLACES[(attempt + seed) % len(PLACES)]
        command = [sys.executable, "-c", WORKER, str(run_id), str(pages), place, str(attempt * 240)]
        done = subprocess.run(command, cwd=ROOT, env=variables, timeout=60, check=False, capture_output=True, text=True)
        if done.returncode == 0 and stored(run_id).state == "done":
            break
        assert done.returncode == -signal.SIGKILL, (seed, deaths, done.stderr)
        deaths.append((pages, place))
    run = stored(run_id)
    assert len(deaths) >= 3, deaths
    assert run.state == "done", (seed, deaths, run.error)
    assert run.attempts == len(deaths) + 1
    assert _figures() == _figures_of_an_undisturbed_import(connection)
    assert run.counts["customers_new"] == SIZE
    links = select(func.count()).select_from(Link).where(Link.kind == "customer")
    assert run.counts["created"] + run.counts["linked"] == db.session.scalar(links)


def _figures() -> dict[str, Any]:
    sizes: dict[str, Any] = {
        model.__name__: db.session.scalar(select(func.count()).select_from(model))
        for model in (Customer, Link, Match, Document, Contact, IdentityKey, SalesDocument, SalesLine)
    }
    sizes["links"] = sorted(
        (row.remote_id, row.display_name)
        for row in db.session.execute(
            select(Link.remote_id, Contact.display_name).join(
                Contact, (Link.kind == "customer") & (Contact.id == Link.local_id)
            )
        )
    )
    return sizes


def _figures_of_an_undisturbed_import(connection: Connection) -> dict[str, Any]:
    connection_id = connection.id
    with transaction() as session:
        of_sales = (SalesLine, SalesDocument, Item, Product, BillPayment, Bill, Vendor, Payment, PaymentApplication)
        for model in (*of_sales, Match, Link, IdentityKey, SyncLogEntry, SyncRun, Document, Customer):
            session.query(model).delete()
        session.query(Contact).delete()
    own_list(SIZE, 7)
    assert run_import(connection_id).state == "done"
    return _figures()


# --- cancelled, superseded ------------------------------------------------------------------------------------


class Scripted:
    """Books of a few made-up customers, one per page; `before` is called with the page's number."""

    spec = WITHOUT_LISTS

    def __init__(self, pages: int, before: Any = None) -> None:
        self.pages, self.before, self.asked = pages, before, 0

    def count(self, kind: str) -> int:
        return self.pages if kind == "customer" else 0

    def scan(self, kind: str, cursor: str | None = None) -> Page:
        if kind != "customer":
            return Page(())
        number = int(cursor or 0)
        self.asked += 1
        if self.before:
            self.before(number)
        record = CustomerRecord(Origin(str(number + 1), "0"), f"Customer {number + 1}", balance=None)
        return Page((record,), (), str(number + 1) if number + 1 < self.pages else None)

    def fetch(self, kind: str, ids: Sequence[str]) -> Page:
        """Whom nobody shows any more is still there."""
        return Page(tuple(CustomerRecord(Origin(id_, "0"), f"Customer {id_}", balance=None) for id_ in ids))


def test_cancel_is_honoured_between_pages_and_keeps_what_came_in(connection: Connection) -> None:
    run_id = start(connection.id)

    def before(number: int) -> None:
        if number == 2:
            with transaction():
                sync.cancel_run(run_id, actor=SYSTEM, now=clock.now())

    books = Scripted(6, before)
    sync.run(run_id, clock=clock.now, open_books=opened(books))
    run = stored(run_id)
    assert run.state == "cancelled" and run.finished_at is not None
    assert books.asked == 3
    assert db.session.scalar(select(func.count()).select_from(Customer)) == 2


def test_a_run_nobody_works_on_is_cancelled_at_once(connection: Connection) -> None:
    run_id = start(connection.id)
    with transaction():
        assert sync.cancel_run(run_id, actor=SYSTEM, now=clock.now()).state == "cancelled"
    with pytest.raises(Refused, match="already ended"), transaction():
        sync.cancel_run(run_id, actor=SYSTEM, now=clock.now())


def test_a_worker_that_lost_its_lease_writes_nothing_more(connection: Connection) -> None:
    run_id = start(connection.id)
    later = LaterClock()

    def before(number: int) -> None:
        if number == 1:  # this worker hangs; another one takes the run and finishes it
            later.ahead += timedelta(minutes=10)
            sync.run(run_id, clock=later, open_books=opened(Scripted(3)))

    sync.run(run_id, clock=clock.now, open_books=opened(Scripted(5, before)))
    run = stored(run_id)
    assert run.state == "done" and run.attempts == 2
    assert db.session.scalar(select(func.count()).select_from(Customer)) == 3
    assert run.counts["customers_new"] == 3


def test_a_worker_whose_run_another_one_is_still_at_stores_no_page(connection: Connection) -> None:
    run_id, later = start(connection.id), LaterClock()
    hung = work.claim(run_id, clock=clock.now)
    later.ahead += timedelta(minutes=10)
    successor = work.claim(run_id, clock=later)
    assert hung is not None and successor is not None
    with pytest.raises(work.LeaseLost), hung.page() as page:
        page.count("stored by the one that hung")
    with successor.page() as page:
        page.count("stored")
    assert stored(run_id).counts == {"stored": 1}


def test_two_workers_at_once_do_the_work_once(connection: Connection) -> None:
    run_id = start(connection.id)
    second = Scripted(3)

    def before(number: int) -> None:
        sync.run(run_id, clock=clock.now, open_books=opened(second))

    sync.run(run_id, clock=clock.now, open_books=opened(Scripted(3, before)))
    assert second.asked == 0
    assert stored(run_id).state == "done"


def test_a_second_start_gives_the_run_that_is_under_way(connection: Connection) -> None:
    assert start(connection.id) == start(connection.id, ["invoice"])


# --- trouble at QuickBooks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "throttle", "path": "/query", "count": 4},
        {"action": "drop_before", "path": "/query", "count": 5},
        {"action": "drop_after", "path": "/query", "count": 5},
        {"action": "html", "path": "/query", "count": 5},
        {"action": "status", "status": 503, "path": "/query", "count": 5},
    ],
    ids=lambda rule: rule["action"],
)
def test_trouble_is_waited_out_and_the_import_goes_on(
    connection: Connection, sandbox: Served, rule: dict[str, Any]
) -> None:
    later = LaterClock()
    trouble(sandbox, {**rule, "skip": 2})
    run_id = start(connection.id)
    waited = False
    for _ in range(6):
        sync.run(run_id, clock=later, jitter=lambda: 1.0)
        run = stored(run_id)
        if run.state != "waiting":
            break
        waited = True
        assert run.error and run.lease_until is not None
        later.ahead = run.lease_until - clock.now() + timedelta(seconds=1)
    assert run.state == "done", run.error
    assert run.counts["customers_new"] == SIZE
    if waited:
        failed = db.session.scalars(select(SyncLogEntry).where(SyncLogEntry.event == "call_failed")).first()
        assert failed is not None and failed.level == "warning" and failed.message


def test_a_retry_is_not_made_before_it_is_due_and_the_sweep_rings_then(connection: Connection) -> None:
    run_id = start(connection.id)

    def fails(number: int) -> None:
        raise Unavailable("QuickBooks does not answer.")

    sync.run(run_id, clock=clock.now, open_books=opened(Scripted(2, fails)), jitter=lambda: 1.0)
    assert stored(run_id).state == "waiting"
    good = Scripted(2)
    sync.run(run_id, clock=clock.now, open_books=opened(good))
    assert good.asked == 0
    with transaction():
        assert sync.ring_due(now=clock.now()) == []
        assert sync.ring_due(now=clock.now() + timedelta(seconds=16)) == [run_id]
    with transaction():
        sync.wake_run(run_id, now=clock.now())
    sync.run(run_id, clock=clock.now, open_books=opened(good))
    assert stored(run_id).state == "done"


def test_an_answer_nobody_expects_ends_the_run_with_its_evidence(connection: Connection) -> None:
    run_id = start(connection.id)

    def strange(number: int) -> None:
        raise UnexpectedAnswer("QuickBooks answered a query without a list.")

    sync.run(run_id, clock=clock.now, open_books=opened(Scripted(2, strange)))
    run = stored(run_id)
    assert run.state == "failed" and "without a list" in run.error
    entry = db.session.scalars(select(SyncLogEntry).where(SyncLogEntry.event == "call_failed")).one()
    assert entry.level == "error" and entry.details["error"] == "UnexpectedAnswer"


def test_a_defect_of_ours_is_tried_again_and_then_kept_with_its_traceback(connection: Connection) -> None:
    run_id, later = start(connection.id), LaterClock()

    def breaks(number: int) -> None:
        raise ZeroDivisionError("a defect")

    for _ in range(3):
        sync.run(run_id, clock=later, open_books=opened(Scripted(2, breaks)))
        later.ahead += timedelta(minutes=5)
    run = stored(run_id)
    assert run.state == "failed" and "ZeroDivisionError" in run.error
    entries = db.session.scalars(select(SyncLogEntry).where(SyncLogEntry.event == "run_failed")).all()
    assert len(entries) == 3 and "a defect" in entries[0].details["traceback"]


def test_a_lost_connection_waits_for_a_person_and_goes_on_after_the_reconnect(
    connection: Connection, sandbox: Served
) -> None:
    trouble(sandbox, {"action": "revoke_tokens", "path": "/query", "skip": 2})
    run_id, later = start(connection.id), LaterClock()
    sync.run(run_id, clock=later)
    run = stored(run_id)
    assert run.state == "waiting" and run.error
    assert db.session.get_one(Connection, connection.id).state == "needs_reconnect"
    later.ahead = timedelta(minutes=30)
    with transaction():
        assert sync.ring_due(now=later()) == [], "nobody rings while the connection needs a person"
    sync.run(run_id, clock=later)
    assert stored(run_id).state == "waiting"
    with pytest.raises(Refused, match="Reconnect"), transaction():
        sync.cancel_run(run_id, actor=SYSTEM, now=later())
        sync.start_run(connection.id, resources=None, trigger="person", actor=SYSTEM, now=later())

    tokens = sandbox.connect()
    with transaction() as session:
        session.execute(update(Connection).values(
            state="connected", access_token=tokens.access, refresh_token=tokens.refresh, state_reason="",
            access_expires_at=later() + timedelta(hours=1), grant_version=Connection.grant_version + 1,
        ))  # fmt: skip
    with transaction():
        assert sync.ring_due(now=later()) == [run_id]
    sync.run(run_id, clock=later)
    run = stored(run_id)
    assert run.state == "done" and run.counts["customers_new"] == SIZE


def test_admins_hear_of_a_failed_import_until_one_succeeds(connection: Connection) -> None:
    def strange(number: int) -> None:
        raise UnexpectedAnswer("QuickBooks answered a query without a list.")

    failed = [run_import(connection.id, open_books=opened(Scripted(2, strange))) for _ in range(2)]
    assert [run.state for run in failed] == ["failed", "failed"]
    notice = db.session.scalars(select(Notice)).one()
    assert (notice.topic, notice.connection_id, notice.settled_at) == ("import_failed", connection.id, None)
    assert f"Import {failed[1].id} stopped" in notice.text and "without a list" in notice.text
    assert run_import(connection.id, open_books=opened(Scripted(2))).state == "done"
    db.session.remove()
    assert db.session.scalars(select(Notice)).one().settled_at is not None


# --- bodies that cannot be read -------------------------------------------------------------------------------


def test_a_body_that_cannot_be_read_is_refused_with_its_reason_and_the_rest_goes_on(connection: Connection) -> None:
    class WithRefusal(Scripted):
        def scan(self, kind: str, cursor: str | None = None) -> Page:
            page = super().scan(kind, cursor)
            if kind != "customer":
                return page
            return Page(page.records, (Refusal("customer", "99", "Customer cannot be read: DisplayName is missing."),),
                        page.cursor)  # fmt: skip

    run = run_import(connection.id, open_books=opened(WithRefusal(2)))
    assert run.state == "done"
    assert (run.counts["customers_new"], run.counts["refused"]) == (2, 2)
    entry = db.session.scalars(select(SyncLogEntry).where(SyncLogEntry.event == "record_refused")).first()
    assert entry is not None and entry.remote_id == "99" and "DisplayName" in entry.message


def test_what_a_read_does_not_see_is_left_as_it_was(connection: Connection) -> None:
    run_import(connection.id, open_books=opened(Scripted(4)))
    run_import(connection.id, open_books=opened(Scripted(2)))
    assert db.session.scalar(select(func.count()).select_from(Customer)) == 4
    assert db.session.scalar(select(func.count()).select_from(Link)) == 4
