"""Plain calculations of figures: what is too little to tell, and where a day, a month or a year begins and ends."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from crm.domain import insight
from crm.domain.periods import Span

D = Decimal
DAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("open_now", "sold", "invoices", "days"),
    [
        ("300", "900", 10, 30), ("300", "900", 9, None), ("0", "900", 10, 0), ("1", "0", 10, None),
        ("100", "899", 50, 10), ("5", "900", 10, 1), ("4.99", "900", 10, 0),
    ],
)  # fmt: skip
def test_days_outstanding(open_now: str, sold: str, invoices: int, days: int | None) -> None:
    assert insight.dso(D(open_now), D(sold), invoices) == days


def test_a_median_is_the_middle_one_and_the_lower_of_two() -> None:
    assert insight.median([(0, 4), (3, 1), (9, 5)]) == 3
    assert insight.median([(0, 5), (9, 5)]) == 0
    assert insight.median([(0, 4), (9, 6)]) == 9
    assert insight.median([(0, 4), (9, 5)]) is None
    assert insight.median([]) is None


def test_rates_and_averages_need_enough() -> None:
    assert insight.win_rate(7, 3) == D("0.7") and insight.win_rate(7, 2) is None and insight.win_rate(0, 10) == 0
    assert insight.average(D("1683.10"), 5) == D("336.62") and insight.average(D(100), 4) is None
    assert insight.change(D(110), D(100)) == D("0.1") and insight.change(D(1), D(0)) is None
    assert insight.change(D(1), D(-1)) is None and insight.share(D(1), D(0)) is None


def test_a_margin_is_told_where_half_of_the_cost_is_known() -> None:
    assert insight.margin(D(200), D(100), D(40)) == (D(60), D("0.6"))
    assert insight.margin(D(200), D("99.99"), D(40)) is None
    assert insight.margin(D(0), D(0), D(0)) is None
    assert insight.margin(D(100), D(100), D(130)) == (D(-30), D("-0.3"))


def test_currencies_are_told_apart_and_none_is_the_home_one() -> None:
    rows = [
        (DAY, "USD", D(1), 1),
        (DAY, "", D(2), 1),
        (None, "EUR", D(4), 3),
        (DAY, "CAD", D(8), 1),
        (DAY, "EUR", D(1), 1),
    ]
    assert insight.summed(rows, "USD") == insight.Amount(D(3), 2, (("CAD", D(8)), ("EUR", D(5))))
    assert insight.summed(rows, "EUR").home == D(7)


def test_short_spans_are_told_by_day_longer_ones_by_month_or_year() -> None:
    def labels(first: date, last: date) -> list[str]:
        return [part.label for part in insight.stretches(Span(first, last))]

    assert labels(date(2026, 10, 1), date(2026, 10, 31))[::30] == ["Oct 1", "Oct 31"]
    assert labels(date(2026, 10, 1), date(2026, 11, 1)) == ["Oct 2026", "Nov 2026"]
    assert labels(date(2023, 12, 1), date(2026, 11, 30))[-1] == "Nov 2026"
    assert labels(date(2023, 11, 30), date(2026, 11, 30)) == ["2023", "2024", "2025", "2026"]
    assert insight.stretches(Span(), [None, DAY, date(2026, 9, 1)])[0].label == "Sep 2026"
    assert insight.stretches(Span(), [None]) == []


def test_parts_of_a_span_hold_each_of_its_days_once() -> None:
    for last in (date(2026, 3, 3), date(2026, 9, 17), date(2031, 1, 1)):
        span = Span(date(2026, 2, 11), last)
        rows = [
            (date.fromordinal(at), "USD", D(1), 1)
            for at in range(date(2026, 2, 1).toordinal(), date(2031, 2, 1).toordinal())
        ]
        found = insight.by_stretch(rows, insight.stretches(span), "USD")
        assert sum(found) == span.days
