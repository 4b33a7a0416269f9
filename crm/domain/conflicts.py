"""The words of conflicts: their states, reasons and choices; the mark by which a page sees that one has moved."""

from __future__ import annotations

import hashlib
import re
from difflib import SequenceMatcher

from crm.domain.policies import OURS, QUICKBOOKS
from crm.domain.product_values import ACCOUNTS

STATES: dict[str, str] = {"open": "Open", "resolved": "Decided", "settled": "Settled by itself"}
REASONS: dict[str, str] = {
    "both_changed": "It was changed here and in QuickBooks.",
    "emptied": "It was emptied in QuickBooks; nobody can know whether that was meant.",
}
CHOICES: dict[str, str] = {"ours": "Kept ours", "theirs": "Took QuickBooks'", "edited": "Written by hand"}
RULES: dict[str, str] = {"ours": OURS, "theirs": QUICKBOOKS}
"""Choice -> the policy that makes it always so."""
OBJECTS: dict[str, tuple[str, str, str]] = {
    "customer": ("Contact", "contacts.show", "contact_id"), "item": ("Product", "products.show", "product_id"),
    "estimate": ("Quote", "quotes.show", "document_id"), "invoice": ("Invoice", "invoices.show", "document_id"),
    "vendor": ("Vendor", "vendors.show", "vendor_id"), "bill": ("Bill", "bills.show", "bill_id"),
}  # fmt: skip
"""Kind -> what our object is called, the page it is shown on, and the argument of that page's address."""

NOT_BY_HAND: dict[str, frozenset[str]] = {
    "customer": frozenset(), "item": frozenset({"active", "taxable", *ACCOUNTS}), "vendor": frozenset({"terms"}),
    "bill": frozenset({"vendor", "lines"}),
}  # fmt: skip
"""Kind -> fields of which one side is chosen. Of kinds left out, every field: their own page edits them."""
DAYS = frozenset({"date", "due_date", "expires_on", "accepted_on"})
SUMS = frozenset({"price", "cost", "deposit"})
"""Fields whose text is an ISO day, and those whose text is a bare amount of the company's currency."""

_NUMBER = re.compile(r"[+(]?\d[\d\s().\-/]{5,}")


def by_hand(kind: str, field: str) -> bool:
    """Whether a person may write a value of their own for it at the desk."""
    return kind in NOT_BY_HAND and field not in NOT_BY_HAND[kind]


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
