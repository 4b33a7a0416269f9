"""How often one company may be called: windows that slide, and what is left in them for whom.

QuickBooks refuses more than 10 requests in a second, 500 in a minute and 40 batches in a minute of one company, and
asks for a minute's rest then (its limits page of 2025). Background work keeps below that, so that a read somebody
waits for finds a place at once. Pure: `services/throttle` keeps the moments and asks.

When between admission and answer QuickBooks counts a call nobody here knows. So it counts as one of the moment it was
answered, and until then as one of ARRIVAL seconds after its admission; so does one whose process died. As long as a
request takes no longer than ARRIVAL to get there, no window is ever exceeded, whatever the latency.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

ARRIVAL = 2.0
"""Seconds after its admission by which a call has reached the company, answered or not."""
KEPT = 120.0
"""Seconds after which a call is forgotten; longer than every window."""
WRONG_CLOCK = 10.0
"""A call further in the future than this was written by a clock that has been set back since: it does not count."""
PATIENCE = 90.0
"""Seconds background work waits for a place; what must wait longer comes back later."""
URGENT_PATIENCE = 20.0
"""The same where a person waits."""
REST = 60
"""Seconds nobody calls a company that said it is too much, unless it named a time."""


@dataclass(frozen=True, slots=True)
class Window:
    seconds: float
    most: int
    """Calls in any span of that many seconds."""
    background: int
    """Of these, how many background work may bring it to."""
    batches: bool = False
    """Only batches count, and only they are held back."""

    def limit(self, *, urgent: bool) -> int:
        return self.most if urgent else self.background


WINDOWS = (Window(1.0, 10, 8), Window(60.0, 500, 450), Window(60.0, 40, 38, batches=True))


def windows(*, batch: bool) -> Sequence[Window]:
    """Those that a call of this sort must find a place in."""
    return [window for window in WINDOWS if batch or not window.batches]


def pause(now: float, nth_newest: Callable[[Window, int], float | None], *, batch: bool, urgent: bool) -> float:
    """Seconds until there is a place in every window, 0 when there is one now.

    `nth_newest(window, n)` is the moment of the n-th newest call that counts there, None when there are fewer: a window
    of n has a place again once that call has left it.
    """
    longest = 0.0
    for window in windows(batch=batch):
        last = nth_newest(window, window.limit(urgent=urgent))
        if last is not None:
            longest = max(longest, last + window.seconds - now)
    return longest
