"""Words, names and must-haves that QuickBooks' records share, both ways.

The mapper and `documents` use it. Where several of QuickBooks' words mean one of ours, or a name carries a mark of
its own, what was sent stays in the record's extra, so that the way back finds it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crm.providers.accounting.quickbooks.fields import Reader, Unreadable, Writer

_DELETED = re.compile(r" \(deleted\)(?=:|$)")
_DELETED_PARENT = re.compile(r" \(deleted\)(?=:)")


def required(value: Any, name: str) -> Any:
    if value is None or value == "":
        raise Unreadable(f"{name} is missing.")
    return value


def name_of(body: Reader, name: str, active: bool) -> str:
    """Inactive names carry " (deleted)", in a path on any level; the name as sent stays in the rest then."""
    text = body.text(name)
    plain = _plain(text, active)
    if plain != text:
        body.rest[name] = text
    return plain


def put_name(body: Writer, name: str, text: str, active: bool) -> None:
    sent = body.body.get(name)
    if not isinstance(sent, str) or _plain(sent, active) != text:
        body.put(name, text)


def _plain(text: str, active: bool) -> str:
    """Without the mark; an active name may end like one, the parents in its path may still be inactive."""
    return (_DELETED_PARENT if active else _DELETED).sub("", text)


def word(table: Mapping[str, str], body: Reader, name: str) -> str:
    """Our word; where several of theirs mean the same, theirs stays in the rest."""
    sent = body.text(name)
    ours = table.get(sent, sent)
    if sent and next((theirs for theirs, mine in table.items() if mine == ours), sent) != sent:
        body.rest[name] = sent
    return ours


def word_back(table: Mapping[str, str], ours: str, body: Writer, name: str) -> Any:
    sent = body.body.get(name)
    if sent and table.get(sent) == ours:
        return sent
    return next((theirs for theirs, mine in table.items() if mine == ours), ours or None)
