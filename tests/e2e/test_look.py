"""The style guide in a real browser, under the product's own security policy: keys, palette, selection, theme, axe.

The page holds every component, so what is proved here holds for the pages built from them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, flash, render_template, request
from werkzeug.serving import make_server

from crm import formats
from crm.security import HEADERS
from tests.e2e.browsing import PATIENCE, Complaints, sideways


def _shell() -> Flask:
    """The product's templates, static files, formats and headers, without its database."""
    app = Flask("crm", root_path=formats.__file__.rsplit("/", 1)[0])
    app.secret_key = "only for tests"
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(formats.FILTERS)
    app.jinja_env.globals.update(formats.GLOBALS, csrf_token=lambda: "token")
    links = [("Home", "house", "/"), ("Contacts", "users", "/contacts"), ("Audit trail", "scroll-text", "/a")]

    @app.context_processor
    def _shared() -> dict[str, Any]:
        person = SimpleNamespace(
            name="Sasha Tillou", label="Sasha Tillou", email="s@example.com", role="admin", is_authenticated=True
        )
        nav = [
            {"label": label, "icon": icon, "url": url, "active": url == request.path, "section": "", "count": None}
            for label, icon, url in links
        ]
        return {"current_user": person, "nav_items": nav}

    @app.get("/")
    @app.get("/contacts")
    def guide() -> str:
        if "flash" in request.args:
            flash("Saved.", "success")
            flash("Line 3 has no name.", "error")
        return render_template("styleguide.html")

    @app.get("/palette")
    def palette() -> str:
        found = [("/contacts?open=1", "Amy Lauterbach", "(650) 555-3311", "user"), ("/a", "Bill Lucchini", "", "user")]
        groups = [("Contacts", [item for item in found if request.args.get("q", "").lower() in item[1].lower()])]
        name = "shared/_palette.html" if request.headers.get("HX-Request") else "shared/palette.html"
        return render_template(name, groups=groups if groups[0][1] else [], q=request.args.get("q", ""))

    @app.after_request
    def _headers(response: Any) -> Any:
        response.headers.update(HEADERS)
        return response

    return app


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, _shell(), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join(5)


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce", base_url=address)
    context.set_default_timeout(PATIENCE)
    tab = context.new_page()
    complaints = Complaints(tab, address)
    tab.goto("/")
    yield tab
    assert complaints == [], "the browser complained"
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (360, 780)])
def test_every_component_is_accessible_and_fits(
    browser: Any, address: str, scheme: str, width: int, height: int
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce", has_touch=width < 500
    )
    tab = context.new_page()
    tab.goto(address + "/?flash=1")
    found = Axe().run(tab).response["violations"]
    assert [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found] == []
    assert sideways(tab) <= 0, "the page scrolls sideways"
    context.close()


def test_slash_goes_to_the_search_field_and_escape_leaves_it(page: Any) -> None:
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") != "search"


def test_g_then_c_goes_to_contacts_but_not_while_typing(page: Any) -> None:
    page.focus("#search")
    page.keyboard.type("gc")
    assert page.url.endswith("/") and page.input_value("#search") == "gc"
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/contacts")


def test_the_palette_searches_moves_by_arrows_and_opens_by_enter(page: Any) -> None:
    page.keyboard.press("Control+k")
    page.wait_for_selector("#palette [aria-selected=true]")
    page.keyboard.press("ArrowDown")
    assert "Bill" in page.inner_text("#palette [aria-selected=true]")
    page.keyboard.type("amy")
    page.wait_for_selector("#palette-results:not(:has-text('Bill'))")
    page.keyboard.press("Enter")
    page.wait_for_url("**/contacts?open=1")


def test_one_escape_closes_the_palette_even_with_words_in_it(page: Any) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("zz")
    page.wait_for_selector("text=Nothing found")
    page.keyboard.press("Escape")
    assert not page.evaluate("document.getElementById('palette').open")


def test_question_mark_shows_the_keys_of_this_persons_pages(page: Any) -> None:
    page.keyboard.press("?")
    assert "Go to Audit trail" in page.inner_text("#help[open]")


def test_rows_are_counted_and_shift_chooses_a_range(page: Any) -> None:
    assert page.is_hidden("#bulk")
    boxes = page.locator(".row-check")
    boxes.nth(1).check()
    assert page.inner_text("[data-bulk-count]") == "1 contact chosen"
    boxes.nth(4).click(modifiers=["Shift"])
    assert page.inner_text("[data-bulk-count]") == "4 contacts chosen"
    page.check("[data-select-all]")
    assert page.inner_text("[data-bulk-count]") == "8 contacts chosen"
    page.click("[data-select-none]")
    page.wait_for_selector("#bulk", state="hidden")


def test_a_question_stands_before_the_deed_and_no_means_no(page: Any) -> None:
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.method) if asked.method == "POST" else None)
    page.locator(".row-check").nth(0).check()
    page.click("#bulk >> text=Archive")
    page.click("#confirm >> text=Cancel")
    assert sent == []
    page.click("#bulk >> text=Archive")
    page.route("**/*", lambda route: route.fulfill(status=200, content_type="text/html", body="<p>done"))
    with page.expect_request(lambda asked: asked.method == "POST"):
        page.click("[data-confirm-yes]")


def test_the_chosen_theme_is_drawn_by_the_server_next_time(page: Any) -> None:
    page.click(".side-foot summary")
    page.click("[data-theme-toggle]")
    page.click("[data-theme-toggle]")
    assert {"name": "theme", "value": "dark"}.items() <= page.context.cookies()[0].items()
    assert 'data-theme="dark"' in page.request.get("/").text()


def test_leaving_an_edited_form_asks_first(page: Any) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.fill("#f-name", "Somebody else")
    page.goto("/contacts")
    assert asked == ["beforeunload"]


def test_without_scripting_the_menu_opens_and_messages_stand_in_the_page(browser: Any, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
    tab = context.new_page()
    tab.goto(address + "/?flash=1")
    assert tab.is_visible("text=Line 3 has no name.") and tab.is_hidden("[data-theme-toggle]")
    assert tab.is_hidden("#nav")
    tab.click("button[popovertarget=nav]")
    assert tab.is_visible("#nav >> text=Audit trail")
    tab.goto(address + "/palette?q=amy")
    assert tab.is_visible("main >> text=Amy Lauterbach")
    context.close()
