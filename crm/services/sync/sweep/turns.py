"""Whose turn it is in a sweep: a kind may be asked for more or less often than its company, with a cursor of its own.

Where no kind has an interval of its own, all are asked for each time and the sweep's cursor is that of all. Else each
kind keeps beside the sweep's counts (`TURNS`) up to where its changes were read and when it was last asked for; the
sweep's cursor is the oldest of these, so that whatever rests on it stays true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crm.models import Sweep

TURNS = "turns"
"""In `sweeps.counts`: kind -> {cursor, at}, ISO texts; `at` is empty where it is due at once."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is asked for now, and since when."""

    kinds: list[str]
    since: datetime


def next_turn(
    sweep: Sweep, kinds: Sequence[str], every: Mapping[str, int], *, since: datetime, now: datetime
) -> Turn | None:
    """`every`: kind -> its own interval in minutes, of those that have one. `since`: where all of them stand at least.

    None: nobody's turn.
    """
    if not every:
        return Turn(list(kinds), since)
    due = [kind for kind in kinds if _due_at(sweep, kind, every) <= now]
    if not due:
        return None
    return Turn(due, min(max(_cursor(sweep, kind) or since, since) for kind in due))


def following(sweep: Sweep, kinds: Iterable[str], every: Mapping[str, int], *, now: datetime) -> datetime:
    """When the next one has its turn."""
    usual = now + timedelta(minutes=sweep.interval_minutes)
    if not every:
        return usual
    return max(now + timedelta(minutes=1), min((_due_at(sweep, kind, every) for kind in kinds), default=usual))


def keep(sweep: Sweep, turn: Turn, kinds: Sequence[str], *, reached: datetime, begun: datetime) -> None:
    """These were asked for; the others stay where they were. To be called before the sweep's own cursor moves."""
    before = dict(sweep.counts.get(TURNS, {}))
    for kind in kinds:
        if kind not in before and kind not in turn.kinds:
            before[kind] = _written(sweep.cursor or turn.since, sweep.swept_at)
    before |= {kind: _written(reached, begun) for kind in turn.kinds}
    sweep.counts = {**sweep.counts, TURNS: before}


def oldest(sweep: Sweep, kinds: Iterable[str], *, reached: datetime) -> datetime:
    """Up to where all of these were read."""
    return min([reached, *(cursor for kind in kinds if (cursor := _cursor(sweep, kind)))])


def carried(counts: Mapping[str, Any]) -> dict[str, Any]:
    """What the counts of the next sweep begin with."""
    return {TURNS: counts[TURNS]} if counts.get(TURNS) else {}


def all_due(sweep: Sweep) -> None:
    """A person asks: nobody waits for their turn, and none loses their cursor."""
    known = sweep.counts.get(TURNS)
    if known:
        sweep.counts = {**sweep.counts, TURNS: {kind: {**one, "at": ""} for kind, one in known.items()}}


def _due_at(sweep: Sweep, kind: str, every: Mapping[str, int]) -> datetime:
    known = sweep.counts.get(TURNS, {}).get(kind)
    asked = sweep.swept_at
    if known:
        asked = datetime.fromisoformat(known["at"]) if known["at"] else None
    if asked is None:
        return datetime.min.replace(tzinfo=UTC)
    return asked + timedelta(minutes=every.get(kind, sweep.interval_minutes))


def _cursor(sweep: Sweep, kind: str) -> datetime | None:
    known = sweep.counts.get(TURNS, {}).get(kind)
    return datetime.fromisoformat(known["cursor"]) if known else None


def _written(cursor: datetime, at: datetime | None) -> dict[str, str]:
    return {"cursor": cursor.isoformat(), "at": at.isoformat() if at else ""}
