"""The proof: our figures and the books' own, held against each other to the cent. Pure.

`services/sync/proof` reads both sides and asks here what differs; pages ask for the words. Amounts are exact Decimals
in one currency per customer; a missing side is None. Nothing is rounded: a difference of a ten-thousandth is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date as Date
from datetime import datetime
from decimal import Decimal

from crm.domain.money import BUCKETS as PLACES
from crm.domain.money import bucket

ZERO = Decimal(0)
LIVE = ("queued", "running")
STATES: dict[str, str] = {
    "queued": "Waiting for a worker", "running": "Running", "equal": "Equal to the cent", "different": "Different",
    "failed": "Failed",
}  # fmt: skip
STEPS: dict[str, str] = {
    "count": "Counting", "customer": "Balances of customers", "aging": "Aged receivables",
    "document": "Documents one by one", "confirm": "Looking again at what differs",
}  # fmt: skip
KINDS: dict[str, str] = {
    "customer": "Customers", "invoice": "Invoices", "payment": "Payments", "credit_memo": "Credit memos",
    "estimate": "Estimates",
}  # fmt: skip
MONEY_KINDS = ("invoice", "payment", "credit_memo")
"""Kinds that balances are made of."""
BUCKETS: dict[str, str] = {
    "current": "Not yet due", "1-30": "1 to 30 days late", "31-60": "31 to 60 days late",
    "61-90": "61 to 90 days late", "over-90": "Over 90 days late",
}  # fmt: skip
FIGURES: dict[str, str] = {
    "balance": "Open balance, from documents", "balance_read": "Open balance, as last read",
    "balance_with_jobs": "Open balance with jobs, as last read", "missing_here": "Not here",
    "missing_there": "Not in QuickBooks", "unreadable": "Cannot be read", "total": "Total", "open": "Open amount",
    "void": "Void", "owner": "Customer", "date": "Date", "due_date": "Due date",
    "facts": "Open amount shown at the contact",
    **BUCKETS, "aged": "Aged receivables",
}  # fmt: skip
OWN_TITLES: dict[str, str] = {
    "estimate": "Quotes", "invoice": "Invoices", "payment": "Payments recorded here", "vendor": "Vendors",
    "bill": "Bills",
}  # fmt: skip
WORDS = {
    "customer": "Customer", "invoice": "Invoice", "payment": "Payment", "credit_memo": "Credit memo",
    "estimate": "Quote", "vendor": "Vendor", "bill": "Bill",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Account:
    """A customer as one side holds it."""

    remote_id: str
    name: str
    currency: str
    balance: Decimal | None
    balance_with_jobs: Decimal | None
    changed_at: datetime | None = None
    contact_id: int | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """An invoice, credit memo or payment as one side holds it. `open` is what is unpaid, unused or unapplied."""

    kind: str
    remote_id: str
    customer_id: str
    name: str
    date: Date | None
    due_date: Date | None
    total: Decimal
    open: Decimal
    void: bool = False
    changed_at: datetime | None = None
    contact_id: int | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a payment went to a document."""

    payment_id: str
    kind: str
    document_id: str
    amount: Decimal


def unreadable(kind: str, remote_id: str, ours: Account | Paper | None) -> Difference:
    """The books hold it and send something we cannot read: neither equal nor gone."""
    amount = ours.balance if isinstance(ours, Account) else ours.total if ours else None
    customer = ours.customer_id if isinstance(ours, Paper) else remote_id if kind == "customer" else ""
    name, contact_id = (ours.name, ours.contact_id) if ours else ("", None)
    return Difference(kind, remote_id, "unreadable", amount, None, name, contact_id, customer)


@dataclass(frozen=True, slots=True)
class Difference:
    kind: str
    """`customer`, `aging`, or the kind of a document."""
    remote_id: str
    figure: str
    """A key of FIGURES."""
    ours: Decimal | None
    theirs: Decimal | None
    name: str = ""
    contact_id: int | None = None
    customer_id: str = ""
    there_at: datetime | None = None
    """When the books changed it last."""
    here_at: datetime | None = None
    """When they had changed it last, as we read it."""
    words: str = ""
    """Both sides of what is no amount."""
    edited: bool = False
    """Of what people work with here: it was changed here and has not gone out."""


def balance_of(papers: Iterable[Paper]) -> Decimal:
    """What is open: invoices less unused credits and unapplied payments."""
    return sum((signed(paper) for paper in papers), ZERO)


def signed(paper: Paper) -> Decimal:
    if paper.void:
        return ZERO
    return paper.open if paper.kind == "invoice" else -paper.open


def account_differences(ours: Account | None, theirs: Account | None, computed: Decimal) -> list[Difference]:
    """`computed` is what our documents say is open. A figure the books do not tell is not compared."""
    if ours is None and theirs is None:
        return []
    told = theirs or ours
    assert told is not None
    blank = Difference(
        "customer", told.remote_id, "", None, None, told.name, ours.contact_id if ours else None, told.remote_id,
        theirs.changed_at if theirs else None, ours.changed_at if ours else None,
    )  # fmt: skip
    if ours is None or theirs is None:
        figure = "missing_here" if ours is None else "missing_there"
        mine, there = ours.balance if ours else None, theirs.balance if theirs else None
        return [replace(blank, figure=figure, ours=mine, theirs=there)]
    pairs = (
        ("balance", computed, theirs.balance),
        ("balance_read", ours.balance, theirs.balance),
        ("balance_with_jobs", ours.balance_with_jobs, theirs.balance_with_jobs),
    )
    return [
        replace(blank, figure=figure, ours=here, theirs=yonder)
        for figure, here, yonder in pairs
        if yonder is not None and here != yonder
    ]


