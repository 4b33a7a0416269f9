"""Sales documents beyond their lines: discounts, deposits, numbers, custom fields, receipts, mails, files."""

import json
from decimal import Decimal

import pytest
import requests

from tests.sandbox.conftest import Api, line


@pytest.fixture
def sold(api: Api):
    """(customer, item, body of a sale of 100) under a name of its own."""

    def make(name: str) -> tuple[dict, dict, dict]:
        customer, item = api.customer(name), api.item(name)
        return customer, item, {"CustomerRef": {"value": customer["Id"]}, "Line": [line(item, "100")]}

    return make


def discount(**detail) -> dict:
    return {"DetailType": "DiscountLineDetail", "DiscountLineDetail": detail}


# ---------------------------------------------------------------- discount and deposit


def test_a_discount_needs_an_amount_stands_once_and_only_where_allowed(api: Api, sold):
    _, _, body = sold("Discount rules")
    ten = discount(PercentBased=True, DiscountPercent=10)
    assert api.fault("Invoice", {**body, "Line": [*body["Line"], discount(PercentBased=True)]})["code"] == "6090"
    assert api.fault("Invoice", {**body, "Line": [*body["Line"], ten, ten]})["code"] == "2600"
    api.set_company(preferences={"SalesFormsPrefs.AllowDiscount": False})
    assert api.fault("Invoice", {**body, "Line": [*body["Line"], ten]})["code"] == "6000"
    api.set_company(preferences={"SalesFormsPrefs.AllowDiscount": True})
    fixed = {**discount(PercentBased=False), "Amount": Decimal("12.34")}
    assert api.write("Invoice", {**body, "Line": [*body["Line"], fixed]})["TotalAmt"] == Decimal("87.66")


def test_a_deposit_lowers_what_is_open_where_the_company_takes_deposits(api: Api, sold):
    customer, _, body = sold("Deposit rules")
    assert api.fault("Invoice", {**body, "Deposit": 30})["code"] == "6000"
    api.set_company(preferences={"SalesFormsPrefs.AllowDeposit": True})
    assert api.fault("Invoice", {**body, "Deposit": 130})["code"] == "6000"
    made = api.write("Invoice", {**body, "Deposit": 30})
    assert (made["TotalAmt"], made["Balance"]) == (100, 70)
    assert api.read("Customer", customer["Id"])["Balance"] == 70
    api.pay(customer, "70", **{f"i{made['Id']}": "70"})
    assert api.read("Invoice", made["Id"])["Balance"] == 0
    api.set_company(preferences={"SalesFormsPrefs.AllowDeposit": False})


# ---------------------------------------------------------------- numbers


def test_a_taken_number_names_the_document_that_has_it(api: Api, sold):
    _, _, body = sold("Numbers twice")
    first = api.write("Invoice", body)
    fault = api.fault("Invoice", {**body, "DocNumber": first["DocNumber"]})
    assert fault["code"] == "6140"
    assert fault["Detail"].endswith(f"DocNumber={first['DocNumber']} is assigned to TxnType=Invoice with TxnId="
                                    f"{first['Id']}")  # fmt: skip
    second = api.write("Invoice", {**body, "DocNumber": first["DocNumber"]}, include="allowduplicatedocnum")
    both = api.fault("Invoice", {**body, "DocNumber": first["DocNumber"]})["Detail"]
    assert both.endswith(f"TxnId={first['Id']}, {second['Id']}")
    kept = {"Id": first["Id"], "SyncToken": "0", "sparse": True, "DocNumber": first["DocNumber"], "PrivateNote": "x"}
    assert api.write("Invoice", kept)["DocNumber"] == first["DocNumber"]


def test_estimates_may_share_a_number(api: Api, sold):
    _, _, body = sold("Estimates twice")
    numbers = [api.write("Estimate", {**body, "DocNumber": "Q-1"})["DocNumber"] for _ in range(2)]
    assert numbers == ["Q-1", "Q-1"]


