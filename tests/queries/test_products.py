"""Lists of products: filters narrow as they say, the unknown comes last, few statements for any size."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, update

from crm import clock
from crm.db import db, transaction
from crm.domain.product_filters import Filters, read, search_text
from crm.models import Link, Product
from crm.queries import object_badges, products
from tests.engine_rows import add, company
from tests.queries.test_contacts import statements


def fill(size: int) -> None:
    """Every third is inventory, every fifth has no cost, every tenth is inactive, every seventh not taxable."""
    now = clock.now()
    rows: list[dict[str, Any]] = []
    for n in range(1, size + 1):
        name, category = f"Thing {n:05}", f"Cat{n % 4}" + (":Sub" if n % 8 == 1 else "")
        stock = n % 3 == 0
        rows.append(
            {"id": n, "name": name, "sort_name": name.lower(), "type": "inventory" if stock else "service",
             "category": category, "sku": f"S-{n}" if n % 2 else "", "price": Decimal(n), "taxable": n % 7 != 0,
             "cost": None if n % 5 == 0 else Decimal(n) / 2, "active": n % 10 != 0, "members": [], "lock": 1,
             "quantity_on_hand": Decimal(n % 6) if stock else None, "reorder_point": Decimal(2) if stock else None,
             "search_text": search_text(name=name, sku=f"S-{n}", category=category, description="with a hose"),
             "created_at": now, "updated_at": now}
        )  # fmt: skip
    with transaction() as session:
        session.execute(insert(Product), rows)


def test_a_service_that_costs_nothing_counts_as_without_cost(app: Flask) -> None:
    fill(12)
    with transaction() as session:
        session.execute(update(Product).where(Product.id.in_((6, 7))).values(cost=0))
    assert ids(cost="none") == [5, 7]  # 6 is inventory
    assert ids(cost="none", q="hose") == [5, 7]
    assert products.figures().without_cost == 2


def ids(**arguments: str) -> list[int]:
    return [row.id for row in products.page(read(arguments), size=1000).rows]


@pytest.mark.parametrize(
    ("arguments", "means"),
    [({}, lambda n: True), ({"type": "inventory"}, lambda n: n % 3 == 0), ({"taxable": "no"}, lambda n: n % 7 == 0),
     ({"cost": "none"}, lambda n: n % 5 == 0), ({"stock": "low"}, lambda n: n % 3 == 0 and n % 6 <= 2),
     ({"stock": "out"}, lambda n: n % 6 == 0), ({"category": "Cat1"}, lambda n: n % 4 == 1),
     ({"category": "Cat1:Sub"}, lambda n: n % 8 == 1), ({"q": "hose thing"}, lambda n: True),
     ({"q": "00012"}, lambda n: n == 12), ({"books": "in"}, lambda n: n == 4), ({"books": "out"}, lambda n: n != 4)],
)  # fmt: skip
def test_every_filter_narrows_as_it_says(app: Flask, arguments: dict[str, str], means: Any) -> None:
    fill(60)
    now, connection_id = clock.now(), company()
    for local_id, state in ((4, "linked"), (8, "gone")):
        add(Link(connection_id=connection_id, kind="item", local_id=local_id, remote_id=str(local_id), state=state,
                 linked_at=now, synced_at=now))  # fmt: skip
    assert ids(**arguments) == [n for n in range(1, 61) if n % 10 and means(n)]


def test_inactive_ones_are_apart_unless_all_are_asked_for(app: Flask) -> None:
    fill(40)
    assert ids(active="inactive") == [10, 20, 30, 40] and len(ids(active="all")) == 40


def test_categories_are_listed_only_where_they_are_asked_for(app: Flask) -> None:
    fill(8)
    add(
        Product(
            id=1000, name="Empty", sort_name="empty", type="category", created_at=clock.now(), updated_at=clock.now()
        )
    )
    assert len(ids()) == 8 and len(ids(type="category")) == 1
    assert products.categories() == ["Cat0", "Cat1", "Cat1:Sub", "Cat2", "Cat3", "Empty"]


@pytest.mark.parametrize("sort", ["cost", "stock", "sku"])
def test_what_is_not_known_comes_last_in_both_directions(app: Flask, sort: str) -> None:
    fill(30)
    names = {"cost": "cost", "stock": "quantity_on_hand", "sku": "sku"}
    for order in (sort, f"-{sort}"):
        values = [getattr(row, names[sort]) for row in products.page(Filters(sort=order), size=100).rows]
        known = [value for value in values if value not in (None, "")]
        assert known == sorted(known, reverse=order.startswith("-")) and values[: len(known)] == known


def test_a_page_beyond_the_end_is_the_last_one(app: Flask) -> None:
    fill(60)
    found = products.page(Filters(page=99), size=20)
    assert (found.number, found.total, len(found.rows)) == (3, 54, 14)


def test_key_figures_count_what_is_in_use(app: Flask) -> None:
    fill(60)
    assert products.figures() == products.Figures(
        54, sum(n % 5 == 0 and n % 10 != 0 for n in range(1, 61)),
        sum(n % 3 == 0 and n % 6 <= 2 and n % 10 != 0 for n in range(1, 61)),
    )  # fmt: skip


def test_the_export_goes_through_everything_in_order(app: Flask) -> None:
    fill(50)
    assert [row.id for row in products.each(Filters(sort="-price"), size=7)] == sorted(ids(), reverse=True)


def test_typing_finds_the_sku_first_then_names_then_descriptions(app: Flask) -> None:
    fill(12)
    add(Product(id=1000, name="S-3 adapter", sort_name="s 3 adapter", created_at=clock.now(), updated_at=clock.now(),
                search_text=" s 3 adapter hose"))  # fmt: skip
    found = [row.name for row in products.pick(db.session(), "s-3", 5)]
    assert found[:2] == ["Thing 00003", "S-3 adapter"]
    assert len(products.pick(db.session(), "hose", 5)) == 5 and len(products.pick(db.session(), "", 3)) == 3
    assert products.pick(db.session(), "100% _", 5) == []


def test_a_list_costs_the_same_few_statements_whatever_its_size(app: Flask) -> None:
    counts = []
    for size in (5, 200):
        with transaction() as session:
            session.query(Product).delete()
        fill(size)
        with statements() as seen:
            found = products.page(Filters())
            object_badges.badges("item", [row.id for row in found.rows])
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 8
