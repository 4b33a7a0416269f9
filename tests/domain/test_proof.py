"""What differs, to the cent and no less; and what is open on a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.domain.proof import (
    BUCKETS,
    Account,
    Paper,
    Share,
    account_differences,
    aged,
    aging_differences,
    balance_of,
    figure,
    paper_differences,
    title,
)

DAY = date(2026, 11, 21)
AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=2, allow_nan=False)
ODD = st.decimals(min_value="0.0001", max_value=10**6, places=4, allow_nan=False)


def invoice(remote_id: str = "1", open_: str = "40", **values: object) -> Paper:
    given = Paper("invoice", remote_id, "c", "1042", DAY, DAY, Decimal(100), Decimal(open_))
    return replace(given, **values)  # type: ignore[arg-type]


def account(balance: Decimal | None, with_jobs: Decimal | None = None) -> Account:
    return Account("c", "Amy", "USD", balance, balance if with_jobs is None else with_jobs)


@st.composite
def papers(draw: st.DrawFn) -> list[Paper]:
    made = []
    for number in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["invoice", "payment", "credit_memo"]))
        day = DAY - timedelta(days=draw(st.integers(0, 400)))
        due = day + timedelta(days=draw(st.integers(0, 60))) if kind == "invoice" else None
        made.append(Paper(kind, str(number), draw(st.sampled_from("abc")), "", day, due, Decimal(10**9),
                          draw(AMOUNTS), draw(st.integers(0, 9)) == 0))  # fmt: skip
    return made


@given(papers())
def test_spans_of_aging_come_to_the_balance_of_each_customer(found: list[Paper]) -> None:
    rows = aged(found, (), day=DAY)
    for customer in "abc":
        balance = balance_of(paper for paper in found if paper.customer_id == customer)
        assert sum(rows.get(customer, {}).values(), Decimal(0)) == balance


@given(papers(), st.randoms())
def test_the_order_of_documents_changes_no_sum(found: list[Paper], random: object) -> None:
    mixed = list(found)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert aged(mixed, (), day=DAY) == aged(found, (), day=DAY)
    assert balance_of(mixed) == balance_of(found)


@given(papers(), papers())
def test_nothing_differs_from_itself_and_every_difference_has_two_sides(one: list[Paper], other: list[Paper]) -> None:
    ours, theirs = aged(one, (), day=DAY), aged(other, (), day=DAY)
    assert aging_differences(ours, ours) == []
    found = {(line.remote_id, line.figure): line.ours - line.theirs for line in aging_differences(ours, theirs)}  # type: ignore[operator]
    back = {(line.remote_id, line.figure): line.theirs - line.ours for line in aging_differences(theirs, ours)}  # type: ignore[operator]
    assert found == back
    totals = [sum((sum(row.values()) for row in side.values()), Decimal(0)) for side in (ours, theirs)]
    assert sum(found.values(), Decimal(0)) == totals[0] - totals[1]


@given(AMOUNTS, ODD)
def test_no_difference_is_too_small_to_be_told(amount: Decimal, odd: Decimal) -> None:
    told = paper_differences(invoice(open=amount), invoice(open=amount + odd))
    assert [(line.figure, line.theirs - line.ours) for line in told] == [("open", odd)]  # type: ignore[operator]
    told = account_differences(account(amount), account(amount + odd), amount)
    assert {line.figure for line in told} == {"balance", "balance_read", "balance_with_jobs"}


def test_amounts_are_compared_by_value_not_by_their_digits() -> None:
    assert paper_differences(invoice(open_="40"), invoice(open_="40.00")) == []
    assert figure("balance", Decimal("1.5"), Decimal("1.50"))["equal"] is True


@pytest.mark.parametrize(
    ("change", "figures"),
    [
        ({"total": Decimal(101)}, ["total"]),
        ({"open": Decimal(0)}, ["open"]),
        ({"void": True, "open": Decimal(0), "total": Decimal(0)}, ["total", "open", "void"]),
        ({"customer_id": "other"}, ["owner"]),
        ({"date": DAY - timedelta(days=1)}, ["date"]),
        ({"due_date": None}, ["due_date"]),
        ({"name": "1043", "contact_id": 9, "changed_at": datetime(2026, 1, 1, tzinfo=UTC)}, []),
    ],
)
def test_a_document_differs_in_what_concerns_money(change: dict[str, object], figures: list[str]) -> None:
    assert [line.figure for line in paper_differences(invoice(), invoice(**change))] == figures


def test_what_is_on_one_side_only_is_said_to_be() -> None:
    (here,), (there,) = paper_differences(invoice(), None), paper_differences(None, invoice())
    assert (here.figure, here.ours, here.theirs) == ("missing_there", Decimal(100), None)
    assert (there.figure, there.ours, there.theirs) == ("missing_here", None, Decimal(100))
    assert [line.figure for line in account_differences(None, account(Decimal(3)), Decimal(0))] == ["missing_here"]
    assert [line.figure for line in account_differences(account(Decimal(3)), None, Decimal(3))] == ["missing_there"]
    assert account_differences(None, None, Decimal(0)) == paper_differences(None, None) == []


def test_a_balance_the_books_do_not_tell_is_not_compared() -> None:
    assert account_differences(account(Decimal(5)), account(None, None), Decimal(7)) == []


@pytest.mark.parametrize(
    ("late", "place"),
    [(-5, "current"), (0, "current"), (1, "1-30"), (30, "1-30"), (31, "31-60"), (60, "31-60"), (61, "61-90"),
     (90, "61-90"), (91, "over-90"), (900, "over-90")],
)  # fmt: skip
def test_an_invoice_ages_from_its_due_date(late: int, place: str) -> None:
    due = DAY - timedelta(days=late)
    assert aged([invoice(due_date=due, date=DAY - timedelta(days=1000))], (), day=DAY)["c"] == {
        **dict.fromkeys(BUCKETS, Decimal(0)), place: Decimal(40)
    }  # fmt: skip


def test_an_unused_payment_lowers_what_is_owed_at_its_own_age() -> None:
    payment = Paper("payment", "p", "c", "", DAY - timedelta(days=45), None, Decimal(70), Decimal(30))
    row = aged([invoice(due_date=DAY), payment], (), day=DAY)["c"]
    assert (row["current"], row["31-60"]) == (Decimal(40), Decimal(-30))


def test_what_a_later_payment_settled_is_still_open_on_the_day() -> None:
    tomorrow = Paper("payment", "p", "c", "", DAY + timedelta(days=1), None, Decimal(60), Decimal(0))
    share = Share("p", "invoice", "1", Decimal(60))
    assert aged([invoice(), tomorrow], [share], day=DAY)["c"]["current"] == Decimal(100)
    assert aged([invoice(), tomorrow], [share], day=DAY + timedelta(days=1))["c"]["1-30"] == Decimal(40)


def test_a_later_invoice_does_not_count_and_what_was_paid_on_it_is_unused() -> None:
    later = invoice(date=DAY + timedelta(days=3), due_date=DAY + timedelta(days=3))
    payment = Paper("payment", "p", "c", "", DAY, None, Decimal(60), Decimal(0))
    rows = aged([later, payment], [Share("p", "invoice", "1", Decimal(60))], day=DAY)
    assert rows["c"]["current"] == Decimal(-60)


def test_every_figure_has_a_title_people_can_read() -> None:
    names = ["count:customer", "balance", "total:credit_memo", *(f"aging:{place}" for place in BUCKETS)]
    assert [name for name in names if title(name) == name] == []
