"""Segments in the browser: the builder without scripting, live figures, pages of one, members by hand, who may what."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from crm import clock
from crm.db import db, transaction
from crm.domain import segments as trees
from crm.domain.segment_templates import TEMPLATES
from crm.models import AuditEntry, Connection, Contact, MoneyFacts, Product, RfmScore, Segment, SegmentChange, User
from crm.services import segment_refresh, segments
from crm.services.audit import Actor
from tests.engine_rows import add, company, contact

SEED = Actor("seed")
OWES = {"match": "all", "parts": [{"field": "balance", "op": "more", "values": ["500"]}]}
LOCAL = {"match": "all", "parts": [{"field": "state", "op": "one_of", "values": ["Kansas"]}, *OWES["parts"]]}


def person(name: str, balance: str = "", *, sales: str = "0", **values: Any) -> int:
    """A contact, with money where `balance` is given."""
    id_ = contact(name, **values)
    if balance:
        with transaction() as session:
            books = session.scalars(select(Connection.id)).one()
            session.add(MoneyFacts(contact_id=id_, connection_id=books, balance=Decimal(balance), currency="USD",
                                   balance_with_jobs=Decimal(balance), total_sales=Decimal(sales)))  # fmt: skip
    db.session.remove()
    return id_


def product(name: str) -> int:
    now = clock.now()
    return add(Product(name=name, sort_name=name.lower(), search_text=f" {name.lower()} ", created_at=now,
                       updated_at=now))  # fmt: skip


def segment(name: str = "Owes much", rules: dict[str, Any] | None = None) -> int:
    with transaction() as session:
        made = segments.create(session, name=name, rules=trees.read(rules or OWES), actor=SEED, now=clock.now())
        id_ = made.id
    db.session.remove()
    return id_


def static(of: int, name: str = "As of today") -> int:
    with transaction() as session:
        id_ = segments.save_static(session, of, name=name, actor=SEED, now=clock.now()).id
    db.session.remove()
    return id_


def stored(segment_id: int) -> Segment:
    db.session.remove()
    return db.session.get_one(Segment, segment_id)


def form(*rules: dict[str, Any], match: str = "all", **said: Any) -> dict[str, Any]:
    """The builder's form with these rules in one group; a key of a rule is its place from n1 on."""
    data: dict[str, Any] = {"name": "Owes much", "description": "", "lock": "0", "match-root": match}
    nodes = ["root 0 group"]
    for number, rule in enumerate(rules, 1):
        nodes.append(f"n{number} 1 rule")
        data[f"was-n{number}"] = rule["field"]
        for name, value in rule.items():
            data[f"{name}-n{number}"] = value
    return {**data, "node": nodes, "action": "save", **said}


CONTROL = re.compile(r"<(input|select|textarea)\b([^>]*)>(.*?)(?=<(?:input|select|textarea|button)\b|$)", re.S)
BALANCE = {"field": "balance", "op": "more", "value": ["500"]}


def fields(page: str) -> dict[str, list[str]]:
    """What a browser would send of the form that is shown, buttons left out."""
    found: dict[str, list[str]] = {}
    body = page[page.index('id="builder"') :].split("</form>")[0]
    for tag in CONTROL.finditer(body):
        kind, attributes, after = tag[1], tag[2], tag[3]
        name = re.search(r'\bname="([^"]*)"', attributes)
        if not name:
            continue
        if kind == "select":
            offered = re.findall(r'<option value="([^"]*)"( selected)?', after)
            value = next((one for one, chosen in offered if chosen), offered[0][0])
        elif 'type="checkbox"' in attributes and " checked" not in attributes:
            continue
        else:
            value = (re.search(r'\bvalue="([^"]*)"', attributes) or ["", ""])[1]
        found.setdefault(name[1], []).append(value)
    return found


@pytest.fixture
def rep(app: Flask, sign_in: Any) -> User:
    company()
    return sign_in("rep")


# --- the builder ----------------------------------------------------------------------------------------------


