"""Quotes in a real browser: built by keyboard with live figures, sent, accepted; every page open to everybody."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.browsing import barriers, darken, sideways
from tests.e2e.conftest import Company, sign_in

Visit = Callable[..., Any]


def focused(tab: Any, name: str) -> None:
    """Wait until the field of this name has the focus: it goes on from there by itself."""
    tab.wait_for_function("name => document.activeElement.name === name", arg=name)


def built(tab: Any, *, title: str) -> str:
    """A draft of one product of the company, saved by the buttons; its address."""
    tab.goto("/quotes/new")
    tab.get_by_label("Find a contact").fill("a")
    tab.locator("#buyers button").first.click()
    tab.get_by_role("button", name="Change").wait_for()
    tab.get_by_label("Title").fill(title)
    tab.get_by_label("Add a product").fill("a")
    tab.locator("#picked button").first.click()
    tab.get_by_label("Quantity, line 1").wait_for()
    tab.get_by_label("Price, line 1").fill("120.50")
    tab.get_by_role("button", name="Save draft").click()
    tab.wait_for_url(re.compile(r"/quotes/\d+$"))
    return str(tab.url)


def test_a_quote_is_built_by_keyboard_with_live_figures_then_sent_and_accepted(visit: Visit, company: Company) -> None:
    tab = visit("rep")
    tab.goto("/quotes/new")
    focused(tab, "customer_q")  # one begins with the customer
    tab.keyboard.type("a")
    tab.locator("#buyers button").first.wait_for()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.get_by_role("button", name="Change").wait_for()
    focused(tab, "q")
    tab.keyboard.type("a")
    tab.locator("#picked button").first.wait_for()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.get_by_label("Quantity, line 1").wait_for()
    focused(tab, "lines-1-quantity")
    tab.keyboard.press("ControlOrMeta+a")
    tab.keyboard.type("3")
    tab.keyboard.press("Tab")
    tab.keyboard.press("ControlOrMeta+a")
    tab.keyboard.type("120.50")
    tab.locator("#figures dd", has_text="$361.50").first.wait_for()
    assert tab.locator("output[id^=amount-]").inner_text() == "$361.50", "the line follows too"
    tab.get_by_role("button", name="Section").click()
    focused(tab, "lines-2-description")
    tab.keyboard.type("North wall")
    tab.get_by_role("button", name="Move up line 2").focus()
    tab.keyboard.press("Enter")
    tab.get_by_label("Heading, line 1").wait_for()
    assert tab.get_by_label("Heading, line 1").input_value() == "North wall"
    tab.wait_for_function("document.activeElement.getAttribute('aria-label')?.startsWith('Move up')")
    tab.get_by_role("button", name="Save draft").click()
    tab.wait_for_url(re.compile(r"/quotes/\d+$"))
    assert tab.locator("main").get_by_text("Draft", exact=True).count()
    tab.get_by_role("button", name="Send", exact=True).click()
    tab.locator(".badge", has_text="Sent").first.wait_for()
    tab.get_by_label("Accepted by").fill("Ada Byron")
    tab.get_by_role("button", name="Accept").click()
    tab.get_by_text("Accepted by Ada Byron", exact=False).first.wait_for()


def test_what_is_typed_while_a_slow_answer_is_under_way_is_not_lost(visit: Visit, company: Company) -> None:
    tab = visit("rep")
    tab.goto("/quotes/new")
    tab.get_by_role("button", name="Free line").click()
    focused(tab, "lines-1-description")
    slow = tab.context.new_cdp_session(tab)
    slow.send("Network.enable")
    limits = {"offline": False, "latency": 1500, "downloadThroughput": 20_000, "uploadThroughput": 20_000}
    slow.send("Network.emulateNetworkConditions", limits)
    with tab.expect_response(lambda answer: answer.request.method == "POST" and answer.url.endswith("/quotes")):
        tab.get_by_role("button", name="Section").click()
        tab.get_by_label("Description, line 1").focus()
        tab.keyboard.type("Twelve helical piers along the north wall", delay=70)
    tab.get_by_label("Heading, line 2").wait_for()
    tab.keyboard.type(", and the porch", delay=30)
    assert tab.get_by_label("Description, line 1").input_value().endswith("north wall, and the porch")
    tab.get_by_label("Price, line 1").fill("45.5")
    tab.locator("#figures dd", has_text="$45.50").first.wait_for()
    assert tab.get_by_label("Price, line 1").input_value() == "45.5"
    words = tab.get_by_label("Description, line 1").input_value()
    assert words == "Twelve helical piers along the north wall, and the porch"


def test_without_scripting_the_same_buttons_build_a_quote(visit: Visit, company: Company) -> None:
    tab = visit("rep", script=False)
    tab.goto("/quotes/new")
    tab.get_by_label("Find a contact").fill("a")
    tab.get_by_label("Find a contact").press("Enter")
    tab.locator("#buyers button").first.click()
    tab.get_by_role("button", name="Free line").click()
    tab.get_by_label("Description, line 1").fill("As agreed")
    tab.get_by_label("Price, line 1").fill("80")
    tab.get_by_role("button", name="Recalculate").click()
    assert "$80.00" in tab.locator("#figures").inner_text()
    tab.get_by_role("button", name="Save draft").click()
    assert re.search(r"/quotes/\d+$", tab.url)


def test_a_card_of_the_board_is_dragged_to_another_stage_or_moved_by_its_form(visit: Visit, company: Company) -> None:
    tab = visit("rep")
    built(tab, title="Dragged")
    tab.goto("/quotes/board")
    card = tab.locator("[data-stage=draft] article", has_text="Dragged")
    card.drag_to(tab.locator("[data-stage=accepted]"), target_position={"x": 60, "y": 20}, steps=5)
    tab.locator("[data-stage=accepted] article", has_text="Dragged").wait_for()
    card = tab.locator("[data-stage=accepted] article", has_text="Dragged")
    card.locator("select").select_option("declined")
    card.get_by_role("button", name="Move").click()
    tab.locator("[data-stage=declined] article", has_text="Dragged").wait_for()


PAGES = ("/quotes", "/quotes?state=accepted&q=zzzz", "/quotes/new", "/quotes/board", "{quote}", "{quote}/edit",
         "/quotes/customers?customer_q=a")  # fmt: skip


@pytest.fixture(scope="module")
def quote(browser: Any, company: Company, stack: Any, _cookies: Callable[[str], Any]) -> str:
    context = browser.new_context(base_url=stack.url, storage_state=_cookies("rep"))
    tab = context.new_page()
    address = built(tab, title="North wall and a title that goes on for long")
    context.close()
    return address.removeprefix(stack.url)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_quotes_is_open_to_everybody_in_both_themes_and_fits_a_phone(
    visit: Visit, quote: str, path: str
) -> None:
    tab = visit("admin")
    assert tab.goto(path.format(quote=quote)).status == 200
    shoot(tab, path, "wide")
    assert sideways(tab) <= 0, "it scrolls sideways on a wide screen"
    found = {"light": barriers(tab)}
    darken(tab)
    found["dark"] = barriers(tab, only="color-contrast")
    shoot(tab, path, "dark")
    tab.set_viewport_size({"width": 390, "height": 844})
    shoot(tab, path, "phone")
    assert sideways(tab) <= 0, "it scrolls sideways on a phone"
    assert found == {"light": [], "dark": []}


def test_on_a_phone_a_description_has_the_width_of_its_card_and_no_list_slips_sideways(
    visit: Visit, quote: str
) -> None:
    tab = visit("rep", width=390)
    tab.goto(f"{quote}/edit")
    assert tab.get_by_label("Description, line 1").bounding_box()["width"] >= 300
    shoot(tab, "{quote}/edit", "builder")
    tab.goto("/quotes")
    wrap = tab.locator(".table-wrap").first
    assert wrap.evaluate("wrap => wrap.scrollWidth - wrap.clientWidth") <= 0


def shoot(tab: Any, path: str, how: str) -> None:
    """A picture for whoever wants to look: SHOTS names a folder."""
    if folder := os.environ.get("SHOTS"):
        tab.screenshot(path=f"{folder}/{re.sub(r'[^a-z]+', '-', path).strip('-')}-{how}.png", full_page=True)


def filled(tab: Any, title: str) -> None:
    """The form of a new quote, with a customer, a title and one line; not saved yet."""
    tab.goto("/quotes/new")
    tab.get_by_label("Find a contact").fill("a")
    tab.locator("#buyers button").first.click()
    tab.get_by_role("button", name="Change").wait_for()
    tab.get_by_label("Title").fill(title)
    tab.get_by_label("Add a product").fill("a")
    tab.locator("#picked button").first.click()
    tab.get_by_label("Quantity, line 1").wait_for()


def test_save_pressed_twice_at_once_makes_one_quote(visit: Visit, company: Company) -> None:
    tab = visit("rep")
    filled(tab, "Pressed twice at once")
    tab.get_by_role("button", name="Save draft").dblclick()
    tab.wait_for_url(re.compile(r"/quotes/\d+$"))
    tab.get_by_role("heading", name="Lines").first.wait_for()
    tab.goto("/quotes?q=Pressed+twice+at+once")
    tab.get_by_text("Pressed twice at once").first.wait_for()
    assert tab.locator("main tbody tr").count() == 1


def test_a_quote_filled_while_the_session_ended_says_so_and_is_saved_after_signing_in_elsewhere(
    visit: Visit, company: Company
) -> None:
    tab = visit("rep", allowed=(400, 401))
    filled(tab, "Filled while signed out")
    tab.get_by_label("Price, line 1").fill("431.50")
    tab.context.clear_cookies()
    tab.get_by_role("button", name="Save draft").click()
    tab.locator("#flash").get_by_text("what you typed is still here").wait_for()
    assert tab.get_by_label("Title").input_value() == "Filled while signed out"
    tab.get_by_role("button", name="Save draft").click()
    tab.locator("#flash").get_by_text("what you typed is still here").wait_for()
    other = tab.context.new_page()
    sign_in(other, "rep")
    other.get_by_role("link", name="Quotes").first.wait_for()
    tab.get_by_role("button", name="Save draft").click()
    tab.wait_for_url(re.compile(r"/quotes/\d+$"))
    tab.get_by_text("$431.50").first.wait_for()
    assert "Filled while signed out" in tab.inner_text("main")
