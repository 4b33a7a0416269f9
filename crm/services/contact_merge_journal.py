"""What a merge did to rows that pointed to the absorbed contact, kept as JSON, and undone row by row.

`contact_merge_rows` writes a `Journal` while it re-points; `put_back` reads it when somebody makes the two contacts two
again. A row that somebody changed or took away since is left as it is. Decides nothing about contacts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, delete, or_, select, update
from sqlalchemy.orm import Session

from crm.db import Base, Money, UtcDateTime, table_of
from crm.models import Link, OutboxEntry
from crm.services import segments
from crm.services.identity_keys import chunks
from crm.services.sync.mirror.bulk import INSERTS
from crm.services.sync.outbox.outbox import WAITING

LINKS, ENTRIES = table_of(Link), table_of(OutboxEntry)
OWNED = ("household_members", "segment_members", "contact_consents")
"""Tables with one row for a contact (and something else): of these only the survivor's own are unmade."""


@dataclass(slots=True)
class Journal:
    """What a merge did to rows, as JSON (`ContactMerge.moved`)."""

    rows: dict[str, list[int]] = field(default_factory=dict)
    """`table.column` -> keys of the rows that were re-pointed."""
    links: list[list[Any]] = field(default_factory=list)
    """[connection, remote id] of the links that went along."""
    was: list[dict[str, Any]] = field(default_factory=list)
    """{table, row, left}: rows as they stood; `left` is what became of their columns, None of one that was deleted."""
    made: dict[str, list[Any]] = field(default_factory=dict)
    """Table -> keys of rows that were made; of one keyed by the contact and something else, the latter."""

    def as_json(self) -> dict[str, Any]:
        return {"rows": self.rows, "links": self.links, "was": self.was, "made": self.made}


def put_back(session: Session, moved: Mapping[str, Any], absorbed: int, survivor: int) -> list[list[Any]]:
    """What the merge re-pointed goes back where it still stands so; answers the links that did, as in the journal."""
    for name, keys in moved["made"].items():
        _unmake(session, Base.metadata.tables[name], keys, absorbed, survivor)
    links = [link for link in moved["links"] if _link_back(session, link[0], link[1], absorbed, survivor)]
    for place, ids in moved["rows"].items():
        if place != "outbox_entries.local_id":
            table, column = column_of(place)
            repoint_rows(session, key_of(table), ids, column, absorbed, column == survivor)
    _entries_back(session, moved["rows"].get("outbox_entries.local_id", ()), absorbed, survivor)
    for one in moved["was"]:
        _row_back(session, Base.metadata.tables[one["table"]], one["row"], one["left"])
    for segment_id in sorted({one["row"]["segment_id"] for one in moved["was"] if one["table"] == "segment_members"}):
        segments.recount(session, segment_id)
    return links


def _unmake(session: Session, table: Table, keys: Sequence[Any], absorbed: int, survivor: int) -> None:
    """What somebody noted at the survivor since is no copy any more, and stays."""
    own = (table.c.contact_id == survivor,) if table.name in OWNED else ()
    key = next((column for column in table.primary_key if column.name != "contact_id"), None)
    if table.name == "contact_consents":
        same = table.alias("same")
        copied = (same.c.contact_id == absorbed, same.c.channel == table.c.channel, same.c.state == table.c.state,
                  same.c.noted_at == table.c.noted_at)  # fmt: skip
        own = (*own, select(same.c.channel).where(*copied).exists())
    session.execute(delete(table).where((key_of(table) if key is None else key).in_(keys), *own))


def _link_back(session: Session, connection_id: int, remote_id: str, absorbed: int, survivor: int) -> bool:
    """Found by the customer, not by number: SQLite gives the number of a link that was undone to the next one."""
    same = or_(LINKS.c.remote_id == remote_id, LINKS.c.merged_from == remote_id)
    mine = (LINKS.c.connection_id == connection_id, LINKS.c.kind == "customer", LINKS.c.local_id == survivor, same)
    found = session.scalar(select(LINKS.c.id).where(*mine))
    if found is not None:
        session.execute(update(LINKS).where(LINKS.c.id == found).values(local_id=absorbed))
    return found is not None


def _entries_back(session: Session, ids: Sequence[int], absorbed: int, survivor: int) -> None:
    waits = select(ENTRIES.c.connection_id).where(
        ENTRIES.c.kind == "customer", ENTRIES.c.local_id == absorbed, ENTRIES.c.state.in_(WAITING)
    )
    free = or_(ENTRIES.c.state.not_in(WAITING), ENTRIES.c.connection_id.not_in(list(session.scalars(waits))))
    repoint_rows(session, ENTRIES.c.id, ids, ENTRIES.c.local_id, absorbed, ENTRIES.c.local_id == survivor, free)


def _row_back(session: Session, table: Table, stored: Mapping[str, Any], left: Mapping[str, Any] | None) -> None:
    row = _from_json(table, stored)
    if left is not None:
        still = [table.c[name] == value for name, value in _from_json(table, left).items()
                 if not isinstance(value, list | dict)]  # fmt: skip
        back = {name: row[name] for name in left}
        session.execute(update(table).where(*_same(table, row), *still).values(back))
        return
    row.pop("id", None)  # its number may be another row's by now
    session.execute(INSERTS[session.get_bind().dialect.name](table).values(row).on_conflict_do_nothing())


# --- parts ----------------------------------------------------------------------------------------------------


def column_of(place: str) -> tuple[Table, Column[Any]]:
    name, _, column = place.partition(".")
    table = Base.metadata.tables[name]
    return table, table.c[column]


def key_of(table: Table) -> Column[Any]:
    """The one column of the table's primary key."""
    [key] = table.primary_key.columns
    return key


def repoint_rows(
    session: Session, key: Column[Any], ids: Iterable[int], column: Column[Any], to: int, *where: Any
) -> None:
    for part in chunks(ids, 500):
        session.execute(update(key.table).where(key.in_(part), *where).values({column: to}))


def change(session: Session, journal: Journal, table: Table, row: Any, values: Mapping[str, Any]) -> None:
    journal.was.append({"table": table.name, "row": _as_json(row._mapping), "left": _as_json(values)})
    session.execute(update(table).where(*_same(table, row._mapping)).values(dict(values)))


def remove(session: Session, journal: Journal, table: Table, row: Any) -> None:
    journal.was.append({"table": table.name, "row": _as_json(row._mapping), "left": None})
    session.execute(delete(table).where(*_same(table, row._mapping)))


def _same(table: Table, row: Mapping[Any, Any]) -> list[ColumnElement[bool]]:
    """The row itself, by its primary key."""
    return [column == row[column.name] for column in table.primary_key]


def _as_json(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _from_json(table: Table, stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _typed(table.c[name], value) for name, value in stored.items()}


def _typed(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, UtcDateTime):
        return datetime.fromisoformat(value)
    return Decimal(value) if isinstance(column.type, Money) else value
