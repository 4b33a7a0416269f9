"""Signing in: throttled, the same answer for everybody, remembered until revoked, open to no redirect."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from crm.db import db
from crm.models import AuditEntry, User
from crm.services import accounts
from tests.factories import PASSWORD


def enter(client: FlaskClient, email: str, password: str = PASSWORD, **more: str) -> object:
    return client.post("/sign-in", data={"email": email, "password": password, **more})


def test_the_right_password_leads_to_where_one_was_going(client: FlaskClient, make_user: Callable[..., User]) -> None:
    user = make_user("rep")
    answer = enter(client, user.email.upper(), next="/account")
    assert (answer.status_code, answer.location) == (303, "/account")
    assert client.get("/account").status_code == 200
    assert db.session.scalar(select(AuditEntry.action)) == "signed_in"


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_sign_in_never_leads_to_another_site(client: FlaskClient, make_user: Callable[..., User], target: str) -> None:
    assert enter(client, make_user("rep").email, next=target).location == "/"


def test_unknown_name_and_wrong_password_read_the_same(client: FlaskClient, make_user: Callable[..., User]) -> None:
    wrong = enter(client, make_user("rep").email, "wrong password")
    unknown = enter(client, "nobody@example.com", "wrong password")
    assert wrong.status_code == unknown.status_code == 422
    assert accounts.WRONG in wrong.text and accounts.WRONG in unknown.text


def test_what_was_typed_stays_but_the_password_does_not(client: FlaskClient) -> None:
    answer = enter(client, "typed@example.com", "typed-password-here")
    assert "typed@example.com" in answer.text and "typed-password-here" not in answer.text


def test_too_many_failures_close_the_account_for_a_while(client: FlaskClient, make_user: Callable[..., User]) -> None:
    user = make_user("rep")
    for _ in range(accounts.TRIES_PER_ACCOUNT):
        assert enter(client, user.email, "wrong password").status_code == 422
    answer = enter(client, user.email)
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0
    assert "Wait" in answer.text
    assert enter(client, make_user("rep").email).status_code == 303, "others are not locked out by it"


def test_a_disabled_account_cannot_enter_and_its_session_ends(
    client: FlaskClient, sign_in: Callable[..., User], make_user: Callable[..., User]
) -> None:
    from crm import clock
    from crm.db import transaction
    from crm.services.audit import SYSTEM

    user = sign_in("rep")
    assert client.get("/account").status_code == 200
    with transaction():
        accounts.disable(user.id, actor=SYSTEM, now=clock.now())
    assert client.get("/account").status_code == 302
    assert enter(client, user.email).status_code == 422


def test_a_remembered_device_is_forgotten_when_sessions_are_ended(app: Flask, make_user: Callable[..., User]) -> None:
    user = make_user("rep")
    device, other = app.test_client(), app.test_client()
    enter(device, user.email, remember="1")
    cookie = device.get_cookie("tradebook_remember")
    assert cookie is not None
    device.delete_cookie("tradebook")
    assert device.get("/account").status_code == 200, "the remembered device comes back without a session"
    enter(other, user.email)
    other.post("/account/sign-out-everywhere")
    device.delete_cookie("tradebook")
    assert device.get("/account").status_code == 302


def test_a_session_from_before_signing_in_is_thrown_away(client: FlaskClient, make_user: Callable[..., User]) -> None:
    with client.session_transaction() as session:
        session["planted"] = "by an attacker"
    enter(client, make_user("rep").email)
    with client.session_transaction() as session:
        assert "planted" not in session


def test_forms_without_the_token_are_refused(app: Flask, make_user: Callable[..., User]) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    try:
        answer = enter(app.test_client(), make_user("rep").email)
    finally:
        app.config["WTF_CSRF_ENABLED"] = False
    assert answer.status_code == 400 and "form has expired" in answer.text


def test_a_temporary_password_must_be_changed_before_anything_else(
    client: FlaskClient, make_user: Callable[..., User]
) -> None:
    user = make_user("rep", must_change_password=True)
    assert enter(client, user.email).location == "/account"
    assert client.get("/").location == "/account"
    new = "a fresh and long enough one"
    answer = client.post("/account/password", data={"current": PASSWORD, "new": new, "again": new})
    assert answer.status_code == 303
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"current": "not it at all", "new": "long enough words", "again": "long enough words"}, "not your current"),
        ({"current": PASSWORD, "new": "short", "again": "short"}, "at least 12 characters"),
        ({"current": PASSWORD, "new": "long enough password", "again": "another long one"}, "differ"),
        ({"current": PASSWORD, "new": PASSWORD, "again": PASSWORD}, "differs from the current"),
    ],
)
def test_a_bad_new_password_is_explained(
    client: FlaskClient, sign_in: Callable[..., User], form: dict[str, str], sentence: str
) -> None:
    sign_in("rep")
    answer = client.post("/account/password", data=form)
    assert answer.status_code == 422 and sentence in answer.text


def test_a_nul_is_refused_in_words(client: FlaskClient, sign_in: Callable[..., User]) -> None:
    sign_in("rep")
    for answer in (client.get("/contacts?q=a%00b"), client.post("/contacts/new", data={"display_name": "a\x00b"})):
        assert answer.status_code == 422 and "cannot be stored" in answer.text


def test_a_form_sent_by_the_script_after_the_session_ended_stays_where_it_is_and_a_reading_leads_to_the_sign_in(
    client: FlaskClient,
) -> None:
    by_script = {"HX-Request": "true"}
    sent = client.post("/quotes", data={"title": "Half a day of work"}, headers=by_script)
    assert (sent.status_code, sent.headers.get("X-Form")) == (401, "expired")
    assert "HX-Redirect" not in sent.headers, "going there would lose what was typed"
    assert client.get("/quotes", headers=by_script).headers["HX-Redirect"] == "/sign-in"
