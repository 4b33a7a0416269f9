"""The sweep finds what no webhook told, in one call, and says when webhooks fell silent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Unavailable
from crm.models import (
    Connection,
    Contact,
    Customer,
    Document,
    ListEntry,
    Notice,
    OutboxEntry,
    Sweep,
    SyncLogEntry,
    SyncRun,
)
from crm.providers.accounting.base import Changes
from crm.services import connections, sync
from crm.services.audit import SYSTEM
from crm.services.sync import settings
from crm.services.sync.imports import runs
from crm.services.sync.inbox import intake, replaying
from crm.services.sync.mirror import customers
from crm.services.sync.sweep import sweep
from sandbox import Served, serving
from tests.flows.changes import Company, at, document, events, facts
from tests.flows.imports import opened, run_import
from tests.flows.test_changes import linked, sold
from tests.flows.test_import_gone import check_books
from tests.images import after_import
from tests.quickbooks import connect, quickbooks  # noqa: F401

HOUR = 3600.0


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=25, companies=1) as served:
        served.sandbox.postman.paused = True
        yield served


@pytest.fixture
def connection(quickbooks: Served) -> Connection:  # noqa: F811
    return connect(quickbooks, country="US", currency="USD")


@pytest.fixture
def company(connection: Connection, sandbox: Served, client: FlaskClient) -> Company:
    """Imported, and swept once."""
    after_import(connection.id, sandbox)
    with transaction():
        sweep.ring_due(now=clock.now())
    assert sweep.run(connection.id, clock=clock.now)
    return Company(sandbox, client, connection)


def row(connection_id: int) -> Sweep:
    db.session.remove()
    return db.session.get_one(Sweep, connection_id)


def due(connection_id: int) -> None:
    with transaction() as session:
        session.get_one(Sweep, connection_id).available_at = clock.now() - timedelta(seconds=1)


def swept(company: Company, **how: Any) -> Sweep:
    due(company.connection.id)
    sweep.run(company.connection.id, clock=how.pop("clock", clock.now), **how)
    return row(company.connection.id)


def test_nothing_changed_is_one_call_and_the_cursor_moves(company: Company) -> None:
    before = row(company.connection.id)
    with company.counted() as calls:
        after = swept(company)
    assert calls == [1]
    assert (after.counts["changes"] - after.counts.get("unchanged", 0), after.counts["missed"]) == (0, 0)
    assert before.cursor is not None and after.cursor is not None and after.cursor >= before.cursor
    assert after.available_at > clock.now() + timedelta(minutes=14)
    assert not sweep.run(company.connection.id, clock=clock.now), "not due again yet"


def test_the_first_sweep_begins_where_the_import_began(connection: Connection, sandbox: Served) -> None:
    with transaction():
        sweep.ring_due(now=clock.now())
    assert not sweep.run(connection.id, clock=clock.now), "nobody imported this company yet"
    assert row(connection.id).cursor is None
    run = run_import(connection.id)
    due(connection.id)
    asked: list[datetime] = []

    class Listening:
        def __init__(self) -> None:
            self.spec = connections.registry.spec("quickbooks")

        def changes(self, kinds: list[str], since: datetime) -> Changes:
            asked.append(since)
            return Changes((), (), (), clock.now(), complete=True)

        def scan(self, kind: str, cursor: str | None) -> Any:
            raise Unavailable("lists are not asked for first")

    sweep.run(connection.id, clock=clock.now, open_books=opened(Listening()), jitter=lambda: 0.0)
    assert run.started_at is not None and asked == [run.started_at - sweep.OVERLAP]
    after = row(connection.id)
    assert after.cursor is None and after.failures == 1, "nothing of a sweep that failed is stored"


def test_everything_that_changed_comes_in_without_any_webhook(company: Company) -> None:
    customer, other = linked(0), linked(1)
    invoice = sold(company, customer)
    company.api.pay({"Id": customer.remote_id}, "30.00", **{f"i{invoice['Id']}": "30.00"})
    company.change(other.remote_id, PrimaryPhone={"FreeFormNumber": "(816) 555-0190"}, Active=False)
    made = company.api.customer("Seen By The Sweep")
    with company.counted() as calls:
        after = swept(company)
    assert calls == [1] and after.counts["changed"] >= 5
    assert document("invoice", invoice["Id"]).balance == Decimal("70.00")
    assert db.session.get_one(Contact, other.contact_id).link_state == "inactive"
    new = db.session.scalars(select(Customer).where(Customer.remote_id == made["Id"])).one()
    assert new.match_state == "linked"
    check_books(company.served)
    lines = db.session.scalars(select(SyncLogEntry).where(SyncLogEntry.event == "record_changed")).all()
    assert lines and {line.trigger for line in lines} == {"sweep"}
    assert swept(company).counts.get("changed", 0) == 0, "the overlap changes nothing twice"


def test_deleted_documents_leave_and_a_merged_customer_goes(company: Company) -> None:
    customer, survivor = linked(0), linked(1)
    invoice = sold(company, customer)
    swept(company)
    company.api.write("Invoice", {"Id": invoice["Id"], "SyncToken": invoice["SyncToken"]}, operation="delete")
    company.merge(survivor.remote_id, customer.remote_id)
    with company.counted() as calls:
        after = swept(company)
    assert calls == [2], "a customer said to be deleted is asked for by its id"
    assert after.counts["gone"] == 2
    assert document("invoice", invoice["Id"]).gone_at is not None
    assert db.session.get_one(Customer, customer.id).gone_at is not None


def test_changes_of_weeks_ago_take_a_full_read(company: Company) -> None:
    late = at(40 * 24 * HOUR)
    after = swept(company, clock=late)
    run = db.session.scalars(select(SyncRun).order_by(SyncRun.id.desc()).limit(1)).one()
    assert (run.state, run.trigger) == ("queued", "schedule")
    assert after.cursor is not None and after.cursor < clock.now() + timedelta(days=1), "nothing was skipped"


class Many:
    """Books in which more invoices changed than an answer holds, until half of the time is asked for."""

    def __init__(self, real: Any, begun: datetime) -> None:
        self.real, self.begun, self.spec = real, begun, real.spec
        self.asked: list[tuple[tuple[str, ...], datetime]] = []

    def changes(self, kinds: list[str], since: datetime) -> Changes:
        self.asked.append((tuple(kinds), since))
        said = self.real.changes(kinds, since)
        return replace(said, complete="invoice" not in kinds or since > self.begun)

    def fetch(self, kind: str, ids: list[str]) -> Any:
        return self.real.fetch(kind, ids)


def test_too_many_changes_are_asked_for_by_kind_then_half_the_time_and_then_read_whole(company: Company) -> None:
    customer = linked()
    invoice = sold(company, customer)
    with connections.books(company.connection.id, clock=clock.now) as real:
        many = Many(real, row(company.connection.id).cursor or clock.now())
        swept(company, open_books=opened(many))
    kinds = (
        "term", "payment_method", "account", "employee", "customer", "item", "invoice", "payment", "credit_memo",
        "estimate", "sales_receipt", "refund_receipt", "vendor", "bill", "bill_payment",
    )  # fmt: skip
    assert many.asked[0][0] == kinds
    alone = [since for kinds, since in many.asked if kinds == ("invoice",)]
    assert len(alone) >= 2 and alone == sorted(alone) and len(alone) <= 7
    run = db.session.scalars(select(SyncRun).order_by(SyncRun.id.desc()).limit(1)).one()
    assert (run.state, run.resources) == ("queued", ["invoice"])
    assert db.session.scalars(select(Document).where(Document.remote_id == invoice["Id"])).first() is not None


def test_the_cursor_passes_what_was_not_told_only_when_an_import_has_read_it(company: Company) -> None:
    def latest() -> SyncRun:
        db.session.remove()
        return db.session.scalars(select(SyncRun).order_by(SyncRun.id.desc()).limit(1)).one()

    began = row(company.connection.id).cursor
    assert began is not None
    with connections.books(company.connection.id, clock=clock.now) as real:
        many = opened(Many(real, began))
        assert swept(company, open_books=many).cursor == began
        first = latest()
        assert (first.state, first.resources) == ("queued", ["invoice"])
        assert swept(company, open_books=many).cursor == began and latest().id == first.id, "it is under way"
        with transaction():
            runs.cancel_run(first.id, actor=SYSTEM, now=clock.now())
        assert swept(company, open_books=many).cursor == began, "what it would have read was read by nobody"
        second = latest()
        assert (second.state, second.resources, second.id > first.id) == ("queued", ["invoice"], True)
        sync.run(second.id, clock=clock.now)
        done = latest()
        assert done.state == "done" and done.started_at is not None
        assert swept(company, open_books=many).cursor == done.started_at
    after = swept(company).cursor
    assert after is not None and after > began and latest().id == second.id, "nothing is read whole twice"


def test_kinds_without_a_change_feed_are_read_once_a_day(company: Company) -> None:
    kinds = set(db.session.scalars(select(ListEntry.kind)))
    assert {"term", "payment_method", "tax_code"} <= kinds
    with company.counted() as calls:
        swept(company)
    assert calls == [1]
    with company.counted() as calls:
        swept(company, clock=at(25 * HOUR))
    assert calls[0] > 4


def test_a_failed_sweep_is_tried_again_later_and_the_cursor_stays(company: Company) -> None:
    before = row(company.connection.id).cursor

    class Down:
        def changes(self, kinds: list[str], since: datetime) -> Changes:
            raise Unavailable("QuickBooks is down.")

    after = swept(company, open_books=opened(Down()), jitter=lambda: 1.0)
    assert (after.failures, after.error, after.cursor) == (1, "QuickBooks is down.", before)
    assert clock.now() < after.available_at <= clock.now() + timedelta(seconds=15)
    customer = linked()
    company.change(customer.remote_id, Notes="found later")
    after = swept(company)
    assert (after.failures, after.error, after.counts["changed"]) == (0, "", 1)


def test_a_sweep_that_lost_its_lease_stores_nothing(company: Company) -> None:
    due(company.connection.id)
    first = sweep._claim(company.connection.id, clock.now())
    assert first is not None
    assert sweep._claim(company.connection.id, clock.now()) is None, "held"
    second = sweep._claim(company.connection.id, clock.now() + sweep.LEASE + timedelta(seconds=1))
    assert second is not None
    with pytest.raises(sweep.LeaseLost), transaction() as session:
        first.held(session)


def test_while_a_kind_is_paused_nothing_of_it_is_lost(company: Company) -> None:
    customer = linked()
    with transaction() as session:
        settings.pause(session, company.connection.id, "invoice", actor=SYSTEM, now=clock.now())
    before = row(company.connection.id).cursor
    invoice = sold(company, customer)
    assert swept(company).cursor == before
    assert not db.session.scalars(select(Document).where(Document.remote_id == invoice["Id"])).all()
    with transaction() as session:
        settings.resume(session, company.connection.id, "invoice", actor=SYSTEM, now=clock.now())
    swept(company)
    assert document("invoice", invoice["Id"]).contact_id == customer.contact_id


# --- what cannot be applied -----------------------------------------------------------------------------------


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a customer that cannot be applied, together with others or by itself."""
    take = customers.take

    def breaks(batch: Any, records: Any, names: Any) -> Any:
        if any(record.display_name == "Poison" for record in records):
            raise TypeError("nobody thought of this")
        return take(batch, records, names)

    monkeypatch.setattr(customers, "take", breaks)
    return "Poison"


