"""Households: one is billed, others belong to it; who may join, what moves, and that matching knows."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Refused
from crm.domain.purchases import BillLine
from crm.models import (
    AuditEntry,
    Connection,
    Contact,
    Customer,
    Duplicate,
    HouseholdMember,
    Link,
    MatchDecision,
    TimelineEntry,
)
from crm.queries import households as queries
from crm.queries.bills import line_names
from crm.services import bill_lines, contact_merges, contacts, households, sync
from tests.flows.imports import opened, run_import
from tests.services.test_contact_merges import KIM, make
from tests.services.test_matches import doubtful  # noqa: F401
from tests.services.test_sync_matching import Books, connection, customer, have, import_  # noqa: F401


def join(contact_id: int, bill_to_id: int) -> None:
    with transaction():
        households.join(contact_id, bill_to_id, actor=KIM, now=clock.now())
    db.session.remove()


def duplicates() -> list[tuple[int, int]]:
    return [(row.one_id, row.other_id) for row in db.session.scalars(select(Duplicate).where(
        Duplicate.sort == "contact", Duplicate.state == "proposed"))]  # fmt: skip


def test_a_member_is_no_double_of_its_bill_to_and_one_again_once_it_left(app: Flask) -> None:
    one = make("Ann Lee", phone="555 010 1100", email="ann@lee.example")
    other = make("Ann Lee", phone="555 010 1100", email="ann@lee.example")
    assert duplicates() == [(one, other)]
    join(other, one)
    assert duplicates() == [] and queries.payers([one, other]) == {other: one}
    with transaction():
        households.leave(other, actor=KIM, now=clock.now())
    assert duplicates() == [(one, other)] and queries.payers([other]) == {}
    told = db.session.scalars(select(TimelineEntry.verb).where(TimelineEntry.contact_id == one)).all()
    assert {"household_joined", "household_left"} <= set(told)
    assert "household_left" in db.session.scalars(select(AuditEntry.action)).all()


def test_who_cannot_join_is_told_the_way_out(app: Flask) -> None:
    ann, bo, cy, di = (make(name) for name in ("Ann", "Bo", "Cy", "Di"))
    join(bo, ann)
    for pair, words in {
        (ann, ann): "cannot belong to itself",
        (cy, bo): "belongs to Ann itself. Choose Ann",
        (bo, cy): "belongs to Ann already",
        (ann, cy): "Others are billed to Ann",
    }.items():
        with pytest.raises(Refused, match=words), transaction():
            households.join(*pair, actor=KIM, now=clock.now())
    assert db.session.scalars(select(HouseholdMember.contact_id)).all() == [bo] and di


def test_a_linked_contact_joins_only_once_unlinked_and_a_member_is_never_linked(
    connection: Connection  # noqa: F811
) -> None:
    import_(connection, customer(1, "Jonas Keller", phone="555-010-2200", email="keller@home.example"))
    jonas = db.session.scalars(select(Contact.id)).one()
    maria = make("Maria Keller")
    with pytest.raises(Refused, match=r"customer “Jonas Keller” of its own. Unlink it first"), transaction():
        households.join(jonas, maria, actor=KIM, now=clock.now())
    join(maria, jonas)
    import_(connection, customer(1, "Jonas Keller", phone="555-010-2200", email="keller@home.example"),
            customer(2, "Maria Keller", email="maria@home.example"))  # fmt: skip
    assert db.session.get_one(Contact, maria).link_state == "none"
    second = db.session.scalars(select(Customer).where(Customer.remote_id == "2")).one()
    assert second.match_state == "linked" and second.contact_id not in (maria, jonas)
    with transaction() as session:
        asked = sync.ask_create(session, [maria, jonas], connection.id, actor=KIM, now=clock.now())
    assert (asked.members, asked.linked, asked.noted) == (1, 1, 0)


def test_a_doubtful_relative_becomes_a_member_of_the_customers_contact(doubtful: tuple[int, int]) -> None:  # noqa: F811
    match_id, maria = doubtful
    with transaction():
        made = households.join_by_match(match_id, actor=KIM, now=clock.now()).bill_to_id
    db.session.remove()
    assert db.session.get_one(Contact, made).display_name == "Jonas Keller"
    assert queries.payers([maria]) == {maria: made}
    assert db.session.scalars(select(Link.local_id).where(Link.kind == "customer")).all() == [made]
    with pytest.raises(Refused), transaction():
        households.join_by_match(match_id, actor=KIM, now=clock.now())


def test_another_bill_to_takes_the_link_and_the_others_with_it(doubtful: tuple[int, int]) -> None:  # noqa: F811
    match_id, maria = doubtful
    child = make("Tim Keller")
    with transaction():
        jonas = households.join_by_match(match_id, actor=KIM, now=clock.now()).bill_to_id
    join(child, jonas)
    with transaction():
        households.make_bill_to(maria, actor=KIM, now=clock.now())
    db.session.remove()
    assert queries.payers([jonas, maria, child]) == {jonas: maria, child: maria}
    assert db.session.scalars(select(Link.local_id).where(Link.kind == "customer")).all() == [maria]
    assert set(db.session.scalars(select(Customer.contact_id))) == {maria}
    assert db.session.get_one(Contact, jonas).link_state == "none"
    with transaction():
        households.make_bill_to(jonas, actor=KIM, now=clock.now())
    db.session.remove()
    assert db.session.scalars(select(Link.local_id).where(Link.kind == "customer")).all() == [jonas]


def test_a_member_is_confirmed_as_nobodys_customer(connection: Connection) -> None:  # noqa: F811
    [maria] = have({"name": "Maria Keller", "phones": ("555 010 2200",), "email": "keller@home.example"})
    bo = make("Bo Grant")
    join(maria, bo)
    run = run_import(connection.id, open_books=opened(Books([
        customer(1, "Maria Keller", phone="555-010-2200", email="keller@home.example")
    ])))  # fmt: skip
    assert (run.counts.get("linked", 0), run.counts["created"]) == (0, 1)
    assert db.session.get_one(Contact, maria).link_state == "none"


def test_two_that_were_taken_for_one_become_a_household_and_the_log_says_they_are_two(app: Flask) -> None:
    one, other = make("Ann Lee", phone="555 010 1100"), make("Ann Lee", phone="555 010 1100")
    assert duplicates() == [(one, other)]
    with transaction():
        households.join_by_pair(one, other, bill_to_id=other, actor=KIM, now=clock.now())
    assert queries.payers([one, other]) == {one: other} and duplicates() == []
    said = db.session.scalars(select(MatchDecision)).one()
    assert (said.outcome, said.rule, said.one_id, said.other_id) == ("apart", "household", one, other)


def test_who_bills_others_is_not_archived_and_a_member_takes_in_no_customer(
    connection: Connection  # noqa: F811
) -> None:
    import_(connection, customer(1, "Jonas Keller"))
    jonas = db.session.scalars(select(Contact.id)).one()
    ann, bo = make("Ann Lee"), make("Bo Lee")
    join(bo, ann)
    with pytest.raises(Refused, match="Make another one the bill-to"), transaction():
        contacts.archive(ann, actor=KIM, now=clock.now())
    with pytest.raises(Refused, match="belongs to “Ann Lee”, and “Jonas Keller” has"), transaction():
        contact_merges.merge(jonas, bo, chosen={}, actor=KIM, now=clock.now())
    with transaction():
        contact_merges.merge(ann, bo, chosen={}, actor=KIM, now=clock.now())
    assert queries.payers([bo]) == {}


def test_what_is_bought_for_a_member_is_billed_to_its_bill_to(connection: Connection) -> None:  # noqa: F811
    payer, member = make("Anna Berg"), make("Ben Berg")
    with transaction() as session:
        households.join(member, payer, actor=KIM, now=clock.now())
        typed = BillLine(account="7", amount="12.50", customer="Ben Berg", billable="yes")
        kept, problem = bill_lines.read(session, typed, None, "", "USD")
    assert (kept["contact_id"], kept["billable"], problem) == (payer, "billable", "")
    assert line_names(db.session(), None, [kept])[0].customer == "Anna Berg", "and the page says so"