def test_a_segment_is_built_by_buttons_alone(client: FlaskClient, rep: User) -> None:
    person("Amy Owes", "900", region="KS"), person("Ben Pays", "0", region="KS")
    page = client.get("/segments/new?empty=1").text
    sent = fields(page)
    assert sent["node"] == ["root 0 group", "n1 1 rule"], "one begins with one rule to choose"
    sent |= {"field-n1": ["balance"], "action": ["count"]}
    page = client.post("/segments", data=sent).text
    sent = fields(page)
    assert sent["op-n1"] == ["more"], "the likeliest comparison is chosen"
    sent |= {"value-n1": ["$500"], "action": ["add:root"]}
    page = client.post("/segments", data=sent).text
    assert 'id="live-count">1<' in page and "not complete yet" in page and 'value="$500"' in page
    sent = fields(page) | {"field-n2": ["state"], "action": ["count"]}
    sent = fields(client.post("/segments", data=sent).text)
    sent |= {"value-n2": ["Kansas, Nebraska"], "name": ["Kansas debtors"], "action": ["save"]}
    answer = client.post("/segments", data=sent)
    made = db.session.scalars(select(Segment)).one()
    assert answer.headers["Location"] == f"/segments/{made.id}"
    assert (made.name, made.kind, made.members, made.owner_id) == ("Kansas debtors", "live", 1, rep.id)
    assert made.rules == {"match": "all", "parts": [
        {"field": "balance", "op": "more", "values": ["500"]},
        {"field": "state", "op": "one_of", "values": ["Kansas", "Nebraska"]},
    ]}  # fmt: skip
    page = client.get(f"/segments/{made.id}").text
    assert "Amy Owes" in page and "Ben Pays" not in page
    assert "Balance is more than $500.00 and State is Kansas or Nebraska" in page


def test_groups_are_added_and_rules_moved_into_and_out_of_them(client: FlaskClient, rep: User) -> None:
    page = client.post("/segments", data=form(BALANCE, action="group:root")).text
    sent = fields(page)
    assert sent["node"] == ["root 0 group", "n1 1 rule", "n2 1 group", "n3 2 rule"] and sent["match-n2"] == ["any"]
    sent = fields(client.post("/segments", data=sent | {"action": ["down:n1"]}).text)
    assert sent["node"] == ["root 0 group", "n2 1 group", "n1 2 rule", "n3 2 rule"]
    assert sent["value-n1"] == ["500"], "nothing typed is lost on the way"
    sent = fields(client.post("/segments", data=sent | {"action": ["up:n1"]}).text)
    assert sent["node"] == ["root 0 group", "n1 1 rule", "n2 1 group", "n3 2 rule"]
    sent = fields(client.post("/segments", data=sent | {"action": ["remove:n2"]}).text)
    assert sent["node"] == ["root 0 group", "n1 1 rule"]


def test_another_field_brings_its_own_comparisons_and_control(client: FlaskClient, rep: User) -> None:
    sent = form(BALANCE, action="count") | {"field-n1": "type"}
    page = client.post("/segments", data=sent).text
    assert fields(page)["op-n1"] == ["one_of"] and "value-n1" not in fields(page), "500 is no type"
    assert 'type="checkbox" name="value-n1" value="customer"' in page
    sent = form(BALANCE, action="count") | {"field-n1": "city"}
    assert fields(client.post("/segments", data=sent).text)["value-n1"] == [""], "500 is no city"
    sent = form(BALANCE, action="count") | {"field-n1": "overdue"}
    assert fields(client.post("/segments", data=sent).text)["value-n1"] == ["500"], "another amount keeps the amount"
    sent = form({"field": "sales", "op": "more", "value": ["1"], "period_kind": "days"}, action="count")
    assert 'name="period_days-n1"' in client.post("/segments", data=sent).text


def test_a_product_is_found_by_typing_and_taken_out_again(client: FlaskClient, rep: User) -> None:
    first, second = product("Helical pier"), product("Helical bracket")
    rule = {"field": "bought", "op": "has_any", "q": "helical"}
    page = client.post("/segments", data=form(rule, action="find:n1")).text
    assert f'name="pick" value="n1:{first}"' in page and "Helical bracket" in page
    sent = fields(page)
    sent.pop("action", None)
    page = client.post("/segments", data=sent | {"pick": [f"n1:{second}"]}).text
    assert fields(page)["value-n1"] == [str(second)] and fields(page)["q-n1"] == [""]
    page = client.post("/segments", data=fields(page) | {"action": [f"drop:n1:{second}"]}).text
    assert "value-n1" not in fields(page)
    piece = client.get("/segments/pick-product?key=n1&q-n1=bracket", headers={"HX-Request": "true"}).text
    assert "Helical bracket" in piece and "pier" not in piece
    assert client.get("/segments/pick-product?key=n1").status_code == 303


