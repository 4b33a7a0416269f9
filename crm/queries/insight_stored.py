"""Results of figures over many documents, worked out beforehand by a job: with it, pages wait for no long sum.

A small installation has none and everything is asked live. What is found here says as of when; own dates are live.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from crm.db import db
from crm.domain.periods import Span
from crm.models import InsightResult


@dataclass(frozen=True, slots=True)
class Stored:
    made_at: datetime
    rows: list[Any]
    """As `services/insight_results` wrote them, amounts as text."""


def span_key(span: Span | None) -> str:
    """How a span is named there; None: of no days, as things stand."""
    return f"{span.since or ''}..{span.until or ''}" if span is not None else ""


def stored(name: str, span: Span | None) -> Stored | None:
    query = select(InsightResult.made_at, InsightResult.rows)
    row = db.session.execute(query.where(InsightResult.name == name, InsightResult.span == span_key(span))).first()
    return Stored(row.made_at, row.rows) if row is not None else None


def as_of(span: Span) -> datetime | None:
    """The oldest moment that stored results of this span are of; None: all of it is asked live."""
    query = select(InsightResult.made_at).where(InsightResult.span == span_key(span))
    return db.session.scalar(query.order_by(InsightResult.made_at).limit(1))
