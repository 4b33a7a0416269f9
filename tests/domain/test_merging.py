"""Base, ours, theirs: every decision of the table, and what holds for any three."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.domain.merging import Merged, merge
from crm.domain.policies import POLICIES

EARLY, NOON, LATE = (datetime(2026, 5, 4, hour, tzinfo=UTC) for hour in (9, 12, 15))
FIELDS = ("address", "email", "name", "phone")


def outcome(merged: Merged, field: str = "name") -> str:
    """Where the field stands; in exactly one place, or the test fails."""
    places = {
        "agreed": merged.agreed, "taken": merged.taken, "sent": merged.sent, "differing": merged.differing,
        **{reason: tuple(f for f, why in merged.asked.items() if why == reason) for reason in merged.asked.values()},
    }  # fmt: skip
    found = [place for place, fields in places.items() if field in fields]
    assert len(found) == 1, found
    return found[0]


def one(base: str | None, ours: str, theirs: str, **more: Any) -> Merged:
    return merge({} if base is None else {"name": base}, {"name": ours}, {"name": theirs}, **more)


@pytest.mark.parametrize(("base", "ours", "theirs", "value", "where", "agreed"), [
    ("a", "a", "b", "b", "taken", "b"),
    ("a", "b", "a", "b", "sent", "a"),
    ("a", "b", "c", "b", "both_changed", "a"),
    ("a", "b", "b", "b", "agreed", "b"),
    ("a", "a", "", "a", "emptied", "a"),
    ("a", "", "a", "", "differing", "a"),
    ("a", "", "b", "", "both_changed", "a"),
    ("a", "b", "", "b", "both_changed", "a"),
    ("", "", "b", "b", "taken", "b"),
    ("", "a", "", "a", "sent", ""),
    ("", "a", "b", "a", "both_changed", ""),
    (None, "", "b", "b", "taken", "b"),
    (None, "a", "b", "a", "differing", None),
    (None, "a", "", "a", "differing", None),
    (None, "a", "a", "a", "agreed", "a"),
])  # fmt: skip
def test_each_case_has_one_outcome(
    base: str | None, ours: str, theirs: str, value: str, where: str, agreed: str | None
) -> None:
    merged = one(base, ours, theirs)
    assert (merged.values, outcome(merged)) == ({"name": value}, where)
    assert merged.base.get("name") == agreed


@pytest.mark.parametrize(("policy", "edited_at", "theirs_at", "where"), [
    ("quickbooks", LATE, EARLY, "taken"),
    ("ours", EARLY, LATE, "sent"),
    ("ask", LATE, EARLY, "both_changed"),
    ("newest", LATE, NOON, "sent"),
    ("newest", EARLY, NOON, "taken"),
    ("newest", None, NOON, "taken"),
    ("newest", NOON, NOON, "both_changed"),
    ("newest", NOON.replace(microsecond=600_000), NOON, "both_changed"),
    ("newest", NOON.replace(second=1), NOON.replace(microsecond=900_000), "sent"),
    ("newest", LATE, None, "both_changed"),
])  # fmt: skip
def test_what_changed_on_both_sides_follows_the_policy(
    policy: str, edited_at: datetime | None, theirs_at: datetime | None, where: str
) -> None:
    merged = one("a", "b", "c", policies={"name": policy}, edited={"name": edited_at}, theirs_at=theirs_at)
    assert outcome(merged) == where


def test_a_policy_is_not_asked_where_only_one_side_changed() -> None:
    for policy in POLICIES:
        told: dict[str, Any] = {"policies": {"name": policy}, "theirs_at": LATE}
        assert outcome(one("a", "b", "a", **told)) == "sent"
        assert outcome(one("a", "a", "b", **told)) == "taken"


def test_what_a_person_cleared_is_cleared_there_and_by_nobody_else() -> None:
    assert outcome(one("a", "", "a", edited={"name": NOON})) == "sent"
    assert outcome(one("a", "", "a")) == "differing"
    assert outcome(one("a", "", "b", policies={"name": "ours"})) == "both_changed"
    assert outcome(one("a", "", "b", policies={"name": "ours"}, edited={"name": NOON})) == "sent"


@pytest.mark.parametrize("ours", ["a", "b"])
def test_what_was_emptied_there_asks_unless_it_has_a_rule_of_its_own(ours: str) -> None:
    told: dict[str, Any] = {"theirs_at": LATE, "edited": {"name": EARLY}}
    assert outcome(one("a", ours, "", policies={"name": "quickbooks"}, **told)) == "emptied"
    taken = one("a", ours, "", policies={"name": "quickbooks", "name.emptied": "quickbooks"}, **told)
    assert (outcome(taken), taken.values, taken.base) == ("taken", {"name": ""}, {"name": ""})
    assert outcome(one("a", ours, "", policies={"name": "quickbooks", "name.emptied": "ours"}, **told)) == "sent"


@pytest.mark.parametrize(("policy", "theirs", "where"), [
    ("newest", "b", "sent"),
    ("ours", "b", "sent"),
    ("quickbooks", "b", "taken"),
    ("quickbooks", "", "emptied"),
    ("ask", "b", "both_changed"),
    ("newest", "", "sent"),
])  # fmt: skip
def test_what_was_never_agreed_goes_out_once_a_person_edited_it(policy: str, theirs: str, where: str) -> None:
    merged = one(None, "a", theirs, policies={"name": policy}, edited={"name": EARLY}, theirs_at=LATE)
    assert outcome(merged) == where


# --- for any three ---------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["", "a", "b", "c"])
SIDE = st.fixed_dictionaries(dict.fromkeys(FIELDS, TEXTS))
MOMENTS = st.sampled_from([EARLY, NOON, LATE])
EMPTIED_KEYS = tuple(f"{field}.emptied" for field in FIELDS)


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    base = draw(st.dictionaries(st.sampled_from(FIELDS), TEXTS))
    policies = draw(st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(list(POLICIES))))
    policies |= draw(st.dictionaries(st.sampled_from(EMPTIED_KEYS), st.sampled_from(["quickbooks", "ours"])))
    edited = draw(st.dictionaries(st.sampled_from(FIELDS), st.none() | MOMENTS))
    return {
        "base": base, "ours": draw(SIDE), "theirs": draw(SIDE), "policies": policies, "edited": edited,
        "theirs_at": draw(st.none() | MOMENTS),
    }  # fmt: skip


def arrived(merged: Merged, theirs: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """(base, theirs) once everything that is sent has arrived there."""
    gone = {name: merged.values[name] for name in merged.sent}
    return {**merged.base, **gone}, {**theirs, **gone}


@given(cases())
@settings(max_examples=300, deadline=None)
def test_every_field_has_exactly_one_outcome(case: dict[str, Any]) -> None:
    merged = merge(**case)
    for field in FIELDS:
        outcome(merged, field)


@given(cases())
@settings(max_examples=300, deadline=None)
def test_merging_again_after_all_was_carried_out_changes_nothing(case: dict[str, Any]) -> None:
    once = merge(**case)
    base, theirs = arrived(once, case["theirs"])
    waiting = {name: at for name, at in case["edited"].items() if name not in once.sent}
    again = merge(**case | {"base": base, "ours": once.values, "theirs": theirs, "edited": waiting})
    assert (again.values, again.taken, again.sent, again.base) == (once.values, (), (), base)
    assert (again.asked, again.differing) == (once.asked, once.differing)


@given(cases())
@settings(max_examples=300, deadline=None)
def test_merging_again_before_anything_was_sent_decides_the_same(case: dict[str, Any]) -> None:
    once = merge(**case)
    again = merge(**case | {"base": once.base, "ours": once.values})
    assert (again.values, again.taken, again.base) == (once.values, (), once.base)
    assert (again.sent, again.asked, again.differing) == (once.sent, once.asked, once.differing)


@given(cases())
@settings(max_examples=300, deadline=None)
def test_no_value_is_lost_but_by_a_rule_that_allows_it(case: dict[str, Any]) -> None:
    merged, rules = merge(**case), case["policies"]
    _, after = arrived(merged, case["theirs"])
    for field in FIELDS:
        before, ours, theirs = case["base"].get(field), case["ours"][field], case["theirs"][field]
        if merged.values[field] != ours:  # ours disappeared
            changed_here = ours != (before or "")
            allowed = not changed_here or rules.get(field, "ask") in ("quickbooks", "newest")
            assert allowed and (theirs or rules.get(f"{field}.emptied") == "quickbooks")
        if after[field] != theirs:  # theirs disappeared
            changed_there = before is not None and theirs != before and theirs
            assert not changed_there or rules.get(field, "ask") in ("ours", "newest")
            assert ours or not theirs or field in case["edited"], "an empty value went out that nobody cleared"


@given(cases(), st.fixed_dictionaries(dict.fromkeys(FIELDS, MOMENTS)), MOMENTS)
@settings(max_examples=300, deadline=None)
def test_a_later_edit_here_is_never_replaced_where_the_newest_wins(
    case: dict[str, Any], edited: dict[str, datetime], theirs_at: datetime
) -> None:
    case["policies"] |= dict.fromkeys(FIELDS, "newest")
    merged = merge(**case | {"edited": edited, "theirs_at": theirs_at})
    for field, at in edited.items():
        changed = field in case["base"] and case["ours"][field] != case["base"][field]
        if at > theirs_at and changed:
            assert merged.values[field] == case["ours"][field]


@given(cases())
@settings(max_examples=300, deadline=None)
def test_turned_round_the_same_rules_decide_the_mirror_image(case: dict[str, Any]) -> None:
    """Both sides full, changed and of known moments: whoever is called ours, the same value stands at the end."""
    turn = {"quickbooks": "ours", "ours": "quickbooks"}
    for field in FIELDS:
        before, ours, theirs = case["base"].get(field), case["ours"][field], case["theirs"][field]
        at, there_at = case["edited"].get(field), case["theirs_at"]
        if not (before and ours and theirs and at and there_at):
            continue
        policy = case["policies"].get(field, "ask")
        one_way = one(before, ours, theirs, policies={"name": policy}, edited={"name": at}, theirs_at=there_at)
        other_way = one(
            before, theirs, ours, policies={"name": turn.get(policy, policy)}, edited={"name": there_at}, theirs_at=at
        )
        swap = {"taken": "sent", "sent": "taken"}
        assert outcome(other_way) == swap.get(outcome(one_way), outcome(one_way))


@given(cases())
@settings(max_examples=300, deadline=None)
def test_the_order_of_the_fields_does_not_matter(case: dict[str, Any]) -> None:
    turned = {name: dict(reversed(side.items())) if isinstance(side, dict) else side for name, side in case.items()}
    assert merge(**turned) == merge(**case)


def test_ours_that_won_is_not_taken_back_by_an_edit_of_another_field_there() -> None:
    early, later, latest = (datetime(2026, 11, 21, hour, tzinfo=UTC) for hour in (9, 10, 11))
    how = {"policies": {"phone": "newest"}, "edited": {"phone": later}}
    first = merge({"phone": "1"}, {"phone": "2"}, {"phone": "3"}, theirs_at=early, **how)  # type: ignore[arg-type]
    assert (first.sent, first.base) == (("phone",), {"phone": "3"})
    again = merge(first.base, {"phone": "2"}, {"phone": "3"}, theirs_at=latest, **how)  # type: ignore[arg-type]
    assert (again.sent, again.taken, again.asked) == (("phone",), (), {})
