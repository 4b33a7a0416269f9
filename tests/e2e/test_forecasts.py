"""In a real browser: what may come is worked out after an import, said at an invoice and drawn for everybody."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.browsing import barriers, darken, shorten, sideways
from tests.e2e.conftest import Company
from tools.programs import BIN, ROOT
from tools.stack import Stack

PAGES = ("/insight/forecast", "/insight/customers")


@pytest.fixture(scope="module")
def made(company: Company, stack: Stack) -> None:
    """As the nightly job does."""
    command = [str(BIN / "flask"), "--app", "wsgi", "insight", "refresh"]
    subprocess.run(command, cwd=ROOT, env=stack.environment, check=True, timeout=100)


@pytest.mark.usefixtures("made")
def test_an_open_invoice_leads_to_how_good_its_date_is(visit: Callable[..., Any]) -> None:
    tab = visit("rep", script=False)
    tab.goto("/invoices?state=unpaid&sort=date")  # the oldest: the newest may be another test's, made since
    tab.locator("[data-row-link]").first.click()
    said = tab.get_by_text(re.compile("Expected by|No date to expect it by"))
    assert "As of" in said.inner_text()
    tab.get_by_role("link", name="how good such dates were").click()
    tab.get_by_role("heading", name="How good such forecasts were").wait_for()
    tab.wait_for_load_state()
    assert tab.get_by_role("img", name=re.compile("^Expected cash by week: ")).count() == 1
    tab.get_by_text("The same as a table, beside what falls due").click()
    assert tab.get_by_role("row", name=re.compile("2026|2027|20")).count() >= 13


@pytest.mark.usefixtures("made")
def test_customers_are_found_by_what_they_are_worth(visit: Callable[..., Any]) -> None:
    tab = visit("rep")
    tab.goto("/insight/customers?sort=-sales")
    first = tab.locator("[data-row-link]").first.inner_text()
    tab.get_by_label("Search customers").fill(first)
    tab.wait_for_url("**q=**")
    tab.locator("[data-row-link]", has_text=first).first.click()
    tab.get_by_role("heading", name="Customer value").wait_for()


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_of_what_may_come_shut_nobody_out(visit: Callable[..., Any], path: str, width: int) -> None:
    tab = visit("bookkeeper", width=width)
    tab.goto(path)
    tab.evaluate("document.querySelectorAll('details.fold').forEach(one => one.open = true)")
    assert sideways(tab) <= 0
    shorten(tab)
    assert barriers(tab) == []
    darken(tab)
    assert barriers(tab, only="color-contrast") == []
