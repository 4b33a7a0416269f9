"""How recently, how often and for how much contacts bought, in fifths of all who ever bought.

Made anew once a day, before segments are, as one statement; nothing is read into Python. Who bought alike is in the
same fifth: a score is one more than the fifth of all buyers who stand behind, so that many equals can leave a fifth
empty. Invoices in another currency than the company's, drafts, voided, held back and deleted ones do not count.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Date, Select, delete, func, insert, literal, select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.models import Contact, RfmScore, SalesDocument
from crm.queries import segment_sql
from crm.queries.segment_measures import INVOICE, TOTAL

SCORES = table_of(RfmScore)
FIFTHS = 5


def as_of(session: Session) -> date | None:
    """The day the scores are of; None where there are none."""
    return session.scalar(select(func.max(RfmScore.as_of)))


def refresh(session: Session, *, today: date) -> int:
    """Make all scores anew in the open transaction; answers how many contacts have ever bought."""
    session.execute(delete(SCORES))
    names = ("contact_id", "recency", "frequency", "monetary", "last_on", "invoices", "total", "as_of")
    session.execute(insert(SCORES).from_select(names, _scored(today)))
    session.expire_all()
    return session.scalar(select(func.count()).select_from(SCORES)) or 0


def _scored(today: date) -> Select[Any]:
    d = SalesDocument
    home = d.currency.in_(("", segment_sql.home_currency()))
    bought = (
        select(
            d.contact_id,
            func.max(d.date).label("last_on"),
            func.count().label("invoices"),
            func.sum(TOTAL).label("total"),
        )
        .join(Contact, Contact.id == d.contact_id)
        .where(*INVOICE, home, d.date.is_not(None), Contact.archived_at.is_(None))
        .group_by(d.contact_id)
        .subquery()
    )
    scores = [_fifth(bought.c[name]) for name in ("last_on", "invoices", "total")]
    day = literal(today, Date)
    return select(bought.c.contact_id, *scores, bought.c.last_on, bought.c.invoices, bought.c.total, day)


def _fifth(column: Any) -> Any:
    """1 to 5, by the share of all who stand behind."""
    behind = func.rank().over(order_by=column) - 1
    return 1 + (FIFTHS * behind) // func.count().over()
