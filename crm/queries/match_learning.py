"""What people decided, counted by the reasons that stood: what learning goes by. Reads only.

Of each pair the last decision counts, if a person made it: a yes as the same; a no, two people of one household,
somebody new whatever was proposed, and a link taken away again, as not. What was put off, taken back, or decided by a
rule and never looked at counts as nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain.match_learning import Count
from crm.models import MatchDecision
from crm.queries.match_log import is_last

SAME, APART = ("same",), ("apart", "unlinked", "new")
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Decided:
    counts: Mapping[str, Count]
    """Reason -> decided pairs that had it."""
    total: Count
    """All decided pairs with any reason."""


def decided(session: Session) -> Decided:
    """One pass over the log, a page of it in memory at a time."""
    mine = (MatchDecision.automatic.is_(False), MatchDecision.outcome.in_((*SAME, *APART)), is_last())
    query = select(MatchDecision.outcome, MatchDecision.reasons).where(*mine).execution_options(yield_per=PAGE)
    counts: dict[str, Count] = {}
    total = Count()
    for outcome, reasons in session.execute(query):
        same = int(outcome in SAME)
        for reason in set(reasons):
            counts[reason] = _more(counts.get(reason, Count()), same)
        if reasons:
            total = _more(total, same)
    return Decided(counts, total)


def _more(count: Count, same: int) -> Count:
    return Count(count.same + same, count.of + 1)
