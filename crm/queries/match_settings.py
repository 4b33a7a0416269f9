"""Versions of how matching decides: the one in force, and all there were. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain import match_settings as rules
from crm.domain.match_settings import Chosen
from crm.domain.matching import Settings
from crm.models import MatchSettings

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Version:
    number: int
    changes: Sequence[str]
    """What it changed, in words."""
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """The version in force; 0: nobody has changed anything yet."""

    version: int
    chosen: Chosen
    weights: Mapping[str, int]
    """Learned, whether or not learning is on now."""
    changed_by: str = ""
    changed_at: datetime | None = None

    @property
    def settings(self) -> Settings:
        return self.chosen.settings(self.weights)


def current(session: Session) -> Settings:
    """What `matching.decide` is given now."""
    return standing(session).settings


def of_version(session: Session, version: int) -> Settings:
    """What a run that began with this version goes on with."""
    row = one(session, version)
    return chosen(row).settings(row.weights if row else {})


def standing(session: Session) -> Standing:
    row = latest(session)
    if row is None:
        return Standing(0, rules.USUAL_CHOICE, {})
    return Standing(row.version, chosen(row), row.weights, row.changed_by, row.changed_at)


def latest(session: Session) -> MatchSettings | None:
    return session.scalar(select(MatchSettings).order_by(MatchSettings.version.desc()).limit(1))


def one(session: Session, version: int) -> MatchSettings | None:
    return session.get(MatchSettings, version)


def chosen(row: MatchSettings | None) -> Chosen:
    if row is None:
        return rules.USUAL_CHOICE
    return rules.of(row.rules, row.margin, row.least_score, learning=row.learning)


def history(session: Session) -> list[Version]:
    """The newest versions first, each with what it changed."""
    rows = list(session.scalars(select(MatchSettings).order_by(MatchSettings.version.desc()).limit(SHOWN + 1)))
    befores: list[MatchSettings | None] = [*rows[1:], None]
    return [
        Version(row.version, told(before, row), row.changed_by, row.changed_at)
        for row, before in zip(rows[:SHOWN], befores, strict=False)
    ]


def told(before: MatchSettings | None, after: MatchSettings) -> list[str]:
    learned = rules.told_weights(before.weights if before else {}, after.weights)
    return [*rules.told(chosen(before), chosen(after)), *learned]
