"""When an entry of the schedule is late, what admins are told, and when it comes next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crm.domain.jobs import NOTHING, Entry, Facts, again_at, judge, span, too_soon, watch

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def entry(every: timedelta, meanwhile: str = "") -> Entry:
    return Entry("task", every, "Do it", "Because.", meanwhile)


OFTEN, SELDOM = entry(15 * SECOND, "It is missed."), entry(6 * HOUR)


def good(ago: timedelta, **values: object) -> Facts:
    at = NOW - ago
    facts = Facts(known_since=at, started_at=at, finished_at=at, good_at=at, outcome="done", runs=1)
    return replace(facts, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("every", "patience"),
    [
        (15 * SECOND, 5 * MINUTE), (100 * SECOND, 5 * MINUTE), (10 * MINUTE, 30 * MINUTE), (HOUR, 3 * HOUR),
        (3 * HOUR, 9 * HOUR), (6 * HOUR, 12 * HOUR), (24 * HOUR, 30 * HOUR),
    ],
)  # fmt: skip
def test_patience_is_three_intervals_and_at_least_five_minutes_but_never_days(
    every: timedelta, patience: timedelta
) -> None:
    assert entry(every).patience == patience
    assert judge("x", entry(every), good(patience), now=NOW).trouble == ""
    assert judge("x", entry(every), good(patience + SECOND), now=NOW).state == "late"


def test_what_nobody_knows_of_and_what_is_new_is_not_late() -> None:
    assert judge("x", OFTEN, NOTHING, now=NOW).state == "new"
    assert judge("x", OFTEN, Facts(known_since=NOW - 4 * MINUTE), now=NOW).state == "new"
    late = judge("x", OFTEN, Facts(known_since=NOW - 6 * MINUTE), now=NOW)
    assert (late.state, late.trouble) == ("late", "has not run in 6 minutes; it should every 15 seconds.")


def test_one_bad_end_is_no_trouble_and_a_row_of_them_is() -> None:
    bad = good(30 * SECOND, outcome="failed", failures=1, error="No.")
    assert (judge("x", OFTEN, bad, now=NOW).state, judge("x", OFTEN, bad, now=NOW).trouble) == ("failed", "")
    long = replace(bad, good_at=NOW - HOUR, failures=1234)
    assert judge("x", OFTEN, long, now=NOW).trouble == (
        "has not ended well for 1 hour: it failed 1,234 times in a row, the last ended with: No."
    )
    lost = replace(long, outcome="lost", failures=1)
    assert judge("x", OFTEN, lost, now=NOW).trouble.endswith("it failed once, the last lost its worker")
    silent = replace(long, started_at=NOW - HOUR)
    assert judge("x", OFTEN, silent, now=NOW).state == "late", "it does not even begin any more"


def test_a_run_under_way_is_in_no_trouble_until_it_takes_very_long() -> None:
    running = good(20 * HOUR, started_at=NOW - HOUR, lease_until=NOW + SECOND)
    assert (judge("x", SELDOM, running, now=NOW).state, judge("x", SELDOM, running, now=NOW).trouble) == ("running", "")
    for_days = replace(running, started_at=NOW - 13 * HOUR)
    assert judge("x", SELDOM, for_days, now=NOW).trouble == "has been running for 13 hours."
    assert judge("x", SELDOM, replace(running, lease_until=NOW), now=NOW).state == "late", "nobody keeps it alive"
    assert judge("x", SELDOM, replace(running, lease_until=NOW, good_at=NOW - HOUR), now=NOW).state == "lost"


def test_what_was_asked_for_in_vain_is_told() -> None:
    asked = good(MINUTE, asked_at=NOW - MINUTE)
    assert (judge("x", SELDOM, asked, now=NOW).state, judge("x", SELDOM, asked, now=NOW).trouble) == ("asked", "")
    assert "no worker has begun" in judge("x", SELDOM, replace(asked, asked_at=NOW - 3 * MINUTE), now=NOW).trouble


def test_a_pause_is_no_trouble_and_loud_only_where_it_matters() -> None:
    paused = good(9 * HOUR, paused_at=NOW - 8 * HOUR)
    loud, quiet = judge("x", OFTEN, paused, now=NOW), judge("x", SELDOM, paused, now=NOW)
    assert (loud.state, loud.trouble, loud.loud, loud.next_at) == ("paused", "", "It is missed.", None)
    assert (quiet.state, quiet.loud) == ("paused", "")


def test_the_next_run_is_an_interval_after_the_last_one_began() -> None:
    assert judge("x", SELDOM, good(2 * HOUR), now=NOW).next_at == NOW + 4 * HOUR
    overdue = judge("x", SELDOM, good(7 * HOUR), now=NOW)
    assert (overdue.next_at, overdue.due) == (NOW, True)


def test_a_heap_of_rings_is_answered_by_one_run() -> None:
    assert too_soon(OFTEN, good(7 * SECOND), NOW) and not too_soon(OFTEN, good(8 * SECOND), NOW)
    assert not too_soon(OFTEN, NOTHING, NOW)
    assert not too_soon(OFTEN, good(SECOND, asked_at=NOW), NOW), "a person asked after it"
    assert not too_soon(OFTEN, good(SECOND, lease_until=NOW), NOW), "that run died"
    assert not too_soon(OFTEN, good(-HOUR), NOW), "a clock that was set back stops nothing"


def test_what_rings_seldom_is_tried_again_soon_a_few_times() -> None:
    bad = good(MINUTE, outcome="failed", failures=3)
    assert again_at(SELDOM, bad) == NOW + 9 * MINUTE
    assert again_at(SELDOM, replace(bad, failures=4)) is None and again_at(OFTEN, bad) is None
    assert again_at(SELDOM, replace(bad, outcome="done")) is None
    assert not too_soon(SELDOM, replace(bad, started_at=NOW - 10 * MINUTE), NOW)
    assert judge("x", SELDOM, bad, now=NOW).next_at == NOW + 9 * MINUTE


ENTRIES = {"often": OFTEN, "seldom": SELDOM}


def test_nothing_at_all_is_one_sentence_and_no_list() -> None:
    stored = {"often": good(20 * MINUTE), "seldom": good(20 * HOUR)}
    found = watch(ENTRIES, stored, since=None, now=NOW)
    assert found.down.startswith("No scheduled work has begun for 20 minutes.")
    assert (found.sentences, found.waiting, found.well) == ([found.down], 1, False)


def test_one_that_ran_shows_that_the_scheduler_lives() -> None:
    found = watch(ENTRIES, {"often": good(MINUTE), "seldom": good(20 * HOUR)}, since=None, now=NOW)
    assert found.down == "" and found.sentences == ["“Do it” did not run in its time."] and found.waiting == 1
    assert watch(ENTRIES, {"often": good(MINUTE), "seldom": good(HOUR)}, since=None, now=NOW).well


def test_a_worker_at_work_for_long_is_not_taken_for_a_dead_scheduler() -> None:
    busy = {"often": good(HOUR), "seldom": good(HOUR, lease_until=NOW + MINUTE)}
    assert watch(ENTRIES, busy, since=None, now=NOW).down == ""


def test_an_installation_where_beat_never_ran_is_told_after_its_first_minutes() -> None:
    assert watch(ENTRIES, {}, since=None, now=NOW).well and watch(ENTRIES, {}, since=NOW - 4 * MINUTE, now=NOW).well
    found = watch(ENTRIES, {}, since=NOW - HOUR, now=NOW)
    assert found.down.startswith("No scheduled work has ever run here.") and not found.started


def test_where_all_is_paused_nothing_is_expected() -> None:
    stored = {key: good(HOUR, paused_at=NOW - HOUR) for key in ENTRIES}
    found = watch(ENTRIES, stored, since=None, now=NOW)
    assert found.down == "" and [one.key for one in found.paused] == ["often"] and found.waiting == 1


def test_rows_of_entries_that_are_gone_say_nothing() -> None:
    assert watch({"seldom": SELDOM}, {"seldom": good(HOUR), "old": good(99 * HOUR)}, since=None, now=NOW).well


@pytest.mark.parametrize(
    ("time", "words"),
    [(SECOND, "1 second"), (59 * SECOND, "59 seconds"), (90 * SECOND, "1 minute"), (HOUR, "1 hour"),
     (30 * HOUR, "30 hours"), (48 * HOUR, "2 days")],
)  # fmt: skip
def test_lengths_of_time_are_words(time: timedelta, words: str) -> None:
    assert span(time) == words