def failing() -> list[Notice]:
    db.session.remove()
    return list(db.session.scalars(select(Notice).where(Notice.topic == "sweep_failing").order_by(Notice.id)))


def test_one_object_that_cannot_be_applied_stops_neither_the_sweep_nor_the_others(
    company: Company, poison: str
) -> None:
    bad, good = linked(0), linked(1)
    invoice = sold(company, good)
    swept(company)
    company.change(bad.remote_id, DisplayName=poison)
    company.change(good.remote_id, PrimaryPhone={"FreeFormNumber": "(816) 555-0190"})
    company.api.write("Invoice", {"Id": invoice["Id"], "SyncToken": invoice["SyncToken"]}, operation="delete")
    before = row(company.connection.id)
    after = swept(company)
    assert before.cursor is not None and after.cursor is not None and after.cursor > before.cursor
    assert after.swept_at is not None and before.swept_at is not None and after.swept_at > before.swept_at
    told = events()
    assert {event.source for event in told} == {"sweep"} and {event.state for event in told} == {"pending"}
    objects = [(event.kind, event.remote_id) for event in told]
    assert len(objects) == len(set(objects)) == after.counts["handed_over"]
    assert {("customer", bad.remote_id), ("customer", good.remote_id), ("invoice", invoice["Id"])} <= set(objects)
    swept(company)
    assert [event.event_key for event in events()] == [event.event_key for event in told], "read again, kept once"
    for wait in (0, 20, 60, 200, 600, 2000):
        company.taken(later=wait, jitter=lambda: 0.0)
    left = {(event.kind, event.remote_id): event for event in events()}
    failed = left.pop(("customer", bad.remote_id))
    assert (failed.state, failed.outcome) == ("failed", "failed")
    assert {event.state for event in left.values()} == {"done"}
    assert "555-0190" in str(db.session.get_one(Customer, good.id).record)
    assert document("invoice", invoice["Id"]).gone_at is not None
    company.change(bad.remote_id, DisplayName="Mended")
    assert swept(company).failures == 0, "nothing stands in the way of the next one"


