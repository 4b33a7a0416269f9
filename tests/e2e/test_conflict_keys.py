"""The conflict desk by keyboard in a real browser: j and k, 1 and 2, e; and nothing scrolls sideways on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from crm.db import db
from tests.services.test_sync_matching import connection  # noqa: F401
from tests.web.test_conflicts import emptied, states  # noqa: F401


@pytest.fixture
def tab(
    app: Flask,
    browser: Any,
    client: FlaskClient,
    sign_in: Callable[..., object],
    emptied: dict[str, int],  # noqa: F811
) -> Iterator[Any]:
    """A tab of an admin who is signed in."""
    db.session.remove()
    sign_in("admin")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}")
    cookies = client._cookies.values()  # the signed-in session of the test client
    url = f"http://127.0.0.1:{server.port}"
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": url} for cookie in cookies])
    yield context.new_page()
    context.close()
    server.shutdown()


def test_every_key_does_what_its_button_says(tab: Any, emptied: dict[str, int]) -> None:  # noqa: F811
    amy, bea, cid = (f"/sync/conflicts/{emptied[name]}?sort=name" for name in ("Amy Fox", "Bea Wolf", "Cid Hare"))
    tab.goto(amy)
    for key, there in (("j", bea), ("j", cid), ("k", bea), ("k", amy)):
        tab.keyboard.press(key)
        tab.wait_for_url(f"**{there}")
    tab.keyboard.press("e")
    tab.wait_for_url("**edit=1*")
    tab.wait_for_function("document.activeElement.name === 'value'")
    tab.goto(amy)
    tab.keyboard.press("1")
    tab.wait_for_url(f"**{bea}")
    tab.keyboard.press("2")
    tab.wait_for_url(f"**{cid}")
    assert states() == ["open", "resolved", "resolved"]


def test_on_a_phone_the_sides_stand_below_each_other(tab: Any, emptied: dict[str, int]) -> None:  # noqa: F811
    tab.set_viewport_size({"width": 360, "height": 800})
    for path in (
        "/sync/conflicts",
        f"/sync/conflicts/{emptied['Amy Fox']}",
        f"/sync/conflicts/{emptied['Amy Fox']}?edit=1",
    ):
        tab.goto(path)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360, path
    boxes = [tab.get_by_role("region", name=name).bounding_box() for name in ("Before", "Here", "QuickBooks")]
    assert [box["x"] for box in boxes] == [boxes[0]["x"]] * 3
    assert boxes[0]["y"] < boxes[1]["y"] < boxes[2]["y"]


INSIDE = """() => [...document.querySelectorAll('.thirds .btn')].map(button => {
  const card = button.closest('.card'), inner = parseFloat(getComputedStyle(card).paddingRight)
  return card.getBoundingClientRect().right - inner - button.getBoundingClientRect().right })"""
CUT = """() => [...document.querySelectorAll('td > select.input')].filter(select => {
  const free = document.createElement('select'); free.className = 'input'; free.style.width = 'auto'
  free.append(...[...select.options].map(option => option.cloneNode(true))); document.body.append(free)
  const wanted = free.getBoundingClientRect().width; free.remove()
  return select.getBoundingClientRect().width < wanted - 1 }).length"""


def test_on_a_small_desk_no_button_touches_its_card_and_no_choice_is_cut(
    tab: Any,
    emptied: dict[str, int],  # noqa: F811
) -> None:
    tab.set_viewport_size({"width": 1280, "height": 800})
    tab.goto(f"/sync/conflicts/{emptied['Amy Fox']}")
    rooms = tab.evaluate(INSIDE)
    assert len(rooms) == 2 and min(rooms) >= 0
    tab.goto("/sync/settings")
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert tab.locator("td > select.input").count() > 10 and tab.evaluate(CUT) == 0
    for width in (1280, 360):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
