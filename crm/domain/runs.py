"""Words of an import: the states of a run, its steps with what people call them and what they count in.

Asked by the engine, which works through the steps, and by pages and the API, which show them. Which function does a
step is the engine's own business (`services/sync/imports/steps`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

LIVE = ("queued", "running", "waiting", "cancelling")
"""States of a run that is not over; one connection has at most one such run."""
ENDED = ("done", "failed", "cancelled")

KINDS: dict[str, tuple[str, str]] = {
    "customer": ("Customers", "customer"),
    "item": ("Products", "product"),
    "invoice": ("Invoices", "invoice"),
    "payment": ("Payments", "payment"),
    "credit_memo": ("Credit memos", "credit memo"),
    "estimate": ("Estimates", "estimate"),
    "sales_receipt": ("Sales receipts", "sales receipt"),
    "refund_receipt": ("Refunds", "refund"),
    "vendor": ("Vendors", "vendor"),
    "bill": ("Bills", "bill"),
    "bill_payment": ("Bill payments", "bill payment"),
}
"""Kinds that can be imported, in the order they are done (what others point to is first): title, word for one."""
RESOURCES: dict[str, str] = {kind: title for kind, (title, _) in KINDS.items()}
"""The same with the title alone."""
DOCUMENTS = ("invoice", "payment", "credit_memo", "estimate")
"""Of these, documents and payments of customers."""
EMPLOYEE = "employee"
LISTS: dict[str, str] = {
    "term": "Term",
    "customer_type": "Customer type",
    "payment_method": "Payment method",
    "account": "Account",
    "tax_code": "Tax code",
    "tax_rate": "Tax rate",
    EMPLOYEE: "Employee",
}
"""Kinds that are lists of names; they always come in, and are read whole. With the word for one row. Of employees the
name alone is kept, since customers and vendors may not bear it."""

STEPS: dict[str, tuple[str, str]] = {
    "lists": ("Terms, accounts and tax codes", "list"),
    "customer": KINDS["customer"],
    "customer_gone": ("Deleted customers", "customer"),
    "tree": ("Jobs under their customers", "job"),
    "match": ("Comparing with contacts", "customer"),
    "settle": ("Who belongs to whom", "claim"),
    "link": ("Linking and creating contacts", "customer"),
    **{kind: words for kind, words in KINDS.items() if kind != "customer"},
    "documents_gone": ("Deleted documents", "document"),
    "owners": ("Documents to contacts", "record"),
    "money": ("Balances, aging, days to pay", "contact"),
    "plan": ("Plan of what would change", "customer"),
}
"""Name -> title, and the word for one of what the step deals with; in the order they are done."""


def came_of(counts: Mapping[str, int], kind: str) -> tuple[int, int, int]:
    """(new, changed, unchanged) of a kind, by what a run has counted."""
    new, changed, same = (counts.get(f"{kind}_{part}", 0) for part in ("new", "changed", "unchanged"))
    if kind == "customer":
        new, changed, same = (counts.get(name, 0) for name in ("customers_new", "customers_changed", "unchanged"))
    return new, changed, same


def came_of_words(counts: Mapping[str, int], kind: str) -> str:
    """The same for the log: "80 new, 2 changed, 5 unchanged"."""
    new, changed, same = came_of(counts, kind)
    return f"{new:,} new, {changed:,} changed, {same:,} unchanged"


def all_read(counts: Mapping[str, int], resources: Collection[str]) -> str:
    """How many of each kind were read, for the log: "12 customers, 1 product"; empty where nothing was."""
    numbers = ((sum(came_of(counts, kind)), one) for kind, (_, one) in KINDS.items() if kind in resources)
    return ", ".join(f"{number:,} {one}{'' if number == 1 else 's'}" for number, one in numbers if number)


def title(step: str) -> str:
    return STEPS[step][0] if step in STEPS else step
