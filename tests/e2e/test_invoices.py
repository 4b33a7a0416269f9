"""Invoices in a real browser with the company's own pages on the other side: what is done there is seen here.

A company of its own, because it is written to: the others of these tests promise that nothing is.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import fresh_database
from tests.e2e.browsing import PATIENCE, Complaints, barriers, sideways
from tests.e2e.conftest import PASSWORD, PEOPLE, Company, connected_and_imported, sign_in
from tests.e2e.test_quotes import built, shoot
from tools.stack import Stack, running

SECONDS = 40


@dataclass(frozen=True, slots=True)
class Shop:
    """A company that is written to, and how a person opens a tab in its installation."""

    stack: Stack
    company: Company
    tab: Callable[..., Any]

    def books(self, kind: str, remote_id: str) -> str:
        return f"{self.stack.sandbox_url}/company/{self.company.realm}/{kind}/{remote_id}"


@pytest.fixture(scope="module")
def shop(browser: Any, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Shop]:
    """Connected, imported, and opened for writing through the pages."""
    url = fresh_database(os.environ.get("TEST_DATABASE_URL", ""), f"e2e_shop_{worker_id}")
    settings = {"DATABASE_URL": url, "REDIS_URL": ""}
    home = tmp_path_factory.mktemp("shop")
    with ExitStack() as closing:
        stack = closing.enter_context(
            running(home, people=tuple(PEOPLE.values()), password=PASSWORD, size=40, settings=settings)
        )

        def opened(who: str = "", *, width: int = 1280, script: bool = True, allowed: tuple[int, ...] = ()) -> Any:
            context = browser.new_context(
                base_url=stack.url, viewport={"width": width, "height": 900}, java_script_enabled=script,
                reduced_motion="reduce", has_touch=width < 500,
            )  # fmt: skip
            context.set_default_timeout(PATIENCE)
            closing.callback(context.close)
            tab = context.new_page()
            complaints.append(Complaints(tab, stack.url, stack.sandbox_url, allowed=allowed))
            if who:
                sign_in(tab, who)
            return tab

        complaints: list[Complaints] = []
        admin = opened("admin")
        company = connected_and_imported(admin)
        admin.goto("/sync/plans")
        admin.get_by_role("button", name="Make the first plan").click()
        admin.get_by_role("button", name="Open for writing").first.click(timeout=SECONDS * 1000)
        admin.locator("dialog[open]").get_by_role("button", name="Open").click()
        admin.get_by_text("Approved with nothing to write").wait_for()
        yield Shop(stack, company, opened)
        assert [one for tab in complaints for one in tab] == [], "a browser complained"


def until(tab: Any, seen: Callable[[], bool], what: str) -> None:
    """Look again until it is there: webhooks and workers take a moment."""
    deadline = time.monotonic() + SECONDS
    while not seen():
        assert time.monotonic() < deadline, f"{what}: {tab.inner_text('main')}"
        tab.wait_for_timeout(300)
        tab.reload()


def badge(tab: Any, word: str) -> Callable[[], bool]:
    return lambda: bool(tab.locator(".contact-top .badge", has_text=re.compile(f"^{word}$")).count())


def remote_id(tab: Any) -> str:
    """Of the invoice whose page is open, once it has arrived in the books."""
    copies = tab.get_by_role("button", name="Copy QuickBooks id")
    until(
        tab, lambda: bool(copies.count()) and "On its way" not in tab.inner_text(".contact-top"), "it does not arrive"
    )
    return str(copies.first.get_attribute("data-copy"))


def written(tab: Any, *, title: str, price: str) -> str:
    """A draft of one product of the company; its address."""
    tab.goto("/invoices/new")
    tab.get_by_label("Find a contact").fill("a")
    tab.locator("#buyers button").first.click()
    tab.get_by_role("button", name="Change").wait_for()
    tab.get_by_label("Title").fill(title)
    tab.get_by_label("Add a product").fill("a")
    tab.locator("#picked button").first.click()
    tab.get_by_label("Price, line 1").fill(price)
    tab.get_by_role("button", name="Save draft").click()
    tab.wait_for_url(re.compile(r"/invoices/\d+$"))
    return str(tab.url)


def test_a_quote_is_accepted_by_the_customer_invoiced_paid_in_quickbooks_and_seen_here_as_paid(shop: Shop) -> None:
    rep = shop.tab("rep")
    quote = built(rep, title="From quote to payment")
    rep.get_by_role("button", name="Send", exact=True).click()
    rep.locator(".badge", has_text="Sent").first.wait_for()
    customer = shop.tab(width=390)
    customer.goto(re.sub(r"^https?://[^/]+", "", rep.locator("a[href*='/q/']").first.get_attribute("href")))
    customer.locator("#answer").get_by_label("Your name").fill("Ada Byron")
    customer.get_by_role("button", name="Accept", exact=True).click()
    customer.get_by_text("Accepted by Ada Byron on").wait_for()
    rep.reload()
    rep.get_by_role("button", name="Make an invoice").click()
    rep.get_by_role("button", name="Make the invoice").click()
    rep.wait_for_url(re.compile(r"/invoices/\d+$"))
    rep.get_by_role("button", name="Finish", exact=True).click()
    open_amount = stat(rep, "Open")
    there = remote_id(rep)
    books = shop.tab()
    books.goto(shop.books("Invoice", there))
    assert books.get_by_label("Amount received").input_value() == open_amount.removeprefix("$"), (
        "both sides come to the same"
    )
    books.get_by_role("button", name="Receive payment").click()
    books.locator("h1 .tag", has_text="Paid").wait_for()
    until(rep, badge(rep, "Paid"), "the payment is not seen")
    assert (stat(rep, "Open"), stat(rep, "Paid")) == ("$0.00", open_amount)
    rep.goto(quote)
    assert badge(rep, "Invoiced")(), rep.inner_text("main")


def stat(tab: Any, label: str) -> str:
    return str(tab.locator(".stat", has=tab.get_by_text(label, exact=True)).locator(".stat-value").inner_text())


def test_edited_on_both_sides_at_once_a_person_decides_and_a_void_there_is_seen(shop: Shop) -> None:
    rep, admin, books = shop.tab("rep"), shop.tab("admin"), shop.tab()
    address = written(rep, title="Both sides", price="200")
    rep.get_by_role("button", name="Finish", exact=True).click()
    there = remote_id(rep)
    admin.goto("/sync/settings")
    admin.get_by_role("button", name="Pause everything").click()
    admin.get_by_role("button", name="Resume everything").wait_for()
    books.goto(shop.books("Invoice", there))
    books.get_by_label(re.compile("^Price of")).first.fill("210")
    books.get_by_role("button", name="Save lines").click()
    books.locator("td.money", has_text="210.00").first.wait_for()
    rep.goto(f"{address}/edit")
    rep.get_by_label("Price, line 1").fill("190")
    rep.get_by_role("button", name="Save", exact=True).click()
    rep.wait_for_url(re.compile(r"/invoices/\d+$"))
    admin.get_by_role("button", name="Resume everything").click()
    admin.goto("/sync/conflicts")
    until(admin, lambda: bool(admin.locator("main tbody tr").count()), "no conflict is seen")
    admin.locator("main tbody a").first.click()
    admin.locator("[data-card]").first.wait_for()
    said = admin.inner_text("main")
    assert "190.00" in said and "210.00" in said, said
    shoot(admin, "/sync/conflicts", "invoice")
    admin.locator("[data-card]").first.focus()
    admin.keyboard.press("1")
    books.goto(shop.books("Invoice", there))
    until_there(books, "190.00")
    books.get_by_text("Void...").click()
    books.get_by_role("button", name="Void it").click()
    books.locator("h1 .tag", has_text="Voided").wait_for()
    rep.goto(address)
    until(rep, badge(rep, "Void"), "the void is not seen")


def until_there(tab: Any, amount: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not tab.locator("td.money", has_text=amount).count():
        assert time.monotonic() < deadline, f"{amount} does not arrive: {tab.inner_text('main')}"
        tab.wait_for_timeout(300)
        tab.reload()


def test_chosen_by_keyboard_they_go_out_and_one_deleted_there_is_gone_here(shop: Shop) -> None:
    rep, books = shop.tab("rep"), shop.tab()
    first, second = written(rep, title="Chosen one", price="31"), written(rep, title="Chosen two", price="32")
    rep.goto("/invoices?q=Chosen&state=draft")
    rep.get_by_label("Select Chosen one").focus()
    rep.keyboard.press("Space")
    rep.get_by_label("Select Chosen two").focus()
    rep.keyboard.press("Space")
    rep.get_by_text("2 invoices chosen").wait_for()
    shoot(rep, "/invoices", "chosen")
    assert sideways(rep) <= 0 and barriers(rep) == []
    rep.get_by_role("button", name="Let go").press("Enter")
    rep.locator("dialog[open]").get_by_role("button", name="Let go").press("Enter")
    rep.get_by_text("2 invoices let go to QuickBooks").wait_for()
    rep.goto(second)
    remote_id(rep)
    rep.goto(first)
    books.goto(shop.books("Invoice", remote_id(rep)))
    books.get_by_text("Delete...").click()
    books.get_by_role("button", name="Delete it").click()
    books.wait_for_url(re.compile("/customers/"))
    until(rep, lambda: "This invoice was deleted" in rep.inner_text("main"), "the deletion is not seen")
    rep.goto("/invoices?q=Chosen")
    assert rep.get_by_label("Select Chosen one").count() == 0 and "Deleted" not in rep.inner_text("#list")


def test_without_scripting_chosen_invoices_are_voided_with_a_reason_and_refusals_say_why(shop: Shop) -> None:
    rep = shop.tab("rep", width=390, script=False, allowed=(409, 422))
    rep.goto("/invoices?state=paid")
    rep.locator(".row-check").first.check()
    rep.locator("summary", has_text="Void…").click()
    assert sideways(rep) <= 0
    rep.get_by_role("button", name="Void the chosen invoices").click()
    assert "Say why they are voided" in rep.inner_text("main") and rep.locator(".row-check").first.is_checked()
    rep.get_by_label("Why they are voided").fill("billed twice")
    rep.get_by_role("button", name="Void the chosen invoices").click()
    words = rep.inner_text("main")
    assert "1 invoice stays as it is" in words and re.search(
        "Payments or credits|bank deposit|QuickBooks Payments", words
    )
    assert rep.locator(".row-check").first.is_checked()
