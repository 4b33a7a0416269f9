"""Who owes what: payments and credits applied to invoices, and the balances that follow.

After every change of a transaction ``settle`` brings invoices, payments, credit memos, linked estimates and customers
back to truth: Invoice.Balance = total less what payments apply; UnappliedAmt and RemainingCredit are what is left;
Customer.Balance = open invoices less unapplied payments and credits, BalanceWithJobs adds sub-customers. A customer's
figures move without its SyncToken, an invoice's SyncToken rises when a payment is applied [FACTS 7 #1, #29, 10].
``settle_all`` does it once for a whole company after bulk loading.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from sandbox import checking, faults, switches
from sandbox.checking import rounded
from sandbox.naming import USD
from sandbox.store import Books
from sandbox.times import stamp, today

ZERO = Decimal(0)
CREDITS = ("CreditMemo",)
PAYMENT_DEFAULTS = {"ProcessPayment": False, "CurrencyRef": USD, "Line": []}


def prepare_payment(books: Books, record: dict, before: dict | None, *, now: datetime) -> dict:
    """A payment as it will be kept: lines checked against the open balances of what they name."""
    record = {**PAYMENT_DEFAULTS, **record}
    for prop in ("CustomerRef", "TotalAmt"):
        if prop not in record:
            raise faults.required(prop)
    checking.lengths("Payment", record)
    checking.references(books, "Payment", record, before)
    customer = books.get("Customer", record["CustomerRef"]["value"]) or {}
    record["CustomerRef"] = {"value": customer["Id"], "name": customer["DisplayName"]}
    record["TxnDate"] = checking.day(record.get("TxnDate") or today(now).isoformat(), "TxnDate").isoformat()
    if "PaymentMethodRef" in record:
        method = books.get("PaymentMethod", record["PaymentMethodRef"]["value"]) or {}
        record["PaymentMethodRef"] = {"value": method["Id"], "name": method["Name"]}
    if "DepositToAccountRef" not in record:
        account = books.named("Account", "Undeposited Funds")
        if account:
            record["DepositToAccountRef"] = {"value": account[1]}
    record["TotalAmt"] = rounded(checking.amount(record["TotalAmt"], "TotalAmt"))
    if record["TotalAmt"] < 0:
        raise faults.business("Transaction amount must be 0 or greater.")
    record["Line"] = [_applied(books, line, record, before) for line in record["Line"]]
    record["UnappliedAmt"] = _unapplied(record)
    if record["UnappliedAmt"] < 0:
        raise faults.business("The amounts applied are more than the payment and its credits.")
    return record


def _applied(books: Books, line: Any, payment: dict, before: dict | None) -> dict:
    links = line.get("LinkedTxn") if isinstance(line, dict) else None
    if not links or not isinstance(links, list):
        raise faults.required("Line.LinkedTxn")
    link = links[0]
    kind, id = str(link.get("TxnType")), str(link.get("TxnId"))
    if kind not in ("Invoice", *CREDITS):
        raise faults.Fault("620", "Transaction cannot be linked", f"TxnType {kind} cannot be paid here.")
    target = books.get(kind, id) if id.isdigit() else None
    if target is None:
        raise faults.invalid_reference("Line.LinkedTxn.TxnId")
    if target["CustomerRef"]["value"] != payment["CustomerRef"]["value"]:
        raise faults.Fault("620", "Transaction cannot be linked", "The transaction belongs to another customer.")
    amount = rounded(checking.amount(line.get("Amount", 0), "Line.Amount"))
    mine = _sum(before, kind, id) if before else ZERO
    room = Decimal(target["Balance" if kind == "Invoice" else "RemainingCredit"]) + mine
    if not ZERO <= amount <= room:
        raise faults.business(f"The amount applied to {kind} {id} is {amount}, its open balance {room}.")
    return {"Amount": amount, "LinkedTxn": [{"TxnId": id, "TxnType": kind}]}


def _sum(payment: dict | None, kind: str, id: str) -> Decimal:
    """How much a payment applies to one document."""
    lines = (payment or {}).get("Line", [])
    return sum((Decimal(line["Amount"]) for line in lines if _names(line, kind, id)), ZERO)


def _names(line: dict, kind: str, id: str | None = None) -> bool:
    link = line["LinkedTxn"][0]
    return link["TxnType"] == kind and id in (None, link["TxnId"])


def _unapplied(payment: dict) -> Decimal:
    spent = sum((Decimal(line["Amount"]) for line in payment["Line"] if _names(line, "Invoice")), ZERO)
    credit = sum((Decimal(line["Amount"]) for line in payment["Line"] if not _names(line, "Invoice")), ZERO)
    return Decimal(payment["TotalAmt"]) + credit - spent


def _payments_on(books: Books, kind: str, document: dict) -> list[dict]:
    payments = books.of_customer("Payment", document["CustomerRef"]["value"])
    return [payment for payment in payments if any(_names(line, kind, document["Id"]) for line in payment["Line"])]


def figure(books: Books, entity: str, record: dict, now: datetime) -> None:
    """Fill in what is open of a sale just prepared; payments that apply too much are trimmed, newest first."""
    if entity not in ("Invoice", "CreditMemo"):
        return
    total = Decimal(record["TotalAmt"]) - Decimal(record.get("Deposit", 0))
    paid, links = ZERO, []
    for payment in _payments_on(books, entity, record) if "Id" in record else []:
        mine = _sum(payment, entity, record["Id"])
        fits = min(mine, total - paid)
        if fits < mine:
            _trim(books, payment, entity, record["Id"], fits, now)
        if fits:
            links.append({"TxnId": payment["Id"], "TxnType": "Payment"})
        paid += fits
    record["Balance"] = total - paid
    if entity == "CreditMemo":
        record["RemainingCredit"] = record["Balance"]
    else:  # only the estimate's link is the client's to write
        record["LinkedTxn"] = [link for link in record["LinkedTxn"] if link.get("TxnType") == "Estimate"] + links


def _trim(books: Books, payment: dict, kind: str, id: str, amount: Decimal, now: datetime) -> None:
    lines = [{**line, "Amount": amount} if _names(line, kind, id) else line for line in payment["Line"]]
    payment["Line"] = [line for line in lines if line["Amount"]]
    payment["UnappliedAmt"] = max(_unapplied(payment), ZERO)
    payment["MetaData"]["LastUpdatedTime"] = stamp(now)
    books.put("Payment", payment)
    switches.side_event(books, "Payment", payment["Id"], now)


def free(books: Books, entity: str, record: dict, now: datetime) -> None:
    """Take a deleted or voided sale off the payments that were applied to it [FACTS 7 #29]."""
    for payment in _payments_on(books, entity, record):
        _trim(books, payment, entity, record["Id"], ZERO, now)


def settle(books: Books, entity: str, before: dict | None, after: dict | None, now: datetime) -> None:
    """Bring everything that depends on a changed transaction back to truth. ``after`` is None when it was deleted."""
    if entity == "Payment":
        _settle_links(books, before, after, now)
    elif entity == "Invoice":
        _settle_estimates(books, before, after, now)
    if entity in ("Invoice", "CreditMemo", "Payment"):
        for owner in {record["CustomerRef"]["value"] for record in (before, after) if record}:
            refresh_customer(books, owner, now)


def _settle_links(books: Books, before: dict | None, after: dict | None, now: datetime) -> None:
    named: dict[tuple[str, str], None] = {}
    for payment in (before, after):
        for line in (payment or {}).get("Line", []):
            link = line["LinkedTxn"][0]
            named[link["TxnType"], link["TxnId"]] = None
    payment_id = (after or before or {})["Id"]
    for kind, id in named:
        document = books.get(kind, id)
        change = _sum(after, kind, id) - _sum(before, kind, id)
        if document is None or (not change and before and after):
            continue
        document["Balance"] = Decimal(document["Balance"]) - change
        if kind == "CreditMemo":
            document["RemainingCredit"] = document["Balance"]
        if kind == "Invoice":
            others = [link for link in document["LinkedTxn"] if link != {"TxnId": payment_id, "TxnType": "Payment"}]
            mine = [{"TxnId": payment_id, "TxnType": "Payment"}] if _sum(after, kind, id) else []
            document["LinkedTxn"] = others + mine
        document["SyncToken"] = str(int(document["SyncToken"]) + 1)
        document["MetaData"]["LastUpdatedTime"] = stamp(now)
        books.put(kind, document)
        switches.side_event(books, kind, id, now)


def check_estimates(books: Books, record: dict, before: dict | None) -> None:
    """An invoice may name one open estimate of its customer (620)."""
    for id in _estimates(record) - _estimates(before):
        estimate = books.get("Estimate", id) if id.isdigit() else None
        if estimate is None:
            raise faults.invalid_reference("LinkedTxn.TxnId")
        if estimate["CustomerRef"]["value"] != record["CustomerRef"]["value"] or estimate["TxnStatus"] not in (
            "Pending", "Accepted",
        ):  # fmt: skip
            raise faults.Fault("620", "Transaction cannot be linked", f"Estimate {id} is not open for this customer.")


def _estimates(record: dict | None) -> set[str]:
    links = (record or {}).get("LinkedTxn", [])
    return {str(link.get("TxnId")) for link in links if link.get("TxnType") == "Estimate"}


def _settle_estimates(books: Books, before: dict | None, after: dict | None, now: datetime) -> None:
    """A linked estimate turns Closed; its times move, its SyncToken does not [recorded: cdc_response]."""
    invoice_id = (after or before or {})["Id"]
    link = {"TxnId": invoice_id, "TxnType": "Invoice"}
    for id in _estimates(before) ^ _estimates(after):
        estimate = books.get("Estimate", id)
        if estimate is None:
            continue
        closing = id in _estimates(after)
        estimate["TxnStatus"] = "Closed" if closing else "Pending"
        estimate["LinkedTxn"] = [one for one in estimate.get("LinkedTxn", []) if one != link] + [link] * closing
        estimate["MetaData"]["LastUpdatedTime"] = stamp(now)
        books.put("Estimate", estimate)
        switches.side_event(books, "Estimate", id, now)


def refresh_customer(books: Books, customer_id: str, now: datetime) -> None:
    """Recompute one customer's balances and those of the customers above it."""
    customer = books.get("Customer", customer_id)
    if customer is None:
        return
    own = Decimal(books.open_cents(customer_id)) / 100
    jobs = own + sum((Decimal(job["BalanceWithJobs"]) for job in books.children("Customer", customer_id)), ZERO)
    if (own, jobs) == (customer["Balance"], customer["BalanceWithJobs"]):
        return
    customer["Balance"], customer["BalanceWithJobs"] = own, jobs
    customer["MetaData"]["LastUpdatedTime"] = stamp(now)
    books.put("Customer", customer)
    switches.side_event(books, "Customer", customer_id, now)
    if customer.get("ParentRef"):
        refresh_customer(books, customer["ParentRef"]["value"], now)


def moved(books: Books, before: dict, after: dict, now: datetime) -> None:
    """A customer changed its parent: both parents' BalanceWithJobs follow."""
    parents = [(record.get("ParentRef") or {}).get("value") for record in (before, after)]
    if parents[0] != parents[1]:
        for parent in filter(None, parents):
            refresh_customer(books, parent, now)


def settle_all(books: Books) -> None:
    """Make every figure and link true after bulk loading: applied amounts, open balances, customers' balances.

    Trusts totals (TotalAmt) and payment lines; derives Balance, RemainingCredit, UnappliedAmt, invoices' payment links
    and both customer balances. Times and SyncTokens are left as loaded.
    """
    applied: dict[tuple[str, str], list[tuple[str, Decimal]]] = {}
    payments = []
    for payment in books.all("Payment"):
        for line in payment["Line"]:
            link = line["LinkedTxn"][0]
            applied.setdefault((link["TxnType"], link["TxnId"]), []).append((payment["Id"], Decimal(line["Amount"])))
        unapplied = _unapplied(payment)
        if unapplied != payment.get("UnappliedAmt"):
            payments.append({**payment, "UnappliedAmt": unapplied})
    books.put_many("Payment", payments)
    for kind in ("Invoice", "CreditMemo"):
        for some in batched(books.all(kind), 2000):
            books.put_many(kind, [_with_open(kind, document, applied) for document in some])
    _settle_customers(books)


def batched(rows: Iterable[dict], size: int) -> Iterator[list[dict]]:
    """Lists of at most ``size`` rows, so that a large company never sits in memory."""
    rows = iter(rows)
    while some := list(islice(rows, size)):
        yield some


def _with_open(kind: str, document: dict, applied: dict) -> dict:
    parts = applied.get((kind, document["Id"]), [])
    spent = sum((amount for _, amount in parts), Decimal(document.get("Deposit", 0)))
    document["Balance"] = Decimal(document["TotalAmt"]) - spent
    if kind == "CreditMemo":
        document["RemainingCredit"] = document["Balance"]
    else:
        others = [link for link in document.get("LinkedTxn", []) if link["TxnType"] != "Payment"]
        ids = dict.fromkeys(id for id, _ in parts)
        document["LinkedTxn"] = others + [{"TxnId": id, "TxnType": "Payment"} for id in ids]
    return document


def _settle_customers(books: Books) -> None:
    rows = books.connection.execute(
        "SELECT customer, SUM(open_cents) FROM record WHERE realm=? AND customer IS NOT NULL GROUP BY customer",
        (books.realm,),
    )
    own = {str(id): Decimal(total) / 100 for id, total in rows}
    parents = books.connection.execute(
        "SELECT id, parent FROM record WHERE realm=? AND entity='Customer' AND parent IS NOT NULL", (books.realm,)
    )
    above = {str(id): str(parent) for id, parent in parents}
    with_jobs = dict(own)
    for id in above:
        owed, parent = own.get(id, ZERO), above.get(id)
        while parent:
            with_jobs[parent] = with_jobs.get(parent, ZERO) + owed
            parent = above.get(parent)
    for some in batched(books.all("Customer"), 2000):
        changed = []
        for customer in some:
            figures = (own.get(customer["Id"], ZERO), with_jobs.get(customer["Id"], ZERO))
            if figures != (customer.get("Balance"), customer.get("BalanceWithJobs")):
                customer["Balance"], customer["BalanceWithJobs"] = figures
                changed.append(customer)
        books.put_many("Customer", changed)
