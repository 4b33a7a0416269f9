"""Money applied to invoices: never more than there is on either side; and payments that are there already."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.domain.errors import Invalid
from crm.domain.payments import LIKELY, Allocation, OpenCredit, OpenInvoice, Paid, apply_to, duplicates, suggest
from tests.domain.sales_values import examples

D = Decimal
TODAY = date(2026, 11, 21)
amounts = st.integers(0, 30_000).map(lambda cents: D(cents) / 100)


def invoice(key: str, balance: str, days_ago: int | None = 0, **fields: Any) -> OpenInvoice:
    day = None if days_ago is None else TODAY - timedelta(days=days_ago)
    return OpenInvoice(key, f"N{key}", day, day, D(balance), **fields)


def credit(key: str, balance: str, days_ago: int = 0, **fields: Any) -> OpenCredit:
    return OpenCredit(key, f"C{key}", TODAY - timedelta(days=days_ago), D(balance), **fields)


def numbered(make: Any) -> st.SearchStrategy[list[Any]]:
    one = st.tuples(st.integers(-500, 20_000), st.integers(0, 5))
    return st.lists(one, max_size=5).map(
        lambda drawn: [make(str(at), str(D(cents) / 100), days) for at, (cents, days) in enumerate(drawn)]
    )


def check(found: Allocation, amount: Decimal, invoices: list[OpenInvoice], credits: list[OpenCredit]) -> None:
    """Never more than there is, on any side, and not a cent that comes from nowhere."""
    balances = {one.key: one.balance for one in invoices}
    assert all(0 < part <= balances[key] for key, part in found.invoices.items())
    available = {one.key: one.balance for one in credits}
    assert all(0 < part <= available[key] for key, part in found.credits.items())
    assert 0 <= found.unapplied <= amount
    assert found.applied == amount - found.unapplied + sum(found.credits.values())


@examples(200)
@given(amounts, numbered(invoice), numbered(credit))
def test_a_suggestion_never_applies_more_than_there_is_and_leaves_nothing_that_could_be(
    amount: Decimal, invoices: list[OpenInvoice], credits: list[OpenCredit]
) -> None:
    found = suggest(amount, invoices, credits=credits)
    check(found, amount, invoices, credits)
    money = amount + sum(max(one.balance, D(0)) for one in credits)
    open_ = sum(max(one.balance, D(0)) for one in invoices)
    assert found.applied == min(money, open_)
    assert not (found.unapplied < amount and found.applied > sum(found.credits.values())) or (
        sum(found.credits.values()) == sum(max(one.balance, D(0)) for one in credits)
    )  # new money is used only where the credits are spent


@examples(200)
@given(amounts, numbered(invoice), numbered(credit), st.lists(st.integers(-100, 20_000), max_size=5))
def test_by_hand_either_all_fits_or_it_is_refused_with_a_reason(
    amount: Decimal, invoices: list[OpenInvoice], credits: list[OpenCredit], cents: list[int]
) -> None:
    parts = {one.key: D(part) / 100 for one, part in zip(invoices, cents, strict=False)}
    asked = {key: part for key, part in parts.items() if part}
    money = amount + sum(one.balance for one in credits)
    fits = (
        all(0 < part <= one.balance for one in invoices if (part := asked.get(one.key, D(0))))
        and all(one.balance > 0 for one in credits)
        and sum(asked.values()) <= money
        and (amount > 0 or (bool(credits) and bool(asked)))
    )
    if fits:
        found = apply_to(amount, parts, invoices, credits=credits)
        check(found, amount, invoices, credits)
        assert found.invoices == asked
    else:
        with pytest.raises(Invalid) as refused:
            apply_to(amount, parts, invoices, credits=credits)
        assert refused.value.fields and all(text.endswith(".") for text in refused.value.fields.values())


def test_the_oldest_is_paid_first_and_the_rest_stays_a_credit() -> None:
    late, later, undated = invoice("late", "50", 40), invoice("later", "30", 10), invoice("undated", "5", None)
    found = suggest(D(60), [undated, later, late])
    assert found.invoices == {"late": 50, "later": 10} and found.unapplied == 0
    assert suggest(D(100), [undated, later, late]).unapplied == 15
    assert suggest(D("0"), [late]).invoices == {}


def test_an_invoice_that_is_paid_exactly_comes_before_older_ones() -> None:
    assert suggest(D(30), [invoice("late", "50", 40), invoice("exact", "30", 1)]).invoices == {"exact": 30}


def test_a_credit_alone_pays_and_credits_go_before_money() -> None:
    found = apply_to(D(0), {"1": D(40)}, [invoice("1", "50")], credits=[credit("new", "30", 1), credit("old", "30", 9)])
    assert (found.credits, found.unapplied) == ({"old": 30, "new": 10}, 0)
    assert apply_to(D(50), {"1": D(40)}, [invoice("1", "50")], credits=[credit("c", "30")]).unapplied == 40


@pytest.mark.parametrize(
    ("amount", "parts", "field", "words"),
    [
        ("10", {"1": "10.01"}, "parts", "10.01 USD is applied, but there is 10.00 USD"),
        ("90", {"1": "50.01"}, "parts-1", "Only 50.00 USD is open on invoice N1"),
        ("90", {"gone": "1"}, "parts-gone", "not open any more"),
        ("90", {"other": "1"}, "parts-other", "another customer's"),
        ("90", {"eur": "1"}, "parts-eur", "is in EUR, the payment in USD"),
        ("90", {"1": "-1"}, "parts-1", "no amount of USD"), ("90", {"1": "0.001"}, "parts-1", "no amount of USD"),
        ("90", {"1": "NaN"}, "parts-1", "no amount of USD"),
        ("0", {}, "amount", "missing"), ("-5", {}, "amount", "above 0"), ("NaN", {}, "amount", "above 0"),
        ("1.005", {}, "amount", "2 decimals"),
    ],
)  # fmt: skip
def test_the_reason_stands_beside_its_field(amount: str, parts: dict[str, str], field: str, words: str) -> None:
    invoices = [invoice("1", "50", customer="me"), invoice("other", "50", customer="you"),
                invoice("eur", "50", currency="EUR")]  # fmt: skip
    with pytest.raises(Invalid) as refused:
        apply_to(D(amount), {key: D(part) for key, part in parts.items()}, invoices, customer="me")
    assert set(refused.value.fields) == {field} and words in refused.value.fields[field]


def test_credits_of_others_are_not_used_and_a_credit_needs_an_invoice() -> None:
    for wrong in (credit("c", "5", customer="you"), credit("c", "5", currency="EUR"), credit("c", "0")):
        with pytest.raises(Invalid) as refused:
            apply_to(D(5), {}, [], credits=[wrong], customer="me")
        assert set(refused.value.fields) == {"credits"}
    with pytest.raises(Invalid, match="Choose an invoice"):
        apply_to(D(0), {}, [], credits=[credit("c", "5")])


# --- there already? -------------------------------------------------------------------------------------------

ONE = Paid("new", "me", D(100), TODAY, "Check #1204", "Check", frozenset({"i"}))


def other(days: int | None = 0, **fields: Any) -> Paid:
    day = None if days is None else TODAY - timedelta(days=days)
    return Paid(**{"key": "old", "customer": "me", "amount": D(100), "date": day, **fields})


@pytest.mark.parametrize(
    ("paid", "likely"),
    [
        (other(), True), (other(1, reference="001204"), True), (other(30, reference="1204"), True),
        (other(31, reference="1204"), False), (other(2), False), (other(3, invoices=frozenset({"i"})), True),
        (other(0, reference="777"), False), (other(0, method="Cash"), False), (other(0, method="check"), True),
        (other(0, invoices=frozenset({"j"})), False), (other(None), False), (other(None, reference="1204"), True),
        (other(amount=D("100.01")), False), (other(customer="you"), False), (other(currency="EUR"), False),
        (other(key="new"), False),
    ],
)  # fmt: skip
def test_a_payment_that_seems_to_be_there_is_found(paid: Paid, likely: bool) -> None:
    assert bool(duplicates(ONE, [paid])) == likely
    assert bool(duplicates(paid, [ONE])) == likely


def test_the_reasons_are_told_in_words_and_the_likeliest_comes_first() -> None:
    same = other(0, key="same", reference="1204", method="ACH", invoices=frozenset({"i"}))
    found = duplicates(ONE, [other(0, key="weaker"), same])
    assert [like.key for like in found] == ["same", "weaker"] and all(like.score >= LIKELY for like in found)
    assert found[0].reasons == (
        "same customer and amount (100.00 USD)", "on the same day", "same reference “1204”", "for the same invoice",
        "other method: Check and ACH",
    )  # fmt: skip


def test_the_order_of_payments_changes_nothing() -> None:
    paid = [
        other(days, key=f"{days}{reference}", reference=reference) for days in (0, 1, 5) for reference in ("", "1204")
    ]
    assert len({duplicates(ONE, order) for order in itertools.permutations(paid)}) == 1
