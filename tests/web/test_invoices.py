"""The pages of invoices, as a browser without scripting sees them: list, builder, one, who is late, statements."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from crm import clock
from crm.db import db, transaction
from crm.domain import invoice_filters
from crm.domain import invoices as rules
from crm.models import Connection, Document, OutboxEntry, Payment, SalesDocument
from crm.queries import invoice_standing, invoices, statements
from crm.services import invoice_drafts, sales_documents, sales_papers, sales_settings
from crm.services import invoices as service
from tests.services.test_invoices import (
    KIM,
    NOW,
    TODAY,
    accepted,
    company,
    content,
    do,
    draft,
    entries,
    finished,
    in_books,
    told,
)
from tests.services.test_sales_settings import png

SignIn = Callable[..., Any]


def text_of(client: FlaskClient, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, answer.text
    return answer.text


def form(document: SalesDocument, **values: str) -> dict[str, str]:
    return {"lock": str(sales_documents.find(document.id).lock), **values}


def fresh(document: SalesDocument) -> SalesDocument:
    db.session.remove()
    return sales_documents.find(document.id)


# --- the list -------------------------------------------------------------------------------------------------


def in_every_state() -> dict[str, int]:
    """State -> an invoice that is in it."""
    company()
    today = clock.now().date()  # what the pages take for today, though the tests were begun yesterday
    made = {"draft": draft().id, "held": do(service.finish, draft(), hold=True).id}
    for name in ("open", "partly_paid", "paid", "overdue", "void", "sent", "viewed"):
        made[name] = finished().id
    made["sending"] = finished().id
    with transaction() as session:
        for name in ("open", "partly_paid", "paid", "overdue", "void", "sent", "viewed"):
            row = sales_documents.find(made[name])
            row.books_total, row.edited_at, row.due_date = row.total, None, today + timedelta(days=3)
            for entry in session.query(OutboxEntry).filter_by(local_id=row.id, kind="invoice"):
                entry.state = "done"
        sales_documents.find(made["partly_paid"]).balance = Decimal(20)
        sales_documents.find(made["paid"]).balance = Decimal(0)
        sales_documents.find(made["overdue"]).due_date = today - timedelta(days=4)
        void = sales_documents.find(made["void"])
        void.state, void.balance = "void", Decimal(0)
        sales_documents.find(made["sent"]).sent_at = NOW
        sales_documents.find(made["viewed"]).viewed_at = NOW
    return made


def test_the_database_finds_each_state_as_the_rules_name_it(app: Flask) -> None:
    made = in_every_state()
    as_listed = {"open": {"open", "sent", "viewed"}}
    for state in ("draft", "held", "sending", "open", "partly_paid", "paid", "overdue", "void"):
        found = invoices.page(invoice_filters.read({"state": state}), today=TODAY).rows
        assert {one.id for one in found} == {made[name] for name in as_listed.get(state, {state})}, state
        for row in found:
            document = sales_documents.find(row.id)
            waits = invoice_standing.waiting(db.session(), row.id) is not None
            standing = invoice_standing.plain(document, linked=document.books_total is not None, outgoing=waits)
            assert row.state == rules.state_now(standing, today=TODAY)


def test_figures_say_what_is_owed_late_and_due_soon(app: Flask) -> None:
    in_every_state()
    found = invoices.figures(today=TODAY)
    [owed] = found.owed
    assert (owed.invoices, owed.open) == (6, Decimal("120.01") * 5 + 20)
    assert (owed.late, owed.overdue) == (1, Decimal("120.01"))
    assert (owed.soon, owed.due_soon) == (5, Decimal("120.01") * 4 + 20)
    assert (found.drafts, found.held, found.differing) == (1, 1, 0)


@pytest.mark.parametrize(
    ("args", "expected"),
    [({"q": "INV-7"}, {"INV-7"}), ({"q": "inv-7"}, {"INV-7"}), ({"q": "ada"}, {"INV-7"}), ({"q": "resin"}, {"B 2"}),
     ({"least": "500"}, {"B 2"}), ({"until": "2026-01-31"}, {"INV-7"})],
)  # fmt: skip
def test_what_is_searched_for_is_found(app: Flask, args: dict[str, str], expected: set[str]) -> None:
    company()
    one, two = draft(date=date(2026, 1, 5)), draft()
    with transaction():
        first, second = sales_documents.find(one.id), sales_documents.find(two.id)
        assert first.contact is not None
        first.number, second.number, second.total = "INV-7", "B 2", Decimal(600)
        first.contact.display_name, first.contact.search_text = "Ada Byron", " ada byron"
        second.search_text = " b 2 epoxy resin"
    found = invoices.page(invoice_filters.read(args), today=TODAY).rows
    assert {row.number for row in found} == expected


def test_the_list_shows_what_is_owed_and_narrows_by_its_address(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("bookkeeper")
    in_every_state()
    page = text_of(client, "/invoices")
    assert "Due in 7 days" in page and "Held back" in page and "New invoice" not in page
    late = text_of(client, "/invoices?state=overdue")
    assert "4 days late" in late and late.count("cell-name") == 1
    rows = list(csv.reader(io.StringIO(client.get("/invoices/export.csv?state=overdue").text.lstrip("\ufeff"))))
    assert [row[4] for row in rows[1:]] == ["Overdue"]


def test_differences_are_counted_on_top_and_settled_on_the_page(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    company()
    made = finished()
    in_books(made)
    with transaction():
        row = sales_documents.find(made.id)
        row.expected_tax, row.expected_total = Decimal("0.01"), row.total + Decimal("0.01")
    assert "1 invoice differs from QuickBooks" in text_of(client, "/invoices")
    assert "we had $120.02" in text_of(client, f"/invoices/{made.id}")
    assert client.post(f"/invoices/{made.id}/seen").status_code == 303
    assert "differs from QuickBooks" not in text_of(client, "/invoices")


# --- written --------------------------------------------------------------------------------------------------


def typed(contact_id: int, **values: str) -> dict[str, str]:
    return {
        "contact_id": str(contact_id), "date": "2026-11-20", "due_date": "", "email": "ann@example.com",
        "lines-1-kind": "item", "lines-1-key": "n1", "lines-1-name": "Carbon strap", "lines-1-quantity": "3",
        "lines-1-unit_price": "33.335", "action": "save", **values,
    }  # fmt: skip


def test_an_invoice_is_written_finished_and_on_its_way(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    company()
    contact_id = content().contact_id
    assert contact_id is not None
    assert "New invoice" in text_of(client, f"/invoices/new?contact={contact_id}")
    answer = client.post("/invoices", data=typed(contact_id))
    assert answer.status_code == 303, answer.text
    document = db.session.query(SalesDocument).one()
    assert (document.state, document.total, document.due_date) == ("draft", Decimal("100.01"), date(2026, 11, 20))
    page = text_of(client, f"/invoices/{document.id}")
    assert "A draft: nobody outside sees it" in page and "Finish, not yet to QuickBooks" in page
    assert client.post(f"/invoices/{document.id}/finish", data=form(document)).status_code == 303
    assert entries() == [("create", "pending")]
    assert "On its way" in text_of(client, f"/invoices/{document.id}")


def test_what_is_wrong_is_told_and_what_was_typed_stays(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    company()
    answer = client.post("/invoices", data={**typed(0), "lines-1-quantity": "three"})
    assert answer.status_code == 422 and "is no number" in answer.text and "three" in answer.text


def test_amounts_of_a_paid_invoice_are_closed_and_the_page_says_why(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    company()
    made = finished()
    in_books(made, paid=Decimal("120.01"))
    page = text_of(client, f"/invoices/{made.id}")
    assert "Not possible now" in page and "Unapply its payment first" in page
    assert "This invoice is paid in full" in text_of(client, f"/invoices/{made.id}/edit")
    refused = client.post(f"/invoices/{made.id}/void", data=form(made))
    assert refused.status_code == 409 and "Payments or credits are applied" in refused.text


def test_two_people_at_once_see_both_versions_whole(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    company()
    made = draft()
    old = form(made)
    with transaction():
        row = sales_documents.find(made.id)
        after = replace(sales_documents.content_of(row), customer_memo="hers")
        invoice_drafts.change(made.id, after, lock=row.lock, actor=KIM, now=clock.now())
    answer = client.post(f"/invoices/{made.id}", data={**typed(made.contact_id or 0, customer_memo="mine"), **old})
    assert answer.status_code == 409
    assert "Changed meanwhile" in answer.text and "hers" in answer.text and "mine" in answer.text
    assert fresh(made).customer_memo == "hers"


def test_a_rep_writes_and_a_bookkeeper_reads(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("bookkeeper")
    company()
    made = draft()
    page = text_of(client, f"/invoices/{made.id}")
    assert "Finish" not in page and "For the customer" not in page
    assert client.post(f"/invoices/{made.id}/finish", data=form(made)).status_code == 403
    assert client.get("/invoices/new").status_code == 403


@pytest.mark.parametrize(
    ("deed", "event"), [("hold", "hold"), ("delete", "gone"), ("duplicate", "finished"), ("promise", "promise")]
)
def test_buttons_do_what_they_say(client: FlaskClient, sign_in: SignIn, deed: str, event: str) -> None:
    sign_in("rep")
    company()
    made = finished()
    answer = client.post(f"/invoices/{made.id}/{deed}", data=form(made, promised_on="2026-12-01", next_step="call"))
    assert answer.status_code == 303, answer.text
    assert told(fresh(made))[-1] == event


def test_a_deleted_invoice_says_so_and_has_nothing_open(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    company()
    made = finished()
    before = text_of(client, f"/invoices/{made.id}")
    assert ">Deleted</span>" not in before and '<span class="stat-label">Open</span>' in before
    assert client.post(f"/invoices/{made.id}/delete", data=form(made)).status_code == 303
    page = text_of(client, f"/invoices/{made.id}")
    assert ">Deleted</span>" in page and '<span class="stat-label">Open</span>' not in page
    assert ">Open</span>" not in page and ">Overdue</span>" not in page


def test_an_invoice_offers_no_optional_lines(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    company()
    page = text_of(client, f"/invoices/{draft().id}/edit")
    assert 'name="lines-1-quantity"' in page and 'name="lines-1-optional"' not in page


def test_a_button_refuses_what_somebody_has_changed_meanwhile(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    company()
    made = draft()
    answer = client.post(f"/invoices/{made.id}/finish", data={"lock": "999"})
    assert answer.status_code == 409 and "Somebody changed this invoice" in answer.text


# --- of a quote -----------------------------------------------------------------------------------------------


def test_lines_of_a_quote_are_chosen_for_its_invoice(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    company(allows_deposit=True)
    quote = accepted()
    answer = client.post(f"/invoices/from-quote/{quote.id}", data=form(quote))
    assert answer.headers["Location"].endswith("/choose")
    page = text_of(client, answer.headers["Location"])
    assert page.count("checked") == 2 and "Sealant" in page and "share of the quote’s discount" not in page
    chosen = form(quote, chosen="1", deposit_paid="5")
    words = client.post(f"/invoices/from-quote/{quote.id}", data=chosen | {"deposit_paid": "12,5"})
    assert words.status_code == 422 and "Deposit received: “12,5” is no amount" in words.text
    none = client.post(f"/invoices/from-quote/{quote.id}", data=chosen)
    assert none.status_code == 422 and "Choose at least one line" in none.text
    lines = [str(quote.lines[0].id), str(quote.lines[2].id)]
    made = client.post(f"/invoices/from-quote/{quote.id}", data={**chosen, "lines": lines})
    assert made.status_code == 303, made.text
    db.session.remove()
    invoice = db.session.query(SalesDocument).filter_by(kind="invoice").one()
    assert (invoice.total, invoice.balance, invoice.quote_id) == (Decimal("140.01"), Decimal("135.01"), quote.id)
    assert fresh(quote).state == "accepted"  # Paint is left
    with transaction() as session:
        session.get_one(SalesDocument, quote.id).deposit = Decimal(20)
    shown = text_of(client, f"/invoices/{invoice.id}")
    assert "Deposit received ($20.00 asked for)" in shown and "Remains after the deposit" in shown
    with transaction() as session:
        found = session.get_one(SalesDocument, invoice.id)
        sums = {one.label: one.amount for one in sales_papers.of_document(found, now=clock.now()).sums}
        assert sums["Deposit received ($20.00 asked for)"] == "-$5.00"
        assert (sums["Amount due"], "Paid" in sums) == ("$135.01", False)
    with transaction() as session:
        session.get_one(SalesDocument, quote.id).deposit = Decimal(0)
    shown = text_of(client, f"/quotes/{quote.id}")
    assert "Partly invoiced" in shown and "Left to be invoiced: $20.00" in shown and "Invoice the rest" in shown
    listed = text_of(client, "/quotes?state=partly")
    assert "$140.01 invoiced" in listed and "Left of partly invoiced" in listed
    assert f"/quotes/{quote.id}" not in text_of(client, "/quotes?state=accepted").split('id="list"')[1]
    page = text_of(client, f"/invoices/from-quote/{quote.id}/choose")
    assert page.count("checked") == 1 and page.count("invoiced</span>") == 2
    again = {**form(fresh(quote)), "chosen": "1", "lines": lines}
    assert "invoiced already" in client.post(f"/invoices/from-quote/{quote.id}", data=again).text
    rest = {**again, "lines": [str(quote.lines[1].id)], "deposit_paid": "1"}
    twice = client.post(f"/invoices/from-quote/{quote.id}", data=rest)
    assert twice.status_code == 422 and "5.00 of the deposit stands on invoice" in twice.text
    assert client.post(f"/invoices/from-quote/{quote.id}", data=rest | {"deposit_paid": ""}).status_code == 303
    assert fresh(quote).state == "invoiced"


# --- who is late ----------------------------------------------------------------------------------------------


def test_late_payers_are_listed_with_their_promises(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("rep")
    company()
    given = content()
    today = clock.now().date()
    late = [finished(contact_id=given.contact_id, date=today - timedelta(days=40)),
            finished(contact_id=given.contact_id, date=today - timedelta(days=10))]  # fmt: skip
    finished(date=today)
    page = text_of(client, "/invoices/overdue")
    assert "$240.02" in page and "the oldest 40 days late" in page
    answer = client.post("/invoices/promise", data={"ids": [str(one.id) for one in late], "promised_on": "2026-12-24",
                                                    "next_step": "call Ann"})  # fmt: skip
    assert answer.status_code == 303
    page = text_of(client, "/invoices/overdue?sort=promised")
    assert "Promised for" in page and "call Ann" in page
    wrong = client.post("/invoices/promise", data={"ids": [str(late[0].id)], "promised_on": "soon"})
    assert wrong.status_code == 422 and "is no date" in wrong.text
    rows = list(csv.reader(io.StringIO(client.get("/invoices/overdue.csv").text.lstrip("\ufeff"))))
    assert [row[3] for row in rows[1:]] == ["40", "10"]


def test_late_payers_are_found_by_name_or_number_and_paged_the_worst_first(
    client: FlaskClient, sign_in: SignIn
) -> None:
    sign_in("rep")
    company()
    late = [finished(date=TODAY - timedelta(days=40 + at)) for at in range(27)]
    with transaction():
        worst, named = sales_documents.find(late[3].id), sales_documents.find(late[9].id)
        assert worst.contact is not None and named.contact is not None
        worst.balance, worst.contact.display_name = Decimal(900), "Zoe Worst"
        named.number, named.contact.display_name, named.contact.search_text = "INV-9", "Ada Byron", " ada byron"
    first, second = text_of(client, "/invoices/overdue"), text_of(client, "/invoices/overdue?page=2")
    assert first.count("<article") == 25 and second.count("<article") == 2
    assert first.index("Zoe Worst") < first.index("<article", first.index("<article") + 1)
    for q in ("byron", "INV-9"):
        found = text_of(client, f"/invoices/overdue?q={q}&sort=oldest")
        assert found.count("<article") == 1 and "Ada Byron" in found and f'value="{q}"' in found
        rows = list(csv.reader(io.StringIO(client.get(f"/invoices/overdue.csv?q={q}").text.lstrip("\ufeff"))))
        assert [row[0] for row in rows[1:]] == ["Ada Byron"]
    assert "Nobody who is late is called so" in text_of(client, "/invoices/overdue?q=zzzz")
    noted = client.post("/invoices/promise", data={"ids": [str(named.id)], "promised_on": "2026-12-24", "q": "byron"})
    assert noted.status_code == 303 and "q=byron" in noted.location


# --- statements -----------------------------------------------------------------------------------------------


def account() -> int:
    """A contact with an invoice, a payment and a credit memo in the books."""
    connection = company()
    contact_id = content().contact_id
    assert contact_id is not None
    plain = {"connection_id": connection.id, "customer_remote_id": "5", "contact_id": contact_id, "seen_at": NOW}
    with transaction() as session:
        for remote, kind, day, total, balance, more in (
            ("1", "invoice", date(2026, 1, 10), "100.00", "20.00", {"deposit": "30"}),
            ("2", "invoice", date(2026, 3, 10), "55.55", "55.55", {}),
            ("3", "credit_memo", date(2026, 3, 11), "10.00", "10.00", {}),
            ("4", "invoice", date(2026, 3, 12), "9.00", "0", {}),
        ):
            session.add(
                Document(**plain, remote_id=remote, kind=kind, number=f"N{remote}", date=day, due_date=day,
                         total=Decimal(total), balance=Decimal(balance), record=more, void=remote == "4")
            )  # fmt: skip
        session.add(Payment(**plain, remote_id="9", date=date(2026, 2, 1), method="Check", reference="77",
                            total=Decimal(60), unapplied=Decimal(10)))  # fmt: skip
    return contact_id


def test_a_statement_opens_where_the_last_one_closed(app: Flask) -> None:
    contact_id = account()
    whole = statements.of_contact(contact_id, since=None, until=None, today=TODAY)
    assert whole is not None
    assert (whole.statement.opening, whole.statement.closing) == (Decimal(0), Decimal("55.55"))
    assert whole.statement.closing == whole.open_now
    march = statements.of_contact(contact_id, since=date(2026, 3, 1), until=date(2026, 3, 31), today=TODAY)
    january = statements.of_contact(contact_id, since=None, until=date(2026, 2, 28), today=TODAY)
    assert march is not None and january is not None
    assert march.statement.opening == january.statement.closing == Decimal("10.00")
    assert (march.statement.charged, march.statement.paid) == (Decimal("55.55"), Decimal("10.00"))
    assert [line.balance for line in march.statement.lines] == [Decimal("65.55"), Decimal("55.55")]


def test_a_statement_is_a_page_paper_and_csv(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in("bookkeeper")
    contact_id = account()
    page = text_of(client, f"/invoices/statements/{contact_id}")
    assert "Closing balance" in page and "$55.55" in page and "N4" not in page
    paper = text_of(client, f"/invoices/statements/{contact_id}?print=1")
    assert "To pay" in paper and "$55.55" in paper and "<img" not in paper
    assert "Test" in paper and "Tradebook" not in paper, "our company's name, never the product's"
    with transaction() as session:
        connection_id = session.query(Connection.id).scalar()
        sales_settings.save_logo(session, connection_id, png(), instance=client.application.extensions["settings"]
                                 .instance_dir, version=0, actor=KIM, now=NOW)  # fmt: skip
    paper = text_of(client, f"/invoices/statements/{contact_id}?print=1")
    found = re.search(r'<img class="paper-logo" src="([^"]+)" alt="Test"', paper)
    assert found and client.get(found.group(1)).mimetype == "image/png"
    answer = client.get(f"/invoices/statements/{contact_id}/statement.csv?since=2026-03-01")
    rows = list(csv.reader(io.StringIO(answer.text.lstrip("\ufeff"))))
    assert [row[5] for row in rows[1:]] == ["10.00", "65.55", "55.55", "55.55"]
    assert client.get("/invoices/statements/999").status_code == 404
