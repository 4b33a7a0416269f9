"""Estimates, invoices, credit memos, sales and refund receipts: what a requested document becomes.

``prepare`` turns a requested document into one QuickBooks would keep and adds its figures; lines, numbers, tax and
custom fields have modules of their own, what it means for balances and links is settled by ``sandbox.receivables``.
Called by ``sandbox.rules``. Sources: FACTS 2.5, 5.3-5.7, 7 #22-#26, the create_, update_ and void_ recordings.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal

from sandbox import checking, custom, faults, lines, numbers, totals
from sandbox.checking import rounded
from sandbox.entities import RECEIPTS
from sandbox.naming import USD
from sandbox.store import Books
from sandbox.times import today

ZERO = Decimal(0)
DEFAULTS: dict[str, dict] = {
    "Invoice": {
        "AllowIPNPayment": False, "AllowOnlinePayment": False, "AllowOnlineCreditCardPayment": False,
        "AllowOnlineACHPayment": False, "CustomField": [], "LinkedTxn": [], "PrintStatus": "NeedToPrint",
    },
    "Estimate": {"CustomField": [], "TxnStatus": "Pending", "PrintStatus": "NeedToPrint"},
    "CreditMemo": {"CustomField": [], "PrintStatus": "NeedToPrint"},
    "SalesReceipt": {"CustomField": [], "PrintStatus": "NeedToPrint", "Balance": 0},
    "RefundReceipt": {"CustomField": [], "PrintStatus": "NotSet", "Balance": 0},
}  # fmt: skip
COMMON = {"CurrencyRef": USD, "ApplyTaxAfterDiscount": False, "EmailStatus": "NotSet"}
STATUSES = ("Pending", "Accepted", "Closed", "Rejected", "Converted")


def prepare(
    books: Books, entity: str, record: dict, before: dict | None, *, given: dict, now: datetime, include: frozenset[str]
) -> dict:
    """The document as it will be kept, with its totals. Raises the Fault QuickBooks would answer."""
    record = {**COMMON, **DEFAULTS[entity], **record}
    if "CustomerRef" not in record and entity not in RECEIPTS:
        raise faults.required("CustomerRef")
    checking.lengths(entity, record)
    checking.references(books, entity, record, before)
    checking.emails(record, "BillEmail")
    if record["EmailStatus"] == "NeedToSend" and "BillEmail" not in record:
        raise faults.Fault("6420", "Email address required", "BillEmail is required when EmailStatus is NeedToSend.")
    customer: dict = {}
    if "CustomerRef" in record:
        customer = books.get("Customer", record["CustomerRef"]["value"]) or {}
        record["CustomerRef"] = {"value": customer["Id"], "name": customer["DisplayName"]}
    preferences = books.get("Preferences", 1) or {}
    _dates(books, entity, record, customer, preferences, now)
    numbers.number(books, entity, record, before, preferences=preferences, include=include)
    _addresses(record, customer)
    record["CustomField"] = custom.fields(record["CustomField"], preferences)
    if entity == "Estimate" and record["TxnStatus"] not in STATUSES:
        raise faults.Fault("2170", "Invalid Enumeration", f"TxnStatus must be one of {', '.join(STATUSES)}.")
    if entity in RECEIPTS:
        _money_account(books, entity, record)
    lines_given = given.get("Line") if before else record.get("Line")
    if lines_given is not None or not before:
        record["Line"] = lines.settled(books, lines_given, before, _sale(books, record, customer, preferences))
    totals.total(books, record, before, given=given, customer=customer, preferences=preferences)
    _deposit(entity, record, before, preferences)
    return record


def _sale(books: Books, record: dict, customer: dict, preferences: dict) -> lines.Sale:
    abroad = totals.is_abroad(books)
    way = totals.calculation(books, record) if abroad else ""
    return lines.Sale(
        customer=customer, day=record["TxnDate"], abroad=abroad, taxed=way != "NotApplicable",
        allow_discount=bool(preferences.get("SalesFormsPrefs", {}).get("AllowDiscount", True)),
    )  # fmt: skip


def _money_account(books: Books, entity: str, record: dict) -> None:
    """Where a receipt's money goes (Undeposited Funds by default) or a refund's comes from, which must be told."""
    if entity == "RefundReceipt" and "DepositToAccountRef" not in record:
        raise faults.required("DepositToAccountRef")
    if "DepositToAccountRef" not in record:
        found = books.named("Account", "Undeposited Funds")
        if not found:
            raise faults.required("DepositToAccountRef")
        record["DepositToAccountRef"] = {"value": found[1]}
    for prop, kind in (("DepositToAccountRef", "Account"), ("PaymentMethodRef", "PaymentMethod")):
        if prop in record:
            listed = books.get(kind, record[prop]["value"]) or {}
            record[prop] = {"value": listed["Id"], "name": listed["Name"]}


def _deposit(entity: str, record: dict, before: dict | None, preferences: dict) -> None:
    """Invoice.Deposit, what was paid beforehand: only where the company allows it, and no more than the total."""
    if entity != "Invoice" or "Deposit" not in record:
        return
    record["Deposit"] = rounded(checking.amount(record["Deposit"], "Deposit"))
    changed = record["Deposit"] != (before or {}).get("Deposit", ZERO)
    if changed and not preferences.get("SalesFormsPrefs", {}).get("AllowDeposit", False):
        raise faults.business("Deposits are switched off in this company's sales settings.")
    if not ZERO <= record["Deposit"] <= record["TotalAmt"]:
        raise faults.business("The deposit must be between nothing and the total.")


def _dates(books: Books, entity: str, record: dict, customer: dict, preferences: dict, now: datetime) -> None:
    """TxnDate defaults to the server's day; DueDate follows the term, else the company's default term [recorded]."""
    txn_date = checking.day(record.setdefault("TxnDate", today(now).isoformat()), "TxnDate")
    record["TxnDate"] = txn_date.isoformat()
    for prop in ("ExpirationDate", "AcceptedDate", "ShipDate"):
        if prop in record:
            record[prop] = checking.day(record[prop], prop).isoformat()
    if entity != "Invoice":
        return
    if "SalesTermRef" not in record and customer.get("SalesTermRef"):
        record["SalesTermRef"] = customer["SalesTermRef"]
    ref = record.get("SalesTermRef")
    term = books.get("Term", ref["value"]) if ref else None
    if term:
        record["SalesTermRef"] = {"value": term["Id"], "name": term["Name"]}
    default = preferences.get("SalesFormsPrefs", {}).get("DefaultTerms")
    if not term and default:
        term = books.get("Term", default["value"])
    if "DueDate" in record:
        record["DueDate"] = checking.day(record["DueDate"], "DueDate").isoformat()
    else:
        record["DueDate"] = due(txn_date, term).isoformat()


def due(txn_date: date, term: dict | None) -> date:
    """The day a document is due under a term; without a term, at once."""
    if not term:
        return txn_date
    if term.get("Type") != "DATE_DRIVEN":
        return txn_date + timedelta(days=int(term.get("DueDays", 0)))
    target = int(term.get("DayOfMonthDue", 1))
    month = txn_date.replace(day=1)
    following = (month + timedelta(days=32)).replace(day=1)
    first = month if txn_date.day <= target else following
    if (_in_month(first, target) - txn_date).days < int(term.get("DueNextMonthDays", 0)):
        first = (first + timedelta(days=32)).replace(day=1)
    return _in_month(first, target)


def _in_month(first: date, day: int) -> date:
    last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return first.replace(day=min(day, last.day))


def _addresses(record: dict, customer: dict) -> None:
    for prop in ("BillAddr", "ShipAddr"):
        if prop not in record and customer.get(prop):
            record[prop] = customer[prop]
    record.setdefault("FreeFormAddress", True)