def test_where_numbers_are_given_by_hand_none_is_made_up_unless_asked(api: Api, sold):
    _, _, body = sold("By hand")
    api.set_company(preferences={"SalesFormsPrefs.CustomTxnNumbers": True})
    assert "DocNumber" not in api.write("Invoice", body)
    assert api.write("Invoice", {**body, "DocNumber": "AUTO_GENERATE"})["DocNumber"].isdigit()
    assert api.write("Invoice", {**body, "AutoDocNumber": True})["DocNumber"].isdigit()
    api.set_company(preferences={"SalesFormsPrefs.CustomTxnNumbers": False})


# ---------------------------------------------------------------- custom fields, closed books


def test_custom_fields_are_kept_by_definition_and_wrong_ones_vanish(api: Api, sold, recorded):
    _, _, body = sold("Custom fields")
    prefs = api.set_company(custom_fields=["Crew", "Lot"])["preferences"]["SalesFormsPrefs"]["CustomField"]
    expected = recorded("read_preferences_2017")["response"]["body"]["Preferences"]["SalesFormsPrefs"]["CustomField"]
    for group, real in zip(prefs, expected, strict=True):
        assert {frozenset(one) for one in group["CustomField"]} == {frozenset(one) for one in real["CustomField"]}
    given = [{"DefinitionId": "1", "StringValue": "Blue"}, {"DefinitionId": "3", "StringValue": "dropped"},
             {"DefinitionId": "77", "StringValue": "dropped"}]  # fmt: skip
    made = api.write("Invoice", {**body, "CustomField": given})
    crew, lot = ({"DefinitionId": id, "Name": name, "Type": "StringType"} for id, name in (("1", "Crew"), ("2", "Lot")))
    assert made["CustomField"] == [{**crew, "StringValue": "Blue"}, lot]
    noted = api.write("Invoice", {"Id": made["Id"], "SyncToken": "0", "sparse": True, "PrivateNote": "kept"})
    assert noted["CustomField"] == made["CustomField"]
    long = [{"DefinitionId": "1", "StringValue": "x" * 32}]
    assert api.fault("Invoice", {**body, "CustomField": long})["code"] == "2050"
    api.set_company(custom_fields=[])


def test_books_closed_with_a_password_refuse_with_another_code(api: Api, sold):
    _, _, body = sold("Closed with password")
    api.set_company(preferences={"AccountingInfoPrefs.BookCloseDate": "2020-01-31"}, closed_with_password=True)
    assert api.fault("Invoice", {**body, "TxnDate": "2020-01-15"})["code"] == "6210"
    api.set_company(closed_with_password=False)
    assert api.fault("Invoice", {**body, "TxnDate": "2020-01-15"})["code"] == "6200"
    api.set_company(preferences={"AccountingInfoPrefs.BookCloseDate": None})


# ---------------------------------------------------------------- estimates


def test_an_estimate_keeps_who_accepted_it_and_when_it_expires(api: Api, sold):
    _, _, body = sold("Accepted by")
    made = api.write("Estimate", {**body, "ExpirationDate": "2026-12-31"})
    assert (made["TxnStatus"], made["ExpirationDate"]) == ("Pending", "2026-12-31")
    change = {"Id": made["Id"], "SyncToken": "0", "sparse": True}
    accepted = {"TxnStatus": "Accepted", "AcceptedBy": "Jo Quill", "AcceptedDate": "2026-11-20"}
    after = api.write("Estimate", {**change, **accepted})
    assert {prop: after[prop] for prop in accepted} == accepted
    assert api.fault("Estimate", {**change, "SyncToken": "1", "TxnStatus": "Won"})["code"] == "2170"
    assert api.fault("Estimate", {**change, "SyncToken": "1", "ExpirationDate": "soon"})["code"] == "2060"


