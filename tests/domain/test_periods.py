"""Periods and what they are compared with: running ones, ends of months, leap years, fiscal years, bad addresses."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from crm.domain import periods
from crm.domain.errors import Invalid
from crm.domain.periods import Span

NOV_21 = date(2026, 11, 21)


def read(today: date = NOV_21, first_month: int = 1, **args: str) -> periods.Period:
    return periods.read(args, today=today, first_month=first_month)


def days(text: str) -> Span:
    first, last = text.split("..")
    return Span(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("key", "span", "before", "year"),
    [
        ("month", "2026-11-01..2026-11-21", "2026-10-01..2026-10-21", "2025-11-01..2025-11-21"),
        ("last_month", "2026-10-01..2026-10-31", "2026-09-01..2026-09-30", "2025-10-01..2025-10-31"),
        ("quarter", "2026-10-01..2026-11-21", "2026-07-01..2026-08-21", "2025-10-01..2025-11-21"),
        ("year", "2026-01-01..2026-11-21", "2025-01-01..2025-11-21", "2025-01-01..2025-11-21"),
        ("last_year", "2025-01-01..2025-12-31", "2024-01-01..2024-12-31", "2024-01-01..2024-12-31"),
        ("12_months", "2025-11-22..2026-11-21", "2024-11-22..2025-11-21", "2024-11-22..2025-11-21"),
    ],
)
def test_each_period_and_what_it_is_compared_with(key: str, span: str, before: str, year: str) -> None:
    assert read(period=key, compare="before").span == days(span)
    assert read(period=key, compare="before").other == days(before)
    assert read(period=key, compare="year").other == days(year)
    assert read(period=key, compare="none").other is None


@pytest.mark.parametrize(
    ("today", "key", "span", "before"),
    [
        (date(2024, 2, 29), "month", "2024-02-01..2024-02-29", "2024-01-01..2024-01-31"),
        (date(2024, 3, 31), "month", "2024-03-01..2024-03-31", "2024-02-01..2024-02-29"),
        (date(2024, 3, 30), "month", "2024-03-01..2024-03-30", "2024-02-01..2024-02-29"),
        (date(2024, 3, 1), "last_month", "2024-02-01..2024-02-29", "2024-01-01..2024-01-31"),
        (date(2024, 2, 29), "12_months", "2023-03-01..2024-02-29", "2022-03-01..2023-02-28"),
        (date(2025, 2, 28), "12_months", "2024-03-01..2025-02-28", "2023-03-01..2024-02-29"),
        (date(2025, 1, 1), "quarter", "2025-01-01..2025-01-01", "2024-10-01..2024-10-01"),
        (date(2025, 3, 31), "quarter", "2025-01-01..2025-03-31", "2024-10-01..2024-12-31"),
        (date(2025, 6, 30), "quarter", "2025-04-01..2025-06-30", "2025-01-01..2025-03-31"),
        (date(2025, 1, 1), "last_month", "2024-12-01..2024-12-31", "2024-11-01..2024-11-30"),
        (date(2025, 5, 31), "quarter", "2025-04-01..2025-05-31", "2025-01-01..2025-02-28"),
    ],
)
def test_ends_of_months_quarters_and_leap_years(today: date, key: str, span: str, before: str) -> None:
    found = read(today, period=key, compare="before")
    assert (found.span, found.other) == (days(span), days(before))


def test_a_leap_day_a_year_ago_is_the_end_of_its_month() -> None:
    assert read(date(2024, 2, 29), period="month", compare="year").other == days("2023-02-01..2023-02-28")
    assert read(date(2025, 2, 28), period="month", compare="year").other == days("2024-02-01..2024-02-29")


@pytest.mark.parametrize("start", [date(2023, 1, 1) + timedelta(days=n) for n in range(0, 1500, 11)])
def test_the_last_twelve_months_follow_those_before_without_a_gap_on_every_day(start: date) -> None:
    found = read(start, period="12_months", compare="before")
    assert found.other is not None and found.other.until and found.span.since
    assert found.other.until + timedelta(days=1) == found.span.since
    assert found.span.days in (365, 366)


def test_a_fiscal_year_that_begins_in_july_moves_quarters_and_years() -> None:
    assert read(period="year", first_month=7).span == days("2026-07-01..2026-11-21")
    assert read(period="last_year", first_month=7).span == days("2025-07-01..2026-06-30")
    assert read(period="quarter", first_month=7).span == days("2026-10-01..2026-11-21")
    assert read(date(2026, 6, 30), period="year", first_month=7).span == days("2025-07-01..2026-06-30")
    assert read(date(2026, 7, 1), period="year", first_month=7).span == days("2026-07-01..2026-07-01")
    assert read(period="quarter", first_month=2).span == days("2026-11-01..2026-11-21")
    assert read(date(2027, 1, 15), period="quarter", first_month=2).span == days("2026-11-01..2027-01-15")
    assert periods.month_of("July") == 7 and periods.month_of("") == 1 and periods.month_of("nonsense") == 1


def test_own_dates_are_compared_with_as_many_days_or_with_as_many_months() -> None:
    ten = read(period="own", since="2026-11-10", until="2026-11-19", compare="before")
    assert ten.span.days == 10 and ten.other == days("2026-10-31..2026-11-09")
    two_months = read(period="own", since="2026-05-01", until="2026-06-30", compare="before")
    assert two_months.other == days("2026-03-01..2026-04-30")
    assert read(since="2026-11-10", until="2026-11-10").key == "own"


def test_all_time_has_no_ends_and_no_comparison() -> None:
    found = read(period="all")
    assert found.span == Span() and found.other is None and found.span.words == "All time"
    assert periods.months(found.span) == []


@pytest.mark.parametrize(
    ("args", "field", "sentence"),
    [
        ({"period": "fortnight"}, "period", "“fortnight” is none"),
        ({"compare": "dreams"}, "compare", "“dreams” is not known"),
        ({"period": "own"}, "since", "a day is missing"),
        ({"period": "own", "since": "2026-02-30", "until": "2026-03-01"}, "since", "“2026-02-30” is no day"),
        ({"period": "own", "since": "20260301", "until": "2026-03-01"}, "since", "is no day"),
        ({"period": "own", "since": "2026-03-02", "until": "2026-03-01"}, "until", "is before Mar 2, 2026"),
        ({"period": "own", "since": "0202-03-02", "until": "2026-03-01"}, "since", "the year 202"),
    ],
)
def test_what_cannot_be_read_is_said_beside_its_field(args: dict[str, str], field: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read(**args)
    assert sentence in refusal.value.fields[field]


def test_the_address_of_a_period_reads_as_the_same_period() -> None:
    own = {"period": "own", "since": "2026-01-05", "until": "2026-02-03"}
    for args in ({}, {"period": "month", "compare": "before"}, own):
        found = read(**args)
        assert read(**found.query()) == found
    assert read().query() == {}


def test_months_of_a_span_cover_its_days_once() -> None:
    span = days("2023-12-15..2024-03-02")
    parts = [periods.month_span(month, span) for month in periods.months(span)]
    told = ["Dec 15 – 31, 2023", "Jan 1 – 31, 2024", "Feb 1 – 29, 2024", "Mar 1 – 2, 2024"]
    assert [part.words for part in parts] == told
    assert sum(part.days or 0 for part in parts) == span.days
