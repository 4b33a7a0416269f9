"""The doors to a company's books: create, update, delete, void, send, as the API and the company's own page use them.

Each function works inside an open ``Store.writing(realm)``, checks the request as QuickBooks does, stores the result,
settles what follows from it (balances, links, names) and queues the webhook notice. They return the record as
answered, or raise ``faults.Fault`` (leave the transaction then: nothing of it must stay). Reading is ``read``.
"""

from datetime import datetime
from typing import Any

from sandbox import checking, deposits, faults, naming, payables, receivables, sales, stock, switches, uploads
from sandbox.entities import (
    COMPUTED,
    ENTITIES,
    NAMES,
    PURCHASES,
    READ_ONLY,
    SALES,
    SINGLES,
    TRANSACTIONS,
    VOIDABLE,
)
from sandbox.store import Books, envelope
from sandbox.times import stamp

VOIDED = "Voided"


def read(books: Books, entity: str, id: Any) -> str:
    """The JSON text of one record. Raises 2030 for an id that is no number, 610 where there is none."""
    text = books.text(entity, _number(id))
    if text is None:
        raise faults.not_found()
    return text


def create(
    books: Books, entity: str, body: dict, *, now: datetime, include: frozenset[str] = frozenset(),
    by_owner: bool = False,
) -> dict:
    """Create a record from a request body. ``include`` holds request options such as allowduplicatedocnum;
    ``by_owner`` tells that a person does it in QuickBooks itself, who may do a little more than the API."""
    _writable(entity, "create")
    if entity in SINGLES:
        raise faults.unsupported("create")
    checking.properties(entity, body)
    given, _ = checking.clean(body)
    if entity == "Item" and given.get("Type") == "Group" and not by_owner:
        raise faults.business("Bundles can be read through the API, not created.")
    record = _prepare(books, entity, given, None, given=given, now=now, include=include)
    naming.with_address_ids(books, record)
    record = envelope(record, id=books.next_id(ENTITIES[entity].sequence), created=now)
    books.put(entity, record)
    return _done(books, entity, None, record, "created", now)


def update(
    books: Books, entity: str, body: dict, *, now: datetime, include: frozenset[str] = frozenset()
) -> dict:
    """Full update, or sparse update when the body says ``"sparse": true``. One that changes nothing leaves no trace."""
    _writable(entity, "update")
    checking.properties(entity, body)
    before = current(books, entity, body)
    deposits.frozen(before)
    given, cleared = checking.clean(body)
    sparse = body.get("sparse") in (True, "true")
    record = _merged(entity, before, given, cleared, sparse)
    if entity == "Account" and "Name" not in given:
        raise faults.required("Name")  # even when sparse [FACTS 2.5]
    if entity in SALES and not sparse and "Line" not in given:
        raise faults.required("Line")
    record = _prepare(books, entity, record, before, given=given, now=now, include=include)
    naming.with_address_ids(books, record)
    if checking.same(before, record):
        return before
    record["SyncToken"] = str(int(before["SyncToken"]) + 1)
    record["MetaData"] = {**before["MetaData"], "LastUpdatedTime": stamp(now)}
    books.put(entity, record)
    return _done(books, entity, before, record, "updated", now)


def _merged(entity: str, before: dict, given: dict, cleared: set[str], sparse: bool) -> dict:
    """What an update asks for: sparse keeps what is not named, full keeps only what the service itself computes."""
    if sparse or entity in SINGLES:
        return {prop: value for prop, value in before.items() if prop not in cleared or prop in COMPUTED} | given
    kept = {prop: before[prop] for prop in before if prop in COMPUTED}
    kept["Active"] = before.get("Active", True)
    if entity in TRANSACTIONS:
        del kept["Active"]
        for prop in ("LinkedTxn", "TxnDate"):
            if prop in before:
                kept[prop] = before[prop]
    return kept | given


