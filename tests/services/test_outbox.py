"""Noting what must leave: one entry per object, whoever comes first; what waits for what."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from crm import clock
from crm.db import db, transaction
from crm.domain.contact_files import FileRow
from crm.domain.contacts import Draft, Entry
from crm.models import Connection, Contact, ContactImport, ContactImportRow, Link, OutboxEntry, OutboxNeed
from crm.services import contact_import_rows, contacts
from crm.services.audit import SYSTEM, Actor
from crm.services.contact_import_decisions import Decision
from crm.services.sync.outbox import claiming, freezing, outbox, parked
from crm.services.sync.outbox.outbox import Wish
from tests.factories import ContactFactory

PERSON = Actor("rosa@example.com", shown_as="Rosa")


@pytest.fixture
def connection(app: Flask) -> Connection:
    with transaction() as session:
        row = Connection(provider="quickbooks", realm_id="1", realm_fingerprint="one", state="connected",
                         read_only=False, connected_at=clock.now())  # fmt: skip
        session.add(row)
    return row


def linked(connection: Connection, number: int = 1, **values: Any) -> list[int]:
    now = clock.now()
    with transaction() as session:
        made: list[Any] = [ContactFactory(**values) for _ in range(number)]
        session.flush()
        session.add_all(
            Link(connection_id=connection.id, kind="customer", local_id=one.id, remote_id=str(one.id), linked_at=now,
                 synced_at=now)
            for one in made
        )  # fmt: skip
        return [one.id for one in made]


def note(connection: Connection, local_id: int, operation: str = "update", **more: Any) -> OutboxEntry:
    given: dict[str, Any] = {"trigger": "change", "actor": SYSTEM, "now": clock.now()} | more
    with transaction() as session:
        return outbox.note(session, connection.id, "customer", local_id, operation=operation, **given)


def state(entry: OutboxEntry, value: str, **values: Any) -> None:
    with transaction() as session:
        row = session.get_one(OutboxEntry, entry.id)
        row.state = value
        for name, text in values.items():
            setattr(row, name, text)


def stored() -> list[OutboxEntry]:
    db.session.remove()
    return list(db.session.scalars(select(OutboxEntry).order_by(OutboxEntry.id)))


@pytest.mark.parametrize(
    ("before", "trigger", "after"),
    [("pending", "change", "pending"), ("parked", "change", "pending"), ("skipped", "change", "skipped"),
     ("skipped", "plan", "skipped"), ("skipped", "person", "pending")],
)  # fmt: skip
def test_a_waiting_entry_absorbs(connection: Connection, before: str, trigger: str, after: str) -> None:
    [id_] = linked(connection)
    entry = note(connection, id_, fields=["phone"])
    state(entry, before, cause="bad_name", error="Colon", failures=4)
    note(connection, id_, fields=["email"], trigger=trigger)
    [entry] = stored()
    assert entry.state == after and set(entry.fields) == {"phone", "email"}
    mended = before != after
    assert (entry.cause, entry.failures) == (("", 0) if mended else ("bad_name", 4))


@pytest.mark.parametrize("before", ["frozen", "done", "dropped"])
def test_what_is_on_its_way_or_settled_absorbs_nothing(connection: Connection, before: str) -> None:
    [id_] = linked(connection)
    state(note(connection, id_, fields=["phone"]), before)
    note(connection, id_, fields=["email"])
    assert [(entry.state, set(entry.fields)) for entry in stored()] == [(before, {"phone"}), ("pending", {"email"})]


@pytest.mark.parametrize(
    ("first", "then", "operation"),
    [("create", "update", "create"), ("update", "deactivate", "deactivate"), ("deactivate", "update", "deactivate"),
     ("deactivate", "reactivate", "reactivate"), ("reactivate", "update", "reactivate"),
     ("update", "create", "create")],
)  # fmt: skip
def test_two_wishes_become_one_operation(connection: Connection, first: str, then: str, operation: str) -> None:
    note(connection, 7, first)
    assert note(connection, 7, then).operation == operation and len(stored()) == 1


def test_a_create_that_is_taken_back_was_never_there(connection: Connection) -> None:
    note(connection, 7, "create")
    assert note(connection, 7, "deactivate", trigger="undo").state == "dropped"
    note(connection, 7, "create")
    assert [entry.state for entry in stored()] == ["dropped", "pending"]


def test_two_who_note_the_same_object_at_once_make_one_entry(app: Flask, connection: Connection) -> None:
    ids, ready = list(range(1, 41)), threading.Barrier(4)

    def work(field: str) -> None:
        with app.app_context():
            ready.wait()
            for id_ in ids:
                with transaction() as session:
                    outbox.note(session, connection.id, "customer", id_, operation="update", fields=[field],
                                trigger="change", actor=SYSTEM, now=clock.now())  # fmt: skip

    workers = [threading.Thread(target=work, args=(field,)) for field in ("phone", "email", "fax", "website")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(stored()) == len(ids)
    assert all(set(entry.fields) == {"phone", "email", "fax", "website"} for entry in stored())


def test_only_edits_of_shared_fields_of_linked_contacts_are_noted(connection: Connection) -> None:
    [id_] = linked(connection, display_name="Ann Lee", city="Liberty", street="1 Main St")
    with transaction() as session:
        other: Any = ContactFactory()
        session.flush()
        stranger = other.id
    more: dict[str, Any]
    for contact_id, values, more in (
        (stranger, {"city": "Elsewhere"}, {}),
        (id_, {"type": "partner"}, {"tags": ["warranty"]}),
        (id_, {"display_name": "ann lee"}, {}),
    ):
        with transaction():
            version = contacts.find(contact_id).version
            contacts.change(contact_id, values, version=version, actor=PERSON, now=clock.now(), **more)
    assert stored() == []
    with transaction():
        contacts.change(id_, {"city": "Gladstone"}, lines={"phone": [Entry("phone", "816 555 0188", "mobile")]},
                        version=contacts.find(id_).version, actor=PERSON, now=clock.now())  # fmt: skip
    [entry] = stored()
    assert set(entry.fields) == {"address", "mobile"} and entry.actor == "Rosa" and entry.trigger == "change"


@pytest.mark.parametrize(
    ("state_", "link", "noted"),
    [("disconnected", "linked", True), ("connected", "inactive", True), ("connected", "gone", False)],
)
def test_an_edit_is_noted_unless_the_customer_is_gone(
    connection: Connection, state_: str, link: str, noted: bool
) -> None:
    [id_] = linked(connection)
    with transaction() as session:
        session.get_one(Connection, connection.id).state = state_
        session.scalars(select(Link)).one().state = link
        outbox.contact_changed(session, id_, ["phone"], actor=PERSON, now=clock.now())
    assert [(entry.state, set(entry.fields)) for entry in stored()] == ([("pending", {"phone"})] if noted else [])
    claimed = claiming.claim_next(connection.id, now=clock.now())
    assert (claimed is not None) is (noted and state_ == "connected")


def test_many_contacts_cost_few_statements(connection: Connection) -> None:
    ids = linked(connection, 1000)
    number = 0

    def count(*_: object) -> None:
        nonlocal number
        number += 1

    event.listen(db.engine, "before_cursor_execute", count)
    try:
        with transaction() as session:
            outbox.contacts_changed(session, {id_: ["phone"] for id_ in ids}, actor=PERSON, now=clock.now())
    finally:
        event.remove(db.engine, "before_cursor_execute", count)
    assert db.session.scalar(select(func.count()).select_from(OutboxEntry)) == 1000 and number < 20


def test_what_needs_a_link_waits_for_it_without_failing(connection: Connection) -> None:
    waits, needed = note(connection, 7, needs=[("customer", 8)]), note(connection, 8, "create")
    for one in ("parked", "skipped", "frozen"):
        state(needed, one, available_at=clock.now() + claiming.LEASE)
        assert claiming.claim_next(connection.id, now=clock.now()) is None
        assert claiming.due(db.session(), now=clock.now()) == []
    link(connection, 8)
    assert claiming.due(db.session(), now=clock.now()) == [connection.id]
    claim = claiming.claim_next(connection.id, now=clock.now())
    assert claim is not None and set(claim.entries) == {waits.id} and stored()[0].failures == 0


@pytest.mark.parametrize(("linked_as", "cause"), [("", "reference"), ("inactive", ""), ("gone", "")])
def test_what_needs_something_nobody_brings_there_is_parked_or_left_to_its_kind(
    connection: Connection, linked_as: str, cause: str
) -> None:
    [id_] = linked(connection)
    with transaction() as session:
        row = session.scalars(select(Link)).one()
        session.delete(row)
    entry = note(connection, id_, "create", needs=[("customer", 8)])
    state(note(connection, 8, "create"), "dropped")
    if linked_as:
        link(connection, 8, linked_as)
    assert claiming.due(db.session(), now=clock.now()) == [connection.id]
    claim = claiming.claim_next(connection.id, now=clock.now())
    assert claim is not None and set(claim.entries) == {entry.id}
    assert len(freezing._freeze(claim, now=clock.now())) == (not cause)
    assert (stored()[0].state, stored()[0].cause) == ("parked" if cause else "frozen", cause)


def link(connection: Connection, local_id: int, state_: str = "linked") -> None:
    now = clock.now()
    with transaction() as session:
        session.add(Link(connection_id=connection.id, kind="customer", local_id=local_id, remote_id=f"r{local_id}",
                         state=state_, linked_at=now, synced_at=now))  # fmt: skip


def test_what_is_on_its_way_keeps_the_next_of_the_same_object_back(connection: Connection) -> None:
    later = clock.now() + claiming.LEASE
    state(note(connection, 7), "frozen", request_key="k", available_at=later)
    second, other = note(connection, 7), note(connection, 8)
    claim = claiming.claim_next(connection.id, now=clock.now())
    assert claim is not None and list(claim.entries) == [other.id] and second.id not in claim.entries
    claim = claiming.claim_next(connection.id, now=later)
    assert claim is not None and claim.frozen and len(claim.entries) == 1, "frozen ones alone, and first"


@pytest.mark.parametrize(
    "values", [{"read_only": True}, {"state": "needs_reconnect"}, {"state": "disconnected"}, {"held_until": "later"}]
)
def test_a_connection_that_may_not_be_written_to_claims_nothing(connection: Connection, values: dict[str, Any]) -> None:
    note(connection, 7)
    later = clock.now() + claiming.LEASE
    with transaction() as session:
        row = session.get_one(Connection, connection.id)
        for name, value in values.items():
            setattr(row, name, later if value == "later" else value)
    assert claiming.claim_next(connection.id, now=clock.now()) is None and stored()[0].attempts == 0


def test_what_waits_behind_is_counted_through_all_that_needs_it(connection: Connection) -> None:
    customer = note(connection, 1, "create")
    with transaction() as session:
        invoices = outbox.note_many(
            session, connection.id, "invoice", {n: Wish("create", needs=(("customer", 1),)) for n in range(1, 15)},
            trigger="change", actor=SYSTEM, now=clock.now(),
        )  # fmt: skip
        outbox.note_many(
            session, connection.id, "payment",
            {n: Wish("create", needs=(("invoice", n), ("customer", 1))) for n in range(1, 10)},
            trigger="change", actor=SYSTEM, now=clock.now(),
        )  # fmt: skip
    behind = parked.waiting_behind(db.session(), [customer.id, invoices[1], invoices[14]])
    assert behind == {customer.id: {"invoice": 14, "payment": 9}, invoices[1]: {"payment": 1}, invoices[14]: {}}
    state(stored()[-1], "done")
    assert parked.waiting_behind(db.session(), [customer.id])[customer.id] == {"invoice": 14, "payment": 8}
    assert db.session.scalar(select(func.count()).select_from(OutboxNeed)) == 32


def test_asking_for_a_create_leaves_out_who_is_there_may_be_there_or_is_archived(connection: Connection) -> None:
    [there] = linked(connection)
    with transaction() as session:
        made: list[Any] = [ContactFactory(), ContactFactory(link_state="review"),
                           ContactFactory(archived_at=clock.now())]  # fmt: skip
        fresh, maybe, old = made
        session.flush()
        ids = [there, fresh.id, maybe.id, old.id, 999_999]
        asked = parked.ask_create(session, ids, connection.id, actor=PERSON, now=clock.now())
    assert (asked.noted, asked.linked, asked.review, asked.archived) == (1, 1, 1, 1)
    [entry] = stored()
    assert (entry.local_id, entry.operation, entry.trigger, entry.actor) == (fresh.id, "create", "person", "Rosa")
    assert db.session.get_one(Contact, fresh.id).link_state == "none"


def test_a_file_that_fills_linked_contacts_is_noted(connection: Connection) -> None:
    [id_] = linked(connection, display_name="Ann Lee", email="ann@lee.example")
    with transaction() as session:
        file = ContactImport(filename="list.csv", state="running", created_at=clock.now())
        session.add(file)
        session.flush()
        row = ContactImportRow(import_id=file.id, number=2, cells=[])
        session.add(row)
        session.flush()
        read = FileRow(Draft({"display_name": "Ann Lee", "city": "Liberty", "street": "1 Main St"}))
        decision = Decision(row, read, [], "updated", contact_id=id_)
        contact_import_rows.carry_out([decision], owner_id=None, actor=Actor("list.csv", source="file"),
                                      now=clock.now())  # fmt: skip
    [entry] = stored()
    assert set(entry.fields) == {"address"} and entry.actor == "list.csv"
