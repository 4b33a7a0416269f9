"""What people see and work with here, held against what was read of the books: names, words, and what differs. Pure.

`queries/proof_shown` finds the rows that differ, `services/sync/proof` keeps them as lines of a proof. A line is of a
kind of its own (`own_invoice`), so that it is never taken for a difference between what was read and the books. What
was changed here and has not gone out yet is no difference: it is listed as waiting.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from crm.domain.proof import Difference

OWN = "own_"
"""How the kinds of these lines begin; the rest is the kind."""
KINDS: dict[str, str] = {
    "own_estimate": "Quote, as shown here", "own_invoice": "Invoice, as shown here",
    "own_payment": "Payment recorded here", "own_vendor": "Vendor, as shown here", "own_bill": "Bill, as shown here",
}  # fmt: skip
FIGURES: dict[str, str] = {
    "own_missing": "Not shown here", "own_gone": "Deleted", "own_void": "Void", "own_total": "Total",
    "own_books_total": "Total as QuickBooks made it", "own_tax": "Tax", "own_open": "Open amount",
    "own_date": "Date", "own_due": "Due date", "own_applied": "Applied to invoices",
}  # fmt: skip
SET_RIGHT = "set_right"
"""Remedy: what was read is applied again."""
WAITS, DECIDE = "waits", "decide"
"""Remedies of lines that are no difference: an edit of ours waits to go out, or for a decision."""
NO_DIFFERENCE = (WAITS, DECIDE)


def is_own(kind: str) -> bool:
    return kind.startswith(OWN)


def base_kind(kind: str) -> str:
    return kind.removeprefix(OWN)


def compared(
    blank: Difference, amounts: Iterable[tuple[str, Decimal | None, Decimal | None]],
    words: Iterable[tuple[str, object, object]],
) -> list[Difference]:
    """The figures of one object that differ. `words`: what is no amount."""
    found = [replace(blank, figure=name, ours=here, theirs=read) for name, here, read in amounts if here != read]
    found += [
        replace(blank, figure=name, words=f"{_word(here)} here, {_word(read)} as read")
        for name, here, read in words
        if here != read
    ]
    return found


def _word(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {True: "yes", False: "no", None: "none"}[value]
    return str(value)
