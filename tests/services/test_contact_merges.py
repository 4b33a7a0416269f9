"""Two contacts made one and two again: every row, the books, what is refused, and what was edited in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from crm import clock
from crm.db import Base, db, transaction
from crm.domain.contacts import Draft, Entry
from crm.domain.errors import Changed, Invalid, Merged, NotFound, Refused
from crm.models import (
    Connection,
    Contact,
    ContactImport,
    ContactImportRow,
    ContactMerge,
    Customer,
    Document,
    Duplicate,
    HouseholdMember,
    Link,
    Match,
    MatchDecision,
    MoneyFacts,
    Note,
    OutboxEntry,
    Receipt,
    SalesDocument,
    SyncLogEntry,
    TimelineEntry,
)
from crm.services import contact_merge_checks, contact_merges, contacts, matches, sync
from crm.services.audit import Actor
from crm.services.contact_merge_checks import TwoCustomers
from tests.engine_rows import add, entry
from tests.flows.imports import opened, run_import
from tests.services.merge_worlds import HANGING, hang
from tests.services.test_matches import BooksWithInvoices
from tests.services.test_sync_matching import Books, connection, customer  # noqa: F401

KIM = Actor("kim@example.com", shown_as="Kim Berg")


def make(name: str, *, phone: str = "", email: str = "", tags: tuple[str, ...] = (), **values: str) -> int:
    entries = [Entry("phone", phone, "mobile")] * bool(phone) + [Entry("email", email)] * bool(email)
    with transaction():
        draft = Draft({"display_name": name, **values}, tuple(entries), tags)
        return contacts.create(draft, actor=KIM, now=clock.now()).id


def merge(one: int, other: int, **how: Any) -> int:
    with transaction():
        merged = contact_merges.merge(one, other, **{"chosen": {}, "actor": KIM, "now": clock.now()} | how).id
    db.session.remove()
    return merged


def unmerge(merge_id: int) -> contact_merges.Parting:
    with transaction():
        parting = contact_merges.unmerge(merge_id, actor=KIM, now=clock.now() + timedelta(days=1))
    db.session.remove()
    return parting


def edit(contact_id: int, **values: str) -> None:
    with transaction():
        contact = contacts.find(contact_id)
        contacts.change(contact_id, values, version=contact.version, actor=KIM, now=clock.now())
    db.session.remove()


def import_(connection: Connection, *customers: Any) -> None:  # noqa: F811
    run = run_import(connection.id, open_books=opened(BooksWithInvoices(customers)))
    assert run.state == "done", run.error
    db.session.remove()


@pytest.fixture
def pair(connection: Connection) -> tuple[int, int]:  # noqa: F811
    """Dana without a customer, and Mrs. Fox who is linked to one with a job and invoices; everything hangs on her."""
    dana = make("D. Fox", phone="555 010 2200", tags=("VIP",), city="Bayshore", type="customer")
    fox = make("Dana Fox", phone="(555) 010-4400", email="dana@fox.example", tags=("roof",), company_name="Fox Roofing")
    import_(connection, customer(1, "Dana Fox", phone="555-010-4400", email="dana@fox.example",
                                 company_name="Fox Roofing"),
            customer(2, "Attic", parent_id="1", full_path="Dana Fox:Attic"))  # fmt: skip
    hang_everything_on(connection.id, fox)
    return dana, fox


def hang_everything_on(connection_id: int, contact_id: int) -> None:
    now = clock.now()
    third, fourth = make("Third Person"), make("Fourth Person")
    with transaction() as session:
        contacts.add_note(contact_id, "Call after five.", actor=KIM, now=now)
        file = ContactImport(filename="a.csv", state="done", created_at=now)
        session.add(file)
        session.flush()
        one, other = sorted((contact_id, third))
        session.add_all([
            ContactImportRow(import_id=file.id, number=2, cells=["x"], outcome="updated", contact_id=contact_id),
            HouseholdMember(contact_id=fourth, bill_to_id=contact_id, added_at=now),
            Duplicate(sort="contact", one_id=one, other_id=other, state="apart", found_at=now, decided_by="Kim Berg"),
            SalesDocument(kind="estimate", contact_id=contact_id, state="draft", created_at=now, updated_at=now),
            Receipt(contact_id=contact_id, date=now.date(), amount=Decimal(5), created_at=now, updated_at=now),
        ])  # fmt: skip
    db.session.remove()


SINCE = {
    "contact_merges", "audit_entries", "match_decisions", "sync_log_entries", "tags", "users", "sync_runs",
    "connections", "call_slots", "outbox_entries", "sqlite_sequence", "contact_changes",
}  # fmt: skip
"""Tables that tell what was done, and so grow with it."""
MOVES_ON = {"updated_at", "version"}


def state() -> dict[str, list[Any]]:
    """All rows that stand for contacts and their doings, without stamps and the entries of merging itself."""
    db.session.remove()
    rows: dict[str, list[Any]] = {}
    for table in Base.metadata.sorted_tables:
        if table.name in SINCE:
            continue
        for row in db.session.execute(select(table)):
            if getattr(row, "verb", "") in (contact_merges.VERB, contact_merges.VERB_UNDONE):
                continue
            volatile = MOVES_ON | ({"id"} if table.name in ("matches", "contact_points") else set())
            if table.name == "duplicates" and row.state == "proposed":
                volatile = {"id", "found_at", "stake"}  # what nobody decided is found anew, with the money of today
            kept = sorted((name, repr(value)) for name, value in row._mapping.items() if name not in volatile)
            rows.setdefault(table.name, []).append(kept)
    db.session.remove()
    return {name: sorted(found) for name, found in rows.items()}


def pointing() -> dict[tuple[str, int], tuple[int, str]]:
    """Of rows that tell what was done, and that merges re-point all the same: (table, id) -> contact and state."""
    entries, lines = db.session.scalars(select(OutboxEntry)), db.session.scalars(select(SyncLogEntry))
    found = {("outbox_entries", row.id): (row.local_id, row.state) for row in entries}
    found |= {("sync_log_entries", row.id): (row.contact_id or 0, "") for row in lines}
    db.session.remove()
    return found


def test_everything_of_the_absorbed_one_is_the_survivors(pair: tuple[int, int]) -> None:
    dana, fox = pair
    merge(dana, fox)
    contact = db.session.get_one(Contact, dana)
    assert (contact.display_name, contact.company_name, contact.city) == ("Dana Fox", "Fox Roofing", "Bayshore")
    assert [point.value for point in contact.points] == ["555 010 2200", "(555) 010-4400", "dana@fox.example"]
    assert {tag.name for tag in contact.tags} == {"roof", "VIP"}
    assert (contact.type, contact.link_state) == ("customer", "linked")
    assert "fox roofing" in contact.search_text
    for model in (Note, SalesDocument, Receipt, Document, Customer, ContactImportRow):
        assert set(db.session.scalars(select(model.contact_id))) == {dana}, model
    assert set(db.session.scalars(select(HouseholdMember.bill_to_id))) == {dana}
    assert db.session.scalars(select(Link.local_id).where(Link.kind == "customer")).all() == [dana]
    assert db.session.get(MoneyFacts, fox) is None
    assert db.session.get_one(MoneyFacts, dana).total_sales == Decimal(30)
    absorbed = db.session.get_one(Contact, fox)
    assert absorbed.archived_at is not None and absorbed.link_state == "none"
    told = db.session.scalars(select(TimelineEntry).where(TimelineEntry.verb == contact_merges.VERB)).one()
    assert told.summary == "“Dana Fox” was merged into this contact." and told.contact_id == dana
    assert db.session.scalars(select(MatchDecision.outcome).where(MatchDecision.sort == "contact")).all() == ["same"]


def test_who_was_kept_apart_from_the_absorbed_one_is_kept_apart_from_the_survivor(pair: tuple[int, int]) -> None:
    dana, fox = pair
    third = db.session.scalars(select(Contact.id).where(Contact.display_name == "Third Person")).one()
    merge_id = merge(dana, fox)
    mine = (Duplicate.state == "apart", Duplicate.sort == "contact")
    pairs = {frozenset(row) for row in db.session.execute(select(Duplicate.one_id, Duplicate.other_id).where(*mine))}
    assert pairs >= {frozenset((third, dana)), frozenset((third, fox))}
    unmerge(merge_id)
    pairs = {frozenset(row) for row in db.session.execute(select(Duplicate.one_id, Duplicate.other_id).where(*mine))}
    assert pairs == {frozenset((third, fox))}


@pytest.mark.parametrize("swapped", [False, True])
def test_merging_and_taking_it_back_leaves_everything_as_it_was(pair: tuple[int, int], swapped: bool) -> None:
    before = state()
    one, other = reversed(pair) if swapped else pair
    merge_id = merge(one, other)
    assert state() != before
    parting = unmerge(merge_id)
    after = state()
    assert parting.kept == ()
    assert {name: rows for name, rows in after.items() if rows != before.get(name)} == {}
    assert after == before


NAMES = st.sampled_from(["Ann Lee", "A. Lee", "Lee & Sons", "Ann Lee-Moss"])
PHONES = st.sampled_from(["", "555 010 1100", "(555) 010-1100", "555 010 1101"])
WORDS = st.sampled_from(["", "Bayshore", "Elm"])
PERSON = st.fixed_dictionaries({
    "name": NAMES, "phone": PHONES, "email": st.sampled_from(["", "ann@lee.example"]), "city": WORDS, "street": WORDS,
    "company_name": WORDS, "tags": st.sampled_from([(), ("a",), ("a", "b")]),
})  # fmt: skip


HAS = st.fixed_dictionaries({name: st.sampled_from(["", "one", "other", "both"]) for name in HANGING})
ANN = {"name": "Ann Lee", "phone": "555 010 1100"}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=PERSON, other=PERSON, has=HAS, left_out=st.booleans(), chosen=st.sampled_from([{}, {"city": "Elsewhere"}]))
@example(one=ANN, other=ANN, has=dict.fromkeys(HANGING, "other") | {"bills": ""}, left_out=False, chosen={})
@example(one=ANN, other=ANN, has=dict.fromkeys(HANGING, "both") | {"member": ""}, left_out=False, chosen={})
def test_merging_and_taking_it_back_is_identity_for_any_two(
    app: Flask, one: dict[str, Any], other: dict[str, Any], has: dict[str, str], left_out: bool, chosen: dict[str, str]
) -> None:
    with transaction() as session:  # the examples must not see each other
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
    first, second = make(**one), make(**other)
    hang(has, first, second, make("Third"), make("Ann Lee", phone="555 010 1100"))
    before, pointed = state(), pointing()
    without = ["phone:+15550101100:"] if left_out else []
    try:
        merge_id = merge(first, second, chosen=chosen, without=without)
    except Refused:  # a member of a household whose other side has a customer
        assert has["member"] and has["linked"]
        assert (state(), pointing()) == (before, pointed)
        return
    unmerge(merge_id)
    after = state()
    assert {name: rows for name, rows in after.items() if rows != before.get(name)} == {}
    assert after.keys() == before.keys()
    assert pointing().items() >= pointed.items()


def test_what_was_edited_in_between_stays_with_the_survivor_and_is_named(pair: tuple[int, int]) -> None:
    dana, fox = pair
    merge_id = merge(dana, fox)
    edit(dana, website="fox.example", city="Seaside")
    with transaction():
        contacts.add_note(dana, "Made after the merge.", actor=KIM, now=clock.now())
    parting = unmerge(merge_id)
    assert parting.kept == ("City", "Website")
    assert "City, Website: edited since, and kept here." in parting.text
    one, other = db.session.get_one(Contact, dana), db.session.get_one(Contact, fox)
    assert (one.display_name, one.city, one.website, one.company_name) == ("D. Fox", "Seaside", "fox.example", "")
    assert (other.display_name, other.company_name, other.archived_at) == ("Dana Fox", "Fox Roofing", None)
    notes = dict(db.session.execute(select(Note.body, Note.contact_id)).all())
    assert notes == {"Call after five.": fox, "Made after the merge.": dana}


def test_what_came_in_for_the_customer_since_goes_back_with_its_link(
    connection: Connection,  # noqa: F811
    pair: tuple[int, int],
) -> None:
    dana, fox = pair
    merge_id = merge(dana, fox)
    attic = customer(2, "Attic", parent_id="1", full_path="Dana Fox:Attic")
    import_(connection, customer(1, "Dana Fox", phone="555-010-4400", email="dana@fox.example", version="1"), attic,
            customer(3, "Shed", parent_id="1", full_path="Dana Fox:Shed"))  # fmt: skip
    assert set(db.session.scalars(select(Document.contact_id))) == {dana}
    unmerge(merge_id)
    assert set(db.session.scalars(select(Document.contact_id))) == {fox}
    assert db.session.get_one(MoneyFacts, fox).total_sales == Decimal(60)
    assert db.session.get_one(Contact, dana).link_state == "none"


def test_what_somebody_gave_to_a_third_contact_since_stays_there(pair: tuple[int, int]) -> None:
    dana, fox = pair
    third = db.session.scalars(select(Contact.id).where(Contact.display_name == "Third Person")).one()
    draft = SalesDocument.kind == "estimate"
    merge_id = merge(dana, fox)
    with transaction() as session:
        session.scalars(select(SalesDocument).where(draft)).one().contact_id = third
    unmerge(merge_id)
    assert db.session.scalars(select(SalesDocument.contact_id).where(draft)).all() == [third]


def waiting() -> dict[int, list[str]]:
    query = select(OutboxEntry.local_id, OutboxEntry.fields).where(OutboxEntry.state == "pending")
    return {local_id: sorted(fields) for local_id, fields in db.session.execute(query)}


def test_the_books_are_told_what_differs_by_the_outbox_and_told_again_at_the_undo(pair: tuple[int, int]) -> None:
    dana, fox = pair
    merge_id = merge(dana, fox, chosen={"company_name": "Fox & Fox"})
    assert waiting() == {dana: ["address", "company_name", "mobile"]}
    with transaction() as session:  # as if it had arrived there
        session.query(OutboxEntry).update({"state": "done", "settled_at": clock.now()})
    unmerge(merge_id)
    assert waiting() == {fox: ["address", "company_name", "mobile"]}


def test_a_merge_that_changes_nothing_the_books_know_sends_nothing(pair: tuple[int, int]) -> None:
    _, fox = pair
    merge(fox, make("Dana Fox", tags=("new",)))
    assert waiting() == {}


def two_customers(connection: Connection) -> tuple[int, int]:  # noqa: F811
    one, other = make("Ann Lee", phone="555 010 1100"), make("Bo Moss", phone="555 010 1200")
    import_(connection, customer(1, "Ann Lee", phone="555 010 1100"), customer(2, "Bo Moss", phone="555 010 1200"))
    return one, other


def test_two_customers_of_one_company_are_refused_with_the_remedy_and_known_as_duplicate(
    connection: Connection,  # noqa: F811
) -> None:
    one, other = two_customers(connection)
    before = state()
    with pytest.raises(TwoCustomers, match=r"two QuickBooks customers for one person\. Merge them there") as refused:
        merge(one, other)
    assert state() == before
    for _ in range(2):
        with transaction():
            contact_merge_checks.know_customers(refused.value.pairs, actor=KIM, now=clock.now())
    known = db.session.scalars(select(Duplicate).where(Duplicate.sort == "customer")).one()
    assert (known.state, known.decided_by, known.connection_id) == ("known", "Kim Berg", connection.id)
    assert len(db.session.scalars(select(Link).where(Link.kind == "customer")).all()) == 2


def test_once_merged_in_the_books_the_two_contacts_can_be_merged(connection: Connection) -> None:  # noqa: F811
    one, other = two_customers(connection)
    with transaction() as session:  # what the engine leaves of a merge there
        gone = session.scalars(select(Customer).where(Customer.contact_id == other)).one()
        gone.active, gone.gone_at = False, clock.now()
        mine = (Link.kind == "customer", Link.local_id == other)
        session.scalars(select(Link).where(*mine)).one().state = "gone"
        session.flush()
        sync.refresh_link_states(session, [other], now=clock.now())
    with pytest.raises(Refused, match="Keep “Ann Lee” and merge the other into it"):
        merge(other, one)
    before = state()
    merge_id = merge(one, other)
    assert set(db.session.scalars(select(Customer.contact_id))) == {one}
    unmerge(merge_id)
    after = state()
    assert {name: rows for name, rows in after.items() if rows != before.get(name)} == {}


def test_the_absorbed_one_leads_to_the_survivor_whatever_is_asked_of_it(app: Flask) -> None:
    one, other, last = make("Ann"), make("Anne"), make("Anna")
    merge(one, other)
    merge(last, one)
    deeds: list[Callable[[], Any]] = [
        lambda: contacts.restore(other, actor=KIM, now=clock.now()),
        lambda: contacts.add_note(other, "x", actor=KIM, now=clock.now()),
        lambda: contact_merges.proposal(last, other),
    ]
    for deed in deeds:
        with pytest.raises(Merged) as refused, transaction():
            deed()
        assert refused.value.into == last


def test_the_newest_merge_is_undone_first(app: Flask) -> None:
    one, other, third, last = make("Ann"), make("Anne"), make("Anna"), make("Annabel")
    first, second = merge(one, other), merge(one, third)
    with pytest.raises(Refused, match="“Anna” was merged into this contact later"):
        unmerge(first)
    merged_on = merge(last, one)
    with pytest.raises(Refused, match="merged into another contact since"):
        unmerge(second)
    for merge_id in (merged_on, second, first):
        unmerge(merge_id)
    with pytest.raises(Changed, match="undone already"):
        unmerge(first)
    assert not db.session.scalars(select(Contact.id).where(Contact.archived_at.is_not(None))).all()


def test_what_cannot_be_merged_says_why(app: Flask) -> None:
    one, other = make("Ann"), make("Anne")
    with pytest.raises(Refused, match="merged with itself"):
        merge(one, one)
    with pytest.raises(NotFound):
        merge(one, other + 1000)
    with pytest.raises(Invalid, match="Website is not a web address"):
        merge(one, other, chosen={"website": "nonsense"})
    with pytest.raises(Invalid, match="no such field"):
        merge(one, other, chosen={"shoe_size": "44"})
    with pytest.raises(Changed, match="changed meanwhile"):
        merge(one, other, versions=(1, 7))
    add(Duplicate(sort="contact", one_id=one, other_id=other, state="apart", found_at=clock.now(), decided_by="Kim"))
    with pytest.raises(Refused, match="Kim decided that these two are never the same"):
        merge(one, other)
    with transaction():
        contacts.archive(other, actor=KIM, now=clock.now())
    with pytest.raises(Refused, match=r"archived\. Restore it first"):
        merge(one, other)
    assert not db.session.scalars(select(ContactMerge.id)).all()


def test_what_stood_there_already_passes_though_nobody_could_type_it(app: Flask) -> None:
    one, other = make("Ann"), make("Anne")
    with transaction() as session:
        session.get_one(Contact, other).website = "not a website"
    db.session.remove()
    merge(one, other, chosen={"website": "not a website"})
    assert db.session.get_one(Contact, one).website == "not a website"


def test_what_is_on_its_way_to_the_books_must_arrive_first(pair: tuple[int, int], connection: Connection) -> None:  # noqa: F811
    dana, fox = pair
    sent = entry(connection.id, fox, "frozen", request_key="k")
    with pytest.raises(Changed, match="on its way to QuickBooks"):
        merge(dana, fox)
    with transaction() as session:
        session.get_one(OutboxEntry, sent).state = "parked"
    entry(connection.id, dana, "pending", operation="create")
    with pytest.raises(Refused, match="may have arrived there already"):
        merge(dana, fox)


def test_of_two_that_wait_to_be_created_one_stays(pair: tuple[int, int], connection: Connection) -> None:  # noqa: F811
    one, other = make("Ann Lee"), make("Anne Lee")
    ours, theirs = (entry(connection.id, id_, operation="create") for id_ in (one, other))
    merge_id = merge(one, other)
    stands = {row.id: (row.state, row.local_id) for row in db.session.scalars(select(OutboxEntry))}
    assert stands == {ours: ("pending", one), theirs: ("dropped", one)}
    unmerge(merge_id)
    stands = {row.id: (row.state, row.local_id) for row in db.session.scalars(select(OutboxEntry))}
    assert stands == {ours: ("pending", one), theirs: ("pending", other)}


def test_a_link_undone_since_stays_undone(pair: tuple[int, int]) -> None:
    dana, fox = pair
    merge_id = merge(dana, fox)
    with transaction():
        matches.unlink(dana, actor=KIM, now=clock.now())
    unmerge(merge_id)
    assert not db.session.scalars(select(Link.id).where(Link.kind == "customer")).all()
    assert db.session.get_one(Contact, fox).link_state == "none"


def test_doubts_about_the_absorbed_one_are_the_survivors_once(connection: Connection) -> None:  # noqa: F811
    one, other = make("Jonas Keller Senior", phone="555 010 2200"), make("Maria Keller", phone="555 010 2200")
    import_(connection, customer(1, "Jo Keller", phone="555-010-2200"))
    proposed = db.session.execute(select(Match.contact_id, Match.state)).all()
    assert {contact_id for contact_id, _ in proposed} == {one, other}, proposed
    before = state()
    merge_id = merge(one, other)
    assert db.session.execute(select(Match.contact_id, Match.state)).all() == [(one, "proposed")]
    unmerge(merge_id)
    after = state()
    assert {name: rows for name, rows in after.items() if rows != before.get(name)} == {}


def test_of_two_people_who_merge_at_once_one_is_told_so(app: Flask) -> None:
    one, other = make("Ann"), make("Anne")
    versions = (1, 1)
    came: list[str] = []
    start = threading.Barrier(2)

    def go(pair: tuple[int, int]) -> None:
        with app.app_context():
            start.wait()
            try:
                merge(*pair, versions=versions)
                came.append("done")
            except (Changed, Merged):
                came.append("told")

    people = [threading.Thread(target=go, args=(pair,)) for pair in ((one, other), (other, one))]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(came) == ["done", "told"]
    assert len(db.session.scalars(select(ContactMerge)).all()) == 1
