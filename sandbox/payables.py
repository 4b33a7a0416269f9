"""Bills, what pays them, and what the company owes each vendor [FACTS 5.8].

Bill.Balance is its total less what bill payments apply; a vendor's Balance is its open bills less payments not applied;
neither the vendor's SyncToken nor a bill's links are the client's to write. Called by ``sandbox.rules``; shapes from
create_bill_response, query_bill_page and query_billpayment_page.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox import checking, faults, switches
from sandbox.checking import rounded
from sandbox.naming import USD
from sandbox.sales import due
from sandbox.store import Books
from sandbox.times import stamp, today

ZERO = Decimal(0)
ITEM, ACCOUNT = "ItemBasedExpenseLineDetail", "AccountBasedExpenseLineDetail"


def prepare(books: Books, entity: str, record: dict, before: dict | None, *, given: dict, now: datetime) -> dict:
    """A bill or bill payment as it will be kept. Raises the Fault QuickBooks would answer."""
    if before and "VendorRef" not in given:
        raise faults.required("VendorRef")  # even when sparse [FACTS 2.5]
    record = {"CurrencyRef": USD, **record}
    for prop in ("VendorRef", *(("TotalAmt", "PayType") if entity == "BillPayment" else ())):
        if prop not in record:
            raise faults.required(prop)
    checking.lengths(entity, record)
    checking.references(books, entity, record, before)
    vendor = books.get("Vendor", record["VendorRef"]["value"]) or {}
    record["VendorRef"] = {"value": vendor["Id"], "name": vendor["DisplayName"]}
    record["TxnDate"] = checking.day(record.get("TxnDate") or today(now).isoformat(), "TxnDate").isoformat()
    return _bill(books, record, before, vendor) if entity == "Bill" else _payment(books, record, before)


def _bill(books: Books, record: dict, before: dict | None, vendor: dict) -> dict:
    if "APAccountRef" not in record:
        found = books.named("Account", "Accounts Payable (A/P)")
        record["APAccountRef"] = {"value": found[1] if found else "", "name": "Accounts Payable (A/P)"}
    if "SalesTermRef" not in record and not before and vendor.get("TermRef"):
        record["SalesTermRef"] = vendor["TermRef"]
    term = books.get("Term", record["SalesTermRef"]["value"]) if "SalesTermRef" in record else None
    day = checking.day(record["TxnDate"], "TxnDate")
    record["DueDate"] = checking.day(record.get("DueDate") or due(day, term), "DueDate").isoformat()
    if not before and "VendorAddr" not in record and vendor.get("BillAddr"):
        record["VendorAddr"] = vendor["BillAddr"]
    if not record.get("Line"):
        raise faults.required("Line")
    known = {line["Id"] for line in (before or {}).get("Line", [])}
    last = max((int(id) for id in known), default=0)
    rows = []
    for number, raw in enumerate(record["Line"], start=1):
        id = str(raw.get("Id", ""))
        if id not in known:
            last, id = last + 1, str(last + 1)
        rows.append({"Id": id, "LineNum": number, **_line(books, raw)})
    record["Line"] = rows
    record["TotalAmt"] = sum((line["Amount"] for line in rows), ZERO)
    paid = Decimal(before["TotalAmt"]) - Decimal(before["Balance"]) if before else ZERO
    if record["TotalAmt"] < paid:
        raise faults.business("The bill cannot come to less than what was paid on it.")
    if before and paid and before["VendorRef"]["value"] != record["VendorRef"]["value"]:
        raise faults.business("The vendor of a bill that was paid cannot be changed.")
    record["Balance"] = record["TotalAmt"] - paid
    return record


def _line(books: Books, raw: Any) -> dict:
    kind = raw.get("DetailType")
    if kind not in (ITEM, ACCOUNT):
        raise faults.required("Line.DetailType") if not kind else faults.business(f"Bills hold no line of type {kind}.")
    if not isinstance(raw.get(kind), dict) or raw.get("Amount") is None:
        raise faults.required(f"Line.{kind}" if not isinstance(raw.get(kind), dict) else "Line.Amount")
    detail = {"BillableStatus": "NotBillable", "TaxCodeRef": {"value": "NON"}, **raw[kind]}
    target, prop = ("Item", "ItemRef") if kind == ITEM else ("Account", "AccountRef")
    if prop not in detail:
        raise faults.Fault("6440", "Account or item required", f"A line with an amount needs {prop}.")
    found = checking.referred(books, target, detail[prop], f"Line.{kind}.{prop}")
    detail[prop] = {"value": found["Id"], "name": found["FullyQualifiedName"]}
    if detail["BillableStatus"] == "Billable" and "CustomerRef" not in detail:
        raise faults.Fault("6310", "Customer required", "A billable line needs a CustomerRef.")
    if "CustomerRef" in detail:
        customer = checking.referred(books, "Customer", detail["CustomerRef"], f"Line.{kind}.CustomerRef")
        detail["CustomerRef"] = {"value": customer["Id"], "name": customer["DisplayName"]}
    amount = rounded(checking.amount(raw["Amount"], "Line.Amount"))
    for member in ("Qty", "UnitPrice"):
        if member in detail:
            detail[member] = checking.amount(detail[member], f"Line.{kind}.{member}")
    if "Qty" in detail and "UnitPrice" in detail and rounded(detail["Qty"] * detail["UnitPrice"]) != amount:
        raise faults.miscalculated(amount)
    text = {"Description": raw["Description"]} if raw.get("Description") else {}
    return {**text, "Amount": amount, "LinkedTxn": [], "DetailType": kind, kind: detail, "CustomExtensions": []}


def _payment(books: Books, record: dict, before: dict | None) -> dict:
    way, prop, kind = {
        "Check": ("CheckPayment", "BankAccountRef", "Bank"),
        "CreditCard": ("CreditCardPayment", "CCAccountRef", "Credit Card"),
    }.get(record["PayType"], ("", "", ""))
    if not way:
        raise faults.Fault("2170", "Invalid Enumeration", "PayType must be Check or CreditCard.")
    if not isinstance(record.get(way), dict):
        raise faults.required(way)
    account = checking.referred(books, "Account", record[way].get(prop), f"{way}.{prop}")
    if account["AccountType"] != kind:
        raise faults.Fault("6430", "Invalid account type", f"{account['Name']} is not of type {kind}.")
    record[way] = {**record[way], prop: {"value": account["Id"], "name": account["Name"]}}
    record["TotalAmt"] = rounded(checking.amount(record["TotalAmt"], "TotalAmt"))
    record["Line"] = [_applied(books, line, record, before) for line in record.get("Line", [])]
    if sum((line["Amount"] for line in record["Line"]), ZERO) > record["TotalAmt"]:
        raise faults.business("The amounts applied are more than the payment.")
    return record


def _applied(books: Books, line: Any, payment: dict, before: dict | None) -> dict:
    links = line.get("LinkedTxn")
    if not links:
        raise faults.required("Line.LinkedTxn")
    id = str(links[0].get("TxnId"))
    bill = books.get("Bill", id) if links[0].get("TxnType") == "Bill" and id.isdigit() else None
    if bill is None:
        raise faults.invalid_reference("Line.LinkedTxn.TxnId")
    if bill["VendorRef"]["value"] != payment["VendorRef"]["value"]:
        raise faults.Fault("620", "Transaction cannot be linked", "The bill is another vendor's.")
    amount = rounded(checking.amount(line.get("Amount", 0), "Line.Amount"))
    room = Decimal(bill["Balance"]) + _on(before, id)
    if not ZERO <= amount <= room:
        raise faults.business(f"The amount applied to bill {id} is {amount}, its open balance {room}.")
    return {"Amount": amount, "LinkedTxn": [{"TxnId": id, "TxnType": "Bill"}]}


def _on(payment: dict | None, bill: str) -> Decimal:
    rows = (payment or {}).get("Line", [])
    return sum((Decimal(row["Amount"]) for row in rows if row["LinkedTxn"][0]["TxnId"] == bill), ZERO)


def deletable(entity: str, record: dict) -> None:
    """A bill that was paid cannot be deleted: its payments hang on it (800) [FACTS 2.5]."""
    if entity == "Bill" and record.get("LinkedTxn"):
        raise faults.Fault("800", "Cannot delete", "Bill payments are linked to this bill. Remove them first.")


def settle(books: Books, entity: str, before: dict | None, after: dict | None, now: datetime) -> None:
    """Bring bills and vendors back to truth after a change; ``after`` is None when the document was deleted."""
    if entity == "BillPayment":
        own = {"TxnId": (after or before or {})["Id"], "TxnType": "BillPaymentCheck"}
        bills = {row["LinkedTxn"][0]["TxnId"] for one in (before, after) for row in (one or {}).get("Line", [])}
        for id in sorted(bills):
            _pay(books, id, _on(after, id) - _on(before, id), own if _on(after, id) else None, own, now)
    for vendor in {record["VendorRef"]["value"] for record in (before, after) if record}:
        refresh_vendor(books, vendor, now)


def _pay(books: Books, id: str, change: Decimal, link: dict | None, own: dict, now: datetime) -> None:
    bill = books.get("Bill", id)
    if bill is None or not change:
        return
    bill["Balance"] = Decimal(bill["Balance"]) - change
    bill["LinkedTxn"] = [one for one in bill.get("LinkedTxn", []) if one != own] + ([link] if link else [])
    bill["SyncToken"] = str(int(bill["SyncToken"]) + 1)
    bill["MetaData"]["LastUpdatedTime"] = stamp(now)
    books.put("Bill", bill)
    switches.side_event(books, "Bill", id, now)


def refresh_vendor(books: Books, id: str, now: datetime) -> None:
    """Recompute what the company owes one vendor; its times move, its SyncToken does not [FACTS 7 #1]."""
    vendor = books.get("Vendor", id)
    owed = Decimal(books.open_cents(id)) / 100
    if vendor is None or vendor["Balance"] == owed:
        return
    vendor["Balance"] = owed
    vendor["MetaData"]["LastUpdatedTime"] = stamp(now)
    books.put("Vendor", vendor)
    switches.side_event(books, "Vendor", id, now)
