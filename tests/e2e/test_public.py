"""A customer with a phone opens their quote, picks an option, accepts; the rep sees it. With and without scripting."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.browsing import barriers, darken, sideways
from tests.e2e.conftest import Company

Visit = Callable[..., Any]


def offered(visit: Visit, title: str) -> tuple[Any, str]:
    """(the rep's tab on a sent quote of two lines, the second an option; the customer's address)."""
    tab = visit("rep", script=False)
    tab.goto("/quotes/new")
    tab.get_by_label("Find a contact").fill("a")
    tab.get_by_label("Find a contact").press("Enter")
    tab.locator("#buyers button").first.click()
    tab.get_by_label("Title").fill(title)
    for at, words, price in ((1, "Straps", "80"), (2, "Paint", "20.50")):
        tab.get_by_role("button", name="Free line").click()
        tab.get_by_label(f"Description, line {at}").fill(words)
        tab.get_by_label(f"Price, line {at}").fill(price)
    tab.locator("input[name=lines-2-optional]").check()
    tab.get_by_role("button", name="Save draft").click()
    tab.get_by_role("button", name="Send", exact=True).click()
    address = tab.locator("a[href*='/q/']").first.get_attribute("href")
    return tab, re.sub(r"^https?://[^/]+", "", address)


def total(tab: Any) -> str:
    return str(tab.locator(".sums .strong .num").inner_text())


@pytest.mark.parametrize("script", [True, False])
def test_a_customer_picks_an_option_and_accepts_on_a_phone_and_the_rep_sees_it(
    visit: Visit, company: Company, script: bool
) -> None:
    rep, address = offered(visit, f"Accepted {script}")
    phone = visit("", width=390, height=844, script=script)
    assert phone.goto(address).status == 200
    before = total(phone)
    phone.get_by_role("checkbox", name="Paint").check()
    if script:
        phone.wait_for_function(
            "before => document.querySelector('.sums .strong .num').textContent !== before", arg=before
        )
        assert sideways(phone) <= 0
        assert barriers(phone) == []
        darken(phone)
        assert barriers(phone, only="color-contrast") == []
    else:
        phone.get_by_role("button", name="Update total").click()
        assert phone.get_by_role("checkbox", name="Paint").is_checked()
    after = total(phone)
    assert before != after
    phone.locator("#answer").get_by_label("Your name").fill("Ada Byron")
    phone.get_by_role("button", name="Accept", exact=True).click()
    phone.get_by_text("Accepted by Ada Byron on").wait_for()
    assert total(phone) == after and phone.get_by_role("button", name="Accept", exact=True).count() == 0
    rep.reload()
    assert "Accepted by Ada Byron" in rep.inner_text("main")
    assert after in rep.inner_text("main") and "Options: Paint" in rep.inner_text("main")
    rep.goto("/")
    assert "accepted by Ada Byron" in rep.inner_text("main")


def test_a_customer_asks_and_declines_without_scripting_and_the_pdf_opens(visit: Visit, company: Company) -> None:
    rep, address = offered(visit, "Declined")
    phone = visit("", width=390, height=844, script=False)
    phone.goto(address)
    phone.get_by_text("Ask a question").click()
    phone.get_by_label("Your question").fill("When could you start?")
    phone.get_by_role("button", name="Send the question").click()
    phone.get_by_text("Your question was sent").wait_for()
    pdf = phone.request.get(f"{address}/pdf")
    assert pdf.ok and pdf.body().startswith(b"%PDF")
    phone.locator("summary", has_text="Decline").click()
    phone.get_by_label("Why not?").fill("Too dear")
    phone.get_by_role("button", name="Decline this quote").click()
    phone.get_by_text("Declined on").wait_for()
    rep.reload()
    assert "When could you start?" in rep.inner_text("main") and "Too dear" in rep.inner_text("main")
