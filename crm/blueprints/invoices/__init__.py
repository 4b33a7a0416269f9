"""Invoices: the list, the builder, one invoice's page and what is done there, who is late, and statements.

Every address begins /invoices. `lists` shows many, `bulk` does something to many, `overdue` who is late,
`statements` one customer's account, `editing` builds one, `making` makes one of a quote, `pages` shows one, `deeds`
does something to one.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from crm.domain import invoices as rules
from crm.services import sales_documents

blueprint = Blueprint("invoices", __name__, url_prefix="/invoices")

TONES = {
    rules.DRAFT: "off", rules.HELD: "warn", rules.SENDING: "info", rules.OPEN: "info", rules.SENT: "info",
    rules.VIEWED: "accent", rules.PARTLY: "info", rules.PAID: "ok", rules.OVERDUE: "bad", rules.VOID: "off",
}  # fmt: skip


def invoice_of(document_id: int) -> Any:
    """Raises NotFound; a deleted one is still shown."""
    return sales_documents.find(document_id, kind="invoice")


def lock_of(form: Any) -> int:
    """Of a form without one: a version that never was, so that nothing is overwritten unseen."""
    text = form.get("lock", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def id_of(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"invoice_states": rules.STATES, "invoice_tones": TONES}


from crm.blueprints.invoices import (  # noqa: E402 - they put their routes on it
    bulk,  # noqa: F401
    deeds,  # noqa: F401
    editing,  # noqa: F401
    lists,  # noqa: F401
    making,  # noqa: F401
    overdue,  # noqa: F401
    pages,  # noqa: F401
    statements,  # noqa: F401
)
