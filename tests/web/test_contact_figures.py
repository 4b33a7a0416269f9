"""What a contact's page says of its money: each figure with its source and date, and none where nothing was read."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

from flask.testing import FlaskClient

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, Contact, MoneyFacts
from tests.web.test_contacts import contact, with_books


def text_of(client: FlaskClient, found: Contact, path: str = "") -> str:
    answer = client.get(f"/contacts/{found.id}{path}")
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def with_facts(**values: Any) -> Contact:
    found = contact()
    connection = with_books(found)
    with transaction() as session:
        session.get_one(Connection, connection.id).read_at = values.pop("read_at", {})
        facts = session.get_one(MoneyFacts, found.id)
        for name, value in values.items():
            setattr(facts, name, value)
    db.session.remove()
    return found


def test_without_a_read_of_documents_the_page_shows_no_figures_of_them(client: FlaskClient, sign_in: Any) -> None:
    sign_in("rep")
    found = with_facts(documents_as_of=None)
    page = text_of(client, found)
    assert "as of never" not in page and page.count("not read yet") == 4
    assert "Overdue –" in page and "Total sales –" in page and "Open balance $" in page
    assert "Open balance by age" not in page
    tab = text_of(client, found, "/documents/payment")
    assert "Payments were not read from QuickBooks yet" in tab


def strip_of(client: FlaskClient, found: Contact) -> str:
    return text_of(client, found).split("Open balance", 1)[1].split("Open balance by age")[0].split("Invoices and")[0]


def test_figures_of_one_moment_say_it_once_and_of_two_moments_each(client: FlaskClient, sign_in: Any) -> None:
    sign_in("rep")
    moment = clock.now() - timedelta(minutes=3)
    found = with_facts(balance_as_of=moment, documents_as_of=moment - timedelta(seconds=2))
    assert strip_of(client, found).count("QuickBooks, as of 3 min ago") == 1
    with transaction() as session:
        session.get_one(MoneyFacts, found.id).documents_as_of = moment - timedelta(hours=2)
    strip = strip_of(client, found)
    assert (strip.count("QuickBooks, as of 3 min ago"), strip.count("QuickBooks, as of 2 h ago")) == (1, 4)


def test_a_tab_is_as_of_the_last_complete_read_of_its_kind(client: FlaskClient, sign_in: Any) -> None:
    sign_in("rep")
    found = with_facts(read_at={"credit_memo": "2026-01-05T10:00:00+00:00"})
    assert "No credit memos in QuickBooks as of" in text_of(client, found, "/documents/credit_memo")


def test_aging_shows_with_its_source_when_credits_outweigh_the_open_invoices(client: FlaskClient, sign_in: Any) -> None:
    sign_in("rep")
    found = with_facts(balance_with_jobs=Decimal(0), balance=Decimal(0), aging_1_30=Decimal("362.07"))
    page = text_of(client, found)
    assert "Open balance by age" in page
    assert "Invoices and payments: QuickBooks, as of" in page


def test_type_terms_and_tax_say_where_they_are_from_and_as_of_when(client: FlaskClient, sign_in: Any) -> None:
    sign_in("rep")
    page = text_of(client, with_facts())
    assert re.search(r"Terms Net 30 .* All of this: .+ in QuickBooks, as of", page)
