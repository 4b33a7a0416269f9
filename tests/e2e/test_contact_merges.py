"""Merging two contacts in a real browser: found, compared, merged, undone; by keyboard, phone, without scripting."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.browsing import barriers, darken, sideways

Visit = Callable[..., Any]


def _made(tab: Any, name: str, **fields: str) -> str:
    """A new contact through the form; the address of its page. `fields` by their labels, "_" for a blank."""
    tab.goto("/contacts/new")
    tab.get_by_label("Name", exact=True).fill(name)
    for label, value in fields.items():
        tab.get_by_label(label.replace("_", " "), exact=True).fill(value)
    tab.get_by_role("button", name=re.compile("^Create")).click()
    tab.wait_for_url(re.compile(r"/contacts/\d+$"))
    return str(tab.url)


def _add_note(tab: Any, url: str, text: str) -> None:
    tab.goto(url)
    tab.locator("textarea[name=body]").fill(text)
    tab.get_by_role("button", name="Add note").click()
    tab.get_by_text(text).first.wait_for()


@pytest.mark.parametrize("script", [True, False])
def test_two_contacts_become_one_and_a_day_of_edits_later_two_again(visit: Visit, script: bool) -> None:
    tab, last = visit("rep", script=script), "Fairweather" if script else "Plainsong"
    one = _made(tab, f"P. {last}", City="Olathe")
    other = _made(tab, f"Prudence {last}", Website="prudence.example")
    _add_note(tab, other, "Prefers mornings.")
    tab.goto(f"{one}/merge?q={last}")
    tab.get_by_role("link", name="Compare").first.click()
    tab.get_by_text("Fuller than the other.").wait_for()
    tab.get_by_label("City: other words").fill("Lenexa")
    tab.get_by_role("button", name="Merge", exact=True).click()
    tab.get_by_text("was merged into this contact").first.wait_for()
    assert tab.locator("h1").inner_text() == f"Prudence {last}"
    tab.get_by_text("Prefers mornings.").wait_for()
    tab.goto(other)
    assert tab.url == one, "the old address leads to the one that stands for both"

    tab.goto(f"{one}/edit")
    tab.get_by_label("Company", exact=True).fill(f"{last} & Co")
    tab.get_by_role("button", name="Save").first.click()
    tab.wait_for_url(one)
    tab.locator("#timeline").get_by_role("link", name="Undo…").click()
    tab.get_by_role("button", name="Undo this merge").click()
    tab.wait_for_url(one)
    tab.get_by_text("Company: edited since, and kept here.").first.wait_for()
    assert tab.locator("h1").inner_text() == f"P. {last}"
    tab.goto(other)
    assert tab.url == other and tab.get_by_text("Prefers mornings.").is_visible()


def test_the_keyboard_alone_chooses_a_side_and_merges(visit: Visit) -> None:
    tab = visit("rep")
    one, other = _made(tab, "Lorna Quickstep", City="Olathe"), _made(tab, "Lorna Quickstep", City="Lenexa")
    tab.goto(f"{one}/merge/{other.rsplit('/', 1)[1]}")
    city = tab.locator("[name=pick-city]:checked")
    city.focus()
    was = city.get_attribute("value")
    tab.keyboard.press("ArrowRight")
    assert city.get_attribute("value") != was
    tab.get_by_role("button", name="Merge", exact=True).focus()
    tab.keyboard.press("Enter")
    tab.get_by_text("was merged into this contact").first.wait_for()
    tab.locator("#details").get_by_text("Lenexa").wait_for()


def test_exactly_two_ticked_in_the_list_are_compared(visit: Visit) -> None:
    tab = visit("rep")
    _made(tab, "Osgood Twinning")
    _made(tab, "Osgood Twinnings")
    tab.goto("/contacts?q=osgood")
    for box in tab.locator("tbody input[type=checkbox]").all():
        box.check()
    tab.get_by_role("button", name="Merge two").click()
    tab.get_by_role("heading", name="Merge two contacts").wait_for()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_of_merging_shut_nobody_out(visit: Visit, width: int) -> None:
    tab = visit("rep", width=width)
    one = _made(tab, f"Ida Wide {width}", City="Olathe", Website="ida.example")
    other = _made(tab, f"I. Wide {width}", City="Lenexa")
    for path in (f"{one}/merge?q=wide", f"{one}/merge/{other.rsplit('/', 1)[1]}", f"{one}/merges"):
        tab.goto(path)
        assert sideways(tab) <= 0, path
        assert barriers(tab) == [], path
        darken(tab)
        assert barriers(tab, only="color-contrast") == [], path
        tab.emulate_media(color_scheme="light")
