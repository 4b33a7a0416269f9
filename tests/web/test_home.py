"""The first page: what the figures of all contacts leave out is said beside them."""

from __future__ import annotations

from decimal import Decimal

from flask.testing import FlaskClient

from crm.db import transaction
from crm.models import Customer, SyncRun
from tests.flows.imports import opened, run_import
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


def test_the_first_steps_do_not_come_back_while_a_later_import_runs(
    client: FlaskClient, sign_in, connection  # noqa: F811
) -> None:
    sign_in("admin")
    run = run_import(connection.id, open_books=opened(Books([customer(1, "Dana Fox")])))
    assert "Getting started" not in client.get("/").text
    with transaction() as session:
        session.add(SyncRun(connection_id=connection.id, trigger="person", requested_by="a", resources=run.resources,
                            state="running", step="customer", created_at=run.created_at))  # fmt: skip
    assert "Getting started" not in client.get("/").text
