"""How decisions of people change what a reason counts: bounded, smoothed, and told in words.

A reason counts more when the pairs that had it turned out the same more often than decided pairs do on the whole, and
less when more seldom. Nothing moves before LEAST decisions, nothing by more than BOUND of its points, so no reason
ever changes its side. The figures are counts alone: no order, no time, no hidden state. Pure; `services/match_learning`
counts and keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from crm.domain.evidence import POINTS

BOUND = Fraction(1, 4)
"""Of a reason's usual points, up or down."""
LEAST = 20
"""Decided pairs with the reason, below which nothing is learned from them."""
SMOOTHING = 10
"""Decisions like the average that every reason begins with, so that the first ones do not jump."""
WHOLE = Fraction(1, 2)
"""A share that differs so far from the average moves the points to their bound."""


class Count(NamedTuple):
    """Decided pairs, and how many of them were the same."""

    same: int = 0
    of: int = 0


class Learned(NamedTuple):
    """What was learned about one reason. `usual` and `now` are points; `why` a sentence."""

    reason: str
    usual: int
    now: int
    bound: int
    pairs: Count
    why: str


def change(reason: str, count: Count, total: Count) -> int:
    """Points added to the reason's usual ones. `total`: all decided pairs, those with the reason among them."""
    if count.of < LEAST:
        return 0
    ahead = (count.same - count.of * Fraction(total.same, total.of)) / (count.of + SMOOTHING)
    pull = max(Fraction(-1), min(Fraction(1), ahead / WHOLE))
    return int(bound(reason) * pull)


def bound(reason: str) -> int:
    """The most that may be learned about it, in points."""
    return int(abs(POINTS[reason]) * BOUND)


def weights(counts: Mapping[str, Count], total: Count) -> dict[str, int]:
    """Reason -> points added, without those that stay as they are. Reasons nobody knows any more are left out."""
    found = {reason: change(reason, counts[reason], total) for reason in POINTS if reason in counts}
    return {reason: points for reason, points in found.items() if points}


def explained(counts: Mapping[str, Count], total: Count, kept: Mapping[str, int]) -> list[Learned]:
    """Every reason with its points as they count now (`kept`: what the version in force adds) and why."""
    return [_explained(reason, counts.get(reason, Count()), total, kept.get(reason, 0)) for reason in POINTS]


def _explained(reason: str, count: Count, total: Count, added: int) -> Learned:
    usual = POINTS[reason]
    pairs = f"{count.same:,} of {count.of:,} decided pairs with it were the same"
    if not count.of:
        why = "no decided pair had it yet"
    elif count.of < LEAST:
        why = f"{pairs}; nothing is learned below {LEAST}"
    else:
        why = f"{pairs}, on the whole {round(100 * total.same / total.of)} in 100"
    if added:
        why = f"was {usual}, now {usual + added}, because {why}"
    return Learned(reason, usual, usual + added, bound(reason), count, why)
