"""Payments recorded here and made in QuickBooks: applied once, found again when an answer is lost, freed when void."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Invalid, Refused
from crm.domain.sales import Line
from crm.models import ListEntry, Payment, Receipt, SalesDocument
from crm.queries import open_items, unused_money
from crm.services import receipt_changes, receipts, sales_documents
from crm.services.receipts import Draft
from crm.services.sales_documents import content_of
from crm.services.sync.inbox import intake
from sandbox import Served, serving
from sandbox.times import today, utc_now
from tests.flows.changes import Company, facts
from tests.flows.imports import everything, run_import
from tests.flows.sending import PERSON, calls, due_now, entries, linked_contact, new_contacts, only, writable
from tests.flows.test_sales import edit, fresh, make, product, remote_id, send, there
from tests.images import after_import

TODAY = clock.now().date()


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=30, seed=5) as served:
        served.sandbox.postman.paused = True
        yield served


@pytest.fixture
def company(client: FlaskClient, quickbooks: Served) -> Company:
    connection = writable(quickbooks)
    after_import(connection.id, quickbooks)
    return Company(quickbooks, client, connection)


def invoices(company: Company, number: int) -> tuple[int, list[int]]:
    """A contact with so many invoices of 100.01 in the books."""
    contact_id, _ = linked_contact(company.connection.id)
    sold = product(company.served, company.connection)
    made = [make(company.connection, sold, contact_id, kind="invoice", state="open") for _ in range(number)]
    send(company.connection)
    return contact_id, made


def record(contact_id: int, amount: str, parts: dict[int, str] | None = None, *, sure: bool = True, **more: Any) -> int:
    with transaction():
        items = receipts.open_of(receipts.contact_of(contact_id))
        given = {str(key): Decimal(part) for key, part in (parts or {}).items()}
        draft = Draft(contact_id, Decimal(amount), more.pop("date", TODAY), parts=given, **more)
        draft = draft if draft.payer else Draft(**{**_fields(draft), "payer": items.payers[0].remote_id})
        return receipts.record(draft, sure=sure, actor=PERSON, now=clock.now()).id


def _fields(draft: Draft) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in Draft.__slots__}


def settle(company: Company) -> None:
    """What waits goes out, and what moved with it is read."""
    for _ in range(2):
        send(company.connection)
    intake.take_in(company.connection.id, clock=clock.now)
    company.skip()


def paid_there(served: Served) -> list[dict[str, Any]]:
    return everything(served, "Payment")


def receipt(receipt_id: int) -> Receipt:
    db.session.remove()
    return db.session.get_one(Receipt, receipt_id)


def end(receipt_id: int, operation: str = "void") -> None:
    lock = receipt(receipt_id).lock
    with transaction():
        getattr(receipts, operation)(receipt_id, lock=lock, actor=PERSON, now=clock.now())


def open_now(contact_id: int) -> dict[int, Decimal]:
    db.session.remove()
    contact = receipts.contact_of(contact_id)
    items = open_items.of_contact(db.session(), contact, sales_documents.company())
    return {int(one.key): one.balance for one in items.invoices}


def test_a_payment_over_two_invoices_arrives_once_and_both_sides_agree(company: Company) -> None:
    contact_id, (first, second) = invoices(company, 2)
    before, method = len(paid_there(company.served)), db.session.scalar(
        select(ListEntry.remote_id).where(ListEntry.kind == "payment_method").limit(1))  # fmt: skip
    id_ = record(contact_id, "150.00", {first: "100.01", second: "40.00"}, reference="1204", method=method or "")
    assert open_now(contact_id)[second] == Decimal("60.01"), "what waits to be sent is taken off at once"
    settle(company)
    assert [(one.state, one.error) for one in entries(kind="payment")] == [("done", "")]
    assert len(paid_there(company.served)) == before + 1
    body = there(company.served, "Payment", remote_id(id_, "payment"))
    assert (body["TotalAmt"], body["UnappliedAmt"], body["PaymentRefNum"]) == (150, Decimal("9.99"), "1204")
    assert [line["Amount"] for line in body["Line"]] == [Decimal("100.01"), 40]
    assert (fresh(first).balance, fresh(second).balance) == (Decimal(0), Decimal("60.01"))
    assert open_now(contact_id)[second] == Decimal("60.01") and first not in open_now(contact_id)
    mirrored = db.session.scalars(select(Payment).where(Payment.remote_id == body["Id"])).one()
    assert (mirrored.contact_id, mirrored.unapplied) == (contact_id, Decimal("9.99"))
    kept = receipt(id_)
    assert (kept.amount, kept.note, [(part.document_id, part.amount) for part in kept.parts]) == (
        Decimal("150.00"), "", [(first, Decimal("100.01")), (second, Decimal("40.00"))]
    )  # fmt: skip
    run_import(company.connection.id)
    assert [one.state for one in entries(kind="payment")] == ["done"] and receipt(id_).lock == kept.lock


def test_the_figures_of_the_contact_follow_at_once(company: Company) -> None:
    contact_id, (first,) = invoices(company, 1)
    company.told()
    owed = facts(contact_id)
    record(contact_id, "120.00", {first: "100.01"})
    settle(company)
    now = facts(contact_id)
    assert now.unapplied_credit - owed.unapplied_credit == Decimal("19.99")
    assert (owed.balance or 0) - (now.balance or 0) == Decimal("120.00")
    assert now.last_payment_on == TODAY and owed.aging_current - now.aging_current == Decimal("100.01")


def test_a_lost_answer_makes_no_second_payment(company: Company) -> None:
    contact_id, (first,) = invoices(company, 1)
    before = len(paid_there(company.served))
    company.served.sandbox.script.set([{"action": "drop_after", "path": "/batch"}])
    record(contact_id, "50.00", {first: "50.00"})
    send(company.connection)
    assert only(kind="payment").state == "frozen"
    settle(company)
    assert len(paid_there(company.served)) == before + 1 and only(kind="payment").state == "done"


def test_one_lost_so_long_ago_that_its_key_is_forgotten_is_looked_for_before_it_is_made_again(company: Company) -> None:
    contact_id, (first,) = invoices(company, 1)
    before = len(paid_there(company.served))
    company.served.sandbox.script.set([{"action": "drop_after", "path": "/batch"}])
    id_ = record(contact_id, "50.00", {first: "50.00"}, reference="77")
    send(company.connection)
    _forgotten(company)
    settle(company)
    assert len(paid_there(company.served)) == before + 1 and only(kind="payment").state == "done"
    assert there(company.served, "Payment", remote_id(id_, "payment"))["PaymentRefNum"] == "77"


def test_one_that_never_arrived_is_made_anew_though_another_of_ours_looks_the_same(company: Company) -> None:
    contact_id, (first,) = invoices(company, 1)
    before = len(paid_there(company.served))
    twin = record(contact_id, "20.00", {first: "20.00"})
    settle(company)
    company.served.sandbox.script.set([{"action": "drop_before", "path": "/batch"}])
    id_ = record(contact_id, "20.00", {first: "20.00"})
    send(company.connection)
    _forgotten(company)
    for _ in range(2):
        settle(company)
    assert len(paid_there(company.served)) == before + 2
    assert remote_id(id_, "payment") != remote_id(twin, "payment")


@pytest.mark.parametrize("read_meanwhile", [False, True])
@pytest.mark.parametrize(
    ("kind", "entity", "state"), [("estimate", "Estimate", "sent"), ("invoice", "Invoice", "open")]
)
def test_a_document_whose_key_is_forgotten_is_looked_for_as_well(
    company: Company, kind: str, entity: str, state: str, read_meanwhile: bool
) -> None:
    contact_id, _ = linked_contact(company.connection.id)
    sold, before = product(company.served, company.connection), len(everything(company.served, entity))
    company.served.sandbox.script.set([{"action": "drop_after", "path": "/batch"}])
    made = make(company.connection, sold, contact_id, kind=kind, state=state)
    star = " \N{GLOWING STAR}"  # which the books do not keep
    lines = [replace(line, description=line.description + star) for line in content_of(fresh(made)).lines]
    lines.append(Line(key="b", item=str(sold.id), quantity=Decimal(3), amount=Decimal(100), taxable=False))
    edit(made, lines=tuple(lines))
    send(company.connection)
    if read_meanwhile:  # as something of the books: then there are two of it here, for a while
        run_import(company.connection.id, [kind])
        assert _alike(kind, contact_id) == 2
    _forgotten(company)
    send(company.connection)
    assert len(everything(company.served, entity)) == before + 1
    assert only(kind=kind).state == "done" and fresh(made).number
    assert _alike(kind, contact_id) == 1
    twin = make(company.connection, sold, contact_id, kind=kind, state=state)  # what is found once is found no more
    edit(twin, lines=tuple(lines))
    company.served.sandbox.script.set([{"action": "drop_before", "path": "/batch"}])
    send(company.connection)
    _forgotten(company)
    for _ in range(2):
        settle(company)
    assert len(everything(company.served, entity)) == before + 2
    assert len({remote_id(made, kind), remote_id(twin, kind)}) == 2


def _alike(kind: str, contact_id: int) -> int:
    """Documents of this contact's that stand here, with the thanks that `make` writes."""
    mine = (SalesDocument.kind == kind, SalesDocument.contact_id == contact_id, SalesDocument.gone_at.is_(None))
    query = select(func.count()).select_from(SalesDocument).where(*mine, SalesDocument.customer_memo == "Thank you")
    db.session.remove()
    return db.session.scalar(query) or 0


