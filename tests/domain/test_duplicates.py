"""The decision whether two records of one book are one."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.domain import duplicates
from crm.domain.evidence import COMMON, CROWDED, OWN
from crm.domain.identity import Identity, identity_keys
from crm.domain.matching import RULES, Outcome
from tests.domain.test_matching import ADDRESSES, BOOKS, EMAILS, LINE, NAMES, OAK, OTHER_LINE, PHONES, record

FAR_MAIL = "somebody@far.example"


def judged(one: Identity, other: Identity, **how):
    return duplicates.judge(one, other, frequency=how.pop("frequency", {}), **how)


def test_one_person_typed_twice_is_the_same_with_the_evidence_in_words():
    found = judged(record("1", "Bob Smith", LINE, "bob@smith.example"), record("2", "Smith, Robert", "(650) 555-1234"))
    assert (found.outcome, found.rule) == (Outcome.SAME, "name_and_contact")
    assert "phone +1 650 555 1234 is the same" in [one.text for one in found.evidence]


@pytest.mark.parametrize(("one", "other"), [
    ("Bob Smith", "Amy Smith"), ("John Smith Sr.", "John Smith Jr."), ("Carl Jones", "Mary Lee"),
    ("Acme Plumbing LLC", "Zenith Roofing LLC"),
])  # fmt: skip
def test_two_people_who_share_a_line_are_two(one, other):
    found = judged(record("1", one, LINE), record("2", other, LINE))
    assert (found.outcome, found.rule) == (Outcome.APART, "two_people")


def test_two_names_on_the_same_phone_and_the_same_email_are_left_to_a_person():
    found = judged(record("1", "Maria Keller", LINE, "mk@home.example"),
                   record("2", "Maria Huber", LINE, "mk@home.example"))  # fmt: skip
    assert (found.outcome, found.rule) == (Outcome.DOUBTFUL, "other_name")


def test_jobs_of_one_customer_and_their_parent_are_never_duplicates_however_alike():
    one, other = record("1", "Bob Smith", LINE, "b@x.example", OAK), record("2", "Bob Smith", LINE, "b@x.example", OAK)
    assert judged(one, other).outcome is Outcome.SAME
    found = judged(one, other, one_tree=True)
    assert (found.outcome, found.rule) == (Outcome.APART, "one_tree")


def test_a_line_of_a_crowd_is_weak_and_brings_nobody_together():
    one, other = record("1", "J. Smith", LINE), record("2", "John Smith", LINE)
    assert judged(one, other).outcome is Outcome.DOUBTFUL
    crowd = {"p:+16505551234": 51}
    assert not duplicates.meet(identity_keys(one) & identity_keys(other), crowd)
    assert judged(one, other, frequency=crowd).score < judged(one, other).score


def test_contradicting_phone_and_email_keep_one_name_at_one_address_doubtful():
    one = record("1", "Amy Fox", LINE, "amy@x.example", OAK)
    assert judged(one, record("2", "Amy Fox", OTHER_LINE, "amy@x.example", OAK)).outcome is Outcome.SAME
    assert judged(one, record("2", "Amy Fox", OTHER_LINE, FAR_MAIL, OAK)).outcome is Outcome.DOUBTFUL
    common = dict.fromkeys(identity_keys(one), COMMON)
    assert judged(one, record("2", "Amy Fox", OTHER_LINE, FAR_MAIL), frequency=common).outcome is Outcome.APART


def test_every_rule_can_be_said_in_words():
    assert {rule.name for rule in RULES} | {"one_tree", "two_people"} <= set(duplicates.RULE_TEXTS)


@given(st.tuples(NAMES, PHONES, EMAILS, ADDRESSES), st.tuples(NAMES, PHONES, EMAILS, ADDRESSES))
@settings(max_examples=300, deadline=None)
def test_a_pair_is_judged_alike_from_both_sides_in_every_word(one, other):
    there = judged(record("1", *one), record("2", *other))
    back = judged(record("2", *other), record("1", *one))
    assert there._replace(key="") == back._replace(key="")


@given(st.tuples(NAMES, PHONES, EMAILS, ADDRESSES), st.tuples(NAMES, PHONES, EMAILS, ADDRESSES),
       st.sampled_from("peacn"), st.integers(2, 60))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_as_long_as_the_grade_of_a_key_stands_one_more_holder_changes_no_decision(one, other, sort, holders):
    ones, others = record("1", *one), record("2", *other)
    shared = sorted(key for key in identity_keys(ones) & identity_keys(others) if key[0] == sort)
    if not shared or any(duplicates.grade(key, holders) != duplicates.grade(key, holders + 1) for key in shared):
        return
    fewer, more = (dict.fromkeys(shared, number) for number in (holders, holders + 1))
    before, after = judged(ones, others, frequency=fewer), judged(ones, others, frequency=more)
    assert (before.outcome, before.rule, before.score) == (after.outcome, after.rule, after.score)
    assert duplicates.meet(shared, fewer) == duplicates.meet(shared, more)


def test_the_grade_moves_where_evidence_and_search_begin_to_count_otherwise():
    def steps(key: str) -> list[int]:
        return [n for n in range(1, 60) if duplicates.grade(key, n) != duplicates.grade(key, n + 1)]

    assert steps("p:+1") == [2, OWN, CROWDED, 50]
    assert {COMMON - 1, 10} <= set(steps("n:a b"))


def all_pairs(people: list[Identity]) -> dict[tuple[str, str], tuple[Outcome, str, int]]:
    keys = {one.key: identity_keys(one) for one in people}
    frequency = Counter(key for own in keys.values() for key in own)
    found = {}
    for place, one in enumerate(people):
        for other in people[place + 1 :]:
            if duplicates.meet(keys[one.key] & keys[other.key], frequency):
                scored = judged(one, other, frequency=frequency)
                first, second = sorted((one.key, other.key))
                found[first, second] = (scored.outcome, scored.rule, scored.score)
    return found


@given(BOOKS, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_decisions_do_not_depend_on_the_order_of_arrival(rows, chance: random.Random):
    people = [record(str(number), *row) for number, row in enumerate(rows)]
    shuffled = list(people)
    chance.shuffle(shuffled)
    assert all_pairs(people) == all_pairs(shuffled)
