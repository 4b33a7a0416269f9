"""Somebody works in QuickBooks and its webhooks tell: the mirror, the contacts and their figures follow at once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.serving import make_server

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Refused, Unavailable, UnexpectedAnswer
from crm.models import (
    Connection,
    Contact,
    Customer,
    Delivery,
    Document,
    Duplicate,
    Link,
    Match,
    OutboxEntry,
    SyncLogEntry,
    SyncRun,
    TimelineEntry,
)  # fmt: skip
from crm.services import connections, contact_merges, duplicates, matches
from crm.services.audit import SYSTEM
from crm.services.sync import settings
from crm.services.sync.inbox import inbox, intake, replaying
from crm.services.sync.mirror import merges
from sandbox import Served, serving
from tests.flows.changes import Company, document, events, facts
from tests.flows.imports import opened, run_import
from tests.flows.test_import_gone import check_books
from tests.images import after_import
from tests.quickbooks import connect, quickbooks  # noqa: F401


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=25, companies=2) as served:
        served.sandbox.postman.paused = True
        yield served


@pytest.fixture
def connection(quickbooks: Served) -> Connection:  # noqa: F811
    row = connect(quickbooks, country="US", currency="USD")
    after_import(row.id, quickbooks)
    return row


@pytest.fixture
def company(connection: Connection, sandbox: Served, client: FlaskClient) -> Company:
    return Company(sandbox, client, connection)


def linked(number: int = 0) -> Customer:
    """A top customer without jobs that is linked and active."""
    parents = select(Customer.parent_remote_id).where(Customer.parent_remote_id.is_not(None))
    query = select(Customer).where(Customer.match_state == "linked", Customer.active)
    return db.session.scalars(
        query.where(Customer.remote_id.not_in(parents)).order_by(Customer.id).offset(number)
    ).first()  # type: ignore[return-value]


def sold(company: Company, customer: Customer, amount: str = "100.00") -> dict[str, Any]:
    item = company.api.query("select * from Item where Type = 'Service'")["Item"][0]
    return company.api.sale("Invoice", {"Id": customer.remote_id}, item, amount)


@pytest.mark.parametrize("form", ["cloudevents", "legacy"])
def test_a_change_of_a_customer_reaches_the_contact(company: Company, form: str) -> None:
    company.form = form
    customer = linked()
    company.change(customer.remote_id, PrimaryPhone={"FreeFormNumber": "(816) 555-0188"})
    [event] = company.told()
    assert (event.kind, event.state, event.outcome, event.source) == ("customer", "done", "changed", "webhook")
    assert event.contact_id == customer.contact_id and "changed in QuickBooks" in event.message
    contact = db.session.get_one(Contact, customer.contact_id)
    assert "+18165550188" in [point.normal for point in contact.points]
    line = db.session.scalars(select(SyncLogEntry).where(SyncLogEntry.event == "record_changed")).one()
    assert (line.direction, line.trigger, line.contact_id) == ("in", "webhook", customer.contact_id)


def test_events_told_twice_in_any_order_and_about_the_past_change_nothing_twice(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = linked()
    monkeypatch.setattr(intake, "PAGE", 1)
    for number in range(6):
        company.change(customer.remote_id, Notes=f"note {number}")
    bodies = company.bodies()
    random.Random(3).shuffle(bodies)
    with company.counted() as calls:
        company.post(bodies)
        company.post(bodies)
        rows = company.taken()
    assert len(rows) == 6 and {row.outcome for row in rows} == {"changed"}
    assert calls == [1], "six events about one customer are one read"
    company.post(bodies)
    assert company.taken() and len(events()) == 6, "told again later, they are known"
    assert db.session.scalar(select(func.count()).where(SyncLogEntry.event == "record_changed")) == 1


def test_what_did_not_change_is_said_so_and_our_own_write_is_known_by_its_content(company: Company) -> None:
    customer = linked()
    company.change(customer.remote_id, Notes="ours")
    company.told()
    company.change(customer.remote_id, Notes="other")
    company.change(customer.remote_id, Notes="ours")
    assert [row.outcome for row in company.told()][1:] == ["unchanged", "unchanged"]
    with transaction() as session:
        link = session.scalars(select(Link).where(Link.kind == "customer", Link.remote_id == customer.remote_id)).one()
        link.written_hash = session.get_one(Customer, customer.id, populate_existing=True).content_hash
    with transaction():
        replaying.read_again(company.connection.id, "customer", customer.remote_id, actor=SYSTEM, now=clock.now())
    last = company.taken()[-1]
    assert (last.source, last.outcome) == ("person", "echo")


def test_a_payment_moves_invoice_customer_and_figures_though_only_the_payment_is_told(company: Company) -> None:
    customer = linked()
    invoice = sold(company, customer)
    company.told()
    before = facts(customer.contact_id)
    assert document("invoice", invoice["Id"]).balance == Decimal("100.00")
    paid = company.api.pay({"Id": customer.remote_id}, "60.00", **{f"i{invoice['Id']}": "60.00"})
    with company.counted() as calls:
        event = company.told(only="Payment")[-1]
    assert (event.remote_id, event.outcome) == (paid["Id"], "changed")
    assert calls == [3], "payment, its invoice, their customer"
    assert document("invoice", invoice["Id"]).balance == Decimal("40.00")
    assert facts(customer.contact_id).balance_with_jobs == before.balance_with_jobs - 60
    check_books(company.served)


def test_a_payment_moved_to_another_invoice_opens_the_first_again(company: Company) -> None:
    customer = linked()
    first, second = sold(company, customer), sold(company, customer)
    paid = company.api.pay({"Id": customer.remote_id}, "100.00", **{f"i{first['Id']}": "100.00"})
    company.told()
    line = {"Amount": Decimal("100.00"), "LinkedTxn": [{"TxnId": second["Id"], "TxnType": "Invoice"}]}
    company.api.write("Payment", {
        "Id": paid["Id"], "SyncToken": paid["SyncToken"], "CustomerRef": {"value": customer.remote_id},
        "TotalAmt": Decimal("100.00"), "Line": [line],
    })  # fmt: skip
    company.told(only="Payment")
    assert document("invoice", first["Id"]).balance == Decimal("100.00")
    assert document("invoice", second["Id"]).balance == Decimal("0.00")
    check_books(company.served)


def test_void_and_deleted_documents_leave_the_figures(company: Company) -> None:
    customer = linked()
    kept, voided, deleted = (sold(company, customer) for _ in range(3))
    company.told()
    before = facts(customer.contact_id).total_sales
    company.api.write("Invoice", {"Id": voided["Id"], "SyncToken": voided["SyncToken"]}, operation="void")
    company.api.write("Invoice", {"Id": deleted["Id"], "SyncToken": deleted["SyncToken"]}, operation="delete")
    rows = company.told()
    assert [row.outcome for row in rows if row.verb == "deleted"] == ["gone"]
    assert document("invoice", voided["Id"]).void and document("invoice", deleted["Id"]).gone_at is not None
    assert document("invoice", kept["Id"]).gone_at is None
    assert facts(customer.contact_id).total_sales == before - 200
    check_books(company.served)


def test_a_new_customer_becomes_a_contact_or_finds_its_own_at_once(company: Company) -> None:
    contact = db.session.get_one(Contact, linked().contact_id)
    made = company.api.customer("Quite New Ltd", PrimaryEmailAddr={"Address": "hello@quite-new.example"})
    invoice = sold(company, Customer(remote_id=made["Id"]))
    job = company.api.customer("Loft", ParentRef={"value": made["Id"]}, Job=True)
    rows = company.told()
    assert {row.outcome for row in rows} == {"changed"} and "is new in QuickBooks" in rows[0].message
    customer = db.session.scalars(select(Customer).where(Customer.remote_id == made["Id"])).one()
    assert customer.match_state == "linked" and customer.contact_id not in (None, contact.id)
    assert db.session.get_one(Contact, customer.contact_id).display_name == "Quite New Ltd"
    assert document("invoice", invoice["Id"]).contact_id == customer.contact_id
    below = db.session.scalars(select(Customer).where(Customer.remote_id == job["Id"])).one()
    assert (below.match_state, below.root_remote_id, below.contact_id) == ("job", made["Id"], customer.contact_id)
    assert not db.session.scalars(select(Match).where(Match.state.like("draft%"))).all()
    check_books(company.served)


def test_a_customer_we_are_just_creating_is_not_made_a_second_contact(company: Company) -> None:
    now = clock.now()
    with transaction() as session:
        entry = OutboxEntry(
            connection_id=company.connection.id, kind="customer", local_id=1, operation="create", state="frozen",
            available_at=now, created_at=now, updated_at=now, changes={"display_name": ["", "On its way"]},
        )  # fmt: skip
        session.add(entry)
    made, other = company.api.customer("On Its Way"), company.api.customer("Brand New Person")
    found = {event.remote_id: event for event in company.told()}
    event, another = found[made["Id"]], found[other["Id"]]
    assert event.state == "pending" and "this may be the one" in event.message
    assert another.state == "done", "another name keeps nobody waiting"
    mine = select(Customer.match_state).where(Customer.remote_id == other["Id"])
    assert db.session.scalars(mine).one() == "linked"
    row = db.session.scalars(select(Customer).where(Customer.remote_id == made["Id"])).one()
    assert row.match_state == "new"
    with transaction() as session:
        session.get_one(OutboxEntry, entry.id).state = "done"
    assert {event.state for event in company.taken(later=11)} == {"done"}
    assert db.session.get_one(Customer, row.id, populate_existing=True).match_state == "linked"


def test_deactivated_and_active_again_without_a_trace_of_the_suffix(company: Company) -> None:
    customer = linked()
    name = db.session.get_one(Contact, customer.contact_id).display_name
    company.change(customer.remote_id, Active=False)
    company.told()
    contact = db.session.get_one(Contact, customer.contact_id)
    link = db.session.scalars(select(Link).where(Link.kind == "customer", Link.remote_id == customer.remote_id)).one()
    assert (contact.display_name, contact.link_state, link.state) == (name, "inactive", "inactive")
    company.change(customer.remote_id, Active=True, DisplayName=name)
    company.told()
    contact, link = db.session.get_one(Contact, contact.id), db.session.get_one(Link, link.id)
    assert (contact.display_name, contact.link_state, link.state) == (name, "linked", "linked")


def test_what_is_not_found_is_looked_for_again_before_it_is_gone(company: Company) -> None:
    customer = linked()
    invoice = sold(company, customer)
    company.told()
    with company.served.store.writing(company.served.realm) as books:
        books.connection.execute(
            "DELETE FROM record WHERE realm=? AND entity='Invoice' AND id=?", (books.realm, int(invoice["Id"]))
        )
    with transaction():
        replaying.read_again(company.connection.id, "invoice", invoice["Id"], actor=SYSTEM, now=clock.now())
    event = company.taken()[-1]
    assert (event.state, event.missed) == ("pending", 1) and document("invoice", invoice["Id"]).gone_at is None
    assert company.taken(later=20)[-1].state == "pending", "too early for the second look"
    event = company.taken(later=31)[-1]
    assert (event.state, event.outcome) == ("done", "gone")
    assert document("invoice", invoice["Id"]).gone_at is not None


def test_a_failed_read_is_no_deletion_and_is_tried_again(company: Company) -> None:
    customer = linked()
    company.change(customer.remote_id, Notes="seen later")

    class Down:
        def fetch(self, kind: str, ids: list[str]) -> None:
            raise Unavailable("QuickBooks is down.")

    [event] = company.told(open_books=opened(Down()), jitter=lambda: 1.0)
    assert (event.state, event.missed, event.attempts) == ("pending", 0, 1) and "down" in event.message
    assert event.available_at > clock.now()
    [event] = company.taken(later=20)
    assert event.outcome == "changed"


def test_one_object_that_cannot_be_read_does_not_keep_the_others(company: Company) -> None:
    good, bad = linked(0), linked(1)
    for customer in (good, bad):
        company.change(customer.remote_id, Notes="changed")

    class Picky:
        def fetch(self, kind: str, ids: list[str]) -> Any:
            if bad.remote_id in ids:
                raise UnexpectedAnswer("Nobody expects this.")
            with connections.books(company.connection.id, clock=clock.now) as books:
                return books.fetch(kind, ids)

    company.told(open_books=opened(Picky()), jitter=lambda: 0.0)
    for wait in (20, 60, 200, 600):
        company.taken(later=wait, open_books=opened(Picky()), jitter=lambda: 0.0)
    states = {row.remote_id: (row.state, row.outcome) for row in events()}
    assert states == {good.remote_id: ("done", "changed"), bad.remote_id: ("failed", "failed")}


def test_a_merge_moves_the_link_and_the_documents_and_can_be_undone(company: Company) -> None:
    loser = linked()
    invoice = sold(company, loser)
    company.told()
    survivor = company.api.customer("Survivor Inc")
    company.skip()  # nobody here has heard of it
    company.merge(survivor["Id"], loser.remote_id)
    event = company.told()[-1]
    assert (event.verb, event.outcome, event.contact_id) == ("merged", "merged", loser.contact_id)
    link = db.session.scalars(select(Link).where(Link.kind == "customer", Link.local_id == loser.contact_id)).one()
    assert (link.remote_id, link.merged_from, link.state) == (survivor["Id"], loser.remote_id, "linked")
    row = document("invoice", invoice["Id"])
    assert (row.customer_remote_id, row.contact_id) == (survivor["Id"], loser.contact_id)
    gone = db.session.get_one(Customer, loser.id)
    assert gone.gone_at is not None and gone.contact_id is None
    assert db.session.scalars(select(TimelineEntry).where(TimelineEntry.verb == "merged")).one()
    check_books(company.served)

    with transaction():
        assert merges.undo(link.id, SYSTEM, now=clock.now()) == loser.contact_id
    link = db.session.get_one(Link, link.id, populate_existing=True)
    assert (link.remote_id, link.merged_from, link.state) == (loser.remote_id, "", "gone")
    assert document("invoice", invoice["Id"]).contact_id is None
    with pytest.raises(Refused), transaction():
        merges.undo(link.id, SYSTEM, now=clock.now())
    run_import(company.connection.id)
    other = db.session.scalars(select(Customer).where(Customer.remote_id == survivor["Id"])).one()
    assert other.match_state == "linked" and other.contact_id != loser.contact_id


def test_customers_known_as_one_are_a_merged_pair_once_they_are_merged_in_the_books(company: Company) -> None:
    survivor, loser, third = linked(0), linked(1), linked(2)
    with transaction() as session:
        for one, other, state in ((survivor, loser, "known"), (loser, third, "proposed")):
            first, second = sorted((one.id, other.id))
            session.add(Duplicate(sort="customer", connection_id=company.connection.id, one_id=first, other_id=second,
                                  state=state, decided_by="Kim Berg", found_at=clock.now()))  # fmt: skip
    company.merge(survivor.remote_id, loser.remote_id)
    company.told()
    pairs = db.session.scalars(select(Duplicate).where(Duplicate.sort == "customer")).all()
    with_loser = [pair for pair in pairs if loser.id in (pair.one_id, pair.other_id)]
    assert [(pair.state, pair.decided_by) for pair in with_loser] == [("merged", "merged in QuickBooks")]


@pytest.mark.parametrize("said_of", ["customers", "contact"])
def test_who_is_kept_apart_stays_so_when_the_books_make_them_one_until_a_person_lifts_it(
    company: Company, said_of: str
) -> None:
    loser = linked()
    contact_id, now = loser.contact_id or 0, clock.now()
    survivor_id = company.api.customer("Survivor Inc")["Id"]
    company.told()
    survivor = db.session.scalars(select(Customer).where(Customer.remote_id == survivor_id)).one()
    made = survivor.contact_id or 0
    with transaction() as session:  # nobody's, and not the loser's contact
        matches.unlink(made, actor=SYSTEM, now=now)
        if said_of == "customers":
            first, second = sorted((survivor.id, loser.id))
            session.add(Duplicate(sort="customer", connection_id=company.connection.id, one_id=first, other_id=second,
                                  state="apart", decided_by="Kim Berg", found_at=now))  # fmt: skip
        else:
            session.add(Match(connection_id=company.connection.id, customer_id=survivor.id, contact_id=contact_id,
                              state="rejected", decided_by="Kim Berg", decided_at=now))  # fmt: skip
    company.merge(survivor_id, loser.remote_id)
    event = company.told()[-1]
    assert event.outcome == "kept_apart" and "Kim Berg decided" in event.message and "Kept apart" in event.message
    told = db.session.scalars(select(TimelineEntry.summary).where(TimelineEntry.contact_id == contact_id)).all()
    assert event.message in told
    for _ in range(2):
        mine = (Link.kind == "customer", Link.local_id == contact_id)
        assert not db.session.scalars(select(Link).where(*mine)).all(), "it follows by no later look either"
        pair = (Match.customer_id == survivor.id, Match.contact_id == contact_id)
        kept = db.session.scalars(select(Match).where(*pair)).one()
        assert (kept.state, kept.decided_by) == ("rejected", "Kim Berg")
        assert not db.session.scalars(select(Document.id).where(Document.contact_id == contact_id)).all()
        run_import(company.connection.id)
        db.session.remove()
    other = db.session.get_one(Customer, survivor.id)
    with transaction():
        matches.unlink(other.contact_id or 0, actor=SYSTEM, now=now)
        matches.reconsider(kept.id, actor=SYSTEM, now=now)
        assert matches.confirm(kept.id, actor=SYSTEM, now=now).contact_id == contact_id


def test_contacts_stay_apart_when_customers_kept_apart_become_one(company: Company) -> None:
    survivor, loser = linked(0), linked(1)
    one, other = survivor.contact_id or 0, loser.contact_id or 0
    with transaction() as session:
        first, second = sorted((survivor.id, loser.id))
        session.add(Duplicate(sort="customer", connection_id=company.connection.id, one_id=first, other_id=second,
                              state="apart", decided_by="Kim Berg", found_at=clock.now()))  # fmt: skip
    company.merge(survivor.remote_id, loser.remote_id)
    event = company.told()[-1]
    assert event.outcome == "two_contacts" and "Kim Berg decided" in event.message
    with pytest.raises(Refused, match="Kim Berg decided"), transaction():
        contact_merges.merge(one, other, chosen={}, actor=SYSTEM, now=clock.now())
    pair = db.session.scalars(select(Duplicate).where(Duplicate.sort == "contact", Duplicate.state == "apart")).one()
    with transaction():
        duplicates.reopen(pair.id, actor=SYSTEM, now=clock.now())
        contact_merges.merge(one, other, chosen={}, actor=SYSTEM, now=clock.now())


def test_two_contacts_whose_customers_become_one_both_stay_and_are_told(company: Company) -> None:
    survivor, loser = linked(0), linked(1)
    company.merge(survivor.remote_id, loser.remote_id)
    company.post(company.bodies() * 2)
    [event] = company.taken()
    assert event.outcome == "two_contacts" and "until you merge this one into it" in event.message
    links = {link.remote_id: link for link in db.session.scalars(select(Link).where(Link.kind == "customer"))}
    assert links[loser.remote_id].state == "gone" and links[survivor.remote_id].state == "linked"
    told = db.session.scalars(select(TimelineEntry.contact_id).where(TimelineEntry.verb == "merged")).all()
    assert sorted(told) == sorted([survivor.contact_id, loser.contact_id])


def test_once_their_customers_are_one_the_two_contacts_can_be_merged_and_stay_in_step(company: Company) -> None:
    survivor, loser = linked(0), linked(1)
    company.merge(survivor.remote_id, loser.remote_id)
    company.told()
    with transaction():
        contact_merges.merge(survivor.contact_id or 0, loser.contact_id or 0, chosen={}, actor=SYSTEM, now=clock.now())
    before = set(db.session.scalars(select(Document.contact_id)))
    run_import(company.connection.id)
    assert loser.contact_id not in before, "what was the absorbed one's is the survivor's"
    assert set(db.session.scalars(select(Document.contact_id))) == before, "no later read takes it away again"
    mine = (Link.kind == "customer", Link.local_id == survivor.contact_id)
    assert [link.remote_id for link in db.session.scalars(select(Link).where(*mine))] == [survivor.remote_id]
    with transaction() as session:
        replaying.replay(list(session.scalars(select(Delivery.id))), SYSTEM, now=clock.now())
    inbox.split(clock=clock.now)
    [event] = company.taken()
    assert (event.outcome, event.message) == ("unchanged", "This merge is known already.")
    assert len(db.session.scalars(select(TimelineEntry).where(TimelineEntry.verb == "merged")).all()) == 2
    there = Decimal(company.api.read("Customer", survivor.remote_id)["BalanceWithJobs"])
    assert facts(survivor.contact_id).balance_with_jobs == there
    assert not db.session.scalars(select(Document.id).where(Document.contact_id == loser.contact_id)).all()


def test_a_kind_that_is_off_is_ignored_and_a_paused_one_waits(company: Company) -> None:
    customer = linked()
    with transaction() as session:
        settings.change(session, company.connection.id, "invoice", direction="off", version=0, actor=SYSTEM,
                        now=clock.now())  # fmt: skip
        settings.pause(session, company.connection.id, "customer", actor=SYSTEM, now=clock.now())
    sold(company, customer)
    company.change(customer.remote_id, Notes="waits")
    states = {(row.kind, row.state) for row in company.told()}
    assert states == {("invoice", "ignored"), ("customer", "pending")}
    with transaction() as session:
        settings.resume(session, company.connection.id, "customer", actor=SYSTEM, now=clock.now())
    assert {row.outcome for row in company.taken() if row.kind == "customer"} == {"changed"}


def test_while_an_import_is_under_way_new_customers_are_left_to_it(company: Company) -> None:
    with transaction() as session:
        session.add(SyncRun(connection_id=company.connection.id, trigger="person", state="queued",
                            resources=["customer"], created_at=clock.now()))  # fmt: skip
    made = company.api.customer("Left To The Import")
    [event] = company.told()
    assert event.outcome == "changed"
    row = db.session.scalars(select(Customer).where(Customer.remote_id == made["Id"])).one()
    assert row.match_state == "new"


def test_a_worker_killed_between_reading_and_storing_leaves_its_events_due(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = linked()
    company.change(customer.remote_id, Notes="after the kill")
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(intake, "_store", die)
        with pytest.raises(KeyboardInterrupt):
            company.told()
    [event] = events()
    assert (event.state, event.outcome) == ("pending", "")
    assert company.taken()[0].state == "pending", "held until the lease is over"
    [event] = company.taken(later=intake.LEASE.total_seconds() + 1)
    assert (event.outcome, event.attempts) == ("changed", 2)


def test_a_worker_that_slept_through_its_lease_stores_nothing(company: Company) -> None:
    customer = linked()
    company.change(customer.remote_id, Notes="fenced")
    company.post(company.bodies())
    hold = intake._claim(company.connection.id, clock.now())
    assert hold is not None
    late = intake.LEASE.total_seconds() + 1
    assert company.taken(later=late)[0].outcome == "changed"
    with pytest.raises(intake.LeaseLost), transaction() as session:
        hold.held(session)


def test_an_older_reading_never_overwrites_a_newer_one(company: Company) -> None:
    customer = linked()
    company.change(customer.remote_id, Notes="first")
    with connections.books(company.connection.id, clock=clock.now) as books:
        old = books.fetch("customer", [customer.remote_id])
    time.sleep(1.1)  # their times have whole seconds
    company.change(customer.remote_id, Notes="second")
    company.told()

    class Slow:
        def fetch(self, kind: str, ids: list[str]) -> Any:
            return old

    with transaction():
        replaying.read_again(company.connection.id, "customer", customer.remote_id, actor=SYSTEM, now=clock.now())
    assert company.taken(open_books=opened(Slow()))[-1].outcome == "unchanged"
    assert db.session.get_one(Customer, customer.id).record["notes"] == "second"


# --- at the same time -----------------------------------------------------------------------------------------


def test_events_while_an_import_runs_leave_both_sides_equal(company: Company, app: Flask) -> None:
    """Whoever reads an object first, and whoever stores it last: in the end the books' latest word stands here."""
    people = [linked(number) for number in range(4)]
    problems: list[BaseException] = []

    def importing() -> None:
        with app.app_context():
            try:
                run_import(company.connection.id)
            except BaseException as problem:
                problems.append(problem)

    def listening() -> None:
        with app.app_context():
            try:
                for _ in range(6):
                    intake.take_in(company.connection.id, clock=clock.now)
                    time.sleep(0.05)
            except BaseException as problem:
                problems.append(problem)

    threads = [threading.Thread(target=importing), *(threading.Thread(target=listening) for _ in range(2))]
    for thread in threads:
        thread.start()
    for turn in range(5):
        for customer in people:
            company.change(customer.remote_id, Notes=f"turn {turn}")
            sold(company, customer, "10.00")
        company.post(company.bodies())
    for thread in threads:
        thread.join()
    assert not problems
    company.told(later=120)
    states = {(row.state, row.outcome) for row in events()}
    assert ("done", "changed") in states and states <= {("done", "changed"), ("done", "unchanged")}, states
    for customer in people:
        assert db.session.get_one(Customer, customer.id).record["notes"] == "turn 4"
    check_books(company.served)


@pytest.fixture
def listening(app: Flask) -> Iterator[str]:
    """The application, really served on a free port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.mark.parametrize("form", ["cloudevents", "legacy"])
def test_the_simulated_company_posts_its_webhooks_to_the_served_application(
    company: Company, listening: str, form: str
) -> None:
    postman = company.served.sandbox.postman
    postman.url, postman.format, postman.shuffle, postman.repeat = f"{listening}/webhooks/quickbooks", form, 0.5, 0.5
    customer = linked()
    invoice = sold(company, customer)
    company.change(customer.remote_id, Notes="told for real")
    assert postman.deliver(everything=True) >= 2 and postman.last_error == ""
    inbox.split(clock=clock.now)
    rows = company.taken()
    assert rows and {row.outcome for row in rows} == {"changed"}
    assert document("invoice", invoice["Id"]).contact_id == customer.contact_id
    check_books(company.served)
