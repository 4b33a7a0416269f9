"""The outbox in words for people: its tabs, what an entry does, what caused it, and its fields old -> new. Pure."""

from __future__ import annotations

from collections.abc import Mapping

TABS: dict[str, tuple[str, tuple[str, ...]]] = {
    "waiting": ("Waiting", ("pending",)),
    "sending": ("On the way", ("frozen",)),
    "parked": ("Parked", ("parked",)),
    "skipped": ("Skipped", ("skipped",)),
    "done": ("Done", ("done", "dropped")),
}
"""Tab -> its word and the states in it."""

OPENED = ("waiting", "sending", "parked", "skipped")
"""Tabs in the order in which the first that holds something is opened."""

STANDING: dict[str, tuple[str, str]] = {
    "parked": ("is parked and needs you", "are parked and need you"),
    "skipped": ("is skipped", "are skipped"),
}
"""Tab of what does not go out by itself -> what is said of one and of many."""

STATES: dict[str, tuple[str, str]] = {
    "pending": ("Waiting", "info"),
    "frozen": ("On the way", "info"),
    "parked": ("Parked", "bad"),
    "skipped": ("Skipped", "off"),
    "done": ("Done", "ok"),
    "dropped": ("Nothing to send", "off"),
}
"""State -> its word and tone."""

OPERATIONS: dict[str, tuple[str, str]] = {
    "create": ("Create", "Created"),
    "update": ("Update", "Updated"),
    "deactivate": ("Make inactive", "Made inactive"),
    "reactivate": ("Make active again", "Made active again"),
    "delete": ("Delete", "Deleted"),
    "void": ("Void", "Voided"),
}
"""Operation -> what is to be done, and that it was."""

TRIGGERS: dict[str, str] = {
    "change": "A change here",
    "plan": "A plan",
    "conflict": "A decided conflict",
    "undo": "An undo",
    "person": "Asked for by hand",
}

BEHIND: dict[str, tuple[str, str]] = {
    "customer": ("customer", "customers"),
    "item": ("product", "products"),
    "invoice": ("invoice", "invoices"),
    "payment": ("payment", "payments"),
    "credit_memo": ("credit memo", "credit memos"),
    "estimate": ("quote", "quotes"),
    "vendor": ("vendor", "vendors"),
    "bill": ("bill", "bills"),
}


def first_tab(counts: Mapping[str, int | None]) -> str:
    """The tab that a page without one opens on: the first that holds something."""
    return next((tab for tab in OPENED if counts.get(tab)), OPENED[0])


def needing(tab: str, counts: Mapping[str, int | None]) -> list[tuple[str, str]]:
    """(tab, sentence) of the other tabs that hold what does not go out by itself: `3 are skipped.`"""
    found = [(other, counts.get(other) or 0, words) for other, words in STANDING.items() if other != tab]
    return [(other, f"{number:,} {words[number != 1]}.") for other, number, words in found if number]


def behind(counts: Mapping[str, int]) -> str:
    """`1 customer, 14 invoices, 9 payments`, in this order; empty where nothing waits."""
    said, order = [], list(BEHIND)
    for kind, number in sorted(counts.items(), key=lambda one: order.index(one[0]) if one[0] in order else len(order)):
        one, many = BEHIND.get(kind, (kind.replace("_", " "), kind.replace("_", " ") + "s"))
        if number:
            said.append(f"{number:,} {one if number == 1 else many}")
    return ", ".join(said)
