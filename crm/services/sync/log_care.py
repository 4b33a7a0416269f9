"""The sync log does not grow without end: lines go after some time, what went wrong later than what went well.

Errors are looked for months later, when somebody asks why an invoice is missing; that a page was read well is not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select

from crm import config
from crm.db import changed, transaction
from crm.models import SyncLogEntry

PORTION = 5_000
"""Lines deleted in one transaction: whoever writes meanwhile waits for moments only."""
LONGER = 3
"""Warnings and errors stay so many times as long."""


def prune(*, clock: Callable[[], datetime]) -> int:
    """Delete what is older than the setting SYNC_LOG_DAYS says, portion by portion; answers how many lines."""
    kept, now = timedelta(days=config.current().sync_log_days), clock()
    well = (SyncLogEntry.level == "info", SyncLogEntry.at < now - kept)
    ill = (SyncLogEntry.level != "info", SyncLogEntry.at < now - LONGER * kept)
    return sum(_delete(where) for where in (well, ill))


def _delete(where: tuple[Any, ...]) -> int:
    """Every line that fits."""
    done = 0
    while True:
        with transaction():
            portion = select(SyncLogEntry.id).where(*where).order_by(SyncLogEntry.at).limit(PORTION)
            number = changed(delete(SyncLogEntry).where(SyncLogEntry.id.in_(portion.scalar_subquery())))
        done += number
        if number < PORTION:
            return done