def test_a_distance_is_measured_from_what_was_typed(client: FlaskClient, rep: User) -> None:
    rule = {"field": "distance", "op": "within", "value": ["25", "mi", "Olathe, KS"]}
    client.post("/segments", data=form(rule, name="Near Olathe"))
    made = db.session.scalars(select(Segment)).one()
    assert made.rules["parts"][0]["values"][:4] == ["25", "mi", "Olathe, KS", "Olathe, KS"]
    page = client.get(f"/segments/{made.id}/edit").text
    assert fields(page)["value-n2"] == ["25", "mi", "Olathe, KS"]
    assert "Distance is within 25 miles of Olathe, KS" in page


WRONG = [
    ({"name": ""}, BALANCE, "Give the segment a name."),
    ({}, BALANCE | {"value": ["much"]}, "Balance: “much” is not an amount."),
    ({}, BALANCE | {"op": "between", "value": ["9", "1"]}, "Balance: the first value is beyond the second."),
    ({}, BALANCE | {"value": [""]}, "Balance: write a value."),
    ({}, {"field": ""}, "Choose what the rule is about."),
    ({}, {"field": "type", "op": "one_of"}, "Type: choose at least one."),
    ({}, {"field": "distance", "op": "within", "value": ["5", "mi", "Nowhere, KS"]}, "Nowhere, KS"),
    ({}, {"field": "sales", "op": "more", "value": ["5"], "period_kind": "days", "period_days": "x"}, "Days must be"),
    ({}, {"field": "created", "op": "since", "value": ["soon"]}, "Created: write the date like 2026-11-21."),
]


@pytest.mark.parametrize(("said", "rule", "words"), WRONG)
def test_what_cannot_be_read_is_told_at_its_rule_and_stays_typed(
    client: FlaskClient, rep: User, said: dict[str, str], rule: dict[str, Any], words: str
) -> None:
    answer = client.post("/segments", data=form(rule, **said))
    assert answer.status_code == 422 and words in answer.text
    assert db.session.scalars(select(Segment)).all() == []
    shown = fields(answer.text)
    assert shown["name"] == [said.get("name", "Owes much")]
    if "value" in rule:
        assert shown["value-n1"][: len(rule["value"])] == rule["value"]


def test_a_segment_without_rules_is_not_saved_by_mistake(client: FlaskClient, rep: User) -> None:
    answer = client.post("/segments", data=form())
    assert answer.status_code == 422 and "Add a rule" in answer.text


def test_a_form_nobody_sent_from_the_page_does_no_harm(client: FlaskClient, rep: User) -> None:
    nodes = ["root 0 group", "x!9", "n1 9 rule", "n1 1 rule", "n2 1 sheep"]
    odd = {"node": nodes, "field-n1": "no-such", "op-n1": "hm", "match-root": "some", "action": "up:nobody",
           "value-n1": ["a"] * 300}  # fmt: skip
    answer = client.post("/segments", data=odd)
    assert answer.status_code == 200 and "Choose…" in answer.text
    assert client.post("/segments", data={"action": "save"}).status_code == 422


def test_no_more_rules_and_no_deeper_groups_than_can_be_overseen(client: FlaskClient, rep: User) -> None:
    page = client.post("/segments", data=form(*[BALANCE] * 40, action="add:root")).text
    assert "up to 40 rules" in page and "n41" not in page
    nodes = ["root 0 group", "n1 1 group", "n2 2 group", "n3 3 group"]
    page = client.post("/segments", data={"node": nodes, "action": "group:n3"}).text
    assert "up to 4 deep" in page


