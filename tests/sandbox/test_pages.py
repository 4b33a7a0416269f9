"""The company's own pages through real HTTP: what a person does there obeys the API's rules and reaches the app."""

import re
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from html import unescape
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from sandbox import rules
from sandbox.app import Served, serving
from sandbox.times import utc_now


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("company"), size=60, companies=1) as served:
        yield served


@pytest.fixture
def browser(company) -> "Browser":
    return Browser(company)


class Browser:
    """Fetches pages and sends their forms, as a person with a plain browser would."""

    def __init__(self, company: Served):
        self.company, self.session = company, requests.Session()
        self.home = f"{company.url}/company/{company.realm}/"

    def get(self, path: str = "", **query: str) -> requests.Response:
        return self.session.get(self.home + path, params=query, timeout=10)

    def send(self, path: str, status: int = 200, **fields: str) -> str:
        answer = self.session.post(self.home + path, data=fields, timeout=10)
        assert answer.status_code == status, answer.text
        return unescape(answer.text)

    def token(self, path: str) -> str:
        return re.search(r'name="sync_token" value="(\d+)"', self.get(path).text)[1]

    def record(self, entity: str, id: str) -> dict | None:
        return self.company.store.reading(self.company.realm).get(entity, id)

    def any(self, entity: str, wanted) -> dict:
        return next(record for record in self.company.store.reading(self.company.realm).all(entity) if wanted(record))

    def notices(self) -> list[tuple]:
        query = "SELECT entity, id, verb FROM notice ORDER BY number"
        return self.company.store.connection().execute(query).fetchall()


def fields_of(page: str) -> dict[str, str]:
    """What a form would send back unchanged."""
    inputs = re.findall(r'<input (?:type="\w+" )?name="(\w+)" value="([^"]*)"', page)
    fields = {name: unescape(value) for name, value in inputs}
    notes = re.search(r'<textarea name="notes"[^>]*>([^<]*)', page)
    return fields | {"notes": unescape(notes[1]) if notes else ""} | ({"taxable": "yes"} if "checked" in page else {})


def open_invoice(browser: Browser) -> dict:
    return browser.any("Invoice", lambda invoice: invoice["Balance"] > 100)


def test_the_front_page_names_the_company_and_says_that_nothing_is_real(browser):
    page = requests.get(browser.company.url + "/", timeout=10)
    assert page.status_code == 200 and "Simulated QuickBooks company - nothing here is real" in page.text
    assert f'href="/company/{browser.company.realm}/"' in page.text and "Bedrock Foundation Repair" in page.text
    sheet = re.search(r'href="(/static/[^"]+)"', page.text)[1]
    assert "prefers-color-scheme: dark" in requests.get(browser.company.url + sheet, timeout=10).text


def test_customers_are_found_by_any_text_of_theirs_and_inactive_ones_only_when_asked(browser):
    sample = browser.any("Customer", lambda c: c["Active"] and "PrimaryPhone" in c and "ParentRef" not in c)
    for text in (sample["DisplayName"][:9], sample["PrimaryPhone"]["FreeFormNumber"]):
        assert f'/customers/{sample["Id"]}"' in browser.get(q=text, show="all").text
    gone = browser.any("Customer", lambda c: not c["Active"])
    assert f'/customers/{gone["Id"]}"' not in browser.get(q=gone["DisplayName"]).text
    assert f'/customers/{gone["Id"]}"' in browser.get(q=gone["DisplayName"], show="inactive").text
    assert "No customer matches" in browser.get(q="100% of_nobody").text
    assert ">Next<" in browser.get(show="all").text and ">Previous<" in browser.get(show="all", page="2").text


def test_a_new_customer_is_kept_and_announced_and_its_name_cannot_be_taken_twice(browser):
    browser.send("customers/new", display_name="Zo\u00eb Quarry", phone="(816) 555-0199", taxable="yes", city="Olathe")
    made = browser.any("Customer", lambda c: c["DisplayName"] == "Zo\u00eb Quarry")
    assert made["PrimaryPhone"]["FreeFormNumber"] == "(816) 555-0199" and made["BillAddr"]["City"] == "Olathe"
    assert browser.notices()[-1] == ("Customer", made["Id"], "created")
    page = browser.send("customers/new", 422, display_name="zo\u00eb quarry", notes="typed again")
    assert f"already has this name (it is Id {made['Id']})" in page and "typed again" in page
    assert "Give the customer a display name" in browser.send("customers/new", 422, notes="nobody")


