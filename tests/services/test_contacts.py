"""What is done to contacts, one use case at a time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from crm import clock
from crm.db import db, transaction
from crm.domain.contacts import MAX_NOTE, Draft, Entry
from crm.domain.errors import Changed, Invalid, NotFound
from crm.models import AuditEntry, Contact, ContactPoint, IdentityKey, Tag, TimelineEntry
from crm.services import contacts
from crm.services.audit import Actor
from tests.factories import UserFactory

KIM = Actor("kim@example.com")
NOW = clock.now()
ANNA = Draft(
    {"display_name": " Anna  O'Brien\x00 ", "city": "Atlanta"},
    (Entry("phone", "404.555.0143 or 404 555 0199 x3", "work"), Entry("email", "Anna@Brien.example")),
    ("VIP",),
)


def make(draft: Draft = ANNA) -> Contact:
    with transaction():
        return contacts.create(draft, actor=KIM, now=NOW)


def change(found: Contact, **values: str) -> Contact:
    with transaction():
        return contacts.change(found.id, values, version=found.version, actor=KIM, now=NOW)


def keys_of(found: Contact) -> set[str]:
    return {key.key for key in db.session.query(IdentityKey).filter_by(owner_kind="contact", owner_id=found.id)}


def entries(found: Contact) -> list[TimelineEntry]:
    return db.session.query(TimelineEntry).filter_by(contact_id=found.id).order_by(TimelineEntry.id).all()


def test_a_new_contact_is_clean_and_everything_made_from_it_is_true(app: Flask) -> None:
    anna = make()
    assert (anna.display_name, anna.sort_name, anna.type, anna.version) == ("Anna O'Brien", "anna obrien", "lead", 1)
    assert [(p.kind, p.normal, p.extension, p.label) for p in anna.points] == [
        ("phone", "+14045550143", "", "work"), ("phone", "+14045550199", "3", "work"),
        ("email", "anna@brien.example", "", ""),
    ]  # fmt: skip
    assert (anna.phone, anna.email, anna.tags[0].name) == ("404.555.0143", "anna@brien.example", "VIP")
    assert {"p:+14045550143", "e:anna@brien.example"} <= keys_of(anna)
    assert [(e.verb, e.actor, e.source) for e in entries(anna)] == [("created", "kim@example.com", "person")]


def test_a_contact_without_name_takes_the_best_it_has(app: Flask) -> None:
    assert make(Draft({"given_name": "Anna", "family_name": "Ode"})).display_name == "Anna Ode"
    assert make(Draft({"company_name": "Fir & Sons"})).display_name == "Fir & Sons"
    assert make(Draft({}, (Entry("email", "x@example.com"),))).display_name == "x@example.com"
    with pytest.raises(Invalid, match="needs a name"):
        make(Draft({"city": "Rome"}))


def test_a_change_is_told_field_by_field_and_found_at_once(app: Flask) -> None:
    anna = make()
    keys = keys_of(anna)
    change(anna, display_name="Anna Ode", city="")
    assert anna.version == 2 and "ode" in anna.search_text and "atlanta" not in anna.search_text
    assert keys_of(anna) != keys
    assert entries(anna)[-1].changes == {"display_name": ["Anna O'Brien", "Anna Ode"], "city": ["Atlanta", ""]}


def test_saving_without_a_change_leaves_no_trace(app: Flask) -> None:
    anna = make()
    same = {"display_name": "Anna O'Brien", "city": "Atlanta", "type": "lead"}
    draft = Draft(same, tuple(contacts.entries_of(anna)), ("VIP",))
    with transaction():
        contacts.update_whole(anna.id, draft, version=1, actor=KIM, now=NOW + timedelta(hours=1))
    assert anna.version == 1 and len(entries(anna)) == 1


def test_a_version_that_is_no_longer_true_changes_nothing_and_brings_the_fresh_one(app: Flask) -> None:
    anna = make()
    change(anna, city="Macon")
    with pytest.raises(Changed) as caught, transaction():
        contacts.change(anna.id, {"city": "Rome"}, version=1, actor=KIM, now=NOW)
    assert caught.value.current.city == "Macon"
    db.session.rollback()
    assert db.session.get(Contact, anna.id, populate_existing=True).city == "Macon"


def test_lines_and_tags_are_replaced_as_a_whole(app: Flask) -> None:
    anna = make()
    draft = Draft(
        {"display_name": "Anna", "type": "customer"}, (Entry("phone", "555 010 2233", "home"),), ("vip", "New")
    )
    with transaction():
        contacts.update_whole(anna.id, draft, version=1, actor=KIM, now=NOW)
    assert [p.value for p in anna.points] == ["555 010 2233"] and db.session.query(ContactPoint).count() == 1
    assert {tag.name for tag in anna.tags} == {"VIP", "New"} and db.session.query(Tag).count() == 2
    assert "p:+14045550143" not in keys_of(anna) and anna.email == ""


def test_a_line_that_stays_keeps_where_it_came_from(app: Flask) -> None:
    anna = make()
    with transaction():
        db.session.query(ContactPoint).filter_by(contact_id=anna.id).update({"source": "quickbooks"})
    kept = [entry for entry in contacts.entries_of(contacts.find(anna.id)) if entry.kind == "phone"]
    more = {"phone": [*kept, Entry("phone", "404 555 0111")]}
    with transaction():
        contacts.change(anna.id, {}, lines=more, version=1, actor=KIM, now=NOW)
    assert [p.source for p in contacts.find(anna.id).points if p.kind == "phone"] == [
        *["quickbooks"] * len(kept), "person",
    ]  # fmt: skip


def test_a_line_that_was_wrong_before_does_not_stop_other_changes(app: Flask) -> None:
    anna = make()
    with transaction() as session:
        session.add(ContactPoint(contact_id=anna.id, kind="email", value="amy at home", position=9))
    with transaction():
        fresh = contacts.find(anna.id)
        draft = Draft({"display_name": "Anna B", "type": "lead"}, tuple(contacts.entries_of(fresh)))
        contacts.update_whole(anna.id, draft, version=1, actor=KIM, now=NOW)
    assert fresh.display_name == "Anna B"


def test_archiving_twice_is_archiving_once_and_takes_the_keys(app: Flask) -> None:
    anna = make()
    for _ in range(2):
        with transaction():
            contacts.archive(anna.id, actor=KIM, now=NOW)
    assert [e.verb for e in entries(anna)] == ["created", "archived"] and keys_of(anna) == set()
    with transaction():
        contacts.restore(anna.id, actor=KIM, now=NOW)
    assert keys_of(anna) and anna.archived_at is None


def test_notes_move_the_last_activity_and_not_the_version(app: Flask) -> None:
    anna = make()
    later = NOW + timedelta(days=1)
    with transaction():
        contacts.add_note(anna.id, " called\r\nback ", actor=KIM, now=later)
    db.session.refresh(anna)
    assert (anna.last_activity_at, anna.version) == (later, 1)
    for body in ("", " \n", "x" * (MAX_NOTE + 1)):
        with pytest.raises(Invalid), transaction():
            contacts.add_note(anna.id, body, actor=KIM, now=NOW)


def test_many_are_tagged_assigned_and_archived_and_only_the_changed_ones_count(app: Flask) -> None:
    ids = [make(Draft({"display_name": f"Nr {n}"})).id for n in range(3)]
    with transaction():
        owner = UserFactory(role="rep")
        bookkeeper = UserFactory(role="bookkeeper")
    with transaction():
        assert contacts.tag(ids[:2], "Home show", actor=KIM, now=NOW) == 2
        assert contacts.tag(ids, "home SHOW", actor=KIM, now=NOW) == 1
        assert contacts.untag(ids, "HOME show", actor=KIM, now=NOW) == 3
        assert contacts.assign(ids, owner.id, actor=KIM, now=NOW) == 3
        assert contacts.assign(ids, owner.id, actor=KIM, now=NOW) == 0
        assert contacts.assign(ids[:1], None, actor=KIM, now=NOW) == 1
        assert contacts.archive_many([*ids, 999_999], actor=KIM, now=NOW) == 3
        assert contacts.archive_many(ids, actor=KIM, now=NOW) == 0
    assert db.session.query(Tag).count() == 1
    told = db.session.query(AuditEntry).one()
    assert (told.action, told.actor, told.summary) == ("contacts_archived", KIM.name, "3 contacts archived")
    for wrong in (bookkeeper.id, 999_999):
        with pytest.raises(Invalid, match="cannot own contacts"), transaction():
            contacts.assign(ids, wrong, actor=KIM, now=NOW)


def test_thousands_are_changed_in_pages_and_too_many_are_refused(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts, "BULK_PAGE", 2)
    monkeypatch.setattr(contacts, "MAX_BULK", 5)
    ids = [make(Draft({"display_name": f"Nr {n}"})).id for n in range(5)]
    with transaction():
        assert contacts.tag(ids, "show, fair", actor=KIM, now=NOW) == 5
        assert contacts.archive_many(ids, actor=KIM, now=NOW) == 5
    assert db.session.query(AuditEntry).one().summary == "5 contacts archived"
    with pytest.raises(Invalid, match="Up to 5 contacts"), transaction():
        contacts.assign([*ids, 6], None, actor=KIM, now=NOW)


def test_what_is_not_there_is_said(app: Flask) -> None:
    with pytest.raises(NotFound), transaction():
        contacts.archive(999_999, actor=KIM, now=NOW)
