"""Which way each kind is kept in step, by the newest version of the settings; by default where nobody set anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import func, select, tuple_

from crm.db import db
from crm.domain.runs import RESOURCES
from crm.models import SyncSettings

WHOLE = "*"
DEFAULTS: Mapping[str, str] = {kind: "both" if kind == "customer" else "in" for kind in RESOURCES}
WORDS = {"off": "Off", "in": "From QuickBooks", "out": "To QuickBooks", "both": "Both ways"}


@dataclass(frozen=True, slots=True)
class Direction:
    """Of one kind, or (`*`) of the connection as a whole."""

    title: str
    way: str
    """`off`, `in`, `out` or `both`."""
    paused: bool = False

    @property
    def leaves(self) -> bool:
        return self.way in ("out", "both") and not self.paused

    @property
    def words(self) -> str:
        return WORDS.get(self.way, self.way)


def of(connection_ids: Collection[int]) -> dict[int, dict[str, Direction]]:
    """Connection -> kind -> direction, in the order kinds are done; `*` (the whole) comes last."""
    newest = (
        select(SyncSettings.connection_id, SyncSettings.kind, func.max(SyncSettings.version))
        .where(SyncSettings.connection_id.in_(connection_ids))
        .group_by(SyncSettings.connection_id, SyncSettings.kind)
    )
    key = tuple_(SyncSettings.connection_id, SyncSettings.kind, SyncSettings.version)
    settings = db.session.scalars(select(SyncSettings).where(key.in_(newest)))
    rows = {(row.connection_id, row.kind): row for row in settings}
    found: dict[int, dict[str, Direction]] = {}
    for id_ in connection_ids:
        found[id_] = {}
        for kind in (*DEFAULTS, WHOLE):
            row = rows.get((id_, kind))
            way = row.direction if row else DEFAULTS.get(kind, "both")
            found[id_][kind] = Direction(RESOURCES.get(kind, ""), way, row.paused if row else False)
    return found
