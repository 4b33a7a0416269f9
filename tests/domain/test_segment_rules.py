"""Rules of segments as people write them: read, kept, told, and refused with a sentence for each mistake."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given

from crm.domain.errors import Invalid
from crm.domain.segment_fields import FIELDS, OPS, SECTIONS
from crm.domain.segment_templates import TEMPLATES, months_around
from crm.domain.segments import Group, Period, Rule, leaves, read, words, write
from tests.queries.segment_worlds import examples, trees

TODAY = date(2026, 11, 21)


def rule(field: str, op: str, *values: str, **more: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "values": list(values), **more}


def problems(*parts: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(Invalid) as problem:
        read({"match": "all", "parts": list(parts)})
    return problem.value.fields


@examples(150)
@given(group=trees)
def test_what_is_written_is_read_again_as_it_was(group: Group) -> None:
    kept = read(write(group))
    assert write(kept) == write(read(write(kept)))
    assert [path for path, _ in leaves(kept)] == [path for path, _ in leaves(group)]
    assert all((one.field, one.op, one.period) == (other.field, other.op, other.period)
               for (_, one), (_, other) in zip(leaves(kept), leaves(group), strict=True))  # fmt: skip


def test_amounts_dates_and_ids_are_kept_in_one_spelling() -> None:
    group = read({"parts": [
        rule("balance", "between", "$1,000.50", "2000.00"), rule("created", "since", "20260102"),
        rule("tags", "has_any", "007", "7"), rule("quote_sent", "days_ago", "014"),
        rule("margin_percent", "less", "5.0%"),
    ]})  # fmt: skip
    assert [one.values for _, one in leaves(group)] == [
        ("1000.5", "2000"), ("2026-01-02",), ("7",), ("14",), ("5",)
    ]  # fmt: skip


def test_rules_are_told_in_a_sentence() -> None:
    group = read({"match": "all", "parts": [
        rule("balance", "more", "500"), rule("state", "one_of", "Kansas", "MO"),
        rule("sales", "less", "1000", period={"kind": "days", "days": "365"}),
        {"match": "none", "parts": [rule("tags", "has_all", "1", "2"), rule("owner", "one_of", "none")]},
        rule("distance", "within", "25", "mi", "66044", "66044 Lawrence, KS", "1", "2", "-3"), rule("held", "yes"),
    ]})  # fmt: skip
    assert words(group, {"tags": {"1": "VIP", "2": "Roof"}}) == (
        "Balance is more than $500.00 and State is Kansas or MO and Sales in the last 365 days is less than $1,000.00 "
        "and (None of: Tags include all of VIP and Roof; Owner is nobody) and Distance is within 25 miles of 66044 "
        "Lawrence, KS and Held from automation: yes"
    )


def test_a_group_without_rules_says_that_it_matches_nobody() -> None:
    assert words(read({})) == "No rules yet: this matches nobody"
    assert "matches nobody" in words(read({"parts": [rule("held", "no"), {"match": "none", "parts": []}]}))


@pytest.mark.parametrize(("wrong", "place", "says"), [
    ({"field": "shoe size", "op": "more"}, "0.field", "what the rule is about"),
    ({"field": ["balance"], "op": "more"}, "0.field", "what the rule is about"),
    (rule("balance", "contains", "5"), "0.op", "how Balance is compared"),
    (rule("balance", "more"), "0.value", "Balance: write a value"),
    (rule("balance", "more", "much"), "0.value", "“much” is not an amount"),
    (rule("balance", "more", "NaN"), "0.value", "not an amount"),
    (rule("balance", "more", "1e99"), "0.value", "not an amount"),
    (rule("balance", "more", "1.005"), "0.value", "two decimals at most"),
    (rule("invoices", "more", "1.5"), "0.value", "whole numbers only"),
    (rule("days_to_pay", "less", "1.25"), "0.value", "one decimal at most"),
    (rule("balance", "between", "5"), "0.value", "give both values"),
    (rule("balance", "between", "9", "5"), "0.value", "beyond the second"),
    (rule("created", "dates", "2026-02-01", "2026-01-01"), "0.value", "beyond the second"),
    (rule("created", "since", "yesterday"), "0.value", "write the date like 2026-11-21"),
    (rule("created", "last_days", "-5"), "0.value", "whole number from 0"),
    (rule("name", "contains", "!!!"), "0.value", "at least one letter or digit"),
    (rule("name", "contains", "x" * 201), "0.value", "200 letters at most"),
    (rule("type", "one_of", "friend"), "0.value", "choose from the list"),
    (rule("tags", "has_any", "none"), "0.value", "choose from the list"),
    (rule("tags", "has_any", *map(str, range(201))), "0.value", "200 values at most"),
    (rule("distance", "within", "25", "mi", "Nowhere"), "0.value", "no place is known for “Nowhere”"),
    (rule("distance", "within", "far", "mi", "a", "b", "1", "2", "3"), "0.value", "write a number"),
    (rule("distance", "within", "0", "mi", "a", "b", "1", "2", "3"), "0.value", "write a number"),
    (rule("distance", "within", "2", "feet", "a", "b", "1", "2", "3"), "0.value", "miles or km"),
    (rule("distance", "within", "2", "mi", "", "b", "1", "2", "3"), "0.value", "write the postal code or city"),
    (rule("sales", "more", "5", period={"kind": "days", "days": "0"}), "0.period", "whole number from 1"),
    (rule("sales", "more", "5", period={"kind": "dates"}), "0.period", "first or the last day"),
    (rule("sales", "more", "5", period={"kind": "dates", "since": "x"}), "0.period", "cannot be read"),
    (rule("sales", "more", "5", period={"kind": "dates", "since": "2026-02-01", "until": "2026-01-01"}), "0.period",
     "after its last"),
    (rule("sales", "more", "5", period={"kind": "soon"}), "0.period", "Choose a period"),
    ({"match": "some", "parts": []}, "0.match", "all, any or none"),
    ({"match": "all", "parts": "x"}, "0", "cannot be read"),
])  # fmt: skip
def test_what_cannot_be_read_is_told_at_its_place(wrong: dict[str, Any], place: str, says: str) -> None:
    assert says in problems(wrong)[place]


def test_every_mistake_is_told_at_once_by_its_path() -> None:
    found = problems(rule("balance", "more", "x"), {"match": "any", "parts": [rule("held", "yes"), rule("city", "is")]})
    assert sorted(found) == ["0.value", "1.1.op"]


def test_depth_and_number_of_rules_have_an_end() -> None:
    deep: dict[str, Any] = {"match": "all", "parts": [rule("held", "yes")]}
    for _ in range(3):
        deep = {"match": "all", "parts": [deep]}
    assert leaves(read(deep))
    assert "4 deep at most" in problems(deep)["0.0.0.0"]
    assert "40 rules at most" in problems(*[rule("held", "yes")] * 41)["rules"]
    half = {"match": "any", "parts": [rule("held", "yes")] * 21}
    assert "40 rules at most" in problems(half, half)["rules"]


@pytest.mark.parametrize(("period", "first", "last"), [
    (Period(), None, None),
    (Period("days", days=30), date(2026, 10, 22), TODAY),
    (Period("this_month"), date(2026, 11, 1), date(2026, 11, 30)),
    (Period("last_month"), date(2026, 10, 1), date(2026, 10, 31)),
    (Period("this_quarter"), date(2026, 10, 1), date(2026, 12, 31)),
    (Period("last_quarter"), date(2026, 7, 1), date(2026, 9, 30)),
    (Period("this_year"), date(2026, 1, 1), date(2026, 12, 31)),
    (Period("last_year"), date(2025, 1, 1), date(2025, 12, 31)),
    (Period("dates", since=date(2026, 1, 5)), date(2026, 1, 5), None),
])  # fmt: skip
def test_periods_include_their_first_and_last_day(period: Period, first: date | None, last: date | None) -> None:
    assert period.bounds(TODAY) == (first, last)


def test_months_and_quarters_before_the_first_of_a_year_are_those_of_the_year_before() -> None:
    january = date(2026, 1, 31)
    assert Period("last_month").bounds(january) == (date(2025, 12, 1), date(2025, 12, 31))
    assert Period("last_quarter").bounds(january) == (date(2025, 10, 1), date(2025, 12, 31))
    assert Period("this_month").bounds(date(2024, 2, 3))[1] == date(2024, 2, 29)


def test_every_field_stands_in_a_section_with_known_operators_and_a_help() -> None:
    for field in FIELDS.values():
        assert field.section in SECTIONS
        assert set(field.ops) <= set(OPS)
        assert field.help.endswith(".")
        assert field.type != "choice" or field.choices or field.options


@pytest.mark.parametrize("key", TEMPLATES)
def test_a_ready_made_segment_has_rules_that_can_be_kept_and_told(key: str) -> None:
    group = TEMPLATES[key].rules({})
    assert read(write(group)) == group
    assert leaves(group)
    assert "gone" not in words(group)


def test_a_number_of_a_ready_made_segment_is_set_or_refused_under_its_name() -> None:
    assert leaves(TEMPLATES["high_value"].rules({"amount": "$7,500"}))[0][1].values == ("7500",)
    with pytest.raises(Invalid) as problem:
        TEMPLATES["overdue"].rules({"days": "many", "amount": "x"})
    assert sorted(problem.value.fields) == ["amount", "days"]
    with pytest.raises(Invalid) as problem:
        TEMPLATES["seasonal"].rules({"months": "9, 13"})
    assert "1 to 12" in problem.value.fields["months"]
    assert months_around(TODAY) == "11,12,1"


def test_a_rule_of_one_group_has_the_path_of_its_places() -> None:
    group = Group("all", (Rule("held", "yes"), Group("any", (Group("none"), Rule("held", "no")))))
    assert [path for path, _ in leaves(group)] == ["0", "1.1"]
