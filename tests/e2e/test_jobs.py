"""Scheduled work in a browser: run now and see it finish, pause and hear of it at home, with and without scripting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.browsing import barriers, darken, sideways

Visit = Callable[..., Any]

RUN, PAUSED = "sync-log-prune", "connections-budget"
"""Nothing else of this installation rests on them."""
PAUSED_TITLE = "Watch the month's reads"


@pytest.fixture
def resumed(visit: Visit) -> Iterator[None]:
    """Whatever happens, nothing stays paused for other tests."""
    yield
    tab = visit("admin")
    tab.goto(f"/jobs/{PAUSED}")
    button = tab.locator("#job").get_by_role("button", name="Resume")
    if button.count():
        button.click()


def test_what_is_run_now_is_seen_to_finish_without_a_reload(visit: Visit) -> None:
    tab = visit("admin")
    tab.goto("/jobs?q=sync+log")
    tab.get_by_role("button", name="Run now: Clear the old sync log").click()
    tab.get_by_text("begins as soon as a worker takes it").wait_for()
    tab.get_by_role("link", name="Clear the old sync log").click()
    rows = tab.locator("#job tbody tr").filter(has_text="Alex Moreno").filter(has_text="Done")
    rows.first.wait_for()  # the page looks again by itself
    assert tab.locator("#job").get_by_role("button", name="Run now").is_visible()


def test_a_pause_is_asked_about_told_at_home_and_taken_back(visit: Visit, resumed: None) -> None:
    tab = visit("admin")
    tab.goto("/jobs")
    row = tab.locator(f"#job-{PAUSED}")
    row.get_by_role("button", name=f"Pause: {PAUSED_TITLE}").click()
    tab.locator("#confirm").get_by_text("Nobody hears").wait_for()
    tab.locator("#confirm").get_by_role("button", name="Pause").click()
    row.get_by_role("button", name="Resume").wait_for()
    assert "Paused by Alex Moreno" in row.inner_text()
    tab.goto("/")
    notice = tab.locator(".callout", has_text=f"“{PAUSED_TITLE}” is paused")
    assert "Nobody hears that this month's reads will not last." in notice.inner_text()
    notice.get_by_role("link", name="Open it").click()
    tab.locator("#job").get_by_role("button", name="Resume").click()
    tab.locator("#job").get_by_role("button", name="Pause").wait_for()
    tab.locator("#job tbody tr").filter(has_text="Done").first.wait_for()
    tab.goto("/")
    assert not tab.locator(".callout", has_text=PAUSED_TITLE).count()


def test_it_works_without_scripting(visit: Visit, resumed: None) -> None:
    tab = visit("admin", script=False)
    tab.goto(f"/jobs/{PAUSED}")
    tab.get_by_role("button", name="Pause").click()
    assert "Paused by Alex Moreno" in tab.locator("#job").inner_text()
    tab.get_by_role("button", name="Resume").click()
    assert "is resumed" in tab.locator("#flash").inner_text()
    tab.goto("/jobs")
    tab.get_by_label("Show").select_option("often")
    tab.get_by_role("button", name="Filter").click()
    tab.wait_for_url("**state=often**")
    assert tab.locator("#jobs tbody tr").count()


@pytest.mark.parametrize("path", ["/jobs", f"/jobs/{RUN}"])
def test_the_pages_are_open_to_everybody_and_fit_a_phone(visit: Visit, path: str) -> None:
    tab = visit("admin")
    tab.goto(path)
    found = barriers(tab)
    darken(tab)
    found += barriers(tab, only="color-contrast")
    assert found == []
    for width in (1280, 390):
        tab.set_viewport_size({"width": width, "height": 844})
        assert sideways(tab) <= 0
