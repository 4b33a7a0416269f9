"""The life of an invoice between our pages and the simulated company: of a quote, paid, voided, deleted, mailed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain import invoices as rules
from crm.domain.errors import Refused
from crm.domain.invoices import PAID
from crm.domain.records import Refusal
from crm.models import Conflict, MoneyFacts, SalesDocument, SalesEvent
from crm.providers.accounting.quickbooks import mapper
from crm.queries import invoice_standing, statements
from crm.services import invoice_drafts, invoices, quotes, sales_documents, sales_mail
from crm.services.sync.outbox import sending
from sandbox import Served, serving
from tests.flows.changes import Company
from tests.flows.imports import everything
from tests.flows.sending import PERSON, due_now, entries, linked_contact, writable
from tests.flows.test_sales import TODAY, fresh, make, product, remote_id, there
from tests.images import after_import


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=15, seed=5) as served:
        served.sandbox.postman.paused = True
        yield served


@pytest.fixture
def company(app: Flask, quickbooks: Served, client: FlaskClient) -> Company:
    connection = writable(quickbooks)
    after_import(connection.id, quickbooks)
    return Company(quickbooks, client, connection)


def send(company: Company, times: int = 1) -> None:
    for _ in range(times):
        due_now()
        sending.send(company.connection.id, clock=clock.now)


def do(deed: Any, document_id: int, **more: Any) -> SalesDocument:
    with transaction():
        lock = sales_documents.find(document_id).lock
        return deed(document_id, lock=lock, actor=PERSON, now=clock.now(), **more)


def invoice(company: Company, *, of_quote: bool = False) -> int:
    """An invoice that has arrived there."""
    contact_id, _ = linked_contact(company.connection.id)
    sold = product(company.served, company.connection)
    if not of_quote:
        made = make(company.connection, sold, contact_id, kind="invoice", state="open")
    else:
        quote = make(company.connection, sold, contact_id)
        send(company)
        do(quotes.accept, quote, by="Ann Byron")
        made = do(invoice_drafts.from_quote, quote).id
        do(invoices.finish, made)
    send(company, 2)
    assert {one.state for one in entries()} == {"done"}, [(one.kind, one.state, one.error) for one in entries()]
    return made


def note(document_id: int, text: str) -> None:
    with transaction():
        document = sales_documents.find(document_id)
        after = replace(sales_documents.content_of(document), customer_memo=text)
        invoice_drafts.change(document_id, after, lock=document.lock, actor=PERSON, now=clock.now())


def body_of(company: Company, document_id: int) -> dict[str, Any]:
    return there(company.served, "Invoice", remote_id(document_id, "invoice"))


def state(document: SalesDocument) -> str:
    return rules.state_now(invoice_standing.of(db.session(), document), today=TODAY)


def quote_of(document_id: int) -> SalesDocument:
    return sales_documents.find(fresh(document_id).quote_id or 0)


def told(document_id: int) -> list[str]:
    query = select(SalesEvent.event).where(SalesEvent.document_id == document_id).order_by(SalesEvent.id)
    return list(db.session.scalars(query))


def test_the_estimate_stays_open_there_until_the_last_of_it_is_invoiced(company: Company) -> None:
    contact_id, _ = linked_contact(company.connection.id)
    quote = make(company.connection, product(company.served, company.connection), contact_id)
    line, option = (one for one in fresh(quote).lines if one.kind == "item")
    with transaction():  # two lines that count
        document = sales_documents.find(quote)
        next(one for one in document.lines if one.id == option.id).chosen = True
        sales_documents.compute(document, sales_documents.content_of(document))
        sales_documents.to_books(document, ("lines",), actor=PERSON, now=clock.now())
    send(company)
    estimate = remote_id(quote, "estimate")
    first = do(invoice_drafts.from_quote, quote, line_ids=[line.id]).id
    do(invoices.finish, first)
    send(company, 2)
    assert not body_of(company, first).get("LinkedTxn")
    assert there(company.served, "Estimate", estimate)["TxnStatus"] == "Accepted"
    second = do(invoice_drafts.from_quote, quote).id
    do(invoices.finish, second)
    note(first, "With thanks")  # written anew there while the quote is invoiced: still no link of its own
    send(company, 2)
    assert {one.state for one in entries()} == {"done"}, [(one.kind, one.state, one.error) for one in entries()]
    assert [one["TxnId"] for one in body_of(company, second)["LinkedTxn"]] == [estimate]
    assert not body_of(company, first).get("LinkedTxn")
    assert there(company.served, "Estimate", estimate)["TxnStatus"] == "Closed"
    assert fresh(first).total + fresh(second).total == fresh(quote).total
    company.told()
    assert fresh(quote).state == "invoiced"

    do(invoices.void, first)  # the other keeps the estimate closed there; here its part is free
    send(company, 2)
    company.told()
    again = do(invoice_drafts.from_quote, quote)
    assert [one.from_line_id for one in again.lines if one.kind == "item"] == [line.id]
    assert fresh(quote).state == "invoiced"
    do(invoices.finish, again.id)
    send(company, 2)
    assert {one.state for one in entries()} == {"done"}, [(one.kind, one.state, one.error) for one in entries()]
    assert not body_of(company, again.id).get("LinkedTxn")


def test_a_quote_becomes_an_invoice_that_is_linked_on_both_sides_and_paid_there(company: Company) -> None:
    made = invoice(company, of_quote=True)
    body, quote = body_of(company, made), quote_of(made)
    estimate = remote_id(quote.id, "estimate")
    assert {"TxnId": estimate, "TxnType": "Estimate"} in [
        {name: one[name] for name in ("TxnId", "TxnType")} for one in body["LinkedTxn"]
    ]
    assert body["TotalAmt"] == fresh(made).total == quote.total
    assert there(company.served, "Estimate", estimate)["TxnStatus"] == "Closed"
    company.told()
    assert quote_of(made).state == "invoiced"

    amount = str(body["Balance"])
    company.api.pay({"Id": body["CustomerRef"]["value"]}, amount, **{f"i{body['Id']}": amount})
    company.told()
    ours = fresh(made)
    assert (ours.balance, state(ours)) == (Decimal("0.00"), PAID)
    assert "paid" in told(made)
    with pytest.raises(Refused, match="Payments or credits"):
        do(invoices.void, made)


def test_quote_and_invoice_may_go_out_together(company: Company) -> None:
    contact_id, _ = linked_contact(company.connection.id)
    quote = make(company.connection, product(company.served, company.connection), contact_id)
    do(quotes.accept, quote, by="Ann Byron")
    made = do(invoice_drafts.from_quote, quote).id
    do(invoices.finish, made)
    send(company, 3)
    assert {one.state for one in entries()} == {"done"}, [(one.kind, one.state, one.error) for one in entries()]
    assert body_of(company, made)["LinkedTxn"][0]["TxnId"] == remote_id(quote, "estimate")
    body = there(company.served, "Estimate", remote_id(quote, "estimate"))
    assert (body["TxnStatus"], body["AcceptedBy"]) == ("Closed", "Ann Byron")


@pytest.mark.parametrize("operation", ["void", "delete"])
def test_an_invoice_that_ends_there_frees_its_quote_here(company: Company, operation: str) -> None:
    made = invoice(company, of_quote=True)
    company.told()
    body = body_of(company, made)
    company.api.write("Invoice", {"Id": body["Id"], "SyncToken": body["SyncToken"]}, operation=operation)
    company.told()
    ours = fresh(made)
    assert (ours.state, ours.gone_at is None) == (("void", True) if operation == "void" else ("open", False))
    assert quote_of(made).state in ("accepted", "sent")
    send(company, 2)
    again = do(invoice_drafts.from_quote, ours.quote_id or 0)
    do(invoices.finish, again.id)
    send(company, 2)
    assert not [one for one in entries() if one.state == "parked"]
    assert body_of(company, again.id)["LinkedTxn"][0]["TxnId"] == remote_id(ours.quote_id or 0, "estimate")


@pytest.mark.parametrize("deed", [invoices.void, invoices.delete])
def test_an_invoice_that_ends_here_ends_there_and_frees_its_quote(company: Company, deed: Any) -> None:
    made = invoice(company, of_quote=True)
    company.told()
    there_id = remote_id(made, "invoice")
    do(deed, made)
    send(company, 2)
    company.told()
    found = {one["Id"]: one for one in everything(company.served, "Invoice")}
    assert found[there_id]["TotalAmt"] == 0 if deed is invoices.void else there_id not in found
    assert quote_of(made).state in ("accepted", "sent")


def test_notes_changed_on_both_sides_are_kept_side_by_side_and_lines_are_asked_about(company: Company) -> None:
    made = invoice(company)
    body = body_of(company, made)
    company.api.write("Invoice", {"Id": body["Id"], "SyncToken": body["SyncToken"], "sparse": True,
                                  "PrivateNote": "theirs"})  # fmt: skip
    note(made, "ours")
    company.told()
    send(company, 2)
    assert (fresh(made).customer_memo, fresh(made).private_note) == ("ours", "theirs")
    body = body_of(company, made)
    assert (body["CustomerMemo"]["value"], body["PrivateNote"]) == ("ours", "theirs")
    assert db.session.scalars(select(Conflict)).all() == []


# --- mailed by QuickBooks -------------------------------------------------------------------------------------


def mail(made: int, *, to: str = "ann@example.com", looked: bool = False) -> int:
    do(invoices.mail, made, to=to, looked=looked)
    found = sales_mail.last(made)
    assert found is not None
    return found.id


def test_a_mail_is_sent_once_and_its_invoice_is_marked_as_sent(company: Company) -> None:
    made = invoice(company)
    asked = mail(made)
    with pytest.raises(Refused, match="already"):
        mail(made)
    assert sales_mail.send_due(asked) == "mail_sent"
    assert sales_mail.send_due(asked) == ""
    ours = fresh(made)
    assert (ours.sent_at is not None, state(ours)) == (True, "sent")
    body = body_of(company, made)
    assert (body["EmailStatus"], body["BillEmail"]["Address"]) == ("EmailSent", "ann@example.com")
    assert entries()[-1].operation == "create"


def test_a_mail_waits_until_what_changed_has_arrived_and_counts_as_sent_whatever_the_answer_looks_like(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = invoice(company)
    note(made, "new words")
    asked = mail(made)
    assert sales_mail.send_due(asked) == ""
    send(company)
    with transaction():
        assert list(sales_mail.tend(now=clock.now())) == [asked]
    monkeypatch.setattr(mapper, "to_record", lambda kind, body: Refusal(kind, "1", "TotalAmt is missing."))
    assert sales_mail.send_due(asked) == "mail_sent" and fresh(made).sent_at is not None


def test_without_an_answer_nobody_sends_again_before_somebody_has_looked(company: Company) -> None:
    made = invoice(company)
    company.served.sandbox.script.set([{"action": "drop_after", "path": "/send"}])
    first = mail(made)
    assert sales_mail.send_due(first) == "mail_unknown"
    assert sales_mail.send_due(first) == ""
    with pytest.raises(Refused, match="Look there before"):
        mail(made)
    company.served.sandbox.script.clear()
    again = mail(made, looked=True)
    keys = [db.session.get_one(SalesEvent, one).details["key"] for one in (first, again)]
    assert keys[0] == keys[1]
    assert sales_mail.send_due(again) == "mail_sent"


def test_a_mail_whose_caller_died_is_unknown_and_one_to_somebody_else_has_its_own_key(company: Company) -> None:
    made = invoice(company)
    first = mail(made)
    with transaction():
        call = sales_mail._claim(first, now=clock.now() - sales_mail.LOST * 2)
    assert call is not None
    with transaction():
        assert list(sales_mail.tend(now=clock.now())) == []
    assert sales_mail.last(made).event == "mail_unknown"  # type: ignore[union-attr]
    other = mail(made, to="bea@example.com", looked=True)
    assert db.session.get_one(SalesEvent, other).details["key"] != call.key


def test_what_the_books_make_otherwise_is_a_task_until_somebody_has_seen_it(company: Company) -> None:
    contact_id, _ = linked_contact(company.connection.id)
    sold = product(company.served, company.connection)
    made = make(company.connection, sold, contact_id, kind="invoice", state="open")
    with transaction():
        row = sales_documents.find(made)
        row.tax, row.total = row.tax + Decimal("0.01"), row.total + Decimal("0.01")
    send(company)
    ours = fresh(made)
    assert ours.expected_total == ours.total + Decimal("0.01") and ours.total == ours.books_total
    assert "differs" in told(made)
    with transaction():
        invoices.seen_difference(made, actor=PERSON, now=clock.now())
    assert fresh(made).expected_total is None


def test_what_agrees_is_no_task(company: Company) -> None:
    made = invoice(company)
    assert fresh(made).expected_total is None and "differs" not in told(made)




def test_every_customers_statement_closes_at_what_the_books_have_open_to_the_cent(company: Company) -> None:
    contact_id, customer = linked_contact(company.connection.id)
    made = invoice(company)
    company.api.pay({"Id": customer}, "25.00", **{f"i{remote_id(made, 'invoice')}": "20.00"})
    company.told()
    db.session.remove()
    facts = db.session.scalars(select(MoneyFacts).order_by(MoneyFacts.contact_id)).all()
    assert len(facts) > 5
    for one in facts:
        found = statements.of_contact(one.contact_id, since=None, until=None, today=TODAY, currency=one.currency)
        assert found is not None
        aging = (one.aging_current, one.aging_1_30, one.aging_31_60, one.aging_61_90, one.aging_over_90)
        assert (found.aging, found.unapplied) == (aging, one.unapplied_credit), one.contact_id
        assert found.statement.closing == found.open_now == one.balance_with_jobs, one.contact_id
    assert contact_id in {one.contact_id for one in facts}
