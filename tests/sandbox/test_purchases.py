"""Vendors, bills and what pays them: shapes, balances, refusals."""

from decimal import Decimal

import pytest

from tests.sandbox.conftest import Api


@pytest.fixture
def accounts(api: Api) -> dict[str, dict]:
    rows = api.select("Account", tail="maxresults 1000")
    return {kind: {"value": next(row["Id"] for row in rows if row["AccountType"] == kind)}
            for kind in ("Bank", "Credit Card", "Expense")}  # fmt: skip


def cost(account: dict, amount: str, **fields) -> dict:
    return {"Amount": Decimal(amount), "DetailType": "AccountBasedExpenseLineDetail",
            "AccountBasedExpenseLineDetail": {"AccountRef": account}, **fields}  # fmt: skip


def billed(api: Api, vendor: dict, account: dict, amount: str, **fields) -> dict:
    return api.write("Bill", {"VendorRef": {"value": vendor["Id"]}, "Line": [cost(account, amount)], **fields})


def paying(vendor: dict, amount: str, bank: dict, **applied: str) -> dict:
    """The body of a bill payment; ``applied`` maps "b<bill id>" to an amount."""
    rows = [{"Amount": Decimal(part), "LinkedTxn": [{"TxnId": key[1:], "TxnType": "Bill"}]}
            for key, part in applied.items()]  # fmt: skip
    return {"VendorRef": {"value": vendor["Id"]}, "TotalAmt": Decimal(amount), "PayType": "Check",
            "CheckPayment": {"BankAccountRef": bank}, "Line": rows}  # fmt: skip


def test_a_bill_has_the_recorded_shape_and_raises_what_the_vendor_is_owed(api: Api, accounts, recorded):
    exchange = recorded("create_bill_response")
    expected = exchange["response"]["body"]["Bill"]
    vendor = api.write("Vendor", {"DisplayName": "Shape of a bill"})
    own = {"VendorRef": {"value": vendor["Id"]}, "Line": [cost(accounts["Expense"], "150")]}
    made = api.write("Bill", exchange["request"]["body"] | own)
    assert made.keys() == expected.keys() and made["Line"][0].keys() == expected["Line"][0].keys()
    for prop in ("TxnDate", "DueDate", "Balance", "TotalAmt", "CurrencyRef"):
        assert made[prop] == expected[prop], prop
    owed = api.read("Vendor", vendor["Id"])
    assert (owed["Balance"], owed["SyncToken"]) == (150, "0")


def test_a_sparse_change_of_a_bill_still_names_its_vendor(api: Api, accounts):
    vendor = api.write("Vendor", {"DisplayName": "Named again"})
    made = billed(api, vendor, accounts["Expense"], "10")
    change = {"Id": made["Id"], "SyncToken": "0", "sparse": True, "PrivateNote": "x"}
    assert api.fault("Bill", change)["element"] == "VendorRef"
    after = api.write("Bill", {**change, "VendorRef": made["VendorRef"]})
    assert (after["PrivateNote"], after["Line"], after["SyncToken"]) == ("x", made["Line"], "1")


def test_bills_of_items_fill_the_stock_and_are_checked_like_sales(api: Api):
    api.set_company(preferences={"ProductAndServicesPrefs.QuantityOnHand": True})
    item = next(row for row in api.select("Item", "Type = 'Inventory'"))
    vendor = api.write("Vendor", {"DisplayName": "Fills the stock"})
    detail = {"ItemRef": {"value": item["Id"]}, "Qty": 5, "UnitPrice": Decimal("2.5")}
    row = {"Amount": Decimal("12.5"), "DetailType": "ItemBasedExpenseLineDetail", "ItemBasedExpenseLineDetail": detail}
    made = api.write("Bill", {"VendorRef": {"value": vendor["Id"]}, "Line": [row]})
    assert api.read("Item", item["Id"])["QtyOnHand"] == item["QtyOnHand"] + 5
    wrong = {"VendorRef": {"value": vendor["Id"]}, "Line": [{**row, "Amount": 12}]}
    assert api.fault("Bill", wrong)["code"] == "6070"
    api.write("Bill", {"Id": made["Id"], "SyncToken": "0"}, operation="delete")
    assert api.read("Item", item["Id"])["QtyOnHand"] == item["QtyOnHand"]


def test_paying_bills_lowers_them_and_the_vendor_and_no_more_than_is_open(api: Api, accounts, recorded):
    expected = recorded("query_billpayment_page")["response"]["body"]["QueryResponse"]["BillPayment"][0]
    vendor = api.write("Vendor", {"DisplayName": "Is paid"})
    first, second = (billed(api, vendor, accounts["Expense"], amount) for amount in ("100", "50"))
    over = paying(vendor, "200", accounts["Bank"], **{f"b{first['Id']}": "101"})
    assert api.fault("BillPayment", over)["code"] == "6000"
    body = paying(vendor, "130", accounts["Bank"], **{f"b{first['Id']}": "100", f"b{second['Id']}": "20"})
    made = api.write("BillPayment", body)
    assert expected.keys() - made.keys() == {"CreditCardPayment", "DocNumber"}
    assert [api.read("Bill", bill["Id"])["Balance"] for bill in (first, second)] == [0, 30]
    assert api.read("Bill", first["Id"])["SyncToken"] == "1"
    assert api.read("Vendor", vendor["Id"])["Balance"] == 20  # 30 still open, 10 paid and not applied
    assert api.fault("Bill", {"Id": first["Id"], "SyncToken": "1"}, operation="delete")["code"] == "800"
    voided = api.write("BillPayment", {"Id": made["Id"], "SyncToken": "0", "sparse": True}, include="void")
    assert (voided["TotalAmt"], voided["Line"]) == (0, [])
    assert api.read("Vendor", vendor["Id"])["Balance"] == 150
    api.write("Bill", {"Id": first["Id"], "SyncToken": "2"}, operation="delete")
    assert api.read("Vendor", vendor["Id"])["Balance"] == 50


def test_a_payment_of_bills_comes_from_an_account_of_its_kind(api: Api, accounts):
    vendor = api.write("Vendor", {"DisplayName": "Paid by card"})
    assert api.fault("BillPayment", paying(vendor, "1", accounts["Expense"]))["code"] == "6430"
    card = {**paying(vendor, "1", accounts["Bank"]), "PayType": "CreditCard",
            "CreditCardPayment": {"CCAccountRef": accounts["Credit Card"]}}  # fmt: skip
    card.pop("CheckPayment")
    assert api.write("BillPayment", card)["CreditCardPayment"]["CCAccountRef"] == {
        **accounts["Credit Card"], "name": "Company Visa",
    }  # fmt: skip


def test_a_renamed_vendor_is_renamed_on_its_bills(api: Api, accounts):
    vendor = api.write("Vendor", {"DisplayName": "Old lumber"})
    made = billed(api, vendor, accounts["Expense"], "10")
    token = api.read("Vendor", vendor["Id"])["SyncToken"]
    api.write("Vendor", {"Id": vendor["Id"], "SyncToken": token, "sparse": True, "DisplayName": "New lumber"})
    after = api.read("Bill", made["Id"])
    assert (after["VendorRef"]["name"], after["SyncToken"]) == ("New lumber", "0")
