"""What the made-up company sold on the spot: sales receipts, some refunded, the older ones taken to the bank.

Shapes as in query_salesreceipt_page, query_refundreceipt_page and query_deposit_page. Nothing here changes what a
customer owes. Called by `sandbox.seed.books` after all other sales.
"""

from collections.abc import Callable, Iterator

from sandbox.seed import jobs
from sandbox.seed.documents import sale
from sandbox.seed.jobs import Document
from sandbox.seed.lists import ACCOUNT_ID, PAYMENT_METHODS, Record
from sandbox.seed.people import Entry, stream_for
from sandbox.seed.shape import Calendar, base, money

WalkIn = tuple[Entry, Record]
WALK_INS = 400  # customers remembered as buyers on the spot
MOST = 2_000
OLD = 45  # days after which a receipt's money is at the bank
UNDEPOSITED = {"value": ACCOUNT_ID["Undeposited Funds"], "name": "Undeposited Funds"}
CHECKING = {"value": ACCOUNT_ID["Checking"], "name": "Checking"}


def written(
    buyers: list[WalkIn], size: int, seed: int, calendar: Calendar, assign: Callable[[Document], None]
) -> Iterator[tuple[str, Record]]:
    """Receipts, refunds, and one bank deposit of the older receipts."""
    if not buyers:
        return
    receipts, refunds = [], []
    for number in range(min(max(size // 12, 2), MOST)):
        stream = stream_for(seed, "counter", number)
        entry, customer = stream.choice(buyers)
        age = 2 + int(stream.random() ** 2 * 700)
        receipt = jobs.sale("SalesReceipt", entry, age, jobs.choose_lines(stream), stream)
        receipt.method = stream.randrange(len(PAYMENT_METHODS))
        receipt.discount_percent, receipt.total = 0, receipt.subtotal + receipt.tax
        receipts.append((receipt, customer))
        if number % 6 == 1 and age > 5:
            back = jobs.sale("RefundReceipt", entry, age - 3, receipt.lines[:1], stream)
            back.discount_percent, back.total = 0, back.subtotal + back.tax
            back.method = receipt.method
            refunds.append((back, customer))
    for document, _ in (*receipts, *refunds):
        assign(document)
    banked = [receipt for receipt, _ in receipts if receipt.age > OLD]
    deposit = Document("Deposit", buyers[0][0], OLD, 9 * 3600)
    if banked:
        assign(deposit)
    for receipt, customer in receipts:
        link = [{"TxnId": deposit.id, "TxnType": "Deposit"}] if receipt.age > OLD else []
        yield "SalesReceipt", _receipt(receipt, customer, calendar, UNDEPOSITED) | {"LinkedTxn": link}
    for refund, customer in refunds:
        yield "RefundReceipt", _receipt(refund, customer, calendar, CHECKING)
    if banked:
        yield "Deposit", _deposit(deposit, banked, calendar)


def _receipt(document: Document, customer: Record, calendar: Calendar, account: Record) -> Record:
    method = {"value": str(document.method + 1), "name": PAYMENT_METHODS[document.method][0]}
    made = sale(document, customer, calendar)
    return {"Balance": 0, "DepositToAccountRef": account, "PaymentMethodRef": method, **made, "LinkedTxn": []}


def _deposit(document: Document, banked: list[Document], calendar: Calendar) -> Record:
    stamp = calendar.stamp(document.age, document.second)
    lines = [{"Amount": money(receipt.total), "DetailType": "DepositLineDetail", "DepositLineDetail": {},
              "LinkedTxn": [{"TxnId": receipt.id, "TxnType": "SalesReceipt", "TxnLineId": "0"}]}
             for receipt in banked]  # fmt: skip
    return {
        "DepositToAccountRef": CHECKING, "TotalAmt": money(sum(receipt.total for receipt in banked)),
        "TxnDate": calendar.date(document.age), "CurrencyRef": {"value": "USD", "name": "United States Dollar"},
        "Line": lines, "TxnTaxDetail": {}, **base(document.id, "0", stamp, stamp),
    }  # fmt: skip
