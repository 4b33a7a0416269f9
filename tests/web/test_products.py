"""Products in the browser: list, page, forms, two people at once, picking, who may do what, the API."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from crm import clock
from crm.db import db, transaction
from crm.domain import product_values
from crm.domain.product_values import Values
from crm.models import AuditEntry, Item, Link, ListEntry, PriceChange, Product, SalesDocument, SalesLine, User
from crm.services import products as service
from crm.services.audit import Actor
from tests.engine_rows import add, company, contact

PIER = Values(
    name="Helical pier", sku="HP-100", price=Decimal("1625"), cost=Decimal("900"), description="Installed, each"
)


def product(values: Values = PIER, **columns: Any) -> int:
    with transaction() as session:
        made = service.create(session, values, send=False, actor=Actor("seed"), now=clock.now())
        for name, value in columns.items():
            setattr(made, name, value)
    id_ = made.id
    db.session.remove()
    return id_


def stored(product_id: int) -> Product:
    db.session.remove()
    return db.session.get_one(Product, product_id)


def books() -> int:
    connection_id = company(preferences={"inventory": True})
    accounts = (("1", "Services", "Income", "ServiceFeeIncome"), ("2", "Sales of Product Income", "Income",
                "SalesOfProductIncome"), ("3", "Cost of Goods Sold", "Cost of Goods Sold", "SuppliesMaterialsCogs"),
                ("4", "Inventory Asset", "Other Current Asset", "Inventory"))  # fmt: skip
    for remote_id, name, type_, subtype in accounts:
        add(ListEntry(connection_id=connection_id, kind="account", remote_id=remote_id, name=name, seen_at=clock.now(),
                      details={"type": type_, "subtype": subtype}))  # fmt: skip
    return connection_id


def in_books(connection_id: int, product_id: int) -> None:
    now = clock.now()
    add(Link(connection_id=connection_id, kind="item", local_id=product_id, remote_id="77", linked_at=now,
             synced_at=now))  # fmt: skip
    add(Item(connection_id=connection_id, remote_id="77", version="3", name="Helical pier", type="service",
             product_id=product_id, seen_at=now))  # fmt: skip


def form_of(product_id: int, **typed: str) -> dict[str, str]:
    found = stored(product_id)
    return product_values.typed(found) | {"lock": str(found.lock)} | typed


@pytest.fixture
def rep(sign_in: Any) -> User:
    return sign_in("rep")


def test_an_empty_list_says_what_to_do_next(client: FlaskClient, rep: User) -> None:
    page = client.get("/products").text
    assert "No products yet" in page and "New product" in page


@pytest.mark.parametrize("typed", ["helical", "HP-100", "hp100", "pier inst", "1"])
def test_a_product_is_found_by_name_sku_or_description(client: FlaskClient, rep: User, typed: str) -> None:
    product(), product(Values(name="Sump pump"))
    page = client.get("/products", query_string={"q": typed}).text
    assert "Helical pier" in page and "Sump pump" not in page


def test_the_list_shows_margin_stock_and_key_figures(client: FlaskClient, rep: User) -> None:
    product()
    product(
        Values(name="Pump", type="non_inventory"),
        type="inventory",
        quantity_on_hand=Decimal(2),
        reorder_point=Decimal(5),
    )
    page = client.get("/products").text
    assert "44.6%" in page and "reorder at 5" in page
    low = client.get("/products?stock=low").text
    assert "Pump" in low and "Helical pier" not in low
    without = client.get("/products?cost=none").text
    assert "Pump" in without and "Helical pier" not in without


def test_filters_stand_in_the_address_and_htmx_gets_the_list_alone(client: FlaskClient, rep: User) -> None:
    product()
    answer = client.get("/products?q=pier&type=&category=&sort=-price", headers={"HX-Request": "true"})
    assert answer.headers["HX-Push-Url"] == "/products?q=pier&sort=-price"
    assert "<html" not in answer.text and 'id="list"' in answer.text


@pytest.mark.parametrize("query", ["type=x&active=y&stock=z&page=abc&sort=;drop", "page=999999999", "q=%00"])
def test_an_address_nobody_understands_is_no_error_page(client: FlaskClient, rep: User, query: str) -> None:
    product()
    assert client.get(f"/products?{query}").status_code in (200, 422)


def test_in_the_books_or_not_is_a_filter_and_a_badge(client: FlaskClient, rep: User) -> None:
    known = product()
    product(Values(name="Sump pump"))
    in_books(books(), known)
    there, not_there = client.get("/products?books=in").text, client.get("/products?books=out").text
    assert "Helical pier" in there and "Sump pump" not in there and "In step" in there
    assert "Sump pump" in not_there and "Helical pier" not in not_there and "Not in QuickBooks" in not_there


def test_the_export_holds_what_the_list_shows_and_is_audited(client: FlaskClient, rep: User) -> None:
    product(), product(Values(name="=cmd()", sku="X"))
    rows = list(csv.reader(io.StringIO(client.get("/products/export.csv?q=cmd").text.lstrip("\ufeff"))))
    assert rows[1][1] == "'=cmd()" and len(rows) == 2
    assert (
        db.session.query(AuditEntry).filter_by(action="products_exported").one().summary == "Products as CSV: 1 (“cmd”)"
    )


def test_a_page_shows_facts_prices_and_where_it_is_used(client: FlaskClient, rep: User) -> None:
    product_id, amy = product(), contact("Amy Fox")
    now = clock.now()
    for number, state, amount in (("1001", "sent", "3250"), ("1002", "void", "77")):
        document_id = add(SalesDocument(kind="invoice", number=number, state=state, date=date(2026, 11, 2),
                                        contact_id=amy, currency="USD", created_at=now, updated_at=now))  # fmt: skip
        add(SalesLine(document_id=document_id, product_id=product_id, quantity=Decimal(2), unit_price=Decimal("1625"),
                      amount=Decimal(amount)))  # fmt: skip
    page = client.get(f"/products/{product_id}").text
    assert "1 invoice" in page and "$3,250.00" in page and "Amy Fox" in page and "1002" not in page
    assert "$725.00" in page and "44.6% of the price" in page
    assert "Prices over time" in page and "seed" in page


def test_a_product_that_is_not_there_is_said_so(client: FlaskClient, rep: User) -> None:
    assert client.get("/products/4711").status_code == 404


def test_a_new_product_asks_for_the_accounts_with_the_found_default_and_why(client: FlaskClient, rep: User) -> None:
    connection_id = books()
    for number in range(3):
        add(Item(connection_id=connection_id, remote_id=f"s{number}", name=f"S{number}", type="service",
                 record={"income_account": {"remote_id": "2" if number else "1"}}, seen_at=clock.now()))  # fmt: skip
    page = client.get("/products/new").text
    assert "Sales of Product Income: used by 2 of your 3 services." in page
    assert "Inventory asset account" not in page
    swapped = client.get("/products/accounts?type=inventory", headers={"HX-Request": "true"}).text
    assert "Inventory asset account" in swapped and "<html" not in swapped and 'value="4" selected' in swapped


def test_a_product_is_made_by_a_form(client: FlaskClient, rep: User) -> None:
    books()
    typed = {"name": "Slab lifting", "type": "service", "price": "$1,234.50", "taxable": "1", "income_account": "1"}
    answer = client.post("/products", data=typed)
    assert answer.status_code == 303
    made = db.session.query(Product).one()
    assert (made.price, made.taxable, made.income_account, made.sort_name) == (
        Decimal("1234.50"),
        True,
        "1",
        "slab lifting",
    )
    assert db.session.query(PriceChange).one().changed_by == rep.name


def test_what_is_wrong_is_said_at_each_field_and_nothing_typed_is_lost(client: FlaskClient, rep: User) -> None:
    books()
    typed = {"name": "A:B", "type": "service", "sku": "keep-me", "price": "abc", "description": "Long <b>story</b>"}
    answer = client.post("/products", data=typed)
    page = answer.text
    assert answer.status_code == 422 and db.session.query(Product).count() == 0
    assert "colon" in page and "“abc” is no number" in page and "Choose the income account" in page
    assert 'value="keep-me"' in page and 'value="abc"' in page and "Long &lt;b&gt;story" in page


def test_stock_is_shown_and_a_form_that_names_it_changes_nothing(client: FlaskClient, rep: User) -> None:
    product_id = product(Values(name="Pump", type="inventory"), quantity_on_hand=Decimal(7))
    page = client.get(f"/products/{product_id}/edit").text
    assert "In stock" in page and 'name="quantity_on_hand"' not in page
    client.post(f"/products/{product_id}", data=form_of(product_id, quantity_on_hand="99", price="5"))
    found = stored(product_id)
    assert (found.quantity_on_hand, found.price) == (Decimal(7), Decimal(5))


def test_two_people_at_once_lose_nothing(client: FlaskClient, rep: User) -> None:
    product_id = product()
    mine = form_of(product_id, price="1700", base='{"price": "1625.00", "cost": "900.00"}')
    client.post(f"/products/{product_id}", data=form_of(product_id, cost="950", sku="HP-2"))
    answer = client.post(f"/products/{product_id}", data=mine)
    assert answer.status_code == 409 and "Changed meanwhile" in answer.text
    assert stored(product_id).price == Decimal("1625")
    again = mine | {
        "lock": str(stored(product_id).lock),
        "pick-price": "mine",
        "pick-cost": "theirs",
        "pick-sku": "theirs",
    }
    assert client.post(f"/products/{product_id}", data=again).status_code == 303
    found = stored(product_id)
    assert (found.price, found.cost, found.sku) == (Decimal(1700), Decimal(950), "HP-2")


def test_a_product_is_taken_out_of_use_and_back(client: FlaskClient, rep: User) -> None:
    product_id = product()
    client.post(f"/products/{product_id}/deactivate", data={"lock": stored(product_id).lock})
    client.get("/products")  # says what was done, once
    assert not stored(product_id).active and "Helical pier" not in client.get("/products").text
    assert "Helical pier" in client.get("/products?active=inactive").text
    client.post(f"/products/{product_id}/reactivate", data={"lock": stored(product_id).lock})
    assert stored(product_id).active


def test_an_old_button_is_refused_on_the_same_page(client: FlaskClient, rep: User) -> None:
    product_id = product()
    answer = client.post(f"/products/{product_id}/deactivate", data={"lock": "0"})
    assert answer.status_code == 409 and "Somebody changed this product" in answer.text and stored(product_id).active


def test_a_bundle_says_where_it_is_changed(client: FlaskClient, rep: User) -> None:
    pier = product()
    bundle = product(
        Values(name="Pier set"), type="group", members=[{"product_id": pier, "quantity": "4", "name": "old"}]
    )
    page = client.get(f"/products/{bundle}").text
    assert "made and changed in QuickBooks" in page and "Helical pier" in page and "/edit" not in page
    assert client.get(f"/products/{bundle}/edit").status_code == 400


@pytest.mark.parametrize(("who", "status"), [("bookkeeper", 403), ("rep", 303), ("admin", 303)])
def test_who_may_not_change_products_sees_no_button_and_is_refused(
    client: FlaskClient, sign_in: Any, who: str, status: int
) -> None:
    product_id = product()
    sign_in(who)
    assert ("Edit" in client.get(f"/products/{product_id}").text) is (status == 303)
    answer = client.post(f"/products/{product_id}", data=form_of(product_id, price="5"))
    assert answer.status_code == status
    assert client.get("/products/new").status_code == (403 if status == 403 else 200)


def test_picking_gives_buttons_that_send_the_id_with_the_form_around_them(client: FlaskClient, rep: User) -> None:
    product_id = product()
    product(Values(name="Old pier"), active=False)
    part = client.get("/products/pick?q=pier&name=add", headers={"HX-Request": "true"}).text
    assert f'name="add" value="{product_id}"' in part and "<html" not in part and "Old pier" not in part
    whole = client.get("/products/pick?q=pier&next=/quotes/5").text
    assert "<html" in whole and 'action="/quotes/5"' in whole
    assert 'action="//evil' not in client.get("/products/pick?q=pier&next=//evil.example").text
    assert 'name="product"' in client.get("/products/pick?name=%22onclick", headers={"HX-Request": "true"}).text
    assert client.get(f"/products/open?product={product_id}").location == f"/products/{product_id}"


def test_the_palette_leads_to_products(client: FlaskClient, rep: User) -> None:
    product_id = product()
    assert "/products/new" in client.get("/palette?q=new+product").text
    assert f"/products/{product_id}" in client.get("/palette?q=helical").text


def test_a_page_without_company_or_with_one_that_left_is_drawn(client: FlaskClient, app: Flask, rep: User) -> None:
    product_id = product()
    in_books(company(state="disconnected", disconnected_at=clock.now()), product_id)
    assert "Not in step" in client.get(f"/products/{product_id}").text
