"""Estimates, invoices and credit memos: lines, discount, tax, totals, numbering, terms.

``prepare`` turns a requested document into one QuickBooks would keep and adds its figures; what it means for balances
and links is settled by ``sandbox.receivables``. Called by ``sandbox.rules``. Sources: FACTS 2.5, 5.3-5.5, 7 #22-#26,
the create_/update_/void_ recordings of invoices, estimates and credit memos.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox import checking, faults, totals
from sandbox.checking import rounded
from sandbox.naming import USD
from sandbox.store import Books
from sandbox.times import today

ZERO = Decimal(0)
MOST_LINES = 750
LONGEST_DESCRIPTION = 4000
DEFAULTS: dict[str, dict] = {
    "Invoice": {
        "AllowIPNPayment": False, "AllowOnlinePayment": False, "AllowOnlineCreditCardPayment": False,
        "AllowOnlineACHPayment": False, "CustomField": [], "LinkedTxn": [], "PrintStatus": "NeedToPrint",
    },
    "Estimate": {"CustomField": [], "TxnStatus": "Pending", "PrintStatus": "NeedToPrint"},
    "CreditMemo": {"CustomField": [], "PrintStatus": "NeedToPrint"},
}  # fmt: skip
COMMON = {"CurrencyRef": USD, "ApplyTaxAfterDiscount": False, "EmailStatus": "NotSet"}
STATUSES = ("Pending", "Accepted", "Closed", "Rejected", "Converted")


def prepare(
    books: Books, entity: str, record: dict, before: dict | None, *, given: dict, now: datetime, include: frozenset[str]
) -> dict:
    """The document as it will be kept, with its totals. Raises the Fault QuickBooks would answer."""
    record = {**COMMON, **DEFAULTS[entity], **record}
    if "CustomerRef" not in record:
        raise faults.required("CustomerRef")
    checking.lengths(entity, record)
    checking.references(books, entity, record, before)
    checking.emails(record, "BillEmail")
    if record["EmailStatus"] == "NeedToSend" and "BillEmail" not in record:
        raise faults.Fault("6420", "Email address required", "BillEmail is required when EmailStatus is NeedToSend.")
    customer = books.get("Customer", record["CustomerRef"]["value"]) or {}
    preferences = books.get("Preferences", 1) or {}
    record["CustomerRef"] = {"value": customer["Id"], "name": customer["DisplayName"]}
    _dates(books, entity, record, customer, preferences, now)
    _number(books, entity, record, before, preferences, include)
    _addresses(record, customer)
    if entity == "Estimate" and record["TxnStatus"] not in STATUSES:
        raise faults.Fault("2170", "Invalid Enumeration", f"TxnStatus must be one of {', '.join(STATUSES)}.")
    lines_given = given.get("Line") if before else record.get("Line")
    if lines_given is not None or not before:
        record["Line"] = _lines(books, lines_given, before, customer)
    totals.total(books, record, before, given=given, customer=customer, preferences=preferences)
    return record


def _dates(books: Books, entity: str, record: dict, customer: dict, preferences: dict, now: datetime) -> None:
    """TxnDate defaults to the server's day; DueDate follows the term, else the company's default term [recorded]."""
    txn_date = checking.day(record.setdefault("TxnDate", today(now).isoformat()), "TxnDate")
    record["TxnDate"] = txn_date.isoformat()
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


def _number(
    books: Books, entity: str, record: dict, before: dict | None, preferences: dict, include: frozenset[str]
) -> None:
    """Numbers by last + 1 unless the company numbers by hand; estimates have a series of their own [FACTS 5.3, 5.4]."""
    by_hand = preferences.get("SalesFormsPrefs", {}).get("CustomTxnNumbers", False)
    series = "number:Estimate" if entity == "Estimate" else "number:Sales"
    wanted = record.get("DocNumber")
    if before and wanted is None and not by_hand:
        record["DocNumber"] = before.get("DocNumber")
        if record["DocNumber"] is None:
            del record["DocNumber"]
        return
    if wanted == "AUTO_GENERATE" or record.get("AutoDocNumber") or (wanted is None and not by_hand):
        number = max(books.counter(series), 1000) + 1
        while books.numbered(entity, str(number)):
            number += 1
        books.set_counter(series, number)
        record["DocNumber"] = str(number)
        return
    if wanted is None or (before and before.get("DocNumber") == wanted):
        return
    strict = entity != "Estimate" and "allowduplicatedocnum" not in include and _warns(preferences)
    if strict and books.numbered(entity, str(wanted)):
        raise faults.duplicate_number(str(wanted))
    if not before and str(wanted).isdigit() and len(str(wanted)) < 16:
        books.set_counter(series, int(wanted))


def _warns(preferences: dict) -> bool:
    named = {pair.get("Name"): pair.get("Value") for pair in preferences.get("OtherPrefs", {}).get("NameValue", [])}
    return named.get("WarnDuplicateInvoiceNumber", "true") != "false"


def _addresses(record: dict, customer: dict) -> None:
    for prop in ("BillAddr", "ShipAddr"):
        if prop not in record and customer.get(prop):
            record[prop] = customer[prop]
    record.setdefault("FreeFormAddress", True)


def _lines(books: Books, given: Any, before: dict | None, customer: dict) -> list[dict]:
    """The complete list of lines: known ids are kept, others get new ones, the subtotal is made afresh."""
    if not isinstance(given, list) or not given:
        raise faults.required("Line")
    old = {line["Id"]: line for line in (before or {}).get("Line", []) if "Id" in line}
    last = max((int(id) for id in old), default=0)
    lines, discount, subtotal = [], None, ZERO
    for raw in given:
        line = _line(books, raw, customer)
        if line is None:
            continue
        if str(raw.get("Id", "")) in old:
            line = {"Id": str(raw["Id"]), **line}
        else:
            last += 1
            line = {"Id": str(last), **line}
        if line["DetailType"] == "DiscountLineDetail":
            if discount:
                raise faults.Fault("2600", "Conflicting elements", "Only one discount line is allowed.")
            discount = line
            continue
        line = {"Id": line["Id"], "LineNum": len(lines) + 1, **{k: v for k, v in line.items() if k != "Id"}}
        subtotal += line.get("Amount", ZERO)
        lines.append(line)
    if not lines:
        raise faults.required("Line")
    if len(lines) > MOST_LINES:
        raise faults.business(f"A taxable transaction may have {MOST_LINES} lines.")
    lines.append({"Amount": subtotal, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}})
    return [*lines, discount] if discount else lines


def _line(books: Books, raw: Any, customer: dict) -> dict | None:
    """One line as kept, without Id; None for a subtotal line sent back."""
    kind = raw.get("DetailType") if isinstance(raw, dict) else None
    if not kind:
        raise faults.required("Line.DetailType")
    if kind == "SubTotalLineDetail":
        return None
    line = {key: raw[key] for key in ("Description", "LinkedTxn", "CustomField") if raw.get(key)}
    if len(line.get("Description", "")) > LONGEST_DESCRIPTION:
        raise faults.too_long("Line.Description", LONGEST_DESCRIPTION)
    if kind == "DescriptionOnly":
        return {**line, "DetailType": kind, "DescriptionLineDetail": raw.get("DescriptionLineDetail", {})}
    if kind not in raw or not isinstance(raw[kind], dict):
        raise faults.required(f"Line.{kind}")
    if kind == "DiscountLineDetail":
        return {**line, "Amount": raw.get("Amount", ZERO), "DetailType": kind, kind: dict(raw[kind])}
    if kind != "SalesItemLineDetail":
        raise faults.business(f"Lines of type {kind} are not kept by this company.")
    return _item_line(books, line, raw, customer)


def _item_line(books: Books, line: dict, raw: dict, customer: dict) -> dict:
    detail = dict(raw["SalesItemLineDetail"])
    if "ItemRef" not in detail:  # taken as text, its amount is ignored [FACTS 7 #24]
        return {**line, "DetailType": "DescriptionOnly", "DescriptionLineDetail": {}}
    item = checking.referred(books, "Item", detail["ItemRef"], "Line.SalesItemLineDetail.ItemRef")
    if raw.get("Amount") is None:
        raise faults.required("Line.Amount")
    amount = rounded(checking.amount(raw["Amount"], "Line.Amount"))
    for prop in ("Qty", "UnitPrice"):
        if prop in detail:
            detail[prop] = checking.amount(detail[prop], f"Line.SalesItemLineDetail.{prop}")
    if "Qty" in detail and "UnitPrice" in detail and rounded(detail["Qty"] * detail["UnitPrice"]) != amount:
        raise faults.Fault(
            "6070", "Amount calculation incorrect in the request",
            "Amount calculation incorrect in the request : Amount is not equal to UnitPrice * Qty. "
            f"Supplied value:{amount}",
        )  # fmt: skip
    if amount < 0:
        raise faults.Fault("2290", "Negative amount", "Negative amounts are not supported on transaction lines.")
    taxed = (detail.get("TaxCodeRef") or {}).get("value")
    if taxed is None:
        taxed = "TAX" if item.get("Taxable") and customer.get("Taxable") else "NON"
    if taxed not in ("TAX", "NON"):
        raise faults.Fault("6100", "Invalid tax code", "In US companies a line's TaxCodeRef must be TAX or NON.")
    detail["ItemRef"] = {"value": item["Id"], "name": item["FullyQualifiedName"]}
    if item.get("IncomeAccountRef"):
        detail["ItemAccountRef"] = item["IncomeAccountRef"]
    detail["TaxCodeRef"] = {"value": taxed}
    return {
        **line, "Amount": amount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail,
        "CustomExtensions": [],
    }  # fmt: skip
