"""Margins, items matched with products, accounts a new item needs, names."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.domain.product_matching import Matches, Named, Pair, match
from crm.domain.products import CREATABLE, NEEDS, TYPES, AccountChoice, Draft, best, choices, margin, needs, problems
from tests.domain.sales_values import examples

D = Decimal


@pytest.mark.parametrize(
    ("price", "cost", "amount", "percent"),
    [("100", "60", "40", "40.0"), ("3", "2", "1", "33.3"), ("8", "7.994", "0.006", "0.1"), ("10", "15", "-5", "-50.0"),
     ("0", "5", "-5", None), ("10", "0", "10", "100.0")],
)  # fmt: skip
def test_the_margin_is_of_the_price(price: str, cost: str, amount: str, percent: str | None) -> None:
    found = margin(D(price), D(cost))
    assert found is not None and (found.amount, found.percent) == (D(amount), percent and D(percent))


def test_an_unknown_cost_is_not_a_cost_of_nothing() -> None:
    assert margin(D(10), None) is None and margin(None, D(10)) is None


def test_a_service_that_costs_nothing_is_one_without_a_cost() -> None:
    assert margin(D(10), D("0.00"), type_="service") is None
    assert margin(D(10), D("0.00"), type_="inventory") is not None and margin(D(10), D(1), type_="service") is not None


# --- matching -------------------------------------------------------------------------------------------------


def pairs(found: Matches) -> set[tuple[str, str, str]]:
    return {(pair.item, pair.product, pair.by) for pair in found.pairs}


def test_a_sku_decides_before_a_name() -> None:
    items = [Named("i1", "Pump", "P-1"), Named("i2", "Hose")]
    products = [Named("p1", "Hose", "p-1 "), Named("p2", "Pump"), Named("p3", "hose")]
    found = match(items, products)
    assert pairs(found) == {("i1", "p1", "sku"), ("i2", "p3", "name")}
    assert (found.items_alone, found.products_alone) == ((), ("p2",))


def test_marks_in_a_name_count_and_spaces_case_and_the_ending_of_a_deleted_one_do_not() -> None:
    assert not match([Named("i", "Pipe 1/2")], [Named("p", "Pipe 12")]).pairs
    assert match([Named("i", "Garden  PIPE (deleted)")], [Named("p", "garden pipe")]).pairs == (Pair("i", "p", "name"),)


@pytest.mark.parametrize(
    ("items", "products", "words"),
    [
        ([Named("i", "A", "S")], [Named("p", "B", "S"), Named("q", "C", "S")], "2 products here have SKU S"),
        ([Named("i", "A", "S"), Named("j", "B", "S")], [Named("p", "C", "S")], "2 items in QuickBooks have SKU S"),
        ([Named("i", "A")], [Named("p", "A"), Named("q", "a")], "2 products here have the name “A”"),
        ([Named("i", "A", "S")], [Named("p", "A", "T")], "SKUs differ: S in QuickBooks, T here"),
        ([Named("i", "A", category="X")], [Named("p", "A", category="Y")], "X in QuickBooks, Y here"),
        ([Named("i", "A", type="category")], [Named("p", "A", type="service")], "one is a category"),
    ],
)
def test_whatever_is_not_certain_is_told_and_not_linked(items: list[Named], products: list[Named], words: str) -> None:
    found = match(items, products)
    assert not found.pairs and not found.items_alone and not found.products_alone
    assert all(words in doubt.sentence for doubt in found.doubts)
    assert {doubt.item for doubt in found.doubts} == {item.key for item in items}
    assert {key for doubt in found.doubts for key in doubt.products} == {product.key for product in products}


def test_the_category_tells_equal_names_apart() -> None:
    items = [Named("i1", "Standard", category="Walls"), Named("i2", "Standard", category="Floors")]
    products = [Named("p1", "Standard", category="Floors"), Named("p2", "Standard", category="Walls")]
    assert pairs(match(items, products)) == {("i1", "p2", "name"), ("i2", "p1", "name")}


def test_a_product_that_found_its_item_is_no_longer_offered_to_another() -> None:
    items = [Named("i1", "A", "S"), Named("i2", "B", "S"), Named("i3", "C")]
    found = match(items, [Named("p", "C", "S")])
    assert pairs(found) == {("i3", "p", "name")}
    assert found.items_alone == ("i1", "i2") and not found.doubts


names = st.builds(Named, key=st.just(""), name=st.sampled_from(("A", "a", "B", "C", "")),
                  sku=st.sampled_from(("", "1", "2", " 1")), category=st.sampled_from(("", "X", "Y")))  # fmt: skip


@examples(200)
@given(st.lists(names, max_size=6), st.lists(names, max_size=6), st.randoms(use_true_random=False))
def test_never_two_for_one_and_nothing_gets_lost(ones: list[Named], others: list[Named], random: object) -> None:
    items = [Named(f"i{at}", one.name, one.sku, category=one.category) for at, one in enumerate(ones)]
    products = [Named(f"p{at}", one.name, one.sku, category=one.category) for at, one in enumerate(others)]
    found = match(items, products)
    paired = [pair.item for pair in found.pairs]
    doubted = [doubt.item for doubt in found.doubts]
    assert sorted([*paired, *doubted, *found.items_alone]) == sorted(item.key for item in items)
    linked = [pair.product for pair in found.pairs]
    asked = {key for doubt in found.doubts for key in doubt.products}
    assert len(set(linked)) == len(linked) and not asked & set(linked) and all(doubt.products for doubt in found.doubts)
    assert sorted({*linked, *asked, *found.products_alone}) == sorted(product.key for product in products)
    assert not {*linked, *asked} & set(found.products_alone)
    random.shuffle(items)  # type: ignore[attr-defined]
    random.shuffle(products)  # type: ignore[attr-defined]
    assert match(items, products).doubts == found.doubts and pairs(match(items, products)) == pairs(found)


# --- accounts and drafts --------------------------------------------------------------------------------------

ACCOUNTS = (
    AccountChoice("1", "Sales", "Income", "OtherPrimaryIncome"),
    AccountChoice("2", "Sales of Product Income", "Income", "SalesOfProductIncome"),
    AccountChoice("3", "Services", "Income", "ServiceFeeIncome"),
    AccountChoice("4", "Old sales", "Income", "SalesOfProductIncome", active=False),
    AccountChoice("5", "Cost of Goods Sold", "Cost of Goods Sold", "SuppliesMaterialsCogs"),
    AccountChoice("6", "Supplies", "Expense", "SuppliesMaterials"),
    AccountChoice("7", "Inventory Asset", "Other Current Asset", "Inventory"),
    AccountChoice("8", "Undeposited Funds", "Other Current Asset", "UndepositedFunds"),
)


@pytest.mark.parametrize(
    ("type_", "chosen"),
    [("service", ["3", "5"]), ("non_inventory", ["2", "5"]), ("inventory", ["2", "5", "7"]), ("category", []),
     ("group", [])],
)  # fmt: skip
def test_each_type_asks_for_its_accounts_with_the_found_default(type_: str, chosen: list[str]) -> None:
    found = [best(need, ACCOUNTS)[0] for need in needs(type_)]
    assert [account and account.remote_id for account in found] == chosen
    assert set(NEEDS) == set(TYPES) and set(CREATABLE) < set(TYPES)


def test_what_the_company_uses_counts_more_than_what_a_name_says() -> None:
    income = needs("inventory")[0]
    used = (*ACCOUNTS, AccountChoice("9", "Zebra", "Income", "OtherPrimaryIncome", items=3))
    account, why = best(income, used)
    assert account is not None and (account.remote_id, why) == ("9", "Zebra: used by 3 items of this type already.")
    assert [one.remote_id for one in choices(income, used)] == ["9", "2", "1", "3"]
    assert best(income, ACCOUNTS[:1])[1] == "Sales: its kind fits best."


def test_an_account_that_is_missing_there_is_told() -> None:
    account, why = best(needs("inventory")[2], ACCOUNTS[:3])
    assert account is None and "no account of type Other Current Asset" in why


@pytest.mark.parametrize(
    ("draft", "field", "words"),
    [
        (Draft(" "), "name", "missing"), (Draft("A:B"), "name", "colon"), (Draft("A\tB"), "name", "one line"),
        (Draft("A (deleted)"), "name", "inactive"), (Draft("x" * 101), "name", "101 characters"),
        (Draft("A", type="song"), "type", "Choose"), (Draft("A", "inventory", inventory_on=False), "type", "Stock"),
        (Draft("A", sku="x" * 101), "sku", "101 characters"),
        (Draft("A", description="x" * 4001), "description", "4,001"),
        (Draft("A", purchase_description="x" * 1001), "purchase_description", "1,001"),
        (Draft("A", price=D(-1)), "price", "0 or more"), (Draft("A", cost=D("NaN")), "cost", "0 or more"),
        (Draft("A", accounts={}), "income_account", "Choose the income account"),
        (Draft("A", "inventory", accounts={"income_account": "1", "expense_account": "5"}), "asset_account", "stock"),
    ],
)  # fmt: skip
def test_what_quickbooks_would_not_take_is_told_beside_its_field(draft: Draft, field: str, words: str) -> None:
    found = problems(draft)
    assert set(found) == {field} and words in found[field]


def test_a_draft_that_fits_has_no_problem() -> None:
    assert not problems(Draft("x" * 100, "service", "x" * 100, "x" * 4000, "x" * 1000, D(0), D("0.0000001")))
    assert not problems(Draft("A", accounts={"income_account": "1"}))
    assert not problems(Draft("A", type="category", accounts={}))
