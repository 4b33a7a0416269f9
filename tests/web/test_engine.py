"""The sync dashboard: the light in words, its reasons with what mends them, figures per kind, and its buttons."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.models import (
    CallCount,
    Conflict,
    Connection,
    Link,
    Notice,
    OutboxNeed,
    Plan,
    PlanLine,
    Proof,
    Sweep,
    SyncRun,
    SyncSettings,
)
from tests.engine_rows import add, ago, company, contact, delivery, entry, event, sweep
from tests.queries.test_contacts import statements


def light_on(client: FlaskClient) -> str:
    page = client.get("/sync").text.partition('id="companies"')[2]
    found = re.search(r'class="callout tone-(\w+)".*?callout-title">(.*?)</p>', page, re.S)
    return f"{found.group(1)}: {found.group(2)}" if found else ""


def proof(connection_id: int, state: str) -> int:
    return add(Proof(connection_id=connection_id, trigger="schedule", state=state, available_at=clock.now(),
                     created_at=ago(hours=8), finished_at=ago(hours=8)))  # fmt: skip


def plan(connection_id: int, *actions: str) -> None:
    id_ = add(Plan(connection_id=connection_id, purpose="push", state="ready", available_at=clock.now(),
                   created_at=clock.now()))  # fmt: skip
    for action in actions:
        add(PlanLine(plan_id=id_, kind="customer", local_id=1, action=action))


def test_without_a_company_the_page_leads_to_connecting_one(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    page = client.get("/sync").text
    assert "No company connected" in page and "Open QuickBooks" in page


def test_a_company_in_step_says_so_in_words(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    sweep(books, swept_at=ago(minutes=4), webhook_at=ago(minutes=2))
    proof(books, "equal")
    page = client.get("/sync").text
    assert light_on(client) == "ok: In step"
    for text in ("Every change on either side has reached the other.", "Equal", "Bedrock", "Customers", "Both ways",
                 'hx-trigger="every 30s"', "Prove now", "Pause"):  # fmt: skip
        assert text in page, text


@pytest.mark.parametrize(
    ("make", "light", "says"),
    [
        (lambda id_: entry(id_, contact(), "parked", parked_at=ago(hours=2), created_at=ago(hours=2)),
         "warn: Something waits for you", "1 change could not be sent"),
        (lambda id_: entry(id_, contact(), created_at=ago(minutes=10)), "warn: Catching up", "on the way"),
        (lambda id_: entry(id_, contact(), created_at=ago(hours=3)), "bad: Stopped", "over an hour ago"),
        (lambda id_: event(id_, None, state="pending", settled_at=None, created_at=ago(minutes=5)),
         "warn: Catching up", "from QuickBooks is being read"),
        (lambda id_: add(Conflict(connection_id=id_, kind="customer", local_id=contact(), remote_id="1", field="phone",
                                  opened_at=clock.now())), "warn: Something waits for you", "changed on both sides"),
        (lambda id_: plan(id_, "update"), "warn: Something waits for you", "1 plan is ready"),
        (lambda id_: proof(id_, "different"), "warn: Something waits for you", "found differences"),
        (lambda id_: add(SyncRun(connection_id=id_, trigger="person", state="running", created_at=clock.now())),
         "warn: Catching up", "An import is under way."),
        (lambda id_: add(CallCount(connection_id=id_, day=clock.now().date(), category="metered", calls=500_000)),
         "bad: Stopped", "are used up"),
        (lambda id_: add(SyncSettings(connection_id=id_, kind="*", version=1, paused=True, changed_at=clock.now())),
         "warn: Something waits for you", "The sync is paused."),
    ],
)  # fmt: skip
def test_every_sign_is_counted_and_turns_the_light(client: FlaskClient, sign_in, make, light: str, says: str) -> None:
    sign_in("admin")
    books = company()
    sweep(books)
    make(books)
    assert light_on(client) == light
    assert says in client.get("/sync").text


def test_a_plan_in_which_nothing_can_be_approved_turns_no_light(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    sweep(books)
    plan(books)
    plan(books, "refuse", "skip", "link")
    assert light_on(client) == "ok: In step"
    plan(books, "refuse", "create")
    assert "1 plan is ready" in client.get("/sync").text


def test_what_cannot_work_before_the_first_import_is_not_offered(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company(read_at={})
    sweep(books)
    page = client.get("/sync").text
    assert f"/sync/{books}/sweep" not in page and f"/sync/{books}/prove" not in page
    assert "come with the first import" in page and "not imported yet" in page
    assert "Behind by" in page and ">nothing<" not in page
    with transaction() as session:
        session.get_one(Connection, books).read_at = {"customer": clock.now().isoformat()}
    page = client.get("/sync").text
    assert f"/sync/{books}/sweep" in page and f"/sync/{books}/prove" not in page
    assert "“Prove now” comes once" in page and ">nothing<" in page
    with transaction() as session:
        kinds = ("customer", "invoice", "payment", "credit_memo")
        session.get_one(Connection, books).read_at = dict.fromkeys(kinds, clock.now().isoformat())
    page = client.get("/sync").text
    assert f"/sync/{books}/prove" in page and "“Prove now” comes" not in page


def test_what_waits_for_something_else_of_ours_does_not_stop_the_light(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books, amy, ben = company(), contact("Amy"), contact("Ben")
    sweep(books)
    entry(books, amy, "parked", created_at=ago(hours=3), parked_at=ago(hours=3))
    behind = entry(books, ben, created_at=ago(hours=3))
    add(OutboxNeed(entry_id=behind, kind="customer", local_id=amy))
    assert light_on(client) == "warn: Something waits for you"
    add(Link(connection_id=books, kind="customer", local_id=amy, remote_id="1", linked_at=clock.now(),
             synced_at=clock.now()))  # fmt: skip
    assert light_on(client) == "bad: Stopped"


def test_a_read_only_company_says_that_the_books_are_safe(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company(read_only=True)
    sweep(books)
    assert "Your books are safe" in client.get("/sync").text and light_on(client) == "ok: In step"
    entry(books, contact(), created_at=ago(days=1))
    assert light_on(client) == "warn: Something waits for you"
    assert "before you approved a first plan" in client.get("/sync").text


def test_figures_per_kind_and_of_calls_are_those_of_the_company(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    sweep(books, silent_since=ago(days=1), webhook_at=ago(days=3))
    entry(books, contact("A"), "done", settled_at=ago(minutes=30))
    entry(books, contact("B"), created_at=ago(minutes=12))
    entry(books, contact("C"), "parked", parked_at=ago(minutes=3))
    add(CallCount(connection_id=books, day=clock.now().date(), category="metered", calls=1_200))
    for topic, text in (("webhooks_silent", "Webhooks are silent."), ("grant_ends", "The sign-in ends soon.")):
        add(Notice(connection_id=books, topic=topic, level="warning", text=text, created_at=clock.now()))
    page = client.get("/sync").text
    for text in ("30 min ago", "12 min", "1,200", "498,800", "The sign-in ends soon.", "silent since 1 day ago",
                 "every 5s"):  # fmt: skip
        assert text in page, text
    assert "webhooks are silent. Nothing is missed" in page and "Webhooks are silent." not in page, "told once"
    piece = client.get("/sync", headers={"HX-Request": "true"}).text
    assert piece.lstrip().startswith('<div class="stack stack-l" id="companies"') and "<html" not in piece


def test_more_rows_cost_no_more_statements(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    client.get("/sync")
    with statements() as few:
        client.get("/sync")
    for n in range(5):
        entry(books, contact(f"Contact {n}"), "parked", parked_at=ago(minutes=3))
        event(books, delivery(), state="pending", settled_at=None, event_key=f"e{n}")
    with statements() as many:
        client.get("/sync")
    assert len(many) == len(few)


def test_pausing_and_resuming_is_kept_and_said(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    sweep(books)
    assert client.post(f"/sync/{books}/pause").status_code == 303
    assert light_on(client) == "warn: Something waits for you"
    assert "Resume" in client.get("/sync").text
    assert client.post(f"/sync/{books}/resume").status_code == 303
    assert light_on(client) == "ok: In step"
    assert client.post("/sync/4711/pause").status_code == 404


def test_changes_are_asked_for_now_unless_that_would_do_nothing(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    assert client.post(f"/sync/{books}/sweep").status_code == 303
    assert _due(books) <= clock.now()
    with transaction() as session:
        session.get_one(Sweep, books).available_at = clock.now() + timedelta(minutes=9)
    assert client.post(f"/sync/{books}/sweep").status_code == 303
    assert _due(books) <= clock.now()
    client.post(f"/sync/{books}/pause")
    answer = client.post(f"/sync/{books}/sweep")
    assert answer.status_code == 409 and "Resume it first." in answer.text
    assert client.post("/sync/4711/sweep").status_code == 404


def _due(connection_id: int):
    db.session.remove()
    return db.session.get_one(Sweep, connection_id).available_at


def test_a_proof_is_started_once(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    for _ in range(2):
        assert client.post(f"/sync/{books}/prove").status_code == 303
    assert db.session.scalars(select(Proof.state)).all() == ["queued"]
    assert "Under way" in client.get("/sync").text
    with transaction() as session:
        session.get_one(Connection, books).state = "needs_reconnect"
        session.scalars(select(Proof)).one().state = "failed"
    answer = client.post(f"/sync/{books}/prove")
    assert answer.status_code == 409 and "Reconnect" in answer.text


@pytest.mark.parametrize("role", ["rep", "bookkeeper"])
def test_only_admins_see_and_steer_the_sync(client: FlaskClient, sign_in, role: str) -> None:
    sign_in(role)
    books = company()
    assert client.get("/sync").status_code == 403
    for deed in ("pause", "resume", "prove", "sweep"):
        assert client.post(f"/sync/{books}/{deed}").status_code == 403


def test_the_menu_and_the_tabs_lead_everywhere_one_may_go(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    company()
    page = client.get("/sync/log").text
    for path in ("/sync", "/sync/outbox", "/sync/deliveries", "/sync/log", "/sync/settings"):
        assert f'class="tab" href="{path}"' in page, path
    assert re.search(r'href="/sync/log" aria-current="page"', page)
    assert re.search(r'class="nav-item" href="/sync" aria-current="page"', page)
