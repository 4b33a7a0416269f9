"""The sync badge of a contact, product or document: one word, its tone and a sentence, from what stands about it. Pure.

The rules are a table; the first that applies gives the badge. A reason to look comes before one to wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one of them. Lists know of its link only what `link_state` says."""

    link_state: str = "none"
    """As `Contact.link_state`: none, linked, review or inactive."""
    gone: bool = False
    """Deleted in the books."""
    entry: str = ""
    """State of its open entry in the outbox; a parked one speaks before a waiting one. Empty: none."""
    entry_id: int | None = None
    error: str = ""
    """What the entry waits for, in a sentence."""
    conflicts: int = 0
    read_only: bool = False
    """Its company's books may not be written to yet."""
    live: bool = True
    """Whether the connection works."""
    thing: str = "contact"
    """What it is called here, and there."""
    there: str = "customer"


@dataclass(frozen=True, slots=True)
class Badge:
    words: str
    tone: str
    sentence: str
    moving: bool = False
    """Whether it will change by itself soon."""


Rule = tuple[Callable[[Standing], bool], str, str, Callable[[Standing], str], bool]

#: When, word, tone, sentence, whether it changes by itself soon.
RULES: tuple[Rule, ...] = (
    (lambda s: s.conflicts > 0, "Conflict", "bad",
     lambda s: "Changed on both sides: somebody has to choose which counts.", False),
    (lambda s: s.entry == "parked", "Parked", "bad",
     lambda s: s.error or "A change could not be sent to QuickBooks.", False),
    (lambda s: s.entry == "frozen", "On the way", "info", lambda s: "A change is on its way to QuickBooks.", True),
    (lambda s: s.entry == "pending" and s.read_only, "Waiting to be sent", "info",
     lambda s: "A change waits: nothing is written to QuickBooks before a first plan was approved.", False),
    (lambda s: s.entry == "pending" and not s.live, "Waiting to be sent", "info",
     lambda s: "A change waits until the connection to QuickBooks works again.", False),
    (lambda s: s.entry == "pending", "Waiting to be sent", "info",
     lambda s: s.error or "A change waits to be sent to QuickBooks.", True),
    (lambda s: s.entry == "skipped", "Skipped", "off",
     lambda s: "A change is kept back: somebody skipped sending it.", False),
    (lambda s: s.gone, "Gone in QuickBooks", "bad",
     lambda s: f"The {s.there} was deleted in QuickBooks, or merged into another one.", False),
    (lambda s: s.link_state == "inactive", "Inactive in QuickBooks", "off",
     lambda s: f"The {s.there} is inactive in QuickBooks.", False),
    (lambda s: s.link_state == "review", "To review", "warn",
     lambda s: f"QuickBooks may know this {s.thing}: a match waits for a decision.", False),
    (lambda s: s.link_state == "none", "Not in QuickBooks", "off",
     lambda s: f"This {s.thing} is not linked to {_a(s.there)} in QuickBooks.", False),
    (lambda s: not s.live, "Not in step", "warn",
     lambda s: "The connection to QuickBooks does not work; changes there are not read.", False),
    (lambda s: True, "In step", "ok", lambda s: "QuickBooks and Tradebook hold what they last agreed on.", False),
)  # fmt: skip


def _a(noun: str) -> str:
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def badge_of(standing: Standing) -> Badge:
    for applies, words, tone, sentence, moving in RULES:
        if applies(standing):
            return Badge(words, tone, sentence(standing), moving)
    raise AssertionError("the last rule always applies")
