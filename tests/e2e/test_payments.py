"""Payments in a real browser: recorded over the oldest invoices with sums that follow, also without scripting."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.browsing import barriers, darken, sideways
from tests.e2e.conftest import Company

Visit = Callable[..., Any]
ONE = re.compile(r"/payments/(recorded/)?\d+$")


def owing(tab: Any) -> str:
    """The form of a payment of somebody who owes something."""
    tab.goto("/contacts?sort=-balance")
    tab.locator("a.person-name").first.click()
    tab.wait_for_url(re.compile(r"/contacts/\d+"))
    found = re.search(r"/contacts/(\d+)", tab.url)
    assert found
    return f"/payments/new?contact={found.group(1)}"


def test_a_payment_is_recorded_over_the_oldest_invoices_and_taken_back(visit: Visit, company: Company) -> None:
    tab = visit("rep")
    tab.goto(owing(tab))
    tab.get_by_label("Amount received").fill("10.00")
    tab.get_by_text("stays the customer’s credit").wait_for()
    tab.get_by_role("button", name="Apply to the oldest").click()
    tab.wait_for_load_state()
    assert "10" in [box.input_value()[:2] for box in tab.locator("input[name^=part-]").all()]
    tab.get_by_label("Reference").fill("check 1204")
    tab.get_by_role("button", name="Record payment").click()
    tab.wait_for_url(ONE)
    assert "$10.00" in tab.inner_text("main") and "check 1204" in tab.inner_text("main")
    tab.goto("/payments")
    tab.get_by_label("Search payments").press_sequentially("1204")
    tab.wait_for_url("**/payments?q=1204")
    tab.locator("#list a.person-name").first.click()
    tab.wait_for_url(ONE)
    tab.get_by_label("More", exact=True).click()
    tab.get_by_role("button", name=re.compile("Take back|Void")).first.click()
    tab.locator("dialog[open]").get_by_role("button", name=re.compile("Take back|Void")).click()
    tab.get_by_text(re.compile("was taken back|waits to be voided")).first.wait_for()


def test_everything_goes_without_scripting(visit: Visit, company: Company) -> None:
    tab = visit("rep", script=False, allowed=(409, 422))
    form = owing(tab)  # asked once: the payment below may leave somebody else owing the most
    tab.goto(form)
    tab.get_by_label("Amount received").fill("abc")
    tab.get_by_role("button", name="Record payment").click()
    assert "is no amount" in tab.inner_text("main")
    tab.get_by_label("Amount received").fill("7.31")
    tab.get_by_role("button", name="Recalculate").last.click()
    assert "$7.31" in tab.inner_text("#sums")
    tab.get_by_role("button", name="Record payment").click()
    assert re.search(ONE, tab.url) and "$7.31" in tab.inner_text("main")
    tab.goto(form)
    tab.get_by_label("Amount received").fill("7.31")
    tab.get_by_role("button", name="Record payment").click()
    assert "seems to be there already" in tab.inner_text("main")
    tab.get_by_role("button", name="It is another one").click()
    assert re.search(ONE, tab.url)


@pytest.mark.parametrize("width", [1280, 390])
def test_pages_of_payments_shut_nobody_out(visit: Visit, company: Company, width: int) -> None:
    tab = visit("rep", width=width)
    form = owing(tab)
    tab.goto("/payments")
    first = tab.locator("#list a.person-name").first.get_attribute("href")
    places = ("/payments", first, form, "/payments/new?q=a", "/payments/others/credit_memo",
              "/payments/others/sales_receipt")  # fmt: skip
    for place in places:
        tab.goto(place)
        assert sideways(tab) <= 0, place
        assert barriers(tab) == [], place
        darken(tab)
        assert barriers(tab, only="color-contrast") == [], place
        tab.emulate_media(color_scheme="light")
