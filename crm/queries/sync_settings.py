"""How each kind of a company is kept in step: what counts now, and every version before it.

Services and runners ask `current` (by `services/sync/settings`) before they read or write; pages show `page`. A kind
without a row has the defaults of `domain/directions` and `domain/policies`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.db import db
from crm.domain import custom_fields as custom_words
from crm.domain import policies
from crm.domain.directions import BOTH, DIRECTIONS, EVERYTHING, OFF, SWEEP_MINUTES, default
from crm.domain.runs import RESOURCES
from crm.models import Connection, Sweep, SyncSettings

KINDS = (EVERYTHING, *RESOURCES)


@dataclass(frozen=True, slots=True)
class Setting:
    """What counts for one kind of one connection, or for `*`, the connection as a whole."""

    connection_id: int
    kind: str
    direction: str
    paused: bool = False
    """This kind is paused; `connection_paused`: everything is."""
    connection_paused: bool = False
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Rules that differ from the defaults, by field."""
    custom_fields: Mapping[str, str] = field(default_factory=dict)
    interval_minutes: int | None = None
    """How often changes are asked for; None: as usual, of a kind as often as of the company."""
    version: int = 0
    """0: nobody has changed anything yet."""
    changed_by: str = ""
    changed_at: datetime | None = None

    @property
    def policies(self) -> dict[str, str]:
        """Field -> policy, as `domain/merging` takes it."""
        return policies.resolve(self.kind, self.overrides)

    @property
    def stopped(self) -> bool:
        return self.paused or self.connection_paused

    @property
    def allows_in(self) -> bool:
        return DIRECTIONS[self.direction].comes_in and not self.stopped

    @property
    def allows_out(self) -> bool:
        return DIRECTIONS[self.direction].goes_out and not self.stopped


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows of one company."""

    whole: Setting
    kinds: Sequence[Setting]
    interval_minutes: int
    history: Sequence[Version]
    custom_fields: Sequence[Custom]


@dataclass(frozen=True, slots=True)
class Custom:
    """A custom field that is switched on in the company."""

    definition_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version, and what it changed."""

    kind: str
    version: int
    changes: Sequence[str]
    changed_by: str
    changed_at: datetime

    @property
    def subject(self) -> str:
        return RESOURCES.get(self.kind, "Everything")


def page(connection_id: int) -> View:
    session = db.session()
    settings = of_connection(session, connection_id)
    return View(
        settings.pop(EVERYTHING),
        list(settings.values()),
        interval(session, connection_id),
        history(session, connection_id),
        custom_fields(session, connection_id),
    )


def current(session: Session, connection_id: int, kind: str) -> Setting:
    """A kind that is not kept in step at all is `off`."""
    return of_connection(session, connection_id).get(kind, Setting(connection_id, kind, default(kind)))


def of_connection(session: Session, connection_id: int) -> dict[str, Setting]:
    """`*` and every kind, in one statement."""
    last = (
        select(SyncSettings.kind, func.max(SyncSettings.version).label("version"))
        .where(SyncSettings.connection_id == connection_id)
        .group_by(SyncSettings.kind)
        .subquery()
    )
    rows = session.scalars(
        select(SyncSettings)
        .join(last, (SyncSettings.kind == last.c.kind) & (SyncSettings.version == last.c.version))
        .where(SyncSettings.connection_id == connection_id)
    )
    found = {row.kind: row for row in rows}
    whole = found.get(EVERYTHING)
    paused = whole is not None and whole.paused
    return {
        kind: _setting(found[kind], paused=paused)
        if kind in found
        else Setting(connection_id, kind, default(kind), connection_paused=paused)
        for kind in KINDS
    }


