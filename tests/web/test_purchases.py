"""Vendors and bills in the browser: lists, pages, forms, two people at once, who may do what."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.purchases import BillLine, BillTyped, VendorValues
from crm.models import AuditEntry, Bill, Connection, Customer, ListEntry, OutboxEntry, User, Vendor
from crm.queries import bills as queries
from crm.services import bills, vendors
from crm.services.audit import Actor
from tests.engine_rows import add, company

SEED = Actor("seed")
ACCOUNTS = (("60", "Fuel", "Expense", True), ("61", "Materials", "Cost of Goods Sold", True), ("62", "Old", "Expense",
            False), ("63", "Checking", "Bank", True))  # fmt: skip


def books() -> int:
    connection_id = company()
    for remote_id, name, type_, active in ACCOUNTS:
        add(ListEntry(connection_id=connection_id, kind="account", remote_id=remote_id, name=name, active=active,
                      seen_at=clock.now(), details={"type": type_}))  # fmt: skip
    return connection_id


def vendor(name: str = "Concrete Supply", **said: str) -> int:
    with transaction() as session:
        values = VendorValues(display_name=name, **said)
        return vendors.create(session, values, actor=SEED, now=clock.now()).id


def bill(vendor_id: int, number: str = "B-1", *, account: str = "60", amount: str = "100", due: int = 5,
         **columns: Any) -> int:  # fmt: skip
    today = clock.now().date()
    typed = BillTyped(str(vendor_id), number, str(today - timedelta(days=30)), str(today + timedelta(days=due)), "",
                      (BillLine(account=account, amount=amount, description="Gravel"),))  # fmt: skip
    with transaction() as session:
        made = bills.create(session, typed, actor=SEED, now=clock.now())
        for name, value in columns.items():
            setattr(made, name, value)
        return made.id


def form(**said: str) -> dict[str, str]:
    line = {"lines-1-account": "60", "lines-1-amount": "12.50", "lines-1-description": "Two loads"}
    return {"number": "N-1", "date": "2026-11-02", "due_date": "2026-12-02", **line, **said}


def stored(model: Any, id_: int) -> Any:
    db.session.remove()
    return db.session.get_one(model, id_)


@pytest.fixture
def keeper(app: Flask, sign_in: Any) -> User:
    books()
    return sign_in("bookkeeper")


# --- lists ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("address", "words"), [("/vendors", "No vendors yet"), ("/bills", "No bills yet")])
def test_an_empty_list_says_what_to_do_next(client: FlaskClient, sign_in: Any, address: str, words: str) -> None:
    sign_in("bookkeeper")
    page = client.get(address).text
    assert words in page and "New " in page


@pytest.mark.parametrize("typed", ["concrete", "1 555", "kaw@", "supp conc"])
def test_a_vendor_is_found_by_what_one_knows_of_it(client: FlaskClient, keeper: User, typed: str) -> None:
    vendor(phone="1555", email="kaw@example.com"), vendor("Fuel Stop")
    page = client.get("/vendors", query_string={"q": typed}).text
    assert "Concrete Supply" in page and "Fuel Stop" not in page


def test_the_list_of_vendors_says_what_is_owed_and_narrows_by_it(client: FlaskClient, keeper: User) -> None:
    owed, other = vendor(), vendor("Fuel Stop")
    with transaction() as session:
        session.get_one(Vendor, owed).balance = Decimal("1234.50")
        session.get_one(Vendor, other).active = False
    page = client.get("/vendors").text
    assert "$1,234.50" in page and "to 1 vendor" in page and "Fuel Stop" not in page
    assert "Fuel Stop" in client.get("/vendors?active=inactive").text
    assert "Nothing found" in client.get("/vendors?owed=overdue").text
    bill(owed, due=-3)
    assert "Concrete Supply" in client.get("/vendors?owed=overdue").text


def test_the_list_of_bills_has_its_key_figures_and_filters(client: FlaskClient, keeper: User) -> None:
    mine, other = vendor(), vendor("Fuel Stop")
    bill(mine, "LATE-1", amount="10", due=-1), bill(mine, "SOON-1", amount="20", due=7), bill(other, "FAR-1", due=8)
    bill(other, "PAID-1", balance=Decimal(0))
    page = client.get("/bills").text
    assert "$130.00" in page and "$10.00" in page and "$20.00" in page
    found = {
        state: [number for number in ("LATE-1", "SOON-1", "FAR-1", "PAID-1")
                if number in client.get("/bills", query_string={"state": state}).text]
        for state in ("open", "overdue", "soon", "paid")
    }  # fmt: skip
    assert found == {
        "open": ["LATE-1", "SOON-1", "FAR-1"],
        "overdue": ["LATE-1"],
        "soon": ["SOON-1"],
        "paid": ["PAID-1"],
    }
    page = client.get(f"/bills?vendor={other}&since=2020-01-01").text
    assert "FAR-1" in page and "SOON-1" not in page and "From 2020-01-01" in page
    assert "Nothing found" in client.get("/bills?until=2020-01-01").text
    assert "SOON-1" in client.get("/bills?q=gravel+soon").text


def test_lists_are_exported_as_they_are_narrowed(client: FlaskClient, keeper: User) -> None:
    mine = vendor()
    bill(mine, "LATE-1", due=-1), bill(mine, "FAR-1", due=9)
    rows = list(csv.reader(io.StringIO(client.get("/bills/export.csv?state=overdue").text.lstrip("\ufeff"))))
    assert [row[1] for row in rows] == ["Number", "LATE-1"] and rows[1][-1] == "Overdue"
    assert "Concrete Supply" in client.get("/vendors/export.csv").text
    actions = db.session.scalars(select(AuditEntry.action).where(AuditEntry.action.endswith("exported"))).all()
    assert sorted(actions) == ["bills_exported", "vendors_exported"]


# --- vendors --------------------------------------------------------------------------------------------------


def test_a_vendor_is_made_and_noted_for_the_books(client: FlaskClient, keeper: User) -> None:
    answer = client.post("/vendors", data={"display_name": "New Quarry", "phone": "555", "city": "Alma"})
    made = db.session.scalars(select(Vendor)).one()
    assert answer.headers["Location"] == f"/vendors/{made.id}"
    assert (made.phone, made.address, made.edited_at is None) == ("555", {"city": "Alma"}, False)
    entry = db.session.scalars(select(OutboxEntry)).one()
    assert (entry.kind, entry.operation, entry.local_id) == ("vendor", "create", made.id)
    page = client.get(f"/vendors/{made.id}").text
    assert "Nothing is open" in page and "Waiting" in page and "Vendor New Quarry" in page


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"display_name": " "}, "The name is empty"),
        ({"display_name": "A:B"}, "holds a colon"),
        ({"display_name": "concrete supply"}, "is a vendor already"),
        ({"display_name": "Taken"}, "is a customer in QuickBooks"),
        ({"display_name": "ida voss"}, "is an employee in QuickBooks"),
        ({"display_name": "New", "email": "nobody"}, "is no e-mail address"),
        ({"display_name": "New", "phone": "5" * 31}, "QuickBooks keeps 30"),
    ],
)
def test_a_vendor_that_cannot_be_is_refused_and_what_was_typed_stays(
    client: FlaskClient, keeper: User, said: dict[str, str], words: str
) -> None:
    vendor()
    connection_id = db.session.scalars(select(Connection.id)).one()
    add(Customer(connection_id=connection_id, remote_id="9", display_name="Taken", seen_at=clock.now()))
    add(ListEntry(connection_id=connection_id, kind="employee", remote_id="8", name="Ida Voss", seen_at=clock.now()))
    answer = client.post("/vendors", data={"company_name": "Kept As Typed", **said})
    assert answer.status_code == 422 and words in answer.text and "Kept As Typed" in answer.text
    assert len(db.session.scalars(select(Vendor)).all()) == 1


def test_two_people_who_change_a_vendor_lose_nothing(client: FlaskClient, keeper: User) -> None:
    id_ = vendor(phone="1", city="Alma")
    old = {"display_name": "Concrete Supply", "phone": "1", "city": "Alma", "lock": "1"}
    assert client.post(f"/vendors/{id_}", data={**old, "city": "Paxico"}).status_code == 303
    answer = client.post(f"/vendors/{id_}", data={**old, "phone": "2"})
    assert answer.status_code == 409 and "Paxico" in answer.text and "Alma" in answer.text
    lock = stored(Vendor, id_).lock
    chosen = {**old, "phone": "2", "lock": str(lock), "pick-city": "theirs"}
    assert client.post(f"/vendors/{id_}", data=chosen).status_code == 303
    assert (stored(Vendor, id_).phone, stored(Vendor, id_).address) == ("2", {"city": "Paxico"})


def test_a_vendor_that_is_owed_money_stays_in_use(client: FlaskClient, keeper: User) -> None:
    id_ = vendor()
    owed = bill(id_)
    answer = client.post(f"/vendors/{id_}/deactivate", data={"lock": stored(Vendor, id_).lock})
    assert answer.status_code == 409 and "still owed money" in answer.text
    client.post(f"/bills/{owed}/delete", data={"lock": stored(Bill, owed).lock})
    client.post(f"/vendors/{id_}/deactivate", data={"lock": stored(Vendor, id_).lock})
    assert stored(Vendor, id_).active is False
    client.post(f"/vendors/{id_}/reactivate", data={"lock": stored(Vendor, id_).lock})
    assert stored(Vendor, id_).active is True


# --- bills ----------------------------------------------------------------------------------------------------


def test_a_bill_is_written_down_with_lines(client: FlaskClient, keeper: User) -> None:
    id_ = vendor()
    more = {"lines-2-account": "61", "lines-2-amount": "$1,000", "lines-3-account": "60"}
    answer = client.post("/bills", data=form(vendor_id=str(id_), **more))
    made = db.session.scalars(select(Bill)).one()
    assert answer.headers["Location"] == f"/bills/{made.id}"
    assert (made.total, made.balance, made.date) == (Decimal("1012.50"), Decimal("1012.50"), date(2026, 11, 2))
    assert [(line["account"], line["amount"]) for line in made.lines] == [("60", "12.5"), ("61", "1000")]
    assert {entry.kind for entry in db.session.scalars(select(OutboxEntry))} == {"vendor", "bill"}
    page = client.get(f"/bills/{made.id}").text
    assert "Two loads" in page and "Materials" in page and "Nothing was paid yet" in page


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"vendor_id": ""}, "Choose whose bill it is"),
        ({"date": "yesterday"}, "write a day from 1990 to 2100 as 2026-11-30"),
        ({"date": "0026-11-02"}, "write a day from 1990 to 2100"),
        ({"due_date": "2026-01-01"}, "due before its own date"),
        ({"number": "9" * 22}, "QuickBooks keeps 21"),
        ({"lines-1-amount": "twelve"}, "is no number"),
        ({"lines-1-amount": ""}, "Line 1 has no amount"),
        ({"lines-1-amount": "-5"}, "less than zero"),
        ({"lines-1-account": ""}, "choose the account"),
        ({"lines-1-account": "", "lines-1-product": "Nothing Like It"}, "no product is called"),
        ({"lines-1-customer": "Nobody"}, "no customer is called"),
        ({"lines-1-billable": "1"}, "which customer it is for"),
    ],
)
def test_a_bill_that_cannot_be_is_refused_and_what_was_typed_stays(
    client: FlaskClient, keeper: User, said: dict[str, str], words: str
) -> None:
    answer = client.post("/bills", data={**form(vendor_id=str(vendor()), private_note="Kept as typed"), **said})
    assert answer.status_code == 422 and words in answer.text
    assert "Kept as typed" in answer.text and "Two loads" in answer.text
    assert db.session.scalars(select(Bill)).all() == []


def test_lines_are_added_and_removed_by_buttons_alone(client: FlaskClient, keeper: User) -> None:
    id_ = vendor()
    bill(id_, account="61")
    page = client.post("/bills", data=form(vendor_id=str(id_), action="add")).text
    assert (
        "Line 2" in page
        and "Two loads" in page
        and db.session.scalar(select(Bill.id).where(Bill.number == "N-1")) is None
    )
    assert '<option value="61" selected>' in page  # what this vendor's bills are booked to
    page = client.post("/bills", data=form(vendor_id=str(id_), action="remove:1")).text
    assert "Two loads" not in page and "Line 1" in page


def test_accounts_of_expenses_are_offered_and_the_vendors_usual_one_is_the_default(
    client: FlaskClient, keeper: User
) -> None:
    id_ = vendor()
    page = client.get(f"/bills/new?vendor={id_}").text
    assert "Fuel" in page and "Materials" in page and ">Old<" not in page and "Checking" not in page
    for number, account in (("1", "61"), ("2", "61"), ("3", "60")):
        bill(id_, number, account=account)
    assert queries.usual_account(db.session(), id_) == "61"
    assert '<option value="61" selected>' in client.get(f"/bills/new?vendor={id_}").text
    answer = client.post("/bills", data=form(vendor_id=str(id_), **{"lines-1-account": ""}))
    assert answer.status_code == 303
    db.session.remove()
    made = db.session.scalars(select(Bill).where(Bill.number == "N-1")).one()
    assert made.lines[0]["account"] == "61"


def test_a_bill_with_payments_is_neither_changed_nor_deleted(client: FlaskClient, keeper: User) -> None:
    id_ = bill(vendor(), payments=[{"remote_id": "5", "date": "2026-11-05", "amount": "40"}], balance=Decimal(60))
    page = client.get(f"/bills/{id_}").text
    assert "$40.00" in page and "Partly paid" in page and "Edit" not in page.split("</header>")[0]
    assert client.get(f"/bills/{id_}/edit").status_code == 400
    answer = client.post(f"/bills/{id_}/delete", data={"lock": stored(Bill, id_).lock})
    assert answer.status_code == 409 and "There are payments on this bill" in answer.text


def test_two_people_who_change_a_bill_lose_nothing(client: FlaskClient, keeper: User) -> None:
    vendor_id = vendor()
    id_ = bill(vendor_id)
    lock = str(stored(Bill, id_).lock)
    assert (
        client.post(f"/bills/{id_}", data=form(vendor_id=str(vendor_id), number="FIRST", lock=lock)).status_code == 303
    )
    answer = client.post(f"/bills/{id_}", data=form(vendor_id=str(vendor_id), number="SECOND", lock=lock))
    assert answer.status_code == 409 and "FIRST" in answer.text and "SECOND" in answer.text
    now = str(stored(Bill, id_).lock)
    assert f'name="lock" value="{now}"' in answer.text
    client.post(f"/bills/{id_}", data=form(vendor_id=str(vendor_id), number="SECOND", lock=now))
    assert stored(Bill, id_).number == "SECOND"


def test_who_may_not_write_sees_everything_and_changes_nothing(client: FlaskClient, sign_in: Any) -> None:
    books()
    vendor_id = vendor()
    id_ = bill(vendor_id)
    sign_in("rep")
    for address in ("/vendors", f"/vendors/{vendor_id}", "/bills", f"/bills/{id_}"):
        page = client.get(address)
        assert page.status_code == 200 and "New bill" not in page.text and "New vendor" not in page.text
    for address in ("/vendors", "/bills", f"/vendors/{vendor_id}", f"/bills/{id_}", f"/bills/{id_}/delete"):
        assert client.post(address, data=form()).status_code == 403


def test_without_a_company_they_are_kept_here_and_sent_later(client: FlaskClient, sign_in: Any) -> None:
    sign_in("bookkeeper")
    vendor_id = vendor()
    assert db.session.scalars(select(OutboxEntry)).all() == []
    books()
    page = client.get(f"/vendors/{vendor_id}").text
    assert "Create in QuickBooks" in page
    client.post(f"/vendors/{vendor_id}/send")
    assert db.session.scalars(select(OutboxEntry.kind)).all() == ["vendor"]
