"""The first page: what the figures of all contacts leave out is said beside them."""

from __future__ import annotations

import re
from decimal import Decimal

from flask.testing import FlaskClient

from crm import clock
from crm.db import transaction
from crm.models import Connection, Customer, Notice, SyncRun
from crm.queries import menu
from crm.services.audit import Actor
from crm.services.sync import settings
from tests.engine_rows import add, company, contact, entry, sweep
from tests.flows.imports import opened, run_import
from tests.services.test_duplicates import LINE, made
from tests.services.test_sync_matching import Books, connection, customer, have  # noqa: F401


def test_money_of_customers_without_a_contact_is_named_beside_the_open_balance(
    client: FlaskClient, sign_in, connection  # noqa: F811
) -> None:
    have({"name": "Dana Fox", "phones": ("555 010 4401",)})
    one, two = (customer(n, "Dana Fox", phone="555-010-4401") for n in (1, 2))
    run_import(connection.id, open_books=opened(Books([one])))
    run_import(connection.id, open_books=opened(Books([one, two])))
    with transaction() as session:
        for row in session.query(Customer):
            row.balance_with_jobs = Decimal("12.50")
    sign_in("bookkeeper")
    page = client.get("/").text
    assert "and $12.50 of customers without a contact yet" in page and "as of" in page


def test_what_waits_to_be_decided_is_the_whole_queue_as_the_menu_counts_it(
    client: FlaskClient, sign_in, connection  # noqa: F811
) -> None:
    sign_in("rep")
    have({"name": "Dana Fox", "phones": ("555 010 4401",)})
    one, two = (customer(n, "Dana Fox", phone="555-010-4401") for n in (1, 2))
    run_import(connection.id, open_books=opened(Books([one])))
    run_import(connection.id, open_books=opened(Books([one, two])))
    made("Anna Berg", LINE), made("A. Berg", LINE)
    tile = re.search(r'Matches to decide</span><span class="stat-value">([^<]+)<', client.get("/").text)
    assert menu.matches_waiting() > 1 and tile[1] == str(menu.matches_waiting())


def test_the_first_steps_end_with_an_approved_plan_and_do_not_fall_back_while_a_later_import_runs(
    client: FlaskClient, sign_in, connection  # noqa: F811
) -> None:
    sign_in("admin")
    run = run_import(connection.id, open_books=opened(Books([customer(1, "Dana Fox")])))
    page = client.get("/").text
    assert "Open the plans" in page and 'href="/sync/plans"' in page and "Go to the connection" not in page
    with transaction() as session:
        session.add(SyncRun(connection_id=connection.id, trigger="person", requested_by="a", resources=run.resources,
                            state="running", step="customer", created_at=run.created_at))  # fmt: skip
    assert "Open the plans" in client.get("/").text
    with transaction() as session:
        session.get_one(Connection, connection.id).read_only = False
    assert "Getting started" not in client.get("/").text


def test_who_sends_nothing_to_the_books_is_not_asked_for_a_plan(
    client: FlaskClient, sign_in, connection  # noqa: F811
) -> None:
    sign_in("admin")
    run_import(connection.id, open_books=opened(Books([customer(1, "Dana Fox")])))
    with transaction() as session:
        settings.change(session, connection.id, "customer", direction="in", version=0, policies=None,
                        actor=Actor("sasha@example.com"), now=clock.now())  # fmt: skip
    assert "Getting started" not in client.get("/").text


def test_an_admin_reads_in_one_line_whether_the_company_is_in_step(client: FlaskClient, sign_in) -> None:
    books = company()
    sweep(books)
    sign_in("admin")
    page = client.get("/").text
    assert ">In step</span>" in page and 'href="/sync"' in page
    entry(books, contact(), "parked")
    assert ">Something waits for you</span>" in client.get("/").text
    sign_in("rep")
    assert "Something waits for you" not in client.get("/").text


def test_each_notice_leads_to_where_it_is_mended(client: FlaskClient, sign_in) -> None:
    books = company()
    for topic in ("parked", "webhooks_silent", "budget_short", "needs_reconnect", "proof_different"):
        add(Notice(connection_id=books, topic=topic, level="warning", text=f"About {topic}.", created_at=clock.now()))
    sign_in("admin")
    page = client.get("/").text
    for path in ("/sync/outbox?tab=parked", "/sync/deliveries", "/sync/settings", "/integrations", "/sync/proofs"):
        assert f'href="{path}"' in page, path


def test_the_first_steps_count_pairs_of_contacts_as_well(client: FlaskClient, sign_in, connection) -> None:  # noqa: F811
    have({"name": "Ina Vogt", "phones": ("555 010 9911",)})
    run_import(connection.id, open_books=opened(Books([])))
    sign_in("admin")
    before = client.get("/").text
    made("Anna Berg", LINE), made("A. Berg", LINE)
    after = client.get("/").text

    def decided(page: str) -> bool:
        return re.search(r'class="step[^"]*done[^"]*"[^>]*>(?:(?!<li).)*?Decide', page, re.S) is not None

    assert decided(before) and not decided(after)
