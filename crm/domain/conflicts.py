"""The words of conflicts: their states, reasons and choices, and the mark by which a page sees that one has moved."""

from __future__ import annotations

import hashlib

from crm.domain.policies import OURS, QUICKBOOKS

STATES: dict[str, str] = {"open": "Open", "resolved": "Decided", "settled": "Settled by itself"}
REASONS: dict[str, str] = {
    "both_changed": "It was changed here and in QuickBooks.",
    "emptied": "It was emptied in QuickBooks; nobody can know whether that was meant.",
}
CHOICES: dict[str, str] = {"ours": "Kept ours", "theirs": "Took QuickBooks'", "edited": "Written by hand"}
RULES: dict[str, str] = {"ours": OURS, "theirs": QUICKBOOKS}
"""Choice -> the policy that makes it always so."""


def mark_of(ours: str, theirs: str) -> str:
    """The same as long as both values are: a decision sends back the mark of what the person saw."""
    return hashlib.sha256(f"{ours}\n\x1f{theirs}".encode()).hexdigest()[:16]
