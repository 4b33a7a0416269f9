"""Pages of the admin: people, API keys, audit trail; and that nobody else reaches them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from crm.db import db
from crm.models import ApiKey, AuditEntry, User
from crm.services import api_keys
from tests.factories import PASSWORD

ADMIN_PAGES = ["/people/", "/api-keys/", "/audit/", "/audit/export.csv"]


@pytest.mark.parametrize("path", ADMIN_PAGES)
@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("rep", 403), ("bookkeeper", 403)])
def test_only_admins_reach_admin_pages(
    client: FlaskClient, sign_in: Callable[..., User], path: str, role: str, status: int
) -> None:
    sign_in(role)
    assert client.get(path).status_code == status


@pytest.mark.parametrize("path", ["/", "/palette", *ADMIN_PAGES])
def test_strangers_are_sent_to_sign_in(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302 and answer.location.startswith("/sign-in?next=")


@pytest.mark.parametrize("role", ["admin", "rep", "bookkeeper"])
def test_the_first_page_and_the_palette_open_for_every_role(
    client: FlaskClient, sign_in: Callable[..., User], role: str
) -> None:
    sign_in(role)
    assert client.get("/").status_code == 200
    assert client.get("/palette?q=acc").status_code == 200
    fragment = client.get("/palette?q=zzzz", headers={"HX-Request": "true"}).text
    assert "<html" not in fragment and "zzzz" in fragment


def test_an_admin_adds_a_person_who_then_signs_in(client: FlaskClient, sign_in: Callable[..., User]) -> None:
    sign_in("admin")
    form = {"email": "New@Example.com", "role": "bookkeeper", "password": PASSWORD, "name": "New Person"}
    assert client.post("/people/", data=form).status_code == 303
    user = db.session.scalars(select(User).where(User.email == "new@example.com")).one()
    assert user.must_change_password and user.role == "bookkeeper"
    again = client.post("/people/", data=form)
    assert again.status_code == 422 and "already an account" in again.text and "New Person" in again.text


def test_a_reset_password_is_shown_once_and_works(client: FlaskClient, sign_in: Callable[..., User], make_user) -> None:
    from crm import passwords

    sign_in("admin")
    user = make_user("rep")
    text = client.post(f"/people/{user.id}/password").text
    db.session.refresh(user)
    import re

    shown = re.search(r"\b([0-9a-f]{4}(?:-[0-9a-f]{4}){3})\b", text)
    assert shown and passwords.is_right(shown.group(1), user.password_hash)
    assert shown.group(1) not in client.get("/people/").text


def test_the_last_admin_stays_admin(client: FlaskClient, sign_in: Callable[..., User], make_user) -> None:
    admin = sign_in("admin")
    answer = client.post(f"/people/{admin.id}/role", data={"role": "rep"})
    assert answer.status_code == 400 and "only admin" in answer.text
    other = make_user("admin")
    assert client.post(f"/people/{other.id}/role", data={"role": "rep"}).status_code == 303
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "role_changed")).one()
    assert entry.details == {"from": "admin", "to": "rep"}


def test_an_api_key_is_shown_once_and_kept_as_a_digest(client: FlaskClient, sign_in: Callable[..., User]) -> None:
    import re

    sign_in("admin")
    text = client.post("/api-keys/", data={"name": "reporting", "scope": "read"}).text
    key = re.search(r"tb_[\w-]{40,}", text).group(0)
    row = db.session.scalars(select(ApiKey)).one()
    assert key not in (row.key_hash, row.prefix) and key.startswith(row.prefix)
    assert api_keys.find(key).id == row.id
    listing = client.get("/api-keys/").text
    assert row.prefix in listing and key not in listing
    client.post(f"/api-keys/{row.id}/revoke")
    db.session.rollback()
    assert api_keys.find(key) is None


def test_sending_the_form_again_makes_no_second_key(client: FlaskClient, sign_in: Callable[..., User]) -> None:
    import re

    sign_in("admin")
    once = re.search(r'name="once" value="([^"]+)"', client.get("/api-keys/").text).group(1)
    form = {"name": "reporting", "scope": "read", "once": once}
    assert "tb_" in client.post("/api-keys/", data=form).text
    again = client.post("/api-keys/", data=form)
    assert again.status_code == 303
    assert len(db.session.scalars(select(ApiKey)).all()) == 1


def test_the_audit_trail_is_searched_and_exported(client: FlaskClient, sign_in: Callable[..., User], make_user) -> None:
    sign_in("admin")
    client.post("/api-keys/", data={"name": "=cmd()", "scope": "read"})
    client.post(f"/people/{make_user('rep').id}/disable")
    assert "User disabled" in client.get("/audit/").text
    only = client.get("/audit/?action=api_key_created").text
    assert "=cmd()" in only and "User disabled</td>" not in only
    exported = client.get("/audit/export.csv").text
    assert exported.startswith("\ufeff") and exported.count("\n") == 3


@pytest.mark.parametrize("path", ["/people/", "/api-keys/", "/audit/"])
def test_lists_are_filtered_sorted_paged_and_exported(
    client: FlaskClient, sign_in: Callable[..., User], make_user, path: str
) -> None:
    sign_in("admin")
    for number in range(60):
        client.post("/api-keys/", data={"name": f"program {number:02d}", "scope": "read"})
    from crm.db import transaction
    from tests.factories import UserFactory

    with transaction():
        UserFactory.create_batch(60)
    first, second = client.get(f"{path}?sort=name").text, client.get(f"{path}?sort=name&page=2").text
    assert first.count("<tr") == 51 and 1 < second.count("<tr") < 51
    nothing = client.get(f"{path}?q=nobody-at-all").text
    assert "Clear filters" in nothing
    assert client.get(f"{path}export.csv?q=nobody-at-all").text.count("\n") == 1
    assert client.get(f"{path}export.csv").text.count("\n") > 60
    for odd in ("?page=0", "?page=x", "?page=99999999999", "?sort=--name", "?sort=password_hash"):
        assert client.get(path + odd).status_code == 200


def test_people_are_found_by_role_and_state(client: FlaskClient, sign_in: Callable[..., User], make_user) -> None:
    sign_in("admin")
    bookkeeper, rep = make_user("bookkeeper"), make_user("rep")
    client.post(f"/people/{rep.id}/disable")
    assert bookkeeper.email in client.get("/people/?role=bookkeeper").text
    assert rep.email not in client.get("/people/?role=bookkeeper").text
    assert rep.email in client.get("/people/?state=disabled").text
    assert rep.email not in client.get("/people/?state=active").text
    backwards = client.get("/people/?sort=-name").text
    assert backwards.index(rep.email) < backwards.index(bookkeeper.email)
