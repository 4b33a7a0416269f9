"""How matching decides: what counts now, and the one way to change it.

A change is a new row; the highest version counts, none is ever altered, and going back to an earlier one is a new
version that says the same. Whoever changes names the version they saw. One version decides a whole import, the one in
force when it began to compare; a search for duplicates that is under way begins again. Links that stand are never
touched; pairs of one sort are searched again, and customers that wait and would be linked now are decided about again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.db import changed, db
from crm.domain import match_settings as rules
from crm.domain.errors import Changed, NotFound
from crm.domain.match_settings import Chosen
from crm.domain.matching import Settings
from crm.models import Customer, MatchSettings
from crm.queries import match_preview
from crm.queries import match_settings as queries
from crm.services import audit, duplicates
from crm.services.audit import Actor

ACTION = "match_settings_changed"


def save(chosen: Chosen, *, version: int, actor: Actor, now: datetime) -> int:
    """These count from now on; what was learned stays. Answers how many waiting customers are decided about again.

    `version`: the one that was seen. Raises Changed when there is a newer one.
    """
    return keep(chosen, None, version=version, actor=actor, now=now)


def restore(earlier: int, *, version: int, actor: Actor, now: datetime) -> int:
    """What this version said counts again, learned points included. Raises NotFound, Changed; answers as `save`."""
    row = queries.one(db.session(), earlier)
    if row is None and earlier != 0:
        raise NotFound("There is no such version.")
    return keep(queries.chosen(row), row.weights if row else {}, version=version, actor=actor, now=now)


def keep(
    chosen: Chosen, weights: Mapping[str, int] | None, *, version: int, actor: Actor, now: datetime
) -> int:
    """A new version, unless nothing is different. `weights`: None leaves them."""
    session: Session = db.session()
    before = queries.standing(session)
    if before.version != version:
        who = before.changed_by or "Somebody"
        raise Changed(f"{who} changed these settings meanwhile. Look at what stands now, then save again.", before)
    added = dict(before.weights if weights is None else weights)
    changes = [*rules.told(before.chosen, chosen), *rules.told_weights(before.weights, added)]
    if not changes:
        return 0
    _insert(session, MatchSettings(
        version=version + 1, weights=added, changed_by=actor.label[:254], changed_at=now, **rules.kept(chosen),
    ))  # fmt: skip
    audit.record(ACTION, actor=actor, now=now, subject=f"match_settings:{version + 1}",
                 summary=f"{'; '.join(changes)}.", details={"version": version + 1})  # fmt: skip
    after = chosen.settings(added)
    duplicates.start_anew(actor=actor, now=now)
    return _decide_again(session, before.settings, after)


def _insert(session: Session, row: MatchSettings) -> None:
    """Two who save in the same moment make the same number; the later one is told."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        text = "Somebody changed these settings in this moment. Look at what stands now, then save again."
        raise Changed(text) from None


def _decide_again(session: Session, before: Settings, after: Settings) -> int:
    """Waiting customers that would be linked now are undecided again; the schedule takes them up within the minute."""
    ids = match_preview.would_be_linked(session, before, after)
    waits = (Customer.match_state == "review", Customer.id.in_(ids))
    return changed(update(Customer).where(*waits).values(match_state="new"))
