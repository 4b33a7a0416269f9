"""Where our own object of a kind is shown or edited: what entries of the outbox, conflicts and the log link to."""

from __future__ import annotations

from typing import Any

from flask import current_app, url_for

from crm.domain.conflicts import OBJECTS


def word_of(kind: str) -> str:
    """What one of a kind is called, at the beginning of a sentence."""
    known = OBJECTS.get(kind)
    return known[0] if known else kind.replace("_", " ").capitalize()


def address_of(kind: str, local_id: int | None, page: str = "show") -> str:
    """The page of this object, or the one (`edit`) beside it; empty where there is none."""
    known = OBJECTS.get(kind)
    if known is None or local_id is None:
        return ""
    endpoint = f"{known[1].partition('.')[0]}.{page}"
    if endpoint not in current_app.view_functions:
        return ""
    rule = next(current_app.url_map.iter_rules(endpoint))
    named: dict[str, Any] = dict.fromkeys(rule.arguments, local_id)
    return url_for(endpoint, **named)
