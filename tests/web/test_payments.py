"""Payments in the browser: list, page, recording with live sums, likely duplicates, taking back, who may do what."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.record_documents import PaymentRecord
from crm.domain.record_parts import Origin, Ref
from crm.models import (
    AuditEntry,
    Customer,
    Document,
    Link,
    ListEntry,
    OutboxEntry,
    Payment,
    PaymentApplication,
    Receipt,
    SalesDocument,
    User,
)
from crm.services.sync.mirror.stored import as_stored
from tests.engine_rows import add, company, contact


def today() -> date:
    """What the pages take for today, though the tests were begun yesterday."""
    return clock.now().date()


@pytest.fixture
def rep(sign_in: Any) -> User:
    return sign_in("rep")


@pytest.fixture
def books() -> int:
    connection_id = company()
    for kind, remote_id, name, details in (
        ("payment_method", "1", "Check", {}),
        ("payment_method", "2", "Wire", {}),
        ("account", "35", "Checking", {"type": "Bank", "subtype": "Checking"}),
        ("account", "4", "Undeposited Funds", {"type": "Other Current Asset", "subtype": "UndepositedFunds"}),
    ):
        add(ListEntry(connection_id=connection_id, kind=kind, remote_id=remote_id, name=name, details=details,
                      seen_at=clock.now()))  # fmt: skip
    return connection_id


def customer(connection_id: int, name: str = "Amy Fox", remote_id: str = "58", **values: Any) -> int:
    contact_id = values.pop("contact_id", None) or contact(name)
    state = values.pop("match_state", "linked")
    add(Customer(connection_id=connection_id, remote_id=remote_id, root_remote_id=remote_id, display_name=name,
                 full_path=name, currency="USD", match_state=state, contact_id=contact_id, seen_at=clock.now(),
                 **values))  # fmt: skip
    if state == "linked":
        link(connection_id, "customer", contact_id, remote_id)
    return contact_id


def link(connection_id: int, kind: str, local_id: int, remote_id: str) -> None:
    now = clock.now()
    add(Link(connection_id=connection_id, kind=kind, local_id=local_id, remote_id=remote_id, linked_at=now,
             synced_at=now))  # fmt: skip


def invoice(connection_id: int, contact_id: int, number: str, open_: str, *, remote: str = "58", days: int = 0) -> int:
    now, amount = clock.now(), Decimal(open_)
    id_ = add(
        SalesDocument(kind="invoice", connection_id=connection_id, contact_id=contact_id, customer_remote_id=remote,
                      number=number, state="open", date=today() - timedelta(days=40), currency="USD", total=amount,
                      due_date=today() - timedelta(days=days), balance=amount, created_at=now, updated_at=now)
    )  # fmt: skip
    remote_id = str(9000 + id_)
    add(Document(connection_id=connection_id, kind="invoice", remote_id=remote_id, customer_remote_id=remote,
                 number=number, total=amount, balance=amount, currency="USD", contact_id=contact_id,
                 seen_at=now))  # fmt: skip
    link(connection_id, "invoice", id_, remote_id)
    return id_


def payment(connection_id: int, contact_id: int, amount: str, *, day: date | None = None, **values: Any) -> int:
    given: dict[str, Any] = {"reference": "1204", "method": "Check", "unapplied": Decimal(0), "void": False} | values
    remote_id = str(values.pop("remote_id", 700 + db.session.query(Payment).count()))
    given.pop("remote_id", None)
    day = day or today()
    record = PaymentRecord(Origin(remote_id, "0"), Ref("58"), date=day, total=Decimal(amount), currency="USD",
                           reference=given["reference"], unapplied=given["unapplied"])  # fmt: skip
    return add(Payment(connection_id=connection_id, remote_id=remote_id, version="0", customer_remote_id="58",
                       contact_id=contact_id, date=day, total=Decimal(amount), currency="USD", seen_at=clock.now(),
                       record=as_stored(record), **given))  # fmt: skip


def form(contact_id: int, amount: str = "", **values: str) -> dict[str, str]:
    return {"contact_id": str(contact_id), "amount": amount, "date": today().isoformat(), "action": "save"} | values


def only() -> Receipt:
    db.session.remove()
    return db.session.scalars(select(Receipt)).one()


def receipts() -> int:
    db.session.remove()
    return len(db.session.scalars(select(Receipt)).all())


def test_an_empty_list_says_what_to_do_next(client: FlaskClient, rep: User) -> None:
    page = client.get("/payments").text
    assert "No payments yet" in page and "Record a payment" in page


def test_the_list_holds_those_of_the_books_and_those_that_wait(client: FlaskClient, rep: User, books: int) -> None:
    amy = customer(books)
    payment(books, amy, "250.00", unapplied=Decimal("50.00"))
    payment(books, amy, "99.00", day=today() - timedelta(days=90), reference="WIRE-7", method="Wire")
    client.post("/payments", data=form(amy, "75.00", reference="77"))
    page = client.get("/payments").text
    assert all(text in page for text in ("$250.00", "$99.00", "$75.00", "WIRE-7"))
    assert "Waiting to be sent" in page and "1–3 of 3 payments" in page
    assert "$325.00" in page, "received this month: what waits counts"
    narrow = {"q=wire": "WIRE-7", "method=Wire": "WIRE-7", "unapplied=yes&q=1204": "$250.00", "state=waiting": ">77<",
              f"until={today() - timedelta(days=60)}": "WIRE-7", "q=99": "WIRE-7"}  # fmt: skip
    for query, found in narrow.items():
        page = client.get(f"/payments?{query}").text
        assert found in page and "1–1 of 1 payment" in page, query
    assert "Nothing found" in client.get("/payments?q=nobody").text


def test_the_list_can_be_sorted_and_paged_across_both_sides(client: FlaskClient, rep: User, books: int) -> None:
    amy = customer(books)
    for number in range(60):
        payment(books, amy, f"{number + 1}.00", remote_id=str(number + 1), reference=f"ref{number + 1:03}")
    client.post("/payments", data=form(amy, "30.50", reference="ours"))
    first = client.get("/payments?sort=amount").text
    second = client.get("/payments?sort=amount&page=2").text
    assert first.index("ref030") < first.index(">ours<") < first.index("ref031")
    assert "1–50 of 61" in first and "51–61 of 61" in second and "ref060" in second


def test_the_export_is_what_the_list_shows_and_is_kept_in_the_audit_trail(
    client: FlaskClient, rep: User, books: int
) -> None:
    amy = customer(books)
    payment(books, amy, "250.00", unapplied=Decimal("50.00"))
    payment(books, amy, "99.00", reference="=1+1")
    answer = client.get("/payments/export.csv?unapplied=yes")
    rows = list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))
    assert [(row["Customer"], Decimal(row["Amount"]), row["In QuickBooks"]) for row in rows] == [
        ("Amy Fox", Decimal(250), "yes")
    ]
    assert "'=1+1" in client.get("/payments/export.csv").text
    assert "Payments as CSV: 1" in db.session.scalars(select(AuditEntry.summary).order_by(AuditEntry.id)).all()[0]


def test_recording_from_an_invoice_pays_it_whole(client: FlaskClient, rep: User, books: int) -> None:
    amy = customer(books)
    paid = invoice(books, amy, "1001", "120.50")
    page = client.get(f"/payments/new?invoice={paid}").text
    assert f'name="part-{paid}" value="120.5000"' in page or f'name="part-{paid}" value="120.50"' in page
    assert "Undeposited Funds" in page and "Amy Fox" in page
    answer = client.post("/payments", data=form(amy, "120.50", **{f"part-{paid}": "120.50", "deposit_account": "35",
                                                "method": "1", "reference": "1204", "payer": "58"}))  # fmt: skip
    kept = only()
    assert answer.status_code == 303 and answer.location.endswith(f"/payments/recorded/{kept.id}")
    assert (kept.amount, kept.deposit_account, kept.method, kept.customer_remote_id) == (
        Decimal("120.50"), "35", "1", "58"
    )  # fmt: skip
    assert [(part.document_id, part.amount) for part in kept.parts] == [(paid, Decimal("120.50"))]
    entry = db.session.scalars(select(OutboxEntry)).one()
    assert (entry.kind, entry.operation, entry.local_id) == ("payment", "create", kept.id)
    page = client.get(answer.location).text
    assert "Invoice 1001" in page and "Waiting to be sent" in page and "Check" in page and "Take back" in page


def test_the_suggestion_pays_what_is_due_first_and_works_without_scripting(
    client: FlaskClient, rep: User, books: int
) -> None:
    amy = customer(books)
    late, later = invoice(books, amy, "1001", "100.00", days=30), invoice(books, amy, "1002", "80.00", days=2)
    page = client.post("/payments", data=form(amy, "150.00", action="suggest")).text
    assert f'name="part-{late}" value="100' in page and f'name="part-{later}" value="50' in page
    assert "$150.00" in page and receipts() == 0
    page = client.post("/payments", data=form(amy, "", action="suggest")).text
    assert 'name="amount" type="text" value="180' in page


def test_the_sums_follow_what_is_typed(client: FlaskClient, rep: User, books: int) -> None:
    amy = customer(books)
    paid = invoice(books, amy, "1001", "100.00")
    query = {"contact_id": amy, "amount": "130", f"part-{paid}": "90", "date": today().isoformat()}
    fragment = client.get("/payments/sums", query_string=query, headers={"HX-Request": "true"}).text
    assert "<html" not in fragment and "$40.00" in fragment and "$90.00" in fragment
    wrong = client.get("/payments/sums", query_string=query | {f"part-{paid}": "110"}).text
    assert "Only 100.00 USD is open on invoice 1001" in wrong and "<html" in wrong


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"amount": ""}, "The amount received is missing. Write it as in 1,234.50."),
        ({"amount": "abc"}, "Amount received: “abc” is no amount. Write it as in 1,234.50."),
        ({"amount": "-5"}, "Amount received: an amount is 0 or more"),
        ({"amount": "10.001"}, "USD has 2 decimals"),
        ({"date": "soon"}, "Received on: “soon” is no day from 1990 to 2100"),
        ({"reference": "x" * 22}, "21 characters"),
        ({"method": "99"}, "not in QuickBooks any more"),
        ({"deposit_account": "77"}, "cannot be deposited"),
        ({"part": "lots"}, "Applied: “lots” is no amount"),
        ({"part": "100.01"}, "Only 100.00 USD is open on invoice 1001"),
        ({"part": "60", "amount": "50"}, "60.00 USD is applied, but there is 50.00 USD"),
        ({"credit": "404"}, "A credit is used up"),
    ],
)
def test_what_cannot_be_is_told_beside_its_field_and_kept_as_typed(
    client: FlaskClient, rep: User, books: int, typed: dict[str, str], sentence: str
) -> None:
    amy = customer(books)
    paid = invoice(books, amy, "1001", "100.00")
    values = form(amy, "500", payer="58", note="kept as typed") | typed
    if "part" in values:
        values[f"part-{paid}"] = values.pop("part")
    answer = client.post("/payments", data=values)
    assert answer.status_code == 422 and sentence in answer.text and "kept as typed" in answer.text
    assert receipts() == 0


def test_closed_books_take_no_payment(client: FlaskClient, rep: User) -> None:
    closed = company(preferences={"books_closed_until": today().isoformat()})
    answer = client.post("/payments", data=form(customer(closed), "5"))
    assert answer.status_code == 422 and "closed" in answer.text and receipts() == 0


def test_a_payment_that_seems_to_be_there_is_shown_before_anything_is_kept(
    client: FlaskClient, rep: User, books: int
) -> None:
    amy = customer(books)
    there = payment(books, amy, "250.00")
    answer = client.post("/payments", data=form(amy, "250.00", reference="check #1204", note="as typed"))
    assert answer.status_code == 409 and "seems to be there already" in answer.text and "as typed" in answer.text
    assert "same reference" in answer.text and f'value="link:payment:{there}"' in answer.text and receipts() == 0
    linked = client.post("/payments", data=form(amy, "250.00", action=f"link:payment:{there}"))
    assert linked.location.endswith(f"/payments/{there}") and receipts() == 1
    assert db.session.scalars(select(OutboxEntry)).all() == [], "nothing goes to QuickBooks"
    page = client.get(linked.location).text
    assert "Recorded here" in page
    client.post("/payments", data=form(amy, "250.00", action=f"link:payment:{there}"))
    assert receipts() == 1, "linking twice changes nothing"


def test_another_one_is_recorded_beside_it(client: FlaskClient, rep: User, books: int) -> None:
    amy = customer(books)
    payment(books, amy, "250.00")
    answer = client.post("/payments", data=form(amy, "250.00", action="another"))
    assert answer.status_code == 303 and receipts() == 1


def test_one_that_waits_here_is_found_as_well(client: FlaskClient, rep: User, books: int) -> None:
    amy = customer(books)
    client.post("/payments", data=form(amy, "250.00"))
    waiting = only().id
    answer = client.post("/payments", data=form(amy, "250.00"))
    assert answer.status_code == 409 and "recorded here, not sent yet" in answer.text
    gone = client.post("/payments", data=form(amy, "250.00", action=f"link:receipt:{waiting}"))
    assert gone.location.endswith(f"/payments/recorded/{waiting}") and receipts() == 1


def test_a_payment_is_taken_back_and_written_anew(client: FlaskClient, rep: User, books: int) -> None:
    amy = customer(books)
    paid = invoice(books, amy, "1001", "100.00")
    client.post("/payments", data=form(amy, "100", payer="58", **{f"part-{paid}": "100"}))
    kept = only()
    again = client.post("/payments", data=form(amy, "10", payer="58", action="another", **{f"part-{paid}": "10"}))
    assert again.status_code == 422 and "not open any more" in again.text
    assert client.post(f"/payments/recorded/{kept.id}/void", data={"lock": 99}).status_code == 409
    assert client.post(f"/payments/recorded/{kept.id}/void", data={"lock": kept.lock}).status_code == 303
    page = client.get(f"/payments/recorded/{kept.id}").text
    assert "This payment is void" in page and "Record it anew" in page
    assert 'value="100' in client.get(f"/payments/new?again={kept.id}").text
    assert f'name="part-{paid}"' in client.get(f"/payments/new?again={kept.id}").text
    again = client.post(f"/payments/recorded/{kept.id}/void", data={"lock": only().lock})
    assert again.status_code == 409 and "already" in again.text


def test_a_job_pays_its_own_invoices(client: FlaskClient, rep: User, books: int) -> None:
    amy = customer(books)
    customer(books, "Amy Fox:Deck", "59", contact_id=amy, match_state="job")
    own, jobs = invoice(books, amy, "1001", "100.00"), invoice(books, amy, "1002", "80.00", remote="59")
    page = client.get(f"/payments/new?contact={amy}").text
    assert f'name="part-{own}"' in page and f'name="part-{jobs}"' not in page and "Amy Fox:Deck" in page
    page = client.get(f"/payments/new?invoice={jobs}").text
    assert f'name="part-{jobs}"' in page and f'name="part-{own}"' not in page
    with transaction() as session:
        session.get_one(SalesDocument, own).balance = Decimal(0)
    page = client.get(f"/payments/new?contact={amy}").text
    assert f'name="part-{jobs}"' in page and "Amy Fox:Deck: 80.00 USD open" in page, "the job that owes comes first"
    with transaction() as session:
        session.get_one(SalesDocument, own).balance = Decimal(100)
    mixed = client.post("/payments", data=form(amy, "20", payer="59", **{f"part-{own}": "20"}))
    assert mixed.status_code == 422 and "another customer" in mixed.text


def test_a_payment_of_the_books_says_what_it_is_for_and_where_the_money_is(
    client: FlaskClient, rep: User, books: int
) -> None:
    amy = customer(books)
    paid = invoice(books, amy, "1001", "20.00")
    there = payment(books, amy, "80.00", remote_id="701")
    add(PaymentApplication(connection_id=books, payment_remote_id="701", document_kind="invoice",
                           document_remote_id=str(9000 + paid), amount=Decimal(80)))  # fmt: skip
    page = client.get(f"/payments/{there}").text
    assert "Invoice 1001" in page and "Not in a deposit yet" in page and "changed there" in page
    assert "/void" not in page and client.get("/payments/99999").status_code == 404
    assert f'href="/payments/{there}"' in client.get(f"/invoices/{paid}").text


def test_credit_memos_receipts_and_refunds_have_lists_of_their_own(client: FlaskClient, rep: User, books: int) -> None:
    amy = customer(books)
    for kind, number in (("credit_memo", "CM-1"), ("sales_receipt", "SR-1"), ("refund_receipt", "RF-1")):
        add(Document(connection_id=books, kind=kind, remote_id=number, customer_remote_id="58", number=number,
                     total=Decimal(10), balance=Decimal(4) if kind == "credit_memo" else None, currency="USD",
                     contact_id=amy, date=today(), seen_at=clock.now()))  # fmt: skip
        page = client.get(f"/payments/others/{kind}").text
        assert number in page and "Amy Fox" in page and "$10.00" in page
        assert "Nothing found" in client.get(f"/payments/others/{kind}?q=zzz").text
        rows = client.get(f"/payments/others/{kind}.csv?since={today()}&currency=USD").text.splitlines()
        assert len(rows) == 2 and rows[1].startswith(f"{number},{today()},Amy Fox,{amy},10.00,"), rows
        assert len(client.get(f"/payments/others/{kind}.csv?until=2001-01-01").text.splitlines()) == 1
        assert "until=2001-01-01" in client.get(f"/payments/others/{kind}?until=2001-01-01").text
    assert "$4.00" in client.get("/payments/others/credit_memo?q=cm-").text


@pytest.mark.parametrize(("role", "may"), [("admin", True), ("rep", True), ("bookkeeper", True)])
def test_who_may_record(client: FlaskClient, sign_in: Any, books: int, role: str, may: bool) -> None:
    sign_in(role)
    answer = client.post("/payments", data=form(customer(books), "5"))
    assert (answer.status_code == 303) is may


def test_the_contact_is_found_by_typing(client: FlaskClient, rep: User) -> None:
    amy = contact("Amy Fox")
    assert f"/payments/new?contact={amy}" in client.get("/payments/new?q=amy").text
    assert "Nobody found" in client.get("/payments/new?q=zebra").text
    assert client.get("/payments/new?contact=99999").status_code == 404


def test_before_a_company_is_connected_a_payment_is_kept_and_nothing_waits(client: FlaskClient, rep: User) -> None:
    client.post("/payments", data=form(contact("Amy Fox"), "5"))
    assert only().connection_id is None and db.session.scalars(select(OutboxEntry)).all() == []
    assert "$5.00" in client.get("/payments").text
