"""Products between our rows and the books' items, both ways: each once, with every field that both sides share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select, update

from crm import clock
from crm.db import db, transaction
from crm.domain import product_values
from crm.domain.names import fold
from crm.domain.product_values import Values
from crm.domain.records import ItemRecord, Origin, Ref
from crm.models import (
    Conflict,
    Connection,
    Item,
    Link,
    Plan,
    PriceChange,
    Product,
    SalesLine,
    SyncLogEntry,
)
from crm.services import products
from crm.services.sync.imports.fetch import Names
from crm.services.sync.items import matching
from crm.services.sync.mirror import kinds
from crm.services.sync.outbox import parked, sending
from crm.services.sync.plans.kinds import planned
from crm.services.sync.sweep import sweep
from crm.services.sync.work import Batch, books_of
from sandbox import Served, exact, serving
from sandbox.times import stamp, utc_now
from tests.flows import test_plans
from tests.flows.changes import Company
from tests.flows.imports import run_import
from tests.flows.sending import PERSON, due_now, entries, linked_contact, only, writable
from tests.flows.test_kinds import swept
from tests.flows.test_sales import make as make_document
from tests.images import after_import


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=12, seed=5) as served:
        served.sandbox.postman.paused = True
        yield served


@pytest.fixture
def connection(app: Flask, quickbooks: Served) -> Connection:
    return writable(quickbooks)


@pytest.fixture
def company(connection: Connection, sandbox: Served, client: FlaskClient) -> Company:
    after_import(connection.id, sandbox)
    return Company(sandbox, client, connection)


@pytest.fixture
def empty(connection: Connection, sandbox: Served, client: FlaskClient) -> Company:
    """Before anything was imported."""
    return Company(sandbox, client, connection)


def items(company: Company) -> dict[str, dict[str, Any]]:
    """Every item of the served company, inactive ones too."""
    served = company.served
    return {row["Id"]: row for row in served.store.reading(served.realm).all("Item")}


def service(company: Company, name: str = "Lift", **more: Any) -> dict[str, Any]:
    """An item made in QuickBooks itself."""
    made = company.api.item(name)
    return change(company, made["Id"], **more) if more else made


def change(company: Company, remote_id: str, **fields: Any) -> dict[str, Any]:
    body = company.api.read("Item", remote_id)
    return company.api.write("Item", {"Id": remote_id, "SyncToken": body["SyncToken"], "sparse": True, **fields})


def product_of(remote_id: str) -> Product:
    db.session.remove()
    found = select(Product).join(Link, (Link.kind == "item") & (Link.local_id == Product.id))
    return db.session.scalars(found.where(Link.remote_id == remote_id)).one()


def link_of(product_id: int) -> Link:
    db.session.remove()
    return db.session.scalars(select(Link).where(Link.kind == "item", Link.local_id == product_id)).one()


def add(values: Values) -> int:
    """A product of ours, whatever the rules of the form."""
    with transaction() as session:
        now = clock.now()
        given = {name: getattr(values, name) for name in product_values.FIELDS}
        product = Product(**given, created_at=now, updated_at=now, sort_name="", search_text="")
        products.settle_texts(product)
        session.add(product)
        session.flush()
        return product.id


def edit(product_id: int, **values: Any) -> None:
    with transaction() as session:
        product = session.get_one(Product, product_id, populate_existing=True)
        wanted = replace(product_values.of(product), **values)
        products.change(session, product_id, wanted, lock=product.lock, actor=PERSON, now=clock.now())


def switch(product_id: int, deed: Any) -> None:
    with transaction() as session:
        lock = session.get_one(Product, product_id, populate_existing=True).lock
        deed(session, product_id, lock=lock, actor=PERSON, now=clock.now())


def send(company: Company) -> None:
    due_now()
    sending.send(company.connection.id, clock=clock.now)


def asked(company: Company, values: Values) -> int:
    """A product of ours that shall go to the books."""
    product_id = add(values)
    with transaction() as session:
        products.send(session, product_id, actor=PERSON, now=clock.now())
    return product_id


def accounts(company: Company) -> dict[str, str]:
    """Field of a product -> an account QuickBooks takes for it."""
    served = company.served
    found: dict[str, str] = {}
    for row in served.store.reading(served.realm).all("Account"):
        if row["AccountType"] == "Income" and row.get("AccountSubType") == "SalesOfProductIncome":
            found["income_account"] = row["Id"]
        if row.get("AccountSubType") == "SuppliesMaterialsCogs":
            found["expense_account"] = row["Id"]
        if row.get("AccountSubType") == "Inventory":
            found["asset_account"] = row["Id"]
    return found


def log(event: str) -> list[str]:
    db.session.remove()
    query = select(SyncLogEntry.message).where(SyncLogEntry.event == event, SyncLogEntry.kind == "item")
    return list(db.session.scalars(query.order_by(SyncLogEntry.id)))


# --- in -------------------------------------------------------------------------------------------------------


def test_every_item_is_one_product_and_what_it_says_stands_at_it(company: Company) -> None:
    there = items(company)
    links = {row.remote_id: row.local_id for row in db.session.scalars(select(Link).where(Link.kind == "item"))}
    assert links.keys() == there.keys()
    assert len(set(links.values())) == len(links)
    assert {row["Type"] for row in there.values()} >= {"Service", "Inventory", "Group", "Category"}
    for remote_id, row in there.items():
        ours = db.session.get_one(Product, links[remote_id])
        assert ours.name == row["Name"].removesuffix(" (deleted)") and ours.active is row["Active"]
        assert (ours.price, ours.cost) == (row.get("UnitPrice"), row.get("PurchaseCost"))
        assert ours.income_account == row.get("IncomeAccountRef", {}).get("value", "")
        assert ours.quantity_on_hand == row.get("QtyOnHand")
        assert ours.category == (row["FullyQualifiedName"].rpartition(":")[0] if row.get("ParentRef") else "")
        for one in ours.members:
            assert one["product_id"] == links[one["remote_id"]]
    assert entries() == []


def test_a_second_import_writes_nothing(company: Company) -> None:
    def stands() -> tuple[Any, ...]:
        db.session.remove()
        return (
            db.session.execute(select(Product.id, Product.lock).order_by(Product.id)).all(),
            db.session.scalar(select(func.count()).select_from(PriceChange)),
        )

    before = stands()
    assert run_import(company.connection.id).counts["item_unchanged"] == len(items(company))
    assert stands() == before


def test_lines_of_documents_know_their_products_whichever_came_first(company: Company) -> None:
    line = (SalesLine.item_remote_id != "") & SalesLine.product_id.is_(None)
    open_lines = select(func.count()).select_from(SalesLine).where(line)
    assert db.session.scalar(open_lines) == 0
    sold = db.session.scalar(select(func.count()).select_from(SalesLine).where(SalesLine.product_id.is_not(None)))
    assert sold
    with transaction() as session:
        session.execute(update(SalesLine).values(product_id=None))
        session.execute(update(Item).values(product_id=None))
        session.query(Link).filter_by(kind="item").delete()
        session.query(Product).delete()
    run_import(company.connection.id, ["item"])
    db.session.remove()
    assert db.session.scalar(open_lines) == 0


def test_an_item_that_is_certainly_a_product_of_ours_becomes_it_and_fills_what_is_empty(empty: Company) -> None:
    by_sku = service(empty, "Pump, big", Sku="P-1", UnitPrice=Decimal("400.00"), Description="Moves water")
    by_name = service(empty, "Grease")
    ours = add(Values(name="Sump pump", sku="p-1", price=Decimal(389)))
    other = add(Values(name="grease"))
    run_import(empty.connection.id)
    pump = product_of(by_sku["Id"])
    assert (pump.id, pump.name, pump.price, pump.description) == (ours, "Sump pump", Decimal(389), "Moves water")
    assert product_of(by_name["Id"]).id == other
    assert entries() == [], "what differs since they were linked is left alone"


def test_a_doubtful_one_is_left_to_a_person_and_told_once(empty: Company, sign_in: Any) -> None:
    sign_in("rep")
    made = service(empty, "Grease", Sku="G-1")
    ours = add(Values(name="Grease", sku="G-2"))
    for _ in range(2):
        run_import(empty.connection.id)
    [line] = log("item_doubtful")
    assert "the SKUs differ: G-1 in QuickBooks, G-2 here" in line
    [doubt] = matching.doubts_of(db.session(), ours)
    assert (doubt.item.remote_id, doubt.connection_id) == (made["Id"], empty.connection.id)
    page = empty.client.get(f"/products/{ours}").get_data(as_text=True)
    assert "May be the same" in page and "Grease" in page
    assert empty.client.post(f"/products/{ours}/is-item", data={"item_id": doubt.item.id}).status_code == 303
    assert product_of(made["Id"]).id == ours and matching.doubts_of(db.session(), ours) == []


def test_one_that_is_another_product_gets_its_own_and_lines_follow(empty: Company, sign_in: Any) -> None:
    sign_in("rep")
    made = service(empty, "Grease", Sku="G-1")
    ours = add(Values(name="Grease", sku="G-2"))
    customer = empty.api.customer("Quentin Buyer")
    empty.api.sale("Invoice", customer, made, "100.00")
    run_import(empty.connection.id)
    [doubt] = matching.doubts_of(db.session(), ours)
    line = select(SalesLine.product_id).where(SalesLine.item_remote_id == made["Id"])
    assert db.session.scalars(line).all() == [None]
    assert empty.client.post(f"/products/{ours}/is-not-item", data={"item_id": doubt.item.id}).status_code == 303
    own = product_of(made["Id"])
    assert own.id != ours and (own.name, own.sku) == ("Grease", "G-1")
    assert db.session.scalars(line).all() == [own.id]


def test_a_change_there_comes_with_its_webhook_and_moves_the_price_list(company: Company) -> None:
    made = service(company, "Lift", UnitPrice=Decimal("10.00"))
    company.told()
    change(company, made["Id"], UnitPrice=Decimal("12.50"), Name="Lift, new", Sku="L")
    assert company.told()[-1].outcome == "changed"
    ours = product_of(made["Id"])
    assert (ours.name, ours.price, ours.sku) == ("Lift, new", Decimal("12.50"), "L")
    assert ours.sort_name == fold("Lift, new") and " lift" in ours.search_text
    prices = db.session.scalars(select(PriceChange).where(PriceChange.product_id == ours.id).order_by(PriceChange.id))
    assert [(one.price, one.changed_by) for one in prices] == [
        (Decimal("10.00"), "QuickBooks"), (Decimal("12.50"), "QuickBooks")
    ]  # fmt: skip


def test_one_that_is_inactive_there_is_out_of_use_here_and_comes_back(company: Company) -> None:
    made = service(company)
    company.told()
    change(company, made["Id"], Active=False)
    company.told()
    ours = product_of(made["Id"])
    assert (ours.name, ours.active, link_of(ours.id).state) == ("Lift", False, "inactive")
    change(company, made["Id"], Active=True, Name="Lift")
    company.told()
    assert product_of(made["Id"]).active and link_of(ours.id).state == "linked" and entries() == []


def test_a_change_of_which_no_event_told_comes_with_the_next_sweep(company: Company) -> None:
    made = service(company)
    with transaction():
        sweep.ring_due(now=clock.now())
    swept(company)
    change(company, made["Id"], UnitPrice=Decimal("4.25"))
    company.skip()
    swept(company)
    assert product_of(made["Id"]).price == Decimal("4.25")


def test_ten_thousand_items_cost_a_few_statements_for_each_page(connection: Connection) -> None:
    """Never one for each item; and nothing but looking when they come again."""

    def record(number: int, price: str) -> ItemRecord:
        return ItemRecord(Origin(str(900_000 + number), version=price), f"Part {number}", f"Part {number}", "service",
                          f"S-{number}", price=Decimal(price), income_account=Ref("1"))  # fmt: skip

    def taken(price: str, number: int) -> int:
        before, made = [0], [record(at, price) for at in range(number)]

        def count(*_: Any) -> None:
            before[0] += 1

        with transaction() as session:
            event.listen(session.get_bind(), "before_cursor_execute", count)
            try:
                batch = Batch(session, books_of(session.get_one(Connection, connection.id)), clock.now())
                kinds.take(batch, "item", made, Names(known={}))
            finally:
                event.remove(session.get_bind(), "before_cursor_execute", count)
        return before[0]

    first = taken("1", 1000)
    assert taken("1", 1000) <= 25
    assert taken("2", 1000) <= 40
    one_by_one = 1000 if db.engine.dialect.name == "sqlite" else 0  # so it gives the ids of new rows in their order
    assert first <= 60 + one_by_one
    db.session.remove()
    assert db.session.scalar(select(func.count()).select_from(Product).where(Product.price == 2)) == 1000
    assert db.session.scalar(select(func.count()).select_from(PriceChange)) == 2000


def test_what_stands_in_a_category_goes_along_when_it_is_renamed_there(company: Company) -> None:
    above = company.api.write("Item", {"Name": "Tools", "Type": "Category"})
    below = service(company, "Saw", SubItem=True, ParentRef={"value": above["Id"]})
    company.told()
    assert product_of(below["Id"]).category == "Tools"
    change(company, above["Id"], Name="Gear")
    company.post(company.bodies()[:1])
    company.taken()
    assert product_of(below["Id"]).category == "Gear" and "gear" in product_of(below["Id"]).search_text


def test_an_amount_no_column_can_hold_is_refused_and_told(company: Company) -> None:
    made = service(company, "Screw", UnitPrice=Decimal("0.1234567"))
    assert {one.outcome for one in company.told() if one.remote_id == made["Id"]} == {"refused"}
    assert db.session.scalar(select(Item.id).where(Item.remote_id == made["Id"])) is None
    assert "its price has more digits or decimals" in log("record_refused")[-1]


# --- out ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_", ["service", "non_inventory", "inventory"])
def test_a_product_of_ours_is_made_there_once_with_its_accounts(company: Company, type_: str) -> None:
    given = accounts(company)
    if type_ != "inventory":
        del given["asset_account"]
    ours = asked(company, Values(name="Jack", type=type_, sku="J-1", description="Lifts", price=Decimal("19.9500"),
                                 cost=Decimal(7), taxable=True, **given))  # fmt: skip
    send(company)
    assert [(one.state, one.error) for one in entries(kind="item")] == [("done", "")]
    row = items(company)[link_of(ours).remote_id]
    assert (row["Name"], row["Sku"], row["UnitPrice"], row["PurchaseCost"]) == (
        "Jack", "J-1", Decimal("19.95"), Decimal(7)
    )  # fmt: skip
    assert {name: row[theirs]["value"] for name, theirs in (
        ("income_account", "IncomeAccountRef"), ("expense_account", "ExpenseAccountRef"),
        ("asset_account", "AssetAccountRef")) if theirs in row} == given  # fmt: skip
    assert row.get("QtyOnHand") == (0 if type_ == "inventory" else None)
    company.told()
    run_import(company.connection.id)
    assert db.session.scalar(select(func.count()).select_from(Product).where(Product.name == "Jack")) == 1
    assert [one.state for one in entries(kind="item")] == ["done"]


def test_an_account_that_is_missing_parks_it_with_the_way_out(company: Company) -> None:
    product_id = add(Values(name="Jack", cost=Decimal(3), price=Decimal(5)))
    with transaction() as session:
        from crm.services import sync

        sync.ask_products(session, company.connection.id, [product_id], actor=PERSON, now=clock.now())
    send(company)
    entry = only(kind="item")
    assert (entry.state, entry.cause) == ("parked", "missing_value")
    assert entry.error.startswith("Choose the income account.") and "expense account" in entry.error
    given = {name: id_ for name, id_ in accounts(company).items() if name != "asset_account"}
    edit(product_id, **given)
    send(company)
    assert only(kind="item").state == "done"


def test_its_category_is_made_first(company: Company) -> None:
    add(Values(name="Gear", type="category"))
    inner = add(Values(name="Jacks", type="category", category="Gear"))
    given = {"income_account": accounts(company)["income_account"]}
    ours = asked(company, Values(name="Jack", category="Gear:Jacks", **given))
    for _ in range(4):
        send(company)
    assert {one.state for one in entries(kind="item")} == {"done"} and len(entries(kind="item")) == 3
    row = items(company)[link_of(ours).remote_id]
    assert row["FullyQualifiedName"] == "Gear:Jacks:Jack"
    assert row["ParentRef"]["value"] == link_of(inner).remote_id


def test_only_the_fields_that_were_changed_here_go_out(company: Company) -> None:
    made = service(company, Description="theirs")
    company.told()
    ours = product_of(made["Id"]).id
    edit(ours, price=Decimal("77.50"), sku="NEW")
    change(company, made["Id"], Description="theirs, newer")
    for _ in range(3):
        send(company)
    row = items(company)[made["Id"]]
    assert (row["UnitPrice"], row["Sku"], row["Description"]) == (Decimal("77.50"), "NEW", "theirs, newer")
    fresh = product_of(made["Id"])
    assert (fresh.price, fresh.description) == (Decimal("77.50"), "theirs, newer")
    done = [one for one in entries(kind="item") if one.state == "done"]
    assert done and all(set(one.changes) <= {"price", "sku"} for one in done)
    assert [one.outcome for one in company.told() if one.remote_id == made["Id"]][-1] == "echo"
    assert entries(kind="item", state="pending") == []


def test_the_later_of_two_changes_wins_and_accounts_are_the_books_own(company: Company) -> None:
    made = service(company)
    company.told()
    ours = product_of(made["Id"]).id
    edit(ours, price=Decimal(5))
    with company.served.store.writing(company.served.realm) as books:
        row = exact.loads(books.text("Item", made["Id"]))
        row["UnitPrice"], row["SyncToken"] = 6, str(int(row["SyncToken"]) + 1)
        row["MetaData"]["LastUpdatedTime"] = stamp(utc_now() + timedelta(hours=1))
        books.put("Item", row)
        books.notify("Item", made["Id"], "updated", utc_now())
    company.told()
    assert product_of(made["Id"]).price == 6
    for _ in range(2):
        send(company)
    assert items(company)[made["Id"]]["UnitPrice"] == 6
    assert {one.state for one in entries(kind="item")} == {"dropped"}


def test_out_of_use_here_is_inactive_there_and_back(company: Company) -> None:
    made = service(company)
    company.told()
    ours = product_of(made["Id"]).id
    switch(ours, products.deactivate)
    send(company)
    row = items(company)[made["Id"]]
    assert row["Active"] is False and link_of(ours).state == "inactive"
    company.told()
    assert product_of(made["Id"]).active is False
    switch(ours, products.reactivate)
    for _ in range(2):
        send(company)
    row = items(company)[made["Id"]]
    assert (row["Active"], row["Name"]) == (True, "Lift") and link_of(ours).state == "linked"
    assert {one.state for one in entries(kind="item")} == {"done"}


def test_changed_and_taken_out_of_use_is_both_there(company: Company) -> None:
    made = service(company)
    company.told()
    ours = product_of(made["Id"]).id
    edit(ours, price=Decimal(5))
    switch(ours, products.deactivate)
    for _ in range(2):
        send(company)
    row = items(company)[made["Id"]]
    assert (row["Active"], row["UnitPrice"]) == (False, 5)


def test_one_that_was_refused_for_its_name_goes_on_once_its_item_came_in(company: Company) -> None:
    given = {"income_account": accounts(company)["income_account"]}
    ours = asked(company, Values(name="Jack", price=Decimal(3), **given))
    made = service(company, "Jack", UnitPrice=Decimal(9))
    send(company)
    assert only(kind="item").state == "parked"
    company.told()
    assert product_of(made["Id"]).id == ours and only(kind="item").state == "pending"
    send(company)
    assert only(kind="item").state == "dropped", "what differs since they were linked is left alone"
    assert items(company)[made["Id"]]["UnitPrice"] == 9


def test_a_name_that_is_taken_there_is_offered_to_be_linked(company: Company, sign_in: Any) -> None:
    sign_in("admin")
    given = {"income_account": accounts(company)["income_account"]}
    ours = asked(company, Values(name="Jack", price=Decimal(3), **given))
    made = service(company, "Jack", UnitPrice=Decimal(9))
    send(company)
    entry = only(kind="item")
    assert (entry.state, entry.cause, entry.error_code) == ("parked", "duplicate_name", "6240")
    [holder] = entry.evidence["holders"]
    assert (holder["remote_id"], holder["adoptable"]) == (made["Id"], True)
    page = company.client.get(f"/sync/outbox/{entry.id}").get_data(as_text=True)
    assert "Link to this one" in page and "Use this name there" not in page
    with transaction():
        parked.adopt(entry.id, made["Id"], actor=PERSON, now=clock.now())
    assert product_of(made["Id"]).id == ours
    send(company)
    assert items(company)[made["Id"]]["UnitPrice"] == 3
    assert db.session.scalar(select(func.count()).select_from(Product).where(Product.name == "Jack")) == 1


def test_a_lost_answer_makes_no_second_item(company: Company) -> None:
    before = len(items(company))
    given = {"income_account": accounts(company)["income_account"]}
    company.served.sandbox.script.set([{"action": "drop_after", "path": "/batch"}])
    ours = asked(company, Values(name="Jack", **given))
    send(company)
    assert only(kind="item").state == "frozen"
    company.told()  # the event of our own write comes before its answer
    send(company)
    assert (len(items(company)), only(kind="item").state) == (before + 1, "done")
    assert link_of(ours).remote_id and len(db.session.scalars(select(Product).where(Product.name == "Jack")).all()) == 1


def test_an_answer_lost_long_ago_is_found_by_its_name(company: Company) -> None:
    before = len(items(company))
    given = {"income_account": accounts(company)["income_account"]}
    company.served.sandbox.script.set([{"action": "drop_after", "path": "/batch"}])
    ours = asked(company, Values(name="Jack", **given))
    send(company)
    due_now(failures=6)
    sending.send(company.connection.id, clock=clock.now)
    assert (len(items(company)), only(kind="item").state) == (before + 1, "done") and link_of(ours).state == "linked"


def test_a_document_waits_for_its_products(company: Company) -> None:
    contact_id, _ = linked_contact(company.connection.id)
    given = {"income_account": accounts(company)["income_account"]}
    ours = add(Values(name="Jack", price=Decimal(3), **given))
    sold = db.session.get_one(Product, ours)
    quote = make_document(company.connection, sold, contact_id)
    for _ in range(3):
        send(company)
    assert {(one.kind, one.state) for one in entries()} == {("item", "done"), ("estimate", "done")}
    db.session.remove()
    line = db.session.scalars(select(SalesLine).where(SalesLine.document_id == quote, SalesLine.kind == "item",
                                                      SalesLine.remote_id != "")).one()  # fmt: skip
    assert (line.product_id, line.item_remote_id) == (ours, link_of(ours).remote_id)


# --- gone, merged, asked --------------------------------------------------------------------------------------


def merge(company: Company, survivor: str, loser: str) -> None:
    """As a person does it in QuickBooks: documents name the survivor then, without any sign of change."""
    with company.served.store.writing(company.served.realm) as books:
        for kind in ("Invoice", "Estimate"):
            for row in list(books.all(kind)):
                text = json.dumps(row, default=str)
                named = f'"ItemRef": {{"value": "{loser}"'
                if named in text:
                    for line in row["Line"]:
                        ref = line.get("SalesItemLineDetail", {}).get("ItemRef", {})
                        if ref.get("value") == loser:
                            ref["value"] = survivor
                    books.put(kind, row)
        books.remove("Item", loser, utc_now())
        books.notify("Item", survivor, "merged", utc_now(), other_id=loser)


def test_the_survivor_of_a_merge_takes_the_product_where_it_has_none(company: Company) -> None:
    old = service(company, "Old lift")
    customer = company.api.customer("Quentin Buyer")
    company.api.sale("Invoice", customer, old, "100.00")
    company.told()
    ours = product_of(old["Id"])
    new = service(company, "New lift", UnitPrice=Decimal(8))
    company.skip()
    merge(company, new["Id"], old["Id"])
    company.told()
    company.taken()
    fresh = product_of(new["Id"])
    assert (fresh.id, fresh.name, fresh.price, fresh.active) == (ours.id, "New lift", Decimal(8), True)
    assert link_of(ours.id).merged_from == old["Id"]
    line = db.session.scalars(select(SalesLine).where(SalesLine.product_id == ours.id)).one()
    assert line.item_remote_id == new["Id"], "the invoice was read again"
    assert entries() == []


def test_where_both_are_products_the_one_that_went_is_out_of_use(company: Company) -> None:
    old, new = service(company, "Old lift"), service(company, "New lift")
    company.told()
    ours, theirs = product_of(old["Id"]).id, product_of(new["Id"]).id
    for _ in range(2):
        merge(company, new["Id"], old["Id"])
        company.told()
    assert (link_of(ours).state, db.session.get_one(Product, ours).active) == ("gone", False)
    assert product_of(new["Id"]).id == theirs and product_of(new["Id"]).active
    assert len(log("item_merged")) == 1 and entries() == []


def test_one_that_was_deleted_there_is_marked_and_its_return_brings_it_back(company: Company) -> None:
    made = service(company)
    company.told()
    ours = product_of(made["Id"]).id
    with company.served.store.writing(company.served.realm) as books:
        body = exact.loads(books.text("Item", made["Id"]))
        books.remove("Item", made["Id"], utc_now())
        books.notify("Item", made["Id"], "deleted", utc_now())
    company.told()
    assert (link_of(ours).state, db.session.get_one(Product, ours).active) == ("gone", False)
    with company.served.store.writing(company.served.realm) as books:
        books.put("Item", body)
    run_import(company.connection.id, ["item"])
    assert product_of(made["Id"]).active and link_of(ours).state == "linked" and entries() == []


def test_a_text_emptied_there_asks_and_both_answers_end_alike_on_both_sides(company: Company) -> None:
    from crm.services import conflicts

    made = [service(company, name, Description="kept") for name in ("Lift", "Jack")]
    company.told()
    for one in made:
        change(company, one["Id"], Description="")
    company.told()
    found = db.session.scalars(select(Conflict).where(Conflict.state == "open").order_by(Conflict.local_id)).all()
    assert [(one.kind, one.field, one.ours, one.theirs) for one in found] == [("item", "description", "kept", "")] * 2
    ids = [one.id for one in found]
    with transaction():
        conflicts.resolve(ids[0], "ours", actor=PERSON, now=clock.now())
        conflicts.resolve(ids[1], "theirs", actor=PERSON, now=clock.now())
    for _ in range(2):
        send(company)
    assert [items(company)[one["Id"]].get("Description", "") for one in made] == ["kept", ""]
    assert [product_of(one["Id"]).description for one in made] == ["kept", ""]
    assert not db.session.scalars(select(Conflict).where(Conflict.state == "open")).all()


# --- plans ----------------------------------------------------------------------------------------------------


def outcomes(plan: Plan) -> set[tuple[int, str, str]]:
    """Of the lines about products that write something."""
    mine = [line for line in test_plans.lines(plan) if line.kind == "item" and line.action not in ("link", "skip")]
    return {(line.local_id, line.action, line.outcome) for line in mine}


def test_a_plan_shows_what_would_be_written_and_undoing_takes_it_back(company: Company) -> None:
    made = service(company, UnitPrice=Decimal(10))
    company.told()
    ours = product_of(made["Id"]).id
    given = {"income_account": accounts(company)["income_account"]}
    fresh = asked(company, Values(name="Jack", price=Decimal(3), **given))
    edit(ours, price=Decimal(12))
    plan = test_plans.approved(test_plans.planned(company.connection))
    assert outcomes(plan) == {(ours, "update", "done"), (fresh, "create", "done")}
    assert items(company)[made["Id"]]["UnitPrice"] == 12
    plan = test_plans.approved(test_plans.undone(plan))
    assert outcomes(plan) == {
        (ours, "update", "done"), (fresh, "deactivate", "done")
    }  # fmt: skip
    there = items(company)
    assert there[made["Id"]]["UnitPrice"] == 10 and product_of(made["Id"]).price == 10
    assert there[link_of(fresh).remote_id]["Active"] is False and db.session.get_one(Product, fresh).active is False


def test_what_differs_since_they_were_linked_is_offered_in_a_plan(empty: Company) -> None:
    made = service(empty, "Grease", UnitPrice=Decimal(4))
    ours = add(Values(name="grease", price=Decimal(5)))
    run_import(empty.connection.id)
    with transaction() as session:
        books = books_of(session.get_one(Connection, empty.connection.id))
        found = planned("item").differences(session, books, [ours])
    assert found == {ours: {"name": ["Grease", "grease"], "price": ["4", "5"], "taxable": ["no", "yes"]}}
    assert product_of(made["Id"]).price == 5
