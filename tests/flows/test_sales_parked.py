"""Quotes and invoices that wait for a person in the outbox, and what each button comes to in the books."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Refused
from crm.models import Conflict, Connection, Item, OutboxEntry, SalesDocument
from crm.services import parked_documents, sales_documents
from crm.services.sync.outbox import parked
from sandbox import Served, serving
from tests.flows.imports import everything, run_import
from tests.flows.sending import PERSON, entries, linked_contact, new_contacts, only, writable
from tests.flows.test_sales import edit, fresh, make, perform, product, remote_id, send, there
from tests.images import after_import


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=30, seed=5) as served:
        yield served


@pytest.fixture
def company(app: Flask, quickbooks: Served) -> Connection:
    connection = writable(quickbooks)
    after_import(connection.id, quickbooks)
    return connection


def numbered(company: Connection, quickbooks: Served, number: str) -> int:
    """An invoice with this number, handed to the books."""
    contact_id, _ = linked_contact(company.id)
    invoice = make(company, product(quickbooks, company), contact_id, kind="invoice", state="open")
    edit(invoice, number=number)
    send(company)
    return invoice


def taken_number(quickbooks: Served, *, by: int = 0) -> str:
    return str(sorted(row["DocNumber"] for row in everything(quickbooks, "Invoice") if row.get("DocNumber"))[by])


def test_a_taken_number_shows_both_documents_and_the_next_number_mends_it(
    company: Connection, quickbooks: Served
) -> None:
    number = taken_number(quickbooks)
    invoice = numbered(company, quickbooks, number)
    entry = only(kind="invoice")
    assert (entry.state, entry.cause) == ("parked", "duplicate_number")
    [bearer] = parked_documents.bearers(entry)
    [theirs] = [row for row in everything(quickbooks, "Invoice") if row.get("DocNumber") == number]
    assert (bearer.remote_id, dict((title, amount) for title, amount, _ in bearer.theirs.figures)["Total"]) == (
        theirs["Id"], theirs["TotalAmt"]
    )  # fmt: skip
    with transaction():
        parked_documents.next_number(entry.id, actor=PERSON, now=clock.now())
    send(company)
    assert only(kind="invoice").state == "done"
    given = there(quickbooks, "Invoice", remote_id(invoice, "invoice"))["DocNumber"]
    assert given != number and fresh(invoice).number == given


def test_a_document_there_is_taken_for_ours_where_nobody_wrote_it_here(company: Connection, quickbooks: Served) -> None:
    number = taken_number(quickbooks, by=1)
    before = len(everything(quickbooks, "Invoice"))
    invoice = numbered(company, quickbooks, number)
    entry = only(kind="invoice")
    [bearer] = parked_documents.bearers(entry)
    assert bearer.adoptable and bearer.document_id is not None
    with transaction():
        parked_documents.adopt(entry.id, bearer.remote_id, actor=PERSON, now=clock.now())
    for _ in range(2):
        send(company)
    assert len(everything(quickbooks, "Invoice")) == before
    assert remote_id(invoice, "invoice") == bearer.remote_id
    assert there(quickbooks, "Invoice", bearer.remote_id)["TotalAmt"] == fresh(invoice).total == Decimal("100.01")
    assert fresh(bearer.document_id).gone_at is not None
    run_import(company.id)
    assert fresh(bearer.document_id).gone_at is not None and fresh(invoice).gone_at is None


def test_a_document_there_that_was_written_here_is_nobody_elses(company: Connection, quickbooks: Served) -> None:
    first = numbered(company, quickbooks, "WRITTEN-1")
    numbered(company, quickbooks, "WRITTEN-1")
    entry = only(kind="invoice", state="parked")
    [bearer] = parked_documents.bearers(entry)
    assert (bearer.document_id, bearer.adoptable) == (first, False)
    with pytest.raises(Refused, match="written here"), transaction():
        parked_documents.adopt(entry.id, bearer.remote_id, actor=PERSON, now=clock.now())


def deleted_there(company: Connection, quickbooks: Served) -> tuple[int, OutboxEntry]:
    """An invoice changed here and deleted there, parked."""
    contact_id, _ = linked_contact(company.id)
    invoice = make(company, product(quickbooks, company), contact_id, kind="invoice", state="open")
    send(company)
    body = there(quickbooks, "Invoice", remote_id(invoice, "invoice"))
    perform(quickbooks, "Invoice", {"Id": body["Id"], "SyncToken": body["SyncToken"]}, "delete")
    edit(invoice, customer_memo="Second visit")
    for _ in range(2):
        send(company)
    entry = only(kind="invoice", state="parked")
    assert entry.cause == "gone"
    return invoice, entry


def test_what_is_gone_there_is_created_again_with_what_was_changed_here(
    company: Connection, quickbooks: Served
) -> None:
    invoice, entry = deleted_there(company, quickbooks)
    gone = remote_id(invoice, "invoice")
    with transaction():
        parked_documents.create_again(entry.id, actor=PERSON, now=clock.now())
    send(company)
    ours = fresh(invoice)
    body = there(quickbooks, "Invoice", remote_id(invoice, "invoice"))
    assert body["Id"] != gone and (body["TotalAmt"], body["CustomerMemo"]["value"]) == (ours.total, "Second visit")
    assert (ours.gone_at, ours.edited_at, ours.total) == (None, None, Decimal("100.01"))


def test_what_is_gone_there_is_deleted_here(company: Connection, quickbooks: Served) -> None:
    invoice, entry = deleted_there(company, quickbooks)
    with transaction():
        parked_documents.delete_here(entry.id, actor=PERSON, now=clock.now())
    send(company)
    assert fresh(invoice).gone_at is not None
    assert {one.state for one in entries(kind="invoice")} == {"done", "dropped"}


def test_an_inactive_product_is_made_active_there_and_the_invoice_follows(
    company: Connection, quickbooks: Served
) -> None:
    sold = product(quickbooks, company)
    item = db.session.scalars(select(Item).where(Item.product_id == sold.id)).one()
    body = there(quickbooks, "Item", item.remote_id)
    perform(quickbooks, "Item", {"Id": body["Id"], "SyncToken": body["SyncToken"], "sparse": True, "Active": False})
    run_import(company.id)
    contact_id, _ = linked_contact(company.id)
    invoice = make(company, sold, contact_id, kind="invoice", state="open")
    send(company)
    entry = only(kind="invoice")
    assert (entry.state, entry.cause, entry.evidence["products"]) == ("parked", "reference", [sold.id])
    with transaction():
        parked_documents.reactivate(entry.id, actor=PERSON, now=clock.now())
    for _ in range(4):
        send(company)
    assert there(quickbooks, "Item", item.remote_id)["Active"] is True
    assert only(kind="invoice").state == "done" and fresh(invoice).books_total == Decimal("100.01")


def test_closed_books_are_said_before_a_call_is_spent(company: Connection, quickbooks: Served) -> None:
    with transaction() as session:
        connection = session.get_one(Connection, company.id)
        connection.preferences = {**connection.preferences, "books_closed_until": clock.now().date().isoformat()}
    contact_id, _ = linked_contact(company.id)
    make(company, product(quickbooks, company), contact_id, kind="invoice", state="open")
    send(company)
    assert (only(kind="invoice").state, only(kind="invoice").cause) == ("parked", "closed_books")


def test_what_waits_behind_a_contact_is_counted_across_kinds(company: Connection, quickbooks: Served) -> None:
    [lead] = new_contacts("Walter Behind")
    sold = product(quickbooks, company)
    for kind, state in (("estimate", "sent"), ("invoice", "open"), ("invoice", "open")):
        make(company, sold, lead, kind=kind, state=state)
    entry = only(kind="customer", state="pending")
    assert parked.waiting_behind(db.session(), [entry.id])[entry.id] == {"estimate": 1, "invoice": 2}


def test_the_pages_show_it(company: Connection, quickbooks: Served, client: FlaskClient, sign_in: object) -> None:
    number = taken_number(quickbooks, by=2)
    numbered(company, quickbooks, number)
    entry = only(kind="invoice")
    sign_in("admin")  # type: ignore[operator]
    page = client.get(f"/sync/outbox/{entry.id}").text
    for text in (f"Invoice {number}", "Number is taken", "Use the next number", "Ours", "Theirs, no.", "Link to this"):
        assert text in page, text
    assert f"Invoice {number}" in client.get("/sync/outbox?tab=parked").text
    assert f"/sync/outbox/{entry.id}" in client.get(f"/sync/outbox?tab=parked&q={number}").text
    client.post(f"/sync/outbox/{entry.id}/do/next_number")
    db.session.remove()
    assert db.session.get_one(OutboxEntry, entry.id).state == "pending"
    assert db.session.get_one(SalesDocument, entry.local_id).number != number


def test_the_desk_shows_both_documents(
    company: Connection, quickbooks: Served, client: FlaskClient, sign_in: object
) -> None:
    contact_id, _ = linked_contact(company.id)
    invoice = make(company, product(quickbooks, company), contact_id, kind="invoice", state="open")
    send(company)
    body = there(quickbooks, "Invoice", remote_id(invoice, "invoice"))
    lines = [line for line in body["Line"] if line["DetailType"] != "SubTotalLineDetail"]
    lines[1]["SalesItemLineDetail"]["Qty"], lines[1]["Amount"] = 4, Decimal("133.34")
    perform(quickbooks, "Invoice", {"Id": body["Id"], "SyncToken": body["SyncToken"], "sparse": True, "Line": lines})
    kept = sales_documents.content_of(fresh(invoice))
    edit(invoice, lines=tuple(replace(one, quantity=Decimal(5)) if one.quantity == 3 else one for one in kept.lines))
    for _ in range(2):
        send(company)
    sign_in("admin")  # type: ignore[operator]
    listed = client.get("/sync/conflicts").text
    assert "Lines and amounts" in listed and "Invoice" in listed
    conflict_id = db.session.scalars(select(Conflict.id)).one()
    shown = client.get(f"/sync/conflicts/{conflict_id}").text
    for text in ("<b>$166.68</b>", "<b>$133.34</b>", "Keep ours", "Take QuickBooks", 'data-key="1"', "Make it the"):
        assert text in shown, text
    assert client.post(f"/sync/conflicts/{conflict_id}", data={"choice": "theirs"}).status_code == 303
    assert fresh(invoice).total == Decimal("133.34")
