"""What nobody needs any more goes, portion by portion: whoever writes meanwhile waits for moments only.

What is kept for ever has its reason in docs/operations.md, kept complete by `tests/house/test_growth.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select

from crm.db import changed, db, end_reading, table_of, transaction
from crm.domain.segment_filters import HISTORY_DAYS
from crm.models import JobRun, Notice, OAuthState, SegmentChange, SignInAttempt

PORTION = 5_000
KEEP_RUNS = timedelta(days=90)
MOST_RUNS = 500
"""Kept of one entry: one that fails every quarter of a minute would fill the table by itself."""

#: Table -> its moment, and for how long after it a row is of use.
AGES: Mapping[type[Any], tuple[Any, timedelta]] = {
    SignInAttempt: (SignInAttempt.at, timedelta(days=1)),
    OAuthState: (OAuthState.created_at, timedelta(days=1)),
    Notice: (Notice.settled_at, timedelta(days=180)),
    JobRun: (JobRun.started_at, KEEP_RUNS),
    SegmentChange: (SegmentChange.at, timedelta(days=HISTORY_DAYS)),
}


def prune(*, clock: Callable[[], datetime]) -> int:
    """Delete what is older than AGES says, and of every entry's runs all but the newest; answers how many rows."""
    now = clock()
    done = sum(_delete(model, moment < now - kept) for model, (moment, kept) in AGES.items())
    end_reading()
    counted = select(JobRun.key).group_by(JobRun.key).having(func.count() > MOST_RUNS).order_by(JobRun.key)
    for key in db.session.scalars(counted).all():
        newest = select(JobRun.id).where(JobRun.key == key).order_by(JobRun.id.desc()).offset(MOST_RUNS).limit(1)
        last = db.session.scalar(newest)
        end_reading()
        if last is not None:
            done += _delete(JobRun, JobRun.key == key, JobRun.id <= last)
    return done


def _delete(model: type[Any], *where: Any) -> int:
    keys = list(table_of(model).primary_key.columns)
    assert len(keys) == 1
    done = 0
    while True:
        with transaction():
            portion = select(keys[0]).where(*where).order_by(keys[0]).limit(PORTION).scalar_subquery()
            number = changed(delete(model).where(keys[0].in_(portion)))
        done += number
        if number < PORTION:
            return done
