"""What a folder posts when somebody changed it by hand: one company's news as signed JSON. Pure.

X-Ledger-Seal: v1=<hex of HMAC-SHA256 over the raw body>
{"book": "acme", "news": [{"no": "n_81", "what": "changed", "id": "cus_k3x9", "at": "2026-11-21T10:41:05.120000Z"}]}
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from crm.providers.accounting.base import Notification, Parsed
from crm.providers.accounting.ledgerfile.papers import KINDS_BY_BEGINNING

SEAL = "x-ledger-seal"
#: Its word -> ours.
VERBS = {"added": "created", "changed": "updated", "removed": "deleted", "joined": "merged", "cancelled": "void"}


#: Worth keeping beside a delivery.
headers: tuple[str, ...] = ("x-ledger-sent",)


def verify(body: bytes, headers: Mapping[str, str], *, secret: str) -> bool:
    given = headers.get(SEAL, "")
    return bool(secret) and hmac.compare_digest(given.encode("utf-8", "replace"), seal(body, secret).encode())


def parse(body: bytes) -> Parsed:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not isinstance(told.get("news"), list) or not isinstance(told.get("book"), str):
        raise ValueError('The body is not the news of a ledger: it holds no "book" with its "news".')
    found, problems = [], []
    for place, one in enumerate(told["news"], start=1):
        read = _notification(told["book"], one)
        if isinstance(read, str):
            problems.append(f"News {place}: {read}")
        else:
            found.append(read)
    return Parsed("ledger", tuple(found), tuple(problems))


def seal(body: bytes, secret: str) -> str:
    return f"v1={hmac.new(secret.encode(), body, sha256).hexdigest()}"


def _notification(book: str, one: Any) -> Notification | str:
    """The sentence says why it is none."""
    if not isinstance(one, dict) or not all(isinstance(one.get(name), str) for name in ("no", "what", "id", "at")):
        return "it lacks its number, word, id or time."
    try:
        at = datetime.fromisoformat(one["at"])
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        return f"{one['at']!r} is not a moment."
    entity = one["id"].partition("_")[0]
    return Notification(
        event_id=one["no"],
        realm_id=book,
        kind=KINDS_BY_BEGINNING.get(entity, ""),
        entity=entity,
        remote_id=one["id"],
        verb=VERBS.get(str(one["what"]), str(one["what"])),
        other_remote_id=str(one.get("from") or ""),
        occurred_at=at.astimezone(UTC),
    )
