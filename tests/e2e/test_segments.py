"""Segments in a real browser: built by keyboard with live figures, explained, saved; a payment in QuickBooks moves a
contact from one to another; every page open to everybody."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.e2e.browsing import PATIENCE, barriers, darken, sideways
from tests.e2e.conftest import Company
from tools.programs import ROOT, beat
from tools.stack import Stack

Visit = Callable[..., Any]
SECONDS = 90
"""Until a change there has come in and the segments follow it: a webhook, a worker, a refresh."""


def focused(tab: Any, name: str) -> None:
    tab.wait_for_function("name => document.activeElement.name === name", arg=name)


def counted(tab: Any) -> int:
    return int(tab.locator("#live-count").inner_text().replace(",", ""))


def until(tab: Any, wanted: Callable[[int], bool]) -> int:
    """The live count, as soon as it is what is waited for."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not wanted(count := counted(tab)):
        assert time.monotonic() < deadline, f"the count stays {count}"
        tab.wait_for_timeout(50)
    return count


def built(tab: Any, name: str, field: str, op: str, *values: str) -> str:
    """A segment of one rule, saved; its address."""
    tab.goto("/segments/new?empty=1")
    tab.get_by_label("Name", exact=True).fill(name)
    tab.get_by_label("What the rule 1 asks about").select_option(field)
    tab.locator("#f-op-n1").wait_for()
    if tab.locator("#f-op-n1").input_value() != op:
        with tab.expect_response(lambda answer: answer.request.method == "POST" and answer.url.endswith("/segments")):
            tab.locator("#f-op-n1").select_option(op)
    for at, value in enumerate(values):
        tab.locator("[name=value-n1]").nth(at).fill(value)
    tab.get_by_role("button", name="Save segment").click()
    tab.wait_for_url(re.compile(r"/segments/\d+$"))
    return str(tab.url)


def test_a_segment_is_built_by_keyboard_with_a_live_count_explained_and_saved(visit: Visit, company: Company) -> None:
    tab = visit("rep")
    tab.goto("/segments/new?empty=1")
    focused(tab, "name")
    tab.keyboard.type("Keyboard debtors")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    focused(tab, "field-n1")
    tab.keyboard.type("Balance", delay=20)
    tab.locator("#f-op-n1").wait_for()
    focused(tab, "field-n1")
    tab.keyboard.press("Tab")
    focused(tab, "op-n1")
    tab.keyboard.press("Tab")
    focused(tab, "value-n1")
    tab.keyboard.type("0")
    many = until(tab, lambda count: count > 1)
    tab.get_by_text("Balance is more than $0.00").wait_for()
    tab.keyboard.press("ControlOrMeta+a")
    tab.keyboard.type("3000")
    assert until(tab, lambda count: count < many) >= 1 and tab.locator("#preview .sample a").count() >= 1
    tab.get_by_role("button", name="Add rule", exact=True).focus()
    tab.keyboard.press("Enter")
    focused(tab, "field-n2")
    tab.keyboard.type("Number", delay=20)
    tab.locator("#f-op-n2").wait_for()
    tab.locator("[name=value-n2]").fill("999")
    until(tab, lambda count: count == 0)
    tab.locator("#preview .away li", has_text="Number of invoices").wait_for()
    tab.get_by_role("button", name=re.compile("^Remove: rule 2")).focus()
    tab.keyboard.press("Enter")
    left = until(tab, lambda count: count > 0)
    tab.get_by_role("button", name="Save segment").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_url(re.compile(r"/segments/\d+$"))
    assert tab.locator("h1").inner_text() == "Keyboard debtors"
    assert tab.locator(".stat", has_text="Members").first.inner_text().endswith(str(left))
    tab.get_by_role("link", name=re.compile("^Why is .* in\\?$")).first.click()
    tab.get_by_text("Rule by rule").wait_for()
    assert tab.locator(".reason[data-passed=yes]").count() >= 2 and "In, if" not in tab.inner_text("main")
    tab.get_by_role("link", name="Ask for another").click()
    tab.get_by_label("Name, phone, e-mail or company").fill("a")
    tab.keyboard.press("Enter")
    tab.get_by_role("link", name=re.compile("not in\\?$")).first.click()
    tab.get_by_role("heading", name=re.compile("not in\\?$")).wait_for()
    assert tab.locator(".reason[data-passed=no]").count() >= 1


