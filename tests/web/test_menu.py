"""The menu says how much waits for a person, to whom it may concern, at one small statement for a page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from crm import clock
from crm.models import Conflict, Customer
from tests.engine_rows import add, company, contact, entry
from tests.queries.test_contacts import statements


def conflict(connection_id: int, contact_id: int, field: str = "display_name", state: str = "open") -> int:
    return add(Conflict(connection_id=connection_id, kind="customer", local_id=contact_id, remote_id="1", field=field,
                        state=state, reason="both_changed", base="", ours="a", theirs="b",
                        opened_at=clock.now()))  # fmt: skip


def review(connection_id: int, remote_id: str, state: str = "review") -> int:
    now = clock.now()
    return add(Customer(connection_id=connection_id, remote_id=remote_id, display_name=remote_id, match_state=state,
                        content_hash="x", record={}, seen_at=now))  # fmt: skip


def counts(client: FlaskClient, path: str = "/account") -> dict[str, str]:
    """Word of an entry of the menu -> its figure."""
    menu = client.get(path).text.split('id="nav"')[1].split("</nav>")[0]
    found = re.findall(r'</svg>([\w ]+)(?:<span class="nav-count">([\d,]+)<)?', menu)
    return {label: number for label, number in found if number}


@pytest.fixture
def waiting(client: FlaskClient) -> int:
    books = company()
    amy, ben = contact("Amy Fox"), contact("Ben Elm")
    conflict(books, amy)
    conflict(books, amy, "website")
    conflict(books, ben, state="resolved")
    conflict(books, 4711)  # of a contact that is not here any more
    entry(books, ben, "parked", cause="duplicate_name")
    entry(books, amy, "skipped")
    for number, state in enumerate(("review", "review", "review", "linked", "ignored")):
        review(books, f"{number}", state)
    return books


def test_each_sees_what_waits_for_them(client: FlaskClient, sign_in: Any, waiting: int) -> None:
    for role, found in {"admin": {"Matches": "3", "Sync": "3"}, "rep": {"Matches": "3", "Sync": "2"},
                        "bookkeeper": {}}.items():  # fmt: skip
        sign_in(role)
        assert counts(client) == found, role


def test_where_nothing_waits_there_is_no_figure(client: FlaskClient, sign_in: Any) -> None:
    sign_in("admin")
    assert counts(client) == {}


def test_the_menu_costs_two_statements_and_a_fragment_none(client: FlaskClient, sign_in: Any, waiting: int) -> None:
    sign_in("admin")
    with statements() as whole:
        client.get("/account")
    assert len([text for text in whole if "count(*)" in text]) == 2
    sign_in("bookkeeper")
    with statements() as none:
        client.get("/account")
    assert [text for text in none if "count(*)" in text] == []
    sign_in("admin")
    with statements() as piece:
        client.get("/sync/conflicts", headers={"HX-Request": "true"})
    assert [text for text in piece if "match_state" in text] == []
