"""Products and services: what each type needs, bundles on documents, and quantities that follow what is sold."""

from decimal import Decimal

import pytest

from sandbox import serving
from tests.sandbox.conftest import Api, connected, line


@pytest.fixture
def accounts(api: Api) -> dict[str, dict]:
    api.set_company(preferences={"ProductAndServicesPrefs.QuantityOnHand": True})
    named = {account["Name"]: {"value": account["Id"]} for account in api.select("Account", tail="maxresults 1000")}
    return {
        "IncomeAccountRef": named["Sales of Product Income"], "AssetAccountRef": named["Inventory Asset"],
        "ExpenseAccountRef": named["Cost of Goods Sold"], "Checking": named["Checking"],
    }  # fmt: skip


@pytest.fixture
def stocked(api: Api, accounts):
    """Makes inventory items of twenty pieces."""

    def make(name: str, **fields) -> dict:
        own = {prop: accounts[prop] for prop in ("IncomeAccountRef", "AssetAccountRef", "ExpenseAccountRef")}
        body = {"Name": name, "Type": "Inventory", "TrackQtyOnHand": True, "QtyOnHand": 20, "UnitPrice": 5,
                "InvStartDate": "2026-01-01", **own, **fields}  # fmt: skip
        return api.write("Item", body)

    return make


def on_hand(api: Api, item: dict) -> Decimal:
    return api.read("Item", item["Id"])["QtyOnHand"]


def pieces(item: dict, quantity: str) -> dict:
    count = Decimal(quantity)
    return line(item, str(count * 5), Qty=count, UnitPrice=5)


def test_an_inventory_item_has_the_recorded_shape(stocked, recorded):
    expected = recorded("create_item_inventory")["response"]["body"]["Item"]
    made = stocked("Garden supplies", ReorderPoint=3, Sku="GS-1")
    assert expected.keys() <= made.keys()
    assert made.keys() - expected.keys() <= {"ReorderPoint", "Sku", "DeferredRevenue"}
    assert (made["QtyOnHand"], made["ReorderPoint"], made["Type"]) == (20, 3, "Inventory")


def test_a_category_has_the_recorded_shape_and_no_accounts(api: Api, recorded):
    expected = recorded("create_item_category")["response"]["body"]["Item"]
    parent = api.write("Item", {"Name": "Trees", "Type": "Category"})
    made = api.write(
        "Item",
        {"Name": "Cedar", "Type": "Category", "SubItem": True, "ParentRef": {"value": parent["Id"]}},
    )
    assert made.keys() == expected.keys()
    assert (made["FullyQualifiedName"], made["Level"]) == ("Trees:Cedar", 1)


def test_names_are_unique_by_path_and_skus_are_not(api: Api, accounts):
    shelf = api.write("Item", {"Name": "Shelf", "Type": "Category"})
    body = {"Name": "Pump", "Type": "Service", "Sku": "P-1", "IncomeAccountRef": accounts["IncomeAccountRef"]}
    first = api.write("Item", body)
    assert api.fault("Item", body)["code"] == "6240"
    below = api.write("Item", {**body, "SubItem": True, "ParentRef": {"value": shelf["Id"]}})
    assert below["FullyQualifiedName"] == "Shelf:Pump" and below["Sku"] == first["Sku"]


def test_a_type_asks_for_the_accounts_it_books_to(api: Api, accounts):
    assert api.fault("Item", {"Name": "Sold", "Type": "Service"})["element"] == "IncomeAccountRef"
    sold = {"Name": "Bought", "Type": "NonInventory", "IncomeAccountRef": accounts["IncomeAccountRef"]}
    assert api.fault("Item", {**sold, "PurchaseCost": 3})["element"] == "ExpenseAccountRef"
    wrong = {**sold, "IncomeAccountRef": accounts["Checking"]}
    assert api.fault("Item", wrong)["code"] == "6430"
    body = {"Name": "Stock", "Type": "Inventory", "TrackQtyOnHand": True, "QtyOnHand": 1, "InvStartDate": "2026-01-01"}
    assert api.fault("Item", body)["element"] == "IncomeAccountRef"
    api.set_company(preferences={"ProductAndServicesPrefs.QuantityOnHand": False})
    assert api.fault("Item", body)["code"] == "5020"


def test_an_inventory_item_keeps_its_type_and_its_counting(api: Api, stocked):
    made = stocked("Keeps counting")
    change = {"Id": made["Id"], "SyncToken": "0", "sparse": True}
    assert api.fault("Item", {**change, "Type": "Service"})["code"] == "6000"
    assert api.fault("Item", {**change, "TrackQtyOnHand": False})["code"] == "6000"
    assert api.write("Item", {**change, "QtyOnHand": 12})["QtyOnHand"] == 12
    gone = api.write("Item", {**change, "SyncToken": "1", "Active": False})
    assert gone["Name"] == "Keeps counting (deleted)"
    body = {"CustomerRef": {"value": api.customer("Buys nothing")["Id"]}, "Line": [pieces(made, "1")]}
    assert api.fault("Invoice", body)["code"] == "610"


