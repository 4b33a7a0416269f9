"""What is done to products: never two for one, prices remembered, categories carried along, told to the books."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.product_values import Values, of, read
from crm.models import AuditEntry, Conflict, Link, OutboxEntry, OutboxNeed, PriceChange, Product
from crm.queries import object_badges
from crm.services import products
from crm.services.audit import Actor
from tests.engine_rows import add, company

KIM = Actor("kim@example.com", shown_as="Kim")
PUMP = Values(name="Sump pump", type="non_inventory", sku="P-1", price=Decimal("389.99"), cost=Decimal(200))


def made(values: Values = PUMP, *, send: bool = False) -> Product:
    with transaction() as session:
        product = products.create(session, values, send=send, actor=KIM, now=clock.now())
    return product


def changed(product: Product, **values: Any) -> Product:
    with transaction() as session:
        return products.change(
            session, product.id, replace(of(product), **values), lock=product.lock, actor=KIM, now=clock.now()
        )


def refused(values: Values, product: Product | None = None) -> dict[str, str]:
    return products.problems(db.session(), values, product=product)


def linked(product: Product, connection_id: int, state: str = "linked") -> None:
    now = clock.now()
    add(Link(connection_id=connection_id, kind="item", local_id=product.id, remote_id=f"r{product.id}", state=state,
             linked_at=now, synced_at=now))  # fmt: skip


@pytest.fixture
def going_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if products could be written to the books."""
    monkeypatch.setitem(products.OUTGOING, "item", products.OUTGOING["customer"])


def entries() -> list[tuple[str, int, tuple[str, ...]]]:
    rows = db.session.query(OutboxEntry).filter_by(kind="item").order_by(OutboxEntry.id)
    return [(row.operation, row.local_id, tuple(sorted(row.fields))) for row in rows]


@pytest.mark.parametrize("name", ["sump PUMP", "Sump-pump", "Súmp pump"])
def test_never_two_of_one_name_in_one_category(app: Flask, name: str) -> None:
    made()
    assert "Sump pump is a product already" in refused(Values(name=name))["name"]
    made(Values(name="Pumps", type="category"))
    assert "name" not in refused(Values(name=name, category="Pumps")), "another category tells them apart"


def test_never_two_of_one_sku(app: Flask) -> None:
    first, second = made(), made(Values(name="Other", sku="P-2"))
    assert "stands at Sump pump already" in refused(Values(name="Third", sku="P-1"))["sku"]
    assert not refused(of(first), first) and "sku" in refused(replace(of(second), sku="P-1"), second)


def test_two_of_one_sku_that_came_from_the_books_can_still_be_edited(app: Flask) -> None:
    made()
    other = made(Values(name="Other"))
    with transaction() as session:
        session.get_one(Product, other.id).sku = "P-1"
    assert not refused(replace(of(other), price=Decimal(5)), other)


def test_an_inactive_one_of_that_name_is_offered_instead(app: Flask) -> None:
    pump = made()
    with transaction() as session:
        products.deactivate(session, pump.id, lock=pump.lock, actor=KIM, now=clock.now())
    assert "reactivate it" in refused(PUMP)["name"]


def test_a_price_is_remembered_when_it_changes_and_only_then(app: Flask) -> None:
    pump = changed(made(), price=Decimal(400))
    pump = changed(pump, description="Cast iron")
    pump = changed(pump, cost=None)
    rows = db.session.query(PriceChange).order_by(PriceChange.id).all()
    assert [(row.price, row.cost) for row in rows] == [
        (Decimal("389.99"), 200), (Decimal(400), 200), (Decimal(400), None),
    ]  # fmt: skip
    assert {row.changed_by for row in rows} == {"Kim"}


def test_a_change_is_audited_with_old_and_new(app: Flask) -> None:
    changed(made(), price=Decimal(400))
    assert db.session.query(AuditEntry).filter_by(action="product_changed").one().summary == (
        "Sump pump: Price: 389.99 → 400"
    )


def test_saving_what_stands_already_changes_nothing(app: Flask) -> None:
    pump = made()
    assert changed(pump).lock == pump.lock and changed(pump, price=Decimal("389.990")).lock == pump.lock


def test_who_saves_over_a_newer_version_is_told(app: Flask) -> None:
    pump = made()
    lock = pump.lock
    changed(pump, price=Decimal(400))
    with pytest.raises(Changed) as problem, transaction() as session:
        products.change(session, pump.id, PUMP, lock=lock, actor=KIM, now=clock.now())
    assert isinstance(problem.value.current, Product) and problem.value.current.price == 400


def test_a_product_that_is_not_there_is_said_so(app: Flask) -> None:
    with pytest.raises(NotFound), transaction() as session:
        products.deactivate(session, 4711, lock=1, actor=KIM, now=clock.now())


def test_what_stands_in_a_category_goes_along_when_it_is_renamed_or_moved(app: Flask) -> None:
    repairs, walls = (
        made(Values(name="Repairs", type="category")),
        made(Values(name="Walls", type="category", category="Repairs")),
    )
    pier = made(Values(name="Strap", category="Repairs:Walls"))
    other = made(Values(name="Repairs manual", category=""))
    changed(repairs, name="Mending")
    db.session.expire_all()
    assert (walls.category, pier.category, other.category) == ("Mending", "Mending:Walls", "")
    assert " mending walls" in pier.search_text


