"""Quotes: the list and the board, the builder, one quote's page and what is done there. Every address begins /quotes.

`lists` shows many, `board` by stage, `editing` builds one, `pages` shows one, `deeds` does something to one.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, url_for

from crm.domain import quotes as rules
from crm.domain.errors import NotFound
from crm.services import sales_documents

blueprint = Blueprint("quotes", __name__, url_prefix="/quotes")

TONES = {"draft": "off", "sent": "info", "viewed": "accent", "accepted": "ok", "declined": "bad", "expired": "warn",
         "partly": "accent", "invoiced": "ok", "cancelled": "off"}  # fmt: skip


def quote_of(document_id: int) -> Any:
    """Raises NotFound; a deleted one is still shown, a template too."""
    document = sales_documents.find(document_id, kind="estimate")
    if document.template and document.gone_at is not None:
        raise NotFound("This template was deleted.")
    return document


def lock_of(form: Any) -> int:
    """Of a form without one: a version that never was, so that nothing is overwritten unseen."""
    text = form.get("lock", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"quote_states": rules.STATES, "quote_tones": TONES, "page_of": _page_of}


def _page_of(endpoint: str, document_id: int) -> str:
    """The address of a page that other parts of the house may bring; empty where there is none."""
    if endpoint not in current_app.view_functions:
        return ""
    rule = next(current_app.url_map.iter_rules(endpoint))
    values: dict[str, Any] = dict.fromkeys(rule.arguments, document_id)
    return url_for(endpoint, **values)


from crm.blueprints.quotes import board, deeds, editing, lists, pages  # noqa: E402, F401 - they put their routes on it
