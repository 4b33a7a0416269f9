"""Since when a quote is with the customer, and when it was won or lost, from what its row says. Pure.

The books say little of when an estimate was sent or answered: what is missing is taken from the day of the quote, its
first invoice and its expiry. An expired quote that nobody answered stays open; quotes as old are seldom won, and the
rates say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from crm.domain.quote_outlook import Offer
from crm.domain.quotes import ACCEPTED, CANCELLED, DECLINED, DRAFT, INVOICED

FORGOTTEN = 90
"""Days after which a quote counts as lost that was lost, nobody knows when."""


@dataclass(frozen=True, slots=True)
class QuoteRow:
    """A quote as it stands. Days are the company's own."""

    id: int
    state: str
    day: date | None
    sent: date | None
    decided: date | None
    expires: date | None
    invoiced: date | None
    """Of its first invoice that stands."""
    in_books: bool
    value: Decimal
    returning_since: date | None
    """The customer's first invoice."""


def offer_of(row: QuoteRow, *, today: date) -> Offer | None:
    """None for a draft that nobody outside has seen; an estimate of the books may be with the customer any time."""
    if row.state == DRAFT and not row.in_books:
        return None
    begun = row.day or row.sent or today
    won = lost = None
    if row.state in (ACCEPTED, INVOICED) or row.invoiced is not None:  # in part, too, whatever became of the rest
        accepted = row.decided if row.state in (ACCEPTED, INVOICED) else None
        won = min((day for day in (accepted, row.invoiced) if day), default=begun)
    elif row.state in (DECLINED, CANCELLED):
        lost = row.decided or row.expires or date.fromordinal(begun.toordinal() + FORGOTTEN)
    over = min(won or lost or today, today)
    since = row.sent if row.sent and begun <= row.sent <= over else min(begun, over)
    returning = row.returning_since is not None and row.returning_since < since
    return Offer(
        row.id, since.toordinal(), row.value, returning,
        max(won, since).toordinal() if won else None, min(max(lost, since), today).toordinal() if lost else None,
    )  # fmt: skip