def test_sales_lower_and_credits_voids_and_deletions_raise_the_quantity_on_hand(api: Api, stocked):
    item, customer = stocked("Counted"), api.customer("Buys pieces")
    body = {"CustomerRef": {"value": customer["Id"]}, "Line": [pieces(item, "3")]}
    invoice = api.write("Invoice", body)
    moved = api.read("Item", item["Id"])
    assert (moved["QtyOnHand"], moved["SyncToken"]) == (17, "0")
    token = {"Id": invoice["Id"], "SyncToken": "0", "sparse": True}
    api.write("Invoice", {**token, "Line": [{**pieces(item, "4.5"), "Id": "1"}]})
    assert on_hand(api, item) == Decimal("15.5")
    api.write("CreditMemo", {**body, "Line": [pieces(item, "1")]})
    assert on_hand(api, item) == Decimal("16.5")
    api.write("Invoice", {"Id": invoice["Id"], "SyncToken": "1"}, operation="void")
    assert on_hand(api, item) == 21
    api.write("Invoice", {"Id": invoice["Id"], "SyncToken": "2"}, operation="delete")
    assert on_hand(api, item) == 21
    api.write("Estimate", body)
    assert on_hand(api, item) == 21


def test_a_counted_item_needs_a_quantity_and_a_day_after_counting_began(api: Api, stocked):
    item = stocked("Needs a quantity")
    body = {"CustomerRef": {"value": api.customer("No quantity")["Id"]}, "Line": [line(item, "5")]}
    assert api.fault("Invoice", body)["code"] == "6520"
    early = {**body, "Line": [pieces(item, "1")], "TxnDate": "2025-12-31"}
    assert api.fault("Invoice", early)["code"] == "6270"


def bundle(api: Api, name: str, *members: tuple[dict, int]) -> dict:
    rows = [{"ItemRef": {"value": item["Id"]}, "Qty": quantity} for item, quantity in members]
    return api.as_owner("Item", "create", {"Name": name, "Type": "Group", "ItemGroupDetail": {"ItemGroupLine": rows}})


def test_a_bundle_is_read_and_used_but_not_made_through_the_api(api: Api, stocked):
    pump, work = stocked("Bundle pump"), api.item("Bundle work")
    api.write("Item", {"Id": work["Id"], "SyncToken": "0", "sparse": True, "UnitPrice": Decimal("12.50")})
    body = {"Name": "By API", "Type": "Group", "ItemGroupDetail": {"ItemGroupLine": [{"ItemRef": {"value": "1"}}]}}
    assert api.fault("Item", body)["code"] == "6000"
    made = bundle(api, "Pump fitted", (pump, 2), (work, 3))
    names = [row["ItemRef"]["name"] for row in made["ItemGroupDetail"]["ItemGroupLine"]]
    assert names == ["Bundle pump", "Bundle work"]
    group = {"DetailType": "GroupLineDetail",
             "GroupLineDetail": {"GroupItemRef": {"value": made["Id"]}, "Quantity": 2}}  # fmt: skip
    body = {"CustomerRef": {"value": api.customer("Buys a bundle")["Id"]}, "Line": [group, line(work, "1")]}
    invoice = api.write("Invoice", body)
    first, second, subtotal = invoice["Line"]
    members = first["GroupLineDetail"]["Line"]
    assert [(row["Amount"], row["SalesItemLineDetail"]["Qty"]) for row in members] == [(20, 4), (75, 6)]
    assert first["Amount"] == 95 and subtotal["Amount"] == invoice["TotalAmt"] == 96
    assert len({first["Id"], second["Id"], *(row["Id"] for row in members)}) == 4
    assert on_hand(api, pump) == 16
    echoed = {"Id": invoice["Id"], "SyncToken": "0", "sparse": True, "Line": invoice["Line"]}
    assert api.write("Invoice", echoed) == invoice
    api.write("Invoice", {"Id": invoice["Id"], "SyncToken": "0"}, operation="void")
    voided = api.read("Invoice", invoice["Id"])["Line"][0]
    assert [row["Amount"] for row in voided["GroupLineDetail"]["Line"]] == [0, 0] and on_hand(api, pump) == 20


def test_a_category_or_bundle_cannot_stand_on_an_item_line(api: Api, stocked):
    shelf = api.write("Item", {"Name": "Only a shelf", "Type": "Category"})
    group = bundle(api, "Only a bundle", (stocked("Inside"), 1))
    customer = {"value": api.customer("Wrong lines")["Id"]}
    for item in (shelf, group):
        assert api.fault("Invoice", {"CustomerRef": customer, "Line": [line(item, "1")]})["code"] == "6000"


def test_the_recorded_items_are_rebuilt_field_by_field(recorded):
    """Every recorded item but the accounts' own ids goes through the create rules and comes back the same."""
    rows = [row for row in recorded("query_item_page")["response"]["body"]["QueryResponse"]["Item"]
            if row["Type"] in ("Service", "NonInventory", "Inventory") and row["Active"]]  # fmt: skip
    assert len(rows) > 10
    with serving(size=30, companies=1) as served:
        api = connected(served)
        api.set_company(preferences={"ProductAndServicesPrefs.QuantityOnHand": True})
        kinds = {"IncomeAccountRef": "Sales of Product Income", "ExpenseAccountRef": "Cost of Goods Sold",
                 "AssetAccountRef": "Inventory Asset"}  # fmt: skip
        refs = {prop: {"value": api.select("Account", f"Name = '{name}'")[0]["Id"]} for prop, name in kinds.items()}
        for row in rows:
            given = {prop: value for prop, value in row.items() if prop not in ("Id", "SyncToken", "MetaData",
                     "ParentRef", "SubItem", "Level", "PrefVendorRef", "TaxClassificationRef")}  # fmt: skip
            given |= {prop: ref for prop, ref in refs.items() if prop in row}
            made = api.write("Item", {**given, "Name": row["Name"] + " again"})
            own = {"Id", "SyncToken", "MetaData", "Name", "FullyQualifiedName", *kinds}
            for prop in given.keys() - own:
                assert made[prop] == row[prop], (row["Name"], prop)
