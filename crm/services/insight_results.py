"""Sums that take long, worked out beforehand for the usual periods. A job calls it, pages read what it kept.

Only where there are many invoices, or members of segments: elsewhere a page asks live, and what was kept is taken away.
Nothing of a period that is over by the day is kept: its name is its days. Run twice it leaves the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select

from crm.db import db, end_reading, transaction
from crm.domain.days import company_day
from crm.domain.periods import ALL, LAST_YEAR, QUARTER, TWELVE, YEAR, Span, month_of, named
from crm.models import InsightResult, SalesDocument, Segment
from crm.queries import insight_customers, insight_money, insight_places, insight_products, segments
from crm.queries.insight_customers import CUSTOMERS, KEPT, NEWNESS
from crm.queries.insight_places import LEVELS
from crm.queries.insight_products import PRODUCTS
from crm.queries.insight_stored import span_key
from crm.queries.invoice_narrowing import issued

MANY = 20_000
"""Issued invoices from which on results are kept: with fewer a page needs well below half a second."""
PERIODS = (TWELVE, YEAR, QUARTER, LAST_YEAR, ALL)
"""Months hold little enough to be asked live."""
MANY_MEMBERS = 100_000
"""Of all segments together, from which on what they come to is kept: with fewer the list needs a tenth of a second."""


def refresh(*, clock: Callable[[], datetime], many: int = MANY, many_members: int = MANY_MEMBERS) -> int:
    """Work out everything anew; how many results are kept now."""
    spans = usual_spans(clock()) if enough(many) else []
    kept = 0
    for span in spans:
        for name, ask in QUESTIONS.items():
            began = time.monotonic()
            _keep(name, span_key(span), ask(span), clock(), began)
            kept += 1
    with transaction() as session:
        keys = [span_key(span) for span in spans]
        session.execute(delete(InsightResult).where(InsightResult.span.not_in([*keys, span_key(None)])))
    return kept + _refresh_segments(clock, many_members)


def _refresh_segments(clock: Callable[[], datetime], many: int) -> int:
    """What the members of each segment come to; how many results are kept now."""
    began, made_at = time.monotonic(), clock()
    members = db.session.scalar(select(func.sum(Segment.members)).where(Segment.archived_at.is_(None))) or 0
    if members < many:
        with transaction() as session:
            session.execute(delete(InsightResult).where(InsightResult.span == span_key(None)))
        return 0
    ids = db.session.scalars(select(Segment.id).where(Segment.archived_at.is_(None)).order_by(Segment.id)).all()
    sums = segments.sums_of(ids)
    rows = [[id_, str(one.total_sales), str(one.balance)] for id_, one in sorted(sums.items())]
    _keep(segments.SEGMENTS, span_key(None), rows, made_at, began)
    return 1


def _keep(name: str, span: str, rows: list[Any], made_at: datetime, began: float) -> None:
    """In the place of what was kept before. `began`: by the monotonic clock."""
    end_reading()
    took = int((time.monotonic() - began) * 1000)
    with transaction() as session:
        session.execute(delete(InsightResult).filter_by(name=name, span=span))
        session.add(InsightResult(name=name, span=span, rows=rows, made_at=made_at, took_ms=took))


def usual_spans(now: datetime) -> list[Span]:
    """Those that pages are asked for most, as of the company's day."""
    company = insight_money.company()
    today = company_day(now, company.zone if company else "")
    first_month = month_of(company.fiscal_year_begins) if company else 1
    return list(dict.fromkeys(named(key, today=today, first_month=first_month) for key in PERIODS))


def enough(many: int) -> bool:
    """Whether there are so many issued invoices."""
    some = select(SalesDocument.id).where(*issued()).limit(many)
    return (db.session.scalar(select(func.count()).select_from(some.subquery())) or 0) >= many


def _customers(span: Span) -> list[Any]:
    """How many there are, then the highest."""
    found = insight_customers.largest_now(span, limit=KEPT)
    number = len(found) if len(found) < KEPT else insight_customers.number_now(span)
    return [[number], *([one.contact_id, one.name, str(one.amount), one.invoices] for one in found)]


def _newness(span: Span) -> list[Any]:
    found = insight_customers.newness_now(span)
    return [[key, str(part.amount), part.invoices, part.customers] for key, part in found.items()]


def _products(span: Span) -> list[Any]:
    found: Iterable[Any] = insight_products.by_product_now(span)
    return [[*one[:5], *(str(amount) for amount in one[5:])] for one in found]


def _places(level: str) -> Callable[[Span], list[Any]]:
    return lambda span: [
        insight_places.row_of(place) for place in insight_places.by_place_now(span, level, located=True)
    ]


QUESTIONS: dict[str, Callable[[Span], list[Any]]] = {
    CUSTOMERS: _customers, NEWNESS: _newness, PRODUCTS: _products, **{level: _places(level) for level in LEVELS},
}  # fmt: skip
