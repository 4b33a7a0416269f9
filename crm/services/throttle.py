"""Every call to a company's books is admitted here, for all workers and processes together.

`Gate` is what `services/connections` hands to a provider: it is entered before each request that is sent, repetitions
included, and waits until there is a place in every window of `domain/throttle`; no transaction is open while it sleeps.
After a 429 nobody calls that company until `hold` is over: the connection slows down, not the row.

With REDIS_URL Redis counts, else the database. Redis away or emptied stops nothing: while it is away the database
counts, where every finished call has a row either way, and with those rows Redis is filled again. What neither knows
then are the calls that are under way at that moment, one per worker at most; the places background work leaves free
are more than that. Hosts must agree on the time to a tenth of a second or so (NTP).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import redis

from crm import config
from crm.db import after_commit, db, end_reading
from crm.domain import throttle as rules
from crm.domain.errors import RateLimited
from crm.services import throttle_redis, throttle_rows
from crm.services.grants import Clock
from crm.services.throttle_places import Ask, Place

log = logging.getLogger(__name__)

Sleep = Callable[[float], None]

AWAY = 5.0
"""Seconds a process leaves Redis alone after it did not answer."""


class NoPlace(RateLimited):
    """Kept back here, before it was sent: there is no place within the time one would wait."""


class _Redis:
    """What this process knows of Redis: until when it is left alone, and which companies it was filled for since."""

    def __init__(self) -> None:
        self.away_until = 0.0
        self.outages = 0
        self.filled: dict[int, int] = {}

    def lost(self, error: redis.RedisError) -> None:
        if time.monotonic() >= self.away_until:
            log.warning("Redis does not answer (%s); the database counts calls meanwhile", type(error).__name__)
        self.away_until = time.monotonic() + AWAY
        self.outages += 1

    def usable(self) -> bool:
        return bool(config.current().redis_url) and time.monotonic() >= self.away_until

    def trusted(self, connection_id: int) -> bool:
        """Whether it counted all along; calls made while it was away stand in the database only."""
        return self.filled.get(connection_id, 0) == self.outages


_redis = _Redis()


class Gate:
    """Admits the requests of one question to a provider; `settle` writes down when they ended."""

    def __init__(self, connection_id: int, *, urgent: bool, clock: Clock, sleep: Sleep = time.sleep) -> None:
        self._id, self._urgent, self._clock, self._sleep = connection_id, urgent, clock, sleep
        self.places: list[Place] = []

    @contextmanager
    def __call__(self, operation: str) -> Iterator[None]:
        place = wait(
            self._id, batch=operation == "batch", urgent=self._urgent, clock=self._clock, sleep=self._sleep,
            finished=self.places,
        )  # fmt: skip
        self.places.append(place)
        try:
            yield
        finally:
            _end(place, self._clock())

    def settle(self) -> None:
        """In the open transaction."""
        session = db.session()
        throttle_rows.record(session, self.places)
        if self.places:
            throttle_rows.prune(session, self._id, now=self._clock())


def wait(
    connection_id: int,
    *,
    batch: bool,
    urgent: bool,
    clock: Clock,
    sleep: Sleep = time.sleep,
    finished: Sequence[Place] = (),
) -> Place:
    """Return when one more request may be sent. Raises NoPlace (a RateLimited) where that would take too long.

    `finished` are places of the same caller whose end may not be written down yet.
    """
    ask = Ask(connection_id, batch, urgent)
    patience = rules.URGENT_PATIENCE if urgent else rules.PATIENCE
    waited = 0.0
    while True:
        found = _admit(ask, finished, clock)
        if isinstance(found, Place):
            return found
        if waited + found > patience:
            raise NoPlace(
                "The company is being called as often as it allows. This goes on by itself in a little while.",
                retry_after=math.ceil(found),
            )
        nap = min(found, max(0.1, found / 3), 1.0)  # calls under way may end sooner than was reckoned with
        sleep(nap)
        waited += nap


def hold(connection_id: int, seconds: float, *, now: datetime) -> None:
    """Nobody calls this company for so long. Needs the open transaction."""
    until = now + timedelta(seconds=seconds)
    throttle_rows.hold(connection_id, until)
    after_commit(lambda: _hold_in_redis(connection_id, until, now))


def _admit(ask: Ask, finished: Sequence[Place], clock: Clock) -> Place | float:
    if _redis.usable():
        try:
            return _admit_by_redis(ask, clock)
        except redis.RedisError as error:
            _redis.lost(error)
    return throttle_rows.admit(ask, finished, clock=clock)


def _admit_by_redis(ask: Ask, clock: Clock) -> Place | float:
    outages = _redis.outages
    if _redis.trusted(ask.connection_id):
        found = throttle_redis.admit(ask, clock())
        if found != throttle_redis.LOST:
            return found
    now = clock()
    end_reading()
    calls, held = throttle_rows.recent(db.session(), ask.connection_id, now=now)
    end_reading()
    throttle_redis.fill(ask.connection_id, calls, held, now=now)
    _redis.filled[ask.connection_id] = outages
    found = throttle_redis.admit(ask, clock())
    return 0.1 if found == throttle_redis.LOST else found  # emptied again this very moment: ask anew


def _end(place: Place, now: datetime) -> None:
    place.ended_at = now
    if place.token and _redis.usable():
        try:
            throttle_redis.end(place)
        except redis.RedisError as error:
            _redis.lost(error)


def _hold_in_redis(connection_id: int, until: datetime, now: datetime) -> None:
    if not _redis.usable():
        return
    try:
        throttle_redis.hold(connection_id, until, now=now)
    except redis.RedisError as error:
        _redis.lost(error)
