"""From a plan to the simulated company and back: shown, approved, arrived, taken back."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.contacts import Draft, Entry
from crm.models import Connection, Contact, Customer, Link, OutboxEntry, Plan, PlanLine, TimelineEntry
from crm.services import contacts
from crm.services.audit import Actor
from crm.services.sync.outbox import parked
from crm.services.sync.outbox.sending import send
from crm.services.sync.plans import plans
from crm.services.sync.plans.plans import Choice
from sandbox import Served
from tests.flows.imports import everything
from tests.images import after_import
from tests.quickbooks import connect

KIM = Actor(name="kim@example.com")


@pytest.fixture
def company(quickbooks: Served) -> Connection:
    """Connected and imported, still read-only."""
    row = connect(quickbooks)
    after_import(row.id, quickbooks, ["customer"])
    return row


def planned(connection: Connection, contact_ids: list[int] | None = None) -> Plan:
    with transaction():
        plan = plans.ask(connection.id, contact_ids=contact_ids, actor=KIM, now=clock.now())
    return worked(plan)


def worked(plan: Plan) -> Plan:
    with transaction() as session:
        session.get_one(Plan, plan.id).available_at = clock.now()
    plans.run(plan.id, clock=clock.now)
    db.session.remove()
    return db.session.get_one(Plan, plan.id)


def approved(plan: Plan, choice: Choice | None = None) -> Plan:
    """Approved, sent, and looked at again."""
    with transaction():
        plans.approve(plan.id, choice or Choice("all"), actor=KIM, now=clock.now())
    plan = worked(plan)
    send(plan.connection_id)
    return worked(plan)


def undone(plan: Plan) -> Plan:
    with transaction():
        back = plans.ask_undo(plan_id=plan.id, actor=KIM, now=clock.now())
    return worked(back)


def lines(plan: Plan) -> list[PlanLine]:
    return list(db.session.scalars(select(PlanLine).where(PlanLine.plan_id == plan.id).order_by(PlanLine.id)))


def linked(company: Connection) -> Contact:
    """A contact whose customer is active there and has a phone."""
    query = (
        select(Contact)
        .join(Link, (Link.kind == "customer") & (Link.local_id == Contact.id))
        .join(Customer, Customer.remote_id == Link.remote_id)
        .where(Customer.active.is_(True), Contact.phone != "", Contact.email != "")
        .order_by(Contact.id)
    )
    return db.session.scalars(query).first()  # type: ignore[return-value]


def edit(contact_id: int, **values: Any) -> None:
    phone = values.pop("phone", None)
    lines = {"phone": [Entry("phone", phone)]} if phone else None
    with transaction():
        version = contacts.find(contact_id).version
        contacts.change(contact_id, values, lines=lines, version=version, actor=KIM, now=clock.now())


def there(served: Served, remote_id: str) -> dict[str, Any]:
    return next(one for one in everything(served, "Customer") if one["Id"] == remote_id)


def link_of(contact_id: int) -> Link:
    db.session.remove()
    return db.session.scalars(select(Link).where(Link.kind == "customer", Link.local_id == contact_id)).one()


def test_what_was_planned_arrives_and_an_undo_brings_back_the_old_value(
    company: Connection, quickbooks: Served
) -> None:
    contact = linked(company)
    remote_id = link_of(contact.id).remote_id
    before = there(quickbooks, remote_id)
    old_name = contact.display_name
    edit(contact.id, display_name=f"{old_name} of Troy")
    send(company.id)
    assert there(quickbooks, remote_id)["DisplayName"] == before["DisplayName"], "read-only until a plan is approved"

    plan = planned(company)
    assert (plan.purpose, plan.state) == ("first", "ready")
    [line] = [one for one in lines(plan) if one.action == "update"]
    assert line.changes["display_name"] == [old_name, f"{old_name} of Troy"]
    plan = approved(plan)
    [line] = [one for one in lines(plan) if one.action == "update"]
    assert (plan.state, line.outcome) == ("done", "done"), line.outcome_text
    assert there(quickbooks, remote_id)["DisplayName"] == f"{old_name} of Troy"

    back = undone(plan)
    [line] = lines(back)
    assert (line.action, line.changes["display_name"]) == ("update", [f"{old_name} of Troy", old_name])
    assert there(quickbooks, remote_id)["DisplayName"] == f"{old_name} of Troy", "only shown so far"
    back = approved(back)
    assert (back.state, [one.outcome for one in lines(back)]) == ("done", ["done"])
    assert there(quickbooks, remote_id)["DisplayName"] == old_name
    db.session.remove()
    assert db.session.get_one(Contact, contact.id).display_name == old_name, "here too"
    assert [one.outcome for one in lines(plan) if one.approved] == ["undone"]
    told = db.session.scalars(select(TimelineEntry.summary).where(TimelineEntry.verb == "undone")).all()
    assert told == [f"Plan {back.id} put back as before: name."]
    send(company.id)
    assert there(quickbooks, remote_id)["DisplayName"] == old_name, "and nothing sends the other one again"


def test_a_phone_and_an_address_are_put_back_with_the_other_lines_kept(company: Connection, quickbooks: Served) -> None:
    contact = linked(company)
    remote_id = link_of(contact.id).remote_id
    before = there(quickbooks, remote_id)
    edit(contact.id, phone="(816) 555-0999", street="9 Oak St", city="Troy", region="MO", postal_code="63379")
    plan = approved(planned(company))
    now = there(quickbooks, remote_id)
    assert now["PrimaryPhone"]["FreeFormNumber"] == "(816) 555-0999" and now["BillAddr"]["Line1"] == "9 Oak St"
    emails = [point.value for point in db.session.get_one(Contact, contact.id).points if point.kind == "email"]
    back = approved(undone(plan))
    assert [one.outcome for one in lines(back)] == ["done"], [one.outcome_text for one in lines(back)]
    now = there(quickbooks, remote_id)
    assert now["PrimaryPhone"] == before["PrimaryPhone"]
    assert now.get("BillAddr", {}).get("Line1") == before.get("BillAddr", {}).get("Line1")
    db.session.remove()
    contact = db.session.get_one(Contact, contact.id)
    assert contact.street != "9 Oak St"
    assert [point.value for point in contact.points if point.kind == "email"] == emails


def test_a_chosen_contact_is_created_and_the_undo_makes_it_inactive(company: Connection, quickbooks: Served) -> None:
    with transaction():
        draft = Draft({"display_name": "Zebulon Quux", "type": "customer"}, (Entry("phone", "816 555 0777"),))
        contact_id = contacts.create(draft, actor=KIM, now=clock.now()).id
    first = planned(company)
    [line] = [one for one in lines(first) if one.local_id == contact_id]
    assert (line.action, line.reason[:18]) == ("skip", "Stays in Tradebook")
    with transaction():
        assert plans.choose(first.id, line_ids=[line.id], now=clock.now()) == 1
    done = approved(first)
    [line] = [one for one in lines(done) if one.local_id == contact_id]
    assert (line.action, line.outcome) == ("create", "done"), line.outcome_text
    link = link_of(contact_id)
    made = there(quickbooks, link.remote_id)
    assert (made["DisplayName"], made["PrimaryPhone"]["FreeFormNumber"]) == ("Zebulon Quux", "816 555 0777")

    back = undone(done)
    [line] = [one for one in lines(back) if one.local_id == contact_id]
    assert line.action == "deactivate" and "deletes no customer" in line.reason
    back = approved(back, Choice("some", ids=(line.id,)))
    assert there(quickbooks, link.remote_id)["Active"] is False
    db.session.remove()
    assert db.session.get_one(Contact, contact_id).display_name == "Zebulon Quux"
    again = approved(undone(back))
    assert [one.action for one in lines(again)] == ["reactivate"]
    assert there(quickbooks, link.remote_id)["Active"] is True


def test_only_the_approved_field_is_written_and_the_rest_stays_until_it_is_edited(
    company: Connection, quickbooks: Served
) -> None:
    contact = linked(company)
    remote_id = link_of(contact.id).remote_id
    before = there(quickbooks, remote_id)
    edit(contact.id, phone="(816) 555-0999", company_name="Fox & Daughter")
    plan = planned(company)
    filters = plans.LineFilters(field="phone")
    approved(plan, Choice("rule", filters=filters, fields=("phone",), seen=1))
    now = there(quickbooks, remote_id)
    assert now["PrimaryPhone"]["FreeFormNumber"] == "(816) 555-0999"
    assert now.get("CompanyName") == before.get("CompanyName")
    edit(contact.id, company_name="Fox & Sons")
    send(company.id)
    assert there(quickbooks, remote_id)["CompanyName"] == "Fox & Sons"


def test_no_worker_sends_a_field_that_was_not_approved(company: Connection, quickbooks: Served) -> None:
    """The outbox is faster than the plan, all the time."""
    contact = linked(company)
    remote_id = link_of(contact.id).remote_id
    before = there(quickbooks, remote_id)
    edit(contact.id, website="not-approved.example", given_name="Approved")
    plan = planned(company)
    with transaction():
        choice = Choice("rule", filters=plans.LineFilters(field="given_name"), fields=("given_name",), seen=1)
        plans.approve(plan.id, choice, actor=KIM, now=clock.now())
    send(company.id)
    assert there(quickbooks, remote_id) == before, "it goes out with its line alone"
    plan = worked(plan)
    send(company.id)
    plan = worked(plan)
    now = there(quickbooks, remote_id)
    assert (now["GivenName"], now.get("WebAddr")) == ("Approved", before.get("WebAddr"))
    [line] = [one for one in lines(plan) if one.approved]
    assert line.outcome == "done" and "first name" in line.outcome_text, "and the plan tells what it did"
    assert link_of(contact.id).left.keys() == {"website"}


def test_two_workers_race_for_what_a_first_plan_approves_in_part(
    app: Flask, company: Connection, quickbooks: Served
) -> None:
    ids = [contact.id for contact in db.session.scalars(select(Contact).order_by(Contact.id)) if contact.phone][:12]
    ids = [id_ for id_ in ids if there(quickbooks, link_of(id_).remote_id)["Active"]]
    for id_ in ids:
        edit(id_, website="not-raced.example", given_name="Raced")
    plan = planned(company)
    chosen = [line for line in lines(plan) if line.local_id in ids][::2]
    over, wrong = threading.Event(), []

    def sends() -> None:
        with app.app_context():
            while not over.is_set():
                try:
                    send(company.id)
                except Exception as error:
                    wrong.append(error)
                db.session.remove()

    worker = threading.Thread(target=sends)
    worker.start()
    try:
        with transaction():
            choice = Choice("some", ids=tuple(line.id for line in chosen), fields=("given_name",))
            plans.approve(plan.id, choice, actor=KIM, now=clock.now())
        time.sleep(0.3)  # long enough for whatever could leave already
        plan = worked(plan)
    finally:
        time.sleep(0.3)
        over.set()
        worker.join()
    send(company.id)
    plan = worked(plan)
    customers = {one["Id"]: one for one in everything(quickbooks, "Customer")}
    assert not wrong and {line.outcome for line in lines(plan) if line.approved} == {"done"}
    given = {id_ for id_ in ids if customers[link_of(id_).remote_id].get("GivenName") == "Raced"}
    assert given == {line.local_id for line in chosen} and 2 <= len(given) < len(ids)
    assert not [one for one in customers.values() if "not-raced" in str(one.get("WebAddr"))]


@pytest.mark.parametrize("what", ["all", "none"])
def test_an_edit_after_the_plan_does_not_leave_by_its_approval(
    company: Connection, quickbooks: Served, what: str
) -> None:
    contact = linked(company)
    remote_id = link_of(contact.id).remote_id
    before = there(quickbooks, remote_id)
    plan = planned(company)
    edit(contact.id, website=f"after-{what}.example")
    approved(plan, Choice(what))
    assert there(quickbooks, remote_id) == before
    [entry] = db.session.scalars(select(OutboxEntry)).all()
    assert entry.state == "skipped" and "did not show it" in entry.error
    with transaction():
        parked.unskip(entry.id, actor=KIM, now=clock.now())
    send(company.id)
    assert f"after-{what}.example" in there(quickbooks, remote_id)["WebAddr"]["URI"], "once a person said so"


def test_of_an_approved_line_only_the_fields_it_showed_leave(company: Connection, quickbooks: Served) -> None:
    contact = linked(company)
    remote_id = link_of(contact.id).remote_id
    before = there(quickbooks, remote_id)
    edit(contact.id, given_name="Shown")
    plan = planned(company)
    edit(contact.id, website="unseen.example", given_name="Shown Too")
    plan = approved(plan)
    now = there(quickbooks, remote_id)
    assert (now["GivenName"], now.get("WebAddr")) == ("Shown Too", before.get("WebAddr"))
    [line] = [one for one in lines(plan) if one.approved]
    assert line.reason == "The plan did not show these, so they were not approved with it: website."
    edit(contact.id, website="later.example")
    send(company.id)
    assert "later.example" in there(quickbooks, remote_id)["WebAddr"]["URI"]


def test_what_a_plan_left_goes_out_whole_when_it_is_taken_up(company: Connection, quickbooks: Served) -> None:
    contact = linked(company)
    remote_id = link_of(contact.id).remote_id
    edit(contact.id, website="left.example")
    approved(planned(company), Choice("none"))
    [entry] = db.session.scalars(select(OutboxEntry)).all()
    with transaction():
        parked.unskip(entry.id, actor=KIM, now=clock.now())
    send(company.id)
    assert "left.example" in there(quickbooks, remote_id)["WebAddr"]["URI"]


# --- what both sides never agreed on --------------------------------------------------------------------------


def differing(company: Connection, words: str, number: int = 1) -> list[Contact]:
    """Linked contacts whose company name differs from QuickBooks', never agreed on and edited by nobody."""
    found = []
    with transaction() as session:
        rows = session.execute(
            select(Contact, Link)
            .join(Link, (Link.kind == "customer") & (Link.local_id == Contact.id))
            .join(Customer, Customer.remote_id == Link.remote_id)
            .where(Customer.active.is_(True), Contact.phone != "", Contact.email != "")
            .order_by(Contact.id)
        )
        for contact, link in rows.fetchmany(number):
            contact.company_name = f"{words} {contact.id}"
            link.base = {name: text for name, text in link.base.items() if name != "company_name"}
            found.append(contact.id)
    db.session.remove()
    return [db.session.get_one(Contact, id_) for id_ in found]