def _forgotten(company: Company) -> None:
    """What went out did so seven hours ago, and the books remember no key."""
    [entry] = [one for one in entries() if one.state == "frozen"]
    due_now(frozen_at=entry.frozen_at - timedelta(hours=7), fields={})
    with company.served.store.exclusive() as connection:
        connection.execute("DELETE FROM answered")


def changed(receipt_id: int, amount: str, parts: dict[int, str], **more: Any) -> None:
    was = receipt(receipt_id)
    given = {str(key): Decimal(part) for key, part in parts.items()}
    draft = Draft(was.contact_id or 0, Decimal(amount), more.pop("date", was.date), method=was.method,
                  reference=more.pop("reference", was.reference), parts=given)  # fmt: skip
    lock = receipt(receipt_id).lock
    with transaction():
        receipt_changes.change(receipt_id, draft, lock=lock, actor=PERSON, now=clock.now())


def test_a_payment_is_changed_in_place_and_stays_the_same_one_there(company: Company) -> None:
    contact_id, (first, second) = invoices(company, 2)
    id_ = record(contact_id, "60.00", {first: "60.00"}, reference="1204")
    changed(id_, "70.00", {first: "70.00"})  # not sent yet: what goes out is what it says then
    settle(company)
    there_id, before = remote_id(id_, "payment"), len(paid_there(company.served))
    changed(id_, "120.00", {first: "80.00", second: "40.00"}, reference="1205", date=TODAY - timedelta(days=2))
    with pytest.raises(Refused, match="on its way"):
        changed(id_, "10.00", {first: "10.00"})
    settle(company)
    body = there(company.served, "Payment", there_id)
    assert (len(paid_there(company.served)), remote_id(id_, "payment")) == (before, there_id)
    assert (body["TotalAmt"], body["PaymentRefNum"], body["UnappliedAmt"]) == (120, "1205", 0)
    assert body["TxnDate"] == (TODAY - timedelta(days=2)).isoformat()
    assert sorted(line["Amount"] for line in body["Line"]) == [40, 80]
    assert (fresh(first).balance, fresh(second).balance) == (Decimal("20.01"), Decimal("60.01"))
    assert {one.state for one in entries(kind="payment")} == {"done"}
    with pytest.raises(Invalid, match=r"Only 100\.01"):
        changed(id_, "200.00", {first: "100.02"})
    with pytest.raises(Invalid, match="Nothing would be applied"):
        changed(id_, "120.00", {})


