"""Which way a kind goes between here and the books, and in which intervals changes are asked for.

Asked by the sync settings, which keep what a company chose, and by pages. Pure tables.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from crm.domain.runs import RESOURCES

OFF, IN, OUT, BOTH = "off", "in", "out", "both"
EVERYTHING = "*"
"""Instead of a kind: the connection as a whole."""


@dataclass(frozen=True, slots=True)
class Direction:
    title: str
    sentence: str
    comes_in: bool
    goes_out: bool


DIRECTIONS: dict[str, Direction] = {
    BOTH: Direction("Both ways", "Changes there come here, changes here go there.", True, True),
    IN: Direction("From QuickBooks only", "Changes there come here; nothing is written there.", True, False),
    OUT: Direction("To QuickBooks only", "Changes here go there; what changes there is not taken over.", False, True),
    OFF: Direction("Off", "Nothing is read and nothing is written; what came in stays.", False, False),
}
OUTGOING = ("customer", "item", "estimate", "invoice", "payment", "vendor", "bill")
"""Kinds we can write so far."""
DEFAULTS: dict[str, str] = {kind: BOTH if kind in OUTGOING else IN for kind in RESOURCES}

SWEEP_MINUTES = 15
LEAST_MINUTES, MOST_MINUTES = 5, 24 * 60


def choices(kind: str, push_kinds: Collection[str]) -> tuple[str, ...]:
    """The directions a kind may have with a provider that can write `push_kinds`."""
    writable = kind in OUTGOING and kind in push_kinds
    return tuple(name for name, way in DIRECTIONS.items() if writable or not way.goes_out)


def default(kind: str) -> str:
    """What counts where nobody chose: `off` for a kind that is not kept in step at all."""
    return BOTH if kind == EVERYTHING else DEFAULTS.get(kind, OFF)