def test_saving_an_untouched_form_changes_nothing_and_a_change_changes_just_that(browser):
    before = browser.any("Customer", lambda c: c["Active"] and "BillAddr" in c and "PrimaryEmailAddr" in c)
    path = f"customers/{before['Id']}/edit"
    fields = fields_of(browser.get(path).text)
    browser.send(path, **fields)
    assert browser.record("Customer", before["Id"]) == before
    browser.send(path, **fields | {"notes": "Ring twice", "email": ""})
    after = browser.record("Customer", before["Id"])
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert changed == {"Notes", "PrimaryEmailAddr", "SyncToken", "MetaData"} and "PrimaryEmailAddr" not in after
    assert browser.notices()[-1] == ("Customer", before["Id"], "updated")


def test_a_form_opened_before_somebody_else_saved_is_refused_with_the_record_as_it_is_now(browser):
    record = browser.any("Customer", lambda c: c["Active"] and c["Notes" if "Notes" in c else "Id"] != "")
    path = f"customers/{record['Id']}/edit"
    fields = fields_of(browser.get(path).text)
    with browser.company.store.writing(browser.company.realm) as books:
        body = {"Id": record["Id"], "SyncToken": record["SyncToken"], "sparse": True, "Notes": "by the API"}
        rules.update(books, "Customer", body, now=utc_now())
    page = browser.send(path, 409, **fields | {"notes": "by the page"})
    assert "Somebody else changed this record" in page and "by the API" in page
    assert browser.record("Customer", record["Id"])["Notes"] == "by the API"
    browser.send(path, **fields_of(page) | {"notes": "by the page"})
    assert browser.record("Customer", record["Id"])["Notes"] == "by the page"


def test_a_customer_without_balance_goes_inactive_and_comes_back_and_one_who_owes_does_not(browser):
    idle = browser.any("Customer", lambda c: c["Active"] and c["BalanceWithJobs"] == 0 and not c["Job"])
    path = f"customers/{idle['Id']}"
    browser.send(path + "/active", sync_token=browser.token(path), active="no")
    assert browser.record("Customer", idle["Id"])["DisplayName"] == idle["DisplayName"] + " (deleted)"
    browser.send(path + "/active", sync_token=browser.token(path), active="yes")
    assert browser.record("Customer", idle["Id"])["DisplayName"] == idle["DisplayName"]
    owes = browser.any("Customer", lambda c: c["Balance"] > 0)
    path = f"customers/{owes['Id']}"
    page = browser.send(path + "/active", 422, sync_token=browser.token(path), active="no")
    assert "still has an open balance" in page and browser.record("Customer", owes["Id"])["Active"]


def test_a_payment_lowers_invoice_and_customer_by_what_was_received_and_the_rest_is_credit(browser):
    invoice = open_invoice(browser)
    path, owner = f"Invoice/{invoice['Id']}", invoice["CustomerRef"]["value"]
    owed = browser.record("Customer", owner)["Balance"]
    assert "not a number" in browser.send(path + "/payment", 422, amount="ten dollars")
    assert "more than zero" in browser.send(path + "/payment", 422, amount="0")
    browser.send(path + "/payment", amount="$40.25", method="2", reference="1188", date="2026-11-20")
    now = browser.record("Invoice", invoice["Id"])
    assert now["Balance"] == invoice["Balance"] - Decimal("40.25")
    assert browser.record("Customer", owner)["Balance"] == owed - Decimal("40.25")
    payment = browser.record("Payment", now["LinkedTxn"][-1]["TxnId"])
    assert (payment["PaymentRefNum"], payment["TxnDate"], payment["UnappliedAmt"]) == ("1188", "2026-11-20", 0)
    browser.send(path + "/payment", amount=str(now["Balance"] + 10))
    assert browser.record("Invoice", invoice["Id"])["Balance"] == 0 and "Receive payment" not in browser.get(path).text
    assert browser.record("Customer", owner)["Balance"] == owed - invoice["Balance"] - 10


