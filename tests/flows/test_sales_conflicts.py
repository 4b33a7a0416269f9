"""Decisions about quotes and invoices, and what was voided, deleted or paid there while it was changed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.conflicts import mark_of
from crm.domain.errors import Changed
from crm.models import Conflict, Connection, SalesDocument, SalesEvent
from crm.services import conflict_wholes, conflicts, sales_documents
from crm.services.sync import settings
from sandbox import Served, serving
from tests.flows.imports import everything, run_import
from tests.flows.sending import PERSON, entries, linked_contact, only, writable
from tests.flows.test_sales import edit, fresh, make, perform, product, remote_id, send, there
from tests.images import after_import
from tests.services.test_proof import lines as proof_lines
from tests.services.test_proof import prove


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=30, seed=5) as served:
        yield served


@pytest.fixture
def company(app: Flask, quickbooks: Served) -> Connection:
    connection = writable(quickbooks)
    after_import(connection.id, quickbooks)
    return connection


@pytest.fixture
def invoice(company: Connection, quickbooks: Served) -> int:
    """One that both sides agree on: three straps, 100.01."""
    contact_id, _ = linked_contact(company.id)
    id_ = make(company, product(quickbooks, company), contact_id, kind="invoice", state="open")
    send(company)
    return id_


def body_of(served: Served, id_: int) -> dict[str, Any]:
    return there(served, "Invoice", remote_id(id_, "invoice"))


def change_there(served: Served, id_: int, **values: Any) -> None:
    body = body_of(served, id_)
    perform(served, "Invoice", {"Id": body["Id"], "SyncToken": body["SyncToken"], "sparse": True, **values})


def four_there(served: Served, id_: int) -> None:
    """Somebody sells four straps there: 133.34."""
    lines = [line for line in body_of(served, id_)["Line"] if line["DetailType"] != "SubTotalLineDetail"]
    lines[1]["SalesItemLineDetail"]["Qty"], lines[1]["Amount"] = 4, Decimal("133.34")
    change_there(served, id_, Line=lines)


def straps_here(id_: int, number: int) -> None:
    kept = sales_documents.content_of(fresh(id_))
    lines = tuple(replace(one, quantity=Decimal(number)) if one.kind == "item" and one.quantity else one
                  for one in kept.lines)  # fmt: skip
    edit(id_, lines=lines)


def in_conflict(company: Connection, served: Served, id_: int) -> Conflict:
    """Five straps here, four there."""
    four_there(served, id_)
    straps_here(id_, 5)
    send(company)
    send(company)
    return the_open_one()


def the_open_one() -> Conflict:
    db.session.remove()
    return db.session.scalars(select(Conflict).where(Conflict.state == "open")).one()


def none_open() -> bool:
    db.session.remove()
    return db.session.scalar(select(Conflict.id).where(Conflict.state == "open")) is None


def decide(conflict: Conflict, choice: str) -> str:
    with transaction():
        return conflicts.resolve(conflict.id, choice, actor=PERSON, now=clock.now()).text


def told(id_: int) -> list[str]:
    query = select(SalesEvent.text).where(SalesEvent.document_id == id_).order_by(SalesEvent.id)
    return list(db.session.scalars(query))


def gone_there(served: Served, id_: int) -> str:
    body = body_of(served, id_)
    perform(served, "Invoice", {"Id": body["Id"], "SyncToken": body["SyncToken"]}, "delete")
    return str(body["Id"])


def test_both_documents_are_shown_whole_with_what_differs(
    company: Connection, quickbooks: Served, invoice: int
) -> None:
    conflict = in_conflict(company, quickbooks, invoice)
    sides = conflict_wholes.of_document(db.session(), company.id, conflict.local_id)
    assert sides is not None
    ours, theirs = sides
    sold = [[(row.line.quantity, row.line.amount, row.differs) for row in side.lines if row.line.kind == "item"]
            for side in sides]  # fmt: skip
    assert sold == [
        [(Decimal(5), Decimal("166.68"), {"quantity", "amount"})],
        [(Decimal(4), Decimal("133.34"), {"quantity", "amount"})],
    ]
    assert [row.differs for row in ours.lines if row.line.kind == "section"] == [frozenset()]
    assert ("Total", Decimal("166.68"), True) in ours.figures and ("Total", Decimal("133.34"), True) in theirs.figures
    facts = {title: (text, differs) for title, text, differs in ours.facts}
    assert facts["Note to the customer"] == ("Thank you", False) and not facts["Customer"][1]


def test_kept_ours_the_lines_here_are_written_there(company: Connection, quickbooks: Served, invoice: int) -> None:
    said = decide(in_conflict(company, quickbooks, invoice), "ours")
    assert "166.68" in said and "133.34" in said
    send(company)
    ours = fresh(invoice)
    assert body_of(quickbooks, invoice)["TotalAmt"] == Decimal("166.68")
    assert (ours.total, ours.books_total, ours.edited_at) == (Decimal("166.68"), Decimal("166.68"), None)
    assert none_open() and {one.state for one in entries(kind="invoice")} <= {"done", "dropped"}
    assert any(text.startswith("Lines and amounts") for text in told(invoice))


def test_taken_theirs_the_document_here_becomes_theirs_and_what_was_here_stays_readable(
    company: Connection, quickbooks: Served, invoice: int
) -> None:
    decide(in_conflict(company, quickbooks, invoice), "theirs")
    send(company)
    ours = fresh(invoice)
    assert body_of(quickbooks, invoice)["TotalAmt"] == Decimal("133.34")
    assert (ours.total, ours.edited_at) == (Decimal("133.34"), None)
    assert [line.quantity for line in ours.lines if line.kind == "item"] == [Decimal(4), None]
    assert [line.kind for line in ours.lines] == ["section", "item", "item"]
    event = db.session.scalars(
        select(SalesEvent).where(SalesEvent.document_id == invoice, SalesEvent.event == "taken")
    ).one()
    assert "166.68" in event.details["changes"]["lines"][0] and "Rosa" in event.text
    assert none_open()


def test_always_this_makes_the_next_one_no_question(company: Connection, quickbooks: Served, invoice: int) -> None:
    conflict = in_conflict(company, quickbooks, invoice)
    with transaction():
        said = conflicts.always(conflict.id, "theirs", actor=PERSON, now=clock.now()).text
    assert "QuickBooks wins" in said
    assert settings.current(db.session(), company.id, "invoice").policies["lines"] == "quickbooks"
    lines = [line for line in body_of(quickbooks, invoice)["Line"] if line["DetailType"] != "SubTotalLineDetail"]
    lines[1]["SalesItemLineDetail"]["Qty"], lines[1]["Amount"] = 7, Decimal("233.35")
    change_there(quickbooks, invoice, Line=lines)
    straps_here(invoice, 2)
    send(company)
    send(company)
    assert none_open()
    assert fresh(invoice).total == body_of(quickbooks, invoice)["TotalAmt"] == Decimal("233.35")


def test_another_change_that_comes_in_is_asked_about_with_it(
    company: Connection, quickbooks: Served, invoice: int
) -> None:
    seen = in_conflict(company, quickbooks, invoice)
    mark = mark_of(seen.ours, seen.theirs)
    lines = [line for line in body_of(quickbooks, invoice)["Line"] if line["DetailType"] != "SubTotalLineDetail"]
    lines[1]["SalesItemLineDetail"]["Qty"], lines[1]["Amount"] = 9, Decimal("300.02")
    change_there(quickbooks, invoice, Line=lines)
    run_import(company.id)
    with pytest.raises(Changed), transaction():
        conflicts.resolve(seen.id, "ours", seen=mark, actor=PERSON, now=clock.now())
    assert "300.02" in the_open_one().theirs
    decide(the_open_one(), "ours")
    send(company)
    assert body_of(quickbooks, invoice)["TotalAmt"] == fresh(invoice).total == Decimal("166.68")


def test_a_change_between_the_decision_and_its_sending_is_asked_about_again(
    company: Connection, quickbooks: Served, invoice: int
) -> None:
    decide(in_conflict(company, quickbooks, invoice), "ours")
    lines = [line for line in body_of(quickbooks, invoice)["Line"] if line["DetailType"] != "SubTotalLineDetail"]
    lines[1]["SalesItemLineDetail"]["Qty"], lines[1]["Amount"] = 9, Decimal("300.02")
    change_there(quickbooks, invoice, Line=lines)
    send(company)
    send(company)
    assert body_of(quickbooks, invoice)["TotalAmt"] == Decimal("300.02")
    assert "166.68" in the_open_one().ours and fresh(invoice).total == Decimal("166.68")


def test_another_edit_is_sent_while_the_lines_wait_for_a_decision(
    company: Connection, quickbooks: Served, invoice: int
) -> None:
    in_conflict(company, quickbooks, invoice)
    edit(invoice, customer_memo="Second visit")
    send(company)
    send(company)
    body = body_of(quickbooks, invoice)
    assert (body["CustomerMemo"]["value"], body["TotalAmt"]) == ("Second visit", Decimal("133.34"))
    run_import(company.id)
    assert fresh(invoice).total == Decimal("166.68")
    decide(the_open_one(), "ours")
    send(company)
    assert body_of(quickbooks, invoice)["TotalAmt"] == Decimal("166.68")


def test_the_conflict_shows_what_was_changed_here_meanwhile(
    company: Connection, quickbooks: Served, invoice: int
) -> None:
    in_conflict(company, quickbooks, invoice)
    straps_here(invoice, 6)
    assert "200.01" in the_open_one().ours


@pytest.mark.parametrize(("choice", "memo"), [("ours", "Thank you"), ("theirs", "")])
def test_a_note_emptied_there_while_lines_changed_here_is_asked_about(
    company: Connection, quickbooks: Served, invoice: int, choice: str, memo: str
) -> None:
    change_there(quickbooks, invoice, CustomerMemo={"value": ""})
    straps_here(invoice, 5)
    send(company)
    send(company)
    conflict = the_open_one()
    assert (conflict.field, conflict.reason, fresh(invoice).customer_memo) == ("customer_memo", "emptied", "Thank you")
    assert body_of(quickbooks, invoice)["TotalAmt"] == Decimal("166.68")
    decide(conflict, choice)
    send(company)
    assert body_of(quickbooks, invoice).get("CustomerMemo", {}).get("value", "") == memo
    assert (fresh(invoice).customer_memo, fresh(invoice).edited_at, none_open()) == (memo, None, True)


def test_a_void_there_is_asked_about_where_the_lines_were_changed_here(
    company: Connection, quickbooks: Served, invoice: int
) -> None:
    body = body_of(quickbooks, invoice)
    perform(quickbooks, "Invoice", {"Id": body["Id"], "SyncToken": body["SyncToken"]}, "void")
    straps_here(invoice, 5)
    send(company)
    send(company)
    assert the_open_one().theirs.startswith("0.00 USD") and fresh(invoice).total == Decimal("166.68")
    sides = conflict_wholes.of_document(db.session(), company.id, invoice)
    assert sides is not None and sides[1].void
    decide(the_open_one(), "theirs")
    assert (fresh(invoice).state, fresh(invoice).total) == ("void", Decimal(0))


def test_kept_ours_a_document_void_there_stands_again(company: Connection, quickbooks: Served, invoice: int) -> None:
    body = body_of(quickbooks, invoice)
    perform(quickbooks, "Invoice", {"Id": body["Id"], "SyncToken": body["SyncToken"]}, "void")
    straps_here(invoice, 5)
    send(company)
    send(company)
    decide(the_open_one(), "ours")
    send(company)
    body, ours = body_of(quickbooks, invoice), fresh(invoice)
    assert (body["TotalAmt"], body.get("PrivateNote", "")) == (Decimal("166.68"), "")
    assert (ours.state, ours.total, ours.edited_at) == ("open", Decimal("166.68"), None)


def test_a_void_there_voids_it_here_where_only_a_note_was_changed_and_the_note_is_kept(
    company: Connection, quickbooks: Served, invoice: int
) -> None:
    body = body_of(quickbooks, invoice)
    perform(quickbooks, "Invoice", {"Id": body["Id"], "SyncToken": body["SyncToken"]}, "void")
    edit(invoice, customer_memo="Sorry for the delay")
    for _ in range(3):
        send(company)
    ours = fresh(invoice)
    assert (ours.state, ours.total, ours.customer_memo, ours.edited_at) == (
        "void", Decimal(0), "Sorry for the delay", None
    )  # fmt: skip
    assert body_of(quickbooks, invoice)["CustomerMemo"]["value"] == "Sorry for the delay"
    assert told(invoice).count("Void in QuickBooks") == 1


def test_what_was_deleted_there_while_changed_here_stays_and_a_person_decides(
    company: Connection, quickbooks: Served, invoice: int
) -> None:
    straps_here(invoice, 5)
    gone_there(quickbooks, invoice)
    run_import(company.id)
    ours = fresh(invoice)
    assert (ours.gone_at, ours.total) == (None, Decimal("166.68")) and ours.edited_at is not None
    send(company)
    assert (only(kind="invoice", state="parked").cause, fresh(invoice).gone_at) == ("gone", None)
    assert any("what was changed here since is kept" in text for text in told(invoice))


def test_what_was_deleted_there_and_not_changed_here_is_in_no_list(
    company: Connection, quickbooks: Served, invoice: int
) -> None:
    gone_there(quickbooks, invoice)
    run_import(company.id)
    assert fresh(invoice).gone_at is not None and entries(state="pending") == []


def test_a_draft_whose_estimate_was_deleted_there_is_kept(company: Connection, quickbooks: Served) -> None:
    contact_id, _ = linked_contact(company.id)
    quote = make(company, product(quickbooks, company), contact_id)
    send(company)
    with transaction():
        document = sales_documents.find(quote)
        document.state, document.edited_at = "draft", clock.now()
    body = there(quickbooks, "Estimate", remote_id(quote, "estimate"))
    perform(quickbooks, "Estimate", {"Id": body["Id"], "SyncToken": body["SyncToken"]}, "delete")
    run_import(company.id)
    assert (fresh(quote).gone_at, fresh(quote).state, entries(state="pending")) == (None, "draft", [])
    assert not sales_documents.is_linked(fresh(quote))


def test_a_payment_applied_there_while_an_edit_waits_here_is_taken_and_the_edit_sent_once(
    company: Connection, quickbooks: Served, invoice: int
) -> None:
    """Applying a payment raises the invoice's SyncToken [FACTS 10]."""
    body = body_of(quickbooks, invoice)
    edit(invoice, customer_memo="Paid, thank you")
    perform(quickbooks, "Payment", {
        "CustomerRef": body["CustomerRef"], "TotalAmt": 100.01,
        "Line": [{"Amount": 100.01, "LinkedTxn": [{"TxnId": body["Id"], "TxnType": "Invoice"}]}],
    }, "create")  # fmt: skip
    before = body_of(quickbooks, invoice)
    assert before["SyncToken"] != body["SyncToken"] and before["Balance"] == 0
    for _ in range(3):
        send(company)
    after, ours = body_of(quickbooks, invoice), fresh(invoice)
    assert (after["CustomerMemo"]["value"], after["Balance"]) == ("Paid, thank you", 0)
    assert int(after["SyncToken"]) == int(before["SyncToken"]) + 1
    assert (ours.balance, ours.edited_at, ours.customer_memo) == (Decimal(0), None, "Paid, thank you")
    assert [one.operation for one in entries(kind="invoice", state="done")] == ["create", "update"]
    assert entries(kind="invoice", state="pending") == []
    assert none_open()


