"""The rest of the made-up company's price list: stock numbers and costs, categories, stock, bundles.

The eighteen products that documents are made of stay in `lists`; here is what a real list has beside them. Shapes as
in query_item_page, create_item_inventory and create_item_category.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

# Product id -> stock number. One number stands on two items, as happens, and not every item has one.
SKUS = {
    "1": "INSP-100", "2": "ENG-200", "5": "PIER-PUSH", "6": "PIER-HEL", "7": "CFS-12", "8": "ANCH-WALL",
    "9": "DRAIN-INT", "14": "SP-50", "15": "SP-BATT", "16": "DH-70", "17": "DS-EXT", "18": "INSP-100",
}  # fmt: skip
# Product id -> (what it costs in cents, the account it is bought on).
COSTS = {
    "2": (42000, "Subcontractors"), "5": (61250, "Cost of Goods Sold"), "6": (68900, "Cost of Goods Sold"),
    "7": (21450, "Cost of Goods Sold"), "14": (21500, "Cost of Goods Sold"), "15": (46890, "Cost of Goods Sold"),
    "16": (78000, "Cost of Goods Sold"), "17": (1985, "Cost of Goods Sold"),
}  # fmt: skip
CATEGORIES = (("Pumps and drainage", ""), ("Crawl space", ""), ("Fittings", "Pumps and drainage"))
# name, category, stock number, price and cost in cents, on hand, reorder at
STOCK = (
    ("Check valve 1-1/2 in", "Pumps and drainage:Fittings", "CV-150", 2895, 1120, 64, 20),
    ("Sump basin 18 in", "Pumps and drainage", "SB-18", 7450, 3610, 22, 8),
    ("Discharge hose 24 ft", "Pumps and drainage:Fittings", "DH-24", 3499, 1475, 7, 12),
    ("Float switch", "Pumps and drainage:Fittings", "FS-01", 4250, 1890, 31, 10),
    ("Vapor barrier 20 mil roll", "Crawl space", "VB-20", 38900, 24150, 18, 6),
    ("Seam tape", "Crawl space", "ST-4", 1895, 720, 120, 40),
    ("Foundation vent cover", "Crawl space", "FVC-816", 1650, 610, 0, 15),
)
# name, stock number, members as (item name, quantity)
BUNDLES = (
    ("Sump pump installed", "KIT-SUMP", (("Sump pump 1/2 HP", 1), ("Sump basin 18 in", 1), ("Check valve 1-1/2 in", 1),
                                          ("Labor", 3))),
    ("Crawl space starter kit", "KIT-CRAWL", (("Vapor barrier 20 mil roll", 2), ("Seam tape", 6),
                                              ("Foundation vent cover", 4))),
)  # fmt: skip
FIRST_FREE = 19  # ids of the items here follow those of `lists.PRODUCTS`
NAMED = {"Sump pump 1/2 HP": ("14", "NonInventory"), "Labor": ("13", "Service")}


def items(accounts: dict[str, str], stamp: Callable[[str], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The items without Id and MetaData, in the order of their ids. `accounts` maps names to ids."""
    known, number = dict(NAMED), FIRST_FREE
    for name, parent in CATEGORIES:
        path = f"{parent}:{name}" if parent else name
        known[path] = str(number), "Category"
        yield {"Name": name, "Active": True, "FullyQualifiedName": path, "Type": "Category", **_below(parent, known)}
        number += 1
    since = stamp("1")["MetaData"]["CreateTime"][:10]
    for name, category, sku, price, cost, count, reorder in STOCK:
        known[name] = str(number), "Inventory"
        yield {
            "Name": name, "Sku": sku, "Description": name, "Active": True, "FullyQualifiedName": f"{category}:{name}",
            "Taxable": True, "UnitPrice": Decimal(price) / 100, "Type": "Inventory", "PurchaseDesc": name,
            "PurchaseCost": Decimal(cost) / 100, "TrackQtyOnHand": True, "DeferredRevenue": False, "QtyOnHand": count,
            "ReorderPoint": reorder, "InvStartDate": since, **_below(category, known),
            **{prop: {"value": accounts[account], "name": account} for prop, account in (
                ("IncomeAccountRef", "Sales of Product Income"), ("ExpenseAccountRef", "Cost of Goods Sold"),
                ("AssetAccountRef", "Inventory Asset"))},
        }  # fmt: skip
        number += 1
    for name, sku, members in BUNDLES:
        rows = [{"ItemRef": {"value": known[item][0], "name": _path(item), "type": known[item][1]}, "Qty": quantity}
                for item, quantity in members]  # fmt: skip
        yield {"Name": name, "Sku": sku, "Description": name, "Active": True, "FullyQualifiedName": name,
               "Taxable": False, "Type": "Group", "PrintGroupedItems": True,
               "ItemGroupDetail": {"ItemGroupLine": rows}}  # fmt: skip


def _below(path: str, known: dict[str, tuple[str, str]]) -> dict[str, Any]:
    if not path:
        return {}
    ref = {"value": known[path][0], "name": path}
    return {"SubItem": True, "ParentRef": ref, "Level": path.count(":") + 1}


def _path(name: str) -> str:
    return next((f"{category}:{name}" for item, category, *_ in STOCK if item == name), name)
