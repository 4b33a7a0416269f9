"""What a person decides about doubtful matches."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Changed, Refused
from crm.domain.records import DocumentRecord, Origin, Ref
from crm.models import AuditEntry, Connection, Contact, Customer, Document, Link, Match, MoneyFacts, TimelineEntry
from crm.providers.accounting.base import Page
from crm.services import matches
from crm.services.audit import Actor
from tests.flows.imports import opened, run_import
from tests.services.test_sync_matching import Books, connection, customer, have  # noqa: F401

KIM = Actor("kim@example.com", shown_as="Kim Berg")


class BooksWithInvoices(Books):
    """Each customer has one open invoice of 10.00 times its number."""

    def count(self, kind: str) -> int:
        return len(self.customers) if kind in ("customer", "invoice") else 0

    def scan(self, kind: str, cursor: str | None = None) -> Page:
        if kind != "invoice":
            return super().scan(kind, cursor)
        return Page(tuple(
            DocumentRecord("invoice", Origin(f"i{one.origin.remote_id}", "0"), Ref(one.origin.remote_id),
                           date=date(2026, 1, 5), total=Decimal(10) * int(one.origin.remote_id),
                           balance=Decimal(10) * int(one.origin.remote_id))
            for one in self.customers
        ))  # fmt: skip


@pytest.fixture
def doubtful(connection: Connection) -> tuple[int, int]:  # noqa: F811
    """A customer that waits (with a job and invoices), proposed for the contact. -> (match id, contact id)"""
    [contact_id] = have({"name": "Maria Keller", "phones": ("555 010 2200",), "email": "keller@home.example"})
    waits = customer(1, "Jonas Keller", phone="555-010-2200", email="keller@home.example")
    job = customer(2, "Basement", parent_id="1", full_path="Jonas Keller:Basement")
    run = run_import(connection.id, open_books=opened(BooksWithInvoices([waits, job])))
    assert run.counts.get("review") == 1, run.counts
    return db.session.scalars(select(Match.id)).one(), contact_id


def decide(deed, id_: int) -> matches.Result:
    with transaction():
        result = deed(id_, actor=KIM, now=clock.now())
    db.session.remove()
    return result


def test_confirming_links_fills_and_brings_jobs_documents_and_money(doubtful: tuple[int, int]) -> None:
    match_id, contact_id = doubtful
    result = decide(matches.confirm, match_id)
    assert result.contact_id == contact_id
    contact = db.session.get_one(Contact, contact_id)
    assert (contact.display_name, contact.link_state) == ("Maria Keller", "linked")
    assert db.session.scalars(select(Link.local_id)).all() == [contact_id]
    assert db.session.scalars(select(Customer.contact_id)).all() == [contact_id, contact_id]
    assert db.session.scalars(select(Document.contact_id)).all() == [contact_id, contact_id]
    facts = db.session.get_one(MoneyFacts, contact_id)
    assert (facts.total_sales, facts.open_invoices) == (Decimal(30), 2)
    assert db.session.scalars(select(Match.decided_by)).all() == ["Kim Berg"]
    linked = db.session.scalars(select(TimelineEntry).where(TimelineEntry.verb == "linked")).one()
    assert linked.actor == "Kim Berg"
    entry = db.session.scalars(select(AuditEntry)).one()
    assert (entry.action, entry.actor) == ("match_confirmed", "kim@example.com")


def test_rejecting_the_last_candidate_makes_the_customer_a_contact_of_its_own(doubtful: tuple[int, int]) -> None:
    match_id, contact_id = doubtful
    result = decide(matches.reject, match_id)
    assert result.contact_id not in (None, contact_id)
    made = db.session.get_one(Contact, result.contact_id)
    assert (made.display_name, made.link_state) == ("Jonas Keller", "linked")
    assert db.session.get_one(Contact, contact_id).link_state == "none"
    assert db.session.get_one(MoneyFacts, made.id).total_sales == Decimal(30)
    assert db.session.get_one(Match, match_id).state == "rejected"


def test_a_rejected_pair_is_never_proposed_again(connection: Connection, doubtful: tuple[int, int]) -> None:  # noqa: F811
    match_id, _ = doubtful
    made = decide(matches.reject, match_id).contact_id
    assert made is not None
    decide(matches.unlink, made)
    with transaction() as session:
        session.delete(session.get_one(Contact, made))
    run = run_import(connection.id, open_books=opened(Books([customer(1, "Jonas Keller", phone="555-010-2200",
                                                                      email="keller@home.example")])))  # fmt: skip
    assert (run.counts.get("review", 0), run.counts["created"]) == (0, 1)


def test_a_new_contact_is_made_when_all_are_different_people(doubtful: tuple[int, int]) -> None:
    match_id, contact_id = doubtful
    waits = db.session.scalars(select(Customer.id).where(Customer.match_state == "review")).one()
    result = decide(matches.make_new, waits)
    assert result.contact_id != contact_id
    assert db.session.get_one(Match, match_id).state == "rejected"
    assert db.session.get_one(Contact, contact_id).link_state == "none"


def test_a_decision_made_twice_is_refused_as_changed_and_does_nothing(doubtful: tuple[int, int]) -> None:
    match_id, _ = doubtful
    decide(matches.confirm, match_id)
    for deed in (matches.confirm, matches.reject):
        with pytest.raises(Changed):
            decide(deed, match_id)
    assert len(db.session.scalars(select(Link)).all()) == 1


def test_unlinking_takes_money_and_documents_away_and_keeps_both(doubtful: tuple[int, int]) -> None:
    match_id, contact_id = doubtful
    decide(matches.confirm, match_id)
    decide(matches.unlink, contact_id)
    assert db.session.scalars(select(Link)).all() == []
    assert db.session.get(MoneyFacts, contact_id) is None
    assert db.session.scalars(select(Document.contact_id)).all() == [None, None]
    assert db.session.get_one(Contact, contact_id).link_state == "none"
    assert db.session.scalars(select(Customer.match_state).order_by(Customer.id)).all() == ["new", "job"]
    with pytest.raises(Changed):
        decide(matches.unlink, contact_id)


def test_a_rejection_can_be_taken_back(doubtful: tuple[int, int]) -> None:
    match_id, contact_id = doubtful
    made = decide(matches.reject, match_id).contact_id
    with pytest.raises(Refused, match="Unlink it there first"):
        decide(matches.reconsider, match_id)
    assert made is not None
    decide(matches.unlink, made)
    decide(matches.reconsider, match_id)
    assert db.session.get_one(Contact, contact_id).link_state == "review"
    assert decide(matches.confirm, match_id).contact_id == contact_id


def test_a_contact_that_has_a_customer_already_is_refused_with_the_way_out(connection: Connection) -> None:  # noqa: F811
    have({"name": "Dana Fox", "phones": ("555 010 4401",)})
    one, two = (customer(n, "Dana Fox", phone="555-010-4401") for n in (1, 2))
    run_import(connection.id, open_books=opened(Books([one])))
    run_import(connection.id, open_books=opened(Books([one, two])))
    proposed = db.session.scalars(select(Match.id).where(Match.state == "proposed")).one()
    with pytest.raises(Refused, match="already linked"):
        decide(matches.confirm, proposed)
