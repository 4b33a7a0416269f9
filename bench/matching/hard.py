"""The hard cases written by hand, and what the matcher answers to them.

`hard_cases.json`: each case has records of the books and of the list, and for each customer the right answer: "same
<contact>", "doubtful <contact>" (a person is asked, with that contact among those shown) or "apart". `crowd` puts so
many more people of other names behind the line 816-555-0160; `frequency` is how many records hold each name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.matching.ours import identity
from bench.matching.records import Record
from crm.domain.identity import Identity, identity_keys
from crm.domain.matching import Decision, Outcome, decide, settle

CASES = Path(__file__).with_name("hard_cases.json")
CROWDED_LINE = "816-555-0160"
GIVEN = ("Aaron", "Brenda", "Carl", "Diane", "Eric", "Gloria", "Henry", "Joyce")
FAMILY = ("Abbot", "Bishop", "Chandler", "Draper", "Fuller")


def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(CASES.read_text(encoding="utf-8"))
    return found


def answers(case: dict[str, Any]) -> dict[str, str]:
    """Customer -> what the matcher says, in the words of the file; a right contact that is shown is named first."""
    books = [identity(Record(**row)) for row in case["books"]]
    ours = [identity(Record(**row)) for row in case["list"]] + crowd(case.get("crowd", 0))
    frequency: dict[str, int] = {}
    for key in (key for one in (*books, *ours) for key in identity_keys(one)):
        frequency[key] = frequency.get(key, 0) + 1
    if often := case.get("frequency"):
        frequency |= {key: often for key in frequency if key[0] in "nc"}
    decided = settle({one.key: decide(one, meeting(one, ours), frequency=frequency) for one in books})
    return {key: said(decision, case["answer"][key]) for key, decision in decided.items()}


def meeting(one: Identity, ours: list[Identity]) -> list[Identity]:
    keys = identity_keys(one)
    return [other for other in ours if not keys.isdisjoint(identity_keys(other))]


def said(decision: Decision, wanted: str) -> str:
    if decision.outcome is Outcome.SAME:
        return f"same {decision.chosen}"
    if decision.outcome is Outcome.APART:
        return "apart"
    shown = [scored.key for scored in decision.candidates if scored.outcome is not Outcome.APART]
    right = wanted.removeprefix("doubtful ")
    return f"doubtful {right if right in shown else ' '.join(shown)}"


def crowd(number: int) -> list[Identity]:
    """So many people of different names behind one line."""
    return [
        identity(Record(key=f"C{at}", name=f"{GIVEN[at % 8]} {FAMILY[at // 8]}", phone=f"{CROWDED_LINE} x{200 + at}"))
        for at in range(number)
    ]


def failed() -> list[str]:
    """One line for each case the matcher answers otherwise."""
    return [
        f"{case['case']}: {answers(case)} instead of {case['answer']}"
        for case in cases() if answers(case) != case["answer"]
    ]  # fmt: skip
