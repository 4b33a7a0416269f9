"""What the match desk reads from an address or a form: filters, questions, and how long a card was shown."""

from __future__ import annotations

from flask import current_app, request
from flask_login import current_user
from itsdangerous import BadSignature, URLSafeSerializer

from crm import clock
from crm.domain.matching import RULE_TEXTS
from crm.queries.match_parts import SORTS, STRENGTHS, Filters, Key, read_key
from crm.queries.match_queue import ORDERS
from crm.web import filters_of

USUAL = {"q": "", "kind": "", "rule": "", "strength": "", "sort": "stake", "contact": ""}
MOST_MS = 30 * 60 * 1000
"""Longer, and the person did something else meanwhile: then it is not known."""


def filters() -> Filters:
    """What cannot be read is as though it were not asked: an empty desk would say that nothing is left."""
    asked = filters_of(request.args, USUAL) | {"q": request.args.get("q", "").strip()[:200]}
    known = {"kind": SORTS, "rule": RULE_TEXTS, "strength": STRENGTHS, "sort": ORDERS}
    return Filters(**asked | {name: USUAL[name] for name, choices in known.items() if asked[name] not in choices})


def ids(name: str = "ids") -> list[int]:
    return [int(text) for text in request.form.getlist(name) if text.isascii() and text.isdigit() and len(text) < 10]


def keys() -> list[Key]:
    """The questions that are ticked."""
    return [key for text in request.form.getlist("ids") if (key := read_key(text)) is not None]


def shown_mark(key: Key) -> str:
    """Says when this card was shown to this person; the form brings it back."""
    return _signer().dumps([str(key), current_user.id, _ms()])


def took_ms(key: Key) -> int | None:
    """From the card's being shown to now; None where the mark is missing, not ours, of another card, or old."""
    try:
        marked, person, at = _signer().loads(request.form.get("shown", ""))
    except (BadSignature, ValueError, TypeError):
        return None
    took = _ms() - at
    return took if (marked, person) == (str(key), current_user.id) and 0 <= took <= MOST_MS else None


def _ms() -> int:
    return int(clock.now().timestamp() * 1000)


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="match desk")
