"""What a person decides about doubtful matches."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Changed, Refused
from crm.domain.records import DocumentRecord, Origin, Ref
from crm.models import (
    AuditEntry,
    Connection,
    Contact,
    Customer,
    CustomerValue,
    Document,
    Duplicate,
    Link,
    Match,
    MatchDecision,
    MoneyFacts,
    TimelineEntry,
)
from crm.providers.accounting.base import Page
from crm.services import duplicates, matches
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
    assert db.session.scalars(select(Link.local_id).where(Link.kind == "customer")).all() == [contact_id]
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
    assert len(db.session.scalars(select(Link).where(Link.kind == "customer")).all()) == 1


def test_unlinking_takes_money_and_documents_away_and_keeps_both(doubtful: tuple[int, int]) -> None:
    match_id, contact_id = doubtful
    decide(matches.confirm, match_id)
    with transaction() as session:
        session.add(CustomerValue(contact_id=contact_id, sales=Decimal(500), years=Decimal(1), as_of=date(2026, 3, 1)))
    decide(matches.unlink, contact_id)
    assert db.session.scalars(select(Link).where(Link.kind == "customer")).all() == []
    assert db.session.get(MoneyFacts, contact_id) is None and db.session.get(CustomerValue, contact_id) is None
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


# --- the log of decisions -------------------------------------------------------------------------------------


def logged() -> list[MatchDecision]:
    db.session.remove()
    return list(db.session.scalars(select(MatchDecision).order_by(MatchDecision.id)))


def test_a_decision_is_logged_with_its_evidence_and_how_long_it_took(doubtful: tuple[int, int]) -> None:
    match_id, contact_id = doubtful
    with transaction():
        matches.confirm(match_id, actor=KIM, now=clock.now(), took_ms=4100)
    [entry] = logged()
    customer_id = db.session.get_one(Match, match_id).customer_id
    assert (entry.sort, entry.one_id, entry.other_id, entry.outcome) == ("match", customer_id, contact_id, "same")
    assert (entry.automatic, entry.decided_by, entry.took_ms) == (False, "Kim Berg", 4100)
    assert {"phone", "email"} <= set(entry.reasons) and entry.rule
    assert entry.names == "“Jonas Keller” and “Maria Keller”"


def test_a_link_that_a_rule_made_and_a_person_undid_is_told_as_a_correction(connection: Connection) -> None:  # noqa: F811
    [contact_id] = have({"name": "Dana Fox", "phones": ("555 010 4401",)})
    run_import(connection.id, open_books=opened(Books([customer(1, "Dana Fox", phone="555-010-4401")])))
    [made] = logged()
    assert (made.outcome, made.automatic, made.other_id, made.rule) == ("same", True, contact_id, "name_and_contact")
    assert made.connection_id == connection.id and set(made.reasons) == {"phone", "name"}
    decide(matches.unlink, contact_id)
    [_, undone] = logged()
    assert (undone.outcome, undone.corrects_id, undone.automatic) == ("unlinked", made.id, False)


def test_the_other_decisions_are_logged_too(doubtful: tuple[int, int]) -> None:
    match_id, contact_id = doubtful
    made = decide(matches.reject, match_id).contact_id
    assert made is not None
    decide(matches.unlink, made)
    decide(matches.reconsider, match_id)
    decide(matches.make_new, db.session.get_one(Match, match_id).customer_id)
    outcomes = [(entry.outcome, entry.other_id) for entry in logged()]
    assert outcomes == [("apart", contact_id), ("unlinked", made), ("undone", contact_id), ("new", 0)]
    assert logged()[2].corrects_id == logged()[0].id


def test_who_is_said_not_to_be_a_customer_is_no_double_of_the_customers_contact(doubtful: tuple[int, int]) -> None:
    match_id, contact_id = doubtful
    made = decide(matches.reject, match_id).contact_id
    pairs = select(Duplicate).where(Duplicate.sort == "contact")
    assert db.session.scalars(pairs).all() == []
    with transaction():
        duplicates.note_contacts([contact_id, made], now=clock.now())
    assert db.session.scalars(pairs).all() == []
    decide(matches.unlink, made)
    [pair] = db.session.scalars(pairs).all()
    assert {pair.one_id, pair.other_id} == {contact_id, made}  # they share phone and e-mail


# --- one to one -----------------------------------------------------------------------------------------------

FOXES = [("Dana Fox", "555 010 4401"), ("D. Fox", "555 010 4401"), ("Jonas Keller", "555 010 2200"),
         ("Maria Keller", "555 010 2200")]  # fmt: skip
DEEDS = st.lists(
    st.tuples(st.sampled_from(["import", "confirm", "confirm", "reject", "reconsider", "unlink", "make_new"]),
              st.integers(0, 20)), max_size=12)  # fmt: skip


KELLERS = [FOXES[2], FOXES[2]], [FOXES[3]]
"""Two customers, each in question for the one contact."""


@given(st.lists(st.sampled_from(FOXES), min_size=1, max_size=4), st.lists(st.sampled_from(FOXES), max_size=4), DEEDS)
@example(*KELLERS, [("confirm", 0), ("confirm", 1), ("import", 0), ("confirm", 1)])
@example(*KELLERS, [("confirm", 1), ("confirm", 0), ("unlink", 0), ("confirm", 0)])
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_contact_is_ever_linked_to_two_customers_of_a_company_nor_a_customer_to_two_contacts(
    connection: Connection,  # noqa: F811
    theirs: list,
    ours: list,
    deeds: list,
) -> None:
    with transaction() as session:
        for table in (Link, Match, Customer, Contact):
            session.execute(delete(table))
    have(*({"name": name, "phones": (phone,)} for name, phone in ours))
    books = opened(Books([customer(n, name, phone=phone) for n, (name, phone) in enumerate(theirs)]))
    for deed, place in [("import", 0), *deeds]:
        taken = _taken(place) if deed == "confirm" else False
        refused = _do(deed, place, connection, books)
        assert refused is Refused or not taken, "a second customer for one contact is refused with the way out"
        db.session.remove()
        links = db.session.execute(select(Link.local_id, Link.remote_id).where(Link.kind == "customer")).all()
        assert len({contact for contact, _ in links}) == len({remote for _, remote in links}) == len(links)
        shown = select(Customer.contact_id, Customer.remote_id).where(Customer.match_state == "linked")
        assert sorted(db.session.execute(shown).all()) == sorted((contact, remote) for contact, remote in links)


def _taken(place: int) -> bool:
    """Whether the match at this place is in question for a contact that has a customer already."""
    found = db.session.scalars(select(Match).order_by(Match.id)).all()
    if not found or found[place % len(found)].state != "proposed":
        return False
    mine = (Link.kind == "customer", Link.local_id == found[place % len(found)].contact_id)
    return db.session.scalar(select(Link.id).where(*mine)) is not None


def _do(deed: str, place: int, connection: Connection, books: Any) -> type[Exception] | None:  # noqa: F811
    """The deed to whatever row stands at this place, if it may be done to it; else what it was refused with."""
    if deed == "import":
        assert run_import(connection.id, open_books=books).state == "done"
        return None
    ids = {
        "unlink": select(Link.local_id).where(Link.kind == "customer").order_by(Link.local_id),
        "make_new": select(Customer.id).order_by(Customer.id),
    }.get(deed, select(Match.id).order_by(Match.id))
    found = db.session.scalars(ids).all()
    try:
        if found:
            decide(getattr(matches, deed), found[place % len(found)])
    except (Changed, Refused) as error:
        return type(error)
    return None
