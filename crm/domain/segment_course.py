"""How many members a segment had over time, worked out backwards from how many there are now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

STRETCHES = 30


@dataclass(frozen=True, slots=True)
class Course:
    """`counts[i]` stood at `moments[i]`; the last ones are now."""

    moments: tuple[datetime, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def told(self) -> bool:
        """Whether there is anything to draw: a line needs two points."""
        return len(self.counts) > 1


def bounds(begun: datetime, now: datetime, days: int) -> list[datetime]:
    """The ends of up to STRETCHES stretches of whole hours, the first at `begun` or `days` ago, the last `now`."""
    start = max(begun, now - timedelta(days=days))
    hours = (now - start) / timedelta(hours=1)
    step = max(1, round(hours / STRETCHES))
    found = [start + timedelta(hours=step * number) for number in range(STRETCHES + 1)]
    return [one for one in found if one < now] + [now]


def course(moments: Sequence[datetime], net: Mapping[int, int], members: int) -> Course:
    """`net[i]`: who came less who left between `moments[i]` and `moments[i + 1]`."""
    counts = [members]
    for stretch in range(len(moments) - 2, -1, -1):
        counts.append(counts[-1] - net.get(stretch, 0))
    return Course(tuple(moments), tuple(max(0, one) for one in reversed(counts)))
