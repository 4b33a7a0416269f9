"""What changes here arrives in QuickBooks, once, whatever happens on the way."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from crm import clock
from crm.db import db, transaction
from crm.domain.contacts import Entry
from crm.domain.errors import Changed, OutcomeUnknown, Refused, Rejected
from crm.domain.records import Refusal
from crm.models import (
    Conflict,
    Connection,
    Contact,
    Customer,
    Link,
    Match,
    Notice,
    OutboxEntry,
    SyncLogEntry,
    SyncSettings,
    TimelineEntry,
)
from crm.providers.accounting.base import Pushed
from crm.providers.accounting.quickbooks import mapper
from crm.services import connections, sync
from crm.services.sync.outbox import claiming, freezing, lookups, parked, sending, settling, verdicts
from crm.services.sync.outbox.kinds.customer import Customers
from crm.services.sync.outbox.lookups import Found
from crm.services.sync.work import Batch, books_of
from sandbox import Served, serving
from tests.flows.imports import run_import
from tests.flows.sending import (
    PERSON,
    ask,
    calls,
    due_now,
    edit,
    entries,
    linked_contact,
    named,
    new_contacts,
    only,
    there,
    writable,
)
from tests.flows.test_import import _change_there as change_there
from tests.images import after_import
from tests.quickbooks import quickbooks  # noqa: F401


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=40, companies=1) as served:
        yield served


@pytest.fixture
def connection(quickbooks: Served) -> Connection:  # noqa: F811
    return writable(quickbooks)


@pytest.fixture
def imported(connection: Connection, quickbooks: Served) -> Connection:  # noqa: F811
    after_import(connection.id, quickbooks)
    return connection


# --- it arrives -----------------------------------------------------------------------------------------------


def test_an_edit_arrives_and_both_sides_agree_then(imported: Connection, sandbox: Served) -> None:
    id_, remote_id = linked_contact(imported.id)
    before = there(sandbox, remote_id)
    edit(id_, {"given_name": "Zora", "website": "zora.example"})
    assert only().state == "pending" and set(only().fields) == {"given_name", "website"}
    assert sync.send(imported.id) == 1

    after = there(sandbox, remote_id)
    assert (after["GivenName"], after["WebAddr"]["URI"]) == ("Zora", "https://zora.example")
    untouched = ("DisplayName", "PrimaryPhone", "BillAddr", "PrimaryEmailAddr", "SalesTermRef", "Taxable")
    assert [after.get(name) for name in untouched] == [before.get(name) for name in untouched]
    entry = only()
    assert entry.state == "done" and entry.changes["given_name"][1] == "Zora" and entry.remote_id == remote_id
    link = db.session.scalars(select(Link).where(Link.kind == "customer", Link.local_id == id_)).one()
    customer = db.session.scalars(select(Customer).where(Customer.remote_id == remote_id)).one()
    assert link.base["given_name"] == "zora" and link.version == after["SyncToken"] == customer.version
    assert link.written_hash == customer.content_hash and link.written_at is not None
    told = select(TimelineEntry.summary).where(TimelineEntry.contact_id == id_, TimelineEntry.verb == "sent")
    assert "→ Zora" in db.session.scalars(told).one()
    line = db.session.scalars(select(SyncLogEntry).where(SyncLogEntry.event == "sent")).one()
    assert (line.direction, line.outcome, line.attempt, line.contact_id) == ("out", "done", 1, id_)
    assert "GivenName" in line.details["request"]["fields"] and "Zora" not in str(line.details)
    assert sync.send(imported.id) == 0


def test_phones_and_emails_go_to_their_fields_and_a_cleared_one_is_cleared(
    imported: Connection, sandbox: Served
) -> None:
    id_, remote_id = linked_contact(imported.id, Contact.phone != "", Contact.email != "")
    edit(id_, lines={"phone": [Entry("phone", "(816) 555-0142"), Entry("phone", "816-555-0143", "mobile")],
                     "email": []})  # fmt: skip
    sync.send(imported.id)
    after = there(sandbox, remote_id)
    assert after["PrimaryPhone"]["FreeFormNumber"] == "(816) 555-0142"
    assert after["Mobile"]["FreeFormNumber"] == "816-555-0143"
    assert not after.get("PrimaryEmailAddr", {}).get("Address")


def test_another_spelling_of_the_same_is_no_change(imported: Connection) -> None:
    id_, _ = linked_contact(imported.id, Contact.website == "")
    edit(id_, {"website": "http://same.example/"})
    sync.send(imported.id)
    edit(id_, {"website": "https://same.example"})
    assert len(entries()) == 1


def test_edits_before_it_is_sent_are_one_call(imported: Connection, sandbox: Served) -> None:
    id_, remote_id = linked_contact(imported.id)
    sandbox.sandbox.counters.reset()
    for number in range(4):
        edit(id_, {"company_name": f"Company {number}", "given_name": f"Given {number}"})
    sync.send(imported.id)
    assert calls(sandbox).get("batch") == 1 and calls(sandbox).get("coreplus") == 0
    assert there(sandbox, remote_id)["CompanyName"] == "Company 3" and len(entries()) == 1


def test_a_contact_is_created_there_only_when_somebody_asks(imported: Connection, sandbox: Served) -> None:
    [lead, wanted] = new_contacts("Nobody Asked", "Quentin Fresh", phones=("8165550101", "8165550102"),
                                  email="q@fresh.example", street="1 Main St", city="Liberty", region="MO")  # fmt: skip
    edit(lead, {"city": "Kansas City"})
    assert entries() == []
    assert ask(imported.id, [wanted]) == 1
    sync.send(imported.id)
    [made] = named(sandbox, "Quentin Fresh")
    assert made["PrimaryEmailAddr"]["Address"] == "q@fresh.example" and made["BillAddr"]["City"] == "Liberty"
    assert made["AlternatePhone"]["FreeFormNumber"] == "8165550102" and not named(sandbox, "Nobody Asked")
    link = db.session.scalars(select(Link).where(Link.kind == "customer", Link.local_id == wanted)).one()
    customer = db.session.scalars(select(Customer).where(Customer.remote_id == made["Id"])).one()
    assert (customer.match_state, customer.contact_id, link.remote_id) == ("linked", wanted, made["Id"])
    assert db.session.scalars(select(Match).where(Match.contact_id == wanted)).one().rule == "created_there"
    assert db.session.get_one(Contact, wanted).link_state == "linked"
    run_import(imported.id)
    assert db.session.scalar(select(func.count()).where(Link.kind == "customer", Link.remote_id == made["Id"])) == 1
    assert ask(imported.id, [wanted]) == 0 and sync.send(imported.id) == 0


def test_an_edit_while_the_create_is_under_way_follows_it(connection: Connection, sandbox: Served) -> None:
    [id_] = new_contacts("Under Way", city="Here", street="1 Main St")
    ask(connection.id, [id_])
    claim = claiming.claim_next(connection.id, now=clock.now())
    assert claim is not None and freezing._freeze(claim, now=clock.now())
    edit(id_, {"city": "There"})
    assert [entry.state for entry in entries()] == ["frozen", "pending"]
    due_now()
    sync.send(connection.id)
    assert [entry.state for entry in entries()] == ["done", "done"]
    [made] = named(sandbox, "Under Way")
    assert made["BillAddr"]["City"] == "There"
    assert db.session.get_one(Contact, id_).city == "There"


def test_a_thousand_new_customers_cost_34_calls(connection: Connection, sandbox: Served) -> None:
    ids = new_contacts(*(f"Customer number {number}" for number in range(1000)))
    ask(connection.id, ids)
    sandbox.sandbox.counters.reset()
    while sync.send(connection.id):
        pass
    assert db.session.scalar(select(func.count()).where(OutboxEntry.state == "done")) == 1000
    assert calls(sandbox).get("batch") == 34 and calls(sandbox).get("coreplus") == 0


# --- nothing is sent ------------------------------------------------------------------------------------------


def test_a_read_only_connection_keeps_everything(imported: Connection, sandbox: Served) -> None:
    with transaction() as session:
        session.get_one(Connection, imported.id).read_only = True
    id_, _ = linked_contact(imported.id)
    edit(id_, {"given_name": "Zora"})
    sandbox.sandbox.counters.reset()
    assert sync.send(imported.id) == 0
    with transaction():
        assert sync.tend_outbox(now=clock.now()) == []
    assert only().state == "pending" and only().attempts == 0 and calls(sandbox) == {}


def test_what_has_nothing_left_to_say_is_dropped(imported: Connection, sandbox: Served) -> None:
    id_, remote_id = linked_contact(imported.id)
    edit(id_, {"given_name": "Zora"})
    change_there(sandbox, remote_id, GivenName="Zora", MiddleName="")
    run_import(imported.id)
    sandbox.sandbox.counters.reset()
    sync.send(imported.id)
    assert only().state == "dropped" and calls(sandbox) == {}


@pytest.mark.parametrize(
    ("name", "cause"), [("Smith: Kitchen", "bad_name"), ("\N{GRINNING FACE}", "no_name"), ("x" * 501, "too_long")]
)
def test_preflight_parks_without_a_call(connection: Connection, sandbox: Served, name: str, cause: str) -> None:
    [id_] = new_contacts(name[:500])
    with transaction() as session:
        sync.ask_create(session, [id_], connection.id, actor=PERSON, now=clock.now())
        if len(name) > 500:
            session.scalars(select(OutboxEntry)).one().options = {"display_name": name}
    sandbox.sandbox.counters.reset()
    sync.send(connection.id)
    assert (only().state, only().cause, only().evidence["field"]) == ("parked", cause, "display_name")
    assert calls(sandbox) == {}


@pytest.mark.parametrize("meanwhile", ["disconnected", "inactive"])
@pytest.mark.parametrize("theirs_changed", [True, False])
def test_an_edit_while_nothing_can_be_sent_is_kept_and_its_moment_counts(
    imported: Connection, sandbox: Served, meanwhile: str, theirs_changed: bool
) -> None:
    id_, remote_id = linked_contact(imported.id)
    edit(id_, {"website": "agreed.example"})
    sync.send(imported.id)
    if meanwhile == "inactive":
        change_there(sandbox, remote_id, Active=False)
        run_import(imported.id)
    if theirs_changed:
        change_there(sandbox, remote_id, WebAddr={"URI": "https://theirs-older.example"})
    _connect(imported.id, meanwhile != "disconnected")
    time.sleep(1.1)  # QuickBooks tells whole seconds
    edit(id_, {"website": "ours-newer.example"})
    assert sync.send(imported.id) == 0
    _connect(imported.id, True)
    run_import(imported.id)
    if meanwhile == "inactive":
        assert (only(operation="update", state="parked").cause, db.session.get_one(Contact, id_).website) == (
            "inactive", "ours-newer.example",
        )  # fmt: skip
        _make_active(imported.id, sandbox, remote_id, here=theirs_changed)
    with transaction():
        assert sync.tend_outbox(now=clock.now()) == [imported.id]
    sync.send(imported.id)
    assert there(sandbox, remote_id)["WebAddr"]["URI"] == "https://ours-newer.example"
    assert db.session.get_one(Contact, id_).website == "ours-newer.example"
    assert db.session.scalar(select(func.count()).select_from(Conflict)) == 0


def _make_active(connection_id: int, served: Served, remote_id: str, *, here: bool) -> None:
    if here:
        entry_id = only(state="parked").id
        with transaction():
            parked.reactivate(entry_id, actor=PERSON, now=clock.now())
    else:
        change_there(served, remote_id, Active=True)
        run_import(connection_id)


def _connect(connection_id: int, connected: bool) -> None:
    with transaction() as session:
        session.get_one(Connection, connection_id).state = "connected" if connected else "disconnected"


# --- trouble on the way ---------------------------------------------------------------------------------------


def test_a_lost_answer_makes_no_second_customer(connection: Connection, sandbox: Served) -> None:
    ask(connection.id, new_contacts("Lost Answer"))
    sandbox.sandbox.script.set([{"action": "drop_after", "path": "/batch"}])
    sync.send(connection.id)
    entry = only()
    key, body = entry.request_key, entry.body
    assert entry.state == "frozen" and entry.failures == 1 and entry.available_at > clock.now()
    assert len(named(sandbox, "Lost Answer")) == 1
    assert sync.send(connection.id) == 0
    due_now()
    sync.send(connection.id)
    assert len(named(sandbox, "Lost Answer")) == 1
    assert (only().state, only().request_key, only().body) == ("done", key, body)


def test_a_worker_killed_after_freezing_or_before_settling_loses_and_doubles_nothing(
    connection: Connection, sandbox: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    ask(connection.id, new_contacts("Killed Once", "Killed Twice"))
    for place in ((sending, "_ask"), (settling, "settle")):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(*place, killed)
            sync.send(connection.id)
        [key] = {entry.request_key for entry in entries(state="frozen")}
        assert sync.send(connection.id) == 0  # held by the lease
        due_now()
    sync.send(connection.id)
    assert [entry.state for entry in entries()] == ["done", "done"]
    assert {entry.request_key for entry in entries()} == {key}
    assert len(named(sandbox, "Killed Once")) == len(named(sandbox, "Killed Twice")) == 1


def test_an_answer_lost_long_ago_is_looked_for_before_it_is_repeated(connection: Connection, sandbox: Served) -> None:
    ask(connection.id, new_contacts("Long  Ago \N{GLOWING STAR}", "Never Came"))  # kept there as "Long Ago"
    sandbox.sandbox.script.set([{"action": "drop_after", "path": "/batch"}])
    sync.send(connection.id)
    [made] = named(sandbox, "Long Ago")
    with transaction() as session:
        entry = session.scalars(select(OutboxEntry).order_by(OutboxEntry.id.desc())).first()
        assert entry is not None
        contact = session.get_one(Contact, entry.local_id)
        contact.display_name = "Came Later"
        entry.changes = {"display_name": ["", "Never Came, Really"]}
    due_now(failures=6)
    sync.send(connection.id)
    first, second = entries()
    assert (first.state, first.remote_id) == ("done", made["Id"])
    assert second.state == "done" and second.generation == 2 and len(named(sandbox, "Came Later")) == 1


def test_what_was_written_and_cannot_be_read_is_never_made_again(
    connection: Connection, sandbox: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(connection.id, new_contacts("Odd Answer"))

    def unreadable(kind: str, body: Any) -> Refusal:
        return Refusal(kind, str(body["Id"]), "CreateTime is no moment.")

    with monkeypatch.context() as patch:
        patch.setattr(mapper, "to_record", unreadable)
        for later in ({}, {"frozen_at": clock.now() - timedelta(hours=7)}):
            sync.send(connection.id)
            entry = only()
            assert (entry.state, entry.cause) == ("parked", "fault") and "wrote the customer" in entry.error
            with transaction():
                parked.retry(entry.id, actor=PERSON, now=clock.now())
            due_now(**later)
        sync.send(connection.id)  # looked for, since it was so long ago: what cannot be read may be it
        assert only().request_key == entry.request_key and len(named(sandbox, "Odd Answer")) == 1
        with transaction():
            parked.retry(entry.id, actor=PERSON, now=clock.now())
    sync.send(connection.id)
    assert only().state == "done" and len(named(sandbox, "Odd Answer")) == 1
    with monkeypatch.context() as patch:  # an edit is nothing that could be there twice
        patch.setattr(mapper, "to_record", unreadable)
        edit(entry.local_id, {"city": "There", "street": "1 Main St"})
        sync.send(connection.id)
    changed = only(operation="update")
    assert (changed.state, changed.cause, changed.request_key) == ("parked", "fault", "")
    with transaction():
        parked.retry(changed.id, actor=PERSON, now=clock.now())
    sync.send(connection.id)
    assert only(operation="update").state in ("done", "dropped")
    assert named(sandbox, "Odd Answer")[0]["BillAddr"]["City"] == "There"


def test_a_stale_version_is_read_again_merged_and_sent(imported: Connection, sandbox: Served) -> None:
    id_, remote_id = linked_contact(imported.id)
    change_there(sandbox, remote_id, CompanyName="Theirs Ltd")
    edit(id_, {"given_name": "Zora"})
    sync.send(imported.id)
    after = there(sandbox, remote_id)
    assert (after["GivenName"], after["CompanyName"]) == ("Zora", "Theirs Ltd")
    entry = only()
    assert (entry.state, entry.generation, entry.rounds) == ("done", 2, 1)
    assert db.session.get_one(Contact, id_).company_name == "Theirs Ltd"


def test_a_record_that_changes_each_time_is_parked_in_the_end(imported: Connection, sandbox: Served) -> None:
    id_, remote_id = linked_contact(imported.id)
    edit(id_, {"given_name": "Zora"})

    def busy(connection_id: int, **how: Any) -> Any:
        change_there(sandbox, remote_id, Notes=f"edited at {clock.now().isoformat()}")
        return sending._books()(connection_id, **how)

    sync.send(imported.id, open_books=busy)
    assert (only().state, only().cause, only().rounds) == ("parked", "stale", 3)
    told = db.session.scalars(select(SyncLogEntry).where(SyncLogEntry.level != "info", SyncLogEntry.direction == "out"))
    assert {line.contact_id for line in told} == {only().local_id}, "every try is told at its contact"


def test_an_edit_meanwhile_takes_over_what_could_not_be_sent(imported: Connection, sandbox: Served) -> None:
    id_, remote_id = linked_contact(imported.id)
    change_there(sandbox, remote_id, Notes="moves the version")
    edit(id_, {"given_name": "Zora"})
    claim = claiming.claim_next(imported.id, now=clock.now())
    assert claim is not None and freezing._freeze(claim, now=clock.now())
    edit(id_, {"company_name": "Zora Ltd"})
    due_now()
    sync.send(imported.id)
    assert [entry.state for entry in entries()] == ["dropped", "done"]
    after = there(sandbox, remote_id)
    assert (after["GivenName"], after["CompanyName"]) == ("Zora", "Zora Ltd")


def test_one_bad_item_stops_none_of_the_other_29(connection: Connection, sandbox: Served) -> None:
    ids = new_contacts(*(f"Batch {number}" for number in range(29)), "Batch 7")
    ask(connection.id, ids)
    sandbox.sandbox.counters.reset()
    sync.send(connection.id)
    assert [entry.state for entry in entries()].count("done") == 29 and calls(sandbox).get("batch") == 1
    bad = only(state="parked")
    assert bad.cause == "duplicate_name" and bad.trace_id and bad.error_code == "6240"
    assert [holder["name"] for holder in bad.evidence["holders"]] == ["Batch 7"]


def test_settling_trouble_of_one_undoes_no_other(
    connection: Connection, sandbox: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = new_contacts("Fine One", "Cursed", "Fine Two")
    ask(connection.id, ids)
    finish = settling._finish

    def cursed(work: Any, answer: Any, *more: Any) -> None:
        if answer.entry.local_id == ids[1]:
            raise ZeroDivisionError
        finish(work, answer, *more)

    monkeypatch.setattr(settling, "_finish", cursed)
    sync.send(connection.id)
    assert [entry.state for entry in entries()] == ["done", "frozen", "done"]
    for _ in range(2):
        due_now()
        sync.send(connection.id)
    bad = only(local_id=ids[1])
    assert (bad.state, bad.cause) == ("parked", "our_error") and "ZeroDivisionError" in bad.evidence["traceback"]
    assert db.session.scalar(select(func.count()).where(Link.kind == "customer", Link.local_id == ids[1])) == 0


def test_a_body_that_cannot_be_made_stops_no_other(
    connection: Connection, sandbox: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crm.services.sync.outbox.kinds import customer

    prepared = customer._prepared

    def cursed(batch: Any, entry: OutboxEntry, *more: Any) -> Any:
        if entry.local_id == ids[1]:
            raise ZeroDivisionError
        return prepared(batch, entry, *more)

    monkeypatch.setattr(customer, "_prepared", cursed)
    ids = new_contacts("Fine One", "Cursed", "Fine Two")
    ask(connection.id, ids)
    for _ in range(3):
        sync.send(connection.id)
        due_now()
    assert [entry.state for entry in entries()] == ["done", "parked", "done"]
    assert len(named(sandbox, "Fine One")) == len(named(sandbox, "Fine Two")) == 1


class Pushes:
    """What goes out, and what goes wrong on our side once the books have answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fail: int = 0) -> None:
        self.seen: list[tuple[str, list[str]]] = []
        self.fail, push = fail, connections.Books.push

        def counted(books: connections.Books, drafts: Any, *, key: str) -> Any:
            self.seen.append((key, [draft.item for draft in drafts]))
            done = push(books, drafts, key=key)
            if len(self.seen) <= self.fail:
                raise TypeError("nobody knows why")
            return done

        monkeypatch.setattr(connections.Books, "push", counted)

    @property
    def keys(self) -> set[str]:
        return {key for key, _ in self.seen}


