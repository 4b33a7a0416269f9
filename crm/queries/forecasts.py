"""What was worked out about the future, for pages: the newest making of each kind, one invoice's date, one's value.

A date of payment counts only while its invoice is open: what was paid since the night shows none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from crm.db import db
from crm.models import CustomerValue, Forecast, PaymentExpectation, SalesDocument


@dataclass(frozen=True, slots=True)
class Made:
    """The newest making of a kind."""

    kind: str
    as_of: date
    made_at: datetime
    learned: dict[str, Any]
    """Numbers as text; see `services/forecasting`."""
    backtest: dict[str, Any]


def newest(kind: str) -> Made | None:
    """None before the first night."""
    row = db.session.scalars(
        select(Forecast).where(Forecast.kind == kind).order_by(Forecast.id.desc()).limit(1)
    ).first()
    return Made(row.kind, row.as_of, row.made_at, row.learned, row.backtest) if row is not None else None


def expectation(document_id: int) -> PaymentExpectation | None:
    return expectations([document_id]).get(document_id)


def expectations(document_ids: Sequence[int]) -> dict[int, PaymentExpectation]:
    """Of those that are still open."""
    query = (
        select(PaymentExpectation)
        .join(SalesDocument, SalesDocument.id == PaymentExpectation.document_id)
        .where(
            PaymentExpectation.document_id.in_(document_ids), SalesDocument.balance > 0, SalesDocument.state == "open",
            SalesDocument.gone_at.is_(None),
        )
    )  # fmt: skip
    return {row.document_id: row for row in db.session.scalars(query)}


def value_of(contact_id: int) -> CustomerValue | None:
    return db.session.get(CustomerValue, contact_id)