def test_a_change_is_given_up_where_it_was_changed_there_meanwhile(company: Company) -> None:
    contact_id, (first,) = invoices(company, 1)
    id_ = record(contact_id, "50.00", {first: "50.00"}, reference="1")
    settle(company)
    changed(id_, "60.00", {first: "60.00"}, reference="2")
    body = there(company.served, "Payment", remote_id(id_, "payment"))
    company.api.write("Payment", {**body, "PrivateNote": "seen at the bank"})
    company.told()
    assert receipt(id_).amount == Decimal("60.00"), "what waits is not lost to what comes in"
    settle(company)
    assert there(company.served, "Payment", remote_id(id_, "payment"))["TotalAmt"] == 50
    assert (receipt(id_).amount, receipt(id_).note, receipt(id_).reference) == (Decimal(50), "seen at the bank", "1")


def test_money_that_stood_unused_pays_an_invoice_by_the_same_payment(company: Company) -> None:
    _, (first,) = invoices(company, 1)
    whose = {"CustomerRef": {"value": fresh(first).customer_remote_id}}
    company.api.write("Payment", {**whose, "TotalAmt": 70, "PaymentRefNum": "77"})
    company.told()
    source = next(one for one in unused_money.for_invoice(fresh(first)) if one.number == "77")
    assert source.amount == 70
    for wrong in ("70.01", "100.02"):
        with pytest.raises(Invalid), transaction():
            receipt_changes.apply_unused(source, first, Decimal(wrong), actor=PERSON, now=clock.now())
    before = len(paid_there(company.served))
    with transaction():
        receipt_changes.apply_unused(source, first, Decimal("30"), actor=PERSON, now=clock.now())
    assert "77" not in [one.number for one in unused_money.for_invoice(fresh(first))], "once"
    with pytest.raises(Refused, match="on its way"), transaction():
        receipt_changes.apply_unused(source, first, Decimal("30"), actor=PERSON, now=clock.now())
    settle(company)
    body = there(company.served, "Payment", source.remote_id)
    assert (len(paid_there(company.served)), body["TotalAmt"], body["UnappliedAmt"]) == (before, 70, 40)
    assert fresh(first).balance == Decimal("70.01")
    left = next(one for one in unused_money.for_invoice(fresh(first)) if one.number == "77")
    assert left.amount == 40