def test_what_is_typed_while_a_slow_answer_is_under_way_is_not_lost(visit: Visit, company: Company) -> None:
    tab = visit("rep")
    tab.goto("/segments/new?empty=1")
    tab.get_by_label("What the rule 1 asks about").select_option("balance")
    tab.locator("[name=value-n1]").wait_for()
    slow = tab.context.new_cdp_session(tab)
    slow.send("Network.enable")
    limits = {"offline": False, "latency": 1200, "downloadThroughput": 20_000, "uploadThroughput": 20_000}
    slow.send("Network.emulateNetworkConditions", limits)
    with tab.expect_response(lambda answer: answer.request.method == "POST" and answer.url.endswith("/segments")):
        tab.get_by_role("button", name="Add rule", exact=True).click()
        tab.locator("[name=value-n1]").focus()
        tab.keyboard.type("123456", delay=60)
    tab.locator("[name=field-n2]").wait_for()
    tab.keyboard.type("789", delay=30)
    assert tab.locator("[name=value-n1]").input_value() == "123456789"
    # A choice is redrawn neither under a finger, where the click would be lost, nor forgotten when it slips off.
    slow.send("Network.emulateNetworkConditions", limits | {"latency": 300})
    for slips, rules in ((True, 2), (False, 3)):
        with tab.expect_request(lambda asked: asked.method == "POST" and asked.url.endswith("/segments")):
            tab.locator("[name=op-n1]").select_option(index=1 if slips else 2)
        tab.get_by_role("button", name="Add rule", exact=True).hover()
        tab.mouse.down()
        tab.wait_for_timeout(900)
        if slips:
            tab.mouse.move(5, 5)
        with tab.expect_response(lambda answer: answer.request.method == "POST" and answer.url.endswith("/segments")):
            tab.mouse.up()
        tab.locator(f"[name=field-n{rules}]").wait_for()


def test_without_scripting_the_same_buttons_build_a_segment(visit: Visit, company: Company) -> None:
    tab = visit("rep", script=False)
    tab.goto("/segments/new?template=overdue")
    tab.get_by_role("button", name="Change the rules").click()
    tab.get_by_label("Name", exact=True).fill("Plain overdue")
    tab.get_by_role("button", name="Add rule", exact=True).click()
    tab.get_by_label(re.compile("What the rule 3")).select_option("type")
    tab.get_by_role("button", name="Count").click()
    tab.get_by_label("Customer", exact=True).check()
    tab.get_by_role("button", name="Count").click()
    assert counted(tab) >= 1 and "Type is Customer" in tab.inner_text("#rules-words")
    tab.get_by_role("button", name="Save segment").click()
    assert re.search(r"/segments/\d+$", tab.url)


