"""The cases of matching that people get wrong, each with its right answer, through the whole decision."""

import pytest

from bench.matching import hard

CASES = hard.cases()


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_the_hard_case_is_answered_as_a_careful_person_would(case):
    assert hard.answers(case) == case["answer"]


def test_the_answer_does_not_depend_on_which_record_came_first():
    for case in CASES:
        turned = case | {"books": case["books"][::-1], "list": case["list"][::-1]}
        assert hard.answers(turned) == hard.answers(case), case["case"]


def test_no_hard_case_stands_in_the_file_twice():
    told = [case["case"] for case in CASES]
    assert len(set(told)) == len(told) >= 30
