"""The calculation of documents, against a slow one of another kind and against known figures."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.domain.amounts import rounded, share_out, told
from crm.domain.sales import Deposit, Discount, Line, Rate, Tax, calculate
from tests.domain.sales_values import CURRENCIES, as_fractions, documents, examples, fairest, figures, half_up

D = Decimal
STATE, COUNTY = Rate("s", "State", D(8)), Rate("c", "County", D("0.5"))


def item(price: str, quantity: str | None = None, **fields: Any) -> Line:
    return Line(unit_price=D(price), quantity=None if quantity is None else D(quantity), **fields)


@examples(300)
@given(documents())
def test_every_figure_is_that_of_the_slow_calculation(document: dict[str, Any]) -> None:
    assert as_fractions(calculate(**document)) == figures(**document)


@examples(150)
@given(documents())
def test_what_stands_at_the_lines_sums_to_what_stands_below_them(document: dict[str, Any]) -> None:
    totals = calculate(**document)
    counting = [line for line in totals.per_line if line.counts]
    assert sum(line.amount for line in counting) == totals.subtotal
    assert sum(line.discount for line in totals.per_line) == totals.discount
    assert sum(line.tax for line in totals.per_line) == totals.tax == sum(rate.amount for rate in totals.per_rate)
    assert sum(line.net for line in totals.per_line) == totals.total - totals.tax
    assert all(not (line.discount or line.tax or line.net) for line in totals.per_line if not line.counts)


@examples(150)
@given(documents())
def test_discount_and_deposit_stay_within_what_there_is(document: dict[str, Any]) -> None:
    totals = calculate(**document)
    assert 0 <= totals.discount <= max(totals.subtotal, 0)
    assert 0 <= totals.deposit <= max(totals.total, 0)
    assert totals.due == totals.total - totals.deposit
    unit = D(1).scaleb(-CURRENCIES[totals.currency])
    for line in totals.per_line:
        assert all(not value % unit for value in (line.amount, line.discount, line.tax, line.net))


@examples(150)
@given(documents(), st.randoms(use_true_random=False))
def test_the_order_of_the_lines_changes_no_total(document: dict[str, Any], random: Any) -> None:
    lines = list(document["lines"])
    random.shuffle(lines)
    assert as_fractions(calculate(**{**document, "lines": lines})) == as_fractions(calculate(**document))


@examples(150)
@given(documents())
def test_the_callers_precision_changes_nothing(document: dict[str, Any]) -> None:
    with localcontext() as context:
        context.prec = 5
        narrow = calculate(**document)
    assert narrow == calculate(**document)


@examples(150)
@given(st.integers(-500, 500), st.lists(st.integers(-40, 90), min_size=1, max_size=6), st.sampled_from(("USD", "JPY")))
def test_sharing_out_loses_nothing_and_is_as_fair_as_can_be(amount: int, weights: list[int], currency: str) -> None:
    unit = D(1).scaleb(-CURRENCIES[currency])
    if not sum(weights):
        if amount:
            with pytest.raises(ValueError, match="sum to zero"):
                share_out(amount * unit, weights, currency)
        return
    assert [part / unit for part in share_out(amount * unit, weights, currency)] == fairest(amount, weights)


@examples(100)
@given(st.decimals(D(-9), D(9), places=4), st.sampled_from(tuple(CURRENCIES)))
def test_halves_are_rounded_away_from_zero(value: Decimal, currency: str) -> None:
    unit = 10 ** CURRENCIES[currency]
    assert Fraction(rounded(value, currency)) == Fraction(half_up(Fraction(value) * unit), unit)


@pytest.mark.parametrize(
    ("quantity", "price", "amount"),
    [("3", "0.335", "1.01"), ("2.5", "35", "87.50"), ("1", "0.005", "0.01"), ("-1", "0.005", "-0.01"),
     ("1.00001", "99999.9999999", "100001.00"), (None, "7.1", "7.10"), ("0", "9", "0")],
)  # fmt: skip
def test_a_line_is_quantity_times_price_to_the_cent(quantity: str | None, price: str, amount: str) -> None:
    assert calculate([item(price, quantity)]).subtotal == D(amount)


def test_the_longest_figures_lose_no_digit() -> None:
    assert calculate([item("99999999999", "99999999999")]).total == D(99999999999) ** 2


def test_an_amount_without_a_price_stands_for_itself_and_a_price_wins_over_an_amount() -> None:
    assert calculate([Line(amount=D("12.345"))]).total == D("12.35")
    assert calculate([Line(amount=D("12.345"), unit_price=D(3))]).total == 3
    assert calculate([Line(kind="other", amount=D(5), unit_price=D(3))]).total == 5


def test_currencies_have_their_own_decimals() -> None:
    assert calculate([item("10.5")], currency="JPY").total == 11
    assert calculate([item("10.0005")], currency="KWD").total == D("10.001")
    assert (told(D(1234), "JPY"), told(D("1234.5"), "USD")) == ("1,234 JPY", "1,234.50 USD")


@pytest.mark.parametrize(("before", "total"), [(True, "97.65"), (False, "98.50")])
def test_a_discount_is_taken_before_or_after_tax_as_the_books_explain_it(before: bool, total: str) -> None:
    found = calculate([item("100")], discount=Discount(amount=D(10), before_tax=before),
                      tax=Tax("us", (Rate("1", "Tax", D("8.5")),)))  # fmt: skip
    assert found.total == D(total)


def test_a_recorded_tax_and_recorded_discounts_are_met() -> None:
    assert calculate([item("325.75")], tax=Tax("us", (STATE,))).tax == D("26.06")
    for lines, percent, total in ((["300", "250", "275", "180"], 5, "954.75"), (["30", "275"], 10, "274.50")):
        found = calculate([item(price) for price in lines], discount=Discount(percent=D(percent)))
        assert found.total == D(total)


def test_untaxed_lines_bear_their_part_of_the_discount() -> None:
    lines = [item("60"), item("40", taxable=False)]
    found = calculate(lines, discount=Discount(amount=D(10)), tax=Tax("us", (STATE,)))
    assert [line.discount for line in found.per_line] == [6, 4]
    assert (found.taxable, found.tax, found.total) == (54, D("4.32"), D("94.32"))


def test_a_cent_that_cannot_be_halved_goes_to_the_taxed_lines_wherever_they_stand() -> None:
    lines = [item("10", taxable=False), item("10")]
    for order in (lines, lines[::-1]):
        assert calculate(order, discount=Discount(amount=D("0.01")), tax=Tax("us", (STATE,))).taxable == D("9.99")


def test_tax_is_rounded_once_per_rate_and_not_per_line() -> None:
    found = calculate([item("0.06"), item("0.06"), item("0.06")], tax=Tax("us", (STATE,)))
    assert found.tax == D("0.01")  # line by line it would be nothing
    two = calculate([item("0.99")], tax=Tax("us", (STATE, COUNTY)))
    assert [rate.amount for rate in two.per_rate] == [D("0.08"), D("0.00")]  # together it would be the same 8.5 %


def test_two_codes_with_one_rate_in_common_are_one_sum_for_that_rate() -> None:
    codes = {"A": (STATE,), "B": (STATE, COUNTY)}
    found = calculate([item("0.06", tax_code="A"), item("0.06", tax_code="B")], tax=Tax("exclusive", codes=codes))
    assert [(rate.rate, rate.taxable, rate.amount) for rate in found.per_rate] == [
        (STATE, D("0.12"), D("0.01")), (COUNTY, D("0.06"), 0)
    ]  # fmt: skip


def test_prices_that_hold_their_tax_give_it_back() -> None:
    vat = {"S": (Rate("s", "VAT", D(20)),), "R": (Rate("r", "Reduced", D(5)),)}
    found = calculate([item("120", tax_code="S"), item("10.50", tax_code="R")], tax=Tax("inclusive", codes=vat))
    assert (found.subtotal, found.total, found.tax, found.taxable) == (D("130.50"), D("130.50"), D("20.50"), 110)
    assert [line.net for line in found.per_line] == [100, 10]
    assert [rate.taxable for rate in found.per_rate] == [100, 10]


def test_an_exempt_customer_bears_no_tax() -> None:
    assert calculate([item("100")], tax=Tax("us", (STATE,), exempt=True)).total == 100


def test_options_count_once_chosen_and_a_bundle_with_its_members() -> None:
    option = item("50", key="o", optional=True)
    bundle = [Line(kind="group", key="g", optional=True), item("7", key="m", within="g")]
    assert calculate([item("1"), option, *bundle]).total == 1
    assert calculate([item("1"), replace(option, chosen=True), *bundle]).total == 51
    taken = calculate([item("1"), option, replace(bundle[0], chosen=True), bundle[1]])
    assert (taken.total, taken.per_line[2].amount, taken.per_line[2].counts) == (8, 7, False)


def test_a_section_shows_what_counts_until_the_next_one() -> None:
    lines = [Line(kind="section"), item("1"), item("9", optional=True), Line(kind="section"), item("2"), item("3")]
    assert [line.amount for line in calculate(lines).per_line] == [1, 1, 9, 5, 2, 3]


def test_a_discount_beyond_the_lines_and_a_deposit_beyond_the_total_stop_there() -> None:
    found = calculate([item("10")], discount=Discount(amount=D(11)), deposit=Deposit(amount=D(5)))
    assert (found.discount, found.total, found.deposit, found.due) == (10, 0, 0, 0)
    assert calculate([item("10")], deposit=Deposit(amount=D(50))).deposit == 10
    assert calculate([item("-10")], discount=Discount(percent=D(10))).discount == 0


def test_the_percent_wins_over_the_amount() -> None:
    both = calculate([item("10")], discount=Discount(D(50), D(1)), deposit=Deposit(D(10), D(4)))
    assert (both.discount, both.deposit) == (5, D("0.50"))


@pytest.mark.parametrize("wrong", ["NaN", "Infinity", "1E+90", "-1E+40"])
def test_nonsense_counts_as_nothing_and_stops_nothing(wrong: str) -> None:
    for place in itertools.chain(("quantity", "unit_price"), ("percent", "amount")):
        line = item("4", "2") if place in ("percent", "amount") else replace(item("4", "2"), **{place: D(wrong)})
        share = {place: D(wrong)} if place in ("percent", "amount") else {}
        found = calculate([line], discount=Discount(**share), deposit=Deposit(**share))
        assert found.total in (0, 8)
