"""Segments in the API: read a page at a time, with their members, and why a contact is in one or not."""

from __future__ import annotations

from collections.abc import Callable

from flask.testing import FlaskClient

from crm.db import db
from crm.models import Segment
from tests.engine_rows import company
from tests.web.test_api import key as key
from tests.web.test_segments import LOCAL, person, segment, static

Key = Callable[[str], dict[str, str]]


def test_segments_are_read_a_page_at_a_time(client: FlaskClient, key: Key) -> None:
    company()
    person("Amy Owes", "900", region="KS")
    first, second = segment(), segment("Kansas", LOCAL)
    copy = static(first)
    answer = client.get("/api/v1/segments?limit=2", headers=key("read")).json
    assert [one["id"] for one in answer["data"]] == [first, second]
    assert answer["data"][0]["words"] == "Balance is more than $500.00" and answer["data"][0]["members"] == 1
    assert answer["data"][1]["rules"] == LOCAL
    rest = client.get(f"/api/v1/segments?cursor={answer['next_cursor']}", headers=key("read")).json
    assert [one["id"] for one in rest["data"]] == [copy] and rest["next_cursor"] is None
    found = client.get("/api/v1/segments?kind=live&q=kan", headers=key("read")).json["data"]
    assert [one["id"] for one in found] == [second]
    assert client.get("/api/v1/segments?archived=true", headers=key("read")).json["data"] == []
    assert client.get(f"/api/v1/segments/{copy}", headers=key("read")).json["kind"] == "static"
    assert client.get("/api/v1/segments/404", headers=key("read")).status_code == 404
    assert client.get("/api/v1/segments?kind=odd", headers=key("read")).status_code == 422
    assert client.get("/api/v1/segments").status_code == 401


def test_members_are_read_a_page_at_a_time(client: FlaskClient, key: Key) -> None:
    company()
    ids = [person(name, "900") for name in ("Amy", "Ben", "Cleo")]
    person("Dan", "1")
    id_ = segment()
    first = client.get(f"/api/v1/segments/{id_}/members?limit=2", headers=key("read")).json
    rest = client.get(f"/api/v1/segments/{id_}/members?cursor={first['next_cursor']}", headers=key("read")).json
    assert [one["contact_id"] for one in first["data"] + rest["data"]] == ids and rest["next_cursor"] is None
    assert first["data"][0]["name"] == "Amy" and first["data"][0]["since"]
    assert client.get("/api/v1/segments/404/members", headers=key("read")).status_code == 404


def test_why_is_told_rule_by_rule(client: FlaskClient, key: Key) -> None:
    company()
    amy = person("Amy", "900", region="MO")
    id_ = segment(rules=LOCAL)
    told = client.get(f"/api/v1/segments/{id_}/why/{amy}", headers=key("read")).json
    assert told["fits"] is False and told["member_since"] is None and told["note"] == ""
    assert [(one["path"], one["passed"], one["has"], one["decides_alone"]) for one in told["reason"]["parts"]] == [
        ("0", False, "MO", True), ("1", True, "$900.00", False),
    ]  # fmt: skip
    assert client.get(f"/api/v1/segments/{id_}/why/404", headers=key("read")).status_code == 404
    assert client.get(f"/api/v1/segments/{static(id_)}/why/{amy}", headers=key("read")).status_code == 400


def test_segments_that_hold_nothing_to_read_are_given_all_the_same(client: FlaskClient, key: Key) -> None:
    company()
    id_ = segment()
    copy = static(id_)
    db.session.get_one(Segment, copy).rules = {}
    db.session.commit()
    assert client.get(f"/api/v1/segments/{copy}", headers=key("read")).json["rules"] == {}
