"""The pages of proofs: who sees them, what they say, how they are asked for, mended, downloaded."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.proof import LIVE, figure
from crm.models import Connection, InboxEvent, Proof, ProofLine

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
READ = {kind: "2026-11-20T03:00:00+00:00" for kind in ("customer", "invoice", "payment", "credit_memo")}
SignIn = Callable[..., Any]


@pytest.fixture
def connection(app: Flask) -> int:
    with transaction() as session:
        row = Connection(
            provider="quickbooks", realm_id="1", realm_fingerprint="f" * 64, state="connected", connected_at=AT,
            company_name="Birds Ltd", currency="USD", time_zone="America/Chicago", read_at=READ,
        )  # fmt: skip
        session.add(row)
    return row.id


def proof(connection_id: int, state: str = "different", **values: Any) -> int:
    figures = [figure("count:invoice", 7, 8), figure("balance", Decimal("100.10"), Decimal("107.35"), currency="USD")]
    given: dict[str, Any] = {"trigger": "schedule", "requested_by": "system", "step": "confirm", "figures": figures,
                             "progress": {"calls": 9}, "currency": "USD", "created_at": AT, "as_of": AT,
                             "available_at": AT, "finished_at": None if state in LIVE else AT}  # fmt: skip
    with transaction() as session:
        row = Proof(connection_id=connection_id, state=state, **(given | values))
        session.add(row)
    return row.id


def line(proof_id: int, **values: Any) -> int:
    given = {"kind": "invoice", "remote_id": "77", "name": "1042", "figure": "total", "ours": Decimal("10.00"),
             "theirs": Decimal("17.25"), "cause": "Invoice 1042 was changed in QuickBooks at 02:41.",
             "remedy": "read_again"}  # fmt: skip
    with transaction() as session:
        row = ProofLine(proof_id=proof_id, **(given | values))
        session.add(row)
    return row.id


def rows(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True).lstrip("\ufeff"))))


def test_a_bookkeeper_reads_proofs_and_a_rep_does_not(client: FlaskClient, sign_in: SignIn, connection: int) -> None:
    proof_id = proof(connection)
    sign_in("bookkeeper")
    page = client.get(f"/sync/proofs/{proof_id}").text
    assert "Birds Ltd" in page and "$107.35" in page and "-$7.25" in page.replace("−", "-")
    assert client.get("/sync/proofs").status_code == 200
    assert 'href="/sync/proofs"' in client.get("/").text
    sign_in("rep")
    for path in ("/sync/proofs", f"/sync/proofs/{proof_id}", "/sync/proofs/proofs.csv"):
        assert client.get(path).status_code == 403
    assert client.post("/sync/proofs", data={"connection": connection}).status_code == 403
    assert client.post(f"/sync/proofs/{proof_id}/mend").status_code == 403


def test_asking_for_a_proof_leads_to_it_and_it_looks_again_by_itself(
    client: FlaskClient, sign_in: SignIn, connection: int
) -> None:
    user = sign_in("bookkeeper")
    answer = client.post("/sync/proofs", data={"connection": connection, "thorough": "1"})
    made = db.session.scalars(select(Proof)).one()
    assert (answer.status_code, answer.location) == (303, f"/sync/proofs/{made.id}")
    assert (made.state, made.trigger, made.requested_by) == ("queued", "person", user.name)
    assert made.progress == {"thorough": True}
    assert 'hx-trigger="every 1s"' in client.get(answer.location).text
    fragment = client.get(answer.location, headers={"HX-Request": "true"}).text
    assert fragment.lstrip().startswith("<div") and "Waiting for a worker" in fragment


@pytest.mark.parametrize("sent", [{}, {"connection": "x"}, {"connection": "9" * 12}])
def test_asking_for_nothing_we_know_is_told_in_a_sentence(
    client: FlaskClient, sign_in: SignIn, connection: int, sent: dict[str, str]
) -> None:
    sign_in("admin")
    answer = client.post("/sync/proofs", data=sent)
    assert answer.status_code == 422 and "which company" in answer.text
    assert client.post("/sync/proofs", data={"connection": connection + 1}).status_code == 404


def test_a_difference_stands_with_its_cause_and_is_read_again_by_its_button(
    client: FlaskClient, sign_in: SignIn, connection: int
) -> None:
    proof_id = proof(connection)
    first, second = line(proof_id), line(proof_id, remote_id="78", name="1043")
    line(proof_id, remote_id="5", kind="customer", name="Amy", figure="balance", cause="Please report it.", remedy="")
    sign_in("bookkeeper")
    page = client.get(f"/sync/proofs/{proof_id}").text
    assert "3 differences" in page and "was changed in QuickBooks at 02:41" in page and "Please report it." in page
    assert page.count(">Read again<") == 2
    assert client.post(f"/sync/proofs/{proof_id}/mend", data={"line": first}).status_code == 303
    assert [event.remote_id for event in db.session.scalars(select(InboxEvent))] == ["77"]
    page = client.get(f"/sync/proofs/{proof_id}").text
    assert page.count(">Read again<") == 1 and "1 object is being read again" in page
    client.post(f"/sync/proofs/{proof_id}/mend")
    db.session.remove()
    assert {event.remote_id for event in db.session.scalars(select(InboxEvent))} == {"77", "78"}
    assert db.session.get_one(ProofLine, second).mended_at is not None
    assert client.post(f"/sync/proofs/{proof_id}/mend", data={"line": "x"}).status_code == 422
    assert client.post(f"/sync/proofs/{proof(connection, 'equal')}/mend").status_code == 409
    assert client.post(f"/sync/proofs/{proof(connection, 'running')}/mend").status_code == 409
    assert client.post("/sync/proofs/99999/mend").status_code == 404


def test_differences_are_filtered_by_kind_and_name(client: FlaskClient, sign_in: SignIn, connection: int) -> None:
    proof_id = proof(connection)
    line(proof_id)
    line(proof_id, remote_id="5", kind="customer", name="Amy's Birds", figure="balance")
    sign_in("admin")
    page = client.get(f"/sync/proofs/{proof_id}?kind=customer").text
    assert "Amy&#39;s Birds" in page and "1042<" not in page
    page = client.get(f"/sync/proofs/{proof_id}?q=104").text
    assert "1042" in page and "Amy&#39;s Birds" not in page
    found = rows(client.get(f"/sync/proofs/{proof_id}/differences.csv?kind=customer"))
    assert [row["Name"] for row in found if row["What"] != "All"] == ["Amy's Birds"]


def test_both_downloads_hold_the_figures(client: FlaskClient, sign_in: SignIn, connection: int) -> None:
    proof_id = proof(connection)
    line(proof_id, name="=1+1")
    proof(connection, "equal", trigger="person", requested_by="Kim")
    sign_in("bookkeeper")
    found = rows(client.get(f"/sync/proofs/{proof_id}/differences.csv"))
    assert [row["Name"] for row in found] == ["Invoices, how many", "Open balances of all customers", "'=1+1"]
    assert [row["Difference"] for row in found] == ["-1", "-7.25", "-7.25"]
    listed = rows(client.get("/sync/proofs/proofs.csv"))
    assert [(row["Result"], row["Differences"]) for row in listed] == [("equal", "0"), ("different", "1")]
    assert [row["Id"] for row in rows(client.get("/sync/proofs/proofs.csv?state=different"))] == [str(proof_id)]


def test_the_list_is_searched_filtered_and_sorted(client: FlaskClient, sign_in: SignIn, connection: int) -> None:
    first = proof(connection, requested_by="Kim")
    second = proof(connection, "equal", trigger="person", requested_by="Bo")
    sign_in("admin")

    def order(query: str) -> list[int]:
        page = client.get(f"/sync/proofs?{query}").text
        places = {id_: page.find(f">#{id_}<") for id_ in (first, second)}
        return sorted((id_ for id_, at in places.items() if at >= 0), key=lambda id_: places[id_])

    assert order("") == [second, first]
    assert order("sort=made") == [first, second]
    assert order("q=kim") == [first]
    assert order("state=equal") == [second]
    assert order("trigger=schedule") == [first]
    assert order("q=birds&state=failed") == []
    assert "Nothing found" in client.get("/sync/proofs?q=nobody").text


def test_each_face_says_what_it_is(client: FlaskClient, sign_in: SignIn, connection: int) -> None:
    sign_in("admin")
    page = client.get(f"/sync/proofs/{proof(connection, 'equal')}").text
    assert "Equal to the cent, Nov 21, 2026, 9:00 AM UTC" in page.replace("\u202f", " ")
    page = client.get(f"/sync/proofs/{proof(connection, 'failed', error='Connect again.')}").text
    assert "could not be made" in page and "Connect again." in page
    page = client.get(f"/sync/proofs/{proof(connection, 'running', error='QuickBooks is down.')}").text
    assert "It will be tried again" in page and "QuickBooks is down." in page and "The sync is paused" not in page
    assert client.get("/sync/proofs/99999").status_code == 404


def test_a_pause_is_told_while_a_proof_runs_and_no_longer(
    client: FlaskClient, sign_in: SignIn, connection: int
) -> None:
    sign_in("admin")
    client.post(f"/sync/settings/{connection}/pause", data={"kind": "*"})
    assert "The sync is paused" in client.get(f"/sync/proofs/{proof(connection, 'running')}").text
    assert "The sync is paused" not in client.get(f"/sync/proofs/{proof(connection, 'equal')}").text
    before = client.get("/sync/proofs").text
    assert "our figures would be those of that moment" in before and "while paused" not in before
    made = proof(connection, progress={"calls": 9, "paused_since": "2026-11-20T17:30:00+00:00"})
    line(made)
    page = client.get(f"/sync/proofs/{made}").text
    assert "Made while the sync was paused" in page and "Resume, then prove again." in page
    assert "Nov 20, 2026, 5:30 PM UTC, when it" in page.split("Made while the sync was paused")[1]
    client.post(f"/sync/proofs/{made}/mend")
    assert "1 object will be read again once the sync is resumed" in client.get(f"/sync/proofs/{made}").text
    client.post(f"/sync/settings/{connection}/resume", data={"kind": "*"})
    page = client.get(f"/sync/proofs/{made}").text
    assert "Made while the sync was paused" in page and "The sync goes on since" in page
    assert "while paused" in client.get("/sync/proofs").text
    assert "those of that moment" not in client.get("/sync/proofs").text


def test_what_differs_stands_before_the_figures(client: FlaskClient, sign_in: SignIn, connection: int) -> None:
    proof_id = proof(connection)
    line(proof_id)
    sign_in("admin")
    page = client.get(f"/sync/proofs/{proof_id}").text
    assert 0 < page.index("What differs") < page.index("Figures of both sides")


def test_a_proof_asked_for_twice_is_one(client: FlaskClient, sign_in: SignIn, connection: int) -> None:
    sign_in("admin")
    places = {client.post("/sync/proofs", data={"connection": connection}).location for _ in range(2)}
    assert len(places) == 1 and clock.now() > AT


def test_the_connections_page_says_how_the_last_proof_went(
    client: FlaskClient, sign_in: SignIn, connection: int
) -> None:
    sign_in("admin")
    assert "none yet" in client.get(f"/integrations/{connection}").text
    proof(connection, "equal")
    proof(connection, "failed")
    page = client.get(f"/integrations/{connection}").text.replace("\u202f", " ")
    assert "Equal to the cent, Nov 21, 2026, 9:00 AM UTC" in page
