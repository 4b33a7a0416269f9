"""Contacts from files: reading, duplicates, running, going on after a stop, undoing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from crm import clock
from crm.db import db, transaction
from crm.domain import contact_filters
from crm.domain.contacts import Draft, Entry
from crm.domain.errors import Invalid
from crm.models import AuditEntry, Contact, ContactImport, ContactImportRow, IdentityKey, Note, Tag
from crm.queries import contact_imports as queries
from crm.queries import contacts as lists
from crm.services import contact_import_runner as runner
from crm.services import contact_imports as imports
from crm.services import contacts
from crm.services.audit import Actor

FILE = """Name,Phone,Mobile,Email,City,Type,Tags,Notes
Anna O'Brien,(404) 555-0143,404.555.0199,Anna@Brien.example,Atlanta,Customer,vip; piers,Gate code is 12
Ben Smith,555 010 2233 x4,,,Macon,Lead,,
,,,nobody@example.com,,,,
Carl,,,not an address,Rome,,,
Dora,404-555-0177,,,,King,,
"""
PERSON = Actor("rep@example.com")


def bring(text: str | bytes, duplicates: str = "update", name: str = "list.csv") -> ContactImport:
    data = text if isinstance(text, bytes) else text.encode()
    with transaction():
        import_id = imports.bring_in(name, data, owner="", duplicates=duplicates, actor=PERSON, now=clock.now())
    return imports.run(import_id, clock=clock.now)


def undo(import_id: int) -> ContactImport:
    with transaction():
        imports.undo(import_id, actor=PERSON, now=clock.now())
    return imports.run(import_id, clock=clock.now)


def everybody() -> list[Contact]:
    return db.session.query(Contact).order_by(Contact.sort_name).all()


def test_rows_become_contacts_and_bad_ones_say_why(app: Flask) -> None:
    done = bring(FILE)
    assert (done.state, done.total, done.done) == ("done", 5, 5)
    assert done.counts == {"created": 3, "refused": 2}
    anna, ben, nobody = everybody()
    assert (anna.display_name, anna.type, anna.city, anna.source) == ("Anna O'Brien", "customer", "Atlanta", "file")
    assert [(p.label, p.normal) for p in anna.points] == [
        ("", "+14045550143"), ("mobile", "+14045550199"), ("", "anna@brien.example"),
    ]  # fmt: skip
    assert [tag.name for tag in anna.tags] == ["piers", "vip"] and ben.points[0].extension == "4"
    assert nobody.display_name == "nobody@example.com"
    assert db.session.query(Note).one().body == "Gate code is 12"
    assert db.session.query(IdentityKey).filter_by(owner_id=anna.id, key="p:+14045550143").count() == 1
    reasons = list(imports.rows_with_reason(done))
    assert reasons[0][-2] == "5" and "is not an e-mail address" in reasons[0][-1]
    assert reasons[1][-2] == "6" and "Type “King” is not known" in reasons[1][-1]


def test_imported_contacts_are_found_by_any_notation(app: Flask) -> None:
    bring(FILE)
    for typed in ("404 555 01 43", "+1-404-555-0199", "o'brien", "anna@brien"):
        assert lists.page(contact_filters.read({"q": typed}), now=clock.now()).total == 1, typed


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("\ufeffName;E-Mail\nJosé Núñez;jose@example.com\n".encode(), "José Núñez"),
        ("Full name\tE-mail address\nJosé Núñez\tjose@example.com\n".encode("cp1252"), "José Núñez"),
        ("First Name|Last Name|Email\nJosé|Núñez|jose@example.com\n".encode("utf-16"), "José Núñez"),
        (b'"Name","Email"\r\n"Smith, ""Bob""\r\nand Amy",jose@example.com\r\n', 'Smith, "Bob" and Amy'),
    ],
)
def test_any_usual_delimiter_and_encoding_is_read(app: Flask, data: bytes, name: str) -> None:
    bring(data)
    assert [(c.display_name, c.email) for c in everybody()] == [(name, "jose@example.com")]


@pytest.mark.parametrize("data", [b"", b"Name,Phone\n", b"PK\x03\x04xlsx", b"Colour,Shape\nred,round\n"])
def test_what_is_no_list_of_contacts_is_refused_with_advice(app: Flask, data: bytes) -> None:
    with pytest.raises(Invalid):
        bring(data)
    assert db.session.query(ContactImport).count() == 0


def test_the_same_file_twice_changes_nothing_the_second_time(app: Flask) -> None:
    bring(FILE)
    before = {c.id: (c.version, c.updated_at) for c in everybody()}
    again = bring(FILE)
    assert again.counts == {"unchanged": 3, "refused": 2}
    assert {c.id: (c.version, c.updated_at) for c in everybody()} == before


def test_a_known_contact_gets_what_it_lacks_and_keeps_what_it_has(app: Flask) -> None:
    with transaction():
        known = contacts.create(
            Draft({"display_name": "Anna Obrien", "city": "Savannah"}, (Entry("phone", "+1 404 555 0143"),)),
            actor=PERSON, now=clock.now(),
        )  # fmt: skip
    done = bring("Name,Phone,Email,City,State,Tags\nAnna O'Brien,404-555-0143,anna@example.com,Atlanta,GA,vip\n")
    assert done.counts == {"updated": 1}
    found = everybody()[0]
    assert (found.id, found.display_name, found.city, found.region) == (known.id, "Anna Obrien", "Savannah", "GA")
    assert [p.value for p in found.points] == ["+1 404 555 0143", "anna@example.com"] and found.tags[0].name == "vip"


def test_a_shared_phone_with_another_name_makes_another_contact(app: Flask) -> None:
    done = bring("Name,Phone\nAnna Smith,404-555-0143\nBen Jones,404-555-0143\n")
    assert done.counts == {"created": 2}


def test_a_duplicate_further_down_the_same_file_is_recognised(app: Flask) -> None:
    done = bring("Name,Email,City\nAnna,a@example.com,\nAnna S,a@example.com,Macon\nAnna,a@example.com,Rome\n")
    assert done.counts == {"created": 1, "updated": 1, "unchanged": 1} and done.done == 3
    assert [(c.display_name, c.city) for c in everybody()] == [("Anna", "Macon")]


def test_duplicates_are_skipped_or_made_anew_when_that_was_chosen(app: Flask) -> None:
    bring("Name,Email\nAnna,a@example.com\n")
    skipped = bring("Name,Email\nAnna,a@example.com\n", "skip")
    assert skipped.counts == {"skipped": 1}
    assert "is here already (same e-mail a@example.com)" in imports.reasons(skipped.id)[0].error
    assert bring("Name,Email\nAnna,a@example.com\n", "create").counts == {"created": 1}
    assert len(everybody()) == 2


def test_a_run_that_was_killed_goes_on_where_it_stopped(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PAGE", 2)
    text = "Name\n" + "".join(f"Person {n}\n" for n in range(7))
    with transaction():
        import_id = imports.bring_in(
            "x.csv", text.encode(), owner="", duplicates="update", actor=PERSON, now=clock.now()
        )
    now = clock.now()
    assert runner._claim(import_id, now) and runner._run_page(import_id, now)  # and then the worker dies
    assert imports.run(import_id, clock=lambda: now).state == "running"  # its lease still holds
    assert imports.due(now) == []
    later = now + timedelta(minutes=5)
    with transaction():
        assert imports.ring_due(now=later) == [import_id]
    imports.run(import_id, clock=lambda: later)
    done = db.session.get_one(ContactImport, import_id, populate_existing=True)
    assert (done.state, done.counts) == ("done", {"created": 7})
    assert len(everybody()) == 7


def test_a_failure_is_shown_and_can_be_taken_up_again(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("disk full")

    with transaction():
        import_id = imports.bring_in(
            "x.csv", b"Name\nAnna\n", owner="", duplicates="update", actor=PERSON, now=clock.now()
        )
    with monkeypatch.context() as patched:
        patched.setattr(runner.rows_of, "carry_out", broken)
        with pytest.raises(RuntimeError):
            imports.run(import_id, clock=clock.now)
    failed = db.session.get_one(ContactImport, import_id, populate_existing=True)
    assert failed.state == "failed" and "Try again" in failed.error
    with transaction():
        imports.restart(import_id)
    assert imports.run(import_id, clock=clock.now).counts == {"created": 1}


def test_an_import_and_its_undo_leave_one_audit_entry_each_with_their_counts(app: Flask) -> None:
    undo(bring(FILE).id)
    told = db.session.query(AuditEntry).order_by(AuditEntry.id).all()
    assert [(e.action, e.actor, e.summary) for e in told] == [
        ("contacts_import_started", "rep@example.com", "list.csv: 5 rows"),
        ("contacts_import_undone", "rep@example.com",
         "list.csv: 3 contacts made and 0 added to, to be taken back"),
    ]  # fmt: skip


def queued(rows: int) -> int:
    text = "Name\n" + "".join(f"Person {n}\n" for n in range(rows))
    with transaction():
        return imports.bring_in("x.csv", text.encode(), owner="", duplicates="update", actor=PERSON, now=clock.now())


def test_a_database_that_is_away_is_waited_for_and_nothing_is_done_twice(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("server closed the connection"))

    monkeypatch.setattr(runner, "PAGE", 2)
    import_id, now = queued(5), clock.now()
    with monkeypatch.context() as patched:
        patched.setattr(runner.rows_of, "carry_out", away)
        waiting = imports.run(import_id, clock=lambda: now, jitter=lambda: 1.0)
    assert (waiting.state, waiting.lease_until) == ("running", now + timedelta(seconds=15))
    assert "goes on by itself" in waiting.error and everybody() == []
    assert imports.due(now + timedelta(seconds=14)) == [] and imports.due(now + timedelta(seconds=16)) == [import_id]
    done = imports.run(import_id, clock=lambda: now + timedelta(seconds=16))
    assert (done.state, done.error, done.counts) == ("done", "", {"created": 5})

    import_id = queued(1)
    with monkeypatch.context() as patched:
        patched.setattr(runner.rows_of, "carry_out", away)
        for _ in range(runner.MOST_TRIES + 1):
            now += timedelta(hours=1)
            given_up = imports.run(import_id, clock=lambda now=now: now)
    assert given_up.state == "failed" and "database could not be reached" in given_up.error


def test_a_cancel_is_honoured_between_pages_and_what_came_in_can_be_undone_or_gone_on_with(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PAGE", 2)
    import_id, now = queued(5), clock.now()
    assert runner._claim(import_id, now) and runner._run_page(import_id, now)
    with transaction():
        assert imports.cancel(import_id, now=now).state == "cancelling"
    assert not runner._run_page(import_id, now)
    stopped = imports.run(import_id, clock=lambda: now)
    assert (stopped.state, stopped.done, len(everybody())) == ("cancelled", 2, 2)
    with transaction():
        imports.restart(import_id)
        assert imports.cancel(import_id, now=now).state == "cancelled"  # nobody was at it yet
        imports.restart(import_id)
    assert imports.run(import_id, clock=lambda: now).counts == {"created": 5}
    with transaction():
        assert imports.cancel(import_id, now=now).state == "done"  # too late

    import_id = queued(3)
    assert runner._claim(import_id, now) and runner._run_page(import_id, now)
    with transaction():
        imports.cancel(import_id, now=now)
    later = now + timedelta(minutes=3)
    assert imports.run(import_id, clock=lambda: later).state == "cancelled"
    assert undo(import_id).state == "undone" and len(everybody()) == 5


def test_a_long_import_lets_the_worker_go_and_knows_its_pace(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PAGE", 2)
    import_id, start = queued(9), clock.now()
    ticks = (start + timedelta(minutes=6 * n) for n in range(100))
    slice_ended = imports.run(import_id, clock=lambda: next(ticks))
    assert (slice_ended.state, slice_ended.lease_until, slice_ended.done) == ("running", None, 2)
    ticks = (start + timedelta(hours=1, seconds=n) for n in range(100))
    assert runner._claim(import_id, next(ticks))
    assert runner._run_page(import_id, next(ticks)) and runner._run_page(import_id, next(ticks))
    halfway = db.session.get_one(ContactImport, import_id, populate_existing=True)
    assert queries.pace(halfway) == (1.0, 3.0)  # two rows in two seconds; three rows are left
    done = imports.run(import_id, clock=lambda: start + timedelta(hours=2))
    assert (done.state, done.counts) == ("done", {"created": 9})


def test_undo_removes_what_nobody_touched_and_keeps_the_rest(app: Flask) -> None:
    done = bring("Name\nAnna\nBen\nCarl\n")
    anna = everybody()[0]
    with transaction():
        contacts.add_note(anna.id, "called", actor=PERSON, now=clock.now())
    after = undo(done.id)
    assert (after.state, after.counts["undone"], after.counts["kept"]) == ("undone", 2, 1)
    assert [c.display_name for c in everybody()] == ["Anna"]
    assert db.session.query(IdentityKey).filter(IdentityKey.owner_id != anna.id).count() == 0
    kept = db.session.query(ContactImportRow).filter_by(contact_id=anna.id).one()
    assert kept.error.startswith("Kept:")
    assert lists.page(contact_filters.read({"q": "carl"}), now=clock.now()).total == 0


def test_undo_empties_filled_fields_unless_they_were_changed_since(app: Flask) -> None:
    bring("Name,Email\nAnna,a@example.com\n")
    done = bring("Name,Email,City,State,Phone,Tags\nAnna,a@example.com,Macon,GA,404-555-0143,vip\n")
    found = everybody()[0]
    with transaction():
        contacts.change(found.id, {"city": "Rome"}, version=found.version, actor=PERSON, now=clock.now())
    after = undo(done.id)
    db.session.expire_all()
    found = everybody()[0]
    assert (found.city, found.region, found.phone, found.tags) == ("Rome", "", "", [])
    assert after.counts["kept"] == 1
    assert imports.reasons(done.id)[0].error == "Kept, changed since: City."


def test_a_formula_guard_of_our_own_export_is_taken_off_again(app: Flask) -> None:
    bring("Name,City\n'=SUM(1),'@home\n")
    assert (everybody()[0].display_name, everybody()[0].city) == ("=SUM(1)", "@home")


def test_the_command_imports_at_once_and_says_what_it_did(app: Flask, tmp_path: Path, make_user) -> None:
    owner = make_user("rep")
    path = tmp_path / "people.csv"
    path.write_text(FILE)
    result = app.test_cli_runner().invoke(args=["contacts", "import", str(path), "--owner", owner.email])
    assert result.exit_code == 0, result.output
    assert "people.csv: 5 rows: 3 created, 2 refused" in result.output
    db.session.rollback()
    assert {c.owner_id for c in everybody()} == {owner.id}
    unknown = app.test_cli_runner().invoke(args=["contacts", "import", str(path), "--owner", "x@example.com"])
    assert unknown.exit_code == 1 and "Nobody signs in as x@example.com" in unknown.output


def test_tags_of_another_case_are_the_same_tag(app: Flask) -> None:
    bring("Name,Tags\nAnna,VIP\nBen,vip\n")
    assert [tag.name for tag in db.session.query(Tag)] == ["vip"]
