"""Pairs that may be one: found as records come in, by a run over everything, and decided by people."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, literal, select, update

from crm import clock
from crm.db import db, transaction
from crm.domain.contacts import Draft, Entry
from crm.domain.errors import Changed, Refused
from crm.domain.identity import KEYS_FORM
from crm.models import (
    Connection,
    Contact,
    Customer,
    Duplicate,
    IdentityKey,
    Link,
    MatchDecision,
    MatchRun,
    MoneyFacts,
    TimelineEntry,
)
from crm.services import contacts, duplicates
from crm.services.audit import Actor
from crm.tasks import duplicates as tasks
from tests.services.test_sync_matching import connection, customer, import_  # noqa: F401

KIM = Actor("kim@example.com", shown_as="Kim Berg")
LINE, OTHER_LINE = "650-555-1234", "415-555-7788"


def made(name: str, phone: str = "", email: str = "", **values: str) -> int:
    with transaction():
        id_ = contacts.create(_draft(name, phone, email, **values), actor=KIM, now=clock.now()).id
    db.session.remove()
    return id_


def _draft(name: str, phone: str = "", email: str = "", **values: str) -> Draft:
    entries = [Entry(kind, text, "") for kind, text in (("phone", phone), ("email", email)) if text]
    return Draft(values={"display_name": name, "type": "lead", **values}, entries=tuple(entries))


def edit(contact_id: int, **draft: str) -> None:
    with transaction() as session:
        version = session.get_one(Contact, contact_id).version
        contacts.update_whole(contact_id, _draft(**draft), version=version, actor=KIM, now=clock.now())
    db.session.remove()


def pairs(sort: str = "contact", state: str = "proposed") -> list[Duplicate]:
    db.session.remove()
    query = select(Duplicate).where(Duplicate.sort == sort, Duplicate.state == state)
    return list(db.session.scalars(query.order_by(Duplicate.one_id, Duplicate.other_id)))


def decide(deed: Any, id_: int) -> duplicates.Result:
    with transaction():
        result = deed(id_, actor=KIM, now=clock.now())
    db.session.remove()
    return result


def search() -> MatchRun:
    with transaction():
        run_id = duplicates.start(actor=KIM, now=clock.now()).id
    duplicates.advance(run_id, clock=clock.now)
    db.session.remove()
    return db.session.get_one(MatchRun, run_id)


# --- as they come in ------------------------------------------------------------------------------------------


def test_a_contact_typed_a_second_time_is_proposed_at_once_with_its_evidence(app: Flask) -> None:
    one, two = made("Bob Smith", LINE), made("Smith, Robert", LINE)
    [pair] = pairs()
    assert (pair.one_id, pair.other_id, pair.outcome, pair.rule) == (one, two, "same", "name_and_contact")
    assert {reason["reason"] for reason in pair.evidence} == {"phone", "name_alike"} or pair.evidence[0]["points"] > 0
    assert pair.score == sum(reason["points"] for reason in pair.evidence)


def test_an_edit_makes_a_pair_and_another_edit_takes_it_away(app: Flask) -> None:
    made("Bob Smith", LINE)
    two = made("Somebody Else", OTHER_LINE)
    assert pairs() == []
    edit(two, name="Bob Smith", phone=LINE)
    assert len(pairs()) == 1
    edit(two, name="Somebody Else", phone=OTHER_LINE)
    assert pairs() == []


def test_an_archived_contact_is_nobodys_double_until_it_is_restored(app: Flask) -> None:
    _, two = made("Bob Smith", LINE), made("Bob Smith", LINE)
    with transaction():
        contacts.archive(two, actor=KIM, now=clock.now())
    assert pairs() == []
    with transaction():
        contacts.restore(two, actor=KIM, now=clock.now())
    assert len(pairs()) == 1


def test_a_line_that_becomes_a_crowds_weakens_pairs_it_made_before(app: Flask) -> None:
    made("J. Smith", LINE), made("John Smith", LINE)
    [before] = pairs()
    for number in range(3):
        made(f"Colleague{number} Of{number}", LINE)
    [after] = pairs()
    assert (before.rule, after.rule) == ("part_of_name", "part_of_name")
    assert after.score < before.score


def test_a_line_that_colleagues_leave_is_strong_again_for_those_who_stay(app: Flask) -> None:
    made("J. Smith", LINE), made("John Smith", LINE)
    others = [made(f"Colleague{number} Of{number}", LINE) for number in range(3)]
    [weak] = pairs()
    edit(others[0], name="Colleague0 Of0", phone=OTHER_LINE)
    with transaction():
        contacts.archive(others[1], actor=KIM, now=clock.now())
    [strong] = pairs()
    assert strong.score > weak.score


def test_what_is_at_stake_is_the_sales_of_both(connection: Connection) -> None:  # noqa: F811
    one = made("Bob Smith", LINE)
    with transaction() as session:
        session.add(MoneyFacts(contact_id=one, connection_id=connection.id, total_sales=Decimal("120.50")))
    made("Bob Smith", LINE)
    assert [pair.stake for pair in pairs()] == [Decimal("120.50")]


def test_a_page_of_contacts_costs_as_many_statements_as_one(app: Flask) -> None:
    def statements(number: int) -> int:
        names = [f"Ada{number} Byron{place}" for place in range(number)]
        ids = [made(name, f"650-55{number}-{1000 + place // 2}") for place, name in enumerate(names)]
        seen: list[str] = []
        listener = lambda *args: seen.append(args[2])  # noqa: E731
        event.listen(db.engine, "before_cursor_execute", listener)
        with transaction():
            duplicates.note_contacts(ids, now=clock.now())
        event.remove(db.engine, "before_cursor_execute", listener)
        return len(seen)

    assert statements(30) <= statements(2) + 2


# --- people decide --------------------------------------------------------------------------------------------


@pytest.fixture
def pair(app: Flask) -> int:
    made("Bob Smith", LINE), made("Bob Smith", LINE)
    return pairs()[0].id


def test_a_pair_kept_apart_is_never_proposed_again_whatever_is_found(pair: int) -> None:
    decide(duplicates.keep_apart, pair)
    [apart] = pairs(state="apart")
    edit(apart.other_id, name="Bob Smith", phone=LINE, email="bob@smith.example")
    edit(apart.one_id, name="Bob Smith", phone=LINE, email="bob@smith.example")
    search()
    assert pairs() == [] and [p.id for p in pairs(state="apart")] == [pair]
    assert pairs(state="apart")[0].decided_by == "Kim Berg"
    told = db.session.scalars(select(TimelineEntry.contact_id).where(TimelineEntry.verb == "kept_apart")).all()
    assert sorted(told) == [apart.one_id, apart.other_id]


def test_a_pair_that_is_reopened_says_what_the_rules_say_by_now(pair: int) -> None:
    decide(duplicates.keep_apart, pair)
    [apart] = pairs(state="apart")
    edit(apart.other_id, name="Bob Smith", phone=LINE, email="bob@smith.example")
    edit(apart.one_id, name="Bob Smith", phone=LINE, email="bob@smith.example")
    decide(duplicates.reopen, pair)
    [again] = pairs()
    assert "email" in {reason["reason"] for reason in again.evidence}
    undone = db.session.scalars(select(MatchDecision).order_by(MatchDecision.id.desc()).limit(1)).one()
    first = db.session.scalars(select(MatchDecision).where(MatchDecision.outcome == "apart")).one()
    assert (undone.outcome, undone.corrects_id) == ("undone", first.id)


def test_a_decision_made_meanwhile_is_refused_as_changed(pair: int) -> None:
    decide(duplicates.keep_apart, pair)
    with pytest.raises(Changed):
        decide(duplicates.keep_apart, pair)
    with pytest.raises(Changed):
        decide(duplicates.know, pair)


def test_contacts_are_not_for_quickbooks_to_merge(pair: int) -> None:
    with pytest.raises(Refused, match="merge them here"):
        decide(duplicates.know, pair)


def test_every_decision_is_logged_with_the_evidence_it_was_made_on(pair: int) -> None:
    with transaction():
        duplicates.keep_apart(pair, actor=KIM, now=clock.now(), took_ms=2300)
    logged = db.session.scalars(select(MatchDecision)).one()
    assert (logged.sort, logged.outcome, logged.automatic, logged.took_ms) == ("contact", "apart", False, 2300)
    assert (logged.rule, set(logged.reasons)) == ("name_and_contact", {"phone", "name"})
    assert logged.names == "“Bob Smith” and “Bob Smith”" and logged.decided_by == "Kim Berg"


def test_a_merge_and_its_undoing_are_told_by_whoever_merges(pair: int) -> None:
    [found] = pairs()
    with transaction():
        assert duplicates.settle_merged("contact", found.other_id, found.one_id, by="Kim Berg", now=clock.now())
    assert pairs() == [] and len(pairs(state="merged")) == 1
    with transaction():
        assert duplicates.settle_parted("contact", found.one_id, found.other_id, by="Kim Berg", now=clock.now())
        assert not duplicates.settle_parted("contact", found.one_id, found.other_id, by="Kim Berg", now=clock.now())
    assert len(pairs()) == 1


# --- customers inside the books -------------------------------------------------------------------------------


def test_one_person_twice_in_the_books_is_found_as_the_books_are_read(connection: Connection) -> None:  # noqa: F811
    import_(connection, customer(1, "Bob Smith", phone=LINE), customer(2, "Bob Smith (2)", phone=LINE),
            customer(3, "Zoe Zeta", phone=OTHER_LINE))  # fmt: skip
    [found] = pairs("customer")
    ids = db.session.scalars(select(Customer.id).where(Customer.remote_id.in_(("1", "2"))).order_by(Customer.id)).all()
    assert [found.one_id, found.other_id] == ids and found.connection_id == connection.id


def test_jobs_are_nobodys_doubles(connection: Connection) -> None:  # noqa: F811
    import_(connection, customer(1, "Bob Smith", phone=LINE),
            customer(2, "Bob Smith", phone=LINE, parent_id="1", full_path="Bob Smith:Bob Smith"),
            customer(3, "Bob Smith", phone=LINE, parent_id="1", full_path="Bob Smith:Bob Smith"))  # fmt: skip
    search()
    assert pairs("customer") == []


def test_a_double_that_is_made_inactive_in_the_books_is_mended(connection: Connection) -> None:  # noqa: F811
    one = customer(1, "Bob Smith", phone=LINE)
    import_(connection, one, customer(2, "Bob Smith", phone=LINE))
    assert len(pairs("customer")) == 1
    import_(connection, one, customer(2, "Bob Smith", phone=LINE, active=False, version="1"))
    assert pairs("customer") == []


def test_customers_known_as_one_keep_both_links(connection: Connection) -> None:  # noqa: F811
    import_(connection, customer(1, "Bob Smith", phone=LINE), customer(2, "Bob Smith", phone=LINE))
    [found] = pairs("customer")
    links = select(Link.remote_id).where(Link.kind == "customer").order_by(Link.remote_id)
    before = db.session.scalars(links).all()
    result = decide(duplicates.know, found.id)
    assert "Merge them in QuickBooks" in result.text
    assert db.session.scalars(links).all() == before
    search()
    assert [p.id for p in pairs("customer", "known")] == [found.id] and pairs("customer") == []


# --- a run over everything ------------------------------------------------------------------------------------


def as_found() -> dict[tuple[int, int], tuple[str, str, int, str]]:
    return {(p.one_id, p.other_id): (p.outcome, p.rule, p.score, str(p.stake)) for p in pairs()}


def test_a_run_finds_what_was_there_before_and_says_how_far_it_is(app: Flask) -> None:
    for name in ("Bob Smith", "Bob Smith", "Amy Fox"):
        made(name, LINE if name == "Bob Smith" else OTHER_LINE)
    found = as_found()
    with transaction() as session:
        session.execute(delete(Duplicate))
    run = search()
    assert (run.state, run.total, run.done, run.counts.get("same")) == ("done", 3, 3, 1)
    assert as_found() == found and run.lease_until is None and run.finished_at is not None


def test_a_run_takes_away_what_no_longer_holds_and_leaves_decisions_alone(app: Flask) -> None:
    ids = [made("Bob Smith", LINE), made("Bob Smith", LINE), made("Zoe Zeta", OTHER_LINE)]
    with transaction() as session:
        session.add(Duplicate(sort="contact", one_id=ids[0], other_id=ids[2], state="proposed", found_at=clock.now()))
        session.add(Duplicate(sort="contact", one_id=ids[1], other_id=ids[2], state="apart", found_at=clock.now()))
        session.add(Duplicate(sort="contact", one_id=9_999_998, other_id=9_999_999, found_at=clock.now()))
    search()
    assert [(p.one_id, p.other_id) for p in pairs()] == [(ids[0], ids[1])]
    assert [(p.one_id, p.other_id) for p in pairs(state="apart")] == [(ids[1], ids[2])]


def test_one_search_is_under_way_at_a_time_and_it_can_be_cancelled(app: Flask) -> None:
    made("Bob Smith", LINE)
    with transaction():
        first = duplicates.start(actor=KIM, now=clock.now()).id
    with transaction():
        assert duplicates.start(actor=KIM, now=clock.now()).id == first
        assert duplicates.cancel(first, now=clock.now()).state == "cancelled"
    with pytest.raises(Refused, match="already ended"), transaction():
        duplicates.cancel(first, now=clock.now())


def test_everything_is_searched_once_a_day_and_nothing_where_there_is_nothing(app: Flask) -> None:
    with transaction():
        assert duplicates.start_due(now=clock.now()) is None
    made("Bob Smith", LINE), made("Bob Smith", LINE)
    with transaction():
        assert duplicates.start_due(now=clock.now()) is not None
    with transaction():
        assert duplicates.start_due(now=clock.now() + timedelta(hours=23)) is None
    run = db.session.scalars(select(MatchRun)).one()
    duplicates.advance(run.id, clock=clock.now)
    with transaction():
        assert duplicates.start_due(now=clock.now() + timedelta(hours=25)) is not None


NAMES = st.sampled_from(["Bob Smith", "Robert Smith", "B. Smith", "Smith", "Amy Smith", "Acme LLC", "Acme Plumbing"])
PHONES = st.sampled_from(["", LINE, LINE, OTHER_LINE, f"{LINE} x1"])
EMAILS = st.sampled_from(["", "", "bob@smith.example", "info@smith.example"])
PEOPLE = st.lists(st.tuples(NAMES, PHONES, EMAILS), min_size=2, max_size=7)
DEEDS = st.lists(st.tuples(st.sampled_from(["edit", "archive", "restore"]), st.integers(0, 6),
                           st.tuples(NAMES, PHONES, EMAILS)), max_size=5)  # fmt: skip


@given(PEOPLE, DEEDS, st.permutations(range(7)))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_stands_in_the_end_does_not_depend_on_the_order_of_arrival(
    app: Flask, people: list, deeds: list, order: list[int]
) -> None:
    """After any makings, edits and archivings the rows are those of a run over everything, and those that come of
    the same contacts made in another order."""
    with transaction() as session:
        for table in (Duplicate, IdentityKey, Contact):
            session.execute(delete(table))
    ids = [made(*row) for row in people]
    stand: dict[int, tuple | None] = dict(zip(ids, people, strict=True))
    for deed, place, row in deeds:
        id_ = ids[place % len(ids)]
        if deed == "edit":
            edit(id_, name=row[0], phone=row[1], email=row[2])
        else:
            with transaction():
                getattr(contacts, deed)(id_, actor=KIM, now=clock.now())
        stand[id_] = row if deed == "edit" else stand[id_]
    noted = as_found()
    search()
    assert as_found() == noted
    live = set(db.session.scalars(select(Contact.id).where(Contact.archived_at.is_(None))))
    again = {id_: made(*stand[id_]) for id_ in (ids[place] for place in order if place < len(ids)) if id_ in live}
    with transaction() as session:
        session.execute(delete(Contact).where(Contact.id.in_(ids)))
    with transaction():
        duplicates.forget_contacts(ids, now=clock.now())
    renamed = {tuple(sorted((again[a], again[b]))): value for (a, b), value in noted.items()}
    assert as_found() == renamed


# --- at the same moment ---------------------------------------------------------------------------------------


def test_two_contacts_made_in_the_same_moment_are_found_shortly_after(app: Flask) -> None:
    """Each is committed before the other can be seen. SQLite writes one after the other, so there one is forgotten."""
    if db.engine.dialect.name == "sqlite":
        made("Bob Smith", LINE), made("Bob Smith", LINE)
        with transaction() as session:
            session.execute(delete(Duplicate))
    else:
        first_is_written, second_is_there = threading.Event(), threading.Event()

        def first() -> None:
            with app.app_context():
                with transaction():
                    contacts.create(_draft("Bob Smith", LINE), actor=KIM, now=clock.now())
                    db.session.flush()
                    first_is_written.set()
                    assert second_is_there.wait(20)
                db.session.remove()

        worker = threading.Thread(target=first)
        worker.start()
        assert first_is_written.wait(20)
        made("Bob Smith", LINE)
        second_is_there.set()
        worker.join()
    assert pairs() == [], "neither saw the other"
    tasks.tend()
    assert len(pairs()) == 1
    tasks.tend()
    assert len(pairs()) == 1
    with transaction() as session:
        session.execute(delete(Duplicate))
        assert duplicates.look_again(now=clock.now() + timedelta(minutes=3)) == 0
    assert pairs() == []


def test_keys_of_an_older_form_are_written_anew_at_once_and_only_once(connection: Connection) -> None:  # noqa: F811
    import_(connection, customer(1, "Edgar Holm", phone=LINE), customer(2, "E. Holm", phone=LINE))
    made("Anna Berg", OTHER_LINE), made("A. Berg", OTHER_LINE)
    kept = (IdentityKey.owner_kind, IdentityKey.owner_id, IdentityKey.key)
    keys = set(db.session.execute(select(*kept)).all())
    assert {kind for kind, _, _ in keys} == {"contact", "customer"}
    with transaction() as session:
        session.execute(delete(Duplicate))
        session.execute(update(IdentityKey).values(key=literal("old ") + IdentityKey.key))
        session.add(MatchRun(state="done", keys_form=KEYS_FORM - 1, created_at=clock.now()))
    with transaction():
        run = duplicates.start_due(now=clock.now())
    assert run is not None, "a search a moment ago does not count: it knew another form"
    duplicates.advance(run.id, clock=clock.now)
    db.session.remove()
    assert set(db.session.execute(select(*kept)).all()) == keys
    assert len(pairs()) == 2 and len(pairs("customer")) == 1
    stood = db.session.get_one(MatchRun, run.id)
    assert (stood.state, stood.keys_form, stood.done) == ("done", KEYS_FORM, stood.total)
    with transaction():
        assert duplicates.start_due(now=clock.now()) is None
        assert duplicates.start(actor=KIM, now=clock.now()).step == "contact"
