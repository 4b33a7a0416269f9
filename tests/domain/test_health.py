"""The traffic light: every rule by itself, and which of several speaks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crm.domain.health import ORDER, RULES, Signs, judge

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AGES = {"young": NOW - timedelta(seconds=20), "old": NOW - timedelta(minutes=20), "late": NOW - timedelta(hours=2)}
WELL = Signs("connected", swept_at=AGES["old"], proof="equal")

CASES = [
    ({}, "green", "In step", "Every change on either side has reached the other."),
    ({"waiting": 2, "oldest_waiting": AGES["young"]}, "green", "In step", "2 are just going through"),
    ({"silent_since": AGES["late"]}, "green", "In step", "Every change"),
    ({"proof": "failed"}, "green", "In step", "Every change"),
    ({"read_only": True}, "green", "In step", "nothing is written there until an admin approves the first plan."),
    ({"run_live": True}, "amber", "Catching up", "An import"),
    ({"waiting": 1, "oldest_waiting": AGES["old"]}, "amber", "Catching up", "1 change is on the way to QuickBooks."),
    ({"incoming": 3, "oldest_incoming": AGES["old"]}, "amber", "Catching up", "3 changes from QuickBooks"),
    ({"paused": True}, "amber", "Something waits for you", "The sync is paused."),
    ({"parked": 1}, "amber", "Something waits for you", "1 change could not be sent and needs a decision."),
    ({"conflicts": 2}, "amber", "Something waits for you", "2 fields were changed on both sides."),
    ({"plans": 1}, "amber", "Something waits for you", "1 plan is ready"),
    ({"read_only": True, "waiting": 4, "oldest_waiting": AGES["late"]}, "amber", "Something waits for you",
     "4 changes of yours wait"),
    ({"proof": "different"}, "amber", "Something waits for you", "The last proof found differences"),
    ({"calls": "short"}, "amber", "Something waits for you", "will not last"),
    ({"calls": "used_up"}, "red", "Stopped", "are used up"),
    ({"imported": False, "swept_at": None}, "amber", "Something waits for you", "not been imported yet"),
    ({"state": "needs_reconnect", "reason": "Sign in again."}, "red", "Stopped", "Sign in again."),
    ({"waiting": 1, "oldest_waiting": AGES["late"]}, "red", "Stopped", "1 change should have gone"),
    ({"waiting": 1, "oldest_waiting": AGES["late"], "trouble": "QuickBooks is down."}, "red", "Stopped",
     "QuickBooks is down."),
    ({"incoming": 5, "oldest_incoming": AGES["late"]}, "red", "Stopped", "5 changes in QuickBooks should"),
    ({"swept_at": AGES["late"]}, "red", "Stopped", "has not been asked for its changes"),
]  # fmt: skip


@pytest.mark.parametrize(("signs", "light", "words", "sentence"), CASES)
def test_each_sign_gives_its_light_and_says_why(signs, light: str, words: str, sentence: str) -> None:
    found = judge(replace(WELL, **signs), now=NOW)
    assert (found.light, found.words) == (light, words)
    assert sentence in found.sentence


def test_no_rule_is_without_a_case() -> None:
    cases = [replace(WELL, **signs) for signs, *_ in CASES]
    assert [page for *_, test, _, page in RULES if not any(test(signs, NOW) for signs in cases)] == []


def test_the_gravest_rules_stand_in_front() -> None:
    lights = [ORDER.index(light) for light, *_ in RULES]
    assert lights == sorted(lights) and set(lights) == {0, 1, 2}


def test_the_gravest_speaks_and_every_reason_is_told() -> None:
    found = judge(replace(WELL, parked=2, conflicts=1, state="wrong_keys", silent_since=AGES["late"]), now=NOW)
    assert (found.light, found.words) == ("red", "Stopped")
    assert [reason.light for reason in found.reasons] == ["red", "amber", "amber", "green"]
    assert [reason.page for reason in found.reasons] == ["connection", "parked", "conflicts", "deliveries"]


def test_of_equals_the_first_of_the_table_speaks() -> None:
    found = judge(replace(WELL, run_live=True, parked=1), now=NOW)
    assert found.words == "Something waits for you"


def test_a_pause_stops_nothing_but_what_it_stands_for() -> None:
    found = judge(replace(WELL, paused=True, waiting=3, oldest_waiting=AGES["late"], swept_at=AGES["late"]), now=NOW)
    assert (found.light, [reason.page for reason in found.reasons]) == ("amber", ["settings"])


def test_a_slow_sweep_is_late_only_after_several_of_its_turns() -> None:
    assert judge(replace(WELL, swept_at=AGES["late"], sweep_minutes=60), now=NOW).light == "green"
    assert judge(replace(WELL, swept_at=AGES["late"], sweep_minutes=30), now=NOW).light == "red"
