"""Documents of customers whose match is undecided: named as the books name them, with the way to the decision."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from crm import clock
from crm.db import db, transaction
from crm.models import Customer, Document, HouseholdMember, Link, Payment, SalesDocument
from crm.queries import unmatched
from tests.engine_rows import add, company, contact
from tests.web.test_api import key as key

TODAY = date(2026, 3, 1)


def waiting(connection_id: int, remote_id: str, name: str, state: str, *, root: str = "") -> None:
    add(Customer(connection_id=connection_id, remote_id=remote_id, root_remote_id=root or remote_id, display_name=name,
                 full_path=name, match_state=state, seen_at=clock.now()))  # fmt: skip


def document(connection_id: int, kind: str, remote_id: str, customer: str) -> int:
    now = clock.now()
    add(Document(connection_id=connection_id, kind=kind, remote_id=remote_id, customer_remote_id=customer, number=
                 remote_id, date=TODAY, total=Decimal(5), currency="USD", seen_at=now))  # fmt: skip
    state = "sent" if kind == "estimate" else "open"
    id_ = add(SalesDocument(kind=kind, connection_id=connection_id, number=remote_id, date=TODAY, state=state,
                            total=Decimal(5), books_total=Decimal(5), balance=Decimal(5), currency="USD",
                            created_at=now, updated_at=now))  # fmt: skip
    add(Link(connection_id=connection_id, kind=kind, local_id=id_, remote_id=remote_id, linked_at=now, synced_at=now))
    return id_


def payment(connection_id: int, remote_id: str, customer: str) -> int:
    return add(Payment(connection_id=connection_id, remote_id=remote_id, customer_remote_id=customer, date=TODAY,
                       total=Decimal(5), unapplied=Decimal(0), currency="USD", record={},
                       seen_at=clock.now()))  # fmt: skip


@pytest.mark.parametrize(("kind", "list_"), [("invoice", "/invoices"), ("estimate", "/quotes"), ("", "/payments")])
def test_a_document_of_an_undecided_customer_says_its_name_and_leads_to_the_match(
    client: FlaskClient, sign_in: Any, kind: str, list_: str
) -> None:
    books = company()
    waiting(books, "58", "Ada Byron", "review")
    id_ = document(books, kind, "1001", "58") if kind else payment(books, "900", "58")
    sign_in("rep")
    for address in (list_, f"{list_}/{id_}"):
        page = client.get(address).text
        assert "Ada Byron" in page and 'href="/matches?q=Ada+Byron"' in page and "match undecided" in page, address
    sign_in("bookkeeper")
    page = client.get(list_).text
    assert "match undecided" in page and "/matches?q=" not in page, "who cannot decide is not led there"


def test_a_job_waits_for_its_root_and_a_new_customer_has_no_contact_yet(client: FlaskClient, sign_in: Any) -> None:
    books = company()
    waiting(books, "58", "Ada Byron", "review")
    waiting(books, "59", "Kitchen", "job", root="58")
    waiting(books, "60", "Bob Cole", "planned")
    job, new, gone = (document(books, "invoice", f"10{id_}", id_) for id_ in ("59", "60", "61"))
    assert unmatched.of_documents("invoice", [job, new, gone]) == {
        job: unmatched.Unmatched("Kitchen", "Ada Byron"), new: unmatched.Unmatched("Bob Cole", "")
    }  # fmt: skip
    sign_in("rep")
    page = client.get("/invoices").text
    assert "no contact yet" in page and "Bob Cole" in page and page.count("match undecided") == 1
    db.session.remove()


def test_board_files_and_lists_of_the_books_say_it_in_the_same_words(client: FlaskClient, sign_in: Any) -> None:
    books = company()
    waiting(books, "58", "Ada Byron", "review")
    waiting(books, "60", "Bob Cole", "planned")
    for kind in ("estimate", "invoice"):
        document(books, kind, "1001", "58"), document(books, kind, "1002", "60")
    payment(books, "900", "58")
    add(Document(connection_id=books, kind="credit_memo", remote_id="7", customer_remote_id="58", number="C-7",
                 date=TODAY, total=Decimal(5), balance=Decimal(5), currency="USD", seen_at=clock.now()))  # fmt: skip
    sign_in("rep")
    board = client.get("/quotes/board").text
    assert 'href="/matches?q=Ada+Byron"' in board and "Bob Cole" in board and ">no contact<" not in board
    memos = client.get("/payments/others/credit_memo").text
    assert "Ada Byron" in memos and "match undecided" in memos and "No contact" not in memos
    for path in ("/quotes/export.csv", "/invoices/export.csv", "/payments/export.csv"):
        assert "Ada Byron (match undecided)" in client.get(path).text, path
    assert "Bob Cole (no contact yet)" in client.get("/invoices/export.csv").text


def test_the_api_says_it_in_the_same_words(client: FlaskClient, key: Any) -> None:
    books, known = company(), contact("Cora Known")
    waiting(books, "58", "Ada Byron", "review")
    waiting(books, "59", "Kitchen", "job", root="58")
    waiting(books, "60", "Bob Cole", "planned")
    undecided = {"name": "Kitchen", "state": "match undecided", "waits": "Ada Byron"}
    nobody = {"name": "Bob Cole", "state": "no contact yet", "waits": ""}
    reader = key("read")
    for kind, list_ in (("invoice", "invoices"), ("estimate", "quotes")):
        ids = [document(books, kind, f"10{customer}", customer) for customer in ("59", "60", "61", "58")]
        with transaction() as session:
            session.get_one(SalesDocument, ids[3]).contact_id = known
        shown = {row["id"]: row["unmatched"] for row in client.get(f"/api/v1/{list_}", headers=reader).json["data"]}
        assert shown == dict(zip(ids, (undecided, nobody, None, None), strict=True)), kind
        assert client.get(f"/api/v1/{list_}/{ids[0]}", headers=reader).json["unmatched"] == undecided
    paid = payment(books, "900", "59")
    [row] = client.get("/api/v1/payments", headers=reader).json["data"]
    assert (row["contact_id"], row["unmatched"]) == (None, undecided)
    assert client.get(f"/api/v1/payments/{paid}", headers=reader).json["unmatched"] == undecided


@pytest.mark.parametrize(("kind", "list_"), [("invoice", "/invoices"), ("estimate", "/quotes")])
def test_a_document_of_a_member_says_who_is_billed_for_it(
    client: FlaskClient, sign_in: Any, kind: str, list_: str
) -> None:
    books, member, payer = company(), contact("Mira Member"), contact("Bella Billto")
    id_ = document(books, kind, "1001", "58")
    with transaction() as session:
        session.get_one(SalesDocument, id_).contact_id = member
    sign_in("rep")
    assert "billed to" not in client.get(f"{list_}/{id_}").text
    with transaction() as session:
        session.add(HouseholdMember(contact_id=member, bill_to_id=payer, added_at=clock.now()))
    page = client.get(f"{list_}/{id_}").text
    assert "in QuickBooks billed to" in page and "Bella Billto" in page
