"""A real Chromium for tests, and what every page must keep to in it: no complaint, nothing fetched from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip
PATIENCE = 15_000
"""Milliseconds for anything a page is asked to do: the tests may share a small machine with much else."""


def chromium() -> str:
    """Where the browser is. Without one the test is skipped, or fails where REQUIRE_BROWSER=1 says that it must not."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    reason = f"none of {', '.join(NAMES)} is installed on this machine"
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason}, but REQUIRE_BROWSER=1 asks for one", pytrace=False)
    pytest.skip(reason)


def _until_read(act: Callable[..., None]) -> Callable[..., None]:
    """The tool's own act is over when the next page begins; a test that then counts rows may count half a page."""

    @wraps(act)
    def acted(self: Any, *args: Any, **options: Any) -> None:
        act(self, *args, **options)
        self.page.wait_for_load_state("domcontentloaded")

    return acted


@contextmanager
def launched() -> Iterator[Any]:
    """A browser for as long as the block lasts."""
    path = chromium()
    from playwright.sync_api import Locator, sync_playwright

    with sync_playwright() as tool, pytest.MonkeyPatch.context() as patched:
        for act in ("click", "press"):
            patched.setattr(Locator, act, _until_read(getattr(Locator, act)))
        browser = tool.chromium.launch(executable_path=path, args=ARGS)
        try:
            yield browser
        finally:
            browser.close()


class Complaints(list[str]):
    """What the browser complained of on one tab: errors, refused scripts and styles, requests to other places."""

    def __init__(self, tab: Any, *places: str, allowed: tuple[int, ...] = ()) -> None:
        """`places` are the addresses we serve; `allowed` the statuses that the test means to provoke."""
        super().__init__()
        self._places = {urlsplit(place).netloc for place in places}
        self._allowed = allowed
        tab.on("console", self._heard)
        tab.on("pageerror", lambda error: self.append(str(error)))
        tab.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        if message.type not in ("error", "warning"):
            return
        # htmx's word that a newer search replaced the one under way.
        if message.text.startswith(("htmx:sendAbort", "htmx:afterRequest")):
            return
        status = re.search(r"status of (\d{3})|Status Error Code (\d{3})", message.text)
        if status and int(status.group(1) or status.group(2)) in self._allowed:
            return
        self.append(f"{message.text} ({message.location.get('url', '')})")

    def _asked(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc not in self._places:
            self.append(f"asked {parts.netloc} for {parts.path}")


def sideways(tab: Any) -> int:
    """By how many pixels the page is wider than the window."""
    return int(tab.evaluate("document.documentElement.scrollWidth - innerWidth"))


def barriers(tab: Any, *, only: str = "") -> list[str]:
    """What axe finds that shuts people out (serious and critical), each with the element; `only` one of its rules."""
    from axe_playwright_python.sync_playwright import Axe

    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if only:
        options["runOnly"] = {"type": "rule", "values": [only]}
    found = Axe().run(tab, options=options).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:160]} ({node['failureSummary'].splitlines()[-1].strip()})"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def shorten(tab: Any) -> None:
    """Leave a few of the rows and cards of a long list: they are alike, and axe looks at each of them."""
    more = "tbody tr:nth-child(n+6), .card:nth-of-type(n+4)"
    tab.evaluate("more => document.querySelectorAll(more).forEach(one => one.remove())", more)


def darken(tab: Any) -> None:
    """The dark theme, as when the system turns to it, with every change of colour finished."""
    tab.emulate_media(color_scheme="dark")
    tab.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    # Settled, not all: `finished` is rejected when a change of colour is called off by the next one. The one that
    # replaces it is new, hence until none is under way.
    tab.evaluate(
        """async () => {
            const running = () => document.getAnimations().filter(one => one.playState === "running");
            for (let all; (all = running()).length;) await Promise.allSettled(all.map(one => one.finished));
        }"""
    )
