"""Every main page in a real browser, light and dark, wide and on a phone: open to everybody, nothing sideways."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.browsing import barriers, darken, shorten, sideways
from tests.e2e.conftest import Company

Visit = Callable[..., Any]

PAGES = {
    "home": "/",
    "contacts": "/contacts",
    "contacts narrowed": "/contacts?q=a&balance=open&sort=-balance",
    "contacts, nothing found": "/contacts?q=nobodyhasthisname",
    "contact": "{contact}",
    "contact being edited in place": "{contact}/edit/address",
    "contact form": "{contact}/edit",
    "contact not linked": "/contacts/1",
    "new contact": "/contacts/new",
    "matches": "/matches",
    "matches kept apart": "/matches?show=rejected",
    "how matching decides": "/matches/settings",
    "matching figures": "/matches/statistics",
    "match decisions": "/matches/decisions",
    "file imports": "/contacts/imports",
    "file import": "/contacts/imports/1",
    "connections": "/integrations",
    "connection": "{company}",
    "disconnect": "{company}/disconnect",
    "other company": "{company}/other-company",
    "import": "{run}",
    "people": "/people",
    "API keys": "/api-keys",
    "audit trail": "/audit",
    "account": "/account",
    "palette": "/palette?q=a",
    "not found": "/contacts/999999",
}


@pytest.fixture(scope="module")
def contact(browser: Any, company: Company, stack: Any, _cookies: Callable[[str], Any]) -> str:
    """A linked contact that owes much, so that its page shows all it can."""
    context = browser.new_context(base_url=stack.url, storage_state=_cookies("admin"))
    tab = context.new_page()
    tab.goto("/contacts?link=linked&sort=-balance")
    address = tab.locator("main tbody .person-name").first.get_attribute("href")
    context.close()
    return str(address)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_open_to_everybody_in_both_themes_and_fits_a_phone(
    visit: Visit, company: Company, contact: str, name: str
) -> None:
    tab = visit("admin", allowed=(404,))
    answer = tab.goto(PAGES[name].format(contact=contact, company=company.path, run=company.run_path))
    assert answer.status == (404 if name == "not found" else 200)
    assert tab.locator("h1").inner_text().strip()
    assert sideways(tab) <= 0, "it scrolls sideways on a wide screen"
    tab.set_viewport_size({"width": 390, "height": 844})
    assert sideways(tab) <= 0, "it scrolls sideways on a phone"
    tab.set_viewport_size({"width": 1440, "height": 900})
    shorten(tab)
    found = {"light": barriers(tab)}
    darken(tab)
    found["dark"] = barriers(tab, only="color-contrast")
    assert found == {"light": [], "dark": []}


def test_the_sign_in_page_is_open_to_everybody(visit: Visit) -> None:
    tab = visit("")
    tab.goto("/sign-in")
    found = barriers(tab)
    darken(tab)
    tab.set_viewport_size({"width": 390, "height": 844})
    assert found + barriers(tab, only="color-contrast") == [] and sideways(tab) <= 0


@pytest.mark.parametrize("who", ["admin", "rep", "bookkeeper"])
def test_no_link_of_the_menu_or_the_first_page_leads_nowhere(visit: Visit, company: Company, who: str) -> None:
    tab = visit(who)
    tab.goto("/")
    links = tab.locator("#nav a, main a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    wrong = {link: tab.request.get(link).status for link in set(links) if not re.match("tel:|mailto:|#", link)}
    assert {link: status for link, status in wrong.items() if status != 200} == {}


def test_the_phone_menu_opens_and_leads_on(visit: Visit) -> None:
    tab = visit("rep", width=390, height=844)
    tab.goto("/")
    tab.get_by_role("button", name="Menu").click()
    tab.locator("#nav").get_by_role("link", name="Contacts").click()
    tab.wait_for_url("**/contacts")
