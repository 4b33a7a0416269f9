"""Whether webhooks still tell: changes a sweep found that no webhook had told of, though there was time enough.

Balances and states move without an event of their own, and without a new version [FACTS 7 #1, #2]; so only what is new
here or has another version counts. One sweep with such changes may be a hiccup, two in a row, or changes later than the
last webhook of all, are silence: admins are told once, and no more when a webhook arrives again (`inbox`). Where
webhooks were never set up, nobody is told off; a sentence in the log says what they would be good for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from crm.models import InboxEvent, Sweep
from crm.services import notices
from crm.services.identity_keys import chunks
from crm.services.sync.inbox.inbox import SILENT, verifier_token
from crm.services.sync.mirror.applying import Applied, Reading
from crm.services.sync.mirror.kinds import Key, mirrored
from crm.services.sync.work import Batch

PATIENCE = timedelta(minutes=10)
"""Webhooks take seconds to five minutes; later than this one is missing."""
SKEW = timedelta(minutes=5)


def versions(batch: Batch, reading: Reading) -> dict[Key, str]:
    """What stands here of the objects that were read, before they are applied."""
    found: dict[Key, str] = {}
    for kind, mirror in mirrored().items():
        stands = mirror.versions(batch.session, batch.books.id, reading.records.get(kind, {}))
        found |= {(kind, remote_id): version for remote_id, version in stands.items()}
    return found


def missed(
    batch: Batch, asked: Any, applied: Applied, gone: set[Key], *, versions: Mapping[Key, str]
) -> dict[Key, datetime]:
    """Changes that no webhook told of: object -> when it changed there."""
    changes: dict[Key, datetime] = {}
    for key in applied.moved:
        origin = asked.reading.records[key[0]][key[1]].origin
        if applied.outcomes[key] == "changed" and origin.updated_at and versions.get(key) != origin.version:
            changes[key] = origin.updated_at
    changes |= {key: at for key, at in asked.gone.items() if key in gone and at}
    due = {key: at for key, at in changes.items() if at <= asked.until - PATIENCE}
    told = _told(batch, list(due))
    return {key: at for key, at in due.items() if not (key in told and told[key] >= at - SKEW)}


def _told(batch: Batch, keys: Sequence[Key]) -> dict[Key, datetime]:
    """When each object was last told of."""
    found: dict[Key, datetime] = {}
    for kind in {key[0] for key in keys}:
        for part in chunks([key[1] for key in keys if key[0] == kind], 500):
            rows = batch.session.execute(
                select(InboxEvent.remote_id, InboxEvent.created_at).where(
                    InboxEvent.connection_id == batch.books.id, InboxEvent.kind == kind,
                    InboxEvent.remote_id.in_(part), InboxEvent.source == "webhook",
                )
            )  # fmt: skip
            for remote_id, at in rows:
                found[kind, remote_id] = max(at, found.get((kind, remote_id), at))
    return found


def judge(batch: Batch, sweep: Sweep, missed: Mapping[Key, datetime], *, provider: str, before: int) -> str:
    """Say that webhooks fell silent, if they did; answers a sentence for the log."""
    if not missed:
        return ""
    number = f"{len(missed):,} change{'s' if len(missed) > 1 else ''}"
    if not verifier_token(provider):
        return f" Webhooks are not set up; with them, {number} would have been here within minutes."
    silent = before > 0 or (sweep.webhook_at is not None and sweep.webhook_at < min(missed.values()))
    if silent and sweep.silent_since is None:
        sweep.silent_since = min(missed.values())
        at, company = sweep.webhook_at, batch.books.company or "QuickBooks"
        last = f"The last one arrived on {at:%d %B at %H:%M} UTC." if at else "None ever came."
        text = (
            f"{company}: webhooks no longer arrive. The sweep found {number} that none had told of. {last} Nothing is"
            f" lost, but changes are seen only every {sweep.interval_minutes} minutes. Look at the Webhooks page of"
            " your app at developer.intuit.com: is the endpoint the address of this server followed by"
            " /webhooks/quickbooks, is it active, and are its entities ticked?"
        )
        notices.post(SILENT, batch.books.id, level="warning", text=text, now=batch.now)
    return f" No webhook had told of {number}."
