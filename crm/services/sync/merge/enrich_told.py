"""What a merge makes of one contact, and how its timeline tells it: what was filled, what changed, what was replaced.

Used by `enrich` for many contacts at once. The value that a taken one took the place of stays readable in the entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crm.domain import policies
from crm.domain.policies import NEWEST
from crm.domain.shared_fields import TITLES
from crm.services import timeline
from crm.services.audit import Actor
from crm.services.sync.work import Books

MOST_TOLD = 80
"""Characters of one value in the sentence of a timeline entry; its changes hold more."""


@dataclass(slots=True)
class Outcome:
    """What one contact becomes."""

    row: dict[str, Any]
    filled: dict[str, tuple[str, str]] = field(default_factory=dict)
    changed: dict[str, tuple[str, str]] = field(default_factory=dict)
    overruled: Mapping[str, str] = field(default_factory=dict)
    """Fields that had been changed here too -> the policy by which theirs was taken all the same."""
    replaced: list[dict[str, Any]] = field(default_factory=list)
    added: list[dict[str, Any]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)

    def note(self, name: str, old: str, new: str) -> None:
        (self.changed if old else self.filled)[name] = (old, new)


@dataclass(frozen=True, slots=True)
class Decided:
    """A person, or the rule one made, says that these fields become as they are in the books."""

    fields: frozenset[str]
    actor: Actor


def told(outcome: Outcome, books: Books, now: datetime, decided: Decided | None) -> list[dict[str, Any]]:
    """One entry for what was filled, one for what changed there, one for what replaced an edit or was decided."""
    asked_for = decided.fields if decided else frozenset()
    chosen = {name: pair for name, pair in outcome.changed.items() if name in asked_for}
    lost = {name: pair for name, pair in outcome.changed.items() if name in outcome.overruled and name not in chosen}
    plain = {name: pair for name, pair in outcome.changed.items() if name not in chosen and name not in lost}
    parts = (
        ("enriched", outcome.filled, "Filled from QuickBooks what was empty here.", books.actor),
        ("changed", plain, f"Changed in QuickBooks: {_arrows(plain)}", books.actor),
        ("changed", lost, " ".join(_lost(name, pair, outcome.overruled[name]) for name, pair in lost.items()),
         books.actor),
        ("changed", chosen, f"Taken from QuickBooks: {_arrows(chosen)}", decided.actor if decided else books.actor),
    )  # fmt: skip
    return [
        timeline.row(outcome.row["id"], verb=verb, summary=summary, actor=actor, now=now, changes=changes)
        for verb, changes, summary, actor in parts
        if changes
    ]


def activity_row(contact_id: int, active: bool, books: Books, now: datetime) -> dict[str, Any]:
    summary = "Active again in QuickBooks." if active else "Made inactive in QuickBooks; nothing was deleted here."
    verb = "activated" if active else "inactivated"
    return timeline.row(contact_id, verb=verb, summary=summary, actor=books.actor, now=now)


def _lost(name: str, pair: tuple[str, str], policy: str) -> str:
    old, new = map(_cut, pair)
    if policy == NEWEST:
        return f"QuickBooks' newer {TITLES[name]} {new} took the place of {old}."
    return f"QuickBooks' {TITLES[name]} {new} took the place of {old} ({policies.rule_text('customer', name, policy)})."


def _arrows(changes: Mapping[str, tuple[str, str]]) -> str:
    return "; ".join(f"{TITLES[name]} {_cut(old)} → {_cut(new)}" for name, (old, new) in changes.items())


def _cut(text: str) -> str:
    return (text if len(text) <= MOST_TOLD else text[: MOST_TOLD - 1] + "…") or "none"