def test_the_live_figures_follow_what_is_typed_and_write_nothing(client: FlaskClient, rep: User) -> None:
    person("Amy Owes", "900", sales="4000", region="KS"), person("Ben Owes", "800", sales="10", region="MO")
    kansas = {"field": "state", "op": "one_of", "value": ["KS"]}
    seen: list[str] = []
    listen = lambda *args: seen.append(args[2])  # noqa: E731
    event.listen(db.engine, "before_cursor_execute", listen)
    piece = client.post("/segments/preview", data=form(BALANCE, kansas), headers={"HX-Request": "true"}).text
    asked = len(seen)
    assert 'id="live-count">1<' in piece and "$4,000.00" in piece and "Amy Owes" in piece and "<html" not in piece
    assert re.search(r"State is KS</span><b>1 more</b>", piece), "Ben is one change away"
    away = piece[piece.index("One change away") :]
    assert "Ben Owes" in away and re.search(r"<span class=\"muted\">MO</span>", away), "with what he has instead"
    cid = person("Cid Owes", "700", region="NE")
    seen.clear()
    piece = client.post("/segments/preview", data=form(BALANCE, kansas)).text
    assert "Cid Owes" in piece and ">NE<" in piece and len(seen) == asked, "read together, however many are named"
    event.remove(db.engine, "before_cursor_execute", listen)
    with transaction() as session:
        session.get_one(Contact, cid).archived_at = clock.now()
    piece = client.post("/segments/preview", data=form(BALANCE, {"field": ""})).text
    assert 'id="live-count">2<' in piece and "1 rule is not complete yet" in piece
    assert 'id="live-count">0<' in client.post("/segments/preview", data=form()).text
    assert db.session.scalars(select(Segment)).all() == []


# --- ready-made -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", TEMPLATES)
def test_each_ready_made_segment_is_counted_at_once_and_saved(client: FlaskClient, rep: User, key: str) -> None:
    page = client.get(f"/segments/new?template={key}").text
    assert TEMPLATES[key].help in unescape(page) and "live-count" in page
    client.post("/segments", data=fields(page) | {"action": ["save"]})
    made = db.session.scalars(select(Segment)).one()
    assert (made.template, made.name) == (key, TEMPLATES[key].name) and made.rules["parts"]


def test_the_numbers_of_a_ready_made_one_are_set_and_its_rules_opened(client: FlaskClient, rep: User) -> None:
    sent = fields(client.get("/segments/new?template=lapsed").text) | {"set-days": ["100"]}
    page = client.post("/segments", data=sent | {"action": ["count"]}).text
    assert "Last invoice was more than 100 days ago" in page
    opened = fields(client.post("/segments", data=sent | {"action": ["open"]}).text)
    assert opened["field-n2"] == ["last_invoice"] and opened["value-n2"] == ["100"] and "template" not in opened
    wrong = client.post("/segments", data=sent | {"set-days": ["soon"], "action": ["save"]})
    assert wrong.status_code == 422 and 'value="soon"' in wrong.text and "whole number" in wrong.text
    piece = client.post("/segments/preview", data=sent | {"set-days": ["7"]}).text
    assert "Last invoice was more than 7 days ago" in piece
    assert db.session.scalars(select(Segment)).all() == []


def test_months_of_a_season_are_ticked(client: FlaskClient, rep: User) -> None:
    sent = fields(client.get("/segments/new?template=seasonal").text)
    assert len(sent["set-months"]) == 3
    page = client.post("/segments", data=sent | {"set-months": ["4", "5"], "action": ["count"]}).text
    assert fields(page)["set-months"] == ["4", "5"] and "April or May" in page


# --- changing -------------------------------------------------------------------------------------------------


def test_other_rules_are_another_version(client: FlaskClient, rep: User) -> None:
    person("Amy Owes", "900", region="KS"), person("Ben Owes", "800", region="MO")
    id_ = segment()
    page = client.get(f"/segments/{id_}/edit").text
    sent = fields(page) | {"value-n2": ["850"], "action": ["save"]}
    assert client.post(f"/segments/{id_}", data=sent).headers["Location"] == f"/segments/{id_}"
    assert (stored(id_).version, stored(id_).members) == (2, 1)
    page = client.get(f"/segments/{id_}/versions").text
    assert "<b>Added</b>: Balance is more than $850.00" in page
    assert "<b>Removed</b>: Balance is more than $500.00" in page
    assert "Nothing: both" not in page
    page = client.get(f"/segments/{id_}/history").text
    assert "Ben Owes" in page and "The rules were saved" in page
    assert client.get(f"/segments/{id_}/versions?old=9&new=x").status_code == 200


