"""One browser and one installation for all tests of a worker process; a tab with a person signed in for each test."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import fresh_database, own_redis
from tests.e2e.browsing import PATIENCE, Complaints, launched
from tools.stack import Stack, running

PASSWORD = "walnut harbour 71"
FIRM = "bedrock-foundation.example"
"""The simulated company's domain: its contact list names these people as owners."""
PEOPLE = {
    "admin": (f"alex@{FIRM}", "admin", "Alex Moreno"),
    "rep": (f"dana@{FIRM}", "rep", "Dana Whitfield"),
    "bookkeeper": (f"blake@{FIRM}", "bookkeeper", "Blake Ito"),
}
OWNERS = ((f"luis@{FIRM}", "rep", "Luis Ortega"), (f"kim@{FIRM}", "rep", "Kim Sorensen"))
SIZE = 60


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with launched() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def stack(browser: Any, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Stack]:
    """Everything started, contacts loaded, no company connected. Asks for the browser first: without one, no start."""
    settings = {
        "DATABASE_URL": fresh_database(os.environ.get("TEST_DATABASE_URL", ""), f"e2e_{worker_id}"),
        "REDIS_URL": own_redis(os.environ.get("TEST_REDIS_URL", ""), beside=8),
    }
    home = tmp_path_factory.mktemp("installation")
    with running(home, people=(*PEOPLE.values(), *OWNERS), password=PASSWORD, size=SIZE, settings=settings) as started:
        yield started


@pytest.fixture(scope="session")
def _cookies(browser: Any, stack: Stack) -> Callable[[str], Any]:
    """The cookies of a person who signed in through the form, once per person."""
    kept: dict[str, Any] = {}

    def of(who: str) -> Any:
        if who not in kept:
            context = browser.new_context(base_url=stack.url)
            context.set_default_timeout(PATIENCE)
            tab = context.new_page()
            sign_in(tab, who)
            kept[who] = context.storage_state()
            context.close()
        return kept[who]

    return of


def sign_in(tab: Any, who: str, password: str = PASSWORD) -> None:
    tab.goto("/sign-in")
    tab.get_by_label("E-mail").fill(PEOPLE[who][0])
    tab.get_by_label("Password").fill(password)
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_load_state()


@pytest.fixture
def visit(browser: Any, stack: Stack, _cookies: Callable[[str], Any]) -> Iterator[Callable[..., Any]]:
    """`visit("rep", width=390, script=False, allowed=(409,))`: a tab of that person ("" for nobody).

    At the end of the test every tab must be without complaint (see Complaints).
    """
    with ExitStack() as closing:

        def opened(
            who: str = "admin", *, width: int = 1440, height: int = 900, script: bool = True,
            allowed: tuple[int, ...] = (), scheme: str = "light",
        ) -> Any:  # fmt: skip
            context = browser.new_context(
                base_url=stack.url, viewport={"width": width, "height": height}, java_script_enabled=script,
                reduced_motion="reduce", color_scheme=scheme, has_touch=width < 500,
                storage_state=_cookies(who) if who else None,
            )  # fmt: skip
            closing.callback(context.close)
            context.set_default_timeout(PATIENCE)
            tab = context.new_page()
            complaints = Complaints(tab, stack.url, stack.sandbox_url, allowed=allowed)
            tabs.append((tab, complaints))
            return tab

        tabs: list[tuple[Any, Complaints]] = []
        yield opened
        for tab, complaints in tabs:
            assert complaints == [], f"the browser complained at {tab.url}"


@dataclass(frozen=True, slots=True)
class Company:
    """The connected company: its page, its last import's page."""

    name: str
    realm: str
    path: str
    run_path: str


@pytest.fixture(scope="session")
def company(browser: Any, stack: Stack, _cookies: Callable[[str], Any]) -> Company:
    """The simulated company, connected and imported by an admin through the pages."""
    context = browser.new_context(base_url=stack.url, storage_state=_cookies("admin"))
    context.set_default_timeout(PATIENCE)
    tab = context.new_page()
    found = connected_and_imported(tab)
    context.close()
    return found


def connected_and_imported(tab: Any, *, look_again: bool = False) -> Company:
    """Walk an admin's tab from the QuickBooks page through consent to the end of the import; none may be connected."""
    tab.goto("/integrations")
    tab.get_by_role("link", name="Connect").first.click()
    choice = tab.get_by_role("radio").first
    choice.check()
    realm = choice.get_attribute("value")
    name = tab.locator("label").first.inner_text().removesuffix(realm).strip()
    tab.get_by_role("button", name="Connect").click()
    tab.wait_for_url("**/integrations/*")
    path = tab.url
    tab.get_by_role("button", name=re.compile("^Import (customers|again)$")).first.click()
    tab.wait_for_url("**/runs/*")
    see_the_end(tab, look_again=look_again)
    return Company(name, realm, path, tab.url)


def see_the_end(tab: Any, *, look_again: bool = False, seconds: float = 40) -> None:
    """Wait for the result of an import; `look_again` reloads, as one does without scripting."""
    deadline = time.monotonic() + seconds
    while not tab.get_by_role("link", name="See the contacts").is_visible():
        assert time.monotonic() < deadline, f"the import did not end: {tab.inner_text('main')}"
        time.sleep(0.2)
        if look_again:
            tab.reload()
        else:
            tab.wait_for_timeout(100)
