"""Connecting a company, and the pages about it, as an admin's browser meets them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from crm import clock
from crm.db import db, transaction
from crm.domain.connections import WORDS
from crm.models import AuditEntry, CallCount, Connection, Contact, Link, OAuthState
from sandbox import Served
from tests.factories import ContactFactory
from tests.quickbooks import come_back, connect, consent, reread

SignIn = Callable[..., object]


@pytest.fixture
def admin(client: FlaskClient, sign_in: SignIn, quickbooks: Served) -> FlaskClient:
    sign_in("admin")
    return client


def all_connections() -> list[Connection]:
    db.session.remove()
    return list(db.session.scalars(select(Connection).order_by(Connection.id)))


def audited() -> list[tuple[str, str]]:
    rows = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id))
    return [(row.action, str(row.details.get("reason", ""))) for row in rows]


def link(row: Connection) -> None:
    with transaction() as session:
        contact: Contact = ContactFactory()
        session.add(
            Link(
                connection_id=row.id, kind="customer", local_id=contact.id, remote_id="1",
                linked_at=clock.now(), synced_at=clock.now(),
            )
        )  # fmt: skip


# --- the way there and back -----------------------------------------------------------------------------------


def test_connecting_shows_the_company_by_name_and_says_that_nothing_is_written(
    admin: FlaskClient, quickbooks: Served
) -> None:
    answer, page = come_back(admin, consent(admin, quickbooks))
    (row,) = all_connections()
    assert answer.location == f"/integrations/{row.id}"
    assert (row.company_name, row.currency, row.country) == ("Bedrock Foundation Repair", "USD", "US")
    assert row.time_zone
    assert (row.state, row.environment, row.read_only) == ("connected", "simulated", True)
    assert row.hard_expires_at and row.refresh_expires_at
    assert "Connected, read-only" in page
    assert "Import customers" in page
    assert "Nothing is written to QuickBooks" in page
    assert audited() == [("consent_given", ""), ("connected", "")]
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "connected")).one()
    assert entry.summary == "Bedrock Foundation Repair connected, read-only"
    assert (entry.subject, entry.user_id) == (f"connection:{row.id}", row.connected_by_id)
    counted = {(count.category, count.calls) for count in db.session.scalars(select(CallCount))}
    assert {("metered", 3)} <= counted  # the company, its preferences, how many customers
    assert row.customers_there is not None and row.customers_there > 20
    assert any(category == "sign_in" for category, _ in counted)


def test_the_consent_asks_for_the_accounting_scope_with_state_and_pkce(admin: FlaskClient) -> None:
    asked = parse_qs(urlsplit(admin.get("/auth/quickbooks").location).query)
    assert asked["scope"] == ["com.intuit.quickbooks.accounting"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    stored = db.session.scalars(select(OAuthState)).one()
    assert asked["state"][0] not in (stored.state_hash, stored.session_hash)
    raw = db.session.execute(text("SELECT code_verifier FROM oauth_states")).scalar_one()
    assert raw.startswith("v1.")


def test_neither_tokens_nor_codes_appear_in_pages_or_addresses(admin: FlaskClient, quickbooks: Served) -> None:
    address = consent(admin, quickbooks)
    answer, page = come_back(admin, address)
    (row,) = all_connections()
    for secret in (row.access_token, row.refresh_token, row.realm_id, parse_qs(urlsplit(address).query)["code"][0]):
        assert secret
        assert secret not in page
        assert secret not in answer.text
        assert secret not in answer.location


def test_an_answer_counts_once(admin: FlaskClient, quickbooks: Served) -> None:
    address = consent(admin, quickbooks)
    come_back(admin, address)
    _, page = come_back(admin, address)
    assert "was used already" in page
    assert len(all_connections()) == 1
    assert all_connections()[0].grant_version == 1
    assert audited()[-1] == ("consent_failed", "used")


@pytest.mark.parametrize(
    ("query", "reason", "words"),
    [
        ("code=x&realmId=1", "missing", "without the mark"),
        ("state=invented&code=x&realmId=1", "unknown", "does not know this consent"),
        ("state=invented&error=access_denied", "unknown", "does not know this consent"),
    ],
)
def test_an_answer_without_a_state_of_ours_connects_nothing(
    admin: FlaskClient, query: str, reason: str, words: str
) -> None:
    _, page = come_back(admin, f"/auth/quickbooks/callback?{query}")
    assert words in page
    assert all_connections() == []
    assert audited() == [("consent_failed", reason)]


def test_another_sessions_consent_does_not_count_and_stays_good_for_its_own(
    app: Flask, admin: FlaskClient, quickbooks: Served, make_user: Callable[..., object]
) -> None:
    address = consent(admin, quickbooks)
    stranger = app.test_client()
    with admin.session_transaction() as mine, stranger.session_transaction() as theirs:
        theirs["_user_id"], theirs["_fresh"] = mine["_user_id"], True  # the same person in another browser
    _, page = come_back(stranger, address)
    assert "another browser session" in page
    assert all_connections() == []
    assert audited() == [("consent_failed", "foreign")]
    come_back(admin, address)
    assert len(all_connections()) == 1


def test_a_consent_older_than_half_an_hour_does_not_count(admin: FlaskClient, quickbooks: Served) -> None:
    address = consent(admin, quickbooks)
    with transaction():
        db.session.scalars(select(OAuthState)).one().created_at = clock.now() - timedelta(minutes=31)
    _, page = come_back(admin, address)
    assert "half an hour ago" in page
    assert all_connections() == []


def test_a_refused_consent_is_told_without_alarm(admin: FlaskClient, quickbooks: Served) -> None:
    _, page = come_back(admin, consent(admin, quickbooks, decision="refuse"))
    assert "the consent was declined at QuickBooks" in page
    assert "Connect to QuickBooks" in page
    assert all_connections() == []
    assert audited() == [("consent_declined", "")]


def test_an_answer_that_names_no_company_connects_nothing(admin: FlaskClient, quickbooks: Served) -> None:
    address = re.sub(r"&realmId=\d+", "", consent(admin, quickbooks))
    _, page = come_back(admin, address)
    assert "named no company" in page
    assert all_connections() == []


def test_a_code_quickbooks_no_longer_takes_is_explained(admin: FlaskClient, quickbooks: Served) -> None:
    address = re.sub(r"code=[^&]+", "code=old", consent(admin, quickbooks))
    _, page = come_back(admin, address)
    assert "redirect URI" in page
    assert all_connections() == []


def test_a_company_that_does_not_answer_yet_is_connected_all_the_same(admin: FlaskClient, quickbooks: Served) -> None:
    address = consent(admin, quickbooks)
    quickbooks.sandbox.script.set([{"action": "status", "path": "v3/company", "status": 503, "count": None}])
    _, page = come_back(admin, address)
    assert "does not answer yet" in page
    assert all_connections()[0].state == "connected"


def test_a_sign_in_service_that_cannot_be_found_leads_back_with_a_sentence(
    app: Flask, admin: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(app.extensions["settings"], quickbooks_discovery_url="http://127.0.0.1:9/none")
    monkeypatch.setitem(app.extensions, "settings", settings)
    answer = admin.get("/auth/quickbooks")
    assert answer.location == "/integrations"


def test_a_lost_session_answers_the_callback_without_repeating_the_code(client: FlaskClient, app: Flask) -> None:
    answer = client.get("/auth/quickbooks/callback?state=s&code=secret-code&realmId=1")
    assert answer.status_code == 302
    assert "secret-code" not in answer.location


@pytest.mark.parametrize("role", ["rep", "bookkeeper"])
def test_only_admins_see_or_touch_connections(
    client: FlaskClient, sign_in: SignIn, quickbooks: Served, role: str
) -> None:
    row = connect(quickbooks)
    sign_in(role)
    for path in ("/integrations", f"/integrations/{row.id}", "/auth/quickbooks"):
        assert client.get(path).status_code == 403
    assert client.post(f"/integrations/{row.id}/disconnect").status_code == 403
    assert client.get("/auth/quickbooks/callback?state=s&code=c&realmId=1").location == "/"
    assert reread(row.id).state == "connected"


# --- again ----------------------------------------------------------------------------------------------------


def test_a_reconnect_keeps_the_connection_and_every_link(admin: FlaskClient, quickbooks: Served) -> None:
    come_back(admin, consent(admin, quickbooks))
    (row,) = all_connections()
    link(row)
    quickbooks.sandbox.authority.revoke_all()
    with transaction():
        lost = db.session.get_one(Connection, row.id)
        lost.state, lost.state_reason = "needs_reconnect", "It was ended there."
    page = admin.get(f"/integrations/{row.id}").text
    assert "Needs reconnect" in page
    assert "It was ended there." in page
    assert f"/auth/quickbooks?connection={row.id}" in page
    _, page = come_back(admin, consent(admin, quickbooks, start=f"/auth/quickbooks?connection={row.id}"))
    assert "Every link was kept" in page
    (again,) = all_connections()
    assert (again.id, again.state) == (row.id, "connected")
    assert db.session.scalars(select(Link.connection_id)).all() == [row.id]
    assert audited()[-1][0] == "reconnected"
    summaries = db.session.scalars(select(AuditEntry.summary).order_by(AuditEntry.id)).all()
    assert summaries[-1] == "Bedrock Foundation Repair reconnected, read-only"


def test_connecting_a_company_that_is_connected_already_renews_it(admin: FlaskClient, quickbooks: Served) -> None:
    come_back(admin, consent(admin, quickbooks))
    come_back(admin, consent(admin, quickbooks))
    (row,) = all_connections()
    assert row.grant_version == 2


def test_a_company_is_known_again_after_secret_key_was_changed(admin: FlaskClient, quickbooks: Served) -> None:
    row = connect(quickbooks, state="disconnected", disconnected_at=clock.now(), refresh_token=None)
    with transaction():
        db.session.get_one(Connection, row.id).realm_fingerprint = "made with another key"
    come_back(admin, consent(admin, quickbooks))
    assert [one.id for one in all_connections()] == [row.id]


def test_another_company_on_a_reconnect_is_refused_and_its_grant_given_back(
    admin: FlaskClient, quickbooks: Served
) -> None:
    row = connect(quickbooks, state="needs_reconnect")
    other = quickbooks.store.companies()[1][0]
    start = f"/auth/quickbooks?connection={row.id}"
    _, page = come_back(admin, consent(admin, quickbooks, realm=other, start=start))
    assert "You chose another company at QuickBooks than Bedrock Foundation Repair" in page
    (after,) = all_connections()
    assert (after.state, after.refresh_token) == ("needs_reconnect", row.refresh_token)
    assert audited() == [("consent_failed", "different_company")]
    grants = quickbooks.store.connection().execute("SELECT revoked FROM grant_ WHERE realm=?", (other,)).fetchall()
    assert grants
    assert {revoked for (revoked,) in grants} == {1}


def test_another_company_gets_a_connection_of_its_own_when_the_admin_says_so(
    admin: FlaskClient, quickbooks: Served
) -> None:
    row = connect(quickbooks, state="needs_reconnect")
    link(row)
    other = quickbooks.store.companies()[1][0]
    page = admin.get(f"/integrations/{row.id}/other-company").text
    start = re.search(r'href="(/auth/quickbooks\?connection=\d+&amp;other=[^"]+)"', page)
    assert start
    come_back(admin, consent(admin, quickbooks, realm=other, start=start[1].replace("&amp;", "&")))
    old, new = all_connections()
    assert (old.id, old.state) == (row.id, "disconnected")
    assert (new.company_name, new.state) == ("Heartland Basement Systems", "connected")
    assert db.session.scalars(select(Link.connection_id)).all() == [row.id]


def test_the_word_that_it_is_another_company_counts_in_its_own_session_only(
    app: Flask, admin: FlaskClient, quickbooks: Served
) -> None:
    row = connect(quickbooks, state="needs_reconnect")
    page = admin.get(f"/integrations/{row.id}/other-company").text
    mark = re.search(r"other=([^\"]+)\"", page)
    assert mark
    with admin.session_transaction() as session:
        session["consent_key"] = "another browser"
    answer = admin.get(f"/auth/quickbooks?connection={row.id}&other={mark[1]}")
    assert answer.location == "/integrations"
    assert admin.get(f"/auth/quickbooks?connection={row.id}&other=made-up").location == "/integrations"
    assert db.session.scalars(select(OAuthState)).all() == []


def test_a_reconnect_that_comes_back_with_another_connected_company_renews_that_one_and_says_so(
    admin: FlaskClient, quickbooks: Served
) -> None:
    other = quickbooks.store.companies()[1][0]
    row, second = connect(quickbooks, state="needs_reconnect"), connect(quickbooks, other)
    start = f"/auth/quickbooks?connection={row.id}"
    _, page = come_back(admin, consent(admin, quickbooks, realm=other, start=start))
    assert "has its own connection here" in page
    assert reread(row.id).state == "needs_reconnect"
    assert reread(second.id).refresh_token != second.refresh_token


def test_a_second_company_is_refused_while_one_is_connected(admin: FlaskClient, quickbooks: Served) -> None:
    row = connect(quickbooks)
    other = quickbooks.store.companies()[1][0]
    _, page = come_back(admin, consent(admin, quickbooks, realm=other))
    assert "one company at a time" in page and "It is a different company" in page
    (after,) = all_connections()
    assert (after.id, after.state, after.refresh_token) == (row.id, "connected", row.refresh_token)
    assert audited() == [("consent_failed", "one_company")]
    grants = quickbooks.store.connection().execute("SELECT revoked FROM grant_ WHERE realm=?", (other,)).fetchall()
    assert {revoked for (revoked,) in grants} == {1}
    assert "Connect a company" not in admin.get("/integrations").text


def test_a_company_that_was_disconnected_waits_for_the_one_in_use_too(admin: FlaskClient, quickbooks: Served) -> None:
    other = quickbooks.store.companies()[1][0]
    old = connect(quickbooks, state="disconnected", disconnected_at=clock.now(), refresh_token=None)
    connect(quickbooks, other)
    _, page = come_back(admin, consent(admin, quickbooks, start=f"/auth/quickbooks?connection={old.id}"))
    assert "one company at a time" in page
    assert reread(old.id).state == "disconnected"


def test_after_a_disconnect_the_next_company_is_taken(admin: FlaskClient, quickbooks: Served) -> None:
    connect(quickbooks, state="disconnected", disconnected_at=clock.now(), refresh_token=None)
    assert "Connect a company" in admin.get("/integrations").text
    come_back(admin, consent(admin, quickbooks, realm=quickbooks.store.companies()[1][0]))
    assert [one.state for one in all_connections()] == ["disconnected", "connected"]


# --- the pages ------------------------------------------------------------------------------------------------


def test_before_the_keys_are_set_the_page_tells_the_three_settings(
    app: Flask, admin: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(app.extensions["settings"], quickbooks_client_id="", quickbooks_client_secret="")
    monkeypatch.setitem(app.extensions, "settings", settings)
    page = admin.get("/integrations").text
    assert "QuickBooks keys not set" in page
    for name in ("QUICKBOOKS_CLIENT_ID", "QUICKBOOKS_CLIENT_SECRET", "QUICKBOOKS_SANDBOX"):
        assert name in page
    assert settings.quickbooks_redirect_uri in page
    assert "Connect to QuickBooks" not in page
    assert "keys are not set" in admin.get("/auth/quickbooks", follow_redirects=True).text


def test_without_a_connection_the_page_leads_to_one(admin: FlaskClient) -> None:
    page = admin.get("/integrations").text
    assert "No company connected yet" in page
    assert 'href="/auth/quickbooks"' in page


@pytest.mark.parametrize(
    "state", ["needs_reconnect", "subscription_lapsed", "permission_lost", "wrong_keys", "disconnected", "connected"]
)
@pytest.mark.parametrize("read_only", [True, False])
def test_every_state_has_its_own_words_and_a_button(
    admin: FlaskClient, quickbooks: Served, state: str, read_only: bool
) -> None:
    gone = clock.now() if state == "disconnected" else None
    row = connect(quickbooks, state=state, read_only=read_only, disconnected_at=gone)
    words = WORDS["connected_read_only" if state == "connected" and read_only else state]
    page = admin.get(f"/integrations/{row.id}").text
    assert words.title in page
    assert words.sentence.split(".")[0].replace("'", "&#39;") in page
    if words.action in ("test", "reconnect"):
        assert words.button in page
    assert words.title in admin.get("/integrations").text


def test_words_differ_from_state_to_state() -> None:
    assert len({words.title for words in WORDS.values()}) == len(WORDS)
    assert len({words.sentence for words in WORDS.values()}) == len(WORDS)


def test_the_page_counts_this_months_calls_against_the_budget(admin: FlaskClient, quickbooks: Served) -> None:
    row = connect(quickbooks)
    today = clock.now().date()
    with transaction() as session:
        for day, calls in ((today, 1234), (today.replace(day=1) - timedelta(days=1), 777)):
            session.add(CallCount(connection_id=row.id, day=day, category="metered", calls=calls))
    page = admin.get(f"/integrations/{row.id}").text
    assert "1,234 of 500,000" in page
    assert "777" not in page


def test_a_check_is_asked_for_here_and_answered_by_a_worker(admin: FlaskClient, quickbooks: Served) -> None:
    from crm.services import connections

    row = connect(quickbooks)
    page = admin.post(f"/integrations/{row.id}/check", follow_redirects=True).text
    assert "Asking QuickBooks" in page
    assert 'hx-trigger="every 2s"' in page
    assert quickbooks.sandbox.counters.snapshot() == {}
    connections.check(row.id, clock=clock.now)
    piece = admin.get(f"/integrations/{row.id}", headers={"HX-Request": "true"}).text
    assert "it answered" in piece
    assert "hx-trigger" not in piece
    assert "<html" not in piece


def test_disconnecting_is_asked_first_and_says_what_stays_and_what_stops(
    admin: FlaskClient, quickbooks: Served
) -> None:
    row = connect(quickbooks)
    link(row)
    page = admin.get(f"/integrations/{row.id}/disconnect").text
    assert "What stops" in page
    assert "What stays" in page
    assert "1 link between" in page
    page = admin.post(f"/integrations/{row.id}/disconnect", follow_redirects=True).text
    assert "Disconnected" in page
    assert "Reconnect to QuickBooks" in page
    assert audited() == [("disconnected", "")]
    assert db.session.scalars(select(Link.connection_id)).all() == [row.id]


def test_pages_are_drawn_without_a_remote_call(admin: FlaskClient, quickbooks: Served) -> None:
    row = connect(quickbooks, access_expires_at=clock.now())
    for path in ("", f"/{row.id}", f"/{row.id}/disconnect", f"/{row.id}/other-company"):
        assert admin.get(f"/integrations{path}").status_code == 200
    assert quickbooks.sandbox.counters.snapshot() == {}
    assert reread(row.id).grant_version == 0


def test_a_connection_that_does_not_exist_is_not_found(admin: FlaskClient) -> None:
    assert admin.get("/integrations/999").status_code == 404
    assert admin.post("/integrations/999/check").status_code == 404
    assert admin.get("/auth/quickbooks?connection=999").location == "/integrations"
