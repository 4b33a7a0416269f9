"""Products: margin, the accounts a new item needs with the default found among those of the books, names. Pure.

Called by the form of a product and before one is sent. Which item of the books is which product of ours:
`product_matching`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from crm.domain.amounts import HUNDRED, exactly
from crm.domain.names import fold, without_deleted

TYPES: dict[str, str] = {
    "service": "Service", "non_inventory": "Non-inventory", "inventory": "Inventory", "group": "Bundle",
    "category": "Category",
}  # fmt: skip
CREATABLE = ("service", "non_inventory", "inventory", "category")
"""Types QuickBooks takes from outside; a bundle is made there."""
LONGEST_NAME, LONGEST_SKU, LONGEST_DESCRIPTION, LONGEST_PURCHASE = 100, 100, 4000, 1000


# --- margin ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Margin:
    amount: Decimal
    """Price less cost; negative where it is sold below cost."""
    percent: Decimal | None
    """Of the price, to a tenth; None where the price is zero."""


def margin(price: Decimal | None, cost: Decimal | None, *, type_: str = "") -> Margin | None:
    """None where either is unknown: an unknown cost is not a cost of zero. A service (`type_`, of TYPES) that costs
    0.00 is one whose cost nobody entered: QuickBooks fills in the zero."""
    if price is None or cost is None or (type_ == "service" and not cost):
        return None
    with exactly():
        share = ((price - cost) * HUNDRED / price).quantize(Decimal("0.1"), ROUND_HALF_UP) if price else None
        return Margin(price - cost, share)


# --- accounts of a new item -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Need:
    field: str
    """income_account, expense_account, asset_account."""
    title: str
    required: bool
    types: tuple[str, ...]
    """AccountType there, any of these."""
    subtypes: tuple[str, ...]
    """AccountSubType that fits best, in this order."""
    sentence: str


_INCOME = Need("income_account", "Income account", True, ("Income",),
               ("ServiceFeeIncome", "SalesOfProductIncome", "OtherPrimaryIncome"),
               "Where what it sells for is booked.")  # fmt: skip
_PRODUCT_INCOME = Need("income_account", "Income account", True, ("Income",),
                       ("SalesOfProductIncome", "OtherPrimaryIncome", "ServiceFeeIncome"),
                       "Where what it sells for is booked.")  # fmt: skip
_EXPENSE = Need("expense_account", "Expense account", False, ("Cost of Goods Sold", "Expense", "Other Expense"),
                ("SuppliesMaterialsCogs", "CostOfLaborCos", "SuppliesMaterials"),
                "Needed only if you also buy it: where the cost is booked.")  # fmt: skip
_COST = Need("expense_account", "Cost of goods sold", True, ("Cost of Goods Sold",), ("SuppliesMaterialsCogs",),
             "Where its cost is booked when it is sold.")  # fmt: skip
_ASSET = Need("asset_account", "Inventory asset account", True, ("Other Current Asset",), ("Inventory",),
              "Where what is in stock is booked.")  # fmt: skip
NEEDS: Mapping[str, tuple[Need, ...]] = {
    "service": (_INCOME, _EXPENSE),
    "non_inventory": (_PRODUCT_INCOME, _EXPENSE),
    "inventory": (_PRODUCT_INCOME, _COST, _ASSET),
    "category": (),
    "group": (),
}


@dataclass(frozen=True, slots=True)
class AccountChoice:
    """An account of the books."""

    remote_id: str
    name: str
    type: str
    """AccountType as QuickBooks writes it."""
    subtype: str = ""
    active: bool = True
    items: int = 0
    """How many items of this type use it already: what the company does counts more than what the name says."""


def needs(type_: str) -> tuple[Need, ...]:
    """The accounts an item of this type asks for; none of a category or bundle."""
    return NEEDS.get(type_, ())


def choices(need: Need, accounts: Iterable[AccountChoice]) -> tuple[AccountChoice, ...]:
    """The accounts QuickBooks would take, best first."""

    def worth(one: AccountChoice) -> tuple[int, int, int, str, str]:
        kind, type_ = _rank(one.subtype, need.subtypes), _rank(one.type, need.types)
        return -one.items, kind, type_, fold(one.name), one.remote_id

    return tuple(sorted((one for one in accounts if one.active and one.type in need.types), key=worth))


def best(need: Need, accounts: Iterable[AccountChoice]) -> tuple[AccountChoice | None, str]:
    """The default and why, in a sentence; nothing to be found is told with the way out."""
    found = choices(need, accounts)
    if not found:
        return (
            None,
            f"There is no account of type {need.types[0]} in QuickBooks. Make one there, then refresh the lists.",
        )
    first = found[0]
    if first.items:
        return first, f"{first.name}: used by {first.items} item{'' if first.items == 1 else 's'} of this type already."
    if first.subtype in need.subtypes:
        return first, f"{first.name}: its kind fits best."
    return first, f"{first.name}: the first that fits."


def _rank(text: str, order: Sequence[str]) -> int:
    return order.index(text) if text in order else len(order)


# --- what a new item may be -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draft:
    """A product as typed."""

    name: str
    type: str = "service"
    sku: str = ""
    description: str = ""
    purchase_description: str = ""
    price: Decimal | None = None
    cost: Decimal | None = None
    accounts: Mapping[str, str] | None = None
    """Field of a Need -> remote id; None: no books are connected, so none are asked."""
    inventory_on: bool | None = None
    """ProductAndServicesPrefs.QuantityOnHand; None: not known."""


def problems(draft: Draft) -> dict[str, str]:
    """Field -> sentence; empty where QuickBooks would take it."""
    found = {"name": name_problem(draft.name)}
    if draft.type not in TYPES:
        found["type"] = "Choose what kind of product it is."
    elif draft.type == "inventory" and draft.inventory_on is False:
        found["type"] = ("Stock is not switched on in this QuickBooks company. Choose non-inventory, or switch it on "
                         "there.")  # fmt: skip
    for field, words, text, longest in (
        ("sku", "SKU", draft.sku, LONGEST_SKU),
        ("description", "description", draft.description, LONGEST_DESCRIPTION),
        ("purchase_description", "purchase description", draft.purchase_description, LONGEST_PURCHASE),
    ):
        if len(text) > longest:
            found[field] = f"The {words} has {len(text):,} characters; QuickBooks keeps {longest:,}. Shorten it."
    for field, amount in (("price", draft.price), ("cost", draft.cost)):
        if amount is not None and (not amount.is_finite() or amount < 0):
            found[field] = f"The {field} is a number of 0 or more."
    if draft.accounts is not None:
        found |= {need.field: f"Choose the {need.title.lower()}. {need.sentence}"
                  for need in needs(draft.type) if need.required and not draft.accounts.get(need.field)}  # fmt: skip
    return {field: sentence for field, sentence in found.items() if sentence}


def name_problem(name: str) -> str:
    """Why QuickBooks would not take the name; empty where it would. Each name stands once among all items there."""
    text = name.strip()
    if not text:
        return "The name is missing. QuickBooks finds an item by its name."
    if ":" in text:
        return "The name holds a colon, which QuickBooks keeps for categories. Write it with a dash."
    if not text.isprintable():
        return "The name holds a tab or a line end. Write it in one line."
    if without_deleted(text) != text:
        return "The name ends with “(deleted)”, which QuickBooks adds to inactive items. Take it out."
    if len(text) > LONGEST_NAME:
        return f"The name has {len(text)} characters; QuickBooks keeps {LONGEST_NAME}. Shorten it."
    return ""
