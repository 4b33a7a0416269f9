"""The main job in a real browser: connect a company, import it, see money, decide what is doubtful, lose it, return."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.e2e.conftest import Company, connected_and_imported, see_the_end
from tools.stack import Stack

Visit = Callable[..., Any]


@pytest.fixture
def trouble(stack: Stack) -> Iterator[Callable[..., None]]:
    """Scripted misfortune of the simulated QuickBooks, taken back at the end."""
    address = f"{stack.sandbox_url}/_sandbox/trouble"

    def script(*rules: dict[str, Any]) -> None:
        requests.post(address, json=list(rules), timeout=10).raise_for_status()

    yield script
    requests.delete(address, timeout=10).raise_for_status()


def _in_the_books(stack: Stack, company: Company, entity: str) -> list[dict[str, Any]]:
    """Every record of the simulated company as it stands there, amounts exact."""
    answer = requests.get(
        f"{stack.sandbox_url}/_sandbox/state", params={"entity": entity, "realm": company.realm}, timeout=10
    )
    return answer.json(parse_float=Decimal)


def _flash(tab: Any) -> str:
    return tab.locator("#flash").inner_text()


def test_a_refused_consent_connects_nothing_and_says_so(visit: Visit) -> None:
    tab = visit()
    tab.goto("/integrations")
    before = tab.get_by_role("link", name="Open").count()
    connect = tab.get_by_role("link", name="Connect")
    if connect.count():
        connect.first.click()
    else:  # another file of this worker has connected the company: the link is not offered then, its address works
        tab.goto("/auth/quickbooks")
    assert "com.intuit.quickbooks.accounting" in tab.inner_text("main")
    tab.get_by_role("button", name="Cancel").click()
    tab.wait_for_url("**/integrations")
    assert "Nothing was connected: the consent was declined" in _flash(tab)
    assert tab.get_by_role("link", name="Open").count() == before


def test_the_connected_company_says_what_it_is_and_that_nothing_is_written(visit: Visit, company: Company) -> None:
    tab = visit()
    tab.goto(company.path)
    page = tab.inner_text("main")
    assert company.name in tab.inner_text("h1")
    assert "Connected, read-only" in page and "Nothing is written to QuickBooks" in page
    tab.get_by_role("button", name="Test connection").click()
    tab.wait_for_selector("text=it answered.")


def test_an_import_shows_how_far_it_is_and_then_its_result(
    visit: Visit, company: Company, trouble: Callable[..., None]
) -> None:
    trouble({"action": "latency", "path": "/query", "seconds": 1.2, "count": 3})
    tab = visit()
    tab.goto(company.run_path)
    tab.get_by_role("button", name="Import again").click()
    tab.wait_for_url(lambda url: url != company.run_path)
    bar = tab.get_by_role("progressbar")
    bar.wait_for()
    assert tab.get_by_role("button", name="Cancel import").is_visible()
    see_the_end(tab)
    assert not bar.is_visible()
    customers = tab.get_by_role("row", name="Customers").get_by_role("cell").all_inner_texts()
    assert customers[1:3] == ["0", "0"] and int(customers[3]) >= 60, "the second import finds everything unchanged"


def test_a_cancelled_import_stops_and_can_be_started_again(
    visit: Visit, company: Company, trouble: Callable[..., None]
) -> None:
    trouble({"action": "latency", "path": "/query", "seconds": 1.5, "count": 40})
    tab = visit()
    tab.goto(company.run_path)
    tab.get_by_role("button", name="Import again").click()
    tab.wait_for_url(lambda url: url != company.run_path)
    tab.get_by_role("button", name="Cancel import").click()
    tab.get_by_role("button", name="Stop it").click()
    tab.wait_for_selector("text=This import was cancelled")
    trouble()
    tab.locator("#run").get_by_role("button", name="Import again").first.click()
    see_the_end(tab)


def test_a_linked_contact_shows_the_money_that_the_books_hold(visit: Visit, company: Company, stack: Stack) -> None:
    tab = visit("rep")
    tab.goto("/contacts?link=linked&sort=-balance")
    tab.locator("main tbody .person-name").first.click()
    tab.wait_for_url(re.compile(r"/contacts/\d+$"))
    remote_id = tab.get_by_role("button", name="Copy QuickBooks id").first.get_attribute("data-copy")
    customers = {one["Id"]: one for one in _in_the_books(stack, company, "Customer")}
    family = {id for id in customers if remote_id in _line(customers, id)}
    sales = sum(
        sign * document["TotalAmt"]
        for sign, entity in ((1, "Invoice"), (-1, "CreditMemo"))
        for document in _in_the_books(stack, company, entity)
        if document["CustomerRef"]["value"] in family
    )
    owed = customers[remote_id]["BalanceWithJobs"]
    assert owed > 0
    assert _stat(tab, "Open balance") == f"${owed:,.2f}"
    assert _stat(tab, "Total sales") == f"${sales:,.2f}"
    assert "QuickBooks, as of" in tab.locator("main").inner_text()
    tab.locator("#documents").get_by_role("link", name="Payments").click()
    tab.wait_for_selector("#documents [aria-current=page]:has-text('Payments')")
    assert "decided by" in tab.get_by_role("region", name="Match evidence").inner_text().lower()


def _line(customers: dict[str, dict[str, Any]], id: str) -> list[str]:
    """The ids of a customer and of those above it."""
    above = customers[id].get("ParentRef", {}).get("value")
    return [id, *(_line(customers, above) if above else [])]


def _stat(tab: Any, label: str) -> str:
    return tab.locator(".stat", has=tab.get_by_text(label, exact=True)).locator(".stat-value").inner_text()


def test_a_match_turned_down_stays_apart_and_can_be_taken_up_again(visit: Visit, company: Company) -> None:
    tab = visit("rep")
    tab.goto("/matches?kind=match")
    waiting, rows = _tab_count(tab, "To decide"), tab.locator("main [data-row-link]").count()
    tab.locator("main [data-row-link]").first.click()
    tab.locator(".evidence").first.wait_for()  # a doubtful match shows its reasons
    at, customer = tab.url, tab.locator("main [data-card]").get_attribute("aria-label").split(" and ")[0]
    while f"“{customer}” is somebody else. No other contact" not in _flash(tab):
        tab.get_by_role("button", name="Not this one").click()
        tab.wait_for_selector("text=is somebody else")
    tab.goto("/matches?show=rejected")
    assert _tab_count(tab, "To decide") == waiting - 1

    tab.locator("main [data-row-link]", has_text=customer).first.click()
    assert tab.get_by_role("button", name="Not this one").count() == 0, "it has a contact of its own now"
    tab.locator("main th.books").get_by_role("link", name=customer).click()
    assert customer in tab.inner_text("h1")
    tab.get_by_text("Unlink").first.click()
    with tab.expect_navigation():
        tab.get_by_role("button", name="Unlink", exact=True).last.click()  # asked again, here or on a page of its own
    tab.wait_for_selector("text=Not linked to a customer in QuickBooks.")

    tab.goto("/matches?show=rejected")
    tab.locator("main tbody tr", has_text=customer).first.get_by_role("button", name="Propose again").click()
    tab.wait_for_load_state()
    tab.goto(at)
    assert tab.get_by_role("button", name="Not this one").count() == 1
    tab.goto("/matches?kind=match")
    assert tab.locator("main [data-row-link]").count() == rows


def _tab_count(tab: Any, label: str) -> int:
    text = tab.locator(".tabs").get_by_role("link", name=label).inner_text()
    return int("".join(filter(str.isdigit, text)) or 0)


def test_a_lost_connection_asks_for_a_person_and_the_reconnect_keeps_every_link(
    visit: Visit, company: Company, stack: Stack
) -> None:
    tab = visit()
    linked = _linked(tab)
    assert linked > 0
    requests.post(
        f"{stack.sandbox_url}/_sandbox/tokens/revoke", params={"realm": company.realm}, timeout=10
    ).raise_for_status()
    tab.goto(company.path)
    tab.get_by_role("button", name="Test connection").click()
    tab.wait_for_selector("#health >> text=Needs reconnect")
    tab.goto("/")
    assert "no longer accepts this connection" in tab.inner_text("main"), "the first page tells an admin"
    assert _linked(tab) == linked
    tab.goto(company.path)
    tab.get_by_role("link", name="Reconnect to QuickBooks").click()
    tab.locator(f'input[value="{company.realm}"]').check()
    tab.get_by_role("button", name="Connect").click()
    tab.wait_for_url(company.path)
    assert "is connected again. Every link was kept." in _flash(tab)
    assert "Connected, read-only" in tab.inner_text("#health")
    assert _linked(tab) == linked


def _linked(tab: Any) -> int:
    tab.goto("/contacts?link=linked")
    found = re.search(r"of ([\d,]+) contacts?", tab.locator(".pager").inner_text())
    assert found
    return int(found.group(1).replace(",", ""))


def test_without_scripting_a_company_is_disconnected_connected_again_imported_and_a_match_decided(
    visit: Visit, company: Company
) -> None:
    tab = visit(script=False)
    tab.goto(company.path)
    tab.get_by_role("link", name="Disconnect").click()
    tab.get_by_role("button", name="Disconnect").click()
    tab.goto("/integrations")
    assert "Disconnected" in tab.inner_text("main")
    assert connected_and_imported(tab, look_again=True).path == company.path, "the same company, not a second one"
    tab.goto("/matches?kind=match")
    before = _tab_count(tab, "To decide")
    tab.locator("main [data-row-link]").first.click()
    tab.get_by_role("button", name="Different people: make a new contact").click()
    assert "/matches/desk" in tab.url
    tab.goto("/matches")
    assert _tab_count(tab, "To decide") == before - 1


def test_a_bookkeeper_sees_money_and_changes_nothing(visit: Visit, company: Company) -> None:
    tab = visit("bookkeeper", allowed=(403,))
    tab.goto("/contacts?sort=-balance")
    assert tab.get_by_role("link", name="New contact").count() == 0
    tab.locator("main tbody .person-name").first.click()
    tab.wait_for_url(re.compile(r"/contacts/\d+$"))
    assert _stat(tab, "Open balance").startswith("$")
    assert tab.get_by_role("link", name=re.compile("^Edit|^Change|^Add")).count() == 0
    for path in (tab.url + "/edit", "/matches", "/integrations"):
        assert tab.goto(path).status == 403
    assert "Not allowed" in tab.inner_text("body")


def test_a_rep_works_on_contacts_but_not_on_connections(visit: Visit, company: Company) -> None:
    tab = visit("rep", allowed=(403,))
    tab.goto("/contacts")
    menu = tab.locator("#nav").inner_text()
    assert "Matches" in menu and "QuickBooks" not in menu and "People" not in menu
    assert tab.goto(company.path).status == 403
