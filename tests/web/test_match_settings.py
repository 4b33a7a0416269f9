"""How matching decides, in the browser: looked at before it is saved, refused with what was typed, gone back from."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, Match, MatchSettings
from crm.queries import match_settings as queries
from crm.services import matches
from tests.services.test_match_settings import KIM, decided, linked_pair, waiting_pair
from tests.services.test_sync_matching import connection  # noqa: F401

CAREFUL = {"version": "0", "rule-name_and_contact": "doubtful", "margin": "12", "least_score": "", "learning": "1"}


def versions() -> list[int]:
    db.session.remove()
    return list(db.session.scalars(select(MatchSettings.version).order_by(MatchSettings.version)))


def test_every_rule_and_reason_is_shown_and_a_rep_may_look_but_not_change(client: FlaskClient, sign_in: Any) -> None:
    sign_in("rep")
    page = client.get("/matches/settings").text
    assert "Same name, and a phone or e-mail of their own in common" in page and "Phone other extension" in page
    assert "no decided pair had it yet" in page and "Show what would change" not in page
    assert client.post("/matches/settings", data=CAREFUL).status_code == 403
    sign_in("bookkeeper")
    assert client.get("/matches/settings").status_code == 403


def test_a_preview_counts_and_names_what_would_change_and_saves_nothing(
    client: FlaskClient, sign_in: Any, connection: Connection  # noqa: F811
) -> None:
    linked_pair(connection)
    sign_in("admin")
    answer = client.post("/matches/settings", data={**CAREFUL, "action": "preview"})
    assert answer.status_code == 200 and versions() == []
    assert "Links made automatically that would have waited for a person: <span" in answer.text
    assert "“Dana Fox” and “Dana Fox”" in answer.text and "Runner-ups of links are not kept" in answer.text
    assert '<option value="doubtful" selected>Ask a person' in answer.text


def test_what_is_saved_stands_in_the_versions_and_one_can_go_back(client: FlaskClient, sign_in: Any) -> None:
    sign_in("admin")
    assert client.post("/matches/settings", data={**CAREFUL, "action": "save"}).status_code == 303
    page = client.get("/matches/settings").text
    assert "link by itself → ask a person" in page and "in force" in page
    assert client.post("/matches/settings/versions/0/restore", data={"version": "1"}).status_code == 303
    db.session.remove()
    assert queries.current(db.session()).outcomes == {} and versions() == [1, 2]
    assert client.post("/matches/settings/versions/9/restore", data={"version": "2"}).status_code == 404


@pytest.mark.parametrize(("field", "value", "sentence"), [
    ("margin", "2", "Write a whole number from 5 to 60"), ("least_score", "lots", "Write a whole number from 0 to"),
    ("rule-relative", "same", "only a person can tell"), ("version", "x", "Load the page again"),
])  # fmt: skip
def test_what_cannot_be_is_refused_with_what_was_typed(
    client: FlaskClient, sign_in: Any, field: str, value: str, sentence: str
) -> None:
    sign_in("admin")
    answer = client.post("/matches/settings", data={**CAREFUL, field: value, "action": "save"})
    assert answer.status_code == 422 and sentence in answer.text and versions() == []
    assert '<option value="doubtful" selected>Ask a person' in answer.text, "another choice was lost"
    if field in ("margin", "least_score"):
        assert f'value="{value}"' in answer.text


def test_two_admins_at_once_are_told_and_nothing_is_overwritten(client: FlaskClient, sign_in: Any) -> None:
    sign_in("admin")
    client.post("/matches/settings", data={**CAREFUL, "action": "save"})
    answer = client.post("/matches/settings", data={**CAREFUL, "margin": "30", "action": "save"})
    assert answer.status_code == 409 and "changed these settings meanwhile" in answer.text
    assert 'value="30"' in answer.text and versions() == [1]


def test_learning_on_demand_is_told_on_the_page(client: FlaskClient, sign_in: Any) -> None:
    decided(9, 30, "phone_shared")
    decided(66, 70, "name")
    sign_in("admin")
    answer = client.post("/matches/settings/learn", data={"version": "0"}, follow_redirects=True)
    assert "was 15, now 13, because 9 of 30 decided pairs with it were the same, on the whole 75 in 100" in answer.text
    off = {**CAREFUL, "version": "1", "learning": "", "action": "save"}
    assert client.post("/matches/settings", data=off).status_code == 303
    assert "was 15, now" not in client.get("/matches/settings").text
    refused = client.post("/matches/settings/learn", data={"version": "2"})
    assert refused.status_code == 409 and "Learning is off" in refused.text


# --- figures and decisions ------------------------------------------------------------------------------------


def test_figures_count_what_people_corrected_and_come_as_csv(
    client: FlaskClient, sign_in: Any, connection: Connection  # noqa: F811
) -> None:
    linked_pair(connection)
    sign_in("rep")
    page = client.get("/matches/statistics").text
    assert "100.00 %" in page and "1 automatic link" in page
    contact_id = db.session.scalars(select(Match.contact_id).where(Match.state == "linked")).one()
    assert "Unlink" in client.get("/matches/decisions").text
    client.post(f"/matches/contacts/{contact_id}/unlink")
    page = client.get("/matches/statistics").text
    assert "0.00 %" in page and "decisions?by=" in page
    assert "Rule,\"same name, and a phone or e-mail of their own in common\",1,1,0.00 %" in client.get(
        "/matches/statistics.csv").text
    found = client.get("/matches/decisions?made=rule&state=corrected").text
    assert "corrected later" in found and "Dana Fox" in found
    assert "Nothing found" in client.get("/matches/decisions?made=rule&state=stands").text


def test_a_pair_kept_apart_is_lifted_from_the_list_of_decisions(
    client: FlaskClient, sign_in: Any, connection: Connection  # noqa: F811
) -> None:
    match_id = waiting_pair(connection)
    sign_in("rep")
    with transaction():
        matches.reject(match_id, actor=KIM, now=clock.now())
    page = client.get("/matches/decisions?outcome=apart").text
    assert "Lift" in page and "Keller" in page and "Keller" not in client.get("/matches/decisions?q=nobody").text
    [lift] = re.findall(r'action="(/matches/decisions/\d+/undo)"', page)
    answer = client.post(lift, data={"next": "/matches/decisions?outcome=apart"})
    assert (answer.status_code, answer.location) == (303, "/matches/decisions?outcome=apart")
    db.session.remove()
    assert db.session.get_one(Match, match_id).state == "proposed"
    again = client.post(lift)
    assert again.status_code == 409 and "taken back already" in again.text


@pytest.mark.parametrize("query", ["since=soon", "outcome=maybe", "since=2026-02-02&until=2026-01-01"])
def test_a_filter_that_cannot_be_is_refused_by_name(client: FlaskClient, sign_in: Any, query: str) -> None:
    sign_in("rep")
    assert client.get(f"/matches/decisions?{query}").status_code == 422
    assert client.get(f"/matches/decisions.csv?{query}").status_code == 422
    assert client.get("/matches/decisions.csv").status_code == 200
