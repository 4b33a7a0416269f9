"""What happens to records: creation, updates, names, numbers, tax, deletion, voiding."""

from decimal import Decimal

import pytest

from tests.sandbox.conftest import Api, line


def test_a_new_customer_has_the_recorded_defaults(api: Api, recorded):
    expected = recorded("create_customer_requestid_2020")["response"]["body"]["Customer"]
    made = api.customer("Doe5, Jane")
    assert expected.keys() - made.keys() == set()
    given_by_the_service = {"Id", "MetaData"}
    for prop in expected.keys() - given_by_the_service:
        assert made[prop] == expected[prop] or prop == "DefaultTaxCodeRef", prop


def test_the_recorded_create_requests_give_records_of_the_recorded_shape(api: Api, recorded):
    exchange = recorded("create_customer_response")
    made = api.write("Customer", exchange["request"]["body"])
    expected = exchange["response"]["body"]["Customer"]
    assert made.keys() == expected.keys()
    assert made["PrintOnCheckName"] == expected["PrintOnCheckName"]
    assert made["BillAddr"].keys() == expected["BillAddr"].keys()
    exchange = recorded("create_vendor_response")
    made, expected = api.write("Vendor", exchange["request"]["body"]), exchange["response"]["body"]["Vendor"]
    assert expected.keys() - made.keys() == {"V4IDPseudonym"}
    assert made["PrintOnCheckName"] == expected["PrintOnCheckName"]


def test_items_and_payments_have_the_recorded_shape(api: Api, recorded):
    expected = recorded("create_item_response")["response"]["body"]["Item"]
    assert api.item("Shape of an item").keys() == expected.keys()
    expected = recorded("create_payment_response")["response"]["body"]["Payment"]
    made = api.pay(api.customer("Shape of a payment"), "100")
    assert made.keys() == expected.keys()
    for prop in ("TotalAmt", "UnappliedAmt", "ProcessPayment", "Line", "CurrencyRef"):
        assert made[prop] == expected[prop], prop


def test_an_account_needs_its_name_even_in_a_sparse_update(api: Api):
    made = api.write("Account", {"Name": "Petty cash", "AccountType": "Bank"})
    assert made["Classification"] == "Asset"
    body = {"Id": made["Id"], "SyncToken": "0", "sparse": True, "Active": False}
    assert api.fault("Account", body)["element"] == "Name"
    assert api.write("Account", {**body, "Name": "Petty cash"})["FullyQualifiedName"] == "Petty cash (deleted)"


def test_lists_that_are_read_only_cannot_be_written(api: Api):
    for entity in ("TaxCode", "TaxRate", "CustomerType"):
        assert api.fault(entity, {"Name": "New"})["code"] == "500"


@pytest.mark.parametrize("entity", ["Invoice", "Estimate", "CreditMemo"])
def test_a_sale_has_the_recorded_shape(api: Api, recorded, entity):
    expected = recorded(f"create_{entity.lower()}_response")["response"]["body"][entity]
    customer = api.customer(f"Shape of {entity}", BillAddr={"Line1": "1 Oak"}, ShipAddr={"Line1": "2 Oak"})
    made = api.sale(entity, customer, api.item(f"For {entity}"), "100")
    assert expected.keys() - made.keys() <= {"ShipFromAddr", "LinkedTxn"}
    assert made.keys() - expected.keys() == set()
    assert made["Line"][0].keys() == expected["Line"][0].keys()
    assert made["Line"][1] == expected["Line"][1]
    for prop in ("TotalAmt", "TxnTaxDetail", "PrintStatus", "EmailStatus", "ApplyTaxAfterDiscount"):
        assert made[prop] == expected[prop], prop


def test_a_name_is_composed_of_its_parts_and_something_is_needed(api: Api):
    made = api.write("Customer", {"Title": "Dr", "GivenName": "Ada", "FamilyName": "Quill"})
    assert (made["DisplayName"], made["PrintOnCheckName"]) == ("Dr Ada Quill", "Ada Quill")
    assert api.fault("Customer", {"Notes": "nameless"})["code"] == "6080"
    assert api.fault("Customer", {"DisplayName": "a:b"})["code"] == "2040"