def test_two_people_at_once_lose_nothing(client: FlaskClient, rep: User) -> None:
    id_ = segment()
    sent = fields(client.get(f"/segments/{id_}/edit").text) | {"value-n2": ["850"], "action": ["save"]}
    lock = stored(id_).lock
    db.session.remove()
    with transaction() as session:
        segments.change(session, id_, name="Owes much", description="", rules=trees.read(LOCAL), lock=lock,
                        actor=SEED, now=clock.now())  # fmt: skip
    answer = client.post(f"/segments/{id_}", data=sent)
    assert answer.status_code == 409 and "State is Kansas" in answer.text
    again = fields(answer.text)
    assert again["value-n2"] == ["850"]
    client.post(f"/segments/{id_}", data=again | {"action": ["save"]})
    assert stored(id_).rules["parts"] == [{"field": "balance", "op": "more", "values": ["850"]}]


def test_a_name_that_is_taken_is_refused(client: FlaskClient, rep: User) -> None:
    segment("Owes Much")
    answer = client.post("/segments", data=form(BALANCE, name="owes much"))
    assert answer.status_code == 422 and "There is a segment “Owes Much” already" in answer.text


# --- lists and pages ------------------------------------------------------------------------------------------


def test_the_empty_list_offers_the_ready_made_ones(client: FlaskClient, rep: User) -> None:
    page = client.get("/segments").text
    assert "No segments yet" in page and "/segments/new?template=overdue" in page


def test_the_list_says_what_each_holds_and_narrows(client: FlaskClient, rep: User) -> None:
    person("Amy Owes", "900", sales="4000")
    first, second = segment(), segment("Kansas debtors", LOCAL)
    static(first, "Frozen debtors")
    page = client.get("/segments").text
    assert "Balance is more than $500.00" in page and "$4,000.00" in page and "$900.00" in page
    assert "Kansas debtors" not in client.get("/segments?q=frozen").text
    page = client.get("/segments?kind=static").text
    assert "Frozen debtors" in page and "Kansas debtors" not in page
    answer = client.get("/segments?sort=-members", headers={"HX-Request": "true"})
    assert answer.text.index("Owes much") < answer.text.index("Kansas debtors") and "<html" not in answer.text
    assert answer.headers["HX-Push-Url"] == "/segments?sort=-members"
    client.post(f"/segments/{second}/archive")
    assert "is archived" in client.get("/segments").text
    assert "Kansas debtors" not in client.get("/segments").text
    assert "Kansas debtors" in client.get("/segments?archived=1").text
    assert "Nothing found" in client.get("/segments?owner=none&q=zzz").text
    assert "Kansas debtors" not in client.get("/segments/export.csv").text
    assert db.session.scalar(select(AuditEntry.summary).where(AuditEntry.action == "segments_exported")) is not None


def test_members_are_found_sorted_and_exported(client: FlaskClient, rep: User) -> None:
    person("Amy Owes", "900"), person("Ben Owes", "1800")
    id_ = segment()
    page = client.get(f"/segments/{id_}?sort=-balance").text
    assert page.index("Ben Owes") < page.index("Amy Owes")
    page = client.get(f"/segments/{id_}?q=amy", headers={"HX-Request": "true"}).text
    assert "Amy Owes" in page and "Ben Owes" not in page
    assert "Nothing found" in client.get(f"/segments/{id_}?q=zoe").text
    lines = client.get(f"/segments/{id_}/members.csv?q=ben").text.splitlines()
    assert len(lines) == 2 and "Ben Owes" in lines[1]
    assert "Came in" in client.get(f"/segments/{id_}/history.csv").text


def test_why_shows_each_rule_with_what_the_contact_has(client: FlaskClient, rep: User) -> None:
    amy, ben = person("Amy Owes", "900", region="MO"), person("Ben Pays", "20", region="NE")
    id_ = segment(rules=LOCAL)
    page = client.get(f"/segments/{id_}/why/{amy}").text
    assert "Why is Amy Owes not in?" in page and "Amy Owes: <b>$900.00</b>" in page and "Amy Owes: <b>MO</b>" in page
    assert page.count("Decides alone") == 1 and 'data-passed="no"' in page and "circle-x" in page
    page = client.get(f"/segments/{id_}/why/{ben}").text
    assert "No single rule decides" in page
    assert client.get(f"/segments/{id_}/why/99999").status_code == 404
    page = client.get(f"/segments/{id_}/why?q=owes").text
    assert f"/segments/{id_}/why/{amy}" in page and "Not in" in page
    assert "No contact in use fits" in client.get(f"/segments/{id_}/why?q=zoe").text


