"""Calls of a run are spread so that QuickBooks' limit is not met."""

from __future__ import annotations

from crm.services.sync.fetch import MOST_CALLS, Pace


class Time:
    def __init__(self) -> None:
        self.at = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


def test_no_second_sees_more_than_eight_calls() -> None:
    time, made = Time(), []
    pace = Pace(sleep=time.sleep, monotonic=lambda: time.at)
    for _ in range(50):
        pace.wait()
        made.append(time.at)
        time.at += 0.03
    assert all(later - first >= 0.999 for first, later in zip(made, made[MOST_CALLS:], strict=False))
    assert len(time.slept) == 6


def test_slow_calls_are_not_slowed_further() -> None:
    time = Time()
    pace = Pace(sleep=time.sleep, monotonic=lambda: time.at)
    for _ in range(50):
        pace.wait()
        time.at += 0.2
    assert time.slept == []
