"""Words of an import: the states of a run, its steps with what people call them and what they count in.

Asked by the engine, which works through the steps, and by pages and the API, which show them. Which function does a
step is the engine's own business (`services/sync/steps`).
"""

from __future__ import annotations

LIVE = ("queued", "running", "waiting", "cancelling")
"""States of a run that is not over; one connection has at most one such run."""
ENDED = ("done", "failed", "cancelled")

STEPS: dict[str, tuple[str, str]] = {
    "customer": ("Customers", "customer"),
    "customer_gone": ("Deleted customers", "customer"),
    "tree": ("Jobs under their customers", "job"),
    "match": ("Comparing with contacts", "customer"),
    "settle": ("Who belongs to whom", "claim"),
    "link": ("Linking and creating contacts", "customer"),
    "invoice": ("Invoices", "invoice"),
    "payment": ("Payments", "payment"),
    "credit_memo": ("Credit memos", "credit memo"),
    "estimate": ("Estimates", "estimate"),
    "documents_gone": ("Deleted documents", "document"),
    "owners": ("Documents to contacts", "record"),
    "money": ("Balances, aging, days to pay", "contact"),
}
"""Name -> title, and the word for one of what the step deals with; in the order they are done."""
DOCUMENTS = ("invoice", "payment", "credit_memo", "estimate")
"""Steps that read documents; each is a kind of record as well."""
RESOURCES: dict[str, str] = {kind: STEPS[kind][0] for kind in ("customer", *DOCUMENTS)}
"""Kinds that can be imported, in the order they are done, with the word for people."""


def title(step: str) -> str:
    return STEPS[step][0] if step in STEPS else step
