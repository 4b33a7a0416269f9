"""Quotes and invoices in plans: what was written before the books were open goes there with its money, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import func, select

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, MoneyFacts, OutboxEntry, Plan, PlanLine, SalesDocument
from crm.queries import plans as queries
from crm.services import sales_documents
from crm.services.sync.plans import plans
from sandbox import Served, serving
from tests.flows.imports import everything, run_import
from tests.flows.sending import PERSON, due_now, linked_contact, new_contacts, only, writable
from tests.flows.test_plans import approved, lines, planned, undone, worked
from tests.flows.test_sales import edit, fresh, make, perform, product, remote_id, send, there
from tests.images import after_import
from tests.quickbooks import connect


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=30, seed=5) as served:
        yield served


@pytest.fixture
def closed(app: Flask, quickbooks: Served) -> Connection:
    """Connected and imported, still read-only."""
    connection = connect(quickbooks, country="US", currency="USD")
    after_import(connection.id, quickbooks)
    return connection


@pytest.fixture
def company(app: Flask, quickbooks: Served) -> Connection:
    connection = writable(quickbooks)
    after_import(connection.id, quickbooks)
    return connection


def of(found: list[PlanLine], kind: str, local_id: int) -> PlanLine:
    return next(one for one in found if (one.kind, one.local_id) == (kind, local_id))


def test_totals_tell_contacts_from_documents_and_add_no_documents_money_to_balances(company: Connection) -> None:
    plan = planned(company)
    totals = {total.action: total for total in queries.show(plan.id).totals}
    link = totals["link"]
    there = dict(link.kinds)
    assert there["contacts"] > 0 and there["invoices"] > 0 and sum(there.values()) == link.lines
    balances = db.session.scalar(select(func.sum(func.coalesce(MoneyFacts.balance_with_jobs, MoneyFacts.balance))))
    documents = db.session.scalar(select(func.sum(SalesDocument.total)))
    assert link.money is not None and link.money <= balances < documents


def taken_back(entry: OutboxEntry) -> Plan:
    with transaction():
        return plans.ask_undo(entry_id=entry.id, actor=PERSON, now=clock.now())


def forgotten(id_: int) -> int:
    """As if it had been written before any company was connected: nothing waits of it, and it belongs to none."""
    with transaction() as session:
        document = sales_documents.find(id_)
        document.connection_id = None
        for entry in session.query(OutboxEntry).filter_by(local_id=id_, kind=document.kind):
            session.delete(entry)
    return id_


def test_what_was_written_before_is_listed_with_its_money_and_arrives(closed: Connection, quickbooks: Served) -> None:
    contact_id, _ = linked_contact(closed.id)
    [lead] = new_contacts("Lena Before")
    sold = product(quickbooks, closed)
    invoice = forgotten(make(closed, sold, contact_id, kind="invoice", state="open"))
    quote = forgotten(make(closed, sold, lead))
    held = forgotten(make(closed, sold, contact_id, kind="invoice", state="open"))
    draft = forgotten(make(closed, sold, contact_id, state="draft"))
    with transaction():
        sales_documents.find(held).hold = True
    plan = planned(closed)
    found = lines(plan)
    assert [(of(found, kind, id_).action, of(found, kind, id_).amount) for kind, id_ in
            (("invoice", invoice), ("estimate", quote))] == [("create", Decimal("100.01"))] * 2  # fmt: skip
    assert {held, draft}.isdisjoint(one.local_id for one in found if one.kind in ("invoice", "estimate"))
    plan = approved(plan)
    for _ in range(3):
        due_now()
        send(closed)
    plan = worked(plan)
    assert (of(lines(plan), "invoice", invoice).outcome, of(lines(plan), "estimate", quote).outcome) == ("done", "done")
    assert there(quickbooks, "Invoice", remote_id(invoice, "invoice"))["TotalAmt"] == Decimal("100.01")
    body = there(quickbooks, "Estimate", remote_id(quote, "estimate"))
    assert body["CustomerRef"]["name"] == "Lena Before"


def test_undoing_a_new_quote_deletes_it_and_a_new_invoice_too(company: Connection, quickbooks: Served) -> None:
    contact_id, _ = linked_contact(company.id)
    sold = product(quickbooks, company)
    for kind, entity, state in (("estimate", "Estimate", "sent"), ("invoice", "Invoice", "open")):
        id_ = make(company, sold, contact_id, kind=kind, state=state)
        send(company)
        there_id = remote_id(id_, kind)
        back = taken_back(only(kind=kind))
        back = worked(back)
        assert [line.action for line in lines(back)] == ["delete"]
        approved(back)
        assert there_id not in {row["Id"] for row in everything(quickbooks, entity)}
        assert fresh(id_).gone_at is not None


def test_a_new_invoice_that_was_paid_since_is_not_taken_back(company: Connection, quickbooks: Served) -> None:
    contact_id, customer = linked_contact(company.id)
    invoice = make(company, product(quickbooks, company), contact_id, kind="invoice", state="open")
    send(company)
    perform(quickbooks, "Payment", {
        "CustomerRef": {"value": customer}, "TotalAmt": 100.01,
        "Line": [{"Amount": 100.01, "LinkedTxn": [{"TxnId": remote_id(invoice, "invoice"), "TxnType": "Invoice"}]}],
    }, "create")  # fmt: skip
    run_import(company.id)
    back = taken_back(only(kind="invoice"))
    [line] = lines(worked(back))
    assert line.action == "refuse" and "applied to this invoice" in line.reason


def test_undoing_an_update_brings_back_lines_and_note_on_both_sides(company: Connection, quickbooks: Served) -> None:
    contact_id, _ = linked_contact(company.id)
    invoice = make(company, product(quickbooks, company), contact_id, kind="invoice", state="open")
    send(company)
    kept = sales_documents.content_of(fresh(invoice))
    changed = tuple(replace(one, quantity=Decimal(5)) if one.quantity == 3 else one for one in kept.lines)
    edit(invoice, lines=changed, customer_memo="Second visit")
    send(company)
    remote = remote_id(invoice, "invoice")
    assert there(quickbooks, "Invoice", remote)["TotalAmt"] == Decimal("166.68")
    back = taken_back(only(kind="invoice", operation="update"))
    back = worked(back)
    [line] = lines(back)
    assert (line.action, set(line.changes)) == ("update", {"lines", "customer_memo"})
    approved(back)
    body, ours = there(quickbooks, "Invoice", remote), fresh(invoice)
    assert (body["TotalAmt"], body["CustomerMemo"]["value"]) == (Decimal("100.01"), "Thank you")
    assert (ours.total, ours.customer_memo, ours.edited_at) == (Decimal("100.01"), "Thank you", None)
    assert [line.kind for line in ours.lines] == ["section", "item", "item"]


def test_an_undone_plan_says_so(closed: Connection, quickbooks: Served) -> None:
    contact_id, _ = linked_contact(closed.id)
    quote = forgotten(make(closed, product(quickbooks, closed), contact_id))
    plan = approved(planned(closed))
    assert of(lines(plan), "estimate", quote).outcome == "done"
    back = approved(undone(plan))
    assert [line.action for line in lines(back) if line.kind == "estimate"] == ["delete"]
    db.session.remove()
    assert of(lines(plan), "estimate", quote).outcome == "undone"
    assert fresh(quote).gone_at is not None
