"""Words between the throttle and its two ways of counting: what is asked for, and what was given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Ask:
    """A call that wants to be made."""

    connection_id: int
    batch: bool
    urgent: bool
    """A person waits for it."""


@dataclass(slots=True)
class Place:
    """A call that was admitted."""

    connection_id: int
    batch: bool
    slot_id: int | None = None
    """Its row, where the database counts."""
    token: str = ""
    """Its name, where Redis counts."""
    ended_at: datetime | None = None
    recorded: bool = False
    """Whether its row says when it ended."""
