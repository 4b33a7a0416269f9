"""Many rows in one statement, the same on SQLite and PostgreSQL. Used by the import inside its transactions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, bindparam, inspect, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

INSERTS: dict[str, Callable[..., Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

Row = Mapping[str, Any]


def upsert(session: Session, table: Table, rows: Sequence[Row], *, by: Sequence[str], keep: Iterable[str] = ()) -> None:
    """Insert, or overwrite where a row with the same `by` stands; columns in `keep` are set by the insert only."""
    if not rows:
        return
    statement = INSERTS[session.get_bind().dialect.name](table)
    untouched = {*by, *keep}
    changes = {name: statement.excluded[name] for name in rows[0] if name not in untouched}
    session.execute(statement.on_conflict_do_update(index_elements=list(by), set_=changes), list(rows))


def update_by_id(session: Session, table: Table, rows: Sequence[Row], *, key: str = "id") -> None:
    """Set the given columns of many rows, each found by `key`; all rows name the same columns."""
    if not rows:
        return
    names = [name for name in rows[0] if name != key]
    statement = (
        update(table).where(table.c[key] == bindparam("_key")).values({name: bindparam(f"_{name}") for name in names})
    )
    session.connection().execute(
        statement, [{"_key": row[key], **{f"_{name}": row[name] for name in names}} for row in rows]
    )


def expire_loaded(session: Session, owned: Mapping[type[Any], str], ids: Collection[int]) -> None:
    """After statements in bulk: what the session remembers of the rows of these owners is old now.

    `owned`: model -> its attribute that names the owner. It is never read by the attribute itself: of a row already
    expired that asks the database, where the row may be gone.
    """
    wanted = set(ids)
    for loaded in list(session.identity_map.values()):
        name = owned.get(type(loaded))
        if name is not None and inspect(loaded).dict.get(name) in wanted:
            session.expire(loaded)
