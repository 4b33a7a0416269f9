"""The outbox's pages: lists by state, causes mended together, one entry in words, and every button."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db
from crm.domain.directions import OUTGOING
from crm.domain.records import CustomerRecord, Origin
from crm.domain.runs import RESOURCES
from crm.models import AuditEntry, Customer, Link, OutboxEntry, OutboxNeed, Plan
from crm.services.sync.mirror.stored import as_stored
from tests.engine_rows import add, ago, company, contact, entry, line
from tests.queries.test_contacts import statements


def ids_on(client: FlaskClient, query: str = "") -> list[int]:
    page = client.get(f"/sync/outbox{query}").text
    return [int(id_) for id_ in re.findall(r'class="strong" href="/sync/outbox/(\d+)"', page)]


def state_of(entry_id: int) -> str:
    db.session.remove()
    return db.session.get_one(OutboxEntry, entry_id).state


def parked(connection_id: int, local_id: int, cause: str = "duplicate_name", **values: Any) -> int:
    given = {"cause": cause, "parked_at": ago(hours=2), "error": "“Amy Fox” is taken in QuickBooks.", "attempts": 1}
    return entry(connection_id, local_id, "parked", **given | values)


def test_each_state_has_its_tab_with_its_number(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    made = {state: entry(books, contact(f"Of {state}"), state, settled_at=clock.now() if state in ("done", "dropped")
            else None) for state in ("pending", "frozen", "parked", "skipped", "done", "dropped")}  # fmt: skip
    tabs = {"waiting": ["pending"], "sending": ["frozen"], "parked": ["parked"], "skipped": ["skipped"],
            "done": ["dropped", "done"]}  # fmt: skip
    for tab, states in tabs.items():
        assert ids_on(client, f"?tab={tab}") == [made[state] for state in states], tab
    page = client.get("/sync/outbox").text
    assert re.search(r'tab=parked">Parked <span class="n">1</span>', page)
    assert re.search(r'tab=done">Done</a>', page)


def test_entries_are_searched_filtered_sorted_and_downloaded(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    amy = parked(books, contact("Amy Fox"), remote_id="58", trace_id="1-abc", created_at=ago(days=3))
    ben = parked(books, contact("Ben Elm"), "closed_books", trigger="plan", error_code="6200", attempts=4)
    cases = {"": [amy, ben], "&q=ben": [ben], "&q=58": [amy], "&q=1-abc": [amy], "&q=6200": [ben], "&q=nobody": [],
             "&cause=closed_books": [ben], "&trigger=plan": [ben], "&kind=customer": [amy, ben], "&kind=invoice": [],
             f"&since={ago(days=1).date()}": [ben], f"&until={ago(days=2).date()}": [amy], "&sort=-name": [ben, amy],
             "&sort=-attempts": [ben, amy], "&sort=nonsense": [amy, ben]}  # fmt: skip
    for query, found in cases.items():
        assert ids_on(client, f"?tab=parked{query}") == found, query
    csv = client.get("/sync/outbox/export.csv?tab=parked&q=ben").text.strip().splitlines()
    assert len(csv) == 2 and "Ben Elm" in csv[1] and "6200" in csv[1]
    for path in ("/sync/outbox?since=x", "/sync/outbox/export.csv?until=x"):
        assert client.get(path).status_code == 422


def test_a_list_costs_the_same_statements_whatever_it_holds(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    parked(books, contact("One"))
    client.get("/sync/outbox?tab=parked")
    with statements() as few:
        client.get("/sync/outbox?tab=parked")
    for n in range(60):
        parked(books, contact(f"Number {n}"))
    with statements() as many:
        assert len(ids_on(client, "?tab=parked")) == 50
    assert len(many) == len(few)
    assert len(ids_on(client, "?tab=parked&page=2")) == 11


def test_what_is_parked_for_one_cause_is_retried_or_skipped_together(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    names = [parked(books, contact(f"Amy {n}")) for n in range(3)]
    other = parked(books, contact("Ben"), "closed_books")
    page = client.get("/sync/outbox?tab=parked").text
    assert "Retry all 3" in page and "Name is taken" in page and "Books are closed" in page
    asked = {"cause": "duplicate_name", "connection_id": books, "deed": "retry"}
    answer = client.post("/sync/outbox/cause", data=asked)
    assert answer.location == "/sync/outbox?tab=parked"
    assert [state_of(id_) for id_ in (*names, other)] == ["pending"] * 3 + ["parked"]
    client.post("/sync/outbox/cause", data={"cause": "closed_books", "connection_id": books, "deed": "skip"})
    assert state_of(other) == "skipped"
    assert client.post("/sync/outbox/cause", data={"cause": "nonsense", "connection_id": books}).status_code == 404


def test_an_entry_says_what_would_be_sent_why_it_waits_and_what_waits_behind_it(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books, amy = company(environment="sandbox"), contact("Amy Fox")
    id_ = parked(books, amy, remote_id="58", trace_id="1-abc", error_code="6240",
                 changes={"phone": ["(555) 010-3311", "(555) 010-9999"]})  # fmt: skip
    for number, kind in enumerate(("invoice", "invoice", "payment"), start=1):
        add(OutboxNeed(entry_id=entry(books, number, kind=kind), kind="customer", local_id=amy))
    told = line(books, "Refused: the name is taken.", contact_id=amy, direction="out", level="error", outcome="parked")
    other = line(books, "Of another entry.", contact_id=amy, direction="out", details={"entry_id": id_ + 100})
    page = client.get(f"/sync/outbox/{id_}").text
    assert f"/sync/log/{other}" not in page
    for text in ("Update: Amy Fox", "Name is taken", "(555) 010-3311", "(555) 010-9999", "1-abc", 'data-copy="1-abc"',
                 "Will be written", "2 invoices, 1 payment", f"/sync/log/{told}", f"/contacts/{amy}/edit",
                 "Try again", "Skip for now"):  # fmt: skip
        assert text in page, text
    assert client.get("/sync/outbox/4711").status_code == 404
    assert client.get("/sync/outbox/99999999999999").status_code == 404


def test_a_waiting_entry_names_the_fields_that_were_changed(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    id_ = entry(company(read_only=True), contact(), fields={"phone": ago(minutes=5).isoformat()})
    page = client.get(f"/sync/outbox/{id_}").text
    assert "changed <time" in page and "5 min ago" in page and "before you approved a first plan" in page


@pytest.mark.parametrize(
    ("state", "deed", "becomes"),
    [("parked", "retry", "pending"), ("parked", "skip", "skipped"), ("skipped", "unskip", "pending"),
     ("pending", "drop", "dropped"), ("skipped", "drop", "dropped")],
)  # fmt: skip
def test_buttons_do_what_they_say_and_are_told_in_the_audit_trail(
    client: FlaskClient, sign_in, state: str, deed: str, becomes: str
) -> None:
    sign_in("admin")
    id_ = entry(company(), contact(), state, cause="closed_books" if state == "parked" else "")
    assert f'action="/sync/outbox/{id_}/do/{deed}"' in client.get(f"/sync/outbox/{id_}").text or deed == "drop"
    assert client.post(f"/sync/outbox/{id_}/do/{deed}").location == f"/sync/outbox/{id_}"
    assert state_of(id_) == becomes
    assert db.session.scalars(select(AuditEntry.subject)).all() == [f"outbox:{id_}"]
    assert client.post(f"/sync/outbox/{id_}/do/{deed}").status_code in (303, 409)
    assert client.post(f"/sync/outbox/{id_}/do/nonsense").status_code == 404


def test_a_taken_name_is_adopted_or_another_one_used(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books, amy, ben = company(), contact("Amy Fox"), contact("Ben Elm")
    record = as_stored(CustomerRecord(Origin("58", "0"), "Amy Fox"))
    add(Customer(connection_id=books, remote_id="58", display_name="Amy Fox", match_state="ignored", record=record,
                 seen_at=clock.now()))  # fmt: skip
    holder = {"kind": "customer", "remote_id": "58", "name": "Amy Fox", "active": True, "adoptable": True}
    evidence = {"field": "display_name", "name": "Amy Fox", "suffix": "Amy Fox (2)", "holders": [holder]}
    first = parked(books, amy, operation="create", evidence=evidence)
    second = parked(books, ben, operation="create", evidence=evidence)
    page = client.get(f"/sync/outbox/{second}").text
    assert "Who holds the name" in page and 'value="Amy Fox (2)"' in page and "Link to this one" in page
    wrong = client.post(f"/sync/outbox/{second}/name", data={"name": "Amy Fox"})
    assert wrong.status_code == 422 and 'value="Amy Fox"' in wrong.text
    assert "is a customer in QuickBooks already" in wrong.text
    client.post(f"/sync/outbox/{second}/name", data={"name": "Amy Fox (2)"})
    assert state_of(second) == "pending"
    assert db.session.get_one(OutboxEntry, second).options == {"display_name": "Amy Fox (2)"}
    client.post(f"/sync/outbox/{first}/adopt", data={"remote_id": "58"})
    assert state_of(first) == "pending"
    assert db.session.scalars(select(Link.local_id)).all() == [amy]


def test_what_was_written_can_be_taken_back_by_a_plan(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    id_ = entry(company(), contact(), "done", settled_at=clock.now(), changes={"phone": ["1", "2"]})
    page = client.get(f"/sync/outbox/{id_}").text
    assert "Undo in QuickBooks" in page and "Arrived in QuickBooks" in page
    answer = client.post("/sync/plans/undo", data={"entry_id": id_})
    assert answer.status_code == 303
    assert db.session.scalars(select(Plan.purpose)).all() == ["undo"]


def test_empty_lists_say_what_belongs_there(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    assert "Nothing has to leave yet" in client.get("/sync/outbox").text
    entry(company(), contact(), "done", settled_at=clock.now())
    assert "Nothing waits" in client.get("/sync/outbox").text
    assert "Look at it" not in client.get("/sync/outbox").text
    assert "Nothing found" in client.get("/sync/outbox?q=nobody").text
    assert "Nothing is parked" in client.get("/sync/outbox?tab=parked").text


def test_the_page_opens_on_what_there_is_and_an_empty_tab_names_what_is_stuck_elsewhere(
    client: FlaskClient, sign_in
) -> None:
    sign_in("admin")
    books = company()
    skipped = entry(books, contact("Sue"), "skipped")
    assert ids_on(client) == ids_on(client, "?tab=zzz") == [skipped]
    stuck = [parked(books, contact(f"Amy {n}")) for n in range(2)]
    assert ids_on(client) == stuck
    assert len(client.get("/sync/outbox/export.csv").text.strip().splitlines()) == 3
    page = client.get("/sync/outbox?tab=waiting").text
    assert "2 are parked and need you." in page and "Look at it" in page and "settled" not in page
    waiting = entry(books, contact("Wim"))
    assert ids_on(client) == [waiting]


def test_every_try_of_an_entry_stands_in_its_history(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books, amy = company(), contact("Amy Fox")
    id_ = parked(books, amy, attempts=2, created_at=ago(hours=3))
    page = client.get(f"/sync/outbox/{id_}").text
    assert "it has not been tried" not in page and "It was tried 2 times." in page
    about = {"direction": "out", "level": "error", "details": {"entry_id": id_}}
    unnamed = line(books, "Refused once.", **about)
    named = line(books, "Refused twice.", contact_id=amy, **about)
    line(books, "Of another.", **about | {"details": {"entry_id": id_ + 1}})
    page = client.get(f"/sync/outbox/{id_}").text
    assert re.findall(r'href="/sync/log/(\d+)"', page) == [str(named), str(unnamed)]
    assert "It was tried" not in page
    fresh = entry(books, contact("Ben"))
    assert "it has not been tried" in client.get(f"/sync/outbox/{fresh}").text


def test_days_in_the_wrong_order_or_that_are_none_are_said_beside_their_field(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    parked(company(), contact())
    for query, says in (("since=abc", "“abc” is not a date."),
                        ("since=2026-11-21&until=2026-11-20", "ends before it begins")):  # fmt: skip
        answer = client.get(f"/sync/outbox?{query}")
        assert answer.status_code == 422 and says in answer.text, query
        assert "Nothing was looked for" in answer.text and 'class="error"' in answer.text
        assert "Sync" in answer.text and 'class="tab"' in answer.text


@pytest.mark.parametrize("role", ["rep", "bookkeeper"])
def test_only_admins_see_and_steer_the_outbox(client: FlaskClient, sign_in, role: str) -> None:
    sign_in(role)
    id_ = parked(company(), contact())
    for path in ("/sync/outbox", f"/sync/outbox/{id_}", "/sync/outbox/export.csv"):
        assert client.get(path).status_code == 403
    for path in (f"/sync/outbox/{id_}/do/retry", f"/sync/outbox/{id_}/adopt", f"/sync/outbox/{id_}/name",
                 "/sync/outbox/cause"):  # fmt: skip
        assert client.post(path).status_code == 403
    assert state_of(id_) == "parked"


def test_the_way_to_a_record_in_quickbooks_says_which_company_it_opens(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company(environment="production")
    amy = contact("Amy Fox")
    inactive = parked(books, amy, "inactive", remote_id="58")
    page = client.get(f"/sync/outbox/{inactive}").text
    assert 'href="https://app.qbo.intuit.com/app/customerdetail?nameId=58"' in page
    assert "shows no. 58 of the company your browser is signed in to there: make sure it is Bedrock." in page
    unknown = entry(books, 9, "parked", kind="tax_code", cause="inactive", remote_id="7")
    assert "Open in QuickBooks" not in client.get(f"/sync/outbox/{unknown}").text


def test_the_filter_offers_every_kind_that_goes_out(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    entry(company(), contact())
    page = client.get("/sync/outbox").text
    assert all(f'<option value="{kind}">' in page for kind in OUTGOING if kind in RESOURCES) and len(OUTGOING) > 1
