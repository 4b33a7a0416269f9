"""Bank deposits: what takes payments and sales receipts out of Undeposited Funds and freezes them (6540).

``prepare`` checks a requested deposit, ``settle`` writes the link onto what it holds [recorded: query_payment_page
shows LinkedTxn of type Deposit], ``frozen`` refuses to touch what is deposited. Called by ``sandbox.rules``.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox import checking, faults
from sandbox.checking import rounded
from sandbox.naming import USD
from sandbox.store import Books
from sandbox.times import stamp, today

ZERO = Decimal(0)
HELD = ("Payment", "SalesReceipt")


def frozen(record: dict | None) -> None:
    """Refuse to change, void or delete what is in a deposit."""
    for link in (record or {}).get("LinkedTxn", []):
        if link.get("TxnType") == "Deposit":
            detail = f"The transaction is in deposit {link['TxnId']}. Remove it from the deposit first."
            raise faults.Fault("6540", "Deposited transaction cannot be changed", detail)


def prepare(books: Books, record: dict, before: dict | None, *, now: datetime) -> dict:
    """A deposit as it will be kept."""
    record = {"CurrencyRef": USD, "TxnTaxDetail": {}, **record}
    for prop in ("DepositToAccountRef", "Line"):
        if not record.get(prop):
            raise faults.required(prop)
    checking.lengths("Deposit", record)
    checking.references(books, "Deposit", record, before)
    account = books.get("Account", record["DepositToAccountRef"]["value"]) or {}
    if account["AccountType"] not in ("Bank", "Other Current Asset"):
        raise faults.Fault("6430", "Invalid account type", f"{account['Name']} is not a bank account.")
    record["DepositToAccountRef"] = {"value": account["Id"], "name": account["Name"]}
    record["TxnDate"] = checking.day(record.get("TxnDate") or today(now).isoformat(), "TxnDate").isoformat()
    record["Line"] = [
        _line(books, raw, number, (before or {}).get("Id")) for number, raw in enumerate(record["Line"], start=1)
    ]
    record["TotalAmt"] = sum((line["Amount"] for line in record["Line"]), ZERO)
    return record


def _line(books: Books, raw: Any, number: int, own: str | None) -> dict:
    links = raw.get("LinkedTxn")
    if not links:
        detail = raw.get("DepositLineDetail") or {}
        account = checking.referred(books, "Account", detail.get("AccountRef"), "Line.DepositLineDetail.AccountRef")
        detail = {**detail, "AccountRef": {"value": account["Id"], "name": account["FullyQualifiedName"]}}
        amount = rounded(checking.amount(raw.get("Amount", 0), "Line.Amount"))
        return {"Id": str(number), "LineNum": number, "Amount": amount, "DetailType": "DepositLineDetail",
                "DepositLineDetail": detail, "CustomExtensions": []}  # fmt: skip
    kind, id = str(links[0].get("TxnType")), str(links[0].get("TxnId"))
    held = books.get(kind, id) if kind in HELD and id.isdigit() else None
    if held is None:
        raise faults.invalid_reference("Line.LinkedTxn.TxnId")
    others = [link for link in held.get("LinkedTxn", []) if link["TxnType"] == "Deposit" and link["TxnId"] != own]
    if others:
        raise faults.Fault("620", "Transaction cannot be linked", f"{kind} {id} is in another deposit.")
    link = {"TxnId": id, "TxnType": kind, "TxnLineId": "0"}
    return {"Amount": rounded(Decimal(held["TotalAmt"])), "LinkedTxn": [link], "DepositLineDetail": {},
            "DetailType": "DepositLineDetail"}  # fmt: skip


def settle(books: Books, before: dict | None, after: dict | None, now: datetime) -> None:
    """Link what a deposit holds, unlink what it holds no more; only times move."""
    own = {"TxnId": (after or before or {})["Id"], "TxnType": "Deposit"}
    for kind, id in _held(before) ^ _held(after):
        record = books.get(kind, id)
        if record is None:
            continue
        links = [link for link in record.get("LinkedTxn", []) if link != own]
        record["LinkedTxn"] = [*links, own] if (kind, id) in _held(after) else links
        record["MetaData"]["LastUpdatedTime"] = stamp(now)
        books.put(kind, record)


def _held(deposit: dict | None) -> set[tuple[str, str]]:
    rows = (deposit or {}).get("Line", [])
    return {(link["TxnType"], link["TxnId"]) for row in rows for link in row.get("LinkedTxn", [])}
