"""A contact linked to a customer by hand: found, shown before, done, refused in words, and let go."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Refused
from crm.domain.match_settings import USUAL_CHOICE
from crm.models import AuditEntry, Connection, Contact, Customer, Document, Link, Match, MatchDecision, MoneyFacts
from crm.services import customer_candidates, match_linking, match_settings, matches
from tests.flows.imports import opened, run_import
from tests.services.test_matches import KIM, BooksWithInvoices, doubtful  # noqa: F401
from tests.services.test_sync_matching import connection, customer, have  # noqa: F401


def id_of(remote_id: str) -> int:
    return db.session.scalars(select(Customer.id).where(Customer.remote_id == remote_id)).one()


@pytest.fixture
def apart(connection: Connection) -> tuple[int, int]:  # noqa: F811
    """A contact, and the customer it is, which the rules did not see: nothing agrees. -> (contact id, customer id)"""
    [contact_id] = have({"name": "Bo Grant", "phones": ("555 010 7700",), "company_name": "Grant Roofing"})
    run_import(connection.id, open_books=opened(BooksWithInvoices(
        [customer(1, "B & G Roofers", phone="555-010-8800", email="bg@roofs.example", company_name="BG Inc.")]
    )))  # fmt: skip
    made = db.session.scalars(select(Contact.id).where(Contact.display_name == "B & G Roofers")).one()
    with transaction():
        matches.unlink(made, actor=KIM, now=clock.now())
    db.session.remove()
    return contact_id, id_of("1")


def link(contact_id: int, customer_id: int) -> None:
    with transaction():
        match_linking.link(contact_id, customer_id, actor=KIM, now=clock.now())
    db.session.remove()


def test_linking_by_hand_brings_documents_and_money_and_is_logged(apart: tuple[int, int]) -> None:
    contact_id, customer_id = apart
    link(contact_id, customer_id)
    assert db.session.scalars(select(Link.local_id).where(Link.kind == "customer")).all() == [contact_id]
    assert db.session.scalars(select(Document.contact_id)).all() == [contact_id]
    assert db.session.get_one(MoneyFacts, contact_id).total_sales == Decimal(10)
    contact = db.session.get_one(Contact, contact_id)
    assert (contact.link_state, contact.company_name) == ("linked", "Grant Roofing")
    last = db.session.scalars(select(MatchDecision).order_by(MatchDecision.id.desc())).first()
    assert last is not None
    assert (last.outcome, last.automatic, last.rule, last.decided_by) == ("same", False, "by_hand", "Kim Berg")
    assert "match_linked" in db.session.scalars(select(AuditEntry.action)).all()


def test_what_linking_would_change_is_what_it_changes(apart: tuple[int, int]) -> None:
    contact_id, customer_id = apart
    changes, standing = match_linking.change_of(contact_id, customer_id)
    states = {one.title: one.state for one in changes}
    assert (states["phone"], states["e-mail"], states["company"], states["name"]) == (
        "added", "added", "differs", "differs"), states  # fmt: skip
    assert (standing.documents, standing.payments, standing.jobs) == (1, 0, 0)
    link(contact_id, customer_id)
    contact = db.session.get_one(Contact, contact_id)
    values = {point.value for point in contact.points}
    assert "bg@roofs.example" in values and len(values) == 3 and contact.display_name == "Bo Grant"


def test_one_that_is_linked_on_either_side_is_refused_with_the_way_out(
    connection: Connection, apart: tuple[int, int]  # noqa: F811
) -> None:
    contact_id, customer_id = apart
    [other] = have({"name": "Somebody Else"})
    link(contact_id, customer_id)
    with pytest.raises(Refused, match=r"linked to the contact “Bo Grant” already.*merge them"), transaction():
        match_linking.link(other, customer_id, actor=KIM, now=clock.now())
    with transaction() as session:
        row = Customer(connection_id=connection.id, remote_id="77", root_remote_id="77", display_name="Free One",
                       record={"display_name": "Free One"}, seen_at=clock.now(), match_state="new")  # fmt: skip
        session.add(row)
    with pytest.raises(Refused, match=r"customer “B & G Roofers”.*unlink it there"), transaction():
        match_linking.link(contact_id, id_of("77"), actor=KIM, now=clock.now())


def test_one_finds_customers_by_name_phone_email_number_and_document(
    connection: Connection, apart: tuple[int, int]  # noqa: F811
) -> None:
    def found(text: str) -> list[str]:
        return [one.customer.display_name for one in match_linking.search(text, connection.id)]

    with transaction() as session:
        session.execute(select(Document)).scalars().one().number = "INV-9"
    for text in ("roofers b", "(555) 010-8800", "BG@roofs.example", "1", "INV-9"):
        assert found(text) == ["B & G Roofers"], text
    assert found("nobody") == [] and found("") == []


def test_candidates_come_with_their_evidence_until_somebody_says_it_is_another(
    connection: Connection, doubtful: tuple[int, int]  # noqa: F811
) -> None:
    match_id, contact_id = doubtful
    [one] = customer_candidates.candidates([contact_id], connection.id)[contact_id]
    assert one.customer.display_name == "Jonas Keller" and not one.probable
    assert any("555" in reason.text for reason in one.scored.evidence)
    with transaction():
        match_linking.keep_apart(contact_id, one.customer.id, actor=KIM, now=clock.now())
    db.session.remove()
    assert customer_candidates.candidates([contact_id], connection.id) == {}
    assert db.session.get_one(Match, match_id).state == "rejected"


def test_candidates_are_judged_by_the_settings_in_force(doubtful: tuple[int, int], connection: Connection) -> None:  # noqa: F811
    _, contact_id = doubtful
    [one] = customer_candidates.candidates([contact_id], connection.id)[contact_id]
    reason = max(one.scored.evidence, key=lambda found: found.points).reason
    with transaction():
        match_settings.keep(USUAL_CHOICE, {reason: -7}, version=0, actor=KIM, now=clock.now())
    db.session.remove()
    [now] = customer_candidates.candidates([contact_id], connection.id)[contact_id]
    assert now.scored.score == one.scored.score - 7
    assert customer_candidates.judged(contact_id, now.customer).score == now.scored.score


def test_a_customer_that_waits_is_linked_by_hand_and_waits_no_more(doubtful: tuple[int, int]) -> None:  # noqa: F811
    match_id, contact_id = doubtful
    [other] = have({"name": "The Right One"})
    link(other, id_of("1"))
    assert db.session.get(Match, match_id) is None
    assert db.session.get_one(Contact, contact_id).link_state == "none"
    assert db.session.get_one(Contact, other).link_state == "linked"


def test_what_leaves_with_a_link_is_told_before(apart: tuple[int, int]) -> None:
    contact_id, customer_id = apart
    link(contact_id, customer_id)
    customers, standing, money = match_linking.leaving_of(contact_id)
    assert [one.id for one in customers] == [customer_id] and standing.documents == 1
    assert money is not None and money.total_sales == Decimal(10)
