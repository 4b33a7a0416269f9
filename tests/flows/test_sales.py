"""Quotes and invoices between our rows and the books, both ways: whole, once, and never over somebody's head."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import func, select

from crm import clock
from crm.db import db, transaction
from crm.domain import sales_sheets
from crm.domain.record_documents import DocumentRecord, LineRecord
from crm.domain.record_parts import Origin, Ref
from crm.domain.sales import Line
from crm.domain.sales_content import Content
from crm.models import (
    Conflict,
    Connection,
    Document,
    Item,
    Link,
    MoneyFacts,
    OutboxEntry,
    Product,
    SalesDocument,
    SyncLogEntry,
)
from crm.queries import quotes as quote_lists
from crm.queries import sync_settings
from crm.services import connections, sales_documents, sales_tax
from crm.services.sync import settings
from crm.services.sync.imports.fetch import Names
from crm.services.sync.inbox import intake
from crm.services.sync.mirror import kinds as incoming
from crm.services.sync.outbox import parked, sending, verdicts
from crm.services.sync.work import Batch, books_of
from sandbox import Served, serving
from tests.flows.imports import everything, run_import
from tests.flows.sending import PERSON, due_now, entries, linked_contact, new_contacts, only, writable
from tests.images import after_import

TODAY = clock.now().date()


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=30, seed=5) as served:
        yield served


@pytest.fixture
def company(app: Flask, quickbooks: Served) -> Connection:
    connection = writable(quickbooks)
    after_import(connection.id, quickbooks)
    return connection


def product(served: Served, connection: Connection) -> Product:
    """A product of ours that the books know."""
    body = next(one for one in everything(served, "Item") if one["Type"] == "Service" and one["Active"])
    with transaction() as session:
        item = session.scalar(select(Item).where(Item.connection_id == connection.id, Item.remote_id == body["Id"]))
        known = session.get(Product, item.product_id) if item is not None and item.product_id else None
        if known is None:
            known = Product(name=body["Name"], sort_name=body["Name"].lower(), created_at=clock.now(),
                            updated_at=clock.now())  # fmt: skip
            session.add(known)
            session.flush()
            session.add(Item(connection_id=connection.id, remote_id=body["Id"], name=body["Name"],
                             seen_at=clock.now(), product_id=known.id))  # fmt: skip
            session.add(Link(connection_id=connection.id, kind="item", local_id=known.id, remote_id=body["Id"],
                             linked_at=clock.now(), synced_at=clock.now()))  # fmt: skip
        return known


def make(
    connection: Connection, sold: Product, contact_id: int, *, kind: str = "estimate", state: str = "sent",
    title: str = "",
) -> int:  # fmt: skip
    content = Content(
        contact_id=contact_id, title=title, date=TODAY, expires_on=TODAY + timedelta(days=30),
        customer_memo="Thank you",
        due_date=TODAY + timedelta(days=10) if kind == "invoice" else None,
        lines=(
            Line(kind="section", key="s", description="North wall"),
            Line(key="a", item=str(sold.id), name=sold.name, description="Straps", quantity=Decimal(3),
                 unit_price=Decimal("33.335"), taxable=False),
            Line(key="o", item=str(sold.id), name=sold.name, unit_price=Decimal(99), optional=True, taxable=False),
        ),
    )  # fmt: skip
    with transaction():
        document = sales_documents.new(kind, content, state=state, actor=PERSON, now=clock.now())
        sales_documents.to_books(document, sales_documents.changed_fields(Content(), content), actor=PERSON,
                                 now=clock.now())  # fmt: skip
        return document.id


def edit(document_id: int, **values: Any) -> None:
    with transaction():
        document = sales_documents.find(document_id)
        before = sales_documents.content_of(document)
        after = replace(before, **values)
        sales_documents.write(document, after, now=clock.now())
        sales_documents.to_books(document, sales_documents.changed_fields(before, after), actor=PERSON, now=clock.now())


def send(connection: Connection) -> None:
    due_now()
    sending.send(connection.id, clock=clock.now)


def there(served: Served, entity: str, remote_id: str) -> dict[str, Any]:
    return next(row for row in everything(served, entity) if row["Id"] == remote_id)


def remote_id(document_id: int, kind: str) -> str:
    found = db.session.scalar(select(Link.remote_id).where(Link.kind == kind, Link.local_id == document_id))
    assert found is not None
    return found


def fresh(document_id: int) -> SalesDocument:
    db.session.remove()
    return sales_documents.find(document_id)


def test_an_import_gives_every_estimate_and_invoice_a_row_with_the_books_own_figures(company: Connection) -> None:
    for kind in ("estimate", "invoice"):
        mirrored = {
            row.remote_id: row
            for row in db.session.scalars(select(Document).where(Document.kind == kind, Document.gone_at.is_(None)))
        }
        links = {row.remote_id: row.local_id for row in db.session.scalars(select(Link).where(Link.kind == kind))}
        assert mirrored.keys() == links.keys()
        for remote, row in mirrored.items():
            ours = sales_documents.find(links[remote])
            assert (ours.total, ours.balance, ours.number, ours.contact_id) == (
                row.total, row.balance if kind == "invoice" else None, row.number, row.contact_id
            )  # fmt: skip
            assert ours.total == ours.subtotal - ours.discount + ours.tax
            assert len(ours.lines) >= 1
    assert entries() == []


def test_a_second_import_changes_nothing(company: Connection) -> None:
    before = db.session.execute(select(SalesDocument.id, SalesDocument.lock).order_by(SalesDocument.id)).all()
    run_import(company.id)
    db.session.remove()
    assert db.session.execute(select(SalesDocument.id, SalesDocument.lock).order_by(SalesDocument.id)).all() == before


def test_a_quote_arrives_as_an_estimate_without_its_options_and_is_agreed_on(
    company: Connection, quickbooks: Served
) -> None:
    contact_id, customer = linked_contact(company.id)
    quote = make(company, product(quickbooks, company), contact_id)
    send(company)
    assert [(one.state, one.error) for one in entries(kind="estimate")] == [("done", "")]
    body = there(quickbooks, "Estimate", remote_id(quote, "estimate"))
    assert (body["CustomerRef"]["value"], body["TotalAmt"], body["TxnStatus"]) == (
        customer,
        Decimal("100.01"),
        "Pending",
    )
    kinds = [line["DetailType"] for line in body["Line"]]
    assert kinds == ["DescriptionOnly", "SalesItemLineDetail", "SubTotalLineDetail"]
    ours = fresh(quote)
    assert (ours.edited_at, ours.books_total, ours.number) == (None, Decimal("100.01"), body.get("DocNumber", ""))
    assert [(line.kind, bool(line.remote_id), line.chosen) for line in ours.lines] == [
        ("section", True, True), ("item", True, True), ("item", False, False)
    ]  # fmt: skip
    run_import(company.id)
    assert [one.state for one in entries(kind="estimate")] == ["done"]
    assert len(fresh(quote).lines) == 3


def test_a_lead_becomes_a_customer_with_its_first_quote(company: Connection, quickbooks: Served) -> None:
    [lead] = new_contacts("Quentin Fresh")
    quote = make(company, product(quickbooks, company), lead)
    for _ in range(2):
        send(company)
    assert {(one.kind, one.state) for one in entries(state="done")} == {("customer", "done"), ("estimate", "done")}
    body = there(quickbooks, "Estimate", remote_id(quote, "estimate"))
    assert body["CustomerRef"]["name"] == "Quentin Fresh"


def test_what_the_books_mailed_or_printed_is_with_the_customer_and_what_is_merely_pending_is_not_said_to_be(
    company: Connection,
) -> None:
    _, customer = linked_contact(company.id)

    def arrive(remote: str, **said: str) -> str:
        line = LineRecord("1", kind="item", description="Straps", quantity=Decimal(1), unit_price=Decimal(7),
                          amount=Decimal(7))  # fmt: skip
        record = DocumentRecord(
            "estimate",
            Origin(remote, "0"),
            Ref(customer),
            number=remote,
            date=TODAY,
            status="pending",
            total=Decimal(7),
            lines=(line,),
            **said,
        )  # type: ignore[arg-type]
        with transaction() as session:
            incoming.take(Batch(session, books_of(company), clock.now()), "estimate", [record], Names(known={}))
        return db.session.scalars(select(SalesDocument.state).where(SalesDocument.number == remote)).one()

    before = quote_lists.figures(today=TODAY)
    assert arrive("90001", email_status="sent") == "sent"
    assert arrive("90002", print_status="printed") == "sent"
    assert arrive("90003", email_status="to_send") == "draft"
    assert arrive("90003", print_status="printed") == "sent"
    assert arrive("90004") == "draft"
    after = quote_lists.figures(today=TODAY)
    assert after.open.number - before.open.number == 3
    assert after.pending.number - before.pending.number == 1


def test_an_amount_our_columns_cannot_hold_refuses_its_document_and_no_other(company: Connection) -> None:
    _, customer = linked_contact(company.id)
    amounts = {"90011": Decimal("7.00001"), "90012": Decimal(7)}
    records = [
        DocumentRecord("invoice", Origin(id_, "0"), Ref(customer), number=id_, date=TODAY, total=Decimal(7),
                       balance=Decimal(7), lines=(LineRecord("1", kind="item", amount=amount),))
        for id_, amount in amounts.items()
    ]  # fmt: skip
    with transaction() as session:
        incoming.take(Batch(session, books_of(company), clock.now()), "invoice", records, Names(known={}))
    numbers = select(SalesDocument.number).where(SalesDocument.number.in_(amounts))
    assert db.session.scalars(numbers).all() == ["90012"]
    refused = select(SyncLogEntry.remote_id).where(SyncLogEntry.event == "record_refused")
    assert db.session.scalars(refused).all() == ["90011"]


def test_a_draft_stays_here(company: Connection, quickbooks: Served) -> None:
    contact_id, _ = linked_contact(company.id)
    make(company, product(quickbooks, company), contact_id, state="draft")
    assert entries() == []


def test_edits_of_different_fields_on_both_sides_end_alike_on_both(company: Connection, quickbooks: Served) -> None:
    contact_id, _ = linked_contact(company.id)
    invoice = make(company, product(quickbooks, company), contact_id, kind="invoice", state="open")
    send(company)
    remote = remote_id(invoice, "invoice")
    body = there(quickbooks, "Invoice", remote)
    perform(
        quickbooks, "Invoice", {"Id": remote, "SyncToken": body["SyncToken"], "sparse": True, "PrivateNote": "theirs"}
    )
    edit(invoice, customer_memo="ours")
    for _ in range(3):
        send(company)
    body, ours = there(quickbooks, "Invoice", remote), fresh(invoice)
    assert (body["CustomerMemo"]["value"], body["PrivateNote"]) == ("ours", "theirs")
    assert (ours.customer_memo, ours.private_note, ours.edited_at) == ("ours", "theirs", None)


def test_lines_changed_on_both_sides_are_asked_about_and_never_mixed(company: Connection, quickbooks: Served) -> None:
    contact_id, _ = linked_contact(company.id)
    sold = product(quickbooks, company)
    invoice = make(company, sold, contact_id, kind="invoice", state="open")
    send(company)
    remote = remote_id(invoice, "invoice")
    body = there(quickbooks, "Invoice", remote)
    lines = [line for line in body["Line"] if line["DetailType"] != "SubTotalLineDetail"]
    lines[1]["SalesItemLineDetail"]["Qty"], lines[1]["Amount"] = 4, Decimal("133.34")
    perform(quickbooks, "Invoice", {"Id": remote, "SyncToken": body["SyncToken"], "sparse": True, "Line": lines})
    kept = sales_documents.content_of(fresh(invoice))
    edit(invoice, lines=tuple(replace(one, quantity=Decimal(5)) if one.quantity == 3 else one for one in kept.lines))
    for _ in range(3):
        send(company)
    conflict = db.session.scalars(select(Conflict).where(Conflict.state == "open")).one()
    assert (conflict.kind, conflict.local_id, conflict.field) == ("invoice", invoice, "lines")
    assert "166.68" in conflict.ours and "133.34" in conflict.theirs
    assert there(quickbooks, "Invoice", remote)["TotalAmt"] == Decimal("133.34")
    assert fresh(invoice).total == Decimal("166.68")


def test_a_void_and_a_deletion_here_are_one_there(company: Connection, quickbooks: Served) -> None:
    contact_id, _ = linked_contact(company.id)
    sold = product(quickbooks, company)
    voided, deleted = (make(company, sold, contact_id, kind="invoice", state="open") for _ in range(2))
    send(company)
    ids = {one: remote_id(one, "invoice") for one in (voided, deleted)}
    with transaction():
        for one, operation in ((voided, "void"), (deleted, "delete")):
            document = sales_documents.find(one)
            sales_documents.to_books(document, [], operation=operation, actor=PERSON, now=clock.now())
    send(company)
    assert (fresh(voided).state, fresh(voided).total) == ("void", Decimal(0))
    assert fresh(deleted).gone_at is not None
    assert ids[deleted] not in {row["Id"] for row in everything(quickbooks, "Invoice")}
    assert there(quickbooks, "Invoice", ids[voided])["PrivateNote"].startswith("Voided")


def test_what_shall_end_and_is_deleted_there_meanwhile_needs_nobody(company: Connection, quickbooks: Served) -> None:
    contact_id, _ = linked_contact(company.id)
    sold = product(quickbooks, company)
    ended = {make(company, sold, contact_id, kind="invoice", state="open"): how for how in ("void", "delete")}
    send(company)
    for one, operation in ended.items():
        body = there(quickbooks, "Invoice", remote_id(one, "invoice"))
        perform(quickbooks, "Invoice", {"Id": body["Id"], "SyncToken": body["SyncToken"]}, operation="delete")
        with transaction():
            sales_documents.to_books(sales_documents.find(one), [], operation=operation, actor=PERSON, now=clock.now())
    for _ in range(2):
        send(company)
    assert [entry.state for entry in entries(kind="invoice")] == ["done", "done", "dropped", "dropped"]
    assert all(fresh(one).gone_at for one in ended)


def test_a_note_written_here_never_covers_that_it_is_void_there(company: Connection, quickbooks: Served) -> None:
    contact_id, _ = linked_contact(company.id)
    invoice = make(company, product(quickbooks, company), contact_id, kind="invoice", state="open")
    send(company)
    remote = remote_id(invoice, "invoice")
    version = there(quickbooks, "Invoice", remote)["SyncToken"]
    perform(quickbooks, "Invoice", {"Id": remote, "SyncToken": version}, operation="void")
    edit(invoice, private_note="ours", customer_memo="ours")
    for _ in range(3):
        send(company)
    body, ours = there(quickbooks, "Invoice", remote), fresh(invoice)
    assert body["PrivateNote"].startswith("Voided") and ours.private_note == body["PrivateNote"]
    assert (body["CustomerMemo"]["value"], ours.customer_memo, ours.state) == ("ours", "ours", "void")


def test_a_deposit_that_is_taken_out_here_is_taken_out_there(company: Connection, quickbooks: Served) -> None:
    set_company(quickbooks, preferences={"SalesFormsPrefs.AllowDeposit": True})
    with transaction() as session:
        session.get_one(Connection, company.id).preferences = {"allows_deposit": True}
    contact_id, _ = linked_contact(company.id)
    invoice = make(company, product(quickbooks, company), contact_id, kind="invoice", state="open")
    send(company)
    for kind, value, left in (("amount", Decimal(20), "80.01"), ("", None, "100.01")):
        edit(invoice, deposit_kind=kind, deposit_value=value)
        send(company)
        body = there(quickbooks, "Invoice", remote_id(invoice, "invoice"))
        assert (body.get("Deposit", 0), body["Balance"]) == (value or 0, Decimal(left))
        assert (fresh(invoice).deposit, fresh(invoice).balance) == (value or 0, Decimal(left))


def test_a_sent_invoice_has_its_customers_balance_read_at_once(company: Connection, quickbooks: Served) -> None:
    contact_id, _ = linked_contact(company.id)
    before = db.session.get_one(MoneyFacts, contact_id).balance
    assert before is not None
    make(company, product(quickbooks, company), contact_id, kind="invoice", state="open")
    send(company)
    intake.take_in(company.id, clock=clock.now)
    db.session.remove()
    assert db.session.get_one(MoneyFacts, contact_id).balance == before + Decimal("100.01")


def test_tax_codes_of_the_books_tax_a_quote_here_as_they_do_there(company: Connection, quickbooks: Served) -> None:
    codes = sales_tax.codes(db.session(), company.id)
    rates = {row["Id"]: row["RateValue"] for row in everything(quickbooks, "TaxRate")}
    listed = {
        row["Id"]: sorted(rates[one["TaxRateRef"]["value"]] for one in row["SalesTaxRateList"]["TaxRateDetail"])
        for row in everything(quickbooks, "TaxCode") if row.get("SalesTaxRateList", {}).get("TaxRateDetail")
    }  # fmt: skip
    assert listed
    assert {id_: sorted(rate.percent for rate in codes[id_]) for id_ in listed} == listed


def test_what_the_books_do_not_know_of_a_quote_keeps_its_place_and_its_name(
    company: Connection, quickbooks: Served
) -> None:
    contact_id, _ = linked_contact(company.id)
    sold = product(quickbooks, company)
    quote = make(company, sold, contact_id)
    kept = sales_documents.content_of(fresh(quote))
    option = kept.lines[2]
    last = Line(
        kind="item", key="z", item=str(sold.id), name="Ours", quantity=Decimal(1), unit_price=Decimal(5), taxable=False
    )
    edit(quote, lines=(kept.lines[0], option, kept.lines[1], last))
    send(company)
    run_import(company.id)
    ours = fresh(quote)
    assert [(line.kind, line.optional, line.amount) for line in ours.lines] == [
        ("section", False, None), ("item", True, Decimal("99.00")), ("item", False, Decimal("100.01")),
        ("item", False, Decimal("5.00")),
    ]  # fmt: skip
    assert [row.amount for row in sales_sheets.of_document(ours).rows] == [
        Decimal("105.01"), Decimal("99.00"), Decimal("100.01"), Decimal("5.00")
    ]  # fmt: skip


@pytest.mark.parametrize("given_up", [False, True])
def test_a_lost_answer_makes_no_second_invoice(company: Connection, quickbooks: Served, given_up: bool) -> None:
    contact_id, _ = linked_contact(company.id)
    before = len(everything(quickbooks, "Invoice"))
    quickbooks.sandbox.script.set([{"action": "drop_after", "path": "/batch"}])
    invoice = make(company, product(quickbooks, company), contact_id, kind="invoice", state="open")
    send(company)
    assert only(kind="invoice").state == "frozen"
    if given_up:  # after many tries, by a person; then it is edited
        lost = only(kind="invoice").id
        with transaction() as session:
            entry = session.get_one(OutboxEntry, lost)
            batch = Batch(session, books_of(company), clock.now())
            verdicts.park_sent(batch, entry, "no_answer", "No clear answer.", {}, certain=False)
            parked.drop(entry.id, actor=PERSON, now=clock.now())
        edit(invoice, customer_memo="ours")
    send(company)
    assert len(everything(quickbooks, "Invoice")) == before + 1
    assert {entry.state for entry in entries(kind="invoice")} == {"done"}
    memo = there(quickbooks, "Invoice", remote_id(invoice, "invoice"))["CustomerMemo"]["value"]
    assert memo == ("ours" if given_up else "Thank you")
    assert (
        db.session.scalar(
            select(func.count()).select_from(Link).where(Link.local_id == invoice, Link.kind == "invoice")
        )
        == 1
    )


def test_a_custom_field_is_filled_from_the_title_and_follows_it(company: Connection, quickbooks: Served) -> None:
    set_company(quickbooks, custom_fields=["Job name"])
    connections.describe(company.id, clock=clock.now)
    [definition] = sync_settings.custom_fields(db.session(), company.id)
    with transaction() as session:
        settings.change(session, company.id, "invoice", custom_fields={definition.definition_id: "title"}, version=0,
                        actor=PERSON, now=clock.now())  # fmt: skip
    contact_id, _ = linked_contact(company.id)
    invoice = make(company, product(quickbooks, company), contact_id, kind="invoice", state="open", title="North wall")
    send(company)
    assert custom(there(quickbooks, "Invoice", remote_id(invoice, "invoice"))) == {"Job name": "North wall"}
    fresh(invoice)
    edit(invoice, title="South wall")
    send(company)
    assert custom(there(quickbooks, "Invoice", remote_id(invoice, "invoice"))) == {"Job name": "South wall"}
    assert fresh(invoice).edited_at is None


def custom(body: dict[str, Any]) -> dict[str, str]:
    return {one["Name"]: one["StringValue"] for one in body.get("CustomField", ()) if one.get("StringValue")}


def set_company(served: Served, **values: Any) -> None:
    answer = requests.post(f"{served.url}/_sandbox/company", json={"realm": served.realm, **values}, timeout=10)
    assert answer.status_code == 200, answer.text


def perform(served: Served, entity: str, body: dict[str, Any], operation: str = "update") -> None:
    """As the owner in QuickBooks itself."""
    answer = requests.post(
        f"{served.url}/_sandbox/perform", timeout=10, headers={"Content-Type": "application/json"},
        data=json.dumps({"entity": entity, "operation": operation, "body": body}, default=str),
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
