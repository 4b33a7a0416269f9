"""Extends the leases of scheduled runs while they work, from one thread of this process.

It knows nothing of sessions: a short statement of its own every few seconds, on a connection of its own, so that a run
may keep a transaction open meanwhile. A process that is killed takes it along, and its leases lapse.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import Engine, update
from sqlalchemy.exc import SQLAlchemyError

from crm.db import db, table_of
from crm.models import Job

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
EVERY = 15.0
"""Seconds. Three may be missed, as while SQLite waits for another writer, before the lease lapses."""
JOBS = table_of(Job)


class _Pulse:
    """The runs of this process, and the one thread that keeps them alive while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[str, Engine, Callable[[], datetime]]] = {}
        self._running = False

    def hold(self, key: str, token: str, engine: Engine, clock: Callable[[], datetime]) -> None:
        with self._lock:
            self._held[token] = (key, engine, clock)
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._beat, name="jobs", daemon=True).start()

    def release(self, token: str) -> None:
        with self._lock:
            self._held.pop(token, None)

    def _beat(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(EVERY)
            with self._lock:
                held = dict(self._held)
                self._running = bool(held)
            if not held:
                return
            for token, (key, engine, clock) in held.items():
                try:
                    extend(engine, key, token, until=clock() + LEASE)
                except SQLAlchemyError as problem:  # the next beat tries again; the lease outlasts three
                    log.warning("lease of %s could not be extended (%s)", key, type(problem).__name__)


_pulse = _Pulse()


@contextmanager
def beating(key: str, token: str, *, clock: Callable[[], datetime]) -> Iterator[None]:
    """While inside, the lease of this run is kept from lapsing."""
    _pulse.hold(key, token, db.engine, clock)
    try:
        yield
    finally:
        _pulse.release(token)


def extend(engine: Engine, key: str, token: str, *, until: datetime) -> bool:
    """Whether the run still had its lease."""
    with engine.begin() as connection:
        mine = update(JOBS).where(JOBS.c.key == key, JOBS.c.token == token)
        return connection.execute(mine.values(lease_until=until)).rowcount == 1
