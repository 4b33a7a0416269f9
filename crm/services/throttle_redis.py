"""The throttle with Redis: one atomic script over sorted sets, so that any number of workers and hosts count together.

Two sets per company hold the moments of its calls and of its batches, a key its hold; all expire by themselves. A set
without the member KNOWN is one that Redis lost (emptied, restarted, never filled): the script then answers so, and the
caller fills it from the database, where every finished call has its row. `services/throttle` calls it; every
`redis.RedisError` is its business.
"""

from __future__ import annotations

import uuid
from datetime import datetime

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from crm import config, encryption
from crm.domain import throttle as rules
from crm.services.throttle_places import Ask, Place

TIMEOUT = 1.0
"""Seconds Redis has to answer; then the database counts."""
KNOWN = "known"
LOST = -1.0
"""Answer of the script: Redis does not know what was called lately."""

# KEYS: calls, batches, hold. ARGV: now, token, presumed moment, whether a batch, newest that counts, seconds kept, then
# per window: which key, its seconds, its limit. Answers "" when admitted, else the seconds to wait.
SCRIPT = """
if not redis.call('ZSCORE', KEYS[1], 'known') or not redis.call('ZSCORE', KEYS[2], 'known') then return '-1' end
local now, wait = tonumber(ARGV[1]), 0
local held = tonumber(redis.call('GET', KEYS[3]) or '0')
if held > now then wait = held - now end
for i = 7, #ARGV, 3 do
  local nth = redis.call('ZREVRANGEBYSCORE', KEYS[tonumber(ARGV[i])], '(' .. ARGV[5], '(0', 'WITHSCORES',
                         'LIMIT', tonumber(ARGV[i + 2]) - 1, 1)
  if nth[2] then
    local free = tonumber(nth[2]) + tonumber(ARGV[i + 1]) - now
    if free > wait then wait = free end
  end
end
if wait > 0 then return string.format('%.6f', wait) end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[2])
if ARGV[4] == '1' then redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2]) end
for i = 1, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '(0', '(' .. (now - tonumber(ARGV[6])))
  redis.call('EXPIRE', KEYS[i], ARGV[6])
end
return ''
"""

_clients: dict[str, redis.Redis] = {}


def client() -> redis.Redis:
    url = config.current().redis_url
    if url not in _clients:
        _clients[url] = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )  # fmt: skip
    return _clients[url]


def admit(ask: Ask, now: datetime) -> Place | float:
    """A place, the seconds until there may be one, or LOST."""
    token, moment = uuid.uuid4().hex, now.timestamp()
    windows = [
        part
        for window in rules.windows(batch=ask.batch)
        for part in (2 if window.batches else 1, window.seconds, window.limit(urgent=ask.urgent))
    ]
    answer = client().eval(
        SCRIPT, 3, *_keys(ask.connection_id), _text(moment), token, _text(moment + rules.ARRIVAL),
        int(ask.batch), _text(moment + rules.WRONG_CLOCK), int(rules.KEPT), *windows,
    )  # fmt: skip
    return float(str(answer)) if answer else Place(ask.connection_id, ask.batch, token=token)


def end(place: Place) -> None:
    """The call was answered. Adds it again where Redis was emptied meanwhile."""
    if place.ended_at is None:
        return
    calls, batches, _ = _keys(place.connection_id)
    with client().pipeline() as pipe:
        for key in (calls, batches) if place.batch else (calls,):
            pipe.zadd(key, {place.token: place.ended_at.timestamp()})
            pipe.expire(key, int(rules.KEPT))
        pipe.execute()


def fill(connection_id: int, calls: list[tuple[int, float, bool]], held: datetime | None, *, now: datetime) -> None:
    """What the database knows: (id, moment, batch) of the last calls. The same twice is counted once."""
    names = _keys(connection_id)
    with client().pipeline() as pipe:
        for key, batches in ((names[0], False), (names[1], True)):
            moments = {f"row-{number}": at for number, at, batch in calls if batch or not batches}
            pipe.zadd(key, {KNOWN: 0.0, **moments})
            pipe.expire(key, int(rules.KEPT))
        pipe.execute()
    if held is not None and held > now:
        hold(connection_id, held, now=now)


def hold(connection_id: int, until: datetime, *, now: datetime) -> None:
    seconds = max(1, round((until - now).total_seconds()) + 1)
    client().set(_keys(connection_id)[2], _text(until.timestamp()), ex=seconds)


def _keys(connection_id: int) -> tuple[str, str, str]:
    return keys(config.current().secret_key, connection_id)


def keys(secret_key: str, connection_id: int) -> tuple[str, str, str]:
    """Of this installation only, and on one node of a cluster; no key names a company."""
    name = encryption.fingerprint(secret_key, f"throttle:{connection_id}")[:24]
    return (f"throttle:{{{name}}}:calls", f"throttle:{{{name}}}:batches", f"throttle:{{{name}}}:hold")


def _text(moment: float) -> str:
    return f"{moment:.6f}"
