"""Changing the keys that encrypt: everything under an older key is written again under the first one.

Called by `flask keys rotate` while the application runs: rows are taken in small batches, each in a transaction of its
own, and a value that somebody changes meanwhile is left alone, since it was written with the first key. Nothing but the
encrypted columns is touched, and nothing is shown but counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, Text, and_, select, tuple_, type_coerce, update

from crm import encryption
from crm.db import Base, EncryptedText, changed, db, transaction

BATCH = 200


@dataclass(slots=True)
class Rotated:
    """One column's figures."""

    place: str
    written: int = 0
    current: int = 0
    unreadable: int = 0


def rotate_keys(batch: int = BATCH) -> list[Rotated]:
    """Re-encrypt every value that is not under the first key. Values no key opens are counted and left as they are."""
    return [_column(table, column, batch) for table, column in encrypted_columns()]


def encrypted_columns() -> Iterator[tuple[Table, Column[Any]]]:
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, EncryptedText):
                yield table, column


def _column(table: Table, column: Column[Any], batch: int) -> Rotated:
    counts = Rotated(f"{table.name}.{column.name}")
    keys, raw = list(table.primary_key), type_coerce(column, Text)
    after: tuple[Any, ...] | None = None
    while True:
        with transaction():
            query = select(*keys, raw.label("stored")).where(column.is_not(None)).order_by(*keys).limit(batch)
            if after is not None:
                query = query.where(tuple_(*keys) > tuple_(*after))
            rows = db.session.execute(query).all()
            for row in rows:
                _value(table, column, and_(*(key == row[at] for at, key in enumerate(keys))), row.stored, counts)
        if len(rows) < batch:
            return counts
        after = tuple(rows[-1][: len(keys)])


def _value(table: Table, column: Column[Any], which: Any, stored: str, counts: Rotated) -> None:
    ring = encryption.keyring()
    if ring.is_current(stored):
        counts.current += 1
        return
    try:
        plain = ring.decrypt(stored, place=counts.place)
    except encryption.CannotDecrypt:
        counts.unreadable += 1
        return
    unchanged = type_coerce(column, Text) == stored
    counts.written += changed(update(table).where(which, unchanged).values({column: plain}))