def test_an_archived_contact_is_in_nothing_and_the_page_says_so(client: FlaskClient, rep: User) -> None:
    amy = person("Amy Owes", "900", archived_at=clock.now())
    id_ = segment()
    page = client.get(f"/segments/{id_}/why/{amy}").text
    assert "archived contacts are in no segment" in page and "Decides alone" not in page


def test_a_static_copy_keeps_its_members_and_takes_them_by_hand(client: FlaskClient, rep: User) -> None:
    amy, ben = person("Amy Owes", "900"), person("Ben Pays", "0")
    id_ = segment()
    answer = client.post(f"/segments/{id_}/static", data={"name": "November"})
    copy = db.session.scalars(select(Segment).where(Segment.kind == "static")).one().id
    assert answer.headers["Location"] == f"/segments/{copy}"
    page = client.get(f"/segments/{copy}").text
    assert "Amy Owes" in page and "Add a contact by hand" in page
    assert f'name="contact" value="{ben}"' in client.get(f"/segments/{copy}/why?q=ben").text
    client.post(f"/segments/{copy}/members", data={"contact": ben})
    assert "Ben Pays" in client.get(f"/segments/{copy}").text
    client.post(f"/segments/{copy}/members/{amy}/remove")
    assert "Amy Owes" not in client.get(f"/segments/{copy}").text
    db.session.remove()
    assert "version 1" not in client.get(f"/segments/{copy}/history").text, "it has no rules"
    causes = db.session.scalars(select(SegmentChange.cause).where(SegmentChange.segment_id == copy)).all()
    assert set(causes) == {"hand"} and len(causes) == 3
    assert client.post(f"/segments/{copy}/members", data={"contact": "x"}).status_code == 404
    answer = client.post(f"/segments/{id_}/members", data={"contact": ben})
    assert answer.status_code == 409 and "follows its rules" in answer.text
    assert client.get(f"/segments/{copy}/why/{amy}").status_code == 400
    assert client.get(f"/segments/{copy}/edit").status_code == 400
    taken = client.post(f"/segments/{id_}/static", data={"name": "November"})
    assert taken.status_code == 422 and "already" in taken.text and 'value="November"' in taken.text
    client.post(f"/segments/{copy}/rename", data={"name": "Autumn", "description": "d", "lock": stored(copy).lock})
    assert stored(copy).name == "Autumn"
    assert client.post(f"/segments/{copy}/rename", data={"name": "", "lock": stored(copy).lock}).status_code == 422


def test_refresh_now_looks_at_everybody_and_says_what_came_of_it(client: FlaskClient, rep: User) -> None:
    id_ = segment()
    person("Amy Owes", "900")
    client.post(f"/segments/{id_}/refresh")
    assert "1 contact came in, 0 left" in client.get(f"/segments/{id_}").text and stored(id_).members == 1
    client.post(f"/segments/{id_}/archive")
    assert client.post(f"/segments/{id_}/refresh").status_code == 409
    client.post(f"/segments/{id_}/restore")
    assert stored(id_).archived_at is None


@pytest.mark.parametrize(
    "path", ["", "/edit", "/history", "/versions", "/why", "/why/1", "/members.csv", "/history.csv"]
)
def test_a_segment_that_is_not_there_says_so(client: FlaskClient, rep: User, path: str) -> None:
    assert client.get(f"/segments/404{path}").status_code == 404


def test_bookkeepers_look_and_change_nothing(client: FlaskClient, app: Flask, sign_in: Any) -> None:
    company()
    id_ = segment()
    sign_in("bookkeeper")
    page = client.get(f"/segments/{id_}").text
    assert "/edit" not in page and "Refresh now" not in page and "Save copy" not in page
    assert "New segment" not in client.get("/segments").text
    for path in ("/segments/new", f"/segments/{id_}/edit"):
        assert client.get(path).status_code == 403
    for path in ("", "/refresh", "/static", "/rename", "/archive", "/restore", "/members", "/members/1/remove"):
        assert client.post(f"/segments/{id_}{path}").status_code == 403
    assert client.post("/segments").status_code == 403 and client.post("/segments/preview").status_code == 403


def test_nobody_gets_in_without_signing_in(client: FlaskClient, app: Flask) -> None:
    assert client.get("/segments").status_code == 302


