"""Numbers of documents: who gives them, what comes next, how long they may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.domain.errors import Invalid
from crm.domain.numbers import (
    AUTO_GENERATE,
    RULES,
    NumberRule,
    Parsed,
    collision,
    default,
    fitting,
    following,
    parse,
    problems,
    take,
    to_send,
)
from tests.domain.sales_values import examples

OURS = NumberRule("ours", "Q-", 7, 4)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [("INV-0042", Parsed("INV-", 42, 4)), ("1037", Parsed("", 1037, 4)), (" 2026-7 ", Parsed("2026-", 7, 1)),
     ("A1B", None), ("", None), ("Q", None), ("٣", None)],
)  # fmt: skip
def test_a_number_is_a_prefix_and_a_counter(text: str, parsed: Parsed | None) -> None:
    assert parse(text) == parsed


@examples(100)
@given(st.text("AB-/ ", max_size=5).map(str.strip), st.integers(0, 10**9), st.integers(1, 6))
def test_what_is_taken_is_read_back_and_the_next_follows(prefix: str, counter: int, digits: int) -> None:
    rule = NumberRule("ours", prefix, counter, digits)
    text, after = take(rule)
    found = parse(text)
    assert found is not None and (found.prefix, found.counter) == (prefix, counter) and found.digits >= digits
    assert after == counter + 1 == following([text], rule)
    assert not problems(rule, custom_numbers=True)


def test_numbers_that_stand_already_are_passed_over() -> None:
    assert take(OURS) == ("Q-0007", 8)
    assert take(OURS, taken=("q-0007", " Q-0008", "Q-0010")) == ("Q-0009", 10)


def test_the_counter_goes_on_after_the_highest_of_its_own_prefix() -> None:
    assert following(["Q-0041", "Q-9", "INV-0900", "none"], OURS) == 42
    assert following([], OURS) == 7


def test_a_number_has_twenty_one_characters_at_most() -> None:
    assert take(NumberRule("ours", "x" * 17, 9999))[0] == "x" * 17 + "9999"
    with pytest.raises(Invalid, match=r"22 characters; QuickBooks keeps 21"):
        take(NumberRule("ours", "x" * 17, 10000))
    assert "prefix" in problems(NumberRule("ours", "x" * 18, 1), custom_numbers=True)


def test_only_a_counter_of_ours_gives_numbers() -> None:
    with pytest.raises(ValueError, match="counter of ours"):
        take(NumberRule("books"))


def test_what_is_sent_as_the_number() -> None:
    assert to_send(NumberRule("books"), "") is None
    assert to_send(NumberRule("auto"), " ") == AUTO_GENERATE
    assert to_send(OURS, "Q-0007") == to_send(NumberRule("auto"), " Q-0007 ") == "Q-0007"


def test_the_rule_fits_what_is_switched_on_there() -> None:
    assert fitting(True) == ("ours", "auto") and fitting(False) == ("books",) and fitting(None) == tuple(RULES)
    assert (default(True), default(False), default(None)) == ("ours", "books", "books")
    assert "switched off" in problems(OURS, custom_numbers=False)["rule"]
    assert "switched on" in problems(NumberRule("books"), custom_numbers=True)["rule"]
    assert not problems(NumberRule("books"), custom_numbers=False) and not problems(OURS, custom_numbers=None)


@pytest.mark.parametrize(
    ("rule", "field"),
    [(NumberRule("dice"), "rule"), (NumberRule("ours", " Q"), "prefix"), (NumberRule("ours", "Q\n"), "prefix"),
     (NumberRule("ours", "Q9"), "prefix"), (NumberRule("ours", next=-1), "next"),
     (NumberRule("ours", digits=0), "digits"), (NumberRule("ours", digits=13), "digits")],
)  # fmt: skip
def test_a_rule_that_cannot_work_is_refused(rule: NumberRule, field: str) -> None:
    assert set(problems(rule, custom_numbers=None)) == {field}


def test_a_collision_names_both_ways_out() -> None:
    sentence = collision("invoice", "1037", other="Amy's Bird Sanctuary", suggestion="1038")
    assert "1037 already (Amy's Bird Sanctuary)" in sentence and "link them" in sentence and "1038" in sentence
    assert "()" not in collision("invoice", "1", other="", suggestion="2")
