"""Figures in a real browser: what one opens is what it counts; by keyboard, on a phone, in both themes."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.browsing import barriers, darken, shorten, sideways
from tests.e2e.conftest import Company

Visit = Callable[..., Any]
PAGES = (
    "/insight?period=all", "/insight/map?period=all", "/insight/lines?period=all",
    "/insight/tables/services?period=all", "/insight/tables/time?period=12_months",
)  # fmt: skip


def amount(text: str) -> Decimal:
    """The first amount in dollars of a text."""
    found = re.search(r"\$([\d,]+\.\d\d)", text)
    assert found, text
    return Decimal(found.group(1).replace(",", ""))


def test_a_figure_opens_the_invoices_it_is_made_of(visit: Visit, company: Company) -> None:
    tab = visit("bookkeeper")
    tab.goto("/insight")
    tab.get_by_label("Period", exact=True).select_option("all")
    tab.get_by_role("button", name="Show").click()
    tab.wait_for_url("**period=all**")
    assert tab.get_by_text("QuickBooks as of").count() == 1
    figure = tab.get_by_role("group", name="Open today")
    owed = amount(figure.inner_text())
    assert owed > 0
    figure.get_by_role("link").first.click()
    tab.wait_for_url("**/invoices?**state=unpaid**")
    assert amount(tab.locator(".stat", has_text="Open").first.inner_text()) == owed


def test_how_a_figure_is_worked_out_is_told_by_keyboard(visit: Visit, company: Company) -> None:
    tab = visit("rep")
    tab.goto("/insight?period=all")
    button = tab.locator("summary[aria-label='How “Invoiced” is worked out']")
    button.focus()
    tab.keyboard.press("Enter")
    assert tab.get_by_text("The totals of issued invoices dated in the period").first.is_visible()
    tab.keyboard.press("Escape")
    assert not tab.get_by_text("The totals of issued invoices dated in the period").first.is_visible()
    tab.get_by_text("The same as a table").click()
    assert tab.get_by_role("table", name="Over time").is_visible()


def test_a_day_that_is_none_is_said_where_it_was_typed(visit: Visit, company: Company) -> None:
    tab = visit("rep", script=False, allowed=(422,))
    tab.goto("/insight?period=own&since=2026-02-30&until=2026-03-01")
    assert tab.get_by_text("From: “2026-02-30” is no day.").count() == 1


@pytest.mark.parametrize("address", PAGES)
def test_every_page_of_figures_is_open_to_everybody(visit: Visit, company: Company, address: str) -> None:
    tab = visit("rep")
    tab.goto(address)
    assert sideways(tab) <= 0, "it scrolls sideways on a wide screen"
    shorten(tab)
    assert barriers(tab) == []
    darken(tab)
    assert barriers(tab, only="color-contrast") == []
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(address)
    assert sideways(tab) <= 0, "it scrolls sideways on a phone"
