"""Vendors and bills between our rows and the books, both ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from crm import clock
from crm.db import db, transaction
from crm.domain import purchases
from crm.domain.errors import Invalid, Refused
from crm.domain.purchases import BillLine, BillTyped, VendorValues
from crm.models import Bill, BillPayment, Conflict, Connection, Link, Vendor
from crm.services import bills, conflicts, vendors
from crm.services.sync.outbox import lookups, parked, sending
from crm.services.sync.purchases import taking
from crm.services.sync.work import Batch, books_of
from sandbox import Served, serving
from tests.flows.changes import Company
from tests.flows.imports import everything, run_import
from tests.flows.sending import PERSON, due_now, entries, linked_contact, writable
from tests.images import after_import
from tests.quickbooks import quickbooks  # noqa: F401

ACCOUNT = "22"


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=60, seed=5) as served:
        served.sandbox.postman.paused = True
        yield served


@pytest.fixture
def company(app: Flask, quickbooks: Served) -> Connection:  # noqa: F811
    connection = writable(quickbooks)
    after_import(connection.id, quickbooks)
    return connection


@pytest.fixture
def books(company: Connection, sandbox: Served, client: FlaskClient) -> Company:
    return Company(sandbox, client, company)


def test_an_import_gives_every_vendor_and_bill_a_row_with_the_books_own_figures(
    company: Connection, sandbox: Served
) -> None:
    vendors = {row["Id"]: row for row in everything(sandbox, "Vendor")}
    bills = {row["Id"]: row for row in everything(sandbox, "Bill")}
    paid = {row["Id"]: row for row in everything(sandbox, "BillPayment")}
    assert bills and paid
    ours = {row.remote_id: row for row in db.session.scalars(select(Bill))}
    assert ours.keys() == bills.keys()
    for remote_id, body in bills.items():
        row = ours[remote_id]
        assert (row.number, row.total, row.balance) == (body["DocNumber"], body["TotalAmt"], body["Balance"])
        assert row.vendor_id is not None and row.lines
        links = [link["TxnId"] for link in body.get("LinkedTxn", ()) if link["TxnType"] == "BillPaymentCheck"]
        assert sorted(one["remote_id"] for one in row.payments) == sorted(links)
        assert sum(Decimal(one["amount"]) for one in row.payments) == row.total - row.balance
    there = {row.remote_id: row for row in db.session.scalars(select(Vendor))}
    assert vendors.keys() <= there.keys()
    assert all(there[id_].balance == body["Balance"] for id_, body in vendors.items())
    assert {row.remote_id for row in db.session.scalars(select(BillPayment))} == paid.keys()
    linked = db.session.execute(select(Link.kind, Link.remote_id).where(Link.kind.in_(("vendor", "bill")))).all()
    assert len(linked) == len(there) + len(ours)
    assert entries() == []


def test_a_second_import_changes_nothing(company: Connection) -> None:
    def state() -> list[Any]:
        db.session.remove()
        return [
            *db.session.execute(select(Bill.id, Bill.lock, Bill.updated_at).order_by(Bill.id)).all(),
            *db.session.execute(select(Vendor.id, Vendor.lock, Vendor.updated_at).order_by(Vendor.id)).all(),
        ]

    before = state()
    assert run_import(company.id).state == "done"
    assert state() == before


# --- there to here --------------------------------------------------------------------------------------------


def test_a_bill_paid_there_is_paid_here_and_open_again_when_the_payment_is_deleted(books: Company) -> None:
    bill = an_open_bill(books)
    owed = db.session.get_one(Vendor, bill.vendor_id).balance
    assert owed is not None
    paid = pay(books, bill)
    assert {event.outcome for event in books.told()} <= {"changed", "unchanged"}
    row = bill_of(bill.id)
    assert row.balance == 0
    assert [(one["remote_id"], Decimal(one["amount"])) for one in row.payments] == [(paid["Id"], bill.total)]
    assert db.session.get_one(Vendor, bill.vendor_id).balance == owed - bill.total
    books.api.write("BillPayment", {"Id": paid["Id"], "SyncToken": paid["SyncToken"]}, operation="delete")
    books.told()
    row = bill_of(bill.id)
    assert (row.balance, row.payments) == (bill.total, [])
    assert db.session.get_one(Vendor, bill.vendor_id).balance == owed


def test_what_is_made_changed_and_deleted_there_comes_here(books: Company) -> None:
    vendor = books.api.write("Vendor", {"DisplayName": "Prairie Concrete", "PrimaryPhone": {"FreeFormNumber": "555"}})
    said = {"VendorRef": {"value": vendor["Id"]}, "DocNumber": "P-1", "Line": [expense("12.50")]}
    bill = books.api.write("Bill", said)
    books.told()
    row = db.session.scalars(select(Vendor).where(Vendor.remote_id == vendor["Id"])).one()
    ours = db.session.scalars(select(Bill).where(Bill.remote_id == bill["Id"])).one()
    assert (row.display_name, row.phone, row.balance) == ("Prairie Concrete", "555", Decimal("12.50"))
    assert (ours.vendor_id, ours.number, ours.total) == (row.id, "P-1", Decimal("12.50"))
    books.api.write("Vendor", {**stub(vendor), "Active": False})
    books.api.write("Bill", {"Id": bill["Id"], "SyncToken": bill["SyncToken"]}, operation="delete")
    books.told()
    db.session.remove()
    assert bill_of(ours.id).gone_at is not None
    assert db.session.get_one(Vendor, row.id).active is False
    assert db.session.scalars(select(Link.state).where(Link.kind == "bill", Link.local_id == ours.id)).one() == "gone"


# --- here to there --------------------------------------------------------------------------------------------


def test_a_bill_of_a_new_vendor_arrives_after_its_vendor_and_both_sides_agree(books: Company) -> None:
    vendor_id = make_vendor("Flint Hills Gravel", phone="785 555 0100", city="Alma")
    bill_id = make_bill(vendor_id, "G-77", BillLine(account=ACCOUNT, description="Two loads", amount="240.10"))
    assert [entry.kind for entry in entries()] == ["vendor", "bill"]
    send(books)
    vendor, bill = vendor_of(vendor_id), bill_of(bill_id)
    assert (vendor.edited_at, bill.edited_at) == (None, None)
    there = books.api.read("Vendor", str(vendor.remote_id))
    assert (there["DisplayName"], there["BillAddr"]["City"]) == ("Flint Hills Gravel", "Alma")
    body = books.api.read("Bill", str(bill.remote_id))
    [line] = body["Line"]
    assert (body["VendorRef"]["value"], body["DocNumber"]) == (vendor.remote_id, "G-77")
    assert body["TotalAmt"] == Decimal("240.10")
    assert line["AccountBasedExpenseLineDetail"]["AccountRef"]["value"] == ACCOUNT
    assert (bill.total, bill.balance, bill.lines[0]["remote_id"]) == (Decimal("240.10"), Decimal("240.10"), line["Id"])
    assert {event.outcome for event in books.told()} == {"echo", "changed"}  # the vendor owes more since the bill
    assert vendor_of(vendor_id).balance == Decimal("240.10")
    run_import(books.connection.id)
    assert {entry.state for entry in entries()} == {"done"}
    assert len(named(books, "Vendor", "Flint Hills Gravel")) == 1


def test_edits_arrive_without_touching_what_is_not_ours(books: Company) -> None:
    bill = an_open_bill(books)
    before = books.api.read("Bill", str(bill.remote_id))
    change_bill(bill.id, number="NEW-9", private_note="Delivered late")
    change_vendor(bill.vendor_id, phone="913 555 0199", line1="1 Quarry Road")
    vendor = books.api.read("Vendor", bill.vendor_remote_id)
    send(books)
    after = books.api.read("Bill", str(bill.remote_id))
    assert (after["DocNumber"], after["PrivateNote"]) == ("NEW-9", "Delivered late")
    left = ("Line", "VendorRef", "TotalAmt", "APAccountRef", "TxnDate", "DueDate")
    assert [after.get(name) for name in left] == [before.get(name) for name in left]
    now = books.api.read("Vendor", bill.vendor_remote_id)
    assert now["PrimaryPhone"]["FreeFormNumber"] == "913 555 0199" and now["BillAddr"]["Line1"] == "1 Quarry Road"
    left = ("DisplayName", "AcctNum", "Vendor1099", "GivenName", "PrimaryEmailAddr")
    assert [now.get(name) for name in left] == [vendor.get(name) for name in left]
    assert bill_of(bill.id).edited_at is None


def test_a_bill_is_deleted_there_and_a_vendor_taken_out_of_use_and_back(books: Company) -> None:
    vendor_id = make_vendor("Short Lived")
    bill_id, other_id = (
        make_bill(vendor_id, number, BillLine(account=ACCOUNT, amount="5")) for number in ("D-1", "D-2")
    )
    send(books)
    with transaction() as session, pytest.raises(Refused):
        vendors.deactivate(session, vendor_id, lock=session.get_one(Vendor, vendor_id).lock, actor=PERSON,
                           now=clock.now())  # fmt: skip
    with transaction() as session:
        for id_ in (bill_id, other_id):
            bills.delete(session, id_, lock=session.get_one(Bill, id_).lock, actor=PERSON, now=clock.now())
    books.api.write("Bill", stub(books.api.read("Bill", str(bill_of(other_id).remote_id))), operation="delete")
    send(books)
    assert bill_of(bill_id).gone_at is not None and bill_of(other_id).gone_at is not None
    assert not [entry for entry in entries() if entry.state == "parked"]  # the one deleted there meanwhile needs nobody
    assert named(books, "Bill", "D-1", field="DocNumber") == []
    books.told()
    for operation, active in (("deactivate", False), ("reactivate", True)):
        with transaction() as session:
            lock = session.get_one(Vendor, vendor_id).lock
            getattr(vendors, operation)(session, vendor_id, lock=lock, actor=PERSON, now=clock.now())
        send(books)
        vendor = vendor_of(vendor_id)
        assert (vendor.active, vendor.display_name) == (active, "Short Lived")
        assert books.api.read("Vendor", str(vendor.remote_id))["Active"] is active


def test_what_was_never_sent_is_taken_back_without_a_call(books: Company) -> None:
    vendor_id = make_vendor("Second Thoughts")
    bill_id = make_bill(vendor_id, "T-1", BillLine(account=ACCOUNT, amount="5"))
    with transaction() as session:
        bills.delete(session, bill_id, lock=session.get_one(Bill, bill_id).lock, actor=PERSON, now=clock.now())
    send(books)
    assert bill_of(bill_id).gone_at is not None and named(books, "Bill", "T-1", field="DocNumber") == []


def test_lines_with_products_and_billable_customers_arrive(books: Company) -> None:
    _, customer = linked_contact(books.connection.id)
    name = books.api.read("Customer", customer)["DisplayName"]
    item = next(one for one in everything(books.served, "Item") if one["Type"] == "NonInventory" and one["Active"])
    vendor_id = make_vendor("Supply House")
    bill_id = make_bill(
        vendor_id, "S-1",
        BillLine(product=item["Name"], quantity="3", unit_price="33.335", customer=name, billable="1"),
        BillLine(account=ACCOUNT, amount="10", description="Freight"),
    )  # fmt: skip
    send(books)
    bill = bill_of(bill_id)
    assert bill.remote_id, [(entry.state, entry.error) for entry in entries()]
    first = books.api.read("Bill", bill.remote_id)["Line"][0]
    detail = first["ItemBasedExpenseLineDetail"]
    assert (detail["ItemRef"]["value"], detail["Qty"], first["Amount"]) == (item["Id"], 3, Decimal("100.01"))
    assert (detail["CustomerRef"]["value"], detail["BillableStatus"]) == (customer, "Billable")
    assert bill.total == Decimal("110.01")


# --- both at once ---------------------------------------------------------------------------------------------


def test_edits_of_other_fields_on_both_sides_both_survive(books: Company) -> None:
    bill = an_open_bill(books)
    change_bill(bill.id, number="OURS-1")
    change_vendor(bill.vendor_id, account_number="OURS")
    body, vendor = books.api.read("Bill", str(bill.remote_id)), books.api.read("Vendor", bill.vendor_remote_id)
    books.api.write("Bill", {**body, "PrivateNote": "Theirs"})
    books.api.write("Vendor", {**stub(vendor), "PrimaryEmailAddr": {"Address": "theirs@example.com"}})
    books.told()
    assert (bill_of(bill.id).number, bill_of(bill.id).private_note) == ("OURS-1", "Theirs")
    assert vendor_of(bill.vendor_id).email == "theirs@example.com"
    send(books)
    after, vendor = books.api.read("Bill", str(bill.remote_id)), books.api.read("Vendor", bill.vendor_remote_id)
    assert (after["DocNumber"], after["PrivateNote"]) == ("OURS-1", "Theirs")
    assert (vendor["AcctNum"], vendor["PrimaryEmailAddr"]["Address"]) == ("OURS", "theirs@example.com")
    assert db.session.scalars(select(Conflict)).all() == []


@pytest.mark.parametrize("choice", ["ours", "theirs"])
def test_lines_changed_on_both_sides_are_decided_whole(books: Company, choice: str) -> None:
    bill = an_open_bill(books)
    change_bill(bill.id, lines=(BillLine(account=ACCOUNT, description="Ours", amount="111"),))
    body = books.api.read("Bill", str(bill.remote_id))
    books.api.write("Bill", {**body, "Line": [expense("222")]})
    books.told()
    send(books)
    conflict = db.session.scalars(select(Conflict)).one()
    assert (conflict.kind, conflict.field, conflict.reason) == ("bill", "lines", "both_changed")
    assert "111.00" in conflict.ours and "222.00" in conflict.theirs
    assert books.api.read("Bill", str(bill.remote_id))["TotalAmt"] == 222  # nothing was sent
    with transaction():
        conflicts.resolve(conflict.id, choice, actor=PERSON, now=clock.now())
    send(books)
    total = Decimal(111 if choice == "ours" else 222)
    assert books.api.read("Bill", str(bill.remote_id))["TotalAmt"] == total
    row = bill_of(bill.id)
    assert (row.total, row.balance, len(row.lines), row.edited_at) == (total, total, 1, None)


def test_a_bill_paid_there_meanwhile_is_not_changed_from_here(books: Company) -> None:
    bill = an_open_bill(books)
    change_bill(bill.id, lines=(BillLine(account=ACCOUNT, amount="1"),))
    pay(books, bill)
    books.told()
    send(books)
    [entry] = entries(kind="bill")
    assert (entry.state, entry.cause) == ("parked", "settled")
    assert books.api.read("Bill", str(bill.remote_id))["TotalAmt"] == bill.total


# --- names ----------------------------------------------------------------------------------------------------


def test_a_name_taken_by_a_customer_is_refused_here_and_parked_there(books: Company) -> None:
    _, customer = linked_contact(books.connection.id)
    name = books.api.read("Customer", customer)["DisplayName"]
    with pytest.raises(Invalid, match="is a customer in QuickBooks"):
        make_vendor(name)
    vendor_id = make_vendor("Taken Meanwhile")
    books.api.write("Customer", {"DisplayName": "Taken Meanwhile"})
    send(books)
    [entry] = entries(kind="vendor")
    assert (entry.state, entry.cause) == ("parked", "duplicate_name")
    [holder] = entry.evidence["holders"]
    assert (holder["kind"], holder["adoptable"]) == ("customer", False)
    free = entry.evidence["suffix"]
    with transaction():
        parked.use_name(entry.id, free, actor=PERSON, now=clock.now())
    send(books)
    vendor = vendor_of(vendor_id)
    assert vendor.remote_id and entries(kind="vendor")[0].state == "done"
    assert books.api.read("Vendor", vendor.remote_id)["DisplayName"] == free


def test_a_name_taken_by_a_vendor_can_be_adopted_and_nothing_is_made_twice(books: Company) -> None:
    vendor_id = make_vendor("Same Firm", phone="1 555 1212")
    bill_id = make_bill(vendor_id, "A-1", BillLine(account=ACCOUNT, amount="9"))
    there = books.api.write("Vendor", {"DisplayName": "Same Firm", "AcctNum": "77"})
    send(books)
    [entry] = entries(kind="vendor")
    assert (entry.state, entry.cause, entry.evidence["holders"][0]["adoptable"]) == ("parked", "duplicate_name", True)
    with transaction():
        parked.adopt(entry.id, there["Id"], actor=PERSON, now=clock.now())
    send(books)
    vendor = vendor_of(vendor_id)
    assert (vendor.remote_id, vendor.phone) == (there["Id"], "1 555 1212")
    body = books.api.read("Vendor", there["Id"])
    assert (body["PrimaryPhone"]["FreeFormNumber"], body["AcctNum"]) == ("1 555 1212", "77")
    assert bill_of(bill_id).remote_id and len(named(books, "Vendor", "Same Firm")) == 1
    assert db.session.scalar(select(func.count()).select_from(Vendor).where(Vendor.remote_id == there["Id"])) == 1


def test_a_vendor_whose_answer_was_lost_long_ago_is_found_by_its_name(books: Company) -> None:
    vendor_id = make_vendor("Lost Answer Supply")
    books.served.sandbox.script.set([{"action": "drop_after", "path": "/batch"}])
    send(books)
    [made] = named(books, "Vendor", "Lost Answer Supply")
    due_now(failures=lookups.DOUBTFUL)
    sending.send(books.connection.id, clock=clock.now)
    [entry] = entries(kind="vendor")
    assert (entry.state, entry.generation, vendor_of(vendor_id).remote_id) == ("done", 1, made["Id"])


def test_the_event_of_our_own_write_that_comes_before_its_answer_makes_no_second_row(books: Company) -> None:
    vendor_id = make_vendor("Echo First")
    there = books.api.write("Vendor", {"DisplayName": "Echo First"})
    books.told()
    with transaction() as session:
        batch = Batch(session, books_of(session.get_one(Connection, books.connection.id)), clock.now())
        taking.unite(batch, "vendor", vendor_id, there["Id"])
    assert db.session.scalars(select(Vendor.id).where(Vendor.display_name == "Echo First")).all() == [vendor_id]
    links = db.session.scalars(select(Link.local_id).where(Link.kind == "vendor", Link.remote_id == there["Id"])).all()
    assert links == [vendor_id]


# --- helpers --------------------------------------------------------------------------------------------------


def expense(amount: str) -> dict[str, Any]:
    detail = {"AccountRef": {"value": ACCOUNT}}
    return {"Amount": Decimal(amount), "DetailType": "AccountBasedExpenseLineDetail",
            "AccountBasedExpenseLineDetail": detail}  # fmt: skip


def stub(body: dict[str, Any]) -> dict[str, Any]:
    return {"Id": body["Id"], "SyncToken": body["SyncToken"], "sparse": True}


def pay(books: Company, bill: Bill) -> dict[str, Any]:
    bank = next(one for one in everything(books.served, "Account") if one["AccountType"] == "Bank")
    line = {"Amount": bill.total, "LinkedTxn": [{"TxnId": bill.remote_id, "TxnType": "Bill"}]}
    return books.api.write("BillPayment", {
        "VendorRef": {"value": bill.vendor_remote_id}, "PayType": "Check", "TotalAmt": bill.total, "Line": [line],
        "CheckPayment": {"BankAccountRef": {"value": bank["Id"]}},
    })  # fmt: skip


def an_open_bill(books: Company) -> Bill:
    """One that was written down there, and has come here."""
    vendor = next(one for one in everything(books.served, "Vendor") if one["Active"])
    said = {"VendorRef": {"value": vendor["Id"]}, "DocNumber": "B-100", "TxnDate": "2026-11-03",
            "DueDate": "2026-12-03", "Line": [expense("80"), expense("19.99")]}  # fmt: skip
    made = books.api.write("Bill", said)
    books.told()
    found = db.session.scalars(select(Bill).where(Bill.remote_id == made["Id"])).one()
    db.session.expunge(found)
    return found


def vendor_of(vendor_id: int | None) -> Vendor:
    db.session.remove()
    return db.session.get_one(Vendor, vendor_id)


def bill_of(bill_id: int) -> Bill:
    db.session.remove()
    return db.session.get_one(Bill, bill_id)


def make_vendor(name: str, **said: str) -> int:
    with transaction() as session:
        values = VendorValues(display_name=name, **said)
        return vendors.create(session, values, actor=PERSON, now=clock.now()).id


def make_bill(vendor_id: int, number: str, *lines: BillLine) -> int:
    typed = BillTyped(str(vendor_id), number, "2026-11-02", "2026-12-02", "", lines)
    with transaction() as session:
        return bills.create(session, typed, actor=PERSON, now=clock.now()).id


def change_vendor(vendor_id: int | None, **said: str) -> None:
    with transaction() as session:
        vendor = session.get_one(Vendor, vendor_id)
        values = replace(purchases.vendor_of(vendor), **said)
        vendors.change(session, vendor.id, values, lock=vendor.lock, actor=PERSON, now=clock.now())


def change_bill(bill_id: int, **said: Any) -> None:
    with transaction() as session:
        bill = session.get_one(Bill, bill_id)
        typed = replace(bills.typed(session, bill), **said)
        bills.change(session, bill_id, typed, lock=bill.lock, actor=PERSON, now=clock.now())


def send(books: Company) -> None:
    due_now()
    sending.send(books.connection.id, clock=clock.now)


def named(books: Company, entity: str, name: str, field: str = "DisplayName") -> list[dict[str, Any]]:
    return [row for row in everything(books.served, entity) if row.get(field) == name]
