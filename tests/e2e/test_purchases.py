"""Vendors and bills in a real browser: written down with lines, all of it without scripting as well."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.browsing import barriers, darken, sideways

Visit = Callable[..., Any]


def write_down(tab: Any, name: str) -> None:
    """A product, a vendor, and a bill of two lines; no books are connected, so there are no accounts."""
    tab.goto("/products/new")
    tab.get_by_label("Name", exact=True).fill(f"Gravel of {name}"[:80])
    tab.get_by_role("button", name="Create product").click()
    tab.wait_for_url(re.compile(r"/products/\d+$"))
    tab.goto("/vendors/new")
    tab.get_by_label("Name", exact=True).fill(name)
    tab.get_by_role("button", name="Create vendor").click()
    tab.get_by_role("link", name="New bill").click()
    tab.get_by_label("Bill number").fill("S-100")
    tab.get_by_label("Or a product").fill(f"Gravel of {name}"[:80])
    tab.get_by_label("Amount in").fill("1,240.10")
    tab.get_by_role("button", name="Add a line").click()
    tab.get_by_role("group", name="Line 2").get_by_label("Amount in").fill("60")
    tab.get_by_role("group", name="Line 2").get_by_label("Or a product").fill(f"gravel of {name}"[:80])
    tab.get_by_role("button", name="Create bill").click()
    assert "$1,300.10" in tab.inner_text("main"), tab.inner_text("main")


@pytest.mark.parametrize("script", [True, False])
def test_a_bill_is_written_down_with_and_without_scripting(visit: Visit, script: bool) -> None:
    tab = visit("admin", script=script, allowed=(422,))
    write_down(tab, f"Prairie Concrete {script}")
    assert "Gravel of" in tab.inner_text("main") and "Open" in tab.inner_text("main")
    tab.goto("/bills/new")
    tab.get_by_label("Amount in").fill("much")
    tab.locator("form#bill").evaluate("form => form.noValidate = true") if script else None
    tab.get_by_label("Vendor").select_option(label=f"Prairie Concrete {script}")
    tab.get_by_role("button", name="Create bill").click()
    assert "is no number" in tab.inner_text("main") and tab.get_by_label("Amount in").input_value() == "much"


@pytest.mark.parametrize("width", [1280, 390, 360])
def test_pages_fit_and_shut_nobody_out_in_light_and_dark(visit: Visit, width: int) -> None:
    tab = visit("admin", width=width)
    write_down(tab, f"Prairie Concrete and Aggregate Supply Company of Kansas City, {width}")
    bill = tab.url
    tab.locator("main a.strong").click()
    for path in (bill, f"{bill}/edit", "/bills", tab.url, f"{tab.url}/edit", "/vendors"):
        tab.goto(path)
        assert sideways(tab) <= 0, path
        assert barriers(tab) == [], path
        _keep(tab, path, width, "light")
        darken(tab)
        assert barriers(tab) == [], path
        _keep(tab, path, width, "dark")


def _keep(tab: Any, path: str, width: int, theme: str) -> None:
    if where := os.environ.get("SHOTS"):
        tab.screenshot(path=f"{where}/{path.rpartition(':')[2].replace('/', '_')}-{width}-{theme}.png", full_page=True)
