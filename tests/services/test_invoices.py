"""Invoices here: what may be done with one at a moment, what follows from it, and what is refused with a way out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Changed, Invalid, Refused
from crm.domain.sales import Line
from crm.domain.sales_content import Content
from crm.models import (
    Connection,
    Contact,
    Document,
    Link,
    ListEntry,
    OutboxEntry,
    Payment,
    PaymentApplication,
    Receipt,
    ReceiptPart,
    SalesDocument,
    SalesEvent,
    TimelineEntry,
)
from crm.services import invoice_drafts, invoices, quote_progress, quotes, sales_documents
from crm.services.audit import Actor
from tests.factories import ContactFactory

KIM, NOW = Actor("kim@example.com"), clock.now()
TODAY = NOW.date()


def content(**values: Any) -> Content:
    with transaction():
        contact_id = ContactFactory.create().id
    plain = Content(
        contact_id=contact_id, currency="USD", date=TODAY,
        lines=(
            Line(key="a", name="Carbon strap", quantity=Decimal(3), unit_price=Decimal("33.335")),
            Line(key="b", name="Paint", unit_price=Decimal(20)),
            Line(key="c", name="Sealant", unit_price=Decimal(40), optional=True),
        ),
    )  # fmt: skip
    return replace(plain, **values)


def company(**preferences: Any) -> Connection:
    with transaction() as session:
        row = Connection(provider="quickbooks", realm_id="1", realm_fingerprint="one", state="connected",
                         company_name="Test", country="US", currency="USD", time_zone="UTC", connected_at=NOW,
                         preferences=preferences)  # fmt: skip
        session.add(row)
    return row


def draft(**values: Any) -> SalesDocument:
    given = content(**values)
    with transaction():
        return invoice_drafts.create(given, actor=KIM, now=NOW)


def do(deed: Any, document: SalesDocument, **more: Any) -> SalesDocument:
    with transaction():
        return deed(document.id, lock=sales_documents.find(document.id).lock, actor=KIM, now=NOW, **more)


def finished(**values: Any) -> SalesDocument:
    return do(invoices.finish, draft(**values))


def in_books(
    document: SalesDocument, *, paid: Decimal = Decimal(0), record: dict[str, Any] | None = None, remote_id: str = "77"
) -> None:
    """As it stands once it has arrived there, and this much was paid."""
    with transaction() as session:
        row = sales_documents.find(document.id)
        row.books_total, row.books_tax, row.balance, row.edited_at = row.total, row.tax, row.total - paid, None
        for entry in session.scalars(select(OutboxEntry).where(OutboxEntry.local_id == document.id)):
            entry.state = "done"
        session.add(Link(connection_id=row.connection_id, kind="invoice", local_id=row.id, remote_id=remote_id,
                         linked_at=NOW, synced_at=NOW))  # fmt: skip
        session.add(Document(connection_id=row.connection_id, kind="invoice", remote_id=remote_id,
                             customer_remote_id="5", contact_id=row.contact_id, date=row.date, total=row.total,
                             balance=row.total - paid, record=record or {}, seen_at=NOW))  # fmt: skip


def pay(document: SalesDocument, amount: Decimal, **record: Any) -> None:
    row = sales_documents.find(document.id)
    with transaction() as session:
        session.add(Payment(connection_id=row.connection_id, remote_id="9", customer_remote_id="5", date=TODAY,
                            total=amount, unapplied=Decimal(0), record=record, seen_at=NOW))  # fmt: skip
        session.add(PaymentApplication(connection_id=row.connection_id, payment_remote_id="9", document_kind="invoice",
                                       document_remote_id="77", amount=amount))  # fmt: skip


def entries() -> list[tuple[str, str]]:
    db.session.remove()
    query = select(OutboxEntry.operation, OutboxEntry.state).where(OutboxEntry.kind == "invoice")
    return [(one.operation, one.state) for one in db.session.execute(query.order_by(OutboxEntry.id))]


def told(document: SalesDocument) -> list[str]:
    query = select(SalesEvent.event).where(SalesEvent.document_id == document.id).order_by(SalesEvent.id)
    return list(db.session.scalars(query))


# --- made -----------------------------------------------------------------------------------------------------


def test_a_draft_stays_here_and_is_due_by_its_terms(app: Flask) -> None:
    connection = company()
    with transaction() as session:
        session.add(ListEntry(connection_id=connection.id, kind="term", remote_id="3", name="Net 30", seen_at=NOW,
                              details={"type": "STANDARD", "due_days": 30}))  # fmt: skip
    made = draft(terms="3")
    assert (made.state, made.due_date, made.total, made.balance) == (
        "draft", TODAY + timedelta(days=30), Decimal("120.01"), Decimal("120.01")
    )  # fmt: skip
    assert entries() == []
    assert told(made) == ["created"]


def test_a_finished_one_goes_to_the_books_and_a_held_one_waits(app: Flask) -> None:
    company()
    sent, kept = finished(), do(invoices.finish, draft(), hold=True)
    assert (sent.state, kept.state, kept.hold) == ("open", "open", True)
    assert entries() == [("create", "pending")]
    do(invoices.release, kept)
    assert entries() == [("create", "pending"), ("create", "pending")]


def test_holding_back_takes_back_what_waits_but_not_what_may_be_there(app: Flask) -> None:
    company()
    one, two = finished(), finished()
    do(invoices.hold, one)
    assert entries() == [("create", "dropped"), ("create", "pending")]
    with transaction() as session:
        mine = (OutboxEntry.kind == "invoice", OutboxEntry.local_id == two.id)
        entry = session.scalars(select(OutboxEntry).where(*mine)).one()
        entry.state, entry.request_key = "parked", "k1"
    with pytest.raises(Refused, match="on its way"):
        do(invoices.hold, two)
    assert sales_documents.find(two.id).hold is False


def test_one_that_is_not_there_yet_is_deleted_at_once_with_what_waits(app: Flask) -> None:
    company()
    made = finished()
    with pytest.raises(Refused, match="Delete it instead"):
        do(invoices.void, made)
    do(invoices.delete, made)
    assert entries() == [("create", "dropped")]
    assert sales_documents.find(made.id).gone_at is not None
    with pytest.raises(Refused, match="was deleted"):
        do(invoices.delete, made)


def test_one_without_a_customer_or_due_before_its_date_is_told_so(app: Flask) -> None:
    company()
    given = content(contact_id=None, due_date=TODAY - timedelta(days=1))
    with pytest.raises(Invalid) as wrong, transaction():
        invoice_drafts.create(given, actor=KIM, now=NOW)
    assert set(wrong.value.fields) == {"contact_id", "due_date"}


def test_closed_books_refuse_a_new_invoice_of_that_time(app: Flask) -> None:
    company(books_closed_until=TODAY.isoformat())
    with pytest.raises(Invalid) as wrong:
        draft()
    assert list(wrong.value.fields) == ["date"]


def test_a_copy_is_a_draft_of_today_without_deposit_and_quote(app: Flask) -> None:
    company()
    old = draft(date=TODAY - timedelta(days=90), deposit_kind="amount", deposit_value=Decimal(20))
    with transaction():
        made = invoice_drafts.duplicate(old.id, actor=KIM, now=NOW)
    assert (made.state, made.date, made.deposit, made.total) == ("draft", TODAY, Decimal(0), old.total)
    assert {line.id for line in made.lines}.isdisjoint(line.id for line in old.lines)


# --- of a quote -----------------------------------------------------------------------------------------------


def accepted(**values: Any) -> SalesDocument:
    given = content(**values)
    with transaction():
        quote = sales_documents.new("estimate", given, state="accepted", actor=KIM, now=NOW)
        quote.number = "Q-7"
        return quote


def invoiced(quote: SalesDocument, **more: Any) -> SalesDocument:
    with transaction():
        lock = sales_documents.find(quote.id).lock
        return invoice_drafts.from_quote(quote.id, lock=lock, actor=KIM, now=NOW, **more)


def test_an_invoice_of_a_whole_quote_comes_to_the_same_and_remembers_its_lines(app: Flask) -> None:
    company(allows_deposit=True)
    quote = accepted(discount_kind="amount", discount_value=Decimal("10.01"))
    made = invoiced(quote, deposit_paid=Decimal(30))
    assert (made.total, made.deposit, made.balance) == (Decimal("110.00"), Decimal("30.00"), Decimal("80.00"))
    assert [line.from_line_id for line in made.lines] == [line.id for line in quote.lines if not line.optional]
    db.session.expire_all()
    fresh = sales_documents.find(quote.id)
    assert (fresh.state, made.quote_id, told(fresh)) == ("invoiced", quote.id, ["invoice"])
    with pytest.raises(Refused, match="invoiced"):
        invoiced(quote)


def test_chosen_lines_take_their_share_of_a_discount(app: Flask) -> None:
    company()
    quote = accepted(discount_kind="percent", discount_value=Decimal(10))
    made = invoiced(quote, line_ids=[quote.lines[1].id, quote.lines[2].id])
    assert ([line.name for line in made.lines], made.subtotal, made.total) == (
        ["Paint", "Sealant"], Decimal("60.00"), Decimal("54.00")
    )  # fmt: skip


def test_more_than_the_invoice_is_no_deposit_of_it(app: Flask) -> None:
    company(allows_deposit=True)
    with pytest.raises(Invalid) as wrong:
        invoiced(accepted(), deposit_paid=Decimal(500))
    assert "record the rest" in wrong.value.fields["deposit_paid"].lower()


def test_a_quote_is_free_again_when_its_invoice_is_deleted(app: Flask) -> None:
    company()
    quote = accepted()
    made = invoiced(quote)
    do(invoices.delete, made)
    db.session.expire_all()
    fresh = sales_documents.find(quote.id)
    assert (fresh.state, told(fresh)) == ("accepted", ["invoice", "release"])
    assert invoiced(fresh).quote_id == quote.id


def test_a_lead_that_takes_a_quote_or_gets_an_invoice_is_a_customer_once(app: Flask) -> None:
    def contact_of(document: SalesDocument) -> tuple[str, list[str]]:
        db.session.expire_all()
        contact = db.session.get_one(Contact, document.contact_id)
        verbs = select(TimelineEntry.verb).where(TimelineEntry.contact_id == contact.id)
        return contact.type, [verb for verb in db.session.scalars(verbs) if verb == "became_customer"]

    def lead(kind: str, **values: Any) -> SalesDocument:
        with transaction():
            contact_id = ContactFactory.create(type=kind).id
        given = content(contact_id=contact_id)
        with transaction():
            return sales_documents.new("estimate", given, actor=KIM, now=NOW, **values)

    company()
    quote = lead("lead", state="sent")
    assert contact_of(quote) == ("lead", [])
    do(quotes.accept, quote, by="Ann")
    made = invoiced(quote)
    do(invoices.finish, made)
    assert contact_of(quote) == ("customer", ["became_customer"])
    vendor = lead("vendor", state="sent")
    do(quotes.accept, vendor, by="Bea")
    assert contact_of(vendor) == ("vendor", [])
    unpaid = draft(contact_id=lead("lead", state="sent").contact_id)
    assert contact_of(unpaid)[0] == "lead"
    assert contact_of(do(invoices.finish, unpaid))[0] == "customer"


def left_of(quote: SalesDocument) -> tuple[str, list[str], Decimal]:
    """(state, lines that are left, what they come to)"""
    db.session.expire_all()
    fresh = sales_documents.find(quote.id)
    progress = quote_progress.of(fresh)
    names = [line.name for line in fresh.lines if line.id in progress.left and not line.optional]
    return fresh.state, names, progress.total


def test_a_quote_is_invoiced_in_parts_until_nothing_is_left(app: Flask) -> None:
    company(allows_deposit=True)
    quote = accepted(discount_kind="amount", discount_value=Decimal("10.01"))
    assert left_of(quote) == ("accepted", ["Carbon strap", "Paint"], Decimal("110.00"))
    first = invoiced(quote, line_ids=[quote.lines[0].id], deposit_paid=Decimal(30))
    assert left_of(quote) == ("accepted", ["Paint"], Decimal("110.00") - first.total)
    with pytest.raises(Refused, match="Void or delete the invoice first"), transaction():
        quotes.revise(quote.id, lock=sales_documents.find(quote.id).lock, actor=KIM, now=NOW)
    with pytest.raises(Invalid) as twice:
        invoiced(quote, deposit_paid=Decimal(1))
    assert "30.00 of the deposit stands on invoice" in twice.value.fields["deposit_paid"]
    second = invoiced(quote)
    assert (first.total + second.total, left_of(quote)) == (Decimal("110.00"), ("invoiced", [], Decimal(0)))
    do(invoices.delete, second)
    assert left_of(quote) == ("accepted", ["Paint"], second.total)


def test_a_line_taken_out_of_a_draft_is_left_of_its_quote(app: Flask) -> None:
    company()
    quote = accepted()
    made = invoiced(quote)
    lines = sales_documents.content_of(made).lines
    made = change(made, lines=(replace(lines[0], quantity=Decimal(1)), lines[1]))
    state, names, total = left_of(quote)
    assert (state, names, total + made.total) == ("accepted", ["Carbon strap"], quote.total)
    change(made, lines=lines)
    assert left_of(quote)[0] == "invoiced"


# --- changed --------------------------------------------------------------------------------------------------


def change(document: SalesDocument, **values: Any) -> SalesDocument:
    with transaction():
        fresh = sales_documents.find(document.id)
        after = replace(sales_documents.content_of(fresh), **values)
        return invoice_drafts.change(document.id, after, lock=fresh.lock, actor=KIM, now=NOW)


def test_a_note_changes_no_figure_the_books_have_made(app: Flask) -> None:
    company()
    made = finished()
    in_books(made)
    with transaction():
        row = sales_documents.find(made.id)
        row.tax = row.books_tax = Decimal("8.01")
        row.total = row.books_total = row.balance = Decimal("128.02")
    change(made, customer_memo="Thank you")
    db.session.expire_all()
    row = sales_documents.find(made.id)
    assert (row.tax, row.total, row.balance, row.customer_memo) == (
        Decimal("8.01"), Decimal("128.02"), Decimal("128.02"), "Thank you"
    )  # fmt: skip
    assert entries()[-1] == ("update", "pending")


def test_a_paid_invoice_takes_notes_and_no_amounts(app: Flask) -> None:
    company()
    made = finished()
    in_books(made, paid=Decimal("120.01"))
    change(made, private_note="Paid at the door")
    with pytest.raises(Refused, match="paid in full"):
        change(made, lines=(Line(key="z", name="More", unit_price=Decimal(500)),))
    with pytest.raises(Refused, match="Payments or credits"):
        do(invoices.void, made)


def test_an_edit_never_brings_the_total_below_what_is_paid(app: Flask) -> None:
    company()
    made = finished()
    in_books(made, paid=Decimal(100))
    with pytest.raises(Invalid) as wrong:
        change(made, lines=(Line(key="z", name="Less", unit_price=Decimal(99)),))
    assert "100.00 USD of this invoice is paid" in wrong.value.fields["lines"]
    change(made, lines=(Line(key="z", name="More", unit_price=Decimal(150)),))
    db.session.expire_all()
    assert sales_documents.find(made.id).balance == Decimal("50.00")


def test_money_received_here_and_not_there_yet_counts(app: Flask) -> None:
    company()
    made = finished()
    in_books(made)
    with transaction() as session:
        receipt = Receipt(amount=Decimal(50), date=TODAY, created_at=NOW, updated_at=NOW)
        receipt.parts = [ReceiptPart(document_id=made.id, amount=Decimal(50))]
        session.add(receipt)
    with pytest.raises(Refused, match="Payments or credits"):
        do(invoices.delete, made)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"linked": [{"kind": "deposit", "remote_id": "4"}]}, "bank deposit"),
        ({"card_payment": True}, "QuickBooks Payments"),
    ],
)
def test_deposited_and_card_payments_hold_their_invoice(app: Flask, record: dict[str, Any], words: str) -> None:
    company()
    made = finished()
    in_books(made, paid=Decimal(20))
    pay(made, Decimal(20), **record)
    with pytest.raises(Refused, match=words):
        do(invoices.void, made)


def test_time_linked_in_the_books_is_unlinked_there_first(app: Flask) -> None:
    company()
    made = finished()
    in_books(made, record={"lines": [{"linked": [{"kind": "timeactivity", "remote_id": "3"}]}]})
    with pytest.raises(Refused, match="Unlink them there first"):
        do(invoices.delete, made)
    do(invoices.void, made)
    assert entries()[-1] == ("void", "pending")


def test_closed_books_leave_an_invoice_alone(app: Flask) -> None:
    connection = company()
    made = finished()
    in_books(made)
    with transaction() as session:
        session.get_one(Connection, connection.id).preferences = {"books_closed_until": TODAY.isoformat()}
    for deed in (invoices.void, invoices.delete):
        with pytest.raises(Refused, match="books are closed"):
            do(deed, made)
    with pytest.raises(Refused, match="books are closed"):
        change(made, customer_memo="late")
    change(made, title="ours alone")


def test_nothing_takes_the_place_of_a_void_that_waits(app: Flask) -> None:
    company()
    made = finished()
    in_books(made)
    do(invoices.void, made)
    with pytest.raises(Refused, match="about to be voided"):
        change(made, customer_memo="too late")
    with pytest.raises(Refused, match="about to be voided"):
        do(invoices.delete, made)
    assert entries()[-1] == ("void", "pending")


def test_two_people_at_once_the_second_is_told(app: Flask) -> None:
    company()
    made = draft()
    lock = made.lock
    change(made, title="first")
    with pytest.raises(Changed), transaction():
        invoices.finish(made.id, lock=lock, actor=KIM, now=NOW)


def test_a_promise_is_kept_at_all_of_them_and_told_once_each(app: Flask) -> None:
    company()
    ids = [finished().id, finished().id]
    for expected in (2, 0):
        with transaction():
            done = invoices.promise(ids, promised_on=date(2026, 12, 1), next_step=" call  Ann ", actor=KIM, now=NOW)
        assert done == expected
    db.session.expire_all()
    assert [(one.promised_on, one.next_step) for one in map(sales_documents.find, ids)] == [
        (date(2026, 12, 1), "call Ann")
    ] * 2
    assert told(sales_documents.find(ids[0])).count("promise") == 1