def test_a_sparse_update_keeps_and_a_full_update_clears_what_is_not_named(api: Api):
    made = api.customer("Sparse or full", Notes="keep", GivenName="Ada", PrimaryPhone={"FreeFormNumber": "1"})
    sparse = api.write("Customer", {"Id": made["Id"], "SyncToken": "0", "sparse": True, "Notes": "new"})
    assert (sparse["GivenName"], sparse["Notes"], sparse["SyncToken"]) == ("Ada", "new", "1")
    full = api.write("Customer", {"Id": made["Id"], "SyncToken": "1", "DisplayName": "Sparse or full"})
    assert {"GivenName", "Notes", "PrimaryPhone"}.isdisjoint(full)
    assert (full["Taxable"], full["Active"], full["SyncToken"]) == (True, True, "2")


def test_an_update_that_changes_nothing_leaves_token_and_time(api: Api):
    made = api.customer("Unchanged", Notes="same")
    again = api.write("Customer", {"Id": made["Id"], "SyncToken": "0", "sparse": True, "Notes": "same"})
    assert again == made


def test_deactivating_frees_the_name_and_coming_back_takes_it_again(api: Api):
    first = api.customer("Phoenix")
    gone = api.write("Customer", {"Id": first["Id"], "SyncToken": "0", "sparse": True, "Active": False})
    assert (gone["DisplayName"], gone["FullyQualifiedName"]) == ("Phoenix (deleted)", "Phoenix (deleted)")
    second = api.customer("Phoenix")
    back = {"Id": first["Id"], "SyncToken": "1", "sparse": True, "Active": True}
    assert api.fault("Customer", back)["code"] == "6240"
    api.write("Customer", {"Id": second["Id"], "SyncToken": "0", "sparse": True, "DisplayName": "Phoenix 2"})
    assert api.write("Customer", back)["DisplayName"] == "Phoenix"


def test_a_customer_who_owes_cannot_be_made_inactive(api: Api):
    customer = api.customer("Owes")
    api.sale("Invoice", customer, api.item("Owed for"), "5")
    token = api.read("Customer", customer["Id"])["SyncToken"]
    fault = api.fault("Customer", {"Id": customer["Id"], "SyncToken": token, "sparse": True, "Active": False})
    assert fault["code"] == "6220"


def test_sub_customers_know_level_and_path_and_follow_a_rename(api: Api):
    parent = api.customer("Head office")
    child = api.customer("Site A", Job=True, ParentRef={"value": parent["Id"]})
    assert (child["Level"], child["FullyQualifiedName"]) == (1, "Head office:Site A")
    grandchild = api.customer("Room 1", Job=True, ParentRef={"value": child["Id"]})
    assert (grandchild["Level"], grandchild["FullyQualifiedName"]) == (2, "Head office:Site A:Room 1")
    api.write("Customer", {"Id": parent["Id"], "SyncToken": "0", "sparse": True, "DisplayName": "HQ"})
    assert api.read("Customer", grandchild["Id"])["FullyQualifiedName"] == "HQ:Site A:Room 1"
    assert api.fault("Customer", {"DisplayName": "Orphan", "Job": True})["code"] == "6150"
    own = {"Id": parent["Id"], "SyncToken": "1", "sparse": True, "Job": True, "ParentRef": {"value": grandchild["Id"]}}
    assert api.fault("Customer", own)["code"] == "900"


def test_lines_are_replaced_by_id_and_the_subtotal_is_made_afresh(api: Api):
    item = api.item("Line item")
    invoice = api.sale("Invoice", api.customer("Lines"), item, "10")
    token = {"Id": invoice["Id"], "SyncToken": "0", "sparse": True}
    kept, added = {**line(item, "20"), "Id": "1"}, line(item, "5.5")
    changed = api.write("Invoice", {**token, "Line": [kept, added, invoice["Line"][-1]]})
    assert [row.get("Id") for row in changed["Line"]] == ["1", "2", None]
    assert changed["Line"][-1]["Amount"] == changed["TotalAmt"] == changed["Balance"] == Decimal("25.5")
    again = api.write("Invoice", {**token, "SyncToken": "1", "Line": [line(item, "7")]})
    assert [row.get("Id") for row in again["Line"]] == ["3", None]
    noted = api.write("Invoice", {**token, "SyncToken": "2", "PrivateNote": "lines stay"})
    assert noted["Line"] == again["Line"]