def test_voiding_and_deleting_an_invoice_frees_the_payment_and_takes_the_record_away(browser):
    invoice = browser.any(
        "Invoice", lambda i: [x["TxnType"] for x in i["LinkedTxn"]] == ["Payment"] and i["Balance"] == 0
    )
    path, payment_id = f"Invoice/{invoice['Id']}", invoice["LinkedTxn"][0]["TxnId"]
    before = browser.record("Payment", payment_id)["UnappliedAmt"]
    assert "Somebody else changed" in browser.send(path + "/void", 409, sync_token="99")
    browser.send(path + "/void", sync_token=browser.token(path))
    assert browser.record("Invoice", invoice["Id"])["PrivateNote"].startswith("Voided")
    assert browser.record("Payment", payment_id)["UnappliedAmt"] == before + invoice["TotalAmt"]
    assert browser.notices()[-1] == ("Invoice", invoice["Id"], "void")
    browser.send(path + "/delete", sync_token=browser.token(path))
    assert browser.record("Invoice", invoice["Id"]) is None and browser.notices()[-1][2] == "deleted"
    answer = browser.get(path)
    assert answer.status_code == 404 and "It may have been deleted" in answer.text


def test_a_new_invoice_takes_the_items_price_and_the_companys_tax_and_the_next_number(browser):
    customer = browser.any("Customer", lambda c: c["Active"] and c["Taxable"])
    path = f"customers/{customer['Id']}/invoice"
    assert "Choose an item" in browser.send(path, 422)
    pump = browser.any("Item", lambda i: i["Taxable"])
    page = browser.send(path, item0=pump["Id"], quantity0="2", item2="1", quantity2="1.5", price2="100")
    number = re.search(r"<h1>Invoice (\d+)", page)[1]
    made = browser.any("Invoice", lambda i: i["DocNumber"] == number)
    tax = (pump["UnitPrice"] * 2 * Decimal("0.0885")).quantize(Decimal("0.01"), "ROUND_HALF_UP")
    assert made["TotalAmt"] == made["Balance"] == pump["UnitPrice"] * 2 + 150 + tax
    assert int(number) == max(
        int(i["DocNumber"]) for i in browser.company.store.reading(browser.company.realm).all("Invoice")
    )


def test_every_kind_of_document_and_every_customer_page_can_be_read(browser):
    books = browser.company.store.reading(browser.company.realm)
    for kind in ("Estimate", "Invoice", "Payment", "CreditMemo"):
        for record in list(books.all(kind))[:25]:
            assert browser.get(f"{kind}/{record['Id']}").status_code == 200
    for record in books.all("Customer"):
        page = browser.get(f"customers/{record['Id']}")
        assert page.status_code == 200 and record["DisplayName"] in unescape(page.text)
    assert browser.get("activity").status_code == 200


def test_another_company_another_site_and_markup_get_nowhere(browser):
    assert requests.get(f"{browser.company.url}/company/1/", timeout=10).status_code == 404
    refused = browser.session.post(
        browser.home + "customers/new",
        {"display_name": "From Elsewhere"},
        headers={"Sec-Fetch-Site": "cross-site"},
        timeout=10,
    )
    assert refused.status_code == 403
    browser.send("customers/new", display_name="<script>alert(1)</script> & Co")
    assert "<script>" not in browser.get(q="alert(1)", show="all").text


def test_a_change_on_the_page_reaches_the_app_as_a_signed_webhook(tmp_path):
    arrived: list[tuple[str, bytes]] = []

    class App(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrived.append((self.headers["intuit-signature"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    app = HTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{app.server_address[1]}"
        with serving(tmp_path, size=30, companies=1, app_url=address, webhook_delay=0.02) as served:
            Browser(served).send("customers/new", display_name="Told At Once")
            deadline = time.monotonic() + 30
            while not arrived and time.monotonic() < deadline:
                time.sleep(0.02)
    finally:
        app.shutdown()
        app.server_close()
    assert arrived and arrived[0][0] and b"qbo.customer.created.v1" in arrived[0][1]