def current(books: Books, entity: str, body: dict) -> dict:
    """The stored record a request names, its SyncToken checked. Raises 2020, 2030, 610 (gone) or 5010 (old token)."""
    if entity in SINGLES:
        body = {**body, "Id": "1"}
    for prop in ("Id", "SyncToken"):
        if body.get(prop) in (None, ""):
            raise faults.required(prop)
    found = books.get(entity, _number(body["Id"]))
    if found is None:
        raise faults.not_found()
    if str(body["SyncToken"]) != found["SyncToken"]:
        raise faults.stale()
    return found


def delete(books: Books, entity: str, body: dict, *, now: datetime) -> dict:
    """Delete a transaction or attachment; names cannot be deleted, only made inactive."""
    if entity not in TRANSACTIONS and entity != "Attachable":
        raise faults.unsupported("delete")
    before = current(books, entity, body)
    if entity in TRANSACTIONS:
        _open_period(books, before)
        deposits.frozen(before)
        payables.deletable(entity, before)
    if entity in ("Invoice", "CreditMemo"):
        receivables.free(books, entity, before, now)
    books.remove(entity, before["Id"], now)
    _settle(books, entity, before, None, now)
    books.notify(entity, before["Id"], "deleted", now)
    return {"domain": "QBO", "status": "Deleted", "Id": before["Id"]}


def void(books: Books, entity: str, body: dict, *, now: datetime, by_owner: bool = False) -> dict:
    """Set a transaction to zero and keep it; "Voided" leads its private note [recorded: void_invoice_sequence].

    Through the API an invoice that payments are applied to is refused (6450) [FACTS 10]; the owner may, they are freed.
    """
    if entity not in VOIDABLE:
        raise faults.unsupported("void")
    before = current(books, entity, body)
    _open_period(books, before)
    deposits.frozen(before)
    if entity == "Invoice" and not by_owner and any(link["TxnType"] == "Payment" for link in before["LinkedTxn"]):
        detail = "Payments are applied to this invoice. Remove or unapply them first."
        raise faults.Fault("6450", "Transaction is settled and cannot be voided", detail)
    return _voided(books, entity, before, now)


def _voided(books: Books, entity: str, before: dict, now: datetime) -> dict:
    note = before.get("PrivateNote", "")
    record = {**before, "PrivateNote": VOIDED + (f" - {note}" if note else ""), "TotalAmt": 0}
    if entity in ("Payment", "BillPayment"):
        record |= {"Line": []} | ({"UnappliedAmt": 0} if entity == "Payment" else {})
    else:
        if entity in ("Invoice", "CreditMemo"):
            receivables.free(books, entity, before, now)
        record |= {"Balance": 0, "Line": [_zero(line) for line in before["Line"]], "TxnTaxDetail": {"TotalTax": 0}}
        if entity == "Invoice":
            record["LinkedTxn"] = []
        elif entity == "CreditMemo":
            record["RemainingCredit"] = 0
        record.pop("Deposit", None)
    record["SyncToken"] = str(int(before["SyncToken"]) + 1)
    record["MetaData"] = {**before["MetaData"], "LastUpdatedTime": stamp(now)}
    books.put(entity, record)
    return _done(books, entity, before, record, "void", now)


def _zero(line: dict) -> dict:
    line = {**line, "Amount": 0} if "Amount" in line else line
    detail = line.get("SalesItemLineDetail")
    if detail:
        quantities = ("Qty", "UnitPrice", "TaxInclusiveAmt")
        line["SalesItemLineDetail"] = {key: value for key, value in detail.items() if key not in quantities}
    if "GroupLineDetail" in line:
        members = [_zero(member) for member in line["GroupLineDetail"]["Line"]]
        line["GroupLineDetail"] = {**line["GroupLineDetail"], "Line": members}
    return line