def test_an_invoice_edited_here_owes_its_own_total_less_what_the_books_say_is_paid(
    company: Connection, quickbooks: Served, invoice: int
) -> None:
    in_conflict(company, quickbooks, invoice)
    ours = fresh(invoice)
    assert (ours.books_total, ours.total, ours.balance) == (Decimal("133.34"), Decimal("166.68"), Decimal("166.68"))


def test_only_what_is_paid_there_is_told_as_a_payment(company: Connection, quickbooks: Served, invoice: int) -> None:
    body = body_of(quickbooks, invoice)
    lines = [line for line in body["Line"] if line["DetailType"] != "SubTotalLineDetail"]
    lines[1]["SalesItemLineDetail"]["Qty"], lines[1]["Amount"] = 2, Decimal("66.67")
    change_there(quickbooks, invoice, Line=lines)
    run_import(company.id)
    assert fresh(invoice).balance == Decimal("66.67")
    assert not [text for text in told(invoice) if "aid in QuickBooks" in text]
    perform(quickbooks, "Payment", {
        "CustomerRef": body["CustomerRef"], "TotalAmt": 50,
        "Line": [{"Amount": 50, "LinkedTxn": [{"TxnId": body["Id"], "TxnType": "Invoice"}]}],
    }, "create")  # fmt: skip
    run_import(company.id)
    assert [text for text in told(invoice) if "aid in QuickBooks" in text] == ["Partly paid in QuickBooks"]


def test_figures_by_documents_are_those_of_the_books(company: Connection, quickbooks: Served, invoice: int) -> None:
    straps_here(invoice, 5)
    send(company)
    open_there = sum(row["Balance"] for row in everything(quickbooks, "Invoice"))
    rows = db.session.scalars(
        select(SalesDocument.balance).where(SalesDocument.kind == "invoice", SalesDocument.gone_at.is_(None))
    )
    assert sum(rows) == open_there


def test_an_edit_that_waits_is_no_difference_and_explains_one(
    company: Connection, quickbooks: Served, invoice: int
) -> None:
    run_import(company.id)
    straps_here(invoice, 5)
    assert prove(company.id).state == "equal"
    four_there(quickbooks, invoice)
    made = prove(company.id)
    mine = [line for (kind, id_, _), line in proof_lines(made).items()
            if (kind, id_) == ("invoice", remote_id(invoice, "invoice"))]  # fmt: skip
    assert made.state == "different"
    assert {line.remedy for line in mine} == {"outbox"} and "waits in the outbox" in mine[0].cause
