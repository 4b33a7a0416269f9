"""Part: posts signed webhook deliveries at a set pace, whether the server keeps up or not, and times every answer.

Open loop: delivery n is due n / rate seconds after the start, and its time counts from when it was due, so that a
server which is slow for a moment has to answer for all that came meanwhile. What this process itself was late with is
told beside it. Every delivery comes over a connection of its own. Bodies are made and signed before the first is sent.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench.child import answer
from sandbox.webhooks import Notice, cloudevents, sign

try:
    import orjson as json
except ImportError:  # pragma: no cover  # the project pins it
    import json  # type: ignore[no-redef]

MOST_EVENTS = 100
MOST_OPEN = 400
"""Deliveries under way at once; one that is due beyond that is not sent, and counts as an error."""
WARMING = 40
"""Deliveries of one event each that come before and count nowhere: the server loads what it needs."""
PATIENCE = 10.0
"""Seconds an answer may take; QuickBooks itself waits three."""


@dataclass(slots=True)
class Heard:
    seconds: list[float] = field(default_factory=list)
    """From when the delivery was due to its answer."""
    own: list[float] = field(default_factory=list)
    """From when it was really begun to its answer."""
    late: list[float] = field(default_factory=list)
    """How long after its moment it was begun: this process, not the server."""
    errors: Counter[str] = field(default_factory=Counter)
    open: int = 0


def work(
    port: int, realm: str, ids: list[str], verifier: str, rate: float, seconds: float, seed: int = 7
) -> dict[str, Any]:
    dice = random.Random(seed)
    sizes = [dice.randint(1, MOST_EVENTS) for _ in range(int(rate * seconds))]
    warm = [delivery(realm, ids, verifier, 1, dice, number) for number in range(WARMING)]
    posts = [delivery(realm, ids, verifier, size, dice, WARMING + n * MOST_EVENTS) for n, size in enumerate(sizes)]
    asyncio.run(burst(port, warm, min(rate, 50.0)))
    began, cpu = time.time(), time.process_time()
    heard = asyncio.run(burst(port, posts, rate))
    ended = time.time()
    return {
        "deliveries": len(posts), "events": sum(sizes), "body_bytes": sum(map(len, posts)) // len(posts),
        "began": began, "ended": ended, "load_cpu_seconds": time.process_time() - cpu, "warm_events": len(warm),
        "answer_ms": shares(heard.seconds), "own_ms": shares(heard.own), "late_ms": shares(heard.late),
        "answered": len(heard.seconds), "errors": dict(heard.errors),
    }  # fmt: skip


def delivery(realm: str, ids: list[str], verifier: str, size: int, dice: random.Random, number: int) -> bytes:
    """A whole HTTP request about `size` objects drawn from `ids`, all events new."""
    now = datetime.now(UTC).isoformat()
    notices = [
        Notice(number + place, realm, "Customer", dice.choice(ids), "updated", now, None, 0) for place in range(size)
    ]
    body: Any = json.dumps(cloudevents(notices))
    body = body if isinstance(body, bytes) else body.encode()
    head = (
        "POST /webhooks/quickbooks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/cloudevents+json\r\n"
        f"intuit-signature: {sign(body, verifier)}\r\nintuit-t-id: measured-{number}\r\n"
        f"User-Agent: intuit_notification_server/1.0\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


async def burst(port: int, posts: list[bytes], rate: float) -> Heard:
    heard, loop = Heard(), asyncio.get_running_loop()
    start, under_way = loop.time() + 0.2, set()
    for number, post in enumerate(posts):
        due = start + number / rate
        if (pause := due - loop.time()) > 0:
            await asyncio.sleep(pause)
        if heard.open >= MOST_OPEN:
            heard.errors["not sent"] += 1
            continue
        heard.open += 1
        task = loop.create_task(one(port, post, due, heard))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    while under_way:
        await asyncio.wait(set(under_way))
    return heard


async def one(port: int, post: bytes, due: float, heard: Heard) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    heard.late.append(began - due)
    try:
        async with asyncio.timeout(PATIENCE):
            status = await ask(port, post)
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        heard.errors[type(error).__name__] += 1
        return
    finally:
        heard.open -= 1
    heard.seconds.append(clock() - due)
    heard.own.append(clock() - began)
    if status != 200:
        heard.errors[str(status)] += 1


async def ask(port: int, post: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(post)
        line = await reader.readuntil(b"\r\n")
        await reader.read()
        return int(line.split()[1])
    finally:
        writer.close()


def shares(seconds: list[float]) -> dict[str, float]:
    """Median, 95 %, 99 % and worst in milliseconds."""
    ordered = sorted(seconds) or [0.0]
    at = {"median": 0.5, "p95": 0.95, "p99": 0.99}
    found = {name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for name, share in at.items()}
    return {name: round(value * 1000, 2) for name, value in (found | {"most": ordered[-1]}).items()}


if __name__ == "__main__":
    answer(work)
