"""Whom each ready-made segment finds and whom not, at its usual numbers; and how many members there were over time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from crm.domain.segment_course import STRETCHES, bounds, course
from crm.domain.segment_evaluation import evaluate
from crm.domain.segment_person import Books, Invoice, Person, Quote
from crm.domain.segment_templates import TEMPLATES

TODAY = date(2026, 11, 21)
ANY = Person(id=1, name="Any", state="KS")
D = Decimal


def bought(*days: int, **more: object) -> Person:
    """An invoice of 100 so many days ago, each."""
    total = D(str(more.pop("total", "100")))
    return replace(
        ANY, **more, invoices=tuple(Invoice(0, date=TODAY - timedelta(days=one), total=total) for one in days)
    )


def owes(due: int) -> Person:
    return replace(
        ANY, invoices=(Invoice(0, date=TODAY, due_date=TODAY - timedelta(days=due), total=D(9), balance=D(9)),)
    )


def pays(after: str, *days: int) -> Person:
    return bought(*days, books=Books(days_to_pay=D(after)))


def offered(sent: int, state: str = "sent", expires: int | None = None) -> Person:
    until = None if expires is None else TODAY + timedelta(days=expires)
    quote = Quote(0, state=state, sent_on=TODAY - timedelta(days=sent), expires_on=until, total=D(50))
    return replace(ANY, quotes=(quote,))


WHOM: dict[str, tuple[list[Person], list[Person]]] = {
    "high_value": ([bought(365, total="5000.01")], [bought(366, total="9000"), bought(1, total="5000")]),
    "fast_payers": ([pays("10", 40, 700)], [pays("10.1", 40, 700), pays("3", 40), ANY]),
    "slow_payers": ([pays("45.1", 40, 700)], [pays("45", 40, 700), pays("80", 40), ANY]),
    "overdue": ([owes(1)], [owes(0), owes(-3), ANY]),
    "unused_credit": ([replace(ANY, books=Books(unused_credit=D("0.01")))], [replace(ANY, books=Books()), ANY]),
    "best": ([replace(ANY, rfm=(4, 4, 4))], [replace(ANY, rfm=(5, 5, 3)), replace(ANY, rfm=(3, 5, 5)), ANY]),
    "lapsed": ([bought(366, 800)], [bought(365, 800), ANY]),
    "first_time": ([bought(90)], [bought(91), bought(90, 20), ANY]),
    "repeat": ([bought(730, 3)], [bought(731, 3), bought(3), ANY]),
    "quote_going_cold": ([offered(15)], [offered(14), offered(15, "declined"), offered(15, expires=-1), ANY]),
    "seasonal": ([bought(365)], [bought(365, 200), bought(500), ANY]),  # November; and May this year; July
    "place": ([replace(ANY, books=Books(D(1)))], [replace(ANY, state="MO", books=Books(D(1))), ANY]),
}


@pytest.mark.parametrize("key", TEMPLATES)
def test_a_ready_made_segment_finds_whom_it_says(key: str) -> None:
    group, (those, others) = TEMPLATES[key].rules({}), WHOM[key]
    assert [evaluate(group, one, TODAY).passed for one in (*those, *others)] == [True] * len(those) + [False] * len(
        others
    )


def test_members_over_time_are_worked_out_backwards_from_now() -> None:
    now = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
    moments = bounds(now - timedelta(hours=3), now, days=30)
    assert [(now - one) / timedelta(hours=1) for one in moments] == [3, 2, 1, 0]
    assert course(moments, {0: 4, 2: -1}, members=10).counts == (7, 11, 11, 10)
    long_ago = bounds(now - timedelta(days=400), now, days=30)
    assert long_ago[0] == now - timedelta(days=30) and len(long_ago) == STRETCHES + 1
    assert not course(bounds(now, now, days=30), {}, members=3).told