def test_amount_must_be_quantity_times_price_rounded_to_cents(api: Api):
    item, customer = api.item("Rounded"), api.customer("Rounding")
    odd = {"Qty": Decimal("3"), "UnitPrice": Decimal("0.335")}
    ref = {"value": customer["Id"]}
    assert api.fault("Invoice", {"CustomerRef": ref, "Line": [line(item, "1.00", **odd)]})["code"] == "6070"
    assert api.sale("Invoice", customer, item, "9")["TotalAmt"] == 9
    made = api.write("Invoice", {"CustomerRef": ref, "Line": [line(item, "1.01", **odd)]})
    assert made["TotalAmt"] == Decimal("1.01")


def test_tax_comes_from_the_code_and_is_rounded_per_rate(api: Api):
    code = next(code for code in api.select("TaxCode") if code["SalesTaxRateList"]["TaxRateDetail"])
    details = code["SalesTaxRateList"]["TaxRateDetail"]
    rates = [api.read("TaxRate", detail["TaxRateRef"]["value"])["RateValue"] for detail in details]
    customer, taxed, free = api.customer("Taxed"), api.item("Taxed", taxable=True), api.item("Free")
    body = {"CustomerRef": {"value": customer["Id"]}, "Line": [line(taxed, "325.75"), line(free, "10")]}
    assert api.write("Invoice", body)["TxnTaxDetail"] == {"TotalTax": 0}
    made = api.write("Invoice", {**body, "TxnTaxDetail": {"TxnTaxCodeRef": {"value": code["Id"]}}})
    parts = [(Decimal("325.75") * rate / 100).quantize(Decimal("0.01"), "ROUND_HALF_UP") for rate in rates]
    assert [row["Amount"] for row in made["TxnTaxDetail"]["TaxLine"]] == parts
    assert made["TxnTaxDetail"]["TotalTax"] == sum(parts)
    assert made["TotalAmt"] == Decimal("335.75") + sum(parts)
    imposed = {"TxnTaxCodeRef": {"value": code["Id"]}, "TotalTax": Decimal("1.23")}
    assert api.write("Invoice", {**body, "TxnTaxDetail": imposed})["TotalAmt"] == Decimal("336.98")


def test_a_discount_in_percent_lowers_the_total(api: Api):
    item = api.item("Discounted")
    discount = {"DetailType": "DiscountLineDetail", "DiscountLineDetail": {"PercentBased": True, "DiscountPercent": 10}}
    body = {"CustomerRef": {"value": api.customer("Haggler")["Id"]}, "Line": [line(item, "200"), discount]}
    assert api.write("Estimate", body)["TotalAmt"] == Decimal("180")


def test_numbers_count_up_and_a_taken_invoice_number_is_refused_unless_allowed(api: Api):
    item, customer = api.item("Numbered"), api.customer("Numbers")
    first, second = (api.sale("Invoice", customer, item, "1") for _ in range(2))
    assert int(second["DocNumber"]) == int(first["DocNumber"]) + 1
    body = {"CustomerRef": {"value": customer["Id"]}, "Line": [line(item, "1")], "DocNumber": first["DocNumber"]}
    assert api.fault("Invoice", body)["code"] == "6140"
    assert api.write("Invoice", body, include="allowduplicatedocnum")["DocNumber"] == first["DocNumber"]


def test_the_due_date_follows_the_term(api: Api):
    term = next(term for term in api.select("Term") if term.get("DueDays") == 15)
    customer = api.customer("On terms", SalesTermRef={"value": term["Id"]})
    made = api.sale("Invoice", customer, api.item("Due"), "1", TxnDate="2026-02-20")
    assert (made["DueDate"], made["SalesTermRef"]["value"]) == ("2026-03-07", term["Id"])