# --- contacts -------------------------------------------------------------------------------------------------


def test_contacts_are_narrowed_by_a_segment(client: FlaskClient, rep: User) -> None:
    person("Amy Owes", "900"), person("Ben Pays", "0")
    id_ = segment()
    page = client.get(f"/contacts?segment={id_}").text
    assert "Segment: Owes much" in page and "Amy Owes" in page and "Ben Pays" not in page
    lines = client.get(f"/contacts/export.csv?segment={id_}").text.splitlines()
    assert len(lines) == 2
    assert "one that is gone" in client.get("/contacts?segment=999").text
    assert "Ben Pays" in client.get("/contacts?segment=abc").text
    page = client.get(f"/contacts?segment={id_}&sort=-balance&balance=open").text
    assert "Amy Owes" in page and "Ben Pays" not in page


def test_a_contact_says_which_segments_it_is_in_and_what_it_left(client: FlaskClient, rep: User) -> None:
    amy = person("Amy Owes", "900")
    id_ = segment()
    page = client.get(f"/contacts/{amy}").text
    assert f"/segments/{id_}/why/{amy}" in page and "Owes much" in page
    with transaction() as session:
        session.get_one(MoneyFacts, amy).balance_with_jobs = Decimal(0)
    segment_refresh.refresh_changed(clock=clock.now)
    page = client.get(f"/contacts/{amy}").text
    assert "In none now" in page and "Last left" in page


def test_consent_is_noted_with_how_it_was_learned_and_withdrawn(client: FlaskClient, rep: User) -> None:
    amy = person("Amy Owes")
    assert "Never asked" in client.get(f"/contacts/{amy}").text
    client.post(f"/contacts/{amy}/consents/email", data={"state": "granted", "how": "Signed form"})
    page = client.get(f"/contacts/{amy}").text
    assert "Yes, granted" in page and "Signed form" in page and "consent granted (Signed form)" in page
    client.post(f"/contacts/{amy}/consents/email", data={"state": "denied", "how": "Wrote back"})
    assert "No, denied" in client.get(f"/contacts/{amy}").text
    answer = client.post(f"/contacts/{amy}/consents/sms", data={"state": "granted", "how": "x" * 300})
    assert answer.status_code == 422 and "too long" in answer.text and "x" * 300 in answer.text
    assert client.post(f"/contacts/{amy}/consents/fax", data={"state": "granted"}).status_code == 422
    client.post(f"/contacts/{amy}/consents/email", data={"state": ""})
    assert "Yes, granted" not in client.get(f"/contacts/{amy}").text


# --- RFM ------------------------------------------------------------------------------------------------------


def test_the_grid_counts_contacts_and_their_sales_and_opens_them(client: FlaskClient, rep: User) -> None:
    assert "Nobody has been ranked yet" in client.get("/segments/rfm").text
    amy, ben = person("Amy Often", "0"), person("Ben Once", "0")
    with transaction() as session:
        for id_, fifths, total in ((amy, (5, 5), "9000"), (ben, (1, 1), "100")):
            recency, frequency = fifths
            session.add(RfmScore(contact_id=id_, recency=recency, frequency=frequency, monetary=1, invoices=3,
                                 last_on=date(2026, 11, 1), total=Decimal(total),
                                 as_of=date(2026, 11, 21)))  # fmt: skip
    page = client.get("/segments/rfm").text
    assert "Recency 5, frequency 5: 1 contact, $9,000.00" in page and "As of Nov 21, 2026" in page
    assert 'href="/contacts?rfm=5-5&amp;sort=-sales"' in page and "nobody" in page
    page = client.get(re.search(r'href="(/segments/new\?rfm=5-5)"', page)[1]).text  # type: ignore[index]
    saved = client.post("/segments", data=fields(page) | {"action": ["save"]}, follow_redirects=True).text
    assert "Amy Often" in saved and "Ben Once" not in saved and "RFM: recency is exactly 5" in saved
    page = client.get("/contacts?rfm=5-5").text
    assert "Amy Often" in page and "Ben Once" not in page and "RFM: recency 5, frequency 5" in page
    assert "Ben Once" in client.get("/contacts?rfm=9-9").text
    assert client.get("/segments/rfm.csv").text.count("\n") == 3
