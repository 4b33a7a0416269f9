"""When an invoice is due by its terms, as QuickBooks works it out."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from crm.domain.due_dates import due_on
from crm.domain.statements import Movement, statement


@pytest.mark.parametrize(
    ("issued", "details", "due"),
    [
        (date(2026, 11, 21), None, date(2026, 11, 21)),
        (date(2026, 11, 21), {"type": "STANDARD", "due_days": 30}, date(2026, 12, 21)),
        (date(2026, 11, 21), {"type": "STANDARD", "due_days": 0}, date(2026, 11, 21)),
        (date(2026, 11, 5), {"type": "DATE_DRIVEN", "day_of_month": 15}, date(2026, 11, 15)),
        (date(2026, 11, 16), {"type": "DATE_DRIVEN", "day_of_month": 15}, date(2026, 12, 15)),
        (date(2026, 12, 16), {"type": "DATE_DRIVEN", "day_of_month": 15}, date(2027, 1, 15)),
        (date(2026, 11, 10), {"type": "DATE_DRIVEN", "day_of_month": 15, "next_month_days": 7}, date(2026, 12, 15)),
        (date(2026, 2, 3), {"type": "DATE_DRIVEN", "day_of_month": 31}, date(2026, 2, 28)),
    ],
)
def test_the_due_date_follows_the_terms(issued: date, details: dict[str, Any] | None, due: date) -> None:
    assert due_on(issued, details) == due


def test_a_statement_without_anything_is_zero() -> None:
    made = statement([], since=None, until=None)
    assert (made.opening, made.closing, made.lines) == (0, 0, ())


def test_on_one_day_an_invoice_stands_before_its_payment() -> None:
    day = date(2026, 1, 1)
    rows = [Movement("payment", day, "", -5, key=1), Movement("invoice", day, "", 5, key=2)]  # type: ignore[arg-type]
    assert [line.movement.kind for line in statement(rows, since=day, until=day).lines] == ["invoice", "payment"]
