"""The only place that knows how work is woken: ring after commit, and never mind when nobody hears.

A task is always backed by a row that says what is due; when the broker is down the schedule finds
that row later. So a failed ring is logged and forgotten.
"""

from __future__ import annotations

import logging

from crm.celery_app import celery_app
from crm.db import after_commit

log = logging.getLogger(__name__)

MARGIN = 0.5


def ring(task: str, *ids: int, after: float = 0) -> None:
    """Wake the named task ("crm.tasks.sync.run") for these rows once the open transaction is stored.

    `after` seconds later, and a trifle more: what is due then must not be found a moment too early.
    """
    after_commit(lambda: _send(task, ids, after + MARGIN) if after else _send(task, ids))


def _send(task: str, ids: tuple[int, ...], countdown: float = 0) -> None:
    try:
        celery_app.send_task(task, args=ids, retry=False, countdown=countdown or None)
    except Exception as problem:  # the broker's own errors differ by transport; none may undo what is committed
        log.warning("bell for %s%s was not heard (%s); the schedule will find it", task, ids, type(problem).__name__)
