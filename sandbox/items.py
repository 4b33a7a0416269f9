"""Rules of products and services: what each type needs, and what may not change any more [FACTS 5.2].

Called by ``sandbox.naming`` once name, path and references are checked. Services and non-inventory need an income
account when sold and an expense account when bought; inventory needs all three accounts of the right kinds, a start
date and a quantity; categories have no accounts; bundles list their members and cannot be made through the API.
"""

from decimal import Decimal
from typing import Any

from sandbox import checking, faults
from sandbox.store import Books

TYPES = ("Service", "NonInventory", "Inventory", "Group", "Category")
DEFAULTS = {"Taxable": False, "UnitPrice": 0, "PurchaseCost": 0, "TrackQtyOnHand": False, "DeferredRevenue": False}
INCOME = ("Income", "Other Income")
EXPENSE = ("Expense", "Cost of Goods Sold", "Other Expense")
PRICED = ("UnitPrice", "PurchaseCost", "QtyOnHand", "ReorderPoint")
MOST = Decimal(99_999_999_999)


def prepare(books: Books, record: dict, before: dict | None) -> None:
    """Check and complete an item in place. Raises the Fault QuickBooks would answer."""
    kind = record.setdefault("Type", before["Type"] if before else "Service")
    if kind not in TYPES:
        raise faults.Fault("2170", "Invalid Enumeration", f"Type: {kind} is not an item type.", element="Type")
    if before and kind != before.get("Type") and {kind, before.get("Type")} & {"Inventory", "Category", "Group"}:
        raise faults.business(f"An item of type {before.get('Type')} cannot become {kind}.")
    for prop in PRICED:
        if prop in record:
            record[prop] = checking.amount(record[prop], prop)
            if abs(record[prop]) > MOST:
                raise faults.Fault("2190", "Number out of range", f"{prop} is too large.", element=prop)
    _parent(books, record)
    if kind == "Category":
        for prop in (*DEFAULTS, "IncomeAccountRef", "ExpenseAccountRef", "AssetAccountRef"):
            record.pop(prop, None)
    elif kind == "Group":
        _group(books, record)
    elif kind == "Inventory":
        _inventory(books, record, before)
    else:
        _sold_or_bought(books, record)


def _parent(books: Books, record: dict) -> None:
    parent = books.get("Item", (record.get("ParentRef") or {}).get("value", 0))
    if record["Type"] == "Category" and parent and parent.get("Type") != "Category":
        raise faults.Fault("700", "Invalid parent", "A category can only stand below a category.")


def _sold_or_bought(books: Books, record: dict) -> None:
    if record.get("TrackQtyOnHand") or record.get("AssetAccountRef"):
        raise faults.business("Only inventory items track a quantity.")
    bought = bool(record.get("PurchaseCost") or record.get("PurchaseDesc"))
    if bought and "ExpenseAccountRef" not in record:
        raise faults.required("ExpenseAccountRef")
    if "IncomeAccountRef" not in record and (record.get("UnitPrice") or "ExpenseAccountRef" not in record):
        raise faults.required("IncomeAccountRef")
    _account(books, record, "IncomeAccountRef", INCOME)
    _account(books, record, "ExpenseAccountRef", EXPENSE)


def _inventory(books: Books, record: dict, before: dict | None) -> None:
    preferences = books.get("Preferences", 1) or {}
    if not before and not preferences.get("ProductAndServicesPrefs", {}).get("QuantityOnHand"):
        raise faults.Fault("5020", "Permission Denied Error", "Inventory is not part of this company's plan.")
    if not before:
        for prop in ("IncomeAccountRef", "ExpenseAccountRef", "AssetAccountRef", "InvStartDate", "QtyOnHand"):
            if prop not in record:
                raise faults.required(prop)
        if record["TrackQtyOnHand"] is not True:
            raise faults.required("TrackQtyOnHand")
    else:
        if not record.get("TrackQtyOnHand"):
            raise faults.business("An inventory item keeps tracking its quantity.")
        for prop in ("InvStartDate", "QtyOnHand"):
            record.setdefault(prop, before[prop])
    record["InvStartDate"] = checking.day(record.get("InvStartDate"), "InvStartDate").isoformat()
    _account(books, record, "IncomeAccountRef", ("Income",), "SalesOfProductIncome")
    _account(books, record, "ExpenseAccountRef", ("Cost of Goods Sold",), "SuppliesMaterialsCogs")
    _account(books, record, "AssetAccountRef", ("Other Current Asset",), "Inventory")


def _account(books: Books, record: dict, prop: str, types: tuple[str, ...], subtype: str = "") -> None:
    """The account's name beside its id; one of another kind is refused (6430)."""
    if prop not in record:
        return
    account = books.get("Account", record[prop]["value"]) or {}
    if account.get("AccountType") not in types or subtype not in ("", account.get("AccountSubType")):
        wanted = f"{' or '.join(types)}{', ' + subtype if subtype else ''}"
        raise faults.Fault("6430", "Invalid account type used", f"{prop} must be an account of type {wanted}.")
    record[prop] = {"value": account["Id"], "name": account["FullyQualifiedName"]}


def _group(books: Books, record: dict) -> None:
    """A bundle's members: items with a quantity, no bundles or categories among them."""
    for prop in ("UnitPrice", "PurchaseCost", "TrackQtyOnHand", "DeferredRevenue"):
        record.pop(prop, None)
    rows: Any = (record.get("ItemGroupDetail") or {}).get("ItemGroupLine")
    if not rows:
        raise faults.required("ItemGroupDetail.ItemGroupLine")
    listed = []
    for row in rows:
        item = checking.referred(books, "Item", row.get("ItemRef"), "ItemGroupDetail.ItemGroupLine.ItemRef")
        if item["Type"] in ("Group", "Category"):
            raise faults.business("A bundle holds items, not bundles or categories.")
        ref = {"value": item["Id"], "name": item["FullyQualifiedName"], "type": item["Type"]}
        listed.append({"ItemRef": ref, "Qty": checking.amount(row.get("Qty", 1), "ItemGroupLine.Qty")})
    record["ItemGroupDetail"] = {"ItemGroupLine": listed}
