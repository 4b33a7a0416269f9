"""A burst of webhooks against the running installation: gunicorn as `make serve` starts it, one worker, beat.

The load comes from a process of its own (`load`). Workers split and read while it lasts, as they do in life; they share
the processors with the web server, with the load and with the simulated company.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from bench import child, servers, stage

OBJECTS = 500
VERIFIER = "measured-verifier"
MOST_SECONDS = 900.0
"""How long workers may take afterwards; then what is left is told."""


def measure(
    company: stage.Company, place: Path, *, database_url: str, redis_url: str, rate: float, seconds: float
) -> dict[str, Any]:
    """What one burst showed, as `load` and `heard` tell it, with calls and costs. `place` is a directory of its own."""
    tokens = company.tokens()
    with emptied(redis_url):
        environment = stage.environment(place, company_url=company.url, database_url=database_url) | {
            "REDIS_URL": redis_url, "QUICKBOOKS_WEBHOOK_VERIFIER_TOKEN": VERIFIER,
        }  # fmt: skip
        nobody = company.contacts.with_name("nobody.csv")
        filled = child.run("filling", environment, contacts=str(nobody), tokens=tokens)
        child.run("ours", environment, connection_id=filled["connection_id"])
        ids = company.ids()[:OBJECTS]
        with servers.running(environment, place / "logs") as running:
            company.forget_calls()
            before = running.cost()
            load = child.run(
                "load", port=running.port, realm=tokens["realm_id"], ids=ids, verifier=VERIFIER, rate=rate,
                seconds=seconds,
            )  # fmt: skip
            after = running.cost()
            heard = child.run("heard", environment, most_seconds=MOST_SECONDS)
            calls, _ = company.requests()
            whole = running.cost()
    return {
        "database": "postgresql" if database_url else "sqlite", "broker": "redis" if redis_url else "files",
        "objects": len(ids), "rate": rate, "seconds": seconds, "calls": calls, "load": load, "heard": heard,
        "split_after": since(heard["split_at"], load), "settled_after": since(heard["settled_at"], load),
        "burst_cpu": spent(before, after), "whole_cpu": spent(before, whole),
        "peak_mb": {name: cost["peak_mb"] for name, cost in whole.items()},
    }  # fmt: skip


def since(moment: float | None, load: Mapping[str, Any]) -> float | None:
    """Seconds after the last answer of the burst; 0 where it was before."""
    return None if moment is None else max(0.0, moment - load["ended"])


def spent(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, float | None]:
    return {
        name: None if cost["cpu_seconds"] is None else round(cost["cpu_seconds"] - before[name]["cpu_seconds"], 1)
        for name, cost in after.items()
    }


@contextmanager
def emptied(redis_url: str) -> Iterator[None]:
    """That database of Redis belongs to the measurement alone: refused when something is in it, emptied at the end."""
    if not redis_url:
        yield
        return
    with redis.Redis.from_url(redis_url) as server:
        if server.dbsize():
            raise child.PartFailed("The database of --redis-url is not empty. Name one that nobody uses.")
        try:
            yield
        finally:
            server.flushdb()
