"""Writes planned estimates, invoices, credit memos and payments as QuickBooks answers with them.

Shapes follow query_invoice_page, query_estimate_page, query_creditmemo_page, query_payment_page and, for voids,
void_invoice_sequence. Amounts are handed over by `jobs`; nothing is calculated here but the due date.
"""

from collections.abc import Callable
from decimal import Decimal

from sandbox.seed.jobs import Document, Line, accepted, days
from sandbox.seed.lists import ACCOUNT_ID, PAYMENT_METHODS, TAX_PERCENT, TERMS, USD, Record
from sandbox.seed.shape import ZERO, Calendar, base, money

NO_ONLINE_PAYMENT = {"AllowIPNPayment": False, "AllowOnlinePayment": False, "AllowOnlineCreditCardPayment": False,
                     "AllowOnlineACHPayment": False}  # fmt: skip
DISCOUNT_ACCOUNT = {"value": ACCOUNT_ID["Discounts given"], "name": "Discounts given"}
THANKS = {"value": "Thank you for trusting us with your foundation."}


def sale(document: Document, customer: Record, calendar: Calendar) -> Record:
    """What estimates, invoices and credit memos have in common."""
    made: Record = {
        "CustomField": [], "DocNumber": document.number, "TxnDate": calendar.date(document.age), "CurrencyRef": USD,
        "LinkedTxn": [{"TxnId": other.id, "TxnType": other.entity} for other in links(document)],
        "Line": lines(document), "TxnTaxDetail": tax(document),
        "CustomerRef": {"value": customer["Id"], "name": customer["DisplayName"]}, "CustomerMemo": THANKS,
        "TotalAmt": money(document.total), "ApplyTaxAfterDiscount": False, "PrintStatus": "NeedToPrint",
        "EmailStatus": "NotSet",
    }  # fmt: skip
    for name in ("BillAddr", "ShipAddr"):
        if name in customer:
            made[name] = customer[name]
    if "PrimaryEmailAddr" in customer:
        made["BillEmail"] = customer["PrimaryEmailAddr"]
    if document.note or document.void:
        made["PrivateNote"] = "Voided" if document.void else document.note
    return made | stamped(document, calendar)


def links(document: Document) -> list[Document]:
    """In the order of their ids, each once; a credit memo does not show the payment that used it up [recorded]."""
    return sorted(set(document.linked), key=lambda other: int(other.id)) if document.entity != "CreditMemo" else []


def stamped(document: Document, calendar: Calendar) -> Record:
    created = calendar.stamp(document.age, document.second)
    updated = calendar.stamp(*document.touched) if document.touched else created
    return base(document.id, str(changes(document)), created, updated)


def changes(document: Document) -> int:
    """The SyncToken: a void counts one, each payment applied counts one; closing an estimate counts nothing."""
    return document.void + sum(other.entity == "Payment" for other in set(document.linked))


def lines(document: Document) -> list[Record]:
    made = [sales_line(number, line, document) for number, line in enumerate(document.lines, start=1)]
    made.append({"Amount": money(document.subtotal), "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}})
    if document.discount_percent:
        made.append({
            "Amount": money(document.discount), "DetailType": "DiscountLineDetail",
            "DiscountLineDetail": {"PercentBased": True, "DiscountPercent": Decimal(document.discount_percent),
                                   "DiscountAccountRef": DISCOUNT_ACCOUNT},
        })  # fmt: skip
    return made


def sales_line(number: int, line: Line, document: Document) -> Record:
    product = line.product
    detail: Record = {"ItemRef": {"value": product.id, "name": product.name}}
    if not document.void:
        detail |= {"UnitPrice": money(product.price), "Qty": Decimal(line.tenths) / 10}
    detail["ItemAccountRef"] = {"value": ACCOUNT_ID[product.account], "name": product.account}
    detail["TaxCodeRef"] = {"value": "TAX" if product.taxable else "NON"}
    return {
        "Id": str(number), "LineNum": number, "Description": product.description,
        "Amount": ZERO if document.void else money(line.amount), "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": detail, "CustomExtensions": [],
    }  # fmt: skip


def tax(document: Document) -> Record:
    if not document.taxable:
        return {"TotalTax": ZERO}
    detail = {"TaxRateRef": {"value": "1"}, "PercentBased": True, "TaxPercent": TAX_PERCENT,
              "NetAmountTaxable": money(document.taxable)}  # fmt: skip
    line = {"Amount": money(document.tax), "DetailType": "TaxLineDetail", "TaxLineDetail": detail}
    return {"TxnTaxCodeRef": {"value": "2"}, "TotalTax": money(document.tax), "TaxLine": [line]}


def estimate(document: Document, customer: Record, calendar: Calendar) -> Record:
    made = {"TxnStatus": document.status, "ExpirationDate": calendar.date(document.age - 30)}
    if document.status in ("Accepted", "Closed"):
        made |= {"AcceptedBy": document.entry.person.given, "AcceptedDate": calendar.date(accepted(document))}
    return made | sale(document, customer, calendar)


def invoice(document: Document, customer: Record, calendar: Calendar) -> Record:
    made = {
        **NO_ONLINE_PAYMENT, "SalesTermRef": {"value": str(document.term + 1), "name": TERMS[document.term][0]},
        "DueDate": calendar.date(document.age - days(document)), "Balance": money(document.balance),
    }  # fmt: skip
    return made | sale(document, customer, calendar)


def credit_memo(document: Document, customer: Record, calendar: Calendar) -> Record:
    made = {"RemainingCredit": money(document.balance), "Balance": money(document.balance)}
    return made | sale(document, customer, calendar)


def payment(document: Document, customer: Record, calendar: Calendar) -> Record:
    made: Record = {
        "CustomerRef": {"value": customer["Id"], "name": customer["DisplayName"]}, "TotalAmt": money(document.total),
        "UnappliedAmt": money(document.balance), "ProcessPayment": False, "TxnDate": calendar.date(document.age),
        "CurrencyRef": USD,
        "Line": [{"Amount": money(amount), "LinkedTxn": [{"TxnId": target.id, "TxnType": target.entity}]}
                 for target, amount in document.applied],
    }  # fmt: skip
    if document.note:
        made["PrivateNote"] = document.note
    else:
        made["DepositToAccountRef"] = {"value": ACCOUNT_ID["Undeposited Funds"]}
        method = document.method
        made["PaymentMethodRef"] = {"value": str(method + 1), "name": PAYMENT_METHODS[method][0]}
    if document.reference:
        made["PaymentRefNum"] = document.reference
    return made | stamped(document, calendar)


WRITERS: dict[str, Callable[[Document, Record, Calendar], Record]] = {
    "Estimate": estimate, "Invoice": invoice, "CreditMemo": credit_memo, "Payment": payment,
}  # fmt: skip