@pytest.mark.parametrize("status", ["Closed", "Rejected"])
def test_an_estimate_that_is_no_longer_open_is_not_invoiced(api: Api, sold, status):
    _, _, body = sold(f"{status} before")
    estimate = api.write("Estimate", {**body, "TxnStatus": status})
    link = [{"TxnId": estimate["Id"], "TxnType": "Estimate"}]
    assert api.fault("Invoice", {**body, "LinkedTxn": link})["code"] == "620"


@pytest.mark.parametrize("operation", ["void", "delete"])
def test_when_its_invoice_goes_the_estimate_is_open_again(api: Api, sold, operation):
    _, _, body = sold(f"Reopened by {operation}")
    estimate = api.write("Estimate", body)
    invoice = api.write("Invoice", {**body, "LinkedTxn": [{"TxnId": estimate["Id"], "TxnType": "Estimate"}]})
    assert api.read("Estimate", estimate["Id"])["TxnStatus"] == "Closed"
    api.write("Invoice", {"Id": invoice["Id"], "SyncToken": "0"}, operation=operation)
    again = api.read("Estimate", estimate["Id"])
    assert (again["TxnStatus"], again["LinkedTxn"], again["SyncToken"]) == ("Pending", [], "0")


# ---------------------------------------------------------------- receipts and refunds


def test_a_sales_receipt_is_paid_at_once_and_has_the_recorded_shape(api: Api, sold, recorded):
    expected = recorded("query_salesreceipt_page")["response"]["body"]["QueryResponse"]["SalesReceipt"][0]
    customer, _, body = sold("Pays at once")
    made = api.write("SalesReceipt", body)
    assert expected.keys() - made.keys() <= {"CustomerMemo"}
    assert (made["Balance"], made["TotalAmt"]) == (0, 100)
    assert made["DepositToAccountRef"]["name"] == "Undeposited Funds"
    assert api.read("Customer", customer["Id"])["Balance"] == 0
    voided = api.write("SalesReceipt", {"Id": made["Id"], "SyncToken": "0", "sparse": True}, include="void")
    assert (voided["TotalAmt"], voided["PrivateNote"]) == (0, "Voided")
    anonymous = {prop: value for prop, value in body.items() if prop != "CustomerRef"}
    assert "CustomerRef" not in api.write("SalesReceipt", anonymous)


def test_the_recorded_change_of_a_sales_receipt_renews_its_line(api: Api, sold, recorded):
    parts = recorded("update_salesreceipt_sequence")["exchanges"]
    ids = [part["response"]["body"]["SalesReceipt"]["Line"][0]["Id"] for part in parts[:2]]
    assert ids == ["5", "6"]
    _, item, body = sold("Renews its line")
    made = api.write("SalesReceipt", body)
    changed = api.write("SalesReceipt", {"Id": made["Id"], "SyncToken": "0", "Line": [line(item, "100")]})
    assert (made["Line"][0]["Id"], changed["Line"][0]["Id"], changed["SyncToken"]) == ("1", "2", "1")


def test_a_refund_names_the_account_it_is_paid_from(api: Api, sold, recorded):
    expected = recorded("query_refundreceipt_page")["response"]["body"]["QueryResponse"]["RefundReceipt"][0]
    customer, _, body = sold("Refunded")
    assert api.fault("RefundReceipt", body)["element"] == "DepositToAccountRef"
    bank = api.select("Account", "AccountType = 'Bank'")[0]
    made = api.write("RefundReceipt", {**body, "DepositToAccountRef": {"value": bank["Id"]}})
    optional = {"CustomerMemo", "BillAddr", "BillEmail", "PaymentMethodRef"}
    assert expected.keys() - made.keys() <= optional
    assert made["DepositToAccountRef"]["name"] == bank["Name"]
    assert api.read("Customer", customer["Id"])["Balance"] == 0


# ---------------------------------------------------------------- bank deposits


def deposited(api: Api, *held: tuple[str, dict]) -> dict:
    bank = api.select("Account", "AccountType = 'Bank'")[0]
    rows = [{"Amount": record["TotalAmt"], "LinkedTxn": [{"TxnId": record["Id"], "TxnType": kind}]}
            for kind, record in held]  # fmt: skip
    return api.write("Deposit", {"DepositToAccountRef": {"value": bank["Id"]}, "Line": rows})