def test_deleting_answers_as_recorded_and_leaves_610(api: Api, recorded):
    expected = recorded("delete_invoice_sequence")["exchanges"][1]["response"]["body"]["Invoice"]
    made = api.sale("Invoice", api.customer("Deleted"), api.item("Deleted"), "1")
    answer = api.write("Invoice", {"Id": made["Id"], "SyncToken": "0"}, operation="delete")
    assert answer == {**expected, "Id": made["Id"]}
    assert api.call("GET", f"invoice/{made['Id']}").json()["Fault"]["Error"][0]["code"] == "610"
    assert api.fault("Customer", {"Id": "1", "SyncToken": "0"}, operation="delete")["code"] == "500"


def test_voiding_an_invoice_zeroes_it_as_recorded(api: Api, recorded):
    before, after = (part["response"]["body"]["Invoice"] for part in recorded("void_invoice_sequence")["exchanges"])
    made = api.sale("Invoice", api.customer("Voided"), api.item("Voided"), "100")
    voided = api.write("Invoice", {"Id": made["Id"], "SyncToken": "0"}, operation="void")
    assert voided.keys() - made.keys() == after.keys() - before.keys() == {"PrivateNote"}
    for prop in ("TotalAmt", "Balance", "PrivateNote", "LinkedTxn", "SyncToken"):
        assert voided[prop] == after[prop], prop
    assert [row["Amount"] for row in voided["Line"]] == [row["Amount"] for row in after["Line"]]


def test_linking_an_invoice_closes_its_estimate_without_moving_the_token(api: Api):
    customer, item = api.customer("Accepts"), api.item("Estimated")
    estimate = api.sale("Estimate", customer, item, "50")
    link = [{"TxnId": estimate["Id"], "TxnType": "Estimate"}]
    invoice = api.sale("Invoice", customer, item, "50", LinkedTxn=link)
    closed = api.read("Estimate", estimate["Id"])
    assert (closed["TxnStatus"], closed["SyncToken"]) == ("Closed", "0")
    assert closed["LinkedTxn"] == [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]
    body = {"CustomerRef": {"value": customer["Id"]}, "Line": [line(item, "50")], "LinkedTxn": link}
    assert api.fault("Invoice", body)["code"] == "620"


def test_closed_books_refuse_new_changed_and_deleted_documents(api: Api):
    item, customer = api.item("Old"), api.customer("Old")
    old = api.sale("Invoice", customer, item, "1", TxnDate="2020-01-10")
    prefs = api.call("GET", "preferences").json()["Preferences"]
    change = {"Id": "1", "SyncToken": prefs["SyncToken"], "sparse": True}
    books = prefs["AccountingInfoPrefs"]
    api.write("Preferences", {**change, "AccountingInfoPrefs": {**books, "BookCloseDate": "2020-01-31"}})
    body = {"CustomerRef": {"value": customer["Id"]}, "Line": [line(item, "1")], "TxnDate": "2020-01-31"}
    token = {"Id": old["Id"], "SyncToken": "0"}
    assert api.fault("Invoice", body)["code"] == "6200"
    assert api.fault("Invoice", {**token, "sparse": True, "PrivateNote": "x"})["code"] == "6200"
    assert api.fault("Invoice", token, operation="delete")["code"] == "6200"
    prefs = api.call("GET", "preferences").json()["Preferences"]
    api.write("Preferences", {**change, "SyncToken": prefs["SyncToken"], "AccountingInfoPrefs": books})


def test_sending_needs_an_address_and_keeps_the_one_given(api: Api):
    made = api.sale("Invoice", api.customer("Mailed"), api.item("Mailed"), "1")
    assert api.call("POST", f"invoice/{made['Id']}/send").json()["Fault"]["Error"][0]["code"] == "6420"
    sent = api.call("POST", f"invoice/{made['Id']}/send", params={"sendTo": "a@b.example"}).json()["Invoice"]
    assert (sent["BillEmail"], sent["EmailStatus"]) == ({"Address": "a@b.example"}, "EmailSent")
    assert sent["DeliveryInfo"]["DeliveryType"] == "Email"