def test_a_first_plan_lists_what_never_agreed_and_leaves_it_unless_somebody_chooses(
    company: Connection, quickbooks: Served
) -> None:
    [contact] = differing(company, "Listed")
    remote_id = link_of(contact.id).remote_id
    before = there(quickbooks, remote_id)
    plan = planned(company)
    [line] = [one for one in lines(plan) if one.action == "differ"]
    assert line.changes == {"company_name": [before.get("CompanyName", ""), f"Listed {contact.id}"]}
    assert (plan.counts["differ"], plan.counts["field:company_name"]) == (1, 1)
    approved(plan)
    assert there(quickbooks, remote_id) == before
    db.session.remove()
    assert db.session.get_one(Contact, contact.id).company_name == f"Listed {contact.id}"


def test_by_rule_ours_goes_out_and_singly_theirs_is_taken(company: Connection, quickbooks: Served) -> None:
    people = differing(company, "By rule", 3)
    ids = [contact.id for contact in people]
    remote = {id_: link_of(id_).remote_id for id_ in ids}
    edit(ids[0], given_name="Shown")
    plan = planned(company)
    with transaction():
        filters = plans.LineFilters(field="company_name", action="differ")
        assert plans.decide(plan.id, "ours", filters=filters, now=clock.now()) == 3
        [one] = [line for line in lines(plan) if line.local_id == ids[1] and line.action == "send_ours"]
        assert plans.decide(plan.id, "theirs", line_ids=[one.id], now=clock.now()) == 1
    said = there(quickbooks, remote[ids[1]]).get("CompanyName", "")
    plan = worked(approved(plan))
    assert {(line.action, line.outcome) for line in lines(plan) if line.approved} == {
        ("update", "done"), ("send_ours", "done"), ("take_theirs", "done")
    }, [(line.action, line.outcome, line.outcome_text) for line in lines(plan)]  # fmt: skip
    assert plan.state == "done" and plan.counts["send_ours"] == 2 and plan.counts["take_theirs"] == 1
    first = there(quickbooks, remote[ids[0]])
    assert (first["CompanyName"], first["GivenName"]) == (f"By rule {ids[0]}", "Shown"), "in one entry"
    assert there(quickbooks, remote[ids[2]])["CompanyName"] == f"By rule {ids[2]}"
    db.session.remove()
    assert db.session.get_one(Contact, ids[1]).company_name == said
    assert len([entry for entry in db.session.scalars(select(OutboxEntry)) if entry.state == "done"]) == 2


