"""The open transaction in which a batch is settled: a savepoint per outcome, and our own trouble kept on its entry."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import OperationalError

from crm.domain.delivery import delay
from crm.domain.refusals import REFUSALS
from crm.models import OutboxEntry
from crm.services.sync.outbox.verdicts import park_sent, wait_for
from crm.services.sync.work import Batch

log = logging.getLogger(__name__)

OUR_TRIES = 3
"""Trouble of our own is tried again this often, then a person looks."""


@dataclass(slots=True)
class Settling:
    """The open transaction in which a batch is settled."""

    batch: Batch
    entries: dict[int, OutboxEntry]
    jitter: float
    took: int | None = None


def guarded(work: Settling, entry_ids: Sequence[int], step: Callable[[], None]) -> bool:
    """Do this in a savepoint of its own. What goes wrong concerns these entries only, and is kept on them."""
    session = work.batch.session
    try:
        with session.begin_nested():
            step()
            session.flush()
        return True
    except OperationalError:
        raise
    except Exception as error:
        if len(entry_ids) == 1:
            log.exception("settling entry %s failed", entry_ids[0])
            trouble(work, work.entries[entry_ids[0]], error)
        return False


def trouble(work: Settling, entry: OutboxEntry, error: Exception) -> None:
    """Our own trouble: a few more tries, then a person, with the traceback kept for whoever mends it."""
    trace = "".join(traceback.format_exception(error))[-4000:]
    entry.failures += 1
    entry.error_code = type(error).__name__[:40]
    if entry.failures >= OUR_TRIES:
        text = REFUSALS["our_error"].sentence
        park_sent(work.batch, entry, "our_error", text, {"traceback": trace}, certain=entry.state != "frozen")
        return
    wait = delay(entry.failures, jitter=work.jitter)
    wait_for(work.batch, entry, wait, "Trouble on our side; it is tried again by itself.", took=work.took)
