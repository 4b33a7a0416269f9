"""Making the plan of an import, page by page: the customers it held, then linked contacts that would follow theirs.

The cursor is a customer's id, then `following:` and a contact's.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from crm.models import Plan
from crm.services.sync.plans import import_drawing, import_following
from crm.services.sync.work import Books

FOLLOWING = "following"


def make_page(session: Session, plan: Plan, books: Books, *, now: datetime) -> bool:
    """Add the lines of the next page; False when all have been looked at."""
    part, _, after = plan.cursor.rpartition(":")
    if part != FOLLOWING:
        if import_drawing.make_page(session, plan, books, now=now):
            return True
        after = "0"
    last = import_following.make_page(session, plan, books, after=int(after or 0), now=now)
    plan.cursor = f"{FOLLOWING}:{last}"
    return last is not None
