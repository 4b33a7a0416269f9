"""Sales settings in the browser: six questions with reasons, what was typed is kept, the header and its logo."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask.testing import FlaskClient

from crm.db import db
from crm.domain.sales_settings import QUESTIONS
from crm.models import SalesSettings, User
from tests.services.test_sales_settings import books, now_for, png


@pytest.fixture
def admin(sign_in: Any) -> User:
    return sign_in("admin")


def test_without_a_company_the_page_says_what_to_do(client: FlaskClient, admin: User) -> None:
    assert "No company connected yet" in client.get("/sales-settings").text


def test_every_question_is_asked_once_with_the_reason_of_its_default(client: FlaskClient, admin: User) -> None:
    connection_id = books(default_terms_id="4", allows_discount=True, own_document_numbers=True)
    page = client.get("/sales-settings").text
    found = now_for(connection_id)
    for number, question in enumerate(QUESTIONS.values(), 1):
        assert f"{number}. {question.title}" in page
    for name in ("income_service", "terms", "numbers", "discounts", "deposits", "deposit_account", "quote_days"):
        assert found.defaults[name].reason in page.replace("&#39;", "'"), name
    assert "Your own tax rates" in page


def test_answers_are_saved_and_stand_in_the_history(client: FlaskClient, admin: User) -> None:
    connection_id = books()
    answer = client.post(f"/sales-settings/{connection_id}", data={"version": "0", "quote_days": "14", "terms": "4"})
    assert answer.status_code == 303 and now_for(connection_id).terms == "4"
    page = client.get("/sales-settings").text
    assert "Days a quote is valid: as found → 14" in page and "Chosen by a person" in page


def test_a_wrong_answer_keeps_what_was_typed(client: FlaskClient, admin: User) -> None:
    connection_id = books()
    typed = {"version": "0", "quote_days": "many", "income_service": "3"}
    answer = client.post(f"/sales-settings/{connection_id}", data=typed)
    assert answer.status_code == 422 and 'value="many"' in answer.text and 'value="3" selected' in answer.text
    assert now_for(connection_id).version == 0


def test_two_admins_at_once_are_told_and_nothing_is_overwritten(client: FlaskClient, admin: User) -> None:
    connection_id = books()
    client.post(f"/sales-settings/{connection_id}", data={"version": "0", "quote_days": "14"})
    answer = client.post(f"/sales-settings/{connection_id}", data={"version": "0", "quote_days": "60"})
    assert answer.status_code == 409 and "Changed meanwhile" in answer.text and 'value="60"' in answer.text
    assert "Days a quote is valid: now stands 14" in answer.text and now_for(connection_id).quote_days == 14
    assert client.post(f"/sales-settings/{connection_id}", data={"quote_days": "60"}).status_code == 409


def test_header_and_logo_are_kept_and_the_logo_is_shown(client: FlaskClient, admin: User) -> None:
    connection_id = books()
    header = {"version": "0", "name": "Bedrock Repair", "address": "2100 Quarry Street\nKansas City"}
    assert client.post(f"/sales-settings/{connection_id}/header", data=header).status_code == 303
    data = {"version": "1", "logo": (io.BytesIO(png()), "logo.exe")}
    assert client.post(f"/sales-settings/{connection_id}/logo", data=data).status_code == 303
    now = now_for(connection_id)
    assert now.header.name == "Bedrock Repair" and now.header.logo.endswith(".png")
    shown = client.get(f"/sales-settings/{connection_id}/logo/{now.header.logo}")
    assert shown.data == png() and shown.mimetype == "image/png"
    assert client.get(f"/sales-settings/{connection_id}/logo/other.png").status_code == 404
    assert client.post(f"/sales-settings/{connection_id}/logo", data={"version": "2", "remove": "1"}).status_code == 303
    assert now_for(connection_id).header.logo == ""


@pytest.mark.parametrize("data", [b"", b"<svg xmlns='x'><script/></svg>", b"GIF89a"])
def test_what_is_no_png_or_jpeg_is_refused(client: FlaskClient, admin: User, data: bytes) -> None:
    connection_id = books()
    sent = {"version": "0", "logo": (io.BytesIO(data), "logo.png")}
    answer = client.post(f"/sales-settings/{connection_id}/logo", data=sent)
    assert answer.status_code == 422 and "PNG" in answer.text and db.session.query(SalesSettings).count() == 0


@pytest.mark.parametrize("who", ["rep", "bookkeeper"])
def test_only_an_admin_reads_and_changes_them(client: FlaskClient, sign_in: Any, who: str) -> None:
    connection_id = books()
    sign_in(who)
    assert client.get("/sales-settings").status_code == 403
    assert client.post(f"/sales-settings/{connection_id}", data={"version": "0"}).status_code == 403


def test_a_company_that_is_not_there_is_said_so(client: FlaskClient, admin: User) -> None:
    books()
    assert client.get("/sales-settings?connection=4711").status_code == 404
    assert client.post("/sales-settings/4711", data={"version": "0"}).status_code == 404
