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
    "invoice": ("invoice", "invoices"),
    "payment": ("payment", "payments"),
    "credit_memo": ("credit memo", "credit memos"),
    "estimate": ("quote", "quotes"),
}


def behind(counts: Mapping[str, int]) -> str:
    """`1 customer, 14 invoices, 9 payments`, in this order; empty where nothing waits."""
    said, order = [], list(BEHIND)
    for kind, number in sorted(counts.items(), key=lambda one: order.index(one[0]) if one[0] in order else len(order)):
        one, many = BEHIND.get(kind, (kind.replace("_", " "), kind.replace("_", " ") + "s"))
        if number:
            said.append(f"{number:,} {one if number == 1 else many}")
    return ", ".join(said)