def send(books: Books, entity: str, id: Any, *, now: datetime, send_to: str | None = None) -> dict:
    """Mail a document: ``send_to`` overwrites BillEmail, EmailStatus becomes EmailSent [FACTS 2.8]."""
    record = books.get(entity, _number(id))
    if record is None:
        raise faults.not_found()
    if send_to:
        record["BillEmail"] = {"Address": send_to}
        checking.emails(record, "BillEmail")
    if not record.get("BillEmail"):
        raise faults.Fault("6420", "Email address required", "There is neither BillEmail nor sendTo.")
    record["EmailStatus"] = "EmailSent"
    record["DeliveryInfo"] = {"DeliveryType": "Email", "DeliveryTime": stamp(now)}
    record["MetaData"]["LastUpdatedTime"] = stamp(now)
    books.put(entity, record)
    books.mailed(entity, record["Id"], record["BillEmail"]["Address"], now)
    books.notify(entity, record["Id"], "emailed", now)
    return record


def settle_all(books: Books) -> None:
    """After bulk loading: make all balances and links true. See ``receivables.settle_all``."""
    receivables.settle_all(books)


def _writable(entity: str, operation: str) -> None:
    if entity not in ENTITIES or entity in READ_ONLY:
        raise faults.unsupported(operation)


def _number(id: Any) -> str:
    text = str(id)
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) >= 2**63:
        raise faults.invalid_id(id)
    return text


def _prepare(
    books: Books, entity: str, record: dict, before: dict | None, *, given: dict, now: datetime, include: frozenset[str]
) -> dict:
    if entity in SALES:
        record = sales.prepare(books, entity, record, before, given=given, now=now, include=include)
        if entity == "Invoice":
            receivables.check_estimates(books, record, before)
        _open_period(books, record, before)
        if before and entity in ("Invoice", "CreditMemo") and before["CustomerRef"] != record["CustomerRef"]:
            receivables.free(books, entity, before, now)
        receivables.figure(books, entity, record, now)
        return record
    if entity == "Payment":
        record = receivables.prepare_payment(books, record, before, now=now)
        _open_period(books, record, before)
        return record
    if entity in PURCHASES:
        record = payables.prepare(books, entity, record, before, given=given, now=now)
        _open_period(books, record, before)
        return record
    if entity == "Deposit":
        record = deposits.prepare(books, record, before, now=now)
        _open_period(books, record, before)
        return record
    if entity == "Attachable":
        return uploads.prepare(books, record)
    return naming.prepare(books, entity, record, before)


def _settle(books: Books, entity: str, before: dict | None, after: dict | None, now: datetime) -> None:
    """Bring everything that depends on a changed transaction back to truth. ``after`` is None when it was deleted."""
    stock.move(books, entity, before, after, now)
    if entity in PURCHASES:
        payables.settle(books, entity, before, after, now)
    elif entity == "Deposit":
        deposits.settle(books, before, after, now)
    elif entity in TRANSACTIONS:
        receivables.settle(books, entity, before, after, now)


def _open_period(books: Books, *records: dict | None) -> None:
    """Refuse what would change closed books: 6200, or 6210 where the owner guards them with a password."""
    prefs = (books.get("Preferences", 1) or {}).get("AccountingInfoPrefs", {})
    closed = prefs.get("BookCloseDate")
    for record in records:
        if closed and record and record["TxnDate"] <= closed:
            if switches.setting(books, "closed_with_password"):
                detail = f"The books are closed up to {closed} and a password is needed, which this API cannot take."
                raise faults.Fault("6210", "Account period closed, password required", detail)
            raise faults.Fault(
                "6200", "Account period closed, cannot be modified",
                f"The account period has closed and the account books cannot be updated through the QuickBooks Online "
                f"Services API. Please make your changes on the QuickBooks Online UI. Close date: {closed}",
            )  # fmt: skip


def _done(books: Books, entity: str, before: dict | None, after: dict, verb: str, now: datetime) -> dict:
    """Settle what follows from a stored change, queue the notice, return the record as it stands now."""
    if entity in TRANSACTIONS:
        _settle(books, entity, before, after, now)
    elif before:
        naming.follow(books, entity, before, after, now)
        if entity == "Customer":
            receivables.moved(books, before, after, now)
    if entity in NAMES or entity in TRANSACTIONS:
        after = books.get(entity, after["Id"]) or after
    books.notify(entity, after["Id"], verb, now)
    return after
