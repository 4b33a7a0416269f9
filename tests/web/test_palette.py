"""The command palette: objects of every kind by number and name, pages, and what can be begun, by what one may see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from crm.db import db, transaction
from crm.models import Bill, Payment, Product, Vendor
from crm.services import sales_documents
from tests.services.test_invoices import NOW, company, content, draft
from tests.services.test_quotes import made

SignIn = Callable[..., Any]


@pytest.fixture
def shop(app: Any) -> dict[str, str]:
    """Kind -> the address of the one of it, each of which has a word of its own."""
    connection = company()
    quote, invoice = made(title="Quartz wall"), draft(title="Onyx floor")
    who = content().contact_id
    with transaction() as session:
        row = sales_documents.find(invoice.id)
        row.number = "INV-77"
        row.search_text = sales_documents.search_text(row)
        paid = Payment(connection_id=connection.id, remote_id="9", customer_remote_id="5", contact_id=who,
                       date=date(2026, 2, 3), total=Decimal("12.50"), unapplied=Decimal(0), reference="check 4711",
                       record={}, seen_at=NOW)  # fmt: skip
        vendor = Vendor(connection_id=connection.id, display_name="Granite Supply", sort_name="granite supply",
                        search_text=" granite supply", created_at=NOW, updated_at=NOW)  # fmt: skip
        product = Product(name="Basalt anchor", sort_name="basalt anchor", type="service",
                          search_text=" basalt anchor", created_at=NOW, updated_at=NOW)  # fmt: skip
        session.add_all([paid, vendor, product])
        session.flush()
        bill = Bill(connection_id=connection.id, vendor_id=vendor.id, number="B-815", total=Decimal(9),
                    search_text=" b-815", date=date(2026, 2, 3), created_at=NOW, updated_at=NOW)  # fmt: skip
        session.add(bill)
        session.flush()
        return {"quartz": f"/quotes/{quote.id}", "inv-77": f"/invoices/{invoice.id}", "4711": f"/payments/{paid.id}",
                "granite": f"/vendors/{vendor.id}", "b-815": f"/bills/{bill.id}",
                "basalt": f"/products/{product.id}"}  # fmt: skip


@pytest.mark.parametrize("word", ["quartz", "inv-77", "4711", "granite", "b-815", "basalt"])
def test_each_kind_is_found_by_its_number_or_name(
    client: FlaskClient, sign_in: SignIn, shop: dict[str, str], word: str
) -> None:
    sign_in("bookkeeper")
    page = client.get(f"/palette?q={word}", headers={"HX-Request": "true"}).text
    assert f'href="{shop[word]}"' in page
    others = {address for other, address in shop.items() if other != word and other != "b-815"}
    assert not [address for address in others if f'href="{address}"' in page]


def test_each_kind_costs_a_few_statements_and_counts_nothing(
    client: FlaskClient, sign_in: SignIn, shop: dict[str, str]
) -> None:
    sign_in("admin")
    said: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    client.get("/palette?q=quartz", headers={"HX-Request": "true"})
    assert 6 <= len(said) <= 40, said
    lists = [one for one in said if "FROM sales_documents" in one and "LIMIT" in one]
    assert lists, said


@pytest.mark.parametrize(
    ("words", "address"),
    [("new quote", "/quotes/new"), ("new invoice", "/invoices/new"), ("record payment", "/payments/new"),
     ("new vendor", "/vendors/new"), ("new bill", "/bills/new"), ("bills", "/bills"), ("vendors", "/vendors"),
     ("overdue", "/invoices/overdue")],
)  # fmt: skip
def test_pages_and_beginnings_are_reached(client: FlaskClient, sign_in: SignIn, words: str, address: str) -> None:
    sign_in("admin")
    assert f'href="{address}"' in client.get("/palette", query_string={"q": words}).text


def test_nobody_is_led_to_what_they_may_not_do(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    assert "/bills/new" not in client.get("/palette?q=new").text
    sign_in("bookkeeper")
    assert "/quotes/new" not in client.get("/palette?q=new").text
