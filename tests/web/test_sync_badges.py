"""The sync badge of a contact: its word for every standing, live while it moves, and no query per row of a list."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from crm import clock
from crm.domain.sync_badges import RULES, Standing, badge_of
from crm.models import Conflict, Link
from tests.engine_rows import add, ago, company, contact, entry
from tests.queries.test_contacts import statements

CASES = [
    (Standing("linked"), "In step", False),
    (Standing("linked", live=False), "Not in step", False),
    (Standing("none"), "Not in QuickBooks", False),
    (Standing("review"), "To review", False),
    (Standing("inactive"), "Inactive in QuickBooks", False),
    (Standing("linked", gone=True), "Gone in QuickBooks", False),
    (Standing("linked", entry="skipped"), "Skipped", False),
    (Standing("linked", entry="pending"), "Waiting to be sent", True),
    (Standing("linked", entry="pending", live=False), "Waiting to be sent", False),
    (Standing("none", entry="pending", read_only=True), "Waiting to be sent", False),
    (Standing("linked", entry="frozen"), "On the way", True),
    (Standing("linked", entry="parked", gone=True), "Parked", False),
    (Standing("linked", entry="parked", conflicts=1), "Conflict", False),
]


@pytest.mark.parametrize(("standing", "words", "moving"), CASES)
def test_each_standing_has_its_word(standing: Standing, words: str, moving: bool) -> None:
    badge = badge_of(standing)
    assert (badge.words, badge.moving) == (words, moving)


def test_no_rule_of_the_table_is_out_of_reach() -> None:
    first = [next(number for number, rule in enumerate(RULES) if rule[0](standing)) for standing, _, _ in CASES]
    assert sorted(first) == list(range(len(RULES)))


def linked(connection_id: int, contact_id: int, state: str = "linked") -> None:
    add(Link(connection_id=connection_id, kind="customer", local_id=contact_id, remote_id=str(contact_id), state=state,
             linked_at=clock.now(), synced_at=clock.now()))  # fmt: skip


def badge_on(client: FlaskClient, contact_id: int) -> str:
    page = client.get(f"/contacts/{contact_id}").text
    found = re.search(r'id="sync-badge".*?<span class="badge[^"]*">(.*?)</span>', page, re.S)
    return found.group(1) if found else ""


def test_the_page_of_a_contact_shows_where_it_stands_and_leads_there(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    amy, ben, cat = (contact(name, link_state="linked") for name in ("Amy", "Ben", "Cat"))
    for id_ in (amy, ben, cat):
        linked(books, id_)
    parked = entry(books, ben, "parked", error="The name is taken.", parked_at=ago(hours=1))
    add(Conflict(connection_id=books, kind="customer", local_id=cat, remote_id="3", field="phone",
                 opened_at=clock.now()))  # fmt: skip
    assert [badge_on(client, id_) for id_ in (amy, ben, cat)] == ["In step", "Parked", "Conflict"]
    page = client.get(f"/contacts/{ben}").text
    assert "The name is taken." in page and f'href="/sync/outbox/{parked}"' in page
    sign_in("rep")
    assert f'href="/sync/outbox/{parked}"' not in client.get(f"/contacts/{ben}").text


def test_it_looks_again_only_while_it_moves(client: FlaskClient, sign_in) -> None:
    sign_in("rep")
    books, amy = company(), contact("Amy", link_state="linked")
    linked(books, amy)
    piece = {"headers": {"HX-Request": "true"}}
    assert "hx-get" not in client.get(f"/contacts/{amy}/sync-badge", **piece).text
    entry(books, amy, "skipped")
    entry(books, amy, "frozen")
    moving = client.get(f"/contacts/{amy}/sync-badge", **piece).text
    assert "On the way" in moving and f'hx-get="/contacts/{amy}/sync-badge" hx-trigger="every 3s"' in moving
    assert "<html" not in moving
    assert client.get(f"/contacts/{amy}/sync-badge").location == f"/contacts/{amy}"
    assert client.get("/contacts/4711/sync-badge", **piece).status_code == 404


def test_a_list_knows_all_badges_by_one_statement(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    contact("Nobody")
    client.get("/contacts")
    with statements() as few:
        client.get("/contacts")
    for n in range(12):
        id_ = contact(f"Contact {n:02}", link_state="linked")
        entry(books, id_, ("parked", "pending", "frozen")[n % 3])
        if n == 1:
            add(Conflict(connection_id=books, kind="customer", local_id=id_, remote_id="1", field="phone",
                         opened_at=clock.now()))  # fmt: skip
    with statements() as many:
        page = client.get("/contacts").text
    assert len(many) == len(few)
    assert [page.count(f">{words}<") for words in ("Parked", "On the way", "Conflict")] == [4, 4, 1]
    assert page.count(">Waiting to be sent<") == 3