def test_sweeps_that_keep_failing_are_told_once_until_one_ends_well(company: Company, poison: str) -> None:
    class Down:
        def changes(self, kinds: list[str], since: datetime) -> Changes:
            raise Unavailable("QuickBooks is down.")

    for _ in range(2):
        swept(company, open_books=opened(Down()), jitter=lambda: 0.0)
    assert failing() == []
    company.change(linked().remote_id, DisplayName=poison)
    assert swept(company).failures == 3, "one that had to hand over counts, whatever came in"
    swept(company, open_books=opened(Down()), jitter=lambda: 0.0)
    [notice] = failing()
    assert "4 times in a row" in notice.text and "QuickBooks is down." in notice.text
    assert notice.settled_at is None
    company.change(linked().remote_id, DisplayName="Mended")
    assert swept(company).failures == 0
    assert [one.settled_at is None for one in failing()] == [False]


def test_where_the_inbox_cannot_take_it_either_the_cursor_stays(
    company: Company, poison: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.change(linked().remote_id, DisplayName=poison)
    before = row(company.connection.id).cursor

    def breaks(batch: Any, asked: Any) -> int:
        raise TypeError("nor of this")

    monkeypatch.setattr(sweep.sweep_handing, "hand_over", breaks)
    after = swept(company, jitter=lambda: 0.0)
    assert (after.cursor, after.failures, events()) == (before, 1, [])


def test_one_company_whose_newcomers_cannot_be_decided_about_does_not_keep_the_next(
    company: Company, sandbox: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    with transaction() as session:
        other = Connection(
            provider="quickbooks", realm_id="934100077", realm_fingerprint="other", state="connected",
            connected_at=now,
        )  # fmt: skip
        session.add(other)
        session.flush()
        for connection_id in (company.connection.id, other.id):
            session.add(Customer(
                connection_id=connection_id, remote_id="99001", display_name="New", match_state="new", currency="USD",
                record={}, content_hash="x", seen_at=now,
            ))  # fmt: skip
    decided: list[int] = []

    def decide(batch: Any, remote_ids: Any = None) -> list[str]:
        if batch.books.id == min(company.connection.id, other.id):
            raise TypeError("nobody thought of this")
        decided.append(batch.books.id)
        batch.log("decided", "kept")
        return []

    monkeypatch.setattr(sweep.newcomers, "decide", decide)
    sweep.decide_newcomers(clock=clock.now)
    db.session.remove()
    assert decided == [max(company.connection.id, other.id)]
    kept = select(SyncLogEntry.connection_id).where(SyncLogEntry.event == "decided")
    assert db.session.scalars(kept).all() == decided


# --- silence --------------------------------------------------------------------------------------------------


def old_change(company: Company, number: int, minutes: int) -> None:
    """A real change that was made some minutes ago, of which no webhook told."""
    customer = linked(number)
    company.change(customer.remote_id, Notes=f"silent {minutes}")
    company.skip()
    with company.served.store.writing(company.served.realm) as books:
        body = books.get("Customer", customer.remote_id)
        moment = datetime.now().astimezone() - timedelta(minutes=minutes)
        body["MetaData"]["LastUpdatedTime"] = moment.isoformat(timespec="seconds")
        books.put("Customer", body)


def rewind(company: Company, minutes: int) -> None:
    with transaction() as session:
        session.get_one(Sweep, company.connection.id).cursor = clock.now() - timedelta(minutes=minutes)
        for customer in session.scalars(select(Customer)):
            customer.remote_updated_at = None


def notices() -> list[Notice]:
    db.session.remove()
    return list(db.session.scalars(select(Notice).where(Notice.topic == "webhooks_silent").order_by(Notice.id)))


def test_two_sweeps_with_changes_nobody_told_are_silence_and_a_webhook_ends_it(company: Company) -> None:
    rewind(company, 60)
    old_change(company, 0, 30)
    assert swept(company).counts["missed"] == 1
    assert notices() == [] and row(company.connection.id).silent_since is None
    rewind(company, 60)
    old_change(company, 1, 30)
    assert swept(company).silent_since is not None
    [notice] = notices()
    assert "webhooks no longer arrive" in notice.text and "developer.intuit.com" in notice.text
    swept(company)
    assert len(notices()) == 1
    company.change(linked(2).remote_id, Notes="heard again")
    company.told()
    assert row(company.connection.id).silent_since is None and notices()[0].settled_at is not None


def test_what_webhooks_told_or_may_still_tell_is_not_missed(company: Company) -> None:
    customer = linked()
    company.change(customer.remote_id, Notes="told")
    company.post(company.bodies())  # arrived, and not acted on yet
    company.change(linked(1).remote_id, Notes="a moment ago")
    company.skip()
    after = swept(company)
    assert (after.counts["changed"], after.counts["missed"]) == (2, 0)
    assert {row.outcome for row in company.taken()} == {"unchanged"} and events()


def test_without_webhooks_nobody_is_told_off(app: Flask, company: Company) -> None:
    before = app.extensions["settings"]
    app.extensions["settings"] = replace(before, quickbooks_webhook_verifier_token="")
    for number in range(2):
        rewind(company, 60)
        old_change(company, number, 30)
        assert swept(company).counts["missed"] == 1
    app.extensions["settings"] = before
    assert notices() == []
    last = db.session.scalars(select(SyncLogEntry).where(SyncLogEntry.event == "sweep_done")).all()[-1]
    assert "Webhooks are not set up" in " ".join(
        line.message for line in db.session.scalars(select(SyncLogEntry).where(SyncLogEntry.event == "sweep_done"))
    )
    assert last.trigger == "sweep"


# --- more than half -------------------------------------------------------------------------------------------


def empty(served: Served, entity: str) -> int:
    with served.store.writing(served.realm) as books:
        found = books.connection.execute("DELETE FROM record WHERE realm=? AND entity=?", (books.realm, entity))
        return found.rowcount


def test_half_of_the_books_leaves_only_after_a_person_was_asked(company: Company) -> None:
    number = empty(company.served, "Invoice")
    assert number > 10
    run = run_import(company.connection.id)
    assert (run.state, run.counts.get("gone", 0), run.counts["parked_gone"]) == ("done", 0, number)
    [notice] = db.session.scalars(select(Notice).where(Notice.topic == "many_gone_invoice")).all()
    assert f"{number:,} of {number:,} invoices" in notice.text and notice.settled_at is None
    run = run_import(company.connection.id)  # asked for by hand, after the notice
    assert (run.state, run.counts["gone"]) == ("done", number)
    db.session.remove()
    assert db.session.get_one(Notice, notice.id).settled_at is not None


def test_a_sweep_that_tells_of_half_the_company_gone_takes_nothing_out(company: Company) -> None:
    with company.served.store.writing(company.served.realm) as books:
        ids = [int(id_) for (id_,) in books.connection.execute(
            "SELECT id FROM record WHERE realm=? AND entity='Invoice'", (books.realm,)
        )]  # fmt: skip
        for id_ in ids:
            books.remove("Invoice", str(id_), datetime.now().astimezone())
    after = swept(company)
    assert after.counts["gone"] == 0
    assert not db.session.scalars(select(Document).where(Document.gone_at.is_not(None))).all()
    assert db.session.scalars(select(Notice).where(Notice.topic == "many_gone_invoice")).all()
    assert facts(linked().contact_id) is not None


@pytest.mark.parametrize("said", ["deleted", "read again"])
def test_half_of_a_kind_leaves_by_no_page_of_events_either(
    company: Company, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(intake, "PAGE", 4)
    ids = list(db.session.scalars(select(Document.remote_id).where(Document.kind == "invoice")))
    if said == "deleted":
        for id_ in ids:
            body = company.api.read("Invoice", id_)
            company.api.write("Invoice", {"Id": id_, "SyncToken": body["SyncToken"]}, operation="delete")
        company.told(only="Invoice")
    else:
        assert empty(company.served, "Invoice") == len(ids)
        with transaction():
            for id_ in ids:
                replaying.read_again(company.connection.id, "invoice", id_, actor=SYSTEM, now=clock.now())
        company.taken()
    company.taken(later=40)
    assert len(ids) > 10
    assert not db.session.scalars(select(Document.id).where(Document.gone_at.is_not(None))).all()
    about = [event for event in events() if event.kind == "invoice"]
    assert {(event.state, event.outcome) for event in about} == {("done", "kept")}
    [notice] = db.session.scalars(select(Notice).where(Notice.topic == "many_gone_invoice")).all()
    assert f"{len(ids):,} of {len(ids):,} invoices" in notice.text
    with transaction() as session:
        session.get_one(Notice, notice.id).created_at = clock.now() - timedelta(seconds=1)
    run = run_import(company.connection.id)  # asked for by hand, after the notice
    assert run.counts["gone"] == len(ids)


def test_what_leaves_little_by_little_is_seen_together(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "PAGE", 4)
    ids = list(db.session.scalars(select(Document.remote_id).where(Document.kind == "invoice")))
    empty(company.served, "Invoice")
    for id_ in ids:  # one after another, each settled before the next is asked for
        with transaction():
            replaying.read_again(company.connection.id, "invoice", id_, actor=SYSTEM, now=clock.now())
        company.taken()
        company.taken(later=40)
    left = db.session.scalars(select(Document.id).where(Document.gone_at.is_not(None))).all()
    assert 10 <= len(left) <= max(10, len(ids) // 2) < len(ids)
    [notice] = db.session.scalars(select(Notice).where(Notice.topic == "many_gone_invoice")).all()
    assert f"After {len(left)} had left" in notice.text


def test_a_customer_swept_up_while_one_of_ours_was_created_is_decided_about_soon_after(company: Company) -> None:
    now = clock.now()
    with transaction() as session:
        entry = OutboxEntry(
            connection_id=company.connection.id, kind="customer", local_id=1, operation="create", state="frozen",
            changes={"display_name": ["", "Swept Meanwhile"]}, available_at=now, created_at=now, updated_at=now,
        )  # fmt: skip
        session.add(entry)
    made = company.api.customer("Swept Meanwhile")
    swept(company)

    def state() -> str:
        db.session.remove()
        return db.session.scalars(select(Customer.match_state).where(Customer.remote_id == made["Id"])).one()

    def tick() -> str:
        sweep.decide_newcomers(clock=clock.now)
        return state()

    assert tick() == "new"
    with transaction() as session:
        session.get_one(OutboxEntry, entry.id).state = "done"
    assert tick() == "linked"
