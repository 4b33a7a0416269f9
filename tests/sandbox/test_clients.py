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
    AccountBasedExpenseLine,
    AccountBasedExpenseLineDetail,
    Attachable,
    Bill,
    BillPayment,
    BillPaymentLine,
    CreditMemo,
    Customer,
    DiscountLine,
    DiscountLineDetail,
    Estimate,
    Invoice,
    Item,
    Payment,
    PaymentLine,
    Preferences,
    RefundReceipt,
    SalesItemLine,
    SalesItemLineDetail,
    SalesReceipt,
    Term,
    Vendor,
)
from quickbooks.objects.base import AttachableRef, LinkedTxn
from quickbooks.objects.billpayment import CheckPayment


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


# ---------------------------------------------------------------- the rep's day, one test for each kind of object


def test_its_items_are_made_changed_and_made_inactive(qb):
    income = Account.where("AccountType = 'Income'", qb=qb)[0]
    item = Item()
    item.Name, item.Type, item.Sku, item.UnitPrice = "Client item", "NonInventory", "CL-1", 12
    item.IncomeAccountRef = income.to_ref()
    item.save(qb=qb)
    item = Item.get(item.Id, qb=qb)
    item.UnitPrice = Decimal("13.25")
    assert item.save(qb=qb).UnitPrice == Decimal("13.25")
    item = Item.get(item.Id, qb=qb)
    item.Active = False
    assert item.save(qb=qb).Name == "Client item (deleted)"
    bundle = Item.filter(Type="Group", qb=qb)[0]
    assert bundle.ItemGroupDetail["ItemGroupLine"] and Item.filter(Type="Inventory", qb=qb)[0].QtyOnHand is not None


def test_its_estimates_are_accepted_and_invoiced(qb):
    customer = customer_named("Accepts by client", qb)
    estimate = sale(Estimate, customer, qb)
    estimate.TxnStatus, estimate.AcceptedBy, estimate.AcceptedDate = "Accepted", "Jo", "2026-11-20"
    assert estimate.save(qb=qb).TxnStatus == "Accepted"
    assert estimate.send(qb=qb, send_to="jo@client.example")["Estimate"]["EmailStatus"] == "EmailSent"
    assert estimate.download_pdf(qb=qb).startswith(b"%PDF-1.4")
    invoice, link = Invoice(), LinkedTxn()
    link.TxnId, link.TxnType = estimate.Id, "Estimate"
    invoice.CustomerRef, invoice.LinkedTxn = customer.to_ref(), [link]
    invoice.Line = [row for row in Estimate.get(estimate.Id, qb=qb).Line if row.DetailType == "SalesItemLineDetail"]
    invoice.save(qb=qb)
    closed = Estimate.get(estimate.Id, qb=qb)
    assert (closed.TxnStatus, closed.LinkedTxn[0].TxnId) == ("Closed", invoice.Id)
    assert Invoice.get(invoice.Id, qb=qb).TotalAmt == estimate.TotalAmt


def test_its_invoices_keep_discounts_custom_fields_and_terms(qb):
    customer = customer_named("Invoiced by client", qb)
    invoice = sale(Invoice, customer, qb)
    discount = DiscountLine()
    discount.DiscountLineDetail = DiscountLineDetail()
    discount.DiscountLineDetail.PercentBased, discount.DiscountLineDetail.DiscountPercent = True, 10
    invoice.Line = [*[row for row in invoice.Line if row.DetailType == "SalesItemLineDetail"], discount]
    invoice.SalesTermRef = Term.all(qb=qb)[0].to_ref()
    saved = invoice.save(qb=qb)
    assert saved.TotalAmt == Decimal(90) and saved.SalesTermRef.value == invoice.SalesTermRef.value


def test_its_payments_pay_several_invoices(qb):
    customer = customer_named("Pays several by client", qb)
    payment = Payment()
    payment.CustomerRef, payment.TotalAmt = customer.to_ref(), 150
    for invoice, amount in ((sale(Invoice, customer, qb), 100), (sale(Invoice, customer, qb), 30)):
        row, link = PaymentLine(), LinkedTxn()
        link.TxnId, link.TxnType = invoice.Id, "Invoice"
        row.Amount, row.LinkedTxn = amount, [link]
        payment.Line.append(row)
    assert payment.save(qb=qb).UnappliedAmt == Decimal(20)
    assert Customer.get(customer.Id, qb=qb).Balance == Decimal(50)


def test_its_receipts_and_refunds_are_saved(qb):
    customer = customer_named("Buys at once by client", qb)
    bank = Account.where("AccountType = 'Bank'", qb=qb)[0]
    receipt = sale(SalesReceipt, customer, qb)
    assert (receipt.Balance, receipt.TotalAmt) == (0, 100)
    assert receipt.void(qb=qb)["SalesReceipt"]["PrivateNote"] == "Voided"
    refund = RefundReceipt()
    refund.CustomerRef, refund.DepositToAccountRef = customer.to_ref(), bank.to_ref()
    refund.Line = [row for row in sale(Invoice, customer, qb).Line if row.DetailType == "SalesItemLineDetail"]
    refund.save(qb=qb)
    assert RefundReceipt.get(refund.Id, qb=qb).TotalAmt == Decimal(100)


def test_its_bills_are_saved_and_paid(qb):
    vendor = Vendor()
    vendor.DisplayName = "Billed by client"
    vendor.save(qb=qb)
    bill, row = Bill(), AccountBasedExpenseLine()
    row.Amount, row.AccountBasedExpenseLineDetail = 80, AccountBasedExpenseLineDetail()
    row.AccountBasedExpenseLineDetail.AccountRef = Account.where("AccountType = 'Expense'", qb=qb)[0].to_ref()
    bill.VendorRef, bill.Line = vendor.to_ref(), [row]
    bill.save(qb=qb)
    assert Vendor.get(vendor.Id, qb=qb).Balance == Decimal(80)
    bill = Bill.get(bill.Id, qb=qb)
    bill.PrivateNote = "second thoughts"
    assert bill.save(qb=qb).SyncToken == "1"
    payment, part, link = BillPayment(), BillPaymentLine(), LinkedTxn()
    link.TxnId, link.TxnType = bill.Id, "Bill"
    part.Amount, part.LinkedTxn = 80, [link]
    payment.VendorRef, payment.TotalAmt, payment.PayType, payment.Line = vendor.to_ref(), 80, "Check", [part]
    payment.CheckPayment = CheckPayment()
    payment.CheckPayment.BankAccountRef = Account.where("AccountType = 'Bank'", qb=qb)[0].to_ref()
    payment.save(qb=qb)
    assert (Bill.get(bill.Id, qb=qb).Balance, Vendor.get(vendor.Id, qb=qb).Balance) == (0, 0)


def test_its_attachments_are_uploaded(qb, tmp_path):
    invoice = sale(Invoice, customer_named("Attaches by client", qb), qb)
    path = tmp_path / "plan.txt"
    path.write_text("a plan")
    attachment, ref = Attachable(), AttachableRef()
    ref.EntityRef = invoice.to_ref()
    attachment.AttachableRef, attachment.FileName = [ref], "plan.txt"
    attachment._FilePath, attachment.ContentType = str(path), "text/plain"
    attachment.save(qb=qb)
    assert Attachable.get(attachment.Id, qb=qb).Size == 6
