"""Payments recorded here, with random data: what is applied is never more than there is on either side."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Invalid
from crm.models import Connection, Contact, Customer, Document, Link, Receipt, SalesDocument
from crm.queries import open_items
from crm.services import receipts
from crm.services.audit import Actor
from crm.services.receipts import Draft
from tests.engine_rows import add, company, contact

KIM = Actor("kim@example.com")
CENTS = st.integers(0, 30_000).map(lambda cents: Decimal(cents).scaleb(-2))
SHARES = st.sampled_from([Decimal(share) for share in ("0", "0", "0.3", "0.5", "1", "1.2")])
"""How much of an invoice a payment asks for; what was paid before may leave less."""
TODAY = clock.now().date()


@pytest.fixture
def books(app: Flask) -> Iterator[int]:
    yield company()


def _customer(connection_id: int) -> int:
    contact_id, now = contact("Amy Fox"), clock.now()
    add(Customer(connection_id=connection_id, remote_id="58", root_remote_id="58", display_name="Amy Fox",
                 currency="USD", match_state="linked", contact_id=contact_id, seen_at=now))  # fmt: skip
    add(Link(connection_id=connection_id, kind="customer", local_id=contact_id, remote_id="58", linked_at=now,
             synced_at=now))  # fmt: skip
    return contact_id


def _document(connection_id: int, contact_id: int, kind: str, number: int, amount: Decimal) -> str:
    now = clock.now()
    add(Document(connection_id=connection_id, kind=kind, remote_id=f"{kind[0]}{number}", customer_remote_id="58",
                 number=f"{kind[0]}{number}", total=amount, balance=amount, currency="USD", contact_id=contact_id,
                 seen_at=now))  # fmt: skip
    if kind == "credit_memo":
        return f"{kind[0]}{number}"
    id_ = add(SalesDocument(kind="invoice", connection_id=connection_id, contact_id=contact_id, number=f"i{number}",
                            customer_remote_id="58", state="open", currency="USD", total=amount, balance=amount,
                            created_at=now, updated_at=now))  # fmt: skip
    add(Link(connection_id=connection_id, kind="invoice", local_id=id_, remote_id=f"i{number}", linked_at=now,
             synced_at=now))  # fmt: skip
    return str(id_)


def _forget(connection_id: int) -> None:
    with transaction() as session:
        for model in (Receipt, SalesDocument, Document, Link, Customer, Contact):
            session.execute(delete(model))
        assert session.get(Connection, connection_id) is not None
    db.session.remove()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    balances=st.lists(CENTS, min_size=1, max_size=4),
    memos=st.lists(CENTS, max_size=2),
    wishes=st.lists(
        st.tuples(CENTS | st.just(Decimal(0)), st.lists(SHARES, min_size=4, max_size=4), st.sets(st.integers(0, 1))),
        min_size=1,
        max_size=5,
    ),
)
def test_whatever_is_asked_no_invoice_and_no_money_is_applied_twice(
    books: int, balances: list[Decimal], memos: list[Decimal], wishes: list[Any]
) -> None:
    amy = _customer(books)
    invoices = [_document(books, amy, "invoice", place, one) for place, one in enumerate(balances)]
    credits = [_document(books, amy, "credit_memo", place, one) for place, one in enumerate(memos)]
    try:
        for more, shares, places in wishes:
            parts = {key: (balance * share).quantize(Decimal("0.01"))
                     for key, balance, share in zip(invoices, balances, shares, strict=False)}  # fmt: skip
            used = [place for place in sorted(places) if place < len(credits)]
            amount = max(sum(parts.values()) - sum(memos[place] for place in used), Decimal(0)) + more
            draft = Draft(amy, amount, TODAY, payer="58", parts=parts, credits=tuple(credits[place] for place in used))
            try:
                with transaction():
                    receipts.record(draft, sure=True, actor=KIM, now=clock.now())
            except Invalid:
                db.session.remove()
        _holds(dict(zip(invoices, balances, strict=True)), dict(zip(credits, memos, strict=True)), amy)
    finally:
        _forget(books)


def _holds(balances: dict[str, Decimal], memos: dict[str, Decimal], contact_id: int) -> None:
    db.session.remove()
    paid, used = dict.fromkeys(balances, Decimal(0)), dict.fromkeys(memos, Decimal(0))
    for receipt in db.session.scalars(select(Receipt)):
        credit = sum((Decimal(amount) for amount in receipt.credits.values()), Decimal(0))
        applied = sum((part.amount for part in receipt.parts), Decimal(0))
        assert 0 <= applied <= receipt.amount + credit
        assert credit <= applied, "a credit is used for something"
        for part in receipt.parts:
            paid[str(part.document_id)] += part.amount
        for key, amount in receipt.credits.items():
            used[key] += Decimal(amount)
    assert all(paid[key] <= balances[key] for key in paid)
    assert all(used[key] <= memos[key] for key in used)
    items = open_items.of_contact(db.session(), db.session.get_one(Contact, contact_id), db.session.get(
        Connection, db.session.scalar(select(Connection.id))))  # fmt: skip
    left = {one.key: one.balance for one in items.invoices}
    assert all(left.get(key, Decimal(0)) == balances[key] - paid[key] for key in balances)


def test_a_payment_in_the_books_counts_until_its_invoice_was_read_again(books: int) -> None:
    amy = _customer(books)
    key = _document(books, amy, "invoice", 1, Decimal(100))
    with transaction():
        receipt = receipts.record(Draft(amy, Decimal(60), TODAY, payer="58", parts={key: Decimal(60)}), sure=True,
                                  actor=KIM, now=clock.now())  # fmt: skip
        receipt_id = receipt.id
    add(Link(connection_id=books, kind="payment", local_id=receipt_id, remote_id="p1", linked_at=clock.now(),
             synced_at=clock.now(), written_at=clock.now()))  # fmt: skip
    assert _left(amy) == [Decimal(40)], "written, and the invoice still shows what it did before"
    with transaction() as session:
        session.get_one(SalesDocument, int(key)).balance = Decimal(40)
        mirrored = session.scalars(select(Document).where(Document.kind == "invoice")).one()
        mirrored.balance, mirrored.seen_at = Decimal(40), clock.now()
    assert _left(amy) == [Decimal(40)], "read again: nothing is counted twice"


def _left(contact_id: int) -> list[Decimal]:
    db.session.remove()
    return [one.balance for one in receipts.open_of(receipts.contact_of(contact_id)).invoices]
