"""What is written for a member of a household reaches the books at its bill-to's customer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.models import Contact, Link, OutboxEntry, PlanLine
from crm.services import households
from crm.services.sync.plans import plans
from crm.services.sync.plans.plans import Choice
from sandbox import Served, serving
from tests.flows.changes import Company
from tests.flows.imports import everything
from tests.flows.sending import PERSON, due_now, linked_contact, new_contacts, writable
from tests.flows.test_sales import fresh, make, product, remote_id, send, there
from tests.images import after_import


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=15, seed=5) as served:
        served.sandbox.postman.paused = True
        yield served


@pytest.fixture
def company(app: Flask, quickbooks: Served, client: FlaskClient) -> Company:
    connection = writable(quickbooks)
    after_import(connection.id, quickbooks)
    return Company(quickbooks, client, connection)


def join(member: int, bill_to: int) -> None:
    with transaction():
        households.join(member, bill_to, actor=PERSON, now=clock.now())


def test_an_invoice_for_a_member_goes_to_the_customer_of_the_bill_to(company: Company) -> None:
    bill_to, customer = linked_contact(company.connection.id)
    [member] = new_contacts("Mira Member")
    join(member, bill_to)
    invoice = make(company.connection, product(company.served, company.connection), member, kind="invoice",
                   state="open")  # fmt: skip
    for _ in range(2):
        send(company.connection)
    assert there(company.served, "Invoice", remote_id(invoice, "invoice"))["CustomerRef"]["value"] == customer
    assert fresh(invoice).contact_id == bill_to
    assert not [one for one in everything(company.served, "Customer") if one["DisplayName"] == "Mira Member"]


def test_the_bill_to_is_created_there_first_where_it_is_no_customer_yet(company: Company) -> None:
    bill_to, member = new_contacts("Bella Billto", "Mira Member")
    join(member, bill_to)
    quote = make(company.connection, product(company.served, company.connection), member)
    for _ in range(3):
        send(company.connection)
    names = {one["Id"]: one["DisplayName"] for one in everything(company.served, "Customer")}
    reference = there(company.served, "Estimate", remote_id(quote, "estimate"))["CustomerRef"]["value"]
    assert names[reference] == "Bella Billto" and "Mira Member" not in names.values()


def test_a_plan_leaves_out_members_and_those_that_are_probably_there(company: Company) -> None:
    bill_to, _ = linked_contact(company.connection.id, Contact.phone != "", Contact.given_name != "")
    known = db.session.get_one(Contact, bill_to)
    name, phone = f"{known.given_name} {known.family_name}", known.phone
    with transaction() as session:
        session.execute(Link.__table__.delete().where(Link.kind == "customer", Link.local_id == bill_to))
    twin, fresh_one, member = *new_contacts(name + " ", phones=(phone,)), *new_contacts("Quite New", "Mira Member")
    join(member, fresh_one)
    with transaction():
        plan_id = plans.ask(company.connection.id, contact_ids=[twin, fresh_one, member], actor=PERSON,
                            now=clock.now()).id  # fmt: skip
    plans.run(plan_id, clock=clock.now)
    db.session.remove()
    lines = {one.local_id: one for one in db.session.scalars(select(PlanLine).where(PlanLine.plan_id == plan_id))}
    assert (lines[fresh_one].action, lines[twin].action, lines[member].action) == ("create", "refuse", "skip")
    assert lines[twin].reason.startswith("Probably “") and "belongs to “Quite New”" in lines[member].reason
    with transaction():
        plans.approve(plan_id, Choice("all"), actor=PERSON, now=clock.now())
    plans.run(plan_id, clock=clock.now)
    due_now()
    send(company.connection)
    db.session.remove()
    created = select(OutboxEntry.local_id).where(OutboxEntry.operation == "create")
    assert db.session.scalars(created).all() == [fresh_one]
    assert [one["DisplayName"] for one in everything(company.served, "Customer")].count("Quite New") == 1