def test_a_payment_is_changed_and_unused_money_applied_on_the_pages(company: Company, sign_in: Any) -> None:
    sign_in("rep")
    client = company.client
    _, (first,) = invoices(company, 1)
    whose = {"CustomerRef": {"value": fresh(first).customer_remote_id}}
    company.api.write("Payment", {**whose, "TotalAmt": 70, "PaymentRefNum": "78"})
    company.told()
    page = client.get(f"/invoices/{first}").text
    source = next(one for one in unused_money.for_invoice(fresh(first)) if one.number == "78")
    assert "Not used yet" in page and f'value="{source.key}"' in page
    wrong = client.post(f"/payments/apply/{first}", data={"source": source.key, "apply": "70.01"})
    assert wrong.status_code == 422 and 'value="70.01"' in wrong.text and "70.01 USD is applied" in wrong.text
    assert client.post(f"/payments/apply/{first}", data={"source": "payment:0", "apply": "1"}).status_code == 409
    done = client.post(f"/payments/apply/{first}", data={"source": source.key, "apply": "60"})
    assert done.status_code == 303
    settle(company)
    assert fresh(first).balance == Decimal("40.01")

    ours = db.session.scalars(select(Receipt).where(Receipt.reference == "78")).one()
    assert "/edit" in client.get(f"/payments/recorded/{ours.id}").text
    form = client.get(f"/payments/recorded/{ours.id}/edit").text
    assert 'value="60"' in form and "100.01" in form
    typed = {"lock": str(ours.lock), "amount": "70", "date": ours.date.isoformat(), f"part-{first}": "70.5"}
    over = client.post(f"/payments/recorded/{ours.id}", data=typed)
    assert over.status_code == 422 and 'value="70.5"' in over.text
    assert client.post(f"/payments/recorded/{ours.id}", data={**typed, f"part-{first}": "70"}).status_code == 303
    stale = client.post(f"/payments/recorded/{ours.id}", data=typed)
    assert stale.status_code == 409
    settle(company)
    assert fresh(first).balance == Decimal("30.01")


