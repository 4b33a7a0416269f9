"""Contacts linked before an import that is planned first: nothing of them changes until its plan is approved."""

# ruff: noqa: F811  pytest hands the imported fixture in under its name

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.record_parts import Origin
from crm.models import Connection, Contact, Link, Plan, SyncLogEntry
from crm.services import contacts
from crm.services.sync.plans.plans import Choice
from tests.flows.test_import_plans import AMY, BEA, KIM, approved, everybody, lines, planned_import
from tests.flows.test_import_undo import imported
from tests.services.test_sync_matching import connection, customer, have  # noqa: F401

NEWER = replace(AMY, origin=Origin("1", "1"), email_text="amy@elm.example")


def linked(connection: Connection) -> int:
    """Amy, linked by an import before; her e-mail comes from there."""
    [amy] = have({"name": "Amy Fox", "phones": ("816 555 0101",)})
    imported(connection, AMY)
    return amy


def mail(contact_id: int) -> str:
    db.session.remove()
    return db.session.get_one(Contact, contact_id).email


def test_what_changed_there_waits_as_a_line_and_comes_with_the_approval(connection: Connection) -> None:
    amy = linked(connection)
    before = everybody()
    plan = planned_import(connection, NEWER, BEA)
    assert everybody() == before, "nothing of any contact has changed"
    found = lines(plan)
    assert {key: line.action for key, line in found.items()} == {"1": "contact_update", "2": "contact_create"}
    assert (found["1"].local_id, found["1"].changes) == (amy, {"email": ["amy@fox.example", "amy@elm.example"]})
    assert (plan.counts["contact_update"], plan.counts["field:email"], plan.done, plan.total) == (1, 1, 2, 2)
    plan = approved(plan)
    assert (mail(amy), plan.state) == ("amy@elm.example", "done")
    assert {line.outcome for line in lines(plan).values()} == {"done"}
    base = db.session.scalars(select(Link).where(Link.kind == "customer", Link.local_id == amy)).one().base
    assert "amy@elm.example" in str(base["email"])


def test_what_was_left_comes_in_when_the_customer_is_read_next(connection: Connection) -> None:
    amy = linked(connection)
    plan = planned_import(connection, NEWER, BEA)
    approved(plan, Choice("some", ids=(lines(plan)["2"].id,)))
    assert (mail(amy), lines(plan)["1"].outcome) == ("amy@fox.example", "left")
    imported(connection, NEWER, BEA)
    assert mail(amy) == "amy@elm.example"


def test_a_line_that_no_longer_holds_is_not_done(connection: Connection) -> None:
    amy = linked(connection)
    plan = planned_import(connection, NEWER)
    with transaction():
        contact = contacts.find(amy)
        mine = {"email": [one for one in contacts.entries_of(contact) if one.kind == "email"]}
        mine["email"][0] = replace(mine["email"][0], value="amy@own.example")
        contacts.change(amy, {}, lines=mine, version=contact.version, actor=KIM, now=clock.now())
    plan = approved(plan)
    line = lines(plan)["1"]
    assert (line.outcome, mail(amy)) == ("nothing", "amy@own.example")
    assert "otherwise by now" in line.outcome_text


def test_an_import_without_a_plan_changes_them_as_it_reads(connection: Connection) -> None:
    amy = linked(connection)
    imported(connection, NEWER)
    assert mail(amy) == "amy@elm.example"
    held = select(SyncLogEntry).where(SyncLogEntry.event == "contact_held")
    assert list(db.session.scalars(held)) == [] and list(db.session.scalars(select(Plan))) == []


def test_many_are_held_page_by_page_and_told_once_each(connection: Connection) -> None:
    old = [customer(n, f"Person Number{n}", phone=f"816 555 {n:04d}", email=f"p{n}@x.example") for n in range(1, 31)]
    imported(connection, *old)
    newer = [replace(one, origin=Origin(one.origin.remote_id, "1"), email_text=f"new-{one.email_text}") for one in old]
    plan = planned_import(connection, *newer, size=7)
    assert plan.counts["contact_update"] == 30
    plan = approved(plan)
    assert {line.outcome for line in lines(plan).values()} == {"done"}
    db.session.remove()
    emails = [contact.email for contact in db.session.scalars(select(Contact))]
    assert len(emails) == 30 and all(email.startswith("new-") for email in emails)
