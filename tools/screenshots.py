"""`make screenshots`: the pictures of the README, taken from a throw-away installation on a simulated company.

Walks a real browser through the product (connect, import, a contact that owes money, an invoice that is late, the
dashboard, a segment being built) and writes docs/img/*.png, always of the same size, theme, company and people. Dates
move with the day they are taken on; nothing else does.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import requests

from tools.programs import ROOT
from tools.stack import Stack, running

PICTURES = ROOT / "docs" / "img"
WINDOW = {"width": 1440, "height": 900}
LARGEST = 300_000
"""Bytes: a README should open at once."""
SIZE = 300
FIRM = "bedrock-foundation.example"
PEOPLE = (
    (f"alex@{FIRM}", "admin", "Alex Moreno"),
    (f"dana@{FIRM}", "rep", "Dana Whitfield"),
    (f"luis@{FIRM}", "rep", "Luis Ortega"),
    (f"kim@{FIRM}", "rep", "Kim Sorensen"),
)
PASSWORD = "only for pictures"  # noqa: S105  the installation ends with this program
PATIENCE = 30_000


def main() -> None:
    from playwright.sync_api import sync_playwright

    browser_path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser_path is None:
        sys.exit("Screenshots need Chromium. On Debian or Ubuntu: sudo apt-get install chromium")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        running(Path(home), people=PEOPLE, password=PASSWORD, size=SIZE) as stack,
        sync_playwright() as tool,
    ):
        browser = tool.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(
            base_url=stack.url, viewport=WINDOW, color_scheme="light", reduced_motion="reduce", locale="en-US",
            timezone_id="America/Chicago",
        )  # fmt: skip
        context.set_default_timeout(PATIENCE)
        try:
            _walk(context.new_page(), stack)
        finally:
            browser.close()


def _walk(tab: Any, stack: Stack) -> None:
    tab.goto("/sign-in")
    tab.get_by_label("E-mail").fill(PEOPLE[0][0])
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()
    tab.goto("/integrations")
    tab.get_by_role("link", name="Connect").first.click()
    tab.get_by_role("button", name="Connect").click()
    _slow_down(stack)
    tab.get_by_role("button", name="Import customers").click()
    tab.get_by_role("row", name="Payments").get_by_text("Running").or_(
        tab.get_by_role("link", name="See the contacts")
    ).first.wait_for()  # fmt: skip
    _keep(tab, "import")
    tab.get_by_role("link", name="See the contacts").wait_for()
    tab.goto("/contacts?sort=-balance")
    _keep(tab, "contacts")
    tab.goto("/contacts?link=linked&sort=-balance")
    tab.locator("main tbody .person-name").first.click()
    tab.get_by_role("region", name="Details", exact=True).wait_for()
    _keep(tab, "contact")
    tab.goto("/invoices?state=overdue&sort=-total")
    tab.locator("main tbody .cell-title a").first.click()
    tab.get_by_role("heading", name="Payments and credits").wait_for()
    _keep(tab, "invoice")
    _insight(tab)
    _segment(tab)


def _insight(tab: Any) -> None:
    """The dashboard, with what the nightly job learns from the quotes gone by."""
    tab.goto("/jobs")
    tab.get_by_role("button", name="Run now: Work out expected payments, forecasts and customer values").click()
    tab.goto("/insight/forecast")
    for _ in range(PATIENCE // 1000):
        if tab.get_by_role("heading", name="Expected cash").is_visible():
            break
        tab.wait_for_timeout(1000)
        tab.reload()
    tab.goto("/insight")
    _keep(tab, "insight")


def _segment(tab: Any) -> None:
    """A segment being built: its rules in words, its live figures, and who is one change away."""
    tab.goto("/segments/new?empty=1")
    tab.get_by_label("Name", exact=True).fill("Slow payers in Kansas")
    for number, field, value in ((1, "balance", "500"), (2, "state", "KS"), (3, "days_overdue", "30")):
        if number > 1:
            tab.get_by_role("button", name="Add rule", exact=True).click()
        tab.locator(f"[name=field-n{number}]").select_option(field)
        tab.locator(f"[name=value-n{number}]").fill(value)
        tab.locator("#rules-words", has_text=value).wait_for()
        tab.locator("h1").click()
        tab.wait_for_timeout(1500)  # a list of values draws one box more
    tab.get_by_role("heading", name="One change away").wait_for()
    _keep(tab, "segment")


def _slow_down(stack: Stack) -> None:
    """QuickBooks answers for payments slowly, so that the picture catches the import half-way."""
    rules = [{"action": "latency", "path": "/query", "entity": "Payment", "seconds": 2.5, "count": 2}]
    requests.post(f"{stack.sandbox_url}/_sandbox/trouble", json=rules, timeout=10).raise_for_status()


def _keep(tab: Any, name: str) -> None:
    path = PICTURES / f"{name}.png"
    tab.mouse.move(0, 0)
    tab.evaluate("document.fonts.ready.then(() => true)")
    tab.screenshot(path=path, animations="disabled", caret="hide")
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}  {size / 1000:.0f} KB")
    if size > LARGEST:
        sys.exit(f"{path.name} is larger than {LARGEST / 1000:.0f} KB: show less in it.")


if __name__ == "__main__":
    main()
