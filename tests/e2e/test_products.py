"""Products in a real browser: made, found by typing, changed by two people, and all of it without scripting as well."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.browsing import barriers, darken, sideways

Visit = Callable[..., Any]
ONE = re.compile(r"/products/\d+$")


def make(tab: Any, name: str, price: str) -> None:
    tab.goto("/products/new")
    tab.get_by_label("Name", exact=True).fill(name)
    tab.get_by_label("Price in").fill(price)
    tab.get_by_role("button", name="Create product").click()
    tab.wait_for_url(ONE)


def test_a_product_is_made_found_by_typing_and_changed_by_two_people(visit: Visit) -> None:
    tab = visit("rep", allowed=(409,))
    make(tab, "Zinc pier", "1,625.00")
    assert "$1,625.00" in tab.inner_text("main")
    tab.goto("/products")
    tab.get_by_label("Search products").press_sequentially("zinc")
    tab.wait_for_url("**/products?q=zinc")
    tab.get_by_role("link", name="Zinc pier").click()
    tab.get_by_role("link", name="Edit").click()
    other = visit("admin")
    other.goto(tab.url)
    other.get_by_label("Cost in").fill("900")
    other.get_by_role("button", name="Save").click()
    other.wait_for_url(ONE)
    tab.get_by_label("Price in").fill("1700")
    tab.get_by_role("button", name="Save").click()
    tab.get_by_text("Changed meanwhile").wait_for()
    tab.get_by_role("button", name="Keep what is chosen").click()
    tab.wait_for_url(ONE)
    assert "$1,700.00" in tab.inner_text("main") and "47.1% of the price" in tab.inner_text("main")


def test_everything_goes_without_scripting(visit: Visit) -> None:
    tab = visit("rep", script=False, allowed=(422,))
    tab.goto("/products/new")
    tab.get_by_label("Name", exact=True).fill("Zinc: anchor")
    tab.get_by_label("Price in").fill("7.95")
    tab.get_by_role("button", name="Create product").click()
    assert "colon" in tab.inner_text("main") and tab.get_by_label("Price in").input_value() == "7.95"
    tab.get_by_label("Name", exact=True).fill("Zinc anchor")
    tab.get_by_role("button", name="Create product").click()
    assert tab.inner_text("h1") == "Zinc anchor"
    tab.goto("/products/pick?q=zinc")
    tab.get_by_role("button", name="Zinc anchor").click()
    assert tab.inner_text("h1") == "Zinc anchor"


@pytest.mark.parametrize("width", [1280, 390, 360])
def test_pages_fit_and_shut_nobody_out_in_light_and_dark(visit: Visit, width: int) -> None:
    tab = visit("admin", width=width)
    make(tab, f"Carbon fiber strap for a bowing basement wall, {width}", "589")
    for path in (tab.url, f"{tab.url}/edit", "/products", "/products/new", "/products/pick?q=strap", "/sales-settings"):
        tab.goto(path)
        assert sideways(tab) <= 0, path
        assert barriers(tab) == [], path
        darken(tab)
        assert barriers(tab, only="color-contrast") == [], path
        tab.emulate_media(color_scheme="light")
