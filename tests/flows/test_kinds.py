"""Kinds come in by one registry: lists and their deletions, what an event takes along, intervals of their own, and a
kind that joins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, table_of, transaction
from crm.domain.errors import Changed, Invalid
from crm.domain.records import DocumentRecord, ItemRecord
from crm.domain.runs import LISTS, RESOURCES
from crm.models import Connection, Document, InboxEvent, Item, ListEntry, Sweep, SyncLogEntry
from crm.providers.accounting.base import Changes
from crm.providers.accounting.quickbooks import provider as quickbooks_provider
from crm.services import connections
from crm.services.audit import SYSTEM
from crm.services.sync import settings
from crm.services.sync.imports.fetch import Names
from crm.services.sync.imports.steps import STEPS, plan
from crm.services.sync.inbox import replaying
from crm.services.sync.mirror.bulk import upsert
from crm.services.sync.mirror.kinds import INCOMING
from crm.services.sync.mirror.port import Incoming
from crm.services.sync.mirror.stored import as_stored, content_hash
from crm.services.sync.mirror.table import Mirror
from crm.services.sync.outbox.kinds import names
from crm.services.sync.sweep import asking, sweep
from crm.services.sync.work import Batch
from sandbox import Served, serving
from tests.flows.changes import Company, document
from tests.flows.imports import opened, run_import
from tests.flows.test_changes import linked, sold
from tests.images import after_import
from tests.quickbooks import connect, quickbooks  # noqa: F401


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
    after_import(connection.id, sandbox)
    with transaction():
        sweep.ring_due(now=clock.now())
    assert sweep.run(connection.id, clock=clock.now)
    return Company(sandbox, client, connection)


def row(connection_id: int) -> Sweep:
    db.session.remove()
    return db.session.get_one(Sweep, connection_id)


def entry(kind: str, remote_id: str) -> ListEntry | None:
    db.session.remove()
    mine = (ListEntry.kind == kind, ListEntry.remote_id == remote_id)
    return db.session.scalars(select(ListEntry).where(*mine)).one_or_none()


# --- the registry ---------------------------------------------------------------------------------------------


def test_every_kind_that_can_be_imported_comes_in_and_has_its_step() -> None:
    assert set(INCOMING) >= {*LISTS, *RESOURCES}
    assert set(RESOURCES) <= set(STEPS) and all(one.kind == kind for kind, one in INCOMING.items())


def test_lists_are_read_first_and_only_where_something_points_to_them() -> None:
    assert plan(list(RESOURCES))[:2] == ["lists", "customer"]
    assert "lists" not in plan(["customer"]) and plan(["invoice"])[0] == "lists"


def test_a_kind_that_follows_is_told_of_what_stands_here_by_every_way_in(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import, an event and a sweep, each with what it read; never of what was refused."""
    told: list[tuple[str, Decimal, int | None]] = []
    invoices = INCOMING["invoice"]

    def applied(batch: Batch, records: Sequence[DocumentRecord]) -> None:
        for record in records:
            stands = batch.session.scalars(
                select(Document).where(Document.kind == "invoice", Document.remote_id == record.origin.remote_id)
            ).one()
            told.append((stands.remote_id, stands.total, stands.contact_id))

    monkeypatch.setattr(invoices, "follows", True)
    monkeypatch.setattr(invoices, "applied", applied)
    customer = linked()
    invoice = sold(company, customer)
    company.told()
    assert told == [(invoice["Id"], Decimal("100.00"), customer.contact_id)]
    told.clear()
    second = sold(company, customer, "55.00")
    with transaction() as session:
        session.get_one(Sweep, company.connection.id).available_at = clock.now()
    sweep.run(company.connection.id, clock=clock.now)
    assert (second["Id"], Decimal("55.00"), customer.contact_id) in told
    told.clear()
    with connections.books(company.connection.id, clock=clock.now) as real:

        class Huge:
            """Says that the second is worth more than can be kept."""

            spec = real.spec

            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

            def scan(self, kind: str, cursor: str | None = None) -> Any:
                page = real.scan(kind, cursor)
                return replace(page, records=tuple(
                    replace(one, total=Decimal(10) ** 16) if one.origin.remote_id == second["Id"] else one
                    for one in page.records
                )) if kind == "invoice" else page  # fmt: skip

        run_import(company.connection.id, ["invoice"], open_books=opened(Huge()))
    ids = {one[0] for one in told}
    assert invoice["Id"] in ids and second["Id"] not in ids