@pytest.fixture
def beating(stack: Stack) -> Iterator[None]:
    """The schedule, as it runs for everybody: it finds whose segments are due."""
    program = beat(stack.environment)
    with (stack.home / "logs" / "beat.log").open("ab") as log:
        process = subprocess.Popen(
            list(program.command), cwd=ROOT, env=program.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_a_payment_in_quickbooks_moves_a_contact_from_one_segment_to_another(
    visit: Visit, company: Company, stack: Stack, beating: None
) -> None:
    tab = visit("rep")
    owing = built(tab, "Debt that will be paid", "balance", "more", "0")
    cleared = built(tab, "Nothing owed at all", "balance", "at_most", "0")
    tab.goto(f"{owing}?sort=balance")
    person = tab.locator("main tbody .person-name").first
    who, contact = person.inner_text(), str(person.get_attribute("href"))
    tab.goto(contact)
    customer = str(tab.get_by_role("button", name="Copy QuickBooks id").get_attribute("data-copy"))
    pay_everything(stack, company, customer)
    seen(tab, cleared, contact)
    tab.goto(owing)
    assert tab.locator(f"main tbody a.person-name[href='{contact}']").count() == 0
    tab.goto(owing + "/history?way=out")
    line = tab.locator("main tbody tr", has_text=who).first
    assert "Left" in line.inner_text() and "Something about the contact changed" in line.inner_text()
    tab.goto(contact)
    assert "Nothing owed at all" in tab.get_by_role("region", name="Segments", exact=True).inner_text()
    tab.get_by_role("link", name="Why in Nothing owed at all?").click()
    rule = tab.locator(".reason", has_text="Balance is at most $0.00").first
    assert rule.get_attribute("data-passed") == "yes" and "$0.00" in rule.locator(".has").inner_text()


def pay_everything(stack: Stack, company: Company, customer: str) -> None:
    """Every open invoice of the customer and its jobs is paid in the simulated company's own pages."""
    whose = {customer}
    for one in in_the_books(stack, company, "Customer"):
        if one.get("ParentRef", {}).get("value") in whose:
            whose.add(one["Id"])
    owed = [one for one in in_the_books(stack, company, "Invoice")
            if one["CustomerRef"]["value"] in whose and one["Balance"] > 0]  # fmt: skip
    assert owed, "who owes has an open invoice there"
    for one in owed:
        address = f"{stack.sandbox_url}/company/{company.realm}/Invoice/{one['Id']}/payment"
        requests.post(address, data={"amount": str(one["Balance"])}, timeout=10).raise_for_status()


def in_the_books(stack: Stack, company: Company, entity: str) -> list[dict[str, Any]]:
    answer = requests.get(
        f"{stack.sandbox_url}/_sandbox/state", params={"entity": entity, "realm": company.realm}, timeout=10
    )
    found: list[dict[str, Any]] = answer.json(parse_float=Decimal)
    return found


def seen(tab: Any, segment: str, contact: str) -> None:
    """Watch the segment's page until the contact is in it."""
    deadline = time.monotonic() + SECONDS
    while True:
        tab.goto(f"{segment}?sort=-since")
        if tab.locator(f"main tbody a.person-name[href='{contact}']").count():
            return
        assert time.monotonic() < deadline, f"{contact} did not come in"
        time.sleep(0.5)


PAGES = {
    "list": "/segments",
    "list, nothing found": "/segments?q=nothingiscalledthis",
    "choice": "/segments/new",
    "ready-made": "/segments/new?template=seasonal",
    "builder": "/segments/new?empty=1",
    "rules": "{segment}/edit",
    "members": "{segment}",
    "history": "{segment}/history",
    "versions": "{segment}/versions",
    "asking": "{segment}/why?q=a",
    "why": "{why}",
    "grid": "/segments/rfm",
}


@pytest.fixture(scope="module")
def addresses(browser: Any, company: Company, stack: Stack, _cookies: Callable[[str], Any]) -> dict[str, str]:
    context = browser.new_context(base_url=stack.url, storage_state=_cookies("rep"))
    context.set_default_timeout(PATIENCE)
    tab = context.new_page()
    segment = built(tab, "For looking at", "lifetime_sales", "more", "10")
    why = tab.get_by_role("link", name=re.compile("^Why is .* in\\?$")).first.get_attribute("href")
    context.close()
    return {"segment": segment, "why": str(why)}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_open_to_everybody_in_both_themes_and_fits_a_phone(
    visit: Visit, addresses: dict[str, str], name: str
) -> None:
    tab = visit("rep")
    assert tab.goto(PAGES[name].format(**addresses)).status == 200
    assert sideways(tab) <= 0, "it scrolls sideways on a wide screen"
    tab.set_viewport_size({"width": 390, "height": 844})
    assert sideways(tab) <= 0, "it scrolls sideways on a phone"
    tab.set_viewport_size({"width": 1440, "height": 900})
    found = {"light": barriers(tab)}
    darken(tab)
    found["dark"] = barriers(tab, only="color-contrast")
    assert found == {"light": [], "dark": []}
