"""The only place that knows how work is woken: ring after commit, and never mind when nobody hears.

A task is always backed by a row that says what is due; when the broker is down the schedule finds
that row later. So a failed ring is logged and forgotten, and the broker left in peace for a while: nobody who
stores something waits for a broker that is away.
"""

from __future__ import annotations

import logging
import threading
import time

from crm.celery_app import celery_app
from crm.db import after_commit

log = logging.getLogger(__name__)

MARGIN = 0.5
SOON = 0.4
"""Seconds in which one ring does for all who ask with `ring_soon`."""
QUIET = 10.0
"""Seconds without a try after a ring that failed: finding out again costs the two seconds of a connection's time-out,
even where the port is closed."""

_quiet_until = 0.0


def ring(task: str, *ids: int | str, after: float = 0) -> None:
    """Wake the named task ("crm.tasks.sync.run") for these rows once the open transaction is stored.

    `after` seconds later, and a trifle more: what is due then must not be found a moment too early.
    """
    after_commit(lambda: _send(task, ids, after + MARGIN) if after else _send(task, ids))


def ring_soon(task: str) -> None:
    """Wake the task within SOON seconds of the commit: once for all who ask meanwhile, and without waiting for it."""
    after_commit(lambda: _soon.ask(task))


def _send(task: str, ids: tuple[int | str, ...], countdown: float = 0) -> None:
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        celery_app.send_task(task, args=ids, retry=False, countdown=countdown or None)
    except Exception as problem:  # the broker's own errors differ by transport; none may undo what is committed
        _quiet_until = time.monotonic() + QUIET
        log.warning("bell for %s%s was not heard (%s); the schedule will find it", task, ids, type(problem).__name__)


class _Soon:
    """Rings that are gathered, and the one thread that sends them while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        self._running = False

    def ask(self, task: str) -> None:
        with self._lock:
            self._asked.add(task)
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._send_all, name="bell", daemon=True).start()

    def _send_all(self) -> None:
        """Whoever asks while a ring is being sent is heard in the next round; a thread that dies is not missed."""
        while True:
            time.sleep(SOON)
            with self._lock:
                tasks, self._asked = self._asked, set()
                self._running = bool(tasks)
            if not tasks:
                return
            for task in sorted(tasks):
                _send(task, ())


_soon = _Soon()
