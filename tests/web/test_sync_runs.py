"""The page of an import: its three faces, what it lets one press, and who may see it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, SyncLogEntry, SyncRun
from crm.providers.accounting.base import Page
from tests.flows.imports import opened, run_import
from tests.queries.test_contacts import statements
from tests.services.test_matches import BooksWithInvoices
from tests.services.test_sync_matching import connection, customer  # noqa: F401


def make_run(connection_id: int, state: str, **values) -> int:
    now = clock.now()
    given = {
        "resources": ["customer", "invoice"], "step": "customer", "created_at": now, "requested_by": "kim@example.com",
        "trigger": "person", "started_at": now - timedelta(seconds=10),
        "counts": {"created": 12, "linked": 34, "enriched": 46, "review": 5, "unchanged": 6, "refused": 1, "calls": 7},
        "progress": {
            "customer": {"started_at": (now - timedelta(seconds=10)).isoformat(), "done": 2000, "total": 6000},
        },
    }  # fmt: skip
    with transaction() as session:
        run = SyncRun(connection_id=connection_id, state=state, **(given | values))
        session.add(run)
        session.flush()
        return run.id


def test_starting_leads_to_the_page_of_the_run(client: FlaskClient, sign_in, connection: Connection) -> None:  # noqa: F811
    sign_in("admin")
    answer = client.post(f"/integrations/{connection.id}/import", data={"resources": ["customer"]})
    run = db.session.scalars(select(SyncRun)).one()
    assert (answer.status_code, answer.location) == (303, f"/integrations/runs/{run.id}")
    assert (run.state, run.resources, run.trigger) == ("queued", ["customer"], "person")
    again = client.post(f"/integrations/{connection.id}/import")
    assert again.location == answer.location


def test_a_connection_that_does_not_work_refuses_with_a_sentence(
    client: FlaskClient, sign_in, connection: Connection  # noqa: F811
) -> None:
    sign_in("admin")
    with transaction() as session:
        session.get_one(Connection, connection.id).state = "needs_reconnect"
    answer = client.post(f"/integrations/{connection.id}/import")
    assert answer.status_code == 409
    assert "Reconnect" in answer.text and db.session.scalars(select(SyncRun)).all() == []


def test_a_running_import_shows_how_far_it_is_and_looks_again_by_itself(
    client: FlaskClient, sign_in, connection: Connection  # noqa: F811
) -> None:
    sign_in("admin")
    run_id = make_run(connection.id, "running")
    page = client.get(f"/integrations/runs/{run_id}").text
    for text in ("2,000 of 6,000 customers", "33%", "a second", "left", "Cancel import", 'hx-trigger="every 1s"'):
        assert text in page
    assert 'Step <b class="num">2</b> of' in page, "lists come first"
    piece = client.get(f"/integrations/runs/{run_id}", headers={"HX-Request": "true"}).text
    assert piece.lstrip().startswith('<div class="stack" id="run"') and "<html" not in piece


def test_how_many_documents_there_are_is_known_before_the_first_is_read(connection: Connection) -> None:  # noqa: F811
    seen: list[object] = []

    class Watched(BooksWithInvoices):
        def scan(self, kind: str, cursor: str | None = None) -> Page:
            if kind == "invoice":
                seen.append(db.session.scalars(select(SyncRun.progress)).one()["invoice"].get("total"))
                db.session.remove()
            return super().scan(kind, cursor)

    run_import(connection.id, open_books=opened(Watched([customer(1, "Amy Fox"), customer(2, "Bea Elm")])))
    assert seen == [2]


def test_nothing_refused_is_said_only_where_something_was_left_out(
    client: FlaskClient, sign_in, connection: Connection  # noqa: F811
) -> None:
    sign_in("admin")
    for counts, said in (({"ignored": 3}, True), ({"created": 3}, False)):
        run_id = make_run(connection.id, "done", step="finished", finished_at=clock.now(), counts=counts)
        page = client.get(f"/integrations/runs/{run_id}").text
        assert ("Nothing was refused" in page, "Refused, with reasons" in page) == (said, said)
        assert ("3 inactive customers that fit no contact" in page) == said


def test_the_result_shows_every_outcome_and_the_reasons_of_what_was_refused(
    client: FlaskClient, sign_in, connection: Connection  # noqa: F811
) -> None:
    sign_in("admin")
    run_id = make_run(connection.id, "done", step="finished", finished_at=clock.now())
    with transaction() as session:
        session.add(SyncLogEntry(connection_id=connection.id, run_id=run_id, at=clock.now(), event="record_refused",
                                 kind="invoice", remote_id="77", message="TotalAmt is missing."))  # fmt: skip
    page = client.get(f"/integrations/runs/{run_id}").text
    for text in ("Created", "Linked", "Enriched", "To review", "Unchanged", "Refused", "46", "TotalAmt is missing.",
                 "Invoice 77", "Decide the doubtful ones"):  # fmt: skip
        assert text in page
    assert "every 1s" not in page
    csv = client.get(f"/integrations/runs/{run_id}/refused.csv").text
    assert "refused,invoice,77,TotalAmt is missing." in csv


@pytest.mark.parametrize(
    ("state", "connection_state", "button"),
    [("waiting", "connected", "Try now"), ("waiting", "needs_reconnect", "Reconnect"),
     ("failed", "connected", "Import again"), ("cancelled", "connected", "Import again")],
)  # fmt: skip
def test_a_run_that_stands_still_says_why_and_what_to_press(
    client: FlaskClient, sign_in, connection: Connection, state: str, connection_state: str, button: str  # noqa: F811
) -> None:
    sign_in("admin")
    run_id = make_run(connection.id, state, error="QuickBooks does not answer.",
                      lease_until=clock.now() + timedelta(minutes=2))  # fmt: skip
    with transaction() as session:
        session.get_one(Connection, connection.id).state = connection_state
    page = client.get(f"/integrations/runs/{run_id}").text
    assert button in page
    assert state == "cancelled" or "QuickBooks does not answer." in page


def test_a_waiting_run_says_when_it_tries_again(client: FlaskClient, sign_in, connection: Connection) -> None:  # noqa: F811
    sign_in("admin")
    run_id = make_run(connection.id, "waiting", lease_until=clock.now() + timedelta(seconds=38))
    assert re.search(r"Tries again in about 3[5-8] s\.", client.get(f"/integrations/runs/{run_id}").text)


def test_cancel_and_try_now_do_what_they_say(client: FlaskClient, sign_in, connection: Connection) -> None:  # noqa: F811
    sign_in("admin")
    run_id = make_run(connection.id, "waiting", lease_until=clock.now() + timedelta(minutes=9))
    assert client.post(f"/integrations/runs/{run_id}/wake").status_code == 303
    assert _run(run_id).lease_until is None
    assert client.post(f"/integrations/runs/{run_id}/cancel").status_code == 303
    assert _run(run_id).state == "cancelled"
    assert client.post(f"/integrations/runs/{run_id}/cancel").status_code == 409


@pytest.mark.parametrize("role", ["rep", "bookkeeper"])
def test_only_admins_see_and_start_imports(client: FlaskClient, sign_in, connection: Connection, role: str) -> None:  # noqa: F811
    sign_in(role)
    run_id = make_run(connection.id, "running")
    for path in (f"/integrations/runs/{run_id}", "/integrations/runs", "/integrations/runs.csv"):
        assert client.get(path).status_code == 403
    assert client.post(f"/integrations/{connection.id}/import").status_code == 403


def ids_on(client: FlaskClient, query: str) -> list[int]:
    return [int(id_) for id_ in re.findall(r">#(\d+)</a>", client.get(f"/integrations/runs{query}").text)]


def test_the_list_of_imports_is_searched_filtered_and_sorted(
    client: FlaskClient, sign_in, connection: Connection  # noqa: F811
) -> None:
    sign_in("admin")
    kim = make_run(connection.id, "done", finished_at=clock.now())
    lee = make_run(connection.id, "failed", requested_by="lee@example.com")
    nightly = make_run(connection.id, "running", requested_by="", trigger="schedule")
    assert ids_on(client, "") == [nightly, lee, kim]
    assert ids_on(client, "?sort=started") == [kim, lee, nightly]
    assert ids_on(client, "?q=LEE") == [lee]
    assert ids_on(client, "?q=schedule") == [nightly]
    assert ids_on(client, "?state=failed") == [lee]
    assert ids_on(client, "?sort=-who") == [lee, kim, nightly]
    page = client.get("/integrations/runs?state=cancelled").text
    assert "Nothing found" in page and "Clear filters" in page
    csv = client.get("/integrations/runs.csv?q=lee").text.strip().splitlines()
    assert len(csv) == 2 and f"{lee},Bedrock,failed,lee@example.com" in csv[1]
    for path in (f"/integrations/{connection.id}", f"/integrations/runs/{kim}"):
        assert 'href="/integrations/runs"' in client.get(path).text


def test_many_imports_come_in_pages_at_the_same_statements(
    client: FlaskClient, sign_in, connection: Connection  # noqa: F811
) -> None:
    sign_in("admin")
    first = make_run(connection.id, "done")
    client.get("/integrations/runs")
    with statements() as few:
        client.get("/integrations/runs")
    for _ in range(51):
        make_run(connection.id, "done")
    with statements() as many:
        assert len(ids_on(client, "")) == 50
    assert len(many) == len(few)
    assert ids_on(client, "?page=2")[-1] == first


def test_without_an_import_the_list_says_what_to_do(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    page = client.get("/integrations/runs").text
    assert "No import yet" in page and "Open QuickBooks" in page


def test_a_run_that_does_not_exist_is_not_found(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    assert client.get("/integrations/runs/4711").status_code == 404
    assert client.post("/integrations/4711/import").status_code == 404


def _run(run_id: int) -> SyncRun:
    db.session.remove()
    return db.session.get_one(SyncRun, run_id)
