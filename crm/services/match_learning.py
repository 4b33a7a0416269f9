"""What people's decisions teach, kept as a version of the settings of matching: nightly, and when somebody asks.

The points come from `domain/match_learning`, the counts from `queries/match_learning`. Where nothing differs no version
is made; where learning is off, nothing is learned.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from crm.db import db
from crm.domain import match_learning as learning
from crm.domain.errors import Refused
from crm.models import MatchSettings
from crm.queries import match_learning as counted
from crm.queries import match_settings as queries
from crm.services import match_settings
from crm.services.audit import SYSTEM, Actor

EVERY = timedelta(hours=20)
"""A version a night at most, whatever hour the schedule rings."""


def learn(*, version: int | None = None, actor: Actor, now: datetime) -> list[str]:
    """Learn from all that was decided so far; answers in words what differs by it, nothing where all stays.

    `version`: the one that was seen; None takes the one in force. Raises Refused while learning is off, Changed.
    """
    session = db.session()
    standing = queries.standing(session)
    if not standing.chosen.learning:
        raise Refused("Learning is off. Switch it on below and save, then learn.")
    found = counted.decided(session)
    weights = learning.weights(found.counts, found.total)
    seen = standing.version if version is None else version
    match_settings.keep(standing.chosen, weights, version=seen, actor=actor, now=now)
    return match_settings.rules.told_weights(standing.weights, weights)


def learn_due(*, now: datetime) -> list[str]:
    """The nightly one: nothing where it is off, or has learned since EVERY."""
    session = db.session()
    if not queries.standing(session).chosen.learning:
        return []
    by_itself = select(MatchSettings.version).where(
        MatchSettings.changed_by == SYSTEM.label, MatchSettings.changed_at > now - EVERY
    )
    if session.scalar(by_itself.limit(1)) is not None:
        return []
    return learn(actor=SYSTEM, now=now)
