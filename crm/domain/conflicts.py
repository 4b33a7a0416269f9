"""The words of conflicts: their states, reasons and choices; the mark by which a page sees that one has moved."""

from __future__ import annotations

import hashlib
import re
from difflib import SequenceMatcher

from crm.domain.policies import OURS, QUICKBOOKS

STATES: dict[str, str] = {"open": "Open", "resolved": "Decided", "settled": "Settled by itself"}
REASONS: dict[str, str] = {
    "both_changed": "It was changed here and in QuickBooks.",
    "emptied": "It was emptied in QuickBooks; nobody can know whether that was meant.",
}
CHOICES: dict[str, str] = {"ours": "Kept ours", "theirs": "Took QuickBooks'", "edited": "Written by hand"}
RULES: dict[str, str] = {"ours": OURS, "theirs": QUICKBOOKS}
"""Choice -> the policy that makes it always so."""


_NUMBER = re.compile(r"[+(]?\d[\d\s().\-/]{5,}")


def is_number(text: str) -> bool:
    """Whether it is a phone number and nothing more, so that another notation of it says the same."""
    return _NUMBER.fullmatch(text) is not None


def mark_of(ours: str, theirs: str) -> str:
    """The same as long as both values are: a decision sends back the mark of what the person saw."""
    return hashlib.sha256(f"{ours}\n\x1f{theirs}".encode()).hexdigest()[:16]


def differing_parts(text: str, other: str) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether the other text has something else there; case makes no difference."""
    mine, theirs = (re.findall(r"\S+\s*", one) for one in (text, other))
    here, there = ([word.strip().casefold() for word in words] for words in (mine, theirs))
    pieces = SequenceMatcher(None, here, there, autojunk=False).get_opcodes()
    return [("".join(mine[start:end]), how != "equal") for how, start, end, _, _ in pieces if end > start]
