"""What a bookkeeper does with documents and products on the company's own pages, without any JavaScript."""

import re
from decimal import Decimal
from html import unescape

import pytest

from sandbox import rules
from sandbox.app import serving
from sandbox.times import utc_now
from tests.sandbox.test_pages import Browser


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("trade"), size=60, companies=1) as served:
        yield served


@pytest.fixture
def browser(company) -> Browser:
    return Browser(company)


def posted(browser: Browser, page: str, button: str) -> tuple[str, dict[str, str]]:
    """(address, fields) of the form that holds this button."""
    forms = re.findall(r"<form(.*?)</form>", browser.get(page).text, re.S)
    form = next(one for one in forms if f">{button}</button>" in one)
    target = re.search(r'action="/company/\d+/([^"]+)"', form)
    inputs = re.findall(r'<input (?:type="\w+" )?name="(\w+)"[^>]* value="([^"]*)"', form)
    fields = {name: unescape(value) for name, value in inputs}
    text = re.search(r'<textarea name="(\w+)"[^>]*>([^<]*)', form)
    if text:
        fields[text[1]] = unescape(text[2])
    return (target[1] if target else page), fields


def made(browser: Browser, kind: str, quantity: int = 2, **fields) -> dict:
    """A document of a customer who is there already, of an item with a price."""
    customer = browser.any("Customer", lambda one: one["Active"] and "ParentRef" not in one)
    item = browser.any("Item", lambda one: one["Type"] == "Service" and one["Active"])
    detail = {"ItemRef": {"value": item["Id"]}, "Qty": quantity, "UnitPrice": 50}
    row = {"Amount": quantity * 50, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    with browser.company.store.writing(browser.company.realm) as books:
        body = {"CustomerRef": {"value": customer["Id"]}, "Line": [row], **fields}
        return rules.create(books, kind, body, now=utc_now())


@pytest.mark.parametrize("kind", ["Estimate", "Invoice", "Payment", "CreditMemo", "SalesReceipt", "RefundReceipt",
                                  "Item", "Bill", "Vendor"])  # fmt: skip
def test_every_list_can_be_read_searched_and_followed(browser, kind):
    page = browser.get(f"list/{kind}")
    assert page.status_code == 200
    paths = set(re.findall(rf'href="/company/\d+/({kind}/\d+)"', page.text))
    assert bool(paths) == (kind != "Vendor")
    for path in sorted(paths)[:12]:
        assert browser.get(path).status_code == 200, path
    assert "Nothing here" in browser.get(f"list/{kind}", q="100% of_nothing").text
    assert browser.get("list/Customer").status_code == 404


def test_a_line_gets_another_price_and_quantity_and_an_untouched_form_changes_nothing(browser):
    invoice = made(browser, "Invoice")
    path = f"Invoice/{invoice['Id']}"
    action, fields = posted(browser, path, "Save lines")
    browser.send(action, **fields)
    assert browser.record("Invoice", invoice["Id"]) == invoice
    page = browser.send(action, **fields | {"price1": "61.5", "quantity1": "3"})
    after = browser.record("Invoice", invoice["Id"])
    assert (after["TotalAmt"], after["Line"][0]["Id"], after["SyncToken"]) == (Decimal("184.5"), "1", "1")
    assert "184.50" in page
    assert "Somebody else changed" in browser.send(action, 409, **fields | {"price1": "1"})
    fields["sync_token"] = "1"
    assert "is not a number" in browser.send(action, 422, **fields | {"price1": "cheap"})


def test_an_estimate_is_accepted_invoiced_and_then_closed(browser):
    estimate = made(browser, "Estimate")
    path = f"Estimate/{estimate['Id']}"
    action, fields = posted(browser, path, "Mark accepted")
    page = browser.send(action, **fields | {"answer": "Accepted", "name": "Jo Quill"})
    now = browser.record("Estimate", estimate["Id"])
    assert (now["TxnStatus"], now["AcceptedBy"]) == ("Accepted", "Jo Quill") and "Jo Quill" in page
    action, fields = posted(browser, path, "Create invoice")
    page = browser.send(action, **fields)
    closed = browser.record("Estimate", estimate["Id"])
    invoice = browser.record("Invoice", closed["LinkedTxn"][0]["TxnId"])
    assert (closed["TxnStatus"], invoice["TotalAmt"]) == ("Closed", estimate["TotalAmt"]) and "Invoice" in page
    assert "Create invoice" not in browser.get(path).text
    assert "is not open" in browser.send(action, 422, **fields)


def test_an_estimate_is_rejected_and_opened_again(browser):
    estimate = made(browser, "Estimate")
    action, fields = posted(browser, f"Estimate/{estimate['Id']}", "Mark rejected")
    browser.send(action, **fields | {"answer": "Rejected"})
    assert browser.record("Estimate", estimate["Id"])["TxnStatus"] == "Rejected"
    browser.send(action, **fields | {"answer": "Pending", "sync_token": "1"})
    assert browser.record("Estimate", estimate["Id"])["TxnStatus"] == "Pending"


def test_a_payment_put_into_the_bank_cannot_be_taken_back(browser):
    invoice = made(browser, "Invoice")
    action, fields = posted(browser, f"Invoice/{invoice['Id']}", "Receive payment")
    browser.send(action, **fields | {"amount": "40"})
    payment = browser.record("Invoice", invoice["Id"])["LinkedTxn"][0]["TxnId"]
    action, fields = posted(browser, f"Payment/{payment}", "Deposit in bank")
    browser.send(action, **fields)
    assert browser.record("Payment", payment)["LinkedTxn"][0]["TxnType"] == "Deposit"
    action, fields = posted(browser, f"Payment/{payment}", "Delete it")
    assert "Remove it from the deposit first" in browser.send(action, 422, **fields)


def test_a_document_is_sent_to_the_address_typed(browser):
    invoice = made(browser, "Invoice")
    action, fields = posted(browser, f"Invoice/{invoice['Id']}", "Send invoice")
    browser.send(action, **fields | {"address": "owner@pays.example"})
    assert browser.record("Invoice", invoice["Id"])["EmailStatus"] == "EmailSent"
    assert browser.notices()[-1] == ("Invoice", invoice["Id"], "emailed")
    assert browser.company.store.reading(browser.company.realm).mails()[-1]["address"] == "owner@pays.example"


def test_a_product_gets_another_price_and_count_and_an_untouched_form_changes_nothing(browser):
    item = browser.any("Item", lambda one: one["Type"] == "Inventory")
    path = f"Item/{item['Id']}"
    action, fields = posted(browser, path, "Save product")
    browser.send(action, **fields)
    assert browser.record("Item", item["Id"]) == item
    browser.send(action, **fields | {"price": "31.25", "on_hand": "0"})
    after = browser.record("Item", item["Id"])
    assert (after["UnitPrice"], after["QtyOnHand"], after["SyncToken"]) == (Decimal("31.25"), 0, "1")
    assert browser.notices()[-1] == ("Item", item["Id"], "updated")
    assert "zero or more" in browser.send(action, 422, **fields | {"price": "-1", "sync_token": "1"})
    action, fields = posted(browser, path, "Make inactive")
    browser.send(action, **fields | {"active": "no"})
    assert browser.record("Item", item["Id"])["Name"] == item["Name"] + " (deleted)"
