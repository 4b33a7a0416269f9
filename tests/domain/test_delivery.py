"""What a failed call leads to."""

from __future__ import annotations

import pytest

from crm.domain.delivery import LONGEST_DELAY, Next, delay, next_step
from crm.domain.errors import (
    InvalidValue,
    NeedsReconnect,
    PermissionLost,
    RateLimited,
    SubscriptionLapsed,
    Unavailable,
    UnexpectedAnswer,
    WrongKeys,
)


@pytest.mark.parametrize("error", [RateLimited("slow"), Unavailable("down")])
def test_trouble_that_passes_is_tried_again(error: Exception) -> None:
    assert next_step(error) is Next.LATER


@pytest.mark.parametrize("kind", [NeedsReconnect, PermissionLost, SubscriptionLapsed, WrongKeys])
def test_a_broken_connection_waits_for_a_person(kind: type) -> None:
    assert next_step(kind("gone")) is Next.PERSON


@pytest.mark.parametrize("kind", [UnexpectedAnswer, InvalidValue])
def test_what_the_table_does_not_know_ends_the_work(kind: type) -> None:
    assert next_step(kind("strange")) is Next.END


def test_delays_double_up_to_half_an_hour_and_spread_over_the_upper_half() -> None:
    assert [delay(tries, jitter=1.0) for tries in (1, 2, 3, 4)] == [15, 30, 60, 120]
    assert [delay(tries, jitter=0.0) for tries in (1, 2)] == [7.5, 15]
    assert delay(50, jitter=1.0) == LONGEST_DELAY


def test_the_provider_is_never_asked_sooner_than_it_said() -> None:
    assert delay(1, jitter=0.0, retry_after=300) == 300