def history(session: Session, connection_id: int, *, limit: int = 50) -> Sequence[Version]:
    """Every version, the latest first."""
    rows = session.scalars(
        select(SyncSettings)
        .where(SyncSettings.connection_id == connection_id)
        .order_by(SyncSettings.kind, SyncSettings.version)
    ).all()
    versions: list[tuple[int, Version]] = []
    before: dict[str, Setting] = {}
    for row in rows:
        after = _setting(row, paused=False)
        changes = told(before.get(row.kind, Setting(connection_id, row.kind, default(row.kind))), after)
        versions.append((row.id, Version(row.kind, row.version, changes, row.changed_by, row.changed_at)))
        before[row.kind] = after
    return [version for _, version in sorted(versions, key=lambda pair: -pair[0])[:limit]]


def told(before: Setting, after: Setting) -> list[str]:
    """What was changed, in words: old -> new."""
    said = []
    if before.direction != after.direction:
        said.append(f"{DIRECTIONS[before.direction].title} → {DIRECTIONS[after.direction].title}")
    if before.paused != after.paused:
        said.append("Paused" if after.paused else "Resumed")
    if before.interval_minutes != after.interval_minutes:
        often = [_how_often(setting) for setting in (before, after)]
        said.append(f"Asks for changes {often[0]} → {often[1]}")
    for id_ in sorted({*before.custom_fields, *after.custom_fields}):
        old, new = (custom_words.in_words(setting.custom_fields.get(id_, "")) for setting in (before, after))
        if old != new:
            said.append(f"Custom field {id_}: {old.lower()} → {new.lower()}")
    usual = policies.defaults(after.kind)
    for name in sorted({*before.overrides, *after.overrides}):
        old, new = (setting.overrides.get(name) or usual.get(name, "") for setting in (before, after))
        if old != new:
            said.append(_rule_told(after.kind, name, old, new))
    return said


def in_words(setting: Setting) -> str:
    """What was chosen for a kind, in a line: what happens when both sides change it, and rules that are not ours."""
    if setting.direction == OFF:
        return "Nothing is read and nothing is written; what came in stays."
    said = []
    if setting.kind in policies.FIELDS and setting.direction == BOTH:
        number = len(setting.overrides)
        rules = f"{number} {'rule' if number == 1 else 'rules'} of your own" if number else "the usual rules"
        said.append(f"Where both sides changed a field: {rules}")
    if setting.interval_minutes:
        said.append(f"asked for changes every {setting.interval_minutes} minutes")
    return "; ".join(said).capitalize() + "." if said else DIRECTIONS[setting.direction].sentence


def _how_often(setting: Setting) -> str:
    if setting.interval_minutes is None and setting.kind != EVERYTHING:
        return "as often as the company"
    return f"every {setting.interval_minutes or SWEEP_MINUTES} minutes"


def interval(session: Session, connection_id: int) -> int:
    """Minutes between two sweeps."""
    return session.scalar(select(Sweep.interval_minutes).where(Sweep.connection_id == connection_id)) or SWEEP_MINUTES


def custom_fields(session: Session, connection_id: int) -> list[Custom]:
    """Custom fields of sales forms that are switched on, as the company's preferences said when last read."""
    kept = session.scalar(select(Connection.preferences).where(Connection.id == connection_id)) or {}
    return [Custom(one["definition_id"], one.get("name", "")) for one in kept.get("custom_fields") or ()]


def _setting(row: SyncSettings, *, paused: bool) -> Setting:
    return Setting(
        row.connection_id, row.kind, row.direction, row.paused, paused, row.policies, row.custom_fields,
        row.interval_minutes, row.version, row.changed_by, row.changed_at,
    )  # fmt: skip


def _rule_told(kind: str, name: str, old: str, new: str) -> str:
    said = [policies.rule_text(kind, name, rule).partition(": ") for rule in (old, new) if rule]
    words = [rule for _, _, rule in said]
    if not old:
        words.insert(0, policies.POLICIES[policies.ASK].title)
    elif not new:
        words.append(policies.POLICIES[policies.ASK].title)
    return f"{said[0][0]}: {words[0]} → {words[1]}"
