"""What state a document of the books is in, as people say it. Computed from its figures, never stored.

Used by pages and the API. `today` is the company's own calendar day, so that an invoice is overdue when it is there.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

INVOICE_STATES: dict[str, str] = {
    "void": "Void",
    "paid": "Paid",
    "overdue": "Overdue",
    "partly_paid": "Partly paid",
    "open": "Open",
}

ESTIMATE_STATES: dict[str, str] = {
    "pending": "Pending",
    "accepted": "Accepted",
    "closed": "Closed",
    "rejected": "Rejected",
    "expired": "Expired",
}


def invoice_state(
    *, total: Decimal, balance: Decimal | None, due_date: date | None, today: date, void: bool = False
) -> str:
    """A key of INVOICE_STATES. Overdue says more than partly paid: the rest is late. Due today is not late."""
    if void:
        return "void"
    if not balance or balance <= 0:
        return "paid"
    if due_date is not None and due_date < today:
        return "overdue"
    return "partly_paid" if balance < total else "open"


def estimate_state(status: str, *, expires_on: date | None, today: date) -> str:
    """The books' own word in lower case; a pending one past its date has expired."""
    state = status.strip().lower() or "pending"
    return "expired" if state == "pending" and expires_on is not None and expires_on < today else state


def days_late(due_date: date | None, today: date) -> int:
    return max(0, (today - due_date).days) if due_date else 0