def test_a_void_there_frees_the_invoices_here(company: Company) -> None:
    contact_id, (first,) = invoices(company, 1)
    id_ = record(contact_id, "100.01", {first: "100.01"})
    settle(company)
    assert fresh(first).balance == 0
    body = there(company.served, "Payment", remote_id(id_, "payment"))
    company.api.write("Payment", body, operation="update", include="void")
    company.told()
    assert fresh(first).balance == Decimal("100.01") and open_now(contact_id)[first] == Decimal("100.01")
    kept = receipt(id_)
    assert kept.voided_at is not None and kept.amount == Decimal("100.01")


def test_a_void_and_a_deletion_here_are_one_there(company: Company) -> None:
    contact_id, (first, second) = invoices(company, 2)
    voided, deleted, meanwhile = (record(contact_id, "10.00", {one: "10.00"}) for one in (first, second, first))
    settle(company)
    ids = {one: remote_id(one, "payment") for one in (voided, deleted, meanwhile)}
    end(voided), end(deleted, "delete"), end(meanwhile, "delete")
    body = there(company.served, "Payment", ids[meanwhile])
    company.api.write("Payment", {"Id": body["Id"], "SyncToken": body["SyncToken"]}, operation="delete")
    settle(company)
    assert {entry.state for entry in entries(kind="payment")} == {"done", "dropped"}  # nobody is asked about it
    assert there(company.served, "Payment", ids[voided])["TotalAmt"] == 0
    assert not {ids[deleted], ids[meanwhile]} & {row["Id"] for row in paid_there(company.served)}
    assert receipt(voided).voided_at is not None and receipt(deleted).gone_at is not None
    assert receipt(meanwhile).gone_at is not None
    assert open_now(contact_id) | {first: Decimal("100.01"), second: Decimal("100.01")} == open_now(contact_id)


def test_what_was_not_sent_yet_is_taken_back_without_a_call(company: Company) -> None:
    contact_id, (first,) = invoices(company, 1)
    settle(company)  # the customer's balance is read after an invoice
    id_ = record(contact_id, "100.01", {first: "100.01"})
    assert first not in open_now(contact_id)
    end(id_)
    before = calls(company.served)
    settle(company)
    assert calls(company.served) == before and only(kind="payment").state == "dropped"
    assert open_now(contact_id)[first] == Decimal("100.01")


def test_more_than_is_open_is_refused_before_a_call(company: Company) -> None:
    contact_id, (first,) = invoices(company, 1)
    record(contact_id, "60.00", {first: "60.00"})
    before = calls(company.served)
    with pytest.raises(Invalid, match=r"Only 40\.01 USD is open on invoice"):
        record(contact_id, "60.00", {first: "60.00"})
    with pytest.raises(Invalid, match=r"is applied, but there is 10\.00 USD"):
        record(contact_id, "10.00", {first: "20.00"})
    assert calls(company.served) == before


def test_what_was_paid_there_meanwhile_is_not_paid_again(company: Company) -> None:
    contact_id, (first,) = invoices(company, 1)
    record(contact_id, "100.01", {first: "100.01"})
    _pay(company, first, "30.00")
    company.told()
    before = calls(company.served)
    settle(company)
    assert calls(company.served) == before
    parked = only(kind="payment")
    assert (parked.state, parked.cause) == ("parked", "bad_value") and "Only 70.01 USD is open" in parked.error


def test_a_payment_in_a_bank_deposit_is_not_voided(company: Company) -> None:
    contact_id, (first,) = invoices(company, 1)
    id_ = record(contact_id, "100.01", {first: "100.01"})
    settle(company)
    remote = remote_id(id_, "payment")
    bank = next(row for row in everything(company.served, "Account") if row["AccountType"] == "Bank")
    company.api.write("Deposit", {
        "DepositToAccountRef": {"value": bank["Id"]},
        "Line": [{"Amount": "100.01", "LinkedTxn": [{"TxnId": remote, "TxnType": "Payment", "TxnLineId": "0"}]}],
    })  # fmt: skip
    with transaction() as session:
        from crm.services.sync.inbox.reading_again import read_again

        read_again(company.connection.id, [("payment", remote)], asked_by="a test", now=clock.now())
        assert session is not None
    intake.take_in(company.connection.id, clock=clock.now)
    before = calls(company.served)
    with pytest.raises(Refused, match="part of a bank deposit"):
        end(id_)
    assert calls(company.served) == before


