"""From a plan to the simulated company and back: shown, approved, arrived, taken back."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.contacts import Draft, Entry
from crm.models import Connection, Contact, Customer, Link, Plan, PlanLine, TimelineEntry
from crm.services import contacts
from crm.services.audit import Actor
from crm.services.sync import plans
from crm.services.sync.plans import Choice
from crm.services.sync.sending import send
from sandbox import Served
from tests.flows.imports import everything, run_import
from tests.quickbooks import connect

KIM = Actor(name="kim@example.com")


@pytest.fixture
def company(quickbooks: Served) -> Connection:
    """Connected and imported, still read-only."""
    row = connect(quickbooks)
    run_import(row.id, ["customer"])
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
        .join(Link, Link.local_id == Contact.id)
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
    return db.session.scalars(select(Link).where(Link.local_id == contact_id)).one()


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
