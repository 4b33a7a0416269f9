"""The API about proofs: the list, one with its figures and differences, asking for one."""

from __future__ import annotations

from decimal import Decimal

from flask.testing import FlaskClient

from crm.db import db
from crm.domain.proof import figure
from crm.models import Proof
from tests.engine_rows import company
from tests.web.test_api import key  # noqa: F401
from tests.web.test_api_engine import Key, pages
from tests.web.test_proofs import line, proof


def test_proofs_are_walked_through_by_result_and_company(client: FlaskClient, key: Key) -> None:  # noqa: F811
    books, other = company(), company(realm_id="2", realm_fingerprint="two", state="disconnected")
    made = [proof(books, state) for state in ("equal", "different", "running")]
    theirs = proof(other, "failed", error="QuickBooks is down.")
    line(made[1])
    headers = key()
    assert [row["id"] for row in pages(client, "/proofs", headers)] == [theirs, *made[::-1]]
    assert [row["id"] for row in pages(client, "/proofs", headers, connection_id=books)] == made[::-1]
    [found] = pages(client, "/proofs", headers, state="different")
    assert (found["id"], found["differences"], found["paused_since"]) == (made[1], 1, None)
    wrong = client.get("/api/v1/proofs?state=nice", headers=headers)
    assert (wrong.status_code, wrong.content_type) == (422, "application/problem+json")


def test_one_proof_tells_its_figures_and_differences_to_the_cent(client: FlaskClient, key: Key) -> None:  # noqa: F811
    figures = [figure("count:invoice", 7, 8), figure("balance", Decimal("100.10"), Decimal("107.35"), currency="USD")]
    made = proof(company(), figures=figures, progress={"paused_since": "2026-11-20T17:30:00+00:00"})
    first = line(made)
    cents = line(made, kind="customer", figure="balance", ours=Decimal("1.0050"), theirs=None)
    line(made, kind="invoice", remote_id="9", figure="owner", ours=None, theirs=None, remedy="")
    headers = key()
    told = client.get(f"/api/v1/proofs/{made}", headers=headers).json
    assert (told["state"], told["differences"], told["step"]) == ("different", 3, "")
    assert told["paused_since"] == "2026-11-20T17:30:00Z"
    count, balance = told["figures"]
    assert (count["ours"], count["theirs"], count["difference"], count["unit"]) == ("7", "8", "-1", "count")
    assert (balance["ours"], balance["theirs"], balance["difference"]) == ("100.10", "107.35", "-7.25")
    assert (balance["currency"], balance["equal"]) == ("USD", False)
    lines = pages(client, f"/proofs/{made}/lines", headers)
    assert [(one["ours"], one["theirs"], one["difference"]) for one in lines] == [
        ("10.00", "17.25", "-7.25"), ("1.0050", None, "1.0050"), (None, None, None),
    ]  # fmt: skip
    assert lines[0]["id"] == first and lines[0]["remedy"] == "read_again"
    assert [one["id"] for one in pages(client, f"/proofs/{made}/lines", headers, kind="customer")] == [cents]
    for path in ("/proofs/4711", "/proofs/4711/lines"):
        assert client.get(f"/api/v1{path}", headers=headers).status_code == 404


def test_a_proof_is_asked_for_once_by_a_key_that_may_write(client: FlaskClient, key: Key) -> None:  # noqa: F811
    books = company()
    path = f"/api/v1/connections/{books}/proofs"
    assert client.post(path, headers=key("read")).status_code == 403
    answer = client.post(path, json={"thorough": True}, headers=key("write"))
    assert (answer.status_code, answer.json["state"], answer.json["trigger"]) == (202, "queued", "api")
    assert answer.json["requested_by"] == "API key write program" and answer.json["step"]
    assert client.post(path, headers=key("write")).json["id"] == answer.json["id"]
    db.session.remove()
    assert db.session.get_one(Proof, answer.json["id"]).progress["thorough"] is True
    assert client.post(path, json={"often": 1}, headers=key("write")).status_code == 422
    assert client.post("/api/v1/connections/4711/proofs", headers=key("write")).status_code == 404
    away = company(realm_id="2", realm_fingerprint="two", state="needs_reconnect")
    refused = client.post(f"/api/v1/connections/{away}/proofs", headers=key("write"))
    assert refused.status_code == 400 and "Reconnect it first" in refused.json["detail"]
