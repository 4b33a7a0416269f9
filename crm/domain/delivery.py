"""What happens after a failed call: later, a person, or the end. A table by class of error, closed by default.

Asked by every runner that speaks to a provider. Pure: the jitter is an argument. It changes nothing and waits for
nothing.
"""

from __future__ import annotations

from enum import StrEnum

from crm.domain.errors import (
    AccessExpired,
    NeedsReconnect,
    PermissionLost,
    ProviderError,
    RateLimited,
    SubscriptionLapsed,
    Unavailable,
    WrongKeys,
)


class Next(StrEnum):
    LATER = "later"
    PERSON = "person"
    """Nothing will change by itself: wait untouched until the connection is mended."""
    END = "end"


STEPS: dict[type[ProviderError], Next] = {
    RateLimited: Next.LATER,
    Unavailable: Next.LATER,
    AccessExpired: Next.LATER,
    NeedsReconnect: Next.PERSON,
    PermissionLost: Next.PERSON,
    SubscriptionLapsed: Next.PERSON,
    WrongKeys: Next.PERSON,
}
FIRST_DELAY = 15
LONGEST_DELAY = 30 * 60
MOST_TRIES = 12
"""Then a person should look: about four hours of trouble."""


def next_step(error: ProviderError) -> Next:
    """By the most special class the table knows; anything it does not know ends the work with its evidence."""
    return next((STEPS[kind] for kind in type(error).__mro__ if kind in STEPS), Next.END)


def delay(tries: int, *, jitter: float, retry_after: int | None = None) -> float:
    """Seconds to wait after the `tries`-th failure in a row (from 1): doubling from 15 s to half an hour.

    `jitter` from 0 to 1 spreads workers over the upper half of the span. Never less than the provider asked for.
    """
    span = min(FIRST_DELAY * 2 ** min(max(tries, 1) - 1, 20), LONGEST_DELAY)
    return max(span / 2 + jitter * span / 2, float(retry_after or 0))