def test_a_category_neither_stands_in_itself_nor_deeper_than_the_books_keep(app: Flask) -> None:
    top = made(Values(name="A", type="category"))
    path = "A"
    for name in "BCD":
        made(Values(name=name, type="category", category=path))
        path += f":{name}"
    assert "category" in refused(Values(name="E", type="category", category=path))
    assert "category" in refused(replace(of(top), category="A:B"), top)
    assert "category" not in refused(Values(name="Thing", category=path))


@pytest.mark.parametrize("field", ["price", "cost", "reorder_point"])
@pytest.mark.parametrize("number", ["-1", "1.23456", "100000000000"])
def test_numbers_that_no_book_holds_are_refused_before_they_reach_a_table(app: Flask, field: str, number: str) -> None:
    values: dict[str, Any] = {field: Decimal(number)}
    assert field in refused(Values(name="x", **values))


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e", "١٢", "--1", "1 2"])
def test_a_text_that_is_no_number_is_said_so(text: str) -> None:
    values, wrong = read({"name": "x", "price": text})
    assert values.price is None and "no number" in wrong["price"]


def test_the_type_of_what_the_books_know_stays(app: Flask) -> None:
    pump, connection_id = made(), company()
    assert "type" not in refused(replace(of(pump), type="inventory"), pump)
    linked(pump, connection_id)
    assert "type" in refused(replace(of(pump), type="inventory"), pump)
    assert "type" not in refused(replace(of(pump), type="service"), pump)


def test_stock_that_the_books_would_write_off_keeps_a_product_in_use(app: Flask) -> None:
    pump = made(replace(PUMP, type="inventory"))
    with transaction() as session:
        session.get_one(Product, pump.id).quantity_on_hand = Decimal(7)
    linked(pump, company())
    with pytest.raises(Refused, match="7 of it in stock"), transaction() as session:
        lock = session.get_one(Product, pump.id).lock
        products.deactivate(session, pump.id, lock=lock, actor=KIM, now=clock.now())


def test_a_product_comes_back_only_while_its_name_is_free(app: Flask) -> None:
    pump = made()
    with transaction() as session:
        products.deactivate(session, pump.id, lock=pump.lock, actor=KIM, now=clock.now())
        session.add(Product(name="Sump pump", sort_name="sump pump", created_at=clock.now(), updated_at=clock.now()))
    with pytest.raises(Invalid), transaction() as session:
        products.reactivate(session, pump.id, lock=pump.lock, actor=KIM, now=clock.now())


# --- the books ------------------------------------------------------------------------------------------------


def test_before_products_go_out_nothing_is_noted_for_the_books(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(products.OUTGOING, "item", raising=False)
    connection_id = company()
    pump = made(send=True)
    linked(pump, connection_id)
    changed(pump, price=Decimal(400))
    assert entries() == []
    with pytest.raises(Refused), transaction() as session:
        products.send(session, pump.id, actor=KIM, now=clock.now())


def test_a_new_product_goes_to_the_books_where_it_is_wished(app: Flask, going_out: None) -> None:
    made(Values(name="Later"))
    assert entries() == []
    company()
    made(Values(name="Later still"))
    pump = made(send=True)
    assert entries() == [("create", pump.id, ())]


def test_a_change_is_noted_with_its_fields_where_the_books_know_the_product(app: Flask, going_out: None) -> None:
    pump, other, connection_id = made(), made(Values(name="Other")), company()
    linked(pump, connection_id)
    changed(other, price=Decimal(1))
    changed(pump, price=Decimal(400), sku="P-9")
    assert entries() == [("update", pump.id, ("price", "sku"))]


def test_taking_out_of_use_and_back_is_noted_and_what_is_gone_there_is_left_alone(app: Flask, going_out: None) -> None:
    pump, lost, connection_id = made(), made(Values(name="Lost")), company()
    linked(pump, connection_id)
    linked(lost, connection_id, "gone")
    for product in (pump, lost):
        with transaction() as session:
            products.deactivate(session, product.id, lock=product.lock, actor=KIM, now=clock.now())
    assert entries() == [("deactivate", pump.id, ("active",))]


def test_a_product_waits_for_its_category(app: Flask, going_out: None) -> None:
    company()
    category = made(Values(name="Pumps", type="category"))
    made(replace(PUMP, category="Pumps"), send=True)
    need = db.session.query(OutboxNeed).one()
    assert (need.kind, need.local_id) == ("item", category.id)


def test_sending_what_the_books_know_already_is_refused(app: Flask, going_out: None) -> None:
    pump = made()
    linked(pump, company())
    with pytest.raises(Refused, match="already"), transaction() as session:
        products.send(session, pump.id, actor=KIM, now=clock.now())


def test_the_badge_tells_how_far_a_product_is(app: Flask, going_out: None) -> None:
    pump, other, connection_id = made(), made(Values(name="Other")), company()
    linked(pump, connection_id)
    assert object_badges.one("item", other.id).badge.sentence == "This product is not linked to an item in QuickBooks."
    assert object_badges.one("item", pump.id).badge.words == "In step"
    changed(pump, price=Decimal(400))
    shown = object_badges.one("item", pump.id)
    assert shown.badge.words == "Waiting to be sent" and shown.badge.moving and shown.entry_id
    add(Conflict(connection_id=connection_id, kind="item", local_id=pump.id, remote_id="r", field="price", state="open",
                 opened_at=clock.now()))  # fmt: skip
    assert object_badges.badges("item", [pump.id, other.id])[pump.id].words == "Conflict"
