"""Two contacts made one and two again: what becomes of static segments, history, consents, places and scores."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Invalid, NotFound, Refused
from crm.models import ContactConsent, ContactPlace, SegmentChange, SegmentMember, TimelineEntry
from crm.services import contact_consents, contact_merges, contacts, segment_refresh, segments
from tests.engine_rows import company, contact
from tests.services.test_segments import KANSAS, KIM, inside, make, refresh, stored


def merge(survivor: int, absorbed: int) -> int:
    with transaction():
        row = contact_merges.merge(survivor, absorbed, chosen={}, actor=KIM, now=clock.now())
        found: int = row.id
    db.session.remove()
    return found


def part(merge_id: int) -> None:
    with transaction():
        contact_merges.unmerge(merge_id, actor=KIM, now=clock.now() + timedelta(days=1))
    db.session.remove()


def static(name: str, *contact_ids: int) -> int:
    live = make(KANSAS, f"of {name}")
    with transaction() as session:
        made = segments.save_static(session, live, name=name, actor=KIM, now=clock.now()).id
        for id_ in contact_ids:
            segments.add_member(session, made, id_, actor=KIM, now=clock.now())
    db.session.remove()
    return made


def note(contact_id: int, channel: str, state: str, how: str = "", **values: Any) -> bool:
    with transaction():
        changed = contact_consents.note(contact_id, channel, state, how=how, actor=KIM, **{"now": clock.now()} | values)
    db.session.remove()
    return changed


def consents(contact_id: int) -> dict[str, tuple[str, str]]:
    query = select(ContactConsent).where(ContactConsent.contact_id == contact_id)
    return {row.channel: (row.state, row.how) for row in db.session.scalars(query)}


def rows(model: Any) -> list[tuple[Any, ...]]:
    db.session.remove()
    table = model.__table__
    return [tuple(row) for row in db.session.execute(select(table).order_by(*table.primary_key))]


@pytest.fixture
def pair(app: Flask) -> tuple[int, int]:
    company()
    return contact("Amy Fox", email="amy@fox.example"), contact("Amy Fox Inc", company_name="Fox Inc")


def test_a_member_of_a_static_segment_stays_in_it_as_the_survivor(pair: tuple[int, int]) -> None:
    one, other = pair
    only, both = static("Only", other), static("Both", one, other)
    before = {model: rows(model) for model in (SegmentMember, SegmentChange)}
    counts = [(stored(id_).members, stored(id_).lock) for id_ in (only, both)]
    merged = merge(one, other)
    assert (inside(only), inside(both)) == ({one}, {one})
    assert [stored(id_).members for id_ in (only, both)] == [1, 1]
    told = [(row.segment_id, row.contact_id, row.entered) for row in
            db.session.scalars(select(SegmentChange).order_by(SegmentChange.id))][-3:]  # fmt: skip
    assert told == [(only, other, False), (only, one, True), (both, other, False)]
    part(merged)
    assert {model: rows(model) for model in before} == before
    assert [(stored(id_).members, stored(id_).lock) for id_ in (only, both)] == counts


def test_live_segments_find_out_by_themselves(pair: tuple[int, int]) -> None:
    one, other = pair
    with transaction():
        contacts.change(other, {"region": "KS", "city": "Olathe"}, version=1, actor=KIM, now=clock.now())
    kansas = make(KANSAS, "Kansas")
    refresh()
    assert inside(kansas) == {other}
    merged = merge(one, other)
    refresh()
    assert inside(kansas) == {one}, "the survivor has the address now"
    assert set(db.session.scalars(select(ContactPlace.contact_id))) == {one, other}
    part(merged)
    refresh()
    assert inside(kansas) == {other}
    assert segment_refresh.refresh_all(clock=clock.now) == 1 and inside(kansas) == {other}


def test_who_said_no_to_one_of_the_two_said_no(pair: tuple[int, int]) -> None:
    one, other = pair
    for id_, channel, state in ((one, "email", "granted"), (other, "email", "denied"), (one, "sms", "denied"),
                                (other, "sms", "granted"), (other, "call", "granted")):  # fmt: skip
        note(id_, channel, state, how=f"asked {id_}")
    before = rows(ContactConsent)
    merged = merge(one, other)
    assert consents(one) == {"email": ("denied", f"asked {other}"), "sms": ("denied", f"asked {one}"),
                             "call": ("granted", f"asked {other}")}  # fmt: skip
    part(merged)
    assert rows(ContactConsent) == before


def test_what_was_noted_since_a_merge_stays(pair: tuple[int, int]) -> None:
    one, other = pair
    note(one, "email", "granted")
    note(other, "email", "denied")
    note(other, "call", "granted")
    merged = merge(one, other)
    later = clock.now() + timedelta(hours=1)
    note(one, "email", "granted", how="signed form", now=later)
    note(one, "call", "denied", how="said so", now=later)
    part(merged)
    assert consents(one) == {"email": ("granted", "signed form"), "call": ("denied", "said so")}
    assert consents(other) == {"email": ("denied", ""), "call": ("granted", "")}


# --- noting consents ------------------------------------------------------------------------------------------


def test_a_consent_is_noted_changed_and_taken_back_and_each_is_told(pair: tuple[int, int]) -> None:
    one, _ = pair
    assert note(one, "email", "granted", "  signed\n form ") and not note(one, "email", "granted", "signed form")
    assert consents(one) == {"email": ("granted", "signed form")}
    assert note(one, "email", "denied") and note(one, "email", "") and not note(one, "email", "")
    assert consents(one) == {}
    query = select(TimelineEntry).where(TimelineEntry.contact_id == one, TimelineEntry.verb == "consent_noted")
    told = [(row.summary, row.changes["E-mail"], row.actor) for row in
            db.session.scalars(query.order_by(TimelineEntry.id))]  # fmt: skip
    assert told == [
        ("E-mail: consent granted (signed form)", ["Never asked", "Granted"], "Kim Berg"),
        ("E-mail: consent denied", ["Granted", "Denied"], "Kim Berg"),
        ("E-mail: consent never asked", ["Denied", "Never asked"], "Kim Berg"),
    ]


def test_what_is_no_consent_is_refused_with_the_field(pair: tuple[int, int]) -> None:
    one, _ = pair
    for bad, name in ((("fax", "granted"), "channel"), (("email", "maybe"), "state")):
        with pytest.raises(Invalid) as refused:
            note(one, *bad)
        assert list(refused.value.fields) == [name]
    with pytest.raises(Invalid, match="200 characters"):
        note(one, "email", "granted", "x" * 201)
    with pytest.raises(NotFound):
        note(0, "email", "granted")
    db.session.remove()
    with transaction():
        contacts.archive(one, actor=KIM, now=clock.now())
    with pytest.raises(Refused, match="is archived"):
        note(one, "email", "granted")