def test_what_is_in_a_deposit_is_frozen_until_it_is_taken_out(api: Api, sold):
    customer, _, body = sold("Deposited")
    payment, receipt = api.pay(customer, "40"), api.write("SalesReceipt", body)
    deposit = deposited(api, ("Payment", payment), ("SalesReceipt", receipt))
    assert deposit["TotalAmt"] == 140
    now = api.read("Payment", payment["Id"])
    assert now["LinkedTxn"] == [{"TxnId": deposit["Id"], "TxnType": "Deposit"}] and now["SyncToken"] == "0"
    for kind, record in (("Payment", payment), ("SalesReceipt", receipt)):
        token = {"Id": record["Id"], "SyncToken": "0", "sparse": True}
        assert api.fault(kind, {**token, "PrivateNote": "x"})["code"] == "6540"
        assert api.fault(kind, token, operation="delete")["code"] == "6540"
        assert api.fault(kind, token, include="void")["code"] == "6540"
    api.write("Deposit", {"Id": deposit["Id"], "SyncToken": "0"}, operation="delete")
    assert api.read("Payment", payment["Id"])["LinkedTxn"] == []
    api.write("Payment", {"Id": payment["Id"], "SyncToken": "0"}, operation="delete")


def test_a_payment_is_deposited_once(api: Api, sold):
    customer, _, _ = sold("Deposited once")
    payment = api.pay(customer, "40")
    first = deposited(api, ("Payment", payment))
    bank = first["DepositToAccountRef"]
    row = {"Amount": 40, "LinkedTxn": [{"TxnId": payment["Id"], "TxnType": "Payment"}]}
    assert api.fault("Deposit", {"DepositToAccountRef": bank, "Line": [row]})["code"] == "620"


# ---------------------------------------------------------------- mails, printing, files


def test_each_mail_is_counted_and_a_repeated_request_mails_once(api: Api, sold):
    def mails(id: str) -> list[str]:
        rows = requests.get(f"{api.served.url}/_sandbox/sent", params={"realm": api.realm}, timeout=10).json()
        return [row["address"] for row in rows if row["id"] == id]

    _, _, body = sold("Counts mails")
    for kind in ("Invoice", "Estimate"):
        made = api.write(kind, {**body, "BillEmail": {"Address": "first@mail.example"}})
        path, once = f"{kind.lower()}/{made['Id']}/send", {"sendTo": "second@mail.example", "requestid": f"mail-{kind}"}
        answers = [api.call("POST", path, params=once).text for _ in range(3)]
        assert len(set(answers)) == 1 and mails(made["Id"]) == ["second@mail.example"]
        assert api.read(kind, made["Id"])["BillEmail"] == {"Address": "second@mail.example"}
        api.call("POST", path)
        assert mails(made["Id"]) == ["second@mail.example"] * 2
        refused = api.call("POST", path, params={"sendTo": "nobody"})
        assert refused.json()["Fault"]["Error"][0]["code"] == "2210" and len(mails(made["Id"])) == 2


def test_a_pdf_is_a_pdf_and_a_refusal_is_told_by_its_content_type(api: Api, sold):
    _, _, body = sold("Printed")
    for kind in ("Invoice", "Estimate", "SalesReceipt"):
        made = api.write(kind, body)
        page = api.call("GET", f"{kind.lower()}/{made['Id']}/pdf", headers={"Accept": "application/pdf"})
        assert page.headers["Content-Type"] == "application/pdf"
        assert page.content.startswith(b"%PDF-1.4") and page.content.rstrip().endswith(b"%%EOF")
    missing = api.call("GET", "invoice/999999/pdf", headers={"Accept": "application/pdf"})
    assert (missing.status_code, missing.headers["Content-Type"].partition(";")[0]) == (400, "application/xml")
    assert 'code="610"' in missing.text


