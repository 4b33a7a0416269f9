"""A customer's statement: what stood open before a day, what came in between, and what stands open after. Pure.

Invoices raise what is owed, credit memos and payments lower it; a payment counts whole on its day, also what of it no
invoice has used yet, and what was paid down on an invoice lowers it on the invoice's day. Over everything there is, the
closing balance is therefore what is open on invoices less what is unused of payments and credits. Void documents are
none. What only bookkeepers write (journal entries, refunds by cheque) is not among them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date as Day
from decimal import Decimal

from crm.domain.amounts import ZERO

ORDER = {"invoice": 0, "deposit": 1, "credit_memo": 2, "payment": 3}
"""On one day."""
TITLES = {"invoice": "Invoice", "deposit": "Paid down on the invoice", "credit_memo": "Credit memo",
          "payment": "Payment"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Movement:
    kind: str
    """A key of ORDER."""
    date: Day | None
    """Without one it stands before everything."""
    number: str
    amount: Decimal
    """Positive: owed more."""
    due_date: Day | None = None
    key: int = 0
    document_id: int | None = None
    """Of the page here, where there is one."""


@dataclass(frozen=True, slots=True)
class Line:
    movement: Movement
    balance: Decimal
    """Owed after it."""


@dataclass(frozen=True, slots=True)
class Statement:
    opening: Decimal
    lines: tuple[Line, ...]
    charged: Decimal
    paid: Decimal
    """Payments and credits, as a positive sum."""
    closing: Decimal


def statement(movements: Iterable[Movement], *, since: Day | None, until: Day | None) -> Statement:
    """Both days are part of it; None: from the beginning, to the end."""
    ordered = sorted(movements, key=lambda one: (one.date or Day.min, ORDER[one.kind], one.key))
    opening = charged = paid = ZERO
    lines: list[Line] = []
    balance = ZERO
    for one in ordered:
        day = one.date or Day.min
        if until is not None and day > until:
            break
        balance += one.amount
        if since is not None and day < since:
            opening = balance
            continue
        charged += max(one.amount, ZERO)
        paid -= min(one.amount, ZERO)
        lines.append(Line(one, balance))
    return Statement(opening, tuple(lines), charged, paid, balance)