def test_an_answer_stands_though_the_call_could_not_be_counted(
    connection: Connection, sandbox: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushes, names = Pushes(monkeypatch), ("Alpha One", "Beta Two", "Gamma Three")
    count = connections.calls.count

    def away(connection_id: int, tally: Any, *, now: Any) -> None:
        if pushes.seen:
            raise PoolTimeout("no connection to the database is free")
        count(connection_id, tally, now=now)

    ask(connection.id, new_contacts(*names))
    monkeypatch.setattr(connections.calls, "count", away)
    sync.send(connection.id)
    assert len(pushes.seen) == 1 and {entry.state for entry in entries()} == {"done"}
    assert [len(named(sandbox, name)) for name in names] == [1, 1, 1]


@pytest.mark.parametrize("failures", [1, 3])
def test_an_answer_the_database_does_not_take_at_once_is_kept_without_another_call(
    connection: Connection, sandbox: Served, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    ask(connection.id, new_contacts("Alpha One"))
    pushes, finish, left = Pushes(monkeypatch), settling._finish, iter(range(failures))

    def deadlocked(*arguments: Any) -> None:
        if next(left, None) is not None:
            raise OperationalError("UPDATE", {}, sqlite3.OperationalError("database is locked"))
        finish(*arguments)

    monkeypatch.setattr(settling, "_finish", deadlocked)
    monkeypatch.setattr(sending, "SETTLE_AGAIN", (0, 0, 0))
    sync.send(connection.id)
    assert len(pushes.seen) == 1 and only().state == "done"
    assert len(named(sandbox, "Alpha One")) == 1


def test_trouble_of_ours_after_a_push_repeats_the_same_key_one_by_one(
    connection: Connection, sandbox: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(connection.id, new_contacts("Alpha One", "Beta Two"))
    pushes = Pushes(monkeypatch, fail=1)
    sync.send(connection.id)
    assert [len(items) for _, items in pushes.seen] == [2, 1, 1] and len(pushes.keys) == 1
    assert [(entry.state, entry.generation) for entry in entries()] == [("done", 1), ("done", 1)]
    assert len(named(sandbox, "Alpha One")) == len(named(sandbox, "Beta Two")) == 1


def test_what_may_have_been_done_keeps_its_key_when_a_person_tries_again(
    connection: Connection, sandbox: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(connection.id, new_contacts("Perhaps Done", city="Here", street="1 Main St"))
    pushes = Pushes(monkeypatch, fail=3)
    for _ in range(3):
        sync.send(connection.id)
        due_now()
    entry = only()
    assert (entry.state, entry.cause, {entry.request_key}) == ("parked", "our_error", pushes.keys)
    with transaction(), pytest.raises(Refused, match="may have done this already"):
        parked.use_name(entry.id, "Another Name", actor=PERSON, now=clock.now())
    with transaction():
        assert parked.retry_cause(connection.id, "our_error", actor=PERSON, now=clock.now()) == 1
    assert only().state == "frozen" and sync.send(connection.id) == 1
    assert only().state == "done" and len(pushes.keys) == 1 and len(named(sandbox, "Perhaps Done")) == 1


@pytest.mark.parametrize("how", ["edit", "retry", "skip", "drop"])
def test_a_lost_answer_that_was_parked_is_repeated_before_anything_else(
    connection: Connection, sandbox: Served, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    [id_] = new_contacts("Perhaps Done", city="Here", street="1 Main St")
    ask(connection.id, [id_])
    sandbox.sandbox.script.set([{"action": "drop_after", "path": "/batch"}])
    sync.send(connection.id)
    with transaction() as session:
        entry = session.scalars(select(OutboxEntry)).one()
        batch = Batch(session, books_of(session.get_one(Connection, connection.id)), clock.now())
        verdicts.park_sent(batch, entry, "no_answer", "No clear answer.", {}, certain=False)
    entry, pushes = only(), Pushes(monkeypatch)
    entry_id, key, body = entry.id, entry.request_key, entry.body
    with transaction():
        if how != "edit":
            getattr(parked, how)(entry_id, actor=PERSON, now=clock.now())
    if how != "retry":
        edit(id_, {"city": "There"})
    if how == "drop":  # given up, it stays so until somebody wants it there after all
        assert (only().state, sync.send(connection.id)) == ("dropped", 0)
        ask(connection.id, [id_])
    if how == "skip":
        assert only().state == "skipped"
        with transaction():
            parked.unskip(entry_id, actor=PERSON, now=clock.now())
    first = entries()[0]
    assert (first.state, first.operation, first.request_key, first.body) == ("frozen", "create", key, body)
    sync.send(connection.id)
    assert {entry.state for entry in entries()} == {"done"} and pushes.seen[0][0] == key
    [made] = named(sandbox, "Perhaps Done")
    assert made["BillAddr"]["City"] == ("Here" if how == "retry" else "There")


def test_what_may_have_been_done_never_gives_way_to_a_newer_entry(connection: Connection, sandbox: Served) -> None:
    [id_] = new_contacts("Perhaps Done", city="Here", street="1 Main St")
    ask(connection.id, [id_])
    sandbox.sandbox.script.set([{"action": "drop_after", "path": "/batch"}])
    sync.send(connection.id)
    edit(id_, {"city": "There"})
    with transaction() as session:
        entry = session.scalars(select(OutboxEntry).where(OutboxEntry.state == "frozen")).one()
        batch = Batch(session, books_of(session.get_one(Connection, connection.id)), clock.now())
        verdicts.park_sent(batch, entry, "no_answer", "No clear answer.", {}, certain=False)
    assert [entry.state for entry in entries()] == ["frozen", "pending"]
    due_now()
    sync.send(connection.id)
    assert [entry.state for entry in entries()] == ["done", "done"] and len(named(sandbox, "Perhaps Done")) == 1


def test_a_record_that_cannot_be_kept_when_it_is_read_again_stops_no_other(
    imported: Connection, sandbox: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bad, bad_there), (good, good_there) = _two_linked(imported.id)
    for id_, remote_id in ((bad, bad_there), (good, good_there)):
        change_there(sandbox, remote_id, CompanyName="Theirs Ltd")
        edit(id_, {"given_name": "Zora"})
    ask(imported.id, new_contacts("Fine New"))
    reread = Customers.reread

    def cursed(self: Customers, batch: Batch, records: Any) -> None:
        if any(record.origin.remote_id == bad_there for record in records):
            raise ZeroDivisionError
        reread(self, batch, records)

    monkeypatch.setattr(Customers, "reread", cursed)
    for _ in range(3):
        sync.send(imported.id)
        due_now()
    assert only(operation="create").state == only(local_id=good).state == "done"
    entry = only(local_id=bad)
    assert (entry.state, entry.cause) == ("parked", "our_error")
    assert "ZeroDivisionError" in entry.evidence["traceback"]
    assert (there(sandbox, good_there)["GivenName"], there(sandbox, good_there)["CompanyName"]) == (
        "Zora", "Theirs Ltd",
    )  # fmt: skip


def test_a_batch_that_cannot_be_settled_is_settled_one_by_one(
    connection: Connection, sandbox: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = new_contacts("Fine One", "Cursed", "Fine Two")
    ask(connection.id, ids)
    all_done, pushes = settling._all_done, Pushes(monkeypatch)

    def cursed(work: Any, answers: Any) -> None:
        if any(work.entries[entry_id].local_id == ids[1] for entry_id in answers):
            raise ZeroDivisionError
        all_done(work, answers)

    with monkeypatch.context() as patch:
        patch.setattr(settling, "_all_done", cursed)
        sync.send(connection.id)
    assert [(entry.state, entry.failures) for entry in entries()] == [("done", 0), ("frozen", 1), ("done", 0)]
    due_now()
    sync.send(connection.id)
    assert {entry.state for entry in entries()} == {"done"} and len(pushes.keys) == 1


def _two_linked(connection_id: int) -> list[tuple[int, str]]:
    first, remote_id = linked_contact(connection_id)
    return [(first, remote_id), linked_contact(connection_id, Contact.id != first)]


def test_what_a_refusal_means_cannot_be_read_for_trouble_of_ours(
    connection: Connection, sandbox: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(connection.id, new_contacts("Fine One", "Twice", "Twice"))

    def broken(*_: Any) -> None:
        raise TypeError("nobody knows why")

    monkeypatch.setattr(lookups, "_holders", broken)
    for _ in range(3):
        sync.send(connection.id)
        due_now()
    assert len(entries(state="done")) == 2
    entry = only(state="parked")
    assert entry.cause == "our_error" and "nobody knows why" in entry.evidence["traceback"]


def test_the_lease_is_renewed_while_calls_take_long(connection: Connection, sandbox: Served) -> None:
    ask(connection.id, new_contacts("Slow One"))
    start = clock.now()
    claim = claiming.claim_next(connection.id, now=start)
    assert claim is not None
    sent, passed = freezing._freeze(claim, now=start), [start]
    hold = sending._holding(sent, lambda: passed[0])
    for minutes, until in ((0.5, 4), (3, 7)):
        passed[0] = start + timedelta(minutes=minutes)
        hold()
        assert only().available_at == start + timedelta(minutes=until)
    with transaction() as session:
        session.scalars(select(OutboxEntry)).one().attempts += 1
    passed[0] = start + timedelta(minutes=6)
    hold()
    assert only().available_at == start + timedelta(minutes=7), "somebody else has it by now"


def test_throttled_calls_slow_the_company_and_lose_nothing(connection: Connection, sandbox: Served) -> None:
    ask(connection.id, new_contacts("Slowly"))
    sandbox.sandbox.script.set([{"action": "throttle", "path": "/batch"}])
    sync.send(connection.id)
    held = db.session.get_one(Connection, connection.id, populate_existing=True).held_until
    assert held is not None and held > clock.now() + timedelta(seconds=30) and only().state == "frozen"
    due_now()
    sandbox.sandbox.counters.reset()
    assert sync.send(connection.id) == 0 and calls(sandbox) == {}
    assert sync.send(connection.id, clock=lambda: held + timedelta(seconds=1)) == 1
    assert only().state == "done"


def test_a_revoked_grant_leaves_entries_untouched(imported: Connection, sandbox: Served) -> None:
    id_, _ = linked_contact(imported.id)
    edit(id_, {"given_name": "Zora"})
    sandbox.sandbox.authority.revoke_all()
    with transaction() as session:
        session.get_one(Connection, imported.id).access_expires_at = clock.now()
    sync.send(imported.id)
    assert db.session.get_one(Connection, imported.id, populate_existing=True).state == "needs_reconnect"
    assert only().failures == 0 and only().cause == "" and only().state in ("pending", "frozen")
    due_now()
    assert sync.send(imported.id) == 0


def test_two_senders_at_once_send_everything_once(app: Flask, connection: Connection, sandbox: Served) -> None:
    ask(connection.id, new_contacts(*(f"Shared {number}" for number in range(90))))
    sandbox.sandbox.counters.reset()
    sandbox.sandbox.script.set([{"action": "latency", "seconds": 0.1, "count": None, "path": "/batch"}])

    def work() -> None:
        with app.app_context():
            sync.send(connection.id)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert {entry.state for entry in entries()} == {"done"} and {entry.attempts for entry in entries()} == {1}
    assert calls(sandbox).get("batch") == 3
    assert db.session.scalar(select(func.count()).select_from(Link)) == 90


def test_people_who_edit_while_it_is_sent_lose_nothing_and_nobody_waits_for_ever(
    app: Flask, imported: Connection, sandbox: Served
) -> None:
    found = db.session.execute(
        select(Link.local_id, Link.remote_id).join(Contact, Contact.id == Link.local_id).order_by(Link.id).limit(8)
        .where(Link.kind == "customer", Contact.link_state == "linked")
    )  # fmt: skip
    remote_ids = {local_id: remote_id for local_id, remote_id in found}
    trouble: list[BaseException] = []
    stop = threading.Event()
    for id_ in remote_ids:
        edit(id_, {"company_name": "Before"})

    def editor(field: str) -> None:
        with app.app_context():
            for number in range(4):
                for id_ in remote_ids:
                    try:
                        edit(id_, {field: f"{field} {number}"})
                    except Changed:
                        edit(id_, {field: f"{field} {number}"})

    def sender() -> None:
        with app.app_context():
            while not stop.is_set():
                sync.send(imported.id)
                db.session.remove()

    def watched(work: Any, *args: Any) -> None:
        try:
            work(*args)
        except BaseException as error:
            trouble.append(error)

    editors = [threading.Thread(target=watched, args=(editor, field)) for field in ("given_name", "family_name")]
    senders = [threading.Thread(target=watched, args=(sender,)) for _ in range(2)]
    for worker in editors + senders:
        worker.start()
    for worker in editors:
        worker.join()
    stop.set()
    for worker in senders:
        worker.join()
    due_now()
    sync.send(imported.id)
    assert not trouble
    assert "done" in {entry.state for entry in entries()} <= {"done", "dropped"}
    for id_, remote_id in remote_ids.items():
        after = there(sandbox, remote_id)
        assert (after["GivenName"], after["FamilyName"]) == ("given_name 3", "family_name 3")
        assert db.session.get_one(Contact, id_).given_name == "given_name 3"


def test_a_worker_that_lost_its_claim_settles_nothing(connection: Connection, sandbox: Served) -> None:
    ask(connection.id, new_contacts("Slow Worker"))
    claim = claiming.claim_next(connection.id, now=clock.now())
    assert claim is not None
    slow = freezing._freeze(claim, now=clock.now())
    due_now()
    again = claiming.claim_next(connection.id, now=clock.now())
    assert again is not None and again.frozen and len(freezing.frozen_of(again)) == 1
    error = OutcomeUnknown("too late")
    settling.call_failed(connection.id, slow, error, now=clock.now(), jitter=0)
    answers = {slow[0].entry_id: Pushed(slow[0].draft.item, error=Rejected("too late"))}
    settling.settle(connection.id, slow, answers, Found(), now=clock.now(), jitter=0, took=1)
    entry = only()
    assert (entry.state, entry.failures, entry.error) == ("frozen", 0, "")


def test_an_edit_while_the_same_field_is_under_way_is_no_conflict(imported: Connection, sandbox: Served) -> None:
    id_, remote_id = linked_contact(imported.id)
    edit(id_, {"given_name": "First"})
    claim = claiming.claim_next(imported.id, now=clock.now())
    assert claim is not None and freezing._freeze(claim, now=clock.now())
    edit(id_, {"given_name": "Second"})
    due_now()
    sync.send(imported.id)
    assert [entry.state for entry in entries()] == ["done", "done"]
    assert [entry.changes["given_name"][1] for entry in entries()] == ["First", "Second"]
    assert there(sandbox, remote_id)["GivenName"] == "Second"
    assert db.session.scalar(select(func.count()).select_from(Conflict)) == 0


@pytest.mark.parametrize("how", ["in only", "paused", "company paused", "read-only"])
def test_what_is_frozen_is_finished_unless_the_company_as_a_whole_is_paused(
    connection: Connection, sandbox: Served, how: str
) -> None:
    ask(connection.id, new_contacts("Frozen One", "Frozen Two"))
    sandbox.sandbox.script.set([{"action": "drop_after", "path": "/batch"}])
    sync.send(connection.id)
    with transaction() as session:
        session.get_one(Connection, connection.id).read_only = how == "read-only"
        if how != "read-only":
            kind = "*" if how == "company paused" else "customer"
            session.add(SyncSettings(connection_id=connection.id, kind=kind, version=1, paused="paused" in how,
                                     direction="in" if how == "in only" else "both", changed_at=clock.now(),
                                     changed_by="Rosa"))  # fmt: skip
    due_now()
    finished = how in ("in only", "paused")
    with transaction():
        assert sync.tend_outbox(now=clock.now()) == ([connection.id] if finished else [])
    sync.send(connection.id)
    assert {entry.state for entry in entries()} == {"done" if finished else "frozen"}
    ask(connection.id, new_contacts("Not Begun"))
    assert sync.send(connection.id) == 0
    with transaction():
        assert sync.tend_outbox(now=clock.now()) == []


# --- a person decides -----------------------------------------------------------------------------------------


def test_a_name_that_a_vendor_has_is_parked_with_the_vendor_and_a_free_name(
    connection: Connection, sandbox: Served
) -> None:
    vendor = _make(sandbox, "vendor", DisplayName="Shared Name")
    [id_] = new_contacts("Shared Name", city="Liberty")
    ask(connection.id, [id_])
    sync.send(connection.id)
    entry = only()
    assert (entry.state, entry.cause) == ("parked", "duplicate_name")
    [holder] = entry.evidence["holders"]
    assert (holder["kind"], holder["remote_id"], holder["adoptable"]) == ("vendor", vendor, False)
    assert entry.evidence["suffix"] == "Shared Name (Liberty)"
    with transaction():
        parked.use_name(entry.id, entry.evidence["suffix"], actor=PERSON, now=clock.now())
    sync.send(connection.id)
    assert only().state == "done" and len(named(sandbox, "Shared Name (Liberty)")) == 1
    edit(id_, {"city": "Gladstone"})
    sync.send(connection.id)
    [made] = named(sandbox, "Shared Name (Liberty)")
    assert made["BillAddr"]["City"] == "Gladstone"
    assert db.session.get_one(Contact, id_).display_name == "Shared Name"


def test_a_customer_that_has_the_name_can_be_adopted(connection: Connection, sandbox: Served) -> None:
    remote_id = _make(sandbox, "customer", DisplayName="Already There", CompanyName="There Ltd")
    [id_] = new_contacts("already there", city="Liberty", street="1 Main St")
    ask(connection.id, [id_])
    sync.send(connection.id)
    entry = only()
    [holder] = entry.evidence["holders"]
    assert entry.cause == "duplicate_name" and (holder["remote_id"], holder["adoptable"]) == (remote_id, True)
    with transaction():
        parked.adopt(entry.id, remote_id, actor=PERSON, now=clock.now())
    sync.send(connection.id)
    assert only().state in ("done", "dropped")
    assert (
        db.session.scalars(select(Link).where(Link.kind == "customer", Link.local_id == id_)).one().remote_id
        == remote_id
    )
    assert db.session.get_one(Contact, id_).company_name == "There Ltd"


def test_a_name_in_the_mirror_costs_no_call(imported: Connection, sandbox: Served) -> None:
    _, remote_id = linked_contact(imported.id)
    name = there(sandbox, remote_id)["DisplayName"]
    ask(imported.id, new_contacts(name.upper()))
    sandbox.sandbox.counters.reset()
    sync.send(imported.id)
    assert only(state="parked").evidence["holders"][0]["remote_id"] == remote_id and calls(sandbox) == {}


def test_editing_the_contact_mends_what_is_parked(connection: Connection, sandbox: Served) -> None:
    [id_] = new_contacts("Colon: Not Allowed")
    ask(connection.id, [id_])
    sync.send(connection.id)
    assert only().state == "parked"
    edit(id_, {"display_name": "Colon Not Allowed"})
    assert (only().state, only().cause, only().operation) == ("pending", "", "create")
    sync.send(connection.id)
    assert only().state == "done" and len(named(sandbox, "Colon Not Allowed")) == 1


def test_skipping_is_reversible_and_one_cause_is_mended_together(connection: Connection) -> None:
    ids = new_contacts("One: two", "Three: four")
    ask(connection.id, ids)
    sync.send(connection.id)
    first, second = entries(state="parked")
    with transaction():
        parked.skip(first.id, actor=PERSON, now=clock.now())
    edit(first.local_id, {"city": "Liberty"})
    assert only(id=first.id).state == "skipped" and "address" in only(id=first.id).fields
    with transaction():
        parked.unskip(first.id, actor=PERSON, now=clock.now())
        assert parked.retry_cause(connection.id, "bad_name", actor=PERSON, now=clock.now()) == 1
    assert {entry.state for entry in entries()} == {"pending"}
    sync.send(connection.id)
    with transaction():
        parked.drop(second.id, actor=PERSON, now=clock.now())
    assert only(id=second.id).state == "dropped"


def test_a_customer_made_inactive_there_is_made_active_again_and_gets_the_edit(
    imported: Connection, sandbox: Served
) -> None:
    id_, remote_id = linked_contact(imported.id)
    change_there(sandbox, remote_id, Active=False)
    run_import(imported.id)
    edit(id_, {"given_name": "Zora"})
    sync.send(imported.id)
    entry = only()
    assert (entry.state, entry.cause) == ("parked", "inactive")
    with transaction():
        parked.reactivate(entry.id, actor=PERSON, now=clock.now())
    sync.send(imported.id)
    after = there(sandbox, remote_id)
    assert after["Active"] is True and after["GivenName"] == "Zora"
    assert db.session.get_one(Contact, id_, populate_existing=True).link_state == "linked"


@pytest.mark.parametrize("button", ["create_again", "unlink"])
def test_a_customer_that_is_gone_there_is_created_again_or_let_go(
    connection: Connection, sandbox: Served, button: str
) -> None:
    survivor = _make(sandbox, "customer", DisplayName="Survivor")
    [id_] = new_contacts("Was Merged")
    ask(connection.id, [id_])
    sync.send(connection.id)
    merged = requests.post(
        f"{sandbox.url}/_sandbox/merge",
        timeout=10,
        json={"realm": sandbox.realm, "survivor": survivor, "loser": only().remote_id},
    )
    merged.raise_for_status()
    edit(id_, {"given_name": "Zora"})
    sync.send(connection.id)
    entry = only(operation="update")
    assert (entry.state, entry.cause) == ("parked", "gone")
    with transaction():
        getattr(parked, button)(entry.id, actor=PERSON, now=clock.now())
    sync.send(connection.id)
    again = button == "create_again"
    assert only(id=entry.id).state == ("done" if again else "dropped")
    assert len(named(sandbox, "Was Merged")) == again
    assert db.session.scalar(select(func.count()).where(Link.kind == "customer", Link.local_id == id_)) == again


def test_admins_are_told_of_what_is_parked_for_an_hour(connection: Connection) -> None:
    ask(connection.id, new_contacts("One: two"))
    sync.send(connection.id)
    for minutes, number in ((30, 0), (61, 1)):
        with transaction():
            sync.tell_parked(now=clock.now() + timedelta(minutes=minutes))
        assert db.session.scalar(select(func.count()).where(Notice.topic == "parked")) == number
    entry = only()
    with transaction():
        parked.drop(entry.id, actor=PERSON, now=clock.now())
        sync.tell_parked(now=clock.now() + timedelta(minutes=62))
    assert db.session.scalars(select(Notice)).one().settled_at is not None


def _make(served: Served, entity: str, **fields: Any) -> str:
    tokens = served.connect()
    answer = requests.post(
        f"{served.url}/v3/company/{served.realm}/{entity}",
        json=fields,
        headers={"Authorization": f"Bearer {tokens.access}", "Accept": "application/json"},
        timeout=10,
    )
    answer.raise_for_status()
    return str(next(iter(answer.json().values()))["Id"])
