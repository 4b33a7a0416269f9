"""How each kind of a company is kept in step: what counts now, and the one way to change it.

A change is a new row; the highest version counts and none is ever altered. Whoever changes names the version they saw.
Pausing keeps what waits: entries and events stay until it is resumed, and work under way is finished; entries on their
way wait as well while the whole company is paused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.bell import ring
from crm.db import db
from crm.domain import custom_fields as fields_rules
from crm.domain import directions
from crm.domain import policies as rules
from crm.domain.directions import DIRECTIONS, EVERYTHING, LEAST_MINUTES, MOST_MINUTES
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.runs import RESOURCES
from crm.models import Connection, Sweep, SyncSettings
from crm.providers.accounting import registry
from crm.queries.sync_settings import KINDS, Setting, current, history, of_connection, told
from crm.services import audit
from crm.services.audit import Actor

__all__ = [
    "Setting", "always", "change", "choices", "current", "history", "of_connection", "pause", "resume", "set_interval",
    "ways",
]  # fmt: skip
SEND = "crm.tasks.outbox.send"
WHOLE = f"Give a whole number of minutes from {LEAST_MINUTES} to {MOST_MINUTES} (one day)."


def choices(session: Session, connection_id: int, kind: str) -> tuple[str, ...]:
    """The directions this kind may have with this company's provider."""
    connection = session.get(Connection, connection_id)
    if connection is None:
        raise NotFound("There is no such connection.")
    return directions.choices(kind, registry.spec(connection.provider).push_kinds)


def ways(connection_id: int) -> dict[str, tuple[str, ...]]:
    """Kind -> the directions it may have."""
    return {kind: choices(db.session(), connection_id, kind) for kind in RESOURCES}


def change(
    session: Session,
    connection_id: int,
    kind: str,
    *,
    direction: str | None = None,
    policies: Mapping[str, str] | None = None,
    interval: str | None = None,
    custom_fields: Mapping[str, str] | None = None,
    version: int,
    actor: Actor,
    now: datetime,
) -> Setting:
    """Direction, policies and interval of a kind; None leaves them. `policies` are all of them: one left out is as by
    default. `interval` is a whole number of minutes as typed; empty is that of the company. `custom_fields` is
    definition id -> what fills it (`domain/custom_fields.SOURCES`), of all that do not fill themselves.

    Raises Changed when there is a newer version than `version`, Invalid for what cannot be, NotFound.
    """
    before = _locked(session, connection_id, kind, version=version)
    if kind == EVERYTHING:
        raise Refused("The connection as a whole can be paused and resumed; directions are set for each kind.")
    if direction is not None and direction not in choices(session, connection_id, kind):
        raise Invalid({"direction": _not_that_way(kind, direction)})
    minutes = before.interval_minutes if interval is None else _minutes(interval)
    if policies is not None:
        rules.check(kind, policies)
    sources = dict(before.custom_fields) if custom_fields is None else _sources(session, connection_id, custom_fields)
    after = replace(
        before,
        custom_fields=sources,
        direction=before.direction if direction is None else direction,
        overrides=before.overrides if policies is None else _differing(kind, policies),
        interval_minutes=minutes,
    )
    sweep = session.get(Sweep, connection_id, populate_existing=True)
    if sweep is not None and minutes is not None and minutes != before.interval_minutes:
        sweep.available_at = min(sweep.available_at, now + timedelta(minutes=minutes))
    return _keep(session, before, after, actor=actor, now=now)


def _sources(session: Session, connection_id: int, given: Mapping[str, str]) -> dict[str, str]:
    connection = session.get_one(Connection, connection_id)
    definitions = [one["definition_id"] for one in connection.preferences.get("custom_fields") or ()]
    return fields_rules.check(given, definitions)


def _minutes(typed: str) -> int | None:
    text = typed.strip()
    if not text:
        return None
    minutes = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not LEAST_MINUTES <= minutes <= MOST_MINUTES:
        raise Invalid({"interval": f"{WHOLE} Leave it empty for the company's own interval."})
    return minutes


