"""Fields changed on both sides: who wins by which rule, what is asked, and what comes of a person's decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from crm import clock
from crm.db import db, transaction
from crm.domain.contacts import Entry
from crm.domain.errors import Changed, Invalid, NotFound
from crm.domain.records import Address, CustomerRecord, PhoneField
from crm.models import Conflict, Connection, Contact, IdentityKey, Link, OutboxEntry, SyncLogEntry, TimelineEntry
from crm.services import conflicts, contacts, matches
from crm.services.audit import Actor
from crm.services.sync import settings
from crm.services.sync.merge.comparing import compare_linked
from crm.services.sync.work import books_of
from tests.services.test_sync_matching import connection, customer, have, import_  # noqa: F401

KIM = Actor("kim@crm.example", shown_as="Kim")
HOME = Address(line1="1 Elm St", city="Troy", region="MO", postal_code="63379", country="USA")
AMY = customer(1, "Amy Fox", phone="(816) 555-0101", email="amy@fox.example", company_name="Fox Plumbing",
               billing_address=HOME, website="https://fox.example")  # fmt: skip
NOON = datetime.fromisoformat("2026-05-04T12:00:00+00:00")


def there(at: datetime | None = NOON, **values: Any) -> CustomerRecord:
    """Amy as the books hold her, last changed at that moment."""
    return replace(AMY, origin=replace(AMY.origin, updated_at=at), **values)


def edit(lines: dict[str, list[str]] | None = None, *, at: datetime = NOON, **values: str) -> None:
    contact = only()
    given = {kind: [Entry(kind, text) for text in texts] for kind, texts in (lines or {}).items()}
    with transaction():
        contacts.change(contact.id, values, lines=given, version=contact.version, actor=KIM, now=at)


def only() -> Contact:
    db.session.remove()
    return db.session.scalars(select(Contact)).one()


def asked() -> list[tuple[str, str, str, str, str]]:
    db.session.remove()
    rows = db.session.scalars(select(Conflict).where(Conflict.state == "open").order_by(Conflict.field))
    return [(row.field, row.reason, row.base, row.ours, row.theirs) for row in rows]


def the_conflict() -> Conflict:
    return db.session.scalars(select(Conflict).order_by(Conflict.id.desc())).first()  # type: ignore[return-value]


def waiting() -> list[tuple[str, list[str], str]]:
    db.session.remove()
    entries = db.session.scalars(select(OutboxEntry).where(OutboxEntry.state == "pending"))
    return [(entry.operation, sorted(entry.fields), entry.trigger) for entry in entries]


def told() -> str:
    query = select(TimelineEntry.summary).where(TimelineEntry.verb.in_(("changed", "decided")))
    return db.session.scalars(query.order_by(TimelineEntry.id.desc())).first() or ""


def would_send(connection_: Connection) -> tuple[str, ...]:
    contact_id, connection_id = only().id, connection_.id
    with transaction() as session:
        books = books_of(session.get_one(Connection, connection_id))
        return compare_linked(session, [contact_id], books=books)[contact_id].merged.sent


def decide(choice: str, **more: Any) -> conflicts.Result:
    id_ = the_conflict().id
    with transaction():
        return conflicts.resolve(id_, choice, actor=KIM, now=clock.now(), **more)


@pytest.fixture
def doubtful(connection: Connection) -> Connection:  # noqa: F811
    """One company changed on both sides in the same second: nobody can tell which is newer."""
    import_(connection, there())
    edit(company_name="Fox & Sons")
    import_(connection, there(company_name="Fox Inc"))
    assert asked() == [("company_name", "both_changed", "fox plumbing", "Fox & Sons", "Fox Inc")]
    return connection


# --- what the merge makes of it ------------------------------------------------------------------------------


def test_the_later_change_wins_on_either_side(connection: Connection) -> None:  # noqa: F811
    import_(connection, there())
    edit({"phone": ["816 555 0303"]}, at=NOON - timedelta(hours=1), company_name="Fox & Sons")
    edit(website="https://amy.example", at=NOON + timedelta(hours=1))
    import_(connection, there(company_name="Fox Inc", website="https://fox.example/new",
                              phones=(PhoneField("primary", "816-555-0202"),)))  # fmt: skip
    contact = only()
    assert (contact.company_name, contact.website, contact.phone) == ("Fox Inc", "https://amy.example", "816-555-0202")
    assert [point.normal for point in contact.points if point.kind == "phone"] == ["+18165550202"]
    assert asked() == [] and would_send(connection) == ("website",)
    assert "QuickBooks' newer company Fox Inc took the place of Fox & Sons." in told()
    assert "QuickBooks' newer phone 816-555-0202 took the place of 816 555 0303." in told()
    kept = db.session.scalars(select(TimelineEntry.changes).order_by(TimelineEntry.id.desc())).first()
    assert kept is not None and kept["company_name"] == ["Fox & Sons", "Fox Inc"]


def test_what_nobody_can_decide_is_asked_and_kept_up_to_date(doubtful: Connection) -> None:
    conflict = the_conflict()
    assert (conflict.ours_at, conflict.theirs_at, conflict.remote_id) == (NOON, NOON, "1")
    import_(doubtful, there(company_name="Fox Ltd"))
    assert [row[4] for row in asked()] == ["Fox Ltd"] and the_conflict().id == conflict.id
    assert only().company_name == "Fox & Sons"


def test_it_settles_by_itself_once_both_sides_say_the_same(doubtful: Connection) -> None:
    import_(doubtful, there(company_name="fox & sons"))
    assert asked() == [] and the_conflict().state == "settled"
    import_(doubtful, there(NOON + timedelta(days=1), company_name="Fox Inc"))
    assert asked() == [] and only().company_name == "Fox Inc"


def test_an_open_question_is_not_decided_by_a_later_change_there(doubtful: Connection) -> None:
    import_(doubtful, there(NOON + timedelta(days=1), company_name="Fox Ltd"))
    assert only().company_name == "Fox & Sons" and [row[4] for row in asked()] == ["Fox Ltd"]


def test_what_is_emptied_there_is_asked_whatever_the_policy(connection: Connection) -> None:  # noqa: F811
    import_(connection, there())
    with transaction() as session:
        settings.always(session, connection.id, "customer", "phone", "quickbooks", actor=KIM, now=NOON)
    import_(connection, there(phones=(), billing_address=None))
    assert asked() == [
        ("address", "emptied", "1 Elm St, Troy, MO, 63379, USA", "1 Elm St, Troy, MO, 63379, USA", ""),
        ("phone", "emptied", "(816) 555-0101", "(816) 555-0101", ""),
    ]
    assert only().phone == "(816) 555-0101"


def test_many_that_differ_at_the_first_link_open_no_conflicts(connection: Connection) -> None:  # noqa: F811
    have({"name": "Amy Fox", "email": "amy@fox.example", "company_name": "Amy's Pipes", "phones": ("816 555 0909",)})
    import_(connection, replace(there(), phones=()))
    import_(connection, replace(there(company_name="Fox Inc"), phones=()))
    assert asked() == [] and waiting() == [] and only().company_name == "Amy's Pipes"
    assert would_send(connection) == (), "a phone that QuickBooks never had is not sent before somebody asks for it"


def test_only_out_takes_nothing_and_only_in_sends_nothing(connection: Connection) -> None:  # noqa: F811
    import_(connection, there())

    def go(direction: str) -> None:
        with transaction() as session:
            version = settings.current(session, connection.id, "customer").version
            settings.change(session, connection.id, "customer", direction=direction, version=version, actor=KIM,
                            now=NOON)  # fmt: skip

    go("out")
    import_(connection, there(company_name="Fox Inc"))
    assert only().company_name == "Fox Plumbing"
    assert db.session.scalars(select(Link.base)).one()["company_name"] == "fox plumbing"
    go("in")
    with transaction() as session:
        session.query(Contact).update({"website": "https://amy.example"})  # an edit nobody noted
    import_(connection, there(company_name="Fox Ltd"))
    assert only().company_name == "Fox Ltd" and waiting() == []
    go("both")
    import_(connection, there(company_name="Fox SA"))
    assert waiting() == [("update", [], "change")], (
        "an edit made while nothing was sent is noted, and no one is its author"
    )


def test_what_must_go_out_is_noted_once(connection: Connection) -> None:  # noqa: F811
    import_(connection, there())
    edit(website="https://amy.example", at=NOON)
    for name in ("Fox Inc", "Fox Ltd"):
        import_(connection, there(company_name=name))
    assert waiting() == [("update", ["website"], "change")]


# --- decisions ------------------------------------------------------------------------------------------------


def test_ours_goes_out_and_stays(doubtful: Connection) -> None:
    result = decide("ours")
    assert result.text == "Company: Fox & Sons stays here and is sent to QuickBooks, where it was Fox Inc."
    assert (only().company_name, asked(), would_send(doubtful)) == ("Fox & Sons", [], ("company_name",))
    [(operation, fields, trigger)] = waiting()
    assert (operation, fields, trigger) == ("update", ["company_name"], "conflict")
    conflict = the_conflict()
    assert (conflict.state, conflict.choice, conflict.decided, conflict.decided_by) == (
        "resolved", "ours", "Fox & Sons", "Kim",
    )  # fmt: skip
    import_(doubtful, there(NOON, company_name="Fox Inc", notes="something else"))
    assert asked() == [] and only().company_name == "Fox & Sons", "a decision is not asked about again"


def test_theirs_is_taken_with_everything_that_hangs_on_it_and_is_no_edit(doubtful: Connection) -> None:
    before, entries = only().version, waiting()
    decide("theirs")
    contact = only()
    assert (contact.company_name, contact.version) == ("Fox Inc", before + 1)
    assert "fox inc" in contact.search_text and told() == "Taken from QuickBooks: company Fox & Sons → Fox Inc"
    assert db.session.scalars(select(Link.base)).one()["company_name"] == "fox inc"
    assert would_send(doubtful) == () and waiting() == entries, "nothing new goes out"
    assert the_conflict().decided == "Fox Inc"


def test_a_value_written_by_hand_goes_into_the_contact_and_out(doubtful: Connection) -> None:
    decide("edited", value="  Fox & Daughter ")
    assert (only().company_name, would_send(doubtful)) == ("Fox & Daughter", ("company_name",))
    assert the_conflict().decided == "Fox & Daughter" and waiting()[0][1] == ["company_name"]


def test_lines_are_written_by_hand_one_to_a_line_and_others_stay(connection: Connection) -> None:  # noqa: F811
    import_(connection, there(phones=(*AMY.phones, PhoneField("mobile", "816 555 0404"))))
    contact = only()
    with transaction():
        lines = [Entry("phone", "816 555 0303"), Entry("phone", "816 555 0404", "mobile")]
        contacts.change(contact.id, {}, lines={"phone": lines}, version=contact.version, actor=KIM, now=NOON)
    import_(connection, there(phones=(PhoneField("primary", "816 555 0202"), PhoneField("mobile", "816 555 0404"))))
    assert [row[0] for row in asked()] == ["phone"]
    with pytest.raises(Invalid) as caught:
        decide("edited", value="nonsense")
    assert "value" in caught.value.fields and [row[0] for row in asked()] == ["phone"]
    decide("edited", value="816 555 0505\n816 555 0606")
    points = [(point.normal, point.label) for point in only().points if point.kind == "phone"]
    assert sorted(points) == [("+18165550404", "mobile"), ("+18165550505", ""), ("+18165550606", "")]
    assert would_send(connection) == ("phone",)
    keys = db.session.scalars(select(IdentityKey.key).where(IdentityKey.owner_kind == "contact")).all()
    assert any("8165550505" in key for key in keys) and not any("8165550303" in key for key in keys)


def test_an_address_is_written_by_hand_in_its_parts(connection: Connection) -> None:  # noqa: F811
    import_(connection, there())
    import_(connection, there(billing_address=None))
    decide("edited", value={"street": "3 Ash St", "city": "Rome", "region": "NY", "postal_code": "13440"})
    contact = only()
    assert (contact.street, contact.city, contact.country) == ("3 Ash St", "Rome", "")
    assert would_send(connection) == ("address",)


@pytest.mark.parametrize(("choice", "phone", "sent"), [("ours", "(816) 555-0101", ("phone",)), ("theirs", "", ())])
def test_what_was_emptied_there_comes_back_or_goes_here_too(
    connection: Connection,  # noqa: F811
    choice: str,
    phone: str,
    sent: tuple[str, ...],
) -> None:
    import_(connection, there())
    import_(connection, there(phones=()))
    decide(choice)
    assert (only().phone, would_send(connection), asked()) == (phone, sent, [])


def test_a_rule_decides_the_others_too_and_those_that_come(connection: Connection) -> None:  # noqa: F811
    people = [customer(n, f"Person {n}", company_name=f"Old {n}") for n in (1, 2, 3)]
    people = [replace(one, origin=replace(one.origin, updated_at=NOON)) for one in people]
    import_(connection, *people)
    for contact in db.session.scalars(select(Contact).order_by(Contact.id)).all():
        with transaction():
            contacts.change(contact.id, {"company_name": f"Ours {contact.id}"}, version=contact.version, actor=KIM,
                            now=NOON)  # fmt: skip
    changed = [replace(one, company_name=f"New {n}") for n, one in enumerate(people, 1)]
    import_(connection, *changed[:2], people[2])
    assert len(asked()) == 2
    id_ = the_conflict().id
    with transaction():
        said = conflicts.always(id_, "theirs", actor=KIM, now=clock.now()).text
    assert said == "Company: QuickBooks wins. 1 more decided by it. Change it back under Sync settings."
    db.session.remove()
    by = db.session.scalars(select(Conflict.decided_by)).all()
    assert asked() == [] and set(by) == {"Company: QuickBooks wins"}
    import_(connection, *changed)
    assert asked() == []
    companies = db.session.scalars(select(Contact.company_name).order_by(Contact.id)).all()
    assert companies == ["New 1", "New 2", "New 3"]
    assert told().startswith("QuickBooks' company New 3 took the place of Ours ")
    assert told().endswith(" (Company: QuickBooks wins).")


def test_a_rule_for_emptied_fields_is_one_of_its_own(connection: Connection) -> None:  # noqa: F811
    import_(connection, there())
    import_(connection, there(phones=()))
    id_ = the_conflict().id
    with transaction() as session:
        conflicts.always(id_, "theirs", actor=KIM, now=clock.now())
        policies = settings.current(session, connection.id, "customer").policies
    assert (policies["phone"], policies["phone.emptied"]) == ("newest", "quickbooks")
    assert only().phone == ""


def test_many_are_decided_at_once(connection: Connection) -> None:  # noqa: F811
    people = [customer(n, f"Person {n}", phone=f"816555010{n}", website=f"p{n}.example") for n in range(1, 6)]
    import_(connection, *people)
    import_(connection, *(replace(one, phones=(), website="") for one in people))
    ids = db.session.scalars(select(Conflict.id)).all()
    assert len(ids) == 10
    with transaction():
        assert conflicts.resolve_all(ids[:7], "theirs", actor=KIM, now=clock.now()) == 7
    with transaction():
        assert conflicts.resolve_all(ids, "ours", actor=KIM, now=clock.now()) == 3
    assert asked() == []
    with pytest.raises(Invalid), transaction():
        conflicts.resolve_all(ids, "edited", actor=KIM, now=clock.now())


def test_who_comes_too_late_is_told(doubtful: Connection) -> None:
    seen = "0" * 16
    with pytest.raises(Changed):
        decide("ours", seen=seen)
    assert len(asked()) == 1
    with pytest.raises(Invalid):
        decide("nobody")
    decide("ours")
    with pytest.raises(Changed):
        decide("theirs")
    with pytest.raises(NotFound), transaction():
        conflicts.resolve(10**6, "ours", actor=KIM, now=clock.now())


def test_what_was_never_agreed_can_be_sent_or_taken(connection: Connection) -> None:  # noqa: F811
    [id_] = have({"name": "Amy Fox", "email": "amy@fox.example", "company_name": "Amy's Pipes", "website": "a.example"})
    import_(connection, there())
    now = clock.now()
    with transaction():
        conflicts.resolve_difference(id_, "company_name", "ours", actor=KIM, now=now)
        conflicts.resolve_difference(id_, "website", "theirs", actor=KIM, now=now)
    assert (only().website, would_send(connection), waiting()[0][1]) == (
        "https://fox.example", ("company_name",), ["company_name"],
    )  # fmt: skip
    with pytest.raises(Changed), transaction():
        conflicts.resolve_difference(id_, "website", "ours", actor=KIM, now=now)


def test_unlinked_or_deleted_there_nobody_is_asked_any_more(doubtful: Connection) -> None:
    contact_id = only().id
    with transaction():
        matches.unlink(contact_id, actor=KIM, now=clock.now())
    assert asked() == [] and the_conflict().state == "settled"


def test_what_is_deleted_there_is_asked_about_no_more(doubtful: Connection) -> None:
    import_(doubtful)
    assert asked() == [] and the_conflict().state == "settled"


def test_the_log_names_fields_and_never_what_stands_in_them(connection: Connection) -> None:  # noqa: F811
    import_(connection, there())
    import_(connection, there(phones=()))
    import_(connection, there(phones=(), notes="read again"))
    decide("ours")
    query = select(SyncLogEntry).where(SyncLogEntry.event.like("conflict_%")).order_by(SyncLogEntry.id)
    lines = db.session.scalars(query).all()
    assert [(line.event, line.outcome, line.direction) for line in lines] == [
        ("conflict_opened", "asked", "in"), ("conflict_decided", "ours", "out"),
    ]  # fmt: skip
    assert all("Phone" in line.message and "555" not in line.message + str(line.details) for line in lines)


# --- cost -----------------------------------------------------------------------------------------------------


@pytest.fixture
def statements() -> Callable[[Callable[[], object]], int]:
    def count(deed: Callable[[], object]) -> int:
        seen: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            seen.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            deed()
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
        return len(seen)

    return count


def test_a_page_of_many_costs_no_statement_per_contact(
    connection: Connection,  # noqa: F811
    statements: Callable[[Callable[[], object]], int],
) -> None:
    people = [customer(n, f"Person {n}", phone=f"816555{n:04}") for n in range(1, 61)]
    import_(connection, *people)
    few = [replace(one, phones=()) for one in people[:2]] + people[2:]
    cost_of_few = statements(lambda: import_(connection, *few))
    cost_of_many = statements(lambda: import_(connection, *(replace(one, phones=()) for one in people)))
    assert len(asked()) == 60
    assert cost_of_many <= cost_of_few + 4
