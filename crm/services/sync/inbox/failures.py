"""Events whose reading failed: later, when a person has mended the connection, or the end. `domain/delivery` decides.

Nothing is given up because the books are away. An error that is about what was asked ends the try of the whole page;
then each object is tried by itself, so that the one that cannot be read does not keep the others.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update

from crm.bell import ring
from crm.db import changed, transaction
from crm.domain.delivery import Next, delay, next_step
from crm.domain.errors import ProviderError
from crm.models import InboxEvent
from crm.services.sync.inbox.inbox import TAKE_IN
from crm.services.sync.inbox.outcomes import trigger_of
from crm.services.sync.work import Batch

log = logging.getLogger(__name__)

ALONE_TRIES = 3
"""Of one object by itself; then the event has failed, and a person may ask for it again."""


def provider_failed(hold: Any, error: ProviderError, *, now: datetime, jitter: float) -> bool:
    """Whether the next page makes sense at once."""
    what, tries = next_step(error), max(event.attempts for event in hold.events) + 1
    cause = error.cause
    more: dict[str, Any] = {
        "error_code": (cause.code or type(error).__name__)[:40], "trace_id": cause.trace_id[:120],
        "details": {"error": type(error).__name__, "message": cause.message, "detail": cause.detail,
                    "http_status": cause.http_status, "events": len(hold.events)},
    }  # fmt: skip
    if what is Next.END:
        return _by_itself(hold, str(error), more, now=now, jitter=jitter)
    wait = 60.0 if what is Next.PERSON else delay(tries, jitter=jitter, retry_after=getattr(error, "retry_after", None))
    values: dict[str, Any] = {"message": str(error)}
    if what is Next.PERSON:
        values["attempts"] = InboxEvent.attempts - 1  # it waits untouched
    _put_off(hold, str(error), more, values, wait=wait, now=now)
    return False


def we_failed(hold: Any, error: Exception, *, now: datetime, jitter: float, final: bool) -> bool:
    """Our own trouble. `final`: it may lie in one of the objects, so each is tried by itself."""
    trace = "".join(traceback.format_exception(error))[-4000:]
    text = f"Something went wrong on our side ({type(error).__name__}). The sync log has the details."
    more = {"error_code": type(error).__name__[:40], "details": {"traceback": trace, "events": len(hold.events)}}
    if final:
        return _by_itself(hold, text, more, now=now, jitter=jitter)
    tries = max(event.attempts for event in hold.events) + 1
    _put_off(hold, text, more, {"message": text}, wait=min(delay(tries, jitter=jitter), 60.0), now=now)
    return False


def _by_itself(hold: Any, text: str, more: Mapping[str, Any], *, now: datetime, jitter: float) -> bool:
    objects = hold.by_object
    alone = all(event.outcome == "failed" for event in hold.events) or len(objects) == 1
    tries = max(event.attempts for event in hold.events) + 1
    values: dict[str, Any] = {"outcome": "failed", "message": text}
    if alone and tries > ALONE_TRIES:
        values |= {"state": "failed", "settled_at": now}
        _put_off(hold, text, more, values, wait=0, now=now, level="error")
        return True
    _put_off(hold, text, more, values, wait=delay(tries, jitter=jitter) if alone else 0, now=now)
    return True


def _put_off(
    hold: Any, text: str, more: Mapping[str, Any], values: Mapping[str, Any], *, wait: float, now: datetime,
    level: str = "warning",
) -> None:  # fmt: skip
    """Give the events back, due again after `wait` seconds, with one line in the log, unless somebody else has them."""
    mine = (
        InboxEvent.id.in_([event.id for event in hold.events]),
        InboxEvent.state == "pending",
        InboxEvent.available_at == hold.lease,
    )
    due = now + timedelta(seconds=wait)
    with transaction() as session:
        if not changed(update(InboxEvent).where(*mine).values(available_at=due, **values)):
            log.info("events of connection %s are no longer held", hold.books.id)
            return
        only = next(iter(hold.by_object)) if len(hold.by_object) == 1 else ("", "")
        Batch(session, hold.books, now, trigger=trigger_of(hold.events)).log(
            "call_failed", text, level=level, kind=only[0], remote_id=only[1], outcome="failed" if "state" in values
            else "retried", attempt=max(event.attempts for event in hold.events) + 1, **more,
        )  # fmt: skip
        if wait and "state" not in values:
            ring(TAKE_IN, hold.books.id, after=wait)
