"""What QuickBooks allows: no window was ever passed, and each end of an access token led to one refresh."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from sqlalchemy import func, select

from crm.db import db
from crm.models import AuditEntry, Connection
from tools.chaos.verdict import Case

AGES = 50 * 60
"""Seconds after which a token of an hour is renewed by itself."""


def _calls(case: Case) -> dict[str, Any]:
    return next(iter(case.world.ask("GET", "/calls").values()), {})


def passed(case: Case) -> Iterator[str]:
    calls = _calls(case)
    if calls.get("throttled"):
        yield f"QuickBooks' limits were passed {calls['throttled']} times"
    case.world.did["calls"] = sum(number for kind, number in calls.items() if kind not in ("coreplus", "core"))


def refreshed_too_often(case: Case) -> Iterator[str]:
    """A refresh that was stored raised the grant's version; the next one needs a reason of its own."""
    world = case.world
    reconnects = db.session.scalar(select(func.count()).where(AuditEntry.action == "reconnected")) or 0
    version = db.session.get_one(Connection, case.connection_id).grant_version
    stored = version - case.grant_before - reconnects
    ended = world.did["access tokens expired"] + int(case.seconds // AGES)
    if stored > ended:
        yield f"{stored} refreshes for {ended} expired tokens"
    moments: list[float] = world.ask("GET", "/tokens/refreshes")
    for first, second in pairwise(moments):
        if second - first < AGES and not any(first <= moment <= second for moment in world.renewals):
            yield f"two refreshes within {second - first:.1f} s, though no token ended and nobody was killed meanwhile"
    world.did["refreshes"], world.did["reconnects"] = len(moments), reconnects
