"""python-quickbooks, unmodified, works against the sandbox as against the real service."""

from decimal import Decimal

import pytest
import requests
from quickbooks import QuickBooks
from quickbooks.batch import batch_create
from quickbooks.cdc import change_data_capture
from quickbooks.exceptions import AuthorizationException, ObjectNotFoundException, ValidationException
from quickbooks.objects import (
    Account,
    CreditMemo,
    Customer,
    Estimate,
    Invoice,
    Item,
    Payment,
    PaymentLine,
    Preferences,
    SalesItemLine,
    SalesItemLineDetail,
    Term,
    Vendor,
)
from quickbooks.objects.base import LinkedTxn


@pytest.fixture
def qb(served):
    """The client's documented way to bring a session of one's own."""

    class Session(requests.Session):
        access_token = served.connect().access

    client = QuickBooks(company_id=served.realm, minorversion=75, use_decimal=True)
    client.api_url_v3 = served.url + "/v3"
    with Session() as session:
        client.session = session
        yield client


def sale(kind, customer, qb, amount=100):
    document = kind()
    document.CustomerRef = customer.to_ref()
    row = SalesItemLine()
    row.Amount = amount
    row.SalesItemLineDetail = SalesItemLineDetail()
    row.SalesItemLineDetail.ItemRef = next(i for i in Item.all(qb=qb) if i.Type == "Service").to_ref()
    row.SalesItemLineDetail.Qty = 1
    row.SalesItemLineDetail.UnitPrice = amount
    document.Line.append(row)
    document.save(qb=qb)
    return kind.get(document.Id, qb=qb)


def customer_named(name, qb):
    customer = Customer()
    customer.DisplayName = name
    customer.save(qb=qb)
    return Customer.get(customer.Id, qb=qb)


def test_it_lists_filters_counts_and_pages(qb):
    total = Customer.count(qb=qb)
    assert len(Customer.all(qb=qb, max_results=1000)) == total
    customer_named("O'Hara & Sons", qb)
    assert [found.DisplayName for found in Customer.filter(DisplayName="O'Hara & Sons", qb=qb)] == ["O'Hara & Sons"]
    assert Customer.choose(["0"], qb=qb) == []
    assert Term.all(qb=qb) and Account.all(qb=qb)
    assert Preferences.get(qb=qb).TaxPrefs.UsingSalesTax is True


def test_it_saves_whole_objects_back(qb):
    customer = customer_named("Round Trip", qb)
    customer.GivenName = "Rounda"
    assert customer.save(qb=qb).SyncToken == "1"
    vendor = Vendor()
    vendor.DisplayName = "Round Vendor"
    vendor.save(qb=qb)
    vendor = Vendor.get(vendor.Id, qb=qb)
    vendor.CompanyName = "Round Vendor Inc"
    assert vendor.save(qb=qb).CompanyName == "Round Vendor Inc"
    for kind in (Invoice, Estimate, CreditMemo):
        document = sale(kind, customer, qb)
        document.PrivateNote = "second thoughts"
        saved = document.save(qb=qb)
        assert (saved.SyncToken, saved.PrivateNote, saved.Line[0].Id) == ("1", "second thoughts", "1")


def test_it_takes_money_voids_sends_prints_and_deletes(qb):
    customer = customer_named("Payer", qb)
    invoice = sale(Invoice, customer, qb)
    payment, row, link = Payment(), PaymentLine(), LinkedTxn()
    link.TxnId, link.TxnType = invoice.Id, "Invoice"
    row.Amount, row.LinkedTxn = 40, [link]
    payment.CustomerRef, payment.TotalAmt, payment.Line = customer.to_ref(), 40, [row]
    payment.save(qb=qb)
    assert Invoice.get(invoice.Id, qb=qb).Balance == Decimal(60)
    assert Customer.get(customer.Id, qb=qb).Balance == Decimal(60)
    Payment.get(payment.Id, qb=qb).void(qb=qb)
    invoice = Invoice.get(invoice.Id, qb=qb)
    assert invoice.Balance == Decimal(100)
    assert invoice.send(qb=qb, send_to="pay@er.example")["Invoice"]["EmailStatus"] == "EmailSent"
    assert invoice.download_pdf(qb=qb).startswith(b"%PDF-1.4")
    assert invoice.void(qb=qb)["Invoice"]["PrivateNote"] == "Voided"
    assert Invoice.get(invoice.Id, qb=qb).delete(qb=qb)["Invoice"]["status"] == "Deleted"
    with pytest.raises(ObjectNotFoundException):
        Invoice.get(invoice.Id, qb=qb)


def test_its_batches_and_change_capture_work(qb):
    made = []
    for number in range(31):
        customer = Customer()
        customer.DisplayName = f"Batch {number}"
        made.append(customer)
    assert len(batch_create(made, qb=qb).successes) == 31
    changes = change_data_capture([Customer, Term], "2026-01-01T00:00:00-08:00", qb=qb)
    assert {f"Batch {number}" for number in range(31)} <= {customer.DisplayName for customer in changes.Customer}


def test_it_recognises_our_refusals(qb, served):
    with pytest.raises(ValidationException, match="Invalid query"):
        Customer.where("Notes = 'x'", qb=qb)
    served.sandbox.authority.expire()
    with pytest.raises(AuthorizationException):
        Customer.all(qb=qb)
