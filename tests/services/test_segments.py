"""Segments: what people do with them, and members kept true as contacts change, days pass and rules change."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update

from crm import clock
from crm.db import db, table_of, transaction
from crm.domain import segments as trees
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.segment_filters import history_filters, member_filters, segment_filters
from crm.models import (
    AuditEntry,
    Contact,
    ContactChange,
    ContactPlace,
    MoneyFacts,
    Note,
    RfmScore,
    SalesDocument,
    Segment,
    SegmentChange,
    SegmentMember,
    SegmentVersion,
    SyncRun,
)
from crm.queries import segment_sql
from crm.queries import segments as queries
from crm.services import contacts, places, rfm, segment_refresh, segments
from crm.services.audit import Actor
from tests.engine_rows import add, company, contact

KIM = Actor("kim@example.com", shown_as="Kim Berg")


def rules(*parts: tuple[Any, ...], match: str = "all") -> trees.Group:
    given = [{"field": field, "op": op, "values": list(values)} for field, op, *values in parts]
    return trees.read({"match": match, "parts": given})


OWES, KANSAS = rules(("balance", "more", "500")), rules(("state", "one_of", "Kansas"))


def make(group: trees.Group = OWES, name: str = "Owes", **values: Any) -> int:
    with transaction() as session:
        made = segments.create(session, name=name, rules=group, actor=KIM, now=clock.now(), **values).id
    db.session.remove()
    return made


def money(contact_id: int, balance: str, connection_id: int | None = None) -> None:
    with transaction() as session:
        row = session.get(MoneyFacts, contact_id)
        if row is None:
            row = MoneyFacts(contact_id=contact_id, connection_id=connection_id or 1, currency="USD")
            session.add(row)
        row.balance = row.balance_with_jobs = D(balance)
    db.session.remove()


def refresh(at: datetime | None = None) -> int:
    taken = segment_refresh.refresh_changed(clock=lambda: at or clock.now())
    db.session.remove()
    return taken


def day(at: datetime | None = None) -> int:
    count = segment_refresh.refresh_day(clock=lambda: at or clock.now())
    db.session.remove()
    return count


def stored(segment_id: int) -> Segment:
    db.session.remove()
    return db.session.get_one(Segment, segment_id)


def inside(segment_id: int) -> set[int]:
    db.session.remove()
    return set(db.session.scalars(select(SegmentMember.contact_id).where(SegmentMember.segment_id == segment_id)))


def moves(segment_id: int) -> list[tuple[int, bool, str]]:
    c = SegmentChange
    query = select(c.contact_id, c.entered, c.cause).where(c.segment_id == segment_id).order_by(c.id)
    return [tuple(row) for row in db.session.execute(query)]


def notes() -> int:
    db.session.remove()
    return db.session.scalar(select(func.count()).select_from(ContactChange)) or 0


@pytest.fixture
def books(app: Flask) -> Iterator[int]:
    yield company(time_zone="America/Chicago")


@pytest.fixture
def pair(books: int) -> tuple[int, int]:
    """Two contacts: the first owes 900, the second nothing."""
    one, other = contact("Amy Fox"), contact("Bo Ray")
    money(one, "900", books)
    money(other, "0", books)
    return one, other


# --- kept true ------------------------------------------------------------------------------------------------


def test_who_changes_moves_from_one_segment_to_another_and_the_move_is_told(pair: tuple[int, int]) -> None:
    one, other = pair
    owes, paid = make(), make(rules(("balance", "at_most", "0")), "Paid")
    assert (inside(owes), inside(paid)) == ({one}, {other})
    refresh()
    money(one, "0")
    assert notes() == 1 and refresh() == 1 and notes() == 0
    assert (inside(owes), inside(paid)) == (set(), {one, other})
    assert moves(owes) == [(one, True, "rules"), (one, False, "facts")]
    assert moves(paid) == [(other, True, "rules"), (one, True, "facts")]
    assert (stored(owes).members, stored(paid).members) == (0, 2)
    assert stored(paid).lock == 1, "a refresh is no change of the segment"


def test_where_nothing_differs_nothing_is_written_and_since_stays(pair: tuple[int, int]) -> None:
    one, _ = pair
    owes = make()
    since = db.session.get_one(SegmentMember, (owes, one)).since
    money(one, "901")
    refresh()
    assert moves(owes) == [(one, True, "rules")] and db.session.get_one(SegmentMember, (owes, one)).since == since
    assert refresh() == 0


def test_a_part_and_the_whole_come_to_the_same(books: int) -> None:
    ids = [contact(f"C{number}", region="KS" if number % 3 else "MO") for number in range(30)]
    for number, id_ in enumerate(ids):
        money(id_, str(number * 50), books)
    groups = [OWES, KANSAS, rules(("state", "none_of", "KS"), ("balance", "less", "700"), match="any"),
              rules(("balance", "more", "900"), ("type", "one_of", "customer"), match="none")]  # fmt: skip
    made = [make(group, f"S{number}") for number, group in enumerate(groups)]
    refresh()
    for number, id_ in enumerate(ids[:15]):
        money(id_, str(1400 - number * 60))
    with transaction() as session:
        session.execute(update(table_of(Contact)).where(table_of(Contact).c.id.in_(ids[5:9])).values(region="MO"))
    refresh()
    for segment_id, group in zip(made, groups, strict=True):
        wanted = set(db.session.scalars(segment_sql.members(group, today=clock.now().date())))
        assert inside(segment_id) == wanted and stored(segment_id).members == len(wanted)
    before = [moves(one) for one in made]
    segment_refresh.refresh_all(clock=clock.now)
    assert [moves(one) for one in made] == before, "the whole finds nothing that the parts missed"


def test_who_is_archived_leaves_and_comes_back_when_restored(pair: tuple[int, int]) -> None:
    one, _ = pair
    owes = make()
    with transaction():
        contacts.archive(one, actor=KIM, now=clock.now())
    refresh()
    assert inside(owes) == set() and moves(owes)[-1] == (one, False, "facts")
    with transaction():
        contacts.restore(one, actor=KIM, now=clock.now())
    refresh()
    assert inside(owes) == {one}


def test_a_contact_that_is_deleted_leaves_nothing_behind(pair: tuple[int, int]) -> None:
    one, _ = pair
    owes = make()
    with transaction() as session:
        session.execute(delete(Contact).where(Contact.id == one))
    refresh()
    assert inside(owes) == set() and notes() == 0
    day(clock.now() + timedelta(days=1))
    assert stored(owes).members == 0


def test_a_static_segment_is_never_touched_by_a_refresh(pair: tuple[int, int]) -> None:
    one, _ = pair
    owes = make()
    with transaction() as session:
        frozen = segments.save_static(session, owes, name="Owed then", actor=KIM, now=clock.now()).id
    money(one, "0")
    refresh()
    day(clock.now() + timedelta(days=1))
    with transaction() as session:
        assert segment_refresh.refresh(session, frozen, cause="facts", now=clock.now()) == (0, 0)
    assert (inside(owes), inside(frozen)) == (set(), {one})
    assert moves(frozen) == [(one, True, "hand")] and stored(frozen).members == 1


def test_a_failing_segment_says_so_and_stops_no_other(pair: tuple[int, int]) -> None:
    one, other = pair
    broken, owes = make(KANSAS, "Broken"), make()
    with transaction() as session:
        session.execute(update(table_of(Segment)).where(table_of(Segment).c.id == broken).values(
            rules={"match": "all", "parts": [{"field": "gone", "op": "is", "values": ["1"]}]}))  # fmt: skip
    money(other, "1000")
    money(one, "0")
    refresh()
    assert inside(owes) == {other} and stored(owes).error == ""
    assert stored(broken).error == "Choose what the rule is about."
    due = stored(broken).due_at
    assert due is not None and due > clock.now() + timedelta(minutes=9)
    with transaction() as session:  # somebody mends it in the database: it is looked at whole when it is due
        session.execute(update(table_of(Contact)).where(table_of(Contact).c.id == one).values(region="ks"))
        session.execute(update(table_of(Segment)).where(table_of(Segment).c.id == broken).values(
            rules=trees.write(KANSAS)))  # fmt: skip
    refresh()
    assert inside(broken) == set()
    refresh(clock.now() + timedelta(minutes=11))
    assert (inside(broken), stored(broken).error, stored(broken).due_at) == ({one}, "", None)


def test_a_segment_that_fails_after_it_wrote_is_undone_alone(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    owes, paid = make(), make(rules(("balance", "at_most", "0")), "Paid")
    refresh()
    money(one, "0")
    write = segment_refresh._set

    def failing(session: Any, segment_id: int, **values: Any) -> None:
        if segment_id == owes and "members" in values:
            raise RuntimeError("after its members were written")
        write(session, segment_id, **values)

    with monkeypatch.context() as patched:
        patched.setattr(segment_refresh, "_set", failing)
        refresh()
    assert inside(paid) == {one, pair[1]} and len(moves(paid)) == 2 and stored(paid).members == 2
    assert inside(owes) == {one} and moves(owes) == [(one, True, "rules")] and stored(owes).error
    refresh(clock.now() + timedelta(minutes=11))
    assert inside(owes) == set() and moves(owes)[1:] == [(one, False, "facts")]


def test_what_a_database_says_of_a_failure_is_not_shown(pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    owes, other = make(), make(KANSAS, "Kansas")
    whole = segment_sql.members

    def failing(group: trees.Group, **how: Any) -> Any:
        if group == OWES:
            raise RuntimeError("secret: 900.00 of Amy Fox")
        return whole(group, **how)

    monkeypatch.setattr(segment_sql, "members", failing)
    money(pair[0], "1")
    refresh()
    assert stored(owes).error == "Something failed (RuntimeError)." and stored(other).error == ""


def test_a_flood_of_notes_is_answered_by_looking_at_all(pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = pair
    owes = make()
    refresh()
    monkeypatch.setattr(segment_refresh, "FLOOD", 3)
    now = clock.now()
    for amount in ("1", "2", "0"):
        money(one, amount)
        money(other, "700")
    with transaction() as session:
        session.execute(update(table_of(Contact)).values(city="Olathe", region="KS"))
    refresh(now)
    assert notes() == 0 and inside(owes) == {one}, "all were looked at a moment ago: not again so soon"
    assert stored(owes).due_at is not None
    refresh(now + timedelta(minutes=3))
    assert inside(owes) == {other} and stored(owes).due_at is None
    assert moves(owes)[-2:] in ([(one, False, "facts"), (other, True, "facts")],
                                [(other, True, "facts"), (one, False, "facts")])  # fmt: skip
    assert db.session.scalar(select(func.count()).select_from(ContactPlace)) == 2


def test_many_notes_are_taken_in_several_transactions(pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    owes = make()
    refresh()
    monkeypatch.setattr(segment_refresh, "BATCH", 2)
    for amount in ("1", "2", "3", "4", "0"):
        money(pair[0], amount)
    assert refresh() == 5 and notes() == 0 and inside(owes) == set()


def test_what_fails_halfway_is_neither_written_nor_forgotten(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    owes = make()
    refresh()
    money(pair[0], "0")

    def broken(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(segment_refresh, "_set", broken)
        with pytest.raises(KeyboardInterrupt):
            refresh()
    assert notes() == 1 and inside(owes) == {pair[0]}
    refresh()
    assert inside(owes) == set()


def test_refreshes_at_the_same_moment_give_the_same_as_one(
    pair: tuple[int, int], app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    owes, paid = make(), make(rules(("balance", "at_most", "0")), "Paid")
    refresh()
    problems: list[BaseException] = []
    later = clock.now() + timedelta(days=1)
    written: set[int] = set()

    def alone(write: Callable[..., Any]) -> Callable[..., Any]:
        def watched(session: Any, which: Any, *given: Any, **how: Any) -> Any:
            ids = {one.id for one in (which if isinstance(which, list) else [which])}
            if ids & written:
                problems.append(AssertionError("two at one segment"))
            written.update(ids)
            time.sleep(0.02)
            try:
                return write(session, which, *given, **how)
            finally:
                written.difference_update(ids)

        return watched

    for name in ("_write", "_write_parts"):
        monkeypatch.setattr(segment_refresh, name, alone(getattr(segment_refresh, name)))

    def work(kind: Callable[..., int]) -> None:
        try:
            with app.app_context():
                for _ in range(5):
                    kind(clock=lambda: later)
        except BaseException as problem:
            problems.append(problem)

    money(one, "0")
    money(other, "900")
    kinds = (segment_refresh.refresh_changed, segment_refresh.refresh_day, segment_refresh.refresh_all)
    threads = [threading.Thread(target=work, args=(kind,)) for kind in (*kinds, *kinds[::2])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems and (inside(owes), inside(paid)) == ({other}, {one})
    assert {(who, entered) for who, entered, _ in moves(owes)[1:]} == {(one, False), (other, True)}
    assert (len(moves(owes)), len(moves(paid)), stored(owes).members, stored(paid).members) == (3, 3, 1, 1)


# --- days -----------------------------------------------------------------------------------------------------


def invoice(contact_id: int, connection_id: int, total: str, on: datetime, **values: Any) -> int:
    given = {"kind": "invoice", "state": "open", "date": on.date(), "due_date": on.date(), "total": D(total),
             "books_total": D(total), "balance": D(total), "currency": "USD",
             "created_at": on, "updated_at": on}  # fmt: skip
    return add(SalesDocument(contact_id=contact_id, connection_id=connection_id, **given | values))


def test_a_day_that_passes_moves_contacts_once_in_the_companys_day(pair: tuple[int, int], books: int) -> None:
    one, _ = pair
    midnight = datetime(2026, 11, 20, 6, tzinfo=UTC)  # of Chicago
    invoice(one, books, "10", midnight - timedelta(hours=2), due_date=date(2026, 11, 19))
    late = make(rules(("overdue", "more", "0")), "Late")
    day(midnight - timedelta(hours=1))  # with its fifths
    with transaction() as session:
        session.execute(update(table_of(Segment)).values(refreshed_at=midnight - timedelta(hours=1)))
        session.execute(delete(table_of(SegmentMember)))
        session.execute(delete(table_of(SegmentChange)))
    assert day(midnight - timedelta(minutes=1)) == 0 and inside(late) == set()
    assert day(midnight + timedelta(minutes=1)) == 1 and inside(late) == {one}
    assert moves(late) == [(one, True, "day")]
    assert day(midnight + timedelta(hours=5)) == 0, "once a day is enough"


def test_what_changed_before_midnight_is_told_as_what_it_was(pair: tuple[int, int]) -> None:
    owes = make()
    refresh()
    money(pair[0], "0")
    day(clock.now() + timedelta(days=1))
    assert moves(owes)[-1] == (pair[0], False, "facts")


def test_fifths_put_equals_together_and_five_is_best(books: int) -> None:
    now = clock.now()
    ids = [contact(f"C{number}") for number in range(10)]
    for number, id_ in enumerate(ids):
        for _ in range(1 if number < 8 else 5):
            invoice(id_, books, str(100 + number), now - timedelta(days=10 * (10 - number)))
    idle, gone, abroad = contact("Idle"), contact("Gone"), contact("Abroad")
    invoice(contact("Archived", archived_at=now), books, "5", now)
    invoice(idle, books, "5", now, state="draft")
    invoice(gone, books, "5", now, gone_at=now)
    invoice(abroad, books, "5", now, currency="EUR")
    with transaction() as session:
        assert rfm.refresh(session, today=now.date()) == 10
    scores = {row.contact_id: row for row in db.session.scalars(select(RfmScore))}
    assert [scores[id_].recency for id_ in ids] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert [scores[id_].frequency for id_ in ids] == [1] * 8 + [5, 5]
    assert [scores[id_].monetary for id_ in ids] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    last = scores[ids[-1]]
    assert (last.invoices, last.total, last.as_of) == (5, D("545"), now.date())


def test_fifths_are_of_the_day_before_segments_ask_about_them(pair: tuple[int, int], books: int) -> None:
    one, _ = pair
    invoice(one, books, "10", clock.now())
    best = make(rules(("rfm_recency", "at_least", "1")), "Ranked")
    assert inside(best) == set()
    day(clock.now() + timedelta(days=1))
    assert inside(best) == {one} and moves(best) == [(one, True, "day")]


def test_fifths_made_in_mid_day_are_asked_about_at_once_and_never_of_a_half_read_company(
    pair: tuple[int, int], books: int
) -> None:
    one, _ = pair
    best, frozen = make(rules(("rfm_recency", "at_least", "1")), "Ranked"), make(KANSAS, "Kansas")
    with transaction() as session:
        segments.archive(session, frozen, actor=KIM, now=clock.now())
    noon = clock.now()
    assert day(noon) == 0, "nobody bought: nothing to rank by, nobody is looked at again"
    run = add(SyncRun(connection_id=books, trigger="person", state="running", created_at=noon))
    invoice(one, books, "10", noon)
    refresh(noon)
    assert day(noon) == 0 and inside(best) == set(), "more of its invoices may come"
    with transaction() as session:
        session.get_one(SyncRun, run).state = "done"
    assert day(noon) == 1 and inside(best) == {one} and moves(best) == [(one, True, "day")]
    assert (day(noon), stored(best).due_at) == (0, None), "once is enough"


def test_a_worker_killed_after_the_fifths_leaves_the_segments_due(
    pair: tuple[int, int], books: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    best = make(rules(("rfm_recency", "at_least", "1")), "Ranked")
    invoice(one, books, "10", clock.now())
    refresh()

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(segment_refresh, "_refresh_each", killed)
        with pytest.raises(KeyboardInterrupt):
            day()
    assert db.session.scalar(select(func.count()).select_from(RfmScore)) == 1 and inside(best) == set()
    refresh()
    assert inside(best) == {one}


def test_a_clock_that_was_ahead_stops_no_segment(pair: tuple[int, int], books: int) -> None:
    one, _ = pair
    invoice(one, books, "10", clock.now(), due_date=clock.now().date())
    late = make(rules(("overdue", "more", "0")), "Late")
    with transaction() as session:
        session.execute(update(table_of(Segment)).values(refreshed_at=clock.now() + timedelta(days=700)))
    assert day(clock.now() + timedelta(days=3)) == 1 and inside(late) == {one}


# --- places ---------------------------------------------------------------------------------------------------


def test_places_follow_addresses(books: int) -> None:
    here, far = contact("Here", postal_code="66061", region="KS"), contact("Far", city="Boston", region="MA")
    x, y, z = (str(getattr(places.rules.resolve("Olathe, KS"), axis)) for axis in "xyz")
    near = make(rules(("distance", "within", "10", "mi", "Olathe, KS", "Olathe, KS", x, y, z)), "Near")
    assert inside(near) == set()
    refresh()
    assert inside(near) == {here} and notes() == 0
    found = {row.contact_id: row.precision for row in db.session.scalars(select(ContactPlace))}
    assert found == {here: "postal", far: "city"}
    with transaction() as session:
        session.execute(update(table_of(Contact)).where(table_of(Contact).c.id == far).values(
            city="", postal_code="66062", region="KS"))  # fmt: skip
        session.execute(update(table_of(Contact)).where(table_of(Contact).c.id == here).values(
            postal_code="", city="Nowhere"))  # fmt: skip
    refresh()
    assert inside(near) == {far} and set(db.session.scalars(select(ContactPlace.contact_id))) == {far}


def test_a_pass_over_all_finds_every_place_and_then_nothing(books: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "PART", 2)
    for number in range(5):
        contact(f"C{number}", postal_code="66061")
    assert places.settle_all(clock=clock.now) == 5
    assert places.settle_all(clock=clock.now) == 0


# --- what people do -------------------------------------------------------------------------------------------


def change(segment_id: int, **how: Any) -> Segment:
    given = {"name": "Owes", "description": "", "rules": OWES, "lock": 1, "actor": KIM, "now": clock.now()}
    with transaction() as session:
        return segments.change(session, segment_id, **given | how)


def test_other_rules_are_another_version_with_other_members(pair: tuple[int, int]) -> None:
    one, other = pair
    owes = make()
    change(owes, rules=rules(("balance", "less", "500")), description="those who owe little")
    assert inside(owes) == {other} and (stored(owes).version, stored(owes).lock) == (2, 2)
    assert moves(owes) == [(one, True, "rules"), *sorted([(one, False, "rules"), (other, True, "rules")])] or (
        moves(owes)[1:] == [(other, True, "rules"), (one, False, "rules")]
    )
    kept = {row.version: row.rules for row in db.session.scalars(select(SegmentVersion))}
    assert kept[1] == trees.write(OWES) and kept[2]["parts"][0]["op"] == "less"
    with pytest.raises(Changed):
        change(owes, lock=1)
    db.session.remove()
    again = change(owes, rules=trees.read(stored(owes).rules), description="those who owe little", lock=2)
    assert (again.version, again.lock) == (2, 2), "the same again is no change"


def test_a_name_is_one_segments_as_long_as_it_is_used(pair: tuple[int, int]) -> None:
    owes = make()
    for name, words in {"": "Give the segment a name.", "  ÓWES ": "There is a segment “Owes” already.",
                        "x" * 121: "too long"}.items():  # fmt: skip
        with pytest.raises(Invalid) as refused:
            make(name=name)
        assert words in refused.value.fields["name"]
        db.session.remove()
    with transaction() as session:
        segments.archive(session, owes, actor=KIM, now=clock.now())
    other = make()
    with pytest.raises(Invalid), transaction() as session:
        segments.restore(session, owes, actor=KIM, now=clock.now())
    db.session.remove()
    with transaction() as session:
        segments.rename(session, other, name="Others", description="", lock=1, actor=KIM, now=clock.now())
    with transaction() as session:
        segments.restore(session, owes, actor=KIM, now=clock.now())
    assert stored(owes).archived_at is None and stored(other).name == "Others"


def test_an_archived_segment_rests_and_is_true_again_when_restored(pair: tuple[int, int]) -> None:
    one, other = pair
    owes = make()
    with transaction() as session:
        segments.archive(session, owes, actor=KIM, now=clock.now())
    money(one, "0")
    money(other, "900")
    refresh()
    day(clock.now() + timedelta(days=1))
    assert inside(owes) == {one}
    with pytest.raises(Refused, match="is archived"):
        change(owes, lock=2)
    db.session.remove()
    with transaction() as session:
        segments.restore(session, owes, actor=KIM, now=clock.now())
    assert inside(owes) == {other} and stored(owes).members == 1


def test_members_of_a_static_one_by_hand(pair: tuple[int, int]) -> None:
    one, other = pair
    owes = make()
    with transaction() as session:
        frozen = segments.save_static(session, owes, name="Owed then", actor=KIM, now=clock.now()).id

    def by_hand(act: Callable[..., bool], segment_id: int, contact_id: int) -> bool:
        with transaction() as session:
            return act(session, segment_id, contact_id, actor=KIM, now=clock.now())

    assert by_hand(segments.add_member, frozen, other) and not by_hand(segments.add_member, frozen, other)
    assert inside(frozen) == {one, other} and stored(frozen).members == 2
    assert by_hand(segments.remove_member, frozen, one) and not by_hand(segments.remove_member, frozen, one)
    assert moves(frozen) == [(one, True, "hand"), (other, True, "hand"), (one, False, "hand")]
    for segment_id, contact_id, error in ((owes, other, Refused), (frozen, 0, NotFound), (0, other, NotFound)):
        with pytest.raises(error):
            by_hand(segments.add_member, segment_id, contact_id)
        db.session.remove()
    with transaction():
        contacts.archive(one, actor=KIM, now=clock.now())
    with pytest.raises(Refused, match="is archived"):
        by_hand(segments.add_member, frozen, one)
    db.session.remove()
    with transaction() as session:
        session.execute(update(Contact).where(Contact.id == other).values(archived_at=clock.now()))
    with transaction() as session:
        again = segments.save_static(session, frozen, name="Once more", actor=KIM, now=clock.now())
        assert again.members == 0 and inside(frozen) == {other}, "who is archived is not copied"
        session.rollback()
    told = list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
    assert told == ["segment_created", "segment_frozen", "segment_member_added", "segment_member_removed"] + [
        action for action in told if not action.startswith("segment")
    ]


# --- lists ----------------------------------------------------------------------------------------------------


def test_the_list_says_what_each_comes_to_and_how_it_moved(pair: tuple[int, int]) -> None:
    _, other = pair
    make(description="large amounts")
    make(KANSAS, "Kansas")
    refresh()
    money(other, "700.50")
    refresh()
    page = queries.page(segment_filters({}), now=clock.now())
    assert [(row.name, row.members, row.balance, row.came, row.left) for row in page.rows] == [
        ("Kansas", 0, D(0), 0, 0),
        ("Owes", 2, D("1600.50"), 1, 0),
    ]
    assert "Balance" in page.rows[1].words and queries.sums(page.rows[1].id).balance == D("1600.50")
    found = queries.page(segment_filters({"q": "large", "sort": "-members", "kind": "live"}), now=clock.now())
    assert [row.name for row in found.rows] == ["Owes"] and found.total == 1
    assert [row.name for row in queries.each(segment_filters({"owner": "none"}), now=clock.now())] == ["Kansas", "Owes"]
    assert queries.count(segment_filters({"archived": "1"})) == 0 and queries.any_segments()
    assert [name for _, name in queries.choices()] == ["Kansas", "Owes"]


def test_members_and_history_are_searched_sorted_and_exported(pair: tuple[int, int]) -> None:
    one, other = pair
    owes = make()
    refresh()
    money(other, "2000")
    refresh()

    def names(**args: str) -> list[str]:
        return [row.name for row in queries.members(owes, member_filters(args), now=clock.now()).rows]

    assert names() == ["Amy Fox", "Bo Ray"] and names(sort="-balance") == ["Bo Ray", "Amy Fox"]
    assert names(sort="-since") == ["Bo Ray", "Amy Fox"] and names(q="ray") == ["Bo Ray"]
    assert [row.balance for row in queries.each_member(owes, member_filters({}), now=clock.now())] == [D(900), D(2000)]
    assert queries.members_of(owes, [one, other, 0]) == {one, other} and queries.membership(owes, 0) is None

    def changes(**args: str) -> list[str]:
        return [row.contact for row in queries.history(owes, history_filters(args)).rows]

    assert changes() == ["Bo Ray", "Amy Fox"] and changes(cause="facts") == ["Bo Ray"] and changes(way="out") == []
    assert changes(q="amy") == ["Amy Fox"] and changes(since="2000-01-01", until="2000-01-02") == []
    assert [row.contact_id for row in queries.each_change(owes, history_filters({}))] == [other, one]
    assert [row.entered for row in queries.past(owes, one)] == [True]
    assert [row.name for row in queries.of_contact(one)] == ["Owes"]
    assert [(row.name, row.entered) for row in queries.moves_of_contact(other)] == [("Owes", True)]


def test_rules_that_cannot_be_read_any_more_do_not_hide_the_list(pair: tuple[int, int]) -> None:
    owes = make()
    with transaction() as session:
        session.execute(update(table_of(Segment)).values(rules={"match": "all", "parts": [{"field": "gone"}]}))
    [row] = queries.page(segment_filters({}), now=clock.now()).rows
    assert row.id == owes and "cannot be read" in row.words


# --- what notes a change --------------------------------------------------------------------------------------


def test_whatever_rules_ask_about_leaves_a_note(pair: tuple[int, int], books: int) -> None:
    one, _ = pair
    document = invoice(one, books, "10", clock.now())
    deeds: dict[str, Callable[[], object]] = {
        "tag": lambda: contacts.tag([one], "warm", actor=KIM, now=clock.now()),
        "note": lambda: contacts.add_note(one, "rang", actor=KIM, now=clock.now()),
        "archive": lambda: contacts.archive(one, actor=KIM, now=clock.now()),
        "invoice": lambda: db.session.execute(
            update(SalesDocument).where(SalesDocument.id == document).values(balance=D(1))
        ),
    }
    for name, deed in deeds.items():
        refresh()
        with transaction():
            deed()
        assert notes() > 0, name
        db.session.remove()
    refresh()
    with transaction():
        db.session.execute(update(Contact).where(Contact.id == one).values(search_text="x"))
    assert notes() == 0 and db.session.scalar(select(func.count()).select_from(Note)) == 1