class Things(Incoming):
    """Products, as plainly as a kind can come in."""

    kind, word, shape, confirms = "item", "Thing", ItemRecord, True
    mirror = Mirror(Item, Item.name)

    def take(self, batch: Batch, records: Sequence[ItemRecord], names: Names) -> Sequence[str]:
        rows = [
            {"connection_id": batch.books.id, "remote_id": one.origin.remote_id, "version": one.origin.version,
             "name": one.name, "full_path": one.full_path, "type": one.type, "sku": one.sku, "active": one.active,
             "record": as_stored(one), "content_hash": content_hash(as_stored(one)),
             "remote_updated_at": one.origin.updated_at, "seen_at": batch.now, "seen_run_id": batch.run_id,
             "gone_at": None}
            for one in records
        ]  # fmt: skip
        upsert(batch.session, table_of(Item), rows, by=("connection_id", "remote_id"))
        return ()


def test_a_kind_joins_by_a_class_and_a_line(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its events are taken in, told of in words, and what is not there any more is gone after the second look."""
    monkeypatch.setitem(INCOMING, "item", Things())
    made = company.api.item("Trowel")
    assert [(event.outcome, event.message) for event in company.told(only="Item")] == [
        ("changed", "“Trowel” is new in QuickBooks.")
    ]
    with transaction() as session:
        session.add(Item(connection_id=company.connection.id, remote_id="99999", name="Rake", content_hash="x",
                         seen_at=clock.now()))  # fmt: skip
        replaying.read_again(company.connection.id, "item", "99999", actor=SYSTEM, now=clock.now())
    assert company.taken()[-1].state == "pending"
    assert company.taken(later=60)[-1].outcome == "gone"
    stands = {row.remote_id: row for row in db.session.scalars(select(Item))}
    assert stands[made["Id"]].gone_at is None
    assert stands["99999"].gone_at is not None and not stands["99999"].content_hash
    lines = db.session.scalars(select(SyncLogEntry.message).where(SyncLogEntry.event == "record_gone")).all()
    assert lines == ["Thing Rake was deleted in QuickBooks."]


# --- lists ----------------------------------------------------------------------------------------------------


def test_an_import_keeps_every_list_whole_and_marks_what_is_not_there_any_more(company: Company) -> None:
    kinds = set(db.session.scalars(select(ListEntry.kind)))
    assert kinds >= {"term", "payment_method", "account", "tax_code", "tax_rate"}
    term = company.api.write("Term", {"Name": "Net 45", "DueDays": 45})
    with transaction() as session:
        for kind in ("term", "account"):
            session.add(ListEntry(connection_id=company.connection.id, kind=kind, remote_id="99999", name="Gone there",
                                  active=True, details={}, seen_at=clock.now()))  # fmt: skip
    run = run_import(company.connection.id, ["estimate"])
    assert run.state == "done" and run.progress["lists"]["done"] == len(LISTS)
    kept = entry("term", term["Id"])
    assert kept is not None and (kept.name, kept.active, kept.details["due_days"]) == ("Net 45", True, 45)
    for kind in ("term", "account"):
        gone = entry(kind, "99999")
        assert gone is not None and not gone.active and gone.name == "Gone there"


def test_a_term_that_is_new_or_inactive_there_comes_with_the_next_sweep(company: Company) -> None:
    made = company.api.write("Term", {"Name": "Net 75", "DueDays": 75})
    swept(company)
    kept = entry("term", made["Id"])
    assert kept is not None and kept.active
    company.api.write("Term", {"Id": made["Id"], "SyncToken": made["SyncToken"], "sparse": True, "Active": False})
    swept(company)
    kept = entry("term", made["Id"])
    assert kept is not None and (kept.active, kept.name) == (False, "Net 75")


def test_employees_are_kept_by_name_alone_and_one_that_is_gone_bears_none(company: Company) -> None:
    """New, renamed and inactive by the next sweep; what a complete reading does not see any more holds no name."""
    made = company.api.write("Employee", {"DisplayName": "Ida Voss", "FamilyName": "Voss", "SSN": "XXX-XX-1234"})
    swept(company)
    kept = entry("employee", made["Id"])
    assert kept is not None and (kept.name, kept.active, kept.details) == ("Ida Voss", True, {})
    [holder] = names.bearers(db.session(), company.connection.id, ["IDA VOSS"])["ida voss"]
    assert (holder["kind"], holder["adoptable"]) == ("employee", False)
    assert names.free_name(db.session(), company.connection.id, "Ida Voss", besides=set(), city="") != "Ida Voss"
    made = company.api.write("Employee", {"Id": made["Id"], "SyncToken": made["SyncToken"], "sparse": True,
                                          "Active": False})  # fmt: skip
    swept(company)
    kept = entry("employee", made["Id"])
    assert kept is not None and (kept.name, kept.active) == ("Ida Voss", False)
    with transaction() as session:
        session.add(ListEntry(connection_id=company.connection.id, kind="employee", remote_id="99999",
                              name="Rolf Gone", active=False, details={}, seen_at=clock.now()))  # fmt: skip
    run_import(company.connection.id, ["estimate"])
    assert entry("employee", "99999") is None and entry("employee", made["Id"]) is not None


def test_a_method_that_was_merged_into_another_turns_inactive_at_once(company: Company) -> None:
    first, second = (company.api.write("PaymentMethod", {"Name": name}) for name in ("Card", "Cards"))
    company.told()
    company.skip()
    with transaction() as session:
        session.add(ListEntry(connection_id=company.connection.id, kind="payment_method", remote_id="99998",
                              name="Went", active=True, details={}, seen_at=clock.now()))  # fmt: skip
        for loser in ("99998", second["Id"]):
            session.add(InboxEvent(event_key=f"merged {loser}", connection_id=company.connection.id, source="webhook",
                                   kind="payment_method", entity="PaymentMethod", remote_id=first["Id"], verb="merged",
                                   other_remote_id=loser, state="pending", available_at=clock.now(),
                                   created_at=clock.now()))  # fmt: skip
    assert {event.outcome for event in company.taken() if event.verb == "merged"} == {"unchanged"}
    went, kept = entry("payment_method", "99998"), entry("payment_method", second["Id"])
    assert went is not None and not went.active
    assert kept is not None and kept.active, "it is there: nothing that was not found is gone"


# --- what an event takes along --------------------------------------------------------------------------------


def test_a_credit_memo_that_lets_go_of_an_invoice_has_it_read_too_in_one_call_a_kind(company: Company) -> None:
    """Tied before, not any more: what stands here names it."""
    customer = linked()
    first, second = sold(company, customer), sold(company, customer)
    item = company.api.query("select * from Item where Type = 'Service'")["Item"][0]
    memo = company.api.sale("CreditMemo", {"Id": customer.remote_id}, item, "40.00")
    company.told()
    with transaction() as session:
        mine = (Document.kind == "credit_memo", Document.remote_id == memo["Id"])
        stands = session.scalars(select(Document).where(*mine)).one()
        ties = [{"kind": "invoice", "remote_id": one["Id"]} for one in (first, second)]
        stands.record = {**stands.record, "linked": ties}
        for one in (first, second):
            held = session.scalars(
                select(Document).where(Document.kind == "invoice", Document.remote_id == one["Id"])
            ).one()
            held.balance, held.content_hash = Decimal(1), "old"
    memo = company.api.read("CreditMemo", memo["Id"])
    company.api.write("CreditMemo", {**memo, "PrivateNote": "let go"})
    with company.counted() as calls:
        company.told(only="CreditMemo")
    assert calls == [3], "the credit memo, both invoices, their customer"
    assert {document("invoice", one["Id"]).balance for one in (first, second)} == {Decimal("100.00")}


# --- intervals ------------------------------------------------------------------------------------------------


def every(connection_id: int, kind: str, minutes: str) -> None:
    with transaction() as session:
        version = settings.current(session, connection_id, kind).version
        settings.change(session, connection_id, kind, interval=minutes, version=version, actor=SYSTEM, now=clock.now())


class Listening:
    """The books, and what was asked of them."""

    def __init__(self, real: Any) -> None:
        self.real, self.spec = real, real.spec
        self.asked: list[tuple[set[str], datetime]] = []

    def changes(self, kinds: Sequence[str], since: datetime) -> Changes:
        self.asked.append((set(kinds), since))
        said: Changes = self.real.changes(kinds, since)
        return said

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def swept(company: Company, minutes: float = 0, *, force: bool = True) -> list[tuple[set[str], datetime]]:
    """A sweep so many minutes from now: what it asked."""

    def later() -> datetime:
        return clock.now() + timedelta(minutes=minutes)

    if force:
        with transaction() as session:
            session.get_one(Sweep, company.connection.id).available_at = later()
    with connections.books(company.connection.id, clock=clock.now) as real:
        listening = Listening(real)
        sweep.run(company.connection.id, clock=later, open_books=opened(listening))
    db.session.remove()
    return listening.asked


def test_a_kind_with_an_interval_of_its_own_is_asked_for_in_its_turn_from_where_it_stood(company: Company) -> None:
    every(company.connection.id, "invoice", "60")
    start = row(company.connection.id).cursor
    customer = linked()
    invoice = sold(company, customer)
    usual = set(quickbooks_provider.SPEC.change_kinds) & INCOMING.keys() - {"invoice"}
    assert usual >= {"term", "payment_method", "account", "customer", "item", "payment", "credit_memo", "estimate"}
    assert [kinds for kinds, _ in swept(company, 16)] == [usual]
    first = row(company.connection.id)
    assert first.cursor == start, "invoices stand where they stood, so the whole does"
    assert not db.session.scalars(select(Document).where(Document.remote_id == invoice["Id"])).all()
    ((kinds, since),) = swept(company, 32)
    assert kinds == usual and start is not None and since > start - sweep.OVERLAP, "the others go on from their own"
    ((kinds, since),) = swept(company, 62)
    assert kinds == {*usual, "invoice"} and since == start - sweep.OVERLAP
    assert document("invoice", invoice["Id"]).contact_id == customer.contact_id
    after = row(company.connection.id)
    assert after.cursor is not None and after.cursor > start


def test_the_next_sweep_comes_when_the_first_kind_is_due_and_one_that_hurries_is_asked_alone(company: Company) -> None:
    every(company.connection.id, "payment", "5")
    soon = row(company.connection.id).available_at
    assert soon <= clock.now() + timedelta(minutes=5), "a shorter interval counts at once"
    assert [kinds for kinds, _ in swept(company, 6)] == [{"payment"}]
    assert row(company.connection.id).available_at <= clock.now() + timedelta(minutes=11.1)
    assert swept(company, 7) == [], "nobody's turn costs no call"
    every(company.connection.id, "payment", "")
    ((kinds, _),) = swept(company, 8)
    assert kinds >= {"customer", "payment"} and "turns" not in row(company.connection.id).counts


def test_a_person_who_asks_is_told_of_every_kind(company: Company) -> None:
    every(company.connection.id, "estimate", "1440")
    assert "estimate" not in swept(company, 20)[0][0]
    with transaction():
        asking.ask(company.connection.id, actor=SYSTEM, now=clock.now())
    assert "estimate" in swept(company, force=False)[0][0]


def test_a_kind_that_failed_to_come_has_lost_nothing(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    every(company.connection.id, "invoice", "60")
    swept(company, 16)
    before = row(company.connection.id).counts["turns"]["invoice"]
    monkeypatch.setattr(Listening, "changes", _breaks)
    swept(company, 62)
    assert row(company.connection.id).counts["turns"]["invoice"] == before
    monkeypatch.undo()
    assert "invoice" in swept(company, 90)[0][0]


def _breaks(self: Any, kinds: Sequence[str], since: datetime) -> Changes:
    raise RuntimeError("not now")


@pytest.mark.parametrize("typed", ["4", "1441", "-5", "ten", "1.5", "٣٠"])
def test_an_interval_is_a_whole_number_of_minutes_within_a_day(company: Company, typed: str) -> None:
    with pytest.raises(Invalid) as problem:
        every(company.connection.id, "invoice", typed)
    assert list(problem.value.fields) == ["interval"]


def test_an_interval_is_kept_by_version_and_said_in_words(company: Company) -> None:
    id_ = company.connection.id
    every(id_, "invoice", " 60 ")
    assert settings.current(db.session(), id_, "invoice").interval_minutes == 60
    change: Callable[..., Any] = settings.change
    with pytest.raises(Changed), transaction() as session:
        change(session, id_, "invoice", interval="30", version=0, actor=SYSTEM, now=clock.now())
    every(id_, "invoice", "")
    said = [version.changes for version in settings.history(db.session(), id_)]
    assert said == [
        ["Asks for changes every 60 minutes → as often as the company"],
        ["Asks for changes as often as the company → every 60 minutes"],
    ]
    with transaction() as session:
        change(session, id_, "invoice", direction="off", version=2, actor=SYSTEM, now=clock.now())
    assert settings.current(db.session(), id_, "invoice").interval_minutes is None
