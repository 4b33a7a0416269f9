"""Money facts against a slow calculation of another kind: day by day, cent by cent."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.domain.money import BUCKETS, Part, Receipt, Sale, aging, bucket, days_to_pay, summary

TODAY = date(2026, 11, 21)
CENT = Decimal("0.01")


def invoice(total: str = "100.00", balance: str = "0.00", *, days_ago: int = 40, due_ago: int | None = None,
            id_: str = "1", void: bool = False) -> Sale:  # fmt: skip
    due = TODAY - timedelta(days=due_ago) if due_ago is not None else None
    return Sale("invoice", id_, TODAY - timedelta(days=days_ago), due, Decimal(total), Decimal(balance), void)


@pytest.mark.parametrize(
    ("late", "name"),
    [(-5, "current"), (0, "current"), (1, "1_30"), (30, "1_30"), (31, "31_60"), (60, "31_60"), (61, "61_90"),
     (90, "61_90"), (91, "over_90"), (4000, "over_90")],
)  # fmt: skip
def test_an_open_amount_stands_in_the_bucket_of_its_days_past_due(late: int, name: str) -> None:
    assert BUCKETS[bucket(late)] == name
    found = aging([invoice(balance="7.10", due_ago=late)], today=TODAY)
    assert dict(zip(BUCKETS, found, strict=True))[name] == Decimal("7.10")
    assert sum(found) == Decimal("7.10")


def test_an_invoice_without_due_date_is_due_on_its_own_date() -> None:
    assert aging([invoice(balance="5", days_ago=31)], today=TODAY)[2] == 5


def test_days_to_pay_are_weighted_by_amount() -> None:
    sales = [invoice("900.00", id_="big", days_ago=50), invoice("100.00", id_="small", days_ago=50)]
    parts = [Part("big", Decimal(900), TODAY - timedelta(days=40)), Part("small", Decimal(100), TODAY)]
    assert days_to_pay(sales, parts) == Decimal("14.0")  # (900*10 + 100*50) / 1000


def test_an_invoice_that_is_not_fully_paid_says_nothing_about_days_to_pay() -> None:
    sales = [invoice("100.00", "0.01", days_ago=50)]
    assert days_to_pay(sales, [Part("1", Decimal("99.99"), TODAY)]) is None


def test_a_deposit_before_the_invoice_counts_as_no_days() -> None:
    sales = [invoice("100.00", days_ago=10)]
    parts = [Part("1", Decimal(50), TODAY - timedelta(days=30)), Part("1", Decimal(50), TODAY)]
    assert days_to_pay(sales, parts) == Decimal("5.0")


def test_voided_documents_count_nowhere() -> None:
    found = summary([invoice("50.00", "50.00", due_ago=5, void=True)], [Receipt(TODAY, Decimal(9), Decimal(9), True)],
                    [], today=TODAY)  # fmt: skip
    assert found == summary([], [], [], today=TODAY)


def test_the_last_payment_is_all_money_of_that_day() -> None:
    receipts = [Receipt(TODAY, Decimal("1.10")), Receipt(TODAY, Decimal("2.20")), Receipt(None, Decimal(500)),
                Receipt(TODAY - timedelta(days=1), Decimal(99))]  # fmt: skip
    found = summary([], receipts, [], today=TODAY)
    assert (found.last_payment_on, found.last_payment) == (TODAY, Decimal("3.30"))


def test_a_credit_applied_by_a_payment_of_nothing_is_no_last_payment() -> None:
    assert summary([], [Receipt(TODAY, Decimal(0))], [], today=TODAY).last_payment_on is None


amounts = st.integers(0, 10**7).map(lambda cents: Decimal(cents) * CENT)
days = st.none() | st.integers(-400, 400).map(lambda back: TODAY - timedelta(days=back))


@st.composite
def sales(draw: st.DrawFn) -> list[Sale]:
    made = []
    for number in range(draw(st.integers(0, 8))):
        total = draw(amounts)
        balance = draw(st.sampled_from([Decimal(0), total])) if draw(st.booleans()) else min(total, draw(amounts))
        made.append(Sale(draw(st.sampled_from(["invoice", "invoice", "credit_memo"])), str(number), draw(days),
                         draw(days), total, balance, draw(st.integers(0, 9)) == 0))  # fmt: skip
    return made


receipts_ = st.lists(st.builds(Receipt, days, amounts, amounts, st.booleans()), max_size=6)
parts_ = st.lists(st.builds(Part, st.integers(0, 8).map(str), amounts, days), max_size=12)


@given(sales(), receipts_, parts_)
def test_it_agrees_with_a_slow_calculation(made: list[Sale], receipts: list[Receipt], parts: list[Part]) -> None:
    found = summary(made, receipts, parts, today=TODAY)
    assert _cents(found.total_sales) == sum(
        (1 if s.kind == "invoice" else -1) * _cents(s.total) for s in made if not s.void
    )
    assert _cents(found.unapplied_credit) == sum(_cents(r.unapplied) for r in receipts if not r.void) + sum(
        _cents(s.balance) for s in made if s.kind == "credit_memo" and not s.void
    )
    live = [s for s in made if s.kind == "invoice" and not s.void]
    assert (found.invoices, found.open_invoices) == (len(live), len([s for s in live if s.balance > 0]))
    assert [_cents(amount) for amount in found.aging] == _slow_aging(live)
    assert found.overdue == sum(found.aging) - found.aging[0]
    assert found.days_to_pay == _slow_days(live, parts)


def _cents(amount: Decimal) -> int:
    return int(amount.scaleb(2))


def _slow_aging(invoices: list[Sale]) -> list[int]:
    """Walk the days one by one from the due date to today."""
    sums = [0, 0, 0, 0, 0]
    for one in invoices:
        day, late = one.due_date or one.date or TODAY, 0
        while day < TODAY:
            day, late = day + timedelta(days=1), late + 1
        place = 0 if late == 0 else 1 if late <= 30 else 2 if late <= 60 else 3 if late <= 90 else 4
        sums[place] += _cents(one.balance)
    return sums


def _slow_days(invoices: list[Sale], parts: list[Part]) -> Decimal | None:
    """Every single cent with its own days, as fractions."""
    cents, total = 0, Fraction(0)
    for one in invoices:
        if one.total <= 0 or one.balance != 0 or one.date is None:
            continue
        for part in parts:
            if part.invoice_id == one.remote_id and part.paid_on is not None and part.amount > 0:
                cents += _cents(part.amount)
                total += Fraction(_cents(part.amount)) * max(0, part.paid_on.toordinal() - one.date.toordinal())
    if not cents:
        return None
    tenths = total / cents * 10
    return (Decimal(round(tenths)) / 10).quantize(Decimal("0.1"), ROUND_HALF_EVEN)
