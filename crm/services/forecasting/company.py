"""Whose future it is, and as of which day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Books:
    today: date
    """The company's own day: everything up to its end counts as known."""
    zone: str
    currency: str
    """The home currency: amounts in others are in no sum."""