def test_ours_leaves_alone_where_the_rest_of_the_contact_was_not_approved(
    company: Connection, quickbooks: Served
) -> None:
    [contact] = differing(company, "Alone")
    remote_id = link_of(contact.id).remote_id
    before = there(quickbooks, remote_id)
    edit(contact.id, given_name="Not approved")
    plan = planned(company)
    with transaction():
        plans.decide(plan.id, "ours", filters=plans.LineFilters(), now=clock.now())
    [line] = [one for one in lines(plan) if one.action == "send_ours"]
    plan = worked(approved(plan, Choice("some", ids=(line.id,))))
    now = there(quickbooks, remote_id)
    assert (now["CompanyName"], now.get("GivenName")) == (f"Alone {contact.id}", before.get("GivenName"))
    assert [one.outcome for one in lines(plan) if one.approved] == ["done"]


def test_what_was_sent_so_can_be_undone_and_what_moved_meanwhile_is_not_taken(
    company: Connection, quickbooks: Served
) -> None:
    one, two = differing(company, "Back", 2)
    remote_id = link_of(one.id).remote_id
    before = there(quickbooks, remote_id)
    plan = planned(company)
    with transaction():
        plans.decide(plan.id, "ours", filters=plans.LineFilters(), now=clock.now())
        session = db.session()
        session.get_one(Contact, two.id).company_name = "Another word"
    plan = worked(approved(plan))
    outcomes = {line.local_id: (line.outcome, line.outcome_text) for line in lines(plan) if line.action == "send_ours"}
    assert outcomes[one.id][0] == "done" and outcomes[two.id][0] == "nothing"
    assert "otherwise by now" in outcomes[two.id][1]
    approved(undone(plan))
    assert there(quickbooks, remote_id).get("CompanyName") == before.get("CompanyName")
