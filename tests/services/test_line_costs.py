"""What lines cost: by the product's cost of the document's day, wherever lines are written, exact to four places."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal as D
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from crm import clock
from crm.db import db, table_of, transaction
from crm.domain.line_costs import line_cost, unit_cost
from crm.domain.sales import Line
from crm.domain.sales_content import Content
from crm.models import Connection, Item, PriceChange, Product, SalesDocument, SalesLine
from crm.services import line_costs, sales_documents
from crm.services.audit import Actor
from tests.engine_rows import add, company

KIM, NOW = Actor("kim@example.com"), clock.now()
MARCH, MAY = date(2026, 3, 10), date(2026, 5, 10)


def product(cost: str | None, *, type_: str = "non_inventory", name: str = "Strap", **values: object) -> int:
    return add(Product(name=name, sort_name=name.lower(), type=type_, cost=D(cost) if cost else None, created_at=NOW,
                       updated_at=NOW, **values))  # fmt: skip


def noted(product_id: int, month: int, cost: str | None) -> None:
    at = datetime(2026, month, 1, 12, tzinfo=UTC)
    add(PriceChange(product_id=product_id, at=at, cost=D(cost) if cost else None))


def lines(*which: Line, day: date | None = MAY, document: int | None = None) -> int:
    with transaction():
        content = Content(title="Wall", date=day, lines=which)
        if document is None:
            return sales_documents.new("estimate", content, state="draft", actor=KIM, now=NOW).id
        sales_documents.write(sales_documents.find(document), content, now=NOW)
    return document


def kept(document: int) -> list[D | None]:
    db.session.remove()
    query = select(SalesLine.cost).where(SalesLine.document_id == document).order_by(SalesLine.position)
    return list(db.session.scalars(query))


def content_of(document: int) -> Content:
    found = sales_documents.content_of(sales_documents.find(document))
    db.session.remove()
    return found


def sold(product_id: int, quantity: str | None = "3", **values: object) -> Line:
    given = {"key": f"{product_id}{quantity}{values}", "name": "Strap", "item": str(product_id),
             "quantity": D(quantity) if quantity else None, "unit_price": D("10")}  # fmt: skip
    return Line(**given | values)


def test_a_line_costs_its_quantity_times_the_products_cost_to_four_places(app: Flask) -> None:
    id_ = product("1.2345")
    assert kept(lines(sold(id_, "3.3333"), sold(id_, "-2"))) == [D("4.1150"), D("-2.4690")]


def test_the_cost_is_the_one_of_the_documents_day(app: Flask) -> None:
    id_ = product("9")
    for month, cost in ((2, "4"), (4, "5"), (6, "9")):
        noted(id_, month, cost)
    assert kept(lines(sold(id_), day=MARCH)) == [D(12)]
    assert kept(lines(sold(id_), day=MAY)) == [D(15)]
    assert kept(lines(sold(id_), day=date(2026, 1, 1))) == [D(12)], "before all that is known: by the first"
    assert kept(lines(sold(id_), day=None)) == [D(27)]


def test_what_is_not_known_is_not_nothing(app: Flask) -> None:
    unknown, service, free = product(None), product("0.00", type_="service"), product("0.00")
    line = [sold(unknown), sold(service), sold(free), sold(free, None), Line(key="x", name="Own", quantity=D(2),
            unit_price=D(5)), Line(key="y", kind="section", description="Wall")]  # fmt: skip
    assert kept(lines(*line)) == [None, None, D(0), None, None, None]


def test_an_option_costs_nothing_until_it_is_taken(app: Flask) -> None:
    id_ = product("2")
    document = lines(sold(id_, optional=True, chosen=False))
    assert kept(document) == [None]
    content = content_of(document)
    lines(*(replace(line, chosen=True) for line in content.lines), document=document)
    assert kept(document) == [D(6)]


def test_a_cost_stays_while_the_quantity_does(app: Flask) -> None:
    id_ = product("2")
    document = lines(sold(id_))
    with transaction():
        db.session.execute(update(Product).where(Product.id == id_).values(cost=D(7)))
    lines(*(replace(line, unit_price=D(99)) for line in content_of(document).lines), document=document)
    assert kept(document) == [D(6)]
    lines(*(replace(line, quantity=D(4)) for line in content_of(document).lines), document=document)
    assert kept(document) == [D(28)]


def test_lines_whose_product_comes_in_later_get_their_cost_then(app: Flask) -> None:
    books = company()
    document = add(SalesDocument(kind="invoice", connection_id=books, state="open", date=MAY, created_at=NOW,
                                 updated_at=NOW))  # fmt: skip
    add(SalesLine(document_id=document, quantity=D("2.5"), item_remote_id="7", amount=D(10)))
    id_ = product("3")
    add(Item(connection_id=books, remote_id="7", name="Strap", product_id=id_, seen_at=NOW))
    with transaction() as session:
        session.execute(update(SalesLine).values(product_id=id_))
        line_costs.settle_items(session, books, ["7"])
    assert kept(document) == [D("7.50")]


# --- the migration, on what stood there before ----------------------------------------------------------------


def migration() -> ModuleType:
    path = next(Path(__file__).resolve().parents[2].glob("migrations/versions/0006_*.py"))
    spec = util.spec_from_file_location("migration_0006", path)
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_migration_gives_lines_that_stand_the_cost_they_would_get(app: Flask) -> None:
    changing, flat, service, unknown = (
        product("9", name="a"), product("1.2345", name="b"), product("0", type_="service", name="c"),
        product(None, name="d"),
    )  # fmt: skip
    for month, cost in ((2, None), (4, "5"), (6, "9")):
        noted(changing, month, cost)
    document = lines(
        sold(changing), sold(changing, "0.3333"), sold(flat, "3.3333"), sold(service), sold(unknown),
        sold(flat, optional=True, chosen=False), sold(flat, None), day=MAY,
    )  # fmt: skip
    early = lines(sold(changing), day=date(2026, 1, 1))
    wanted, wanted_early = kept(document), kept(early)
    assert wanted[:3] == [D(15), D("1.6665"), D("4.1150")] and wanted[3:] == [None] * 4 and wanted_early == [D(15)]
    with transaction() as session:
        session.execute(update(table_of(SalesLine)).values(cost=None))
    module = migration()
    with db.engine.begin() as link:
        context = MigrationContext.configure(link)
        with Operations.context(context):
            module._figure_costs()
    assert (kept(document), kept(early)) == (wanted, wanted_early)


amounts = st.decimals(min_value=-10_000, max_value=10_000, places=4)


@given(amounts, amounts)
def test_a_cost_is_exact(quantity: D, unit: D) -> None:
    cost = line_cost(quantity, unit)
    assert cost is not None and abs(cost - quantity * unit) <= D("0.00005")


@pytest.mark.parametrize(("day", "cost"), [(date(2026, 1, 1), D(2)), (MARCH, None), (MAY, D(2)), (None, D(2))])
def test_a_cost_that_was_not_known_then_stays_unknown(day: date | None, cost: D | None) -> None:
    changes = [(date(2026, 2, 1), None), (date(2026, 4, 1), D(2))]
    assert unit_cost(changes, D(9), day, service=False) == cost


def test_a_companys_day_counts_not_that_of_greenwich(app: Flask) -> None:
    company(time_zone="America/Los_Angeles")
    id_ = product("9")
    noted(id_, 2, "4")
    add(PriceChange(product_id=id_, at=datetime(2026, 5, 11, 3, tzinfo=UTC), cost=D(5)))  # the tenth there
    assert db.session.scalar(select(Connection.time_zone)) == "America/Los_Angeles"
    assert kept(lines(sold(id_), day=MAY)) == [D(15)]
