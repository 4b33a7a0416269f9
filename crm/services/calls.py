"""Counting remote calls per day and class: what the month's budget is made of.

Whoever calls a provider hands it a `Tally` and writes it down afterwards, in a transaction of its own, so that no
call is counted while one is under way. A process that dies in between loses the count of that one call.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite

from crm.db import db
from crm.models import CallCount
from crm.providers.accounting.base import CallInfo

METERED, UNMETERED, SIGN_IN = "metered", "unmetered", "sign_in"
SIGN_IN_OPERATIONS = frozenset({"exchange", "refresh", "revoke", "discovery"})


class Tally:
    """Hears of calls (`on_call=tally`) until they are written down."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def __call__(self, call: CallInfo) -> None:
        signing_in = call.operation in SIGN_IN_OPERATIONS
        self.calls[SIGN_IN if signing_in else METERED if call.metered else UNMETERED] += 1


def count(connection_id: int, tally: Tally, *, now: datetime) -> None:
    """Add what the tally heard to the day's figures (days are UTC), and empty it."""
    insert = postgresql.insert if db.session.get_bind().dialect.name == "postgresql" else sqlite.insert
    for category, calls in sorted(tally.calls.items()):
        row = insert(CallCount).values(connection_id=connection_id, day=now.date(), category=category, calls=calls)
        db.session.execute(
            row.on_conflict_do_update(
                index_elements=["connection_id", "day", "category"],
                set_={"calls": CallCount.calls + row.excluded.calls},
            )
        )
    tally.calls.clear()