def paper_differences(ours: Paper | None, theirs: Paper | None) -> list[Difference]:
    told = theirs or ours
    if told is None:
        return []
    blank = Difference(
        told.kind, told.remote_id, "", None, None, told.name, ours.contact_id if ours else None, told.customer_id,
        theirs.changed_at if theirs else None, ours.changed_at if ours else None,
    )  # fmt: skip
    if ours is None or theirs is None:
        figure = "missing_here" if ours is None else "missing_there"
        mine, there = ours.total if ours else None, theirs.total if theirs else None
        return [replace(blank, figure=figure, ours=mine, theirs=there)]
    found = [
        replace(blank, figure=figure, ours=here, theirs=yonder)
        for figure, here, yonder in (("total", ours.total, theirs.total), ("open", ours.open, theirs.open))
        if here != yonder
    ]
    words = (
        ("void", _void(ours), _void(theirs)),
        ("owner", ours.customer_id, theirs.customer_id),
        ("date", _day(ours.date), _day(theirs.date)),
        ("due_date", _day(ours.due_date), _day(theirs.due_date)),
    )
    found += [
        replace(blank, figure=figure, words=f"{here} here, {yonder} in QuickBooks")
        for figure, here, yonder in words
        if here != yonder
    ]
    return found


def aged(papers: Iterable[Paper], shares: Iterable[Share], *, day: Date) -> dict[str, dict[str, Decimal]]:
    """Customer -> open amounts by days past due on the day, for those with any; keys of BUCKETS.

    An invoice ages from its due date, a credit or payment that is not used up from its own, and lowers what is owed.
    What is dated later does not count yet, and what such a payment settled is still open on the day.
    """
    found = {(paper.kind, paper.remote_id): paper for paper in papers if not paper.void}
    open_ = {key: paper.open for key, paper in found.items()}
    later = {key for key, paper in found.items() if paper.date is not None and paper.date > day}
    for share in shares:
        payment, document = ("payment", share.payment_id), (share.kind, share.document_id)
        if document in found and payment in later and document not in later:
            open_[document] += share.amount
        if payment in found and document in later and payment not in later:
            open_[payment] += share.amount if share.kind == "invoice" else -share.amount
    rows: dict[str, dict[str, Decimal]] = {}
    for key, paper in found.items():
        if open_[key] and key not in later:
            due = (paper.due_date if paper.kind == "invoice" else None) or paper.date or day
            row = rows.setdefault(paper.customer_id, dict.fromkeys(BUCKETS, ZERO))
            place = tuple(BUCKETS)[bucket((day - due).days)]
            row[place] += open_[key] if paper.kind == "invoice" else -open_[key]
    return {customer: row for customer, row in rows.items() if any(row.values())}


def aging_differences(
    ours: Mapping[str, Mapping[str, Decimal]], theirs: Mapping[str, Mapping[str, Decimal]]
) -> list[Difference]:
    """Per customer and span. A customer without a row owes nothing."""
    return [
        Difference("aging", customer, place, mine, there, customer_id=customer)
        for customer in sorted({*ours, *theirs})
        for place in BUCKETS
        if (mine := ours.get(customer, {}).get(place, ZERO)) != (there := theirs.get(customer, {}).get(place, ZERO))
    ]


def figure(name: str, ours: Decimal | int, theirs: Decimal | int, *, currency: str = "") -> dict[str, object]:
    """A line of the proof as it is stored: amounts as text."""
    unit = "count" if isinstance(ours, int) else "money"
    line = {"name": name, "unit": unit, "ours": _text(ours), "theirs": _text(theirs), "equal": ours == theirs}
    return {**line, "currency": currency} if currency else line


def title(name: str) -> str:
    """What a figure of a proof is called: `count:invoice`, `total:payment`, `balance`, `aging:1-30`."""
    sort, _, which = name.partition(":")
    if sort == "count":
        return f"{KINDS.get(which, which)}, how many"
    if sort == "total":
        return f"{KINDS.get(which, which)}, sum"
    if sort == "aging":
        return f"Receivables {BUCKETS.get(which, which).lower()}"
    if sort == "own":
        return f"{OWN_TITLES.get(which, which)} as shown here, against what was read"
    return {"balance": "Open balances of all customers"}.get(sort, sort)


def thing(kind: str, name: str, remote_id: str) -> str:
    """What a sentence calls it: "Invoice 1042"."""
    quoted = f"“{name}”" if kind == "customer" and name else name
    return f"{WORDS.get(kind, kind)} {quoted or f'with id {remote_id}'}"


def _void(paper: Paper) -> str:
    return "void" if paper.void else "not void"


def _day(day: Date | None) -> str:
    return day.isoformat() if day else "none"


def _text(value: Decimal | int) -> str:
    return str(value) if isinstance(value, int) else format(value, "f")


assert len(PLACES) == len(BUCKETS), "spans of aging are the same everywhere"
