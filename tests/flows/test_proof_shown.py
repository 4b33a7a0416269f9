"""What people see and work with, held against what was read: a wrong cent fails the proof, and its button mends it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update

from crm import clock
from crm.db import db, transaction
from crm.domain.record_documents import PaymentRecord
from crm.models import (
    Bill,
    Connection,
    Document,
    Link,
    Notice,
    OutboxEntry,
    Payment,
    PaymentApplication,
    ProofLine,
    Receipt,
    ReceiptPart,
    SalesDocument,
    SalesEvent,
    SalesLine,
    Vendor,
)
from crm.services.audit import SYSTEM
from crm.services.sync.mirror.stored import from_stored
from crm.services.sync.proof import mending
from crm.services.sync.receipts import taking as receipts
from crm.services.sync.work import Batch, books_of
from sandbox import Served, serving
from tests.images import after_import
from tests.quickbooks import connect, quickbooks  # noqa: F401
from tests.services.test_proof import lines, prove

CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Served]:
    with serving(size=30, companies=1) as served:
        yield served


@pytest.fixture
def connection(quickbooks: Served) -> Connection:  # noqa: F811
    row = connect(quickbooks, country="US", currency="USD", time_zone="America/Chicago")
    after_import(row.id, quickbooks)
    return row


def shown(kind: str = "invoice") -> tuple[int, str]:
    """One that stands open: our id, and its id there."""
    row = db.session.execute(
        select(Link.local_id, Link.remote_id)
        .join(SalesDocument, SalesDocument.id == Link.local_id)
        .where(Link.kind == kind, SalesDocument.gone_at.is_(None), SalesDocument.total > 10)
        .order_by(Link.local_id)
    ).first()
    return row.local_id, row.remote_id


def spoil(model: Any, id_: int, **values: Any) -> None:
    with transaction() as session:
        session.execute(update(model).where(model.id == id_).values(values))


def mended(proof_id: int) -> int:
    with transaction():
        return mending.set_right(proof_id, actor=SYSTEM, now=clock.now())


def test_one_wrong_cent_fails_the_proof_everywhere_and_the_button_mends_it(
    connection: Connection, client: FlaskClient, sign_in: Callable[..., Any]
) -> None:
    id_, remote_id = shown()
    before = db.session.get_one(SalesDocument, id_).total
    spoil(SalesDocument, id_, total=SalesDocument.total + CENT)
    made = prove(connection.id)
    found = lines(made)
    assert made.state == "different"
    assert set(found) == {("own_invoice", remote_id, "own_total")}
    line = found["own_invoice", remote_id, "own_total"]
    assert (line.ours - line.theirs, line.remedy) == (CENT, "set_right")
    assert "shows something else than was read, and nobody changed it here" in line.cause
    figures = {one["name"]: one for one in made.figures}
    assert Decimal(figures["own:invoice"]["ours"]) - Decimal(figures["own:invoice"]["theirs"]) == CENT
    assert db.session.scalars(select(Notice).where(Notice.topic == "proof_different")).one().settled_at is None
    sign_in("bookkeeper")
    page = client.get(f"/sync/proofs/{made.id}").text
    assert "Invoice, as shown here" in page and "nobody changed it here" in page and ">Set right<" in page
    assert "Invoices as shown here, against what was read" in page
    listed = client.get(f"/sync/proofs/{made.id}/differences.csv").get_data(as_text=True).lstrip("\ufeff")
    row = next(one for one in csv.DictReader(io.StringIO(listed)) if one["What"] == "Invoice, as shown here")
    assert (row["Figure"], row["Difference"]) == ("Total", "0.01")

    answer = client.post(f"/sync/proofs/{made.id}/set-right", data={"line": line.id})
    assert answer.status_code == 303
    db.session.remove()
    assert db.session.get_one(SalesDocument, id_).total == before
    assert "set right" in client.get(f"/sync/proofs/{made.id}").text
    assert client.post(f"/sync/proofs/{made.id}/set-right").status_code == 409
    again = prove(connection.id)
    assert (again.state, lines(again)) == ("equal", {})


@pytest.mark.parametrize(
    ("figure", "values"),
    [
        ("own_tax", {"tax": Decimal("3.33")}), ("own_open", {"balance": Decimal("99999.99")}),
        ("own_void", {"state": "void"}), ("own_gone", {"gone_at": clock.now()}),
        ("own_books_total", {"books_total": Decimal("1.23")}), ("own_due", {"due_date": None}),
    ],
)  # fmt: skip
def test_every_figure_people_see_is_compared_and_set_right(
    connection: Connection, figure: str, values: dict[str, Any]
) -> None:
    id_, remote_id = shown()
    events = select(SalesEvent).where(SalesEvent.document_id == id_)
    number = len(db.session.scalars(events).all())
    spoil(SalesDocument, id_, **values)
    made = prove(connection.id)
    assert set(lines(made)) == {("own_invoice", remote_id, figure)}
    assert mended(made.id) == 1
    assert prove(connection.id).state == "equal"
    assert len(db.session.scalars(events).all()) == number, "nothing happened in the books, so no history tells of it"


def test_a_document_without_its_row_here_is_made_again(connection: Connection) -> None:
    id_, remote_id = shown("estimate")
    with transaction() as session:
        session.execute(delete(SalesLine).where(SalesLine.document_id == id_))
        session.execute(delete(SalesDocument).where(SalesDocument.id == id_))
        session.execute(delete(Link).where(Link.kind == "estimate", Link.local_id == id_))
    made = prove(connection.id)
    assert set(lines(made)) == {("own_estimate", remote_id, "own_missing")}
    mended(made.id)
    assert prove(connection.id).state == "equal"


def test_what_is_gone_there_and_stands_here_is_a_difference(connection: Connection) -> None:
    id_, remote_id = shown("estimate")
    with transaction() as session:
        session.execute(update(Document).where(Document.kind == "estimate", Document.remote_id == remote_id)
                        .values(gone_at=clock.now()))  # fmt: skip
    made = prove(connection.id)
    assert ("own_estimate", remote_id, "own_gone") in lines(made)
    mended(made.id)
    db.session.remove()
    assert db.session.get_one(SalesDocument, id_).gone_at is not None


def test_an_edit_of_ours_waits_to_go_out_and_is_no_difference(connection: Connection) -> None:
    id_, remote_id = shown()
    now = clock.now()
    spoil(SalesDocument, id_, total=SalesDocument.total + 5, edited_at=now)
    with transaction() as session:
        session.add(OutboxEntry(connection_id=connection.id, kind="invoice", local_id=id_, operation="update",
                                state="pending", available_at=now, created_at=now, updated_at=now))  # fmt: skip
    made = prove(connection.id)
    line = lines(made)["own_invoice", remote_id, "own_total"]
    assert (made.state, line.remedy) == ("equal", "waits")
    assert line.cause.startswith("Waits to go out: ")
    assert next(one for one in made.figures if one["name"] == "own:invoice")["equal"]


def test_an_edit_made_after_the_proof_is_not_written_over(connection: Connection) -> None:
    id_, _ = shown()
    spoil(SalesDocument, id_, total=SalesDocument.total + CENT)
    made = prove(connection.id)
    spoil(SalesDocument, id_, customer_memo="Our own words", edited_at=clock.now())
    mended(made.id)
    db.session.remove()
    assert db.session.get_one(SalesDocument, id_).customer_memo == "Our own words"


def recorded_here(connection: Connection) -> tuple[int, str]:
    """A payment of the books as if it had been recorded here."""
    with transaction() as session:
        part = session.scalars(select(PaymentApplication).where(PaymentApplication.document_kind == "invoice")
                               .order_by(PaymentApplication.id)).first()  # fmt: skip
        paid = session.scalars(select(Payment).where(Payment.remote_id == part.payment_remote_id)).one()
        row = Receipt(connection_id=connection.id, amount=1, date=paid.date, created_at=clock.now(),
                      updated_at=clock.now())  # fmt: skip
        session.add(row)
        session.flush()
        session.add(Link(connection_id=connection.id, kind="payment", local_id=row.id, remote_id=paid.remote_id,
                         linked_at=clock.now(), synced_at=clock.now()))  # fmt: skip
        session.flush()
        books = books_of(session.get_one(Connection, connection.id))
        receipts.apply(Batch(session, books, clock.now()), [from_stored(PaymentRecord, paid.record)])
        return row.id, paid.remote_id


@pytest.mark.parametrize("figure", ["own_total", "own_applied", "own_void"])
def test_a_payment_recorded_here_is_compared_with_what_it_is_applied_to(connection: Connection, figure: str) -> None:
    receipt_id, remote_id = recorded_here(connection)
    assert prove(connection.id).state == "equal"
    if figure == "own_total":
        spoil(Receipt, receipt_id, amount=Receipt.amount - CENT)
    elif figure == "own_void":
        spoil(Receipt, receipt_id, voided_at=clock.now())
    else:
        with transaction() as session:
            part = select(ReceiptPart.id).where(ReceiptPart.receipt_id == receipt_id).limit(1)
            wrong = {"amount": ReceiptPart.amount + CENT}
            session.execute(update(ReceiptPart).where(ReceiptPart.id.in_(part)).values(wrong))
    made = prove(connection.id)
    assert set(lines(made)) == {("own_payment", remote_id, figure)}
    assert mended(made.id) == 1
    assert prove(connection.id).state == "equal"


def test_a_part_that_is_missing_here_is_found_as_well(connection: Connection) -> None:
    receipt_id, remote_id = recorded_here(connection)
    with transaction() as session:
        session.execute(delete(ReceiptPart).where(ReceiptPart.receipt_id == receipt_id))
    made = prove(connection.id)
    line = lines(made)["own_payment", remote_id, "own_applied"]
    assert (line.ours, line.theirs > 0) == (0, True)
    mended(made.id)
    assert prove(connection.id).state == "equal"


@pytest.mark.parametrize(
    ("model", "kind", "figure", "name"),
    [(Vendor, "vendor", "own_open", "balance"), (Bill, "bill", "own_total", "total"),
     (Bill, "bill", "own_open", "balance")],
)  # fmt: skip
def test_vendors_and_bills_are_compared_too(
    connection: Connection, model: Any, kind: str, figure: str, name: str
) -> None:
    row = db.session.scalars(select(model).where(model.balance.is_not(None)).order_by(model.id)).first()
    id_, remote_id = row.id, row.remote_id
    spoil(model, id_, **{name: getattr(model, name) + CENT})
    made = prove(connection.id)
    line = lines(made)[f"own_{kind}", remote_id, figure]
    assert (line.ours - line.theirs, made.state) == (CENT, "different")
    mended(made.id)
    assert prove(connection.id).state == "equal"
    assert {one.remedy for one in db.session.scalars(select(ProofLine)) if one.mended_at} == {"set_right"}