def always(
    session: Session, connection_id: int, kind: str, name: str, rule: str, *, actor: Actor, now: datetime
) -> Setting:
    """From now on this rule for this one field, or for its being emptied (`domain/policies.emptied`)."""
    before = _locked(session, connection_id, kind)
    rules.check(kind, {name: rule})
    after = replace(before, overrides=_differing(kind, {**before.overrides, name: rule}))
    return _keep(session, before, after, actor=actor, now=now)


def pause(session: Session, connection_id: int, kind: str, *, actor: Actor, now: datetime) -> Setting:
    """Nothing of this kind (`*`: of the company) is begun until it is resumed. Pausing twice changes nothing."""
    before = _locked(session, connection_id, kind)
    return _keep(session, before, replace(before, paused=True), actor=actor, now=now)


def resume(session: Session, connection_id: int, kind: str, *, actor: Actor, now: datetime) -> Setting:
    before = _locked(session, connection_id, kind)
    after = _keep(session, before, replace(before, paused=False), actor=actor, now=now)
    ring(SEND, connection_id)
    return after


def set_interval(
    session: Session, connection_id: int, minutes: int | None, *, version: int, actor: Actor, now: datetime
) -> Setting:
    """How often the books are asked what changed. `version` is that of `*`; None for minutes is what was no number."""
    before = _locked(session, connection_id, EVERYTHING, version=version)
    if minutes is None or not LEAST_MINUTES <= minutes <= MOST_MINUTES:
        raise Invalid({"interval": WHOLE})
    sweep = session.get(Sweep, connection_id, populate_existing=True)
    if sweep is None:
        session.add(Sweep(connection_id=connection_id, available_at=now, interval_minutes=minutes))
    else:
        sweep.interval_minutes = minutes
        sweep.available_at = min(sweep.available_at, now + timedelta(minutes=minutes))
    return _keep(session, before, replace(before, interval_minutes=minutes), actor=actor, now=now)


def _locked(session: Session, connection_id: int, kind: str, *, version: int | None = None) -> Setting:
    """What counts now; nobody else changes it until the transaction ends."""
    found = session.scalar(
        select(Connection.id).where(Connection.id == connection_id).with_for_update(key_share=True)
    )  # fmt: skip
    if found is None:
        raise NotFound("There is no such connection.")
    if kind not in KINDS:
        raise NotFound(f"There is no kind {kind!r} to set.")
    setting = current(session, connection_id, kind)
    if version is not None and version != setting.version:
        who = setting.changed_by or "Somebody"
        raise Changed(f"{who} changed these settings meanwhile. Look at what stands now, then save again.", setting)
    return setting


def _keep(session: Session, before: Setting, after: Setting, *, actor: Actor, now: datetime) -> Setting:
    """A new version, unless nothing is different."""
    changes = told(before, after)
    if not changes:
        return before
    after = replace(
        after,
        version=before.version + 1,
        changed_by=actor.label,
        changed_at=now,
        connection_paused=after.paused if after.kind == EVERYTHING else before.connection_paused,
    )
    session.add(
        SyncSettings(
            connection_id=after.connection_id, kind=after.kind, version=after.version, direction=after.direction,
            paused=after.paused, policies=dict(after.overrides), custom_fields=dict(after.custom_fields),
            interval_minutes=after.interval_minutes, changed_by=after.changed_by[:254], changed_at=now,
        )
    )  # fmt: skip
    session.flush()
    subject = RESOURCES.get(after.kind, "The whole connection")
    audit.record(
        "sync_settings_changed",
        actor=actor,
        now=now,
        subject=f"connection:{after.connection_id}",
        summary=f"{subject}: {'; '.join(changes)}.",
        details={"kind": after.kind, "version": after.version},
    )
    return after


def _differing(kind: str, chosen: Mapping[str, str]) -> dict[str, str]:
    """Only overrides are stored, so that a better default reaches everybody who never chose."""
    usual = rules.defaults(kind)
    return {name: rule for name, rule in chosen.items() if rule != usual.get(name)}


def _not_that_way(kind: str, direction: str) -> str:
    if direction not in DIRECTIONS:
        return f"Choose one of: {', '.join(way.title for way in DIRECTIONS.values())}."
    return f"{RESOURCES[kind]} cannot be written to QuickBooks yet. Choose “{DIRECTIONS['in'].title}” or “Off”."