def test_a_credit_memo_pays_an_invoice(company: Company) -> None:
    contact_id, (first,) = invoices(company, 1)
    customer = fresh(first).customer_remote_id
    item = next(row for row in everything(company.served, "Item") if row["Type"] == "Service" and row["Active"])
    memo = company.api.write("CreditMemo", {
        "CustomerRef": {"value": customer},
        "Line": [{"Amount": 25, "DetailType": "SalesItemLineDetail",
                  "SalesItemLineDetail": {"ItemRef": {"value": item["Id"]}}}],
    })  # fmt: skip
    company.told()
    id_ = record(contact_id, "0", {first: "20.00"}, credits=(memo["Id"],))
    settle(company)
    body = there(company.served, "Payment", remote_id(id_, "payment"))
    assert body["TotalAmt"] == 0
    assert [(line["LinkedTxn"][0]["TxnType"], line["Amount"]) for line in body["Line"]] == [
        ("Invoice", 20), ("CreditMemo", 20)
    ]  # fmt: skip
    assert fresh(first).balance == Decimal("80.01")
    assert there(company.served, "CreditMemo", memo["Id"])["RemainingCredit"] == 5


def test_a_payment_there_shows_at_the_contact_after_its_webhook(company: Company, sign_in: Any) -> None:
    contact_id, (first,) = invoices(company, 1)
    company.told()
    before = facts(contact_id)
    _pay(company, first, "30.00", PaymentRefNum="WIRE-9")
    company.told()
    now = facts(contact_id)
    assert (before.balance or 0) - (now.balance or 0) == 30 and now.last_payment_on == today(utc_now())
    sign_in("rep")
    page = company.client.get(f"/contacts/{contact_id}/documents/payment").text
    assert "WIRE-9" in page and "$30.00" in page
    assert "WIRE-9" in company.client.get("/payments?q=wire-9").text


def test_one_that_seems_to_be_there_is_linked_instead_of_made(company: Company) -> None:
    contact_id, (first,) = invoices(company, 1)
    _pay(company, first, "30.00", PaymentRefNum="1204")
    company.told()
    before = len(paid_there(company.served))
    with pytest.raises(receipts.SeemsThere) as found:
        record(contact_id, "30.00", {first: "30.00"}, reference="Check 1204", sure=False)
    [like] = [one for one in found.value.likes if one.score > 90]
    with transaction():
        payment = receipts.link_to(
            Draft(contact_id, Decimal(30), TODAY), int(like.key.partition(":")[2]), actor=PERSON, now=clock.now()
        )
        remote = payment.remote_id
    settle(company)
    assert len(paid_there(company.served)) == before and entries(kind="payment") == []
    kept = db.session.scalars(select(Receipt)).one()
    assert (kept.reference, [(part.document_id, part.amount) for part in kept.parts]) == ("1204", [(first, 30)])
    company.api.write("Payment", there(company.served, "Payment", remote), operation="update", include="void")
    company.told()
    assert receipt(kept.id).voided_at is not None


def test_a_lead_pays_before_it_is_a_customer(company: Company) -> None:
    [lead] = new_contacts("Quentin Prepaid")
    id_ = record(lead, "500.00")
    for _ in range(2):
        settle(company)
    body = there(company.served, "Payment", remote_id(id_, "payment"))
    assert (body["CustomerRef"]["name"], body["UnappliedAmt"]) == ("Quentin Prepaid", 500)


def _pay(company: Company, invoice: int, amount: str, **fields: Any) -> dict[str, Any]:
    """As the bookkeeper in QuickBooks itself."""
    remote = remote_id(invoice, "invoice")
    body = there(company.served, "Invoice", remote)
    return company.api.write("Payment", {
        "CustomerRef": {"value": body["CustomerRef"]["value"]}, "TotalAmt": Decimal(amount),
        "Line": [{"Amount": Decimal(amount), "LinkedTxn": [{"TxnId": remote, "TxnType": "Invoice"}]}], **fields,
    })  # fmt: skip


