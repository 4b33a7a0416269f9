"""The best value of each field of two contacts with its reason, and what goes back when they are two again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.domain.contact_merging import MERGED_FIELDS, Image, Side, line_key, parted, proposal, united
from crm.domain.contacts import FIELDS, Line, read_lines

EARLY, LATE = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)


def side(changed_at=None, books=None, lines=(), tags=(), created_at=None, active=None, **values: str) -> Side:
    whole = dict.fromkeys(MERGED_FIELDS, "") | {"type": "lead"} | values
    return Side(whole, tuple(lines), tuple(tags), created_at, active, changed_at or {}, books or {})


def choice(name: str, one: Side, other: Side) -> tuple[str, str]:
    [found] = [choice for choice in proposal(one, other).choices if choice.name == name]
    return found.value, found.reason


def test_every_field_of_a_contact_is_merged() -> None:
    assert set(MERGED_FIELDS) == {*FIELDS, "type", "owner"}


@pytest.mark.parametrize(("one", "other", "value", "reason"), [
    (side(city="Bayshore"), side(city="Bayshore"), "Bayshore", "Both say so."),
    (side(city="bayshore"), side(city="Bayshore"), "bayshore", "Both say so, but for how it is written."),
    (side(), side(city="Bayshore"), "Bayshore", "The only one known."),
])  # fmt: skip
def test_sides_that_do_not_contradict_each_other_complete_each_other(one, other, value, reason) -> None:
    assert choice("city", one, other) == (value, reason)


def test_the_fuller_name_is_proposed_whichever_side_it_is_on() -> None:
    short, full = side(display_name="D. Fox"), side(display_name="Dana Fox-Miller")
    assert choice("display_name", short, full) == choice("display_name", full, short)
    assert choice("display_name", short, full) == ("Dana Fox-Miller", "Fuller than the other.")


def test_another_spelling_is_not_fuller() -> None:
    assert choice("display_name", side(display_name="Ann Lee"), side(display_name="Anne Lee"))[0] == "Ann Lee"


def test_what_the_books_say_counts_more_than_what_is_fuller_or_newer() -> None:
    known = side(company_name="Fox", books={"company_name": "Fox"})
    other = side(company_name="Fox Roofing", changed_at={"company_name": LATE})
    assert choice("company_name", other, known) == ("Fox", "QuickBooks says so too.")


def test_of_two_that_contradict_each_other_the_newer_is_proposed_with_its_day() -> None:
    old, new = (
        side(website="a.example", changed_at={"website": EARLY}),
        side(website="b.example", changed_at={"website": LATE}),
    )
    assert choice("website", old, new) == ("b.example", "Newer: changed on 05 Mar 2026.")
    assert choice("website", side(website="a.example"), side(website="b.example")) == (
        "a.example", "Of the contact that stays.",
    )  # fmt: skip


def test_an_address_is_taken_whole_from_one_side_unless_they_only_complete_each_other() -> None:
    one = side(street="1 Elm St", city="Bayshore")
    moved = side(street="9 Oak Ave", postal_code="94326", changed_at={"street": LATE})
    taken = proposal(one, moved).values
    assert (taken["street"], taken["city"], taken["postal_code"]) == ("9 Oak Ave", "", "94326")
    completed = proposal(one, side(street="1 Elm St", postal_code="94326")).values
    assert (completed["street"], completed["city"], completed["postal_code"]) == ("1 Elm St", "Bayshore", "94326")


def test_a_customer_is_more_than_a_lead_and_the_owner_of_the_one_that_stays_is_kept() -> None:
    one, other = side(type="lead", owner="3"), side(type="customer", owner="4")
    values = proposal(one, other).values
    assert (values["type"], values["owner"]) == ("customer", "3")
    assert proposal(side(), other).values["owner"] == "4"


def test_lines_and_tags_are_united_without_doubles_and_the_dates_span_both() -> None:
    mobile = read_lines("phone", "(555) 010-2233", label="mobile")
    one = side(lines=mobile, tags=("VIP",), created_at=LATE, active=EARLY)
    other = side(
        lines=[*read_lines("phone", "555.010.2233"), *read_lines("email", "dana@fox.example")],
        tags=("vip", "roof"), created_at=EARLY, active=LATE,
    )  # fmt: skip
    found = proposal(one, other)
    assert [(joined.line.value, joined.of) for joined in found.lines] == [
        ("(555) 010-2233", "both"), ("dana@fox.example", "other"),
    ]  # fmt: skip
    assert (found.tags, found.created_at, found.last_activity_at) == (("roof", "VIP"), EARLY, LATE)


# --- two again ------------------------------------------------------------------------------------------------

VALUES = st.fixed_dictionaries({name: st.sampled_from(["", "a", "b", "c"]) for name in MERGED_FIELDS})
LINES = st.lists(
    st.builds(Line, st.sampled_from(["phone", "email"]), st.sampled_from(["1", "2", "3", "4"])),
    unique_by=line_key, max_size=4,
).map(tuple)  # fmt: skip
TAGS = st.sets(st.sampled_from("xyz")).map(lambda tags: tuple(sorted(tags)))
IMAGES = st.builds(Image, VALUES, LINES, TAGS)


@given(IMAGES, IMAGES)
def test_parting_gives_back_what_was_there_when_nobody_touched_it_since(before: Image, after: Image) -> None:
    back = parted(before, after, after)
    assert (back.values, back.lines, back.tags, back.kept) == (before.values, before.lines, before.tags, ())


@given(IMAGES, IMAGES, IMAGES)
def test_what_was_edited_since_stays_and_is_named(before: Image, after: Image, now: Image) -> None:
    back = parted(before, after, now)
    edited = {name for name in MERGED_FIELDS if now.values[name] != after.values[name]}
    assert edited == set(back.kept) - {"phones", "emails", "tags"}
    assert {name: back.values[name] for name in edited} == {name: now.values[name] for name in edited}
    added = {line_key(line) for line in now.lines} - {line_key(line) for line in after.lines}
    assert added <= {line_key(line) for line in back.lines}
    assert set(now.tags) - set(after.tags) <= set(back.tags)


@given(LINES, LINES)
def test_uniting_loses_no_line_and_doubles_none(one: tuple[Line, ...], other: tuple[Line, ...]) -> None:
    keys = [line_key(joined.line) for joined in united(one, other)]
    assert len(keys) == len(set(keys))
    assert set(keys) == {line_key(line) for line in (*one, *other)}