def test_a_file_is_attached_found_read_and_deleted(api: Api, sold, recorded):
    expected = recorded("upload_attachable_response")["response"]["body"]["AttachableResponse"][0]["Attachable"]
    _, _, body = sold("Attached")
    invoice = api.write("Invoice", body)
    refs = [{"EntityRef": {"type": "Invoice", "value": invoice["Id"]}}]
    metadata = {"AttachableRef": refs, "FileName": "plan.txt", "ContentType": "text/plain"}
    parts = {"file_metadata_01": ("attachment.json", json.dumps(metadata), "application/json"),
             "file_content_01": ("plan.txt", b"a plan", "text/plain"),
             "file_metadata_02": ("attachment.json", json.dumps({**metadata, "AttachableRef": [
                 {"EntityRef": {"type": "Invoice", "value": "999999"}}]}), "application/json"),
             "file_content_02": ("plan.txt", b"lost", "text/plain")}  # fmt: skip
    answer = api.call("POST", "upload", files=parts, headers={"Content-Type": None})
    kept, refused = answer.json()["AttachableResponse"]
    assert answer.status_code == 200 and refused["Fault"]["Error"][0]["code"] == "2500"
    made = kept["Attachable"]
    assert made.keys() == expected.keys() and made["AttachableRef"][0].keys() == expected["AttachableRef"][0].keys()
    assert len(made["Id"]) == 19 and made["Size"] == 6
    assert requests.get(made["TempDownloadUri"], timeout=10).content == b"a plan"
    where = f"AttachableRef.EntityRef.type = 'Invoice' and AttachableRef.EntityRef.value = '{invoice['Id']}'"
    assert [row["Id"] for row in api.select("Attachable", where)] == [made["Id"]]
    api.write("Attachable", {"Id": made["Id"], "SyncToken": "0"}, operation="delete")
    assert api.select("Attachable", where) == []


# ---------------------------------------------------------------- notices


def test_a_payment_tells_of_other_records_only_where_the_company_is_set_to(api: Api, sold):
    def told(since: int) -> list[tuple]:
        rows = api.served.store.connection().execute(
            "SELECT entity, verb FROM notice WHERE number>? AND realm=? ORDER BY number", (since, api.realm)
        )
        return rows.fetchall()

    def latest() -> int:
        return api.served.store.connection().execute("SELECT COALESCE(MAX(number), 0) FROM notice").fetchone()[0]

    customer, _, body = sold("Side effects")
    first, second = (api.write("Invoice", body) for _ in range(2))
    since = latest()
    api.pay(customer, "10", **{f"i{first['Id']}": "10"})
    assert told(since) == [("Payment", "created")]
    api.set_company(side_events=["Invoice", "Customer"])
    since = latest()
    api.pay(customer, "10", **{f"i{second['Id']}": "10"})
    assert told(since) == [("Invoice", "updated"), ("Customer", "updated"), ("Payment", "created")]
    api.set_company(side_events=[])


def test_change_capture_tells_of_every_kind_and_of_what_a_payment_moved(api: Api, sold):
    customer, _, body = sold("Captured")
    invoice, receipt = api.write("Invoice", body), api.write("SalesReceipt", body)
    since = api.read("Customer", customer["Id"])["MetaData"]["LastUpdatedTime"]
    api.pay(customer, "10", **{f"i{invoice['Id']}": "10"})
    api.write("SalesReceipt", {"Id": receipt["Id"], "SyncToken": "0"}, operation="delete")
    asked = {"entities": "Invoice,SalesReceipt,Payment,Bill,Vendor,Item", "changedSince": since}
    parts = api.call("GET", "cdc", params=asked).json()["CDCResponse"][0]["QueryResponse"]
    found = {kind: rows for part in parts for kind, rows in part.items() if isinstance(rows, list)}
    assert invoice["Id"] in [row["Id"] for row in found["Invoice"]]
    assert {"status": "Deleted", "Id": receipt["Id"]}.items() <= found["SalesReceipt"][-1].items()
