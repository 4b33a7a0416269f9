"""What the made-up company bought: bills of its vendors, most of them paid by cheque.

Shapes as in query_bill_page and query_billpayment_page. `plan` is pure, so that a vendor's balance is known before its
bills are written; all money is whole cents. Called by `sandbox.seed.books`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from sandbox.seed import catalogue
from sandbox.seed.lists import ACCOUNT_ID, EMPLOYEES, USD, VENDORS, Record
from sandbox.seed.people import stream_for
from sandbox.seed.shape import Calendar, base, money

MOST = 3_000
COSTS = ("Subcontractors", "Fuel", "Insurance", "Advertising", "Job Materials", "Office Expenses")
PAYABLE = {"value": ACCOUNT_ID["Accounts Payable (A/P)"], "name": "Accounts Payable (A/P)"}
FIRST_STOCK = catalogue.FIRST_FREE + len(catalogue.CATEGORIES)


@dataclass(frozen=True, slots=True)
class Bill:
    vendor: str
    number: str
    age: int
    cents: int
    account: str  # empty for a bill of stock
    stock: int  # which of `catalogue.STOCK`
    quantity: int
    paid: bool


def plan(size: int, seed: int) -> list[Bill]:
    """One bill for six customers, by vendors that are still active."""
    vendors = [number for number in range(EMPLOYEES + 1, EMPLOYEES + VENDORS + 1) if number % 11]
    made = []
    for number in range(min(max(size // 6, 6), MOST)):
        stream = stream_for(seed, "bills", number)
        age, of_stock = 2 + int(stream.random() ** 1.5 * 500), stream.random() < 0.4
        which, quantity = stream.randrange(len(catalogue.STOCK)), stream.randrange(5, 40)
        cents = catalogue.STOCK[which][4] * quantity if of_stock else stream.randrange(2_500, 480_000)
        made.append(Bill(
            vendor=str(stream.choice(vendors)), number=f"B{stream.randrange(10_000, 99_999)}", age=age, cents=cents,
            account="" if of_stock else stream.choice(COSTS), stock=which, quantity=quantity,
            paid=age > 40 and stream.random() < 0.9,
        ))  # fmt: skip
    return made


def owed(bills: list[Bill], vendor: str) -> Decimal | int:
    """What a vendor is still owed."""
    cents = sum(bill.cents for bill in bills if bill.vendor == vendor and not bill.paid)
    return money(cents) if cents else 0


def written(
    bills: list[Bill], vendors: dict[str, str], calendar: Calendar, next_id: Callable[[], str]
) -> Iterator[tuple[str, Record]]:
    """Each bill, followed by what paid it."""
    for bill in bills:
        id, paying = next_id(), next_id() if bill.paid else ""
        ref = {"value": bill.vendor, "name": vendors[bill.vendor]}
        yield "Bill", _bill(bill, id, paying, ref, calendar)
        if paying:
            yield "BillPayment", _payment(bill, id, paying, ref, calendar)


def _bill(bill: Bill, id: str, paying: str, vendor: Record, calendar: Calendar) -> Record:
    created = calendar.stamp(bill.age, 10 * 3600)
    updated = calendar.stamp(_paid_at(bill), 11 * 3600) if paying else created
    links = [{"TxnId": paying, "TxnType": "BillPaymentCheck"}] if paying else []
    total = money(bill.cents)
    return {
        "DueDate": calendar.date(bill.age - 30), "Balance": Decimal(0) if paying else total, "DocNumber": bill.number,
        "TxnDate": calendar.date(bill.age), "CurrencyRef": USD, "LinkedTxn": links, "Line": [_line(bill)],
        "VendorRef": vendor, "APAccountRef": PAYABLE, "TotalAmt": total,
        **base(id, "1" if paying else "0", created, updated),
    }  # fmt: skip


def _line(bill: Bill) -> Record:
    common = {"Id": "1", "LineNum": 1, "Amount": money(bill.cents), "LinkedTxn": []}
    detail: Record = {"BillableStatus": "NotBillable", "TaxCodeRef": {"value": "NON"}}
    own: Record
    if bill.account:
        ref = {"value": ACCOUNT_ID[bill.account], "name": bill.account}
        kind, own = "AccountBasedExpenseLineDetail", {"AccountRef": ref}
    else:
        name, category, _, _, cost, *_ = catalogue.STOCK[bill.stock]
        ref = {"value": str(FIRST_STOCK + bill.stock), "name": f"{category}:{name}"}
        kind, own = "ItemBasedExpenseLineDetail", {"ItemRef": ref, "UnitPrice": money(cost), "Qty": bill.quantity}
        common["Description"] = name
    return {**common, "DetailType": kind, kind: {**detail, **own}, "CustomExtensions": []}


def _paid_at(bill: Bill) -> int:
    return max(bill.age - 28, 1)


def _payment(bill: Bill, id: str, paying: str, vendor: Record, calendar: Calendar) -> Record:
    age = _paid_at(bill)
    stamp = calendar.stamp(age, 11 * 3600)
    account = {"value": ACCOUNT_ID["Checking"], "name": "Checking"}
    line = {"Amount": money(bill.cents), "LinkedTxn": [{"TxnId": id, "TxnType": "Bill"}]}
    return {
        "VendorRef": vendor, "PayType": "Check", "CheckPayment": {"BankAccountRef": account}, "CurrencyRef": USD,
        "TotalAmt": money(bill.cents), "TxnDate": calendar.date(age), "Line": [line], **base(paying, "0", stamp, stamp),
    }  # fmt: skip
