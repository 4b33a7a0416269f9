"""What an import leaves behind, kept by this process and put back for the next test that begins the same way.

`after_import()` is for tests that need a company that was read; those about the reading itself call `run_import`. An
image is used only where the beginning equals the one it was taken from: the served company record by record and its
settings, ours, the connection's row, every other table empty, the same day and at most FRESH ago. Else the import runs,
and what it leaves becomes an image. Put back are all rows with their ids, the sequences, and the calls the sandbox
counted; the connection keeps the tokens it has now. Bells that rang and what a throttle in Redis counted are not.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from typing import Any, cast

from flask import current_app
from sqlalchemy import select, update

from crm import clock
from crm.db import EncryptedText, UtcDateTime, db, table_of
from crm.models import Connection
from sandbox import Served
from tests.flows.imports import run_import, stored

FRESH = timedelta(minutes=10)
"""Older rows would be read with another "now" than the one they were written with."""
MOST = 4
"""Images kept at once; a module rarely has more than one beginning."""

CONNECTIONS = table_of(Connection)
GRANT = ("access_token", "refresh_token", "access_expires_at", "refreshed_at")
"""What a connection brings along: its tokens are known to one sandbox only."""


@dataclass(frozen=True, slots=True)
class Image:
    run_id: int
    put_back: Callable[[], None]
    calls: dict[str, dict[str, int]]
    taken: datetime


_images: dict[Any, Image] = {}
_numbers = count()


def after_import(connection_id: int, served: Served, resources: list[str] | None = None) -> Any:
    """The connection after its first whole import; the run as it is stored (a `SyncRun`, state "done")."""
    db.session.remove()
    beginning = _beginning(served, resources)
    image = _images.get(beginning)
    if image is not None and timedelta(0) <= clock.now() - image.taken <= FRESH:
        _put_back(image, connection_id, served)
        return stored(image.run_id)
    before, granted = _calls(served), _grant(connection_id)
    run = run_import(connection_id, resources)
    assert run.state == "done"
    db.session.remove()
    if beginning is not None and _grant(connection_id) == granted:
        _images.pop(beginning, None)
        while len(_images) >= MOST:
            _images.pop(next(iter(_images)))
        made = {realm: {kind: number - before.get(realm, {}).get(kind, 0) for kind, number in kinds.items()}
                for realm, kinds in _calls(served).items()}  # fmt: skip
        _images[beginning] = Image(run.id, _take(), made, clock.now())
    return stored(run.id)


def _beginning(served: Served, resources: list[str] | None) -> Any:
    """Equal for two beginnings after which an import leaves the same; None where there is more than connections."""
    with db.engine.begin() as connection:
        if connection.exec_driver_sql(_anything_else()).scalar():
            return None
    if served.sandbox.script.shown():
        return None
    connections = tuple(_row(row) for row in db.session.execute(select(CONNECTIONS).order_by(CONNECTIONS.c.id)))
    db.session.remove()
    ours = replace(current_app.extensions["settings"], quickbooks_api_url="", quickbooks_discovery_url="")
    theirs = replace(served.sandbox.settings, data="", port=0)
    wanted = tuple(resources) if resources is not None else None
    return clock.now().date(), wanted, repr(ours), repr(theirs), connections, _content(served)


@cache
def _anything_else() -> str:
    others = (f"EXISTS (SELECT 1 FROM {name})" for name in db.metadata.tables if name != CONNECTIONS.name)  # noqa: S608
    return "SELECT " + " OR ".join(others)


def _row(row: Any) -> tuple[Any, ...]:
    """A connection's values: a secret counts as there or not, a moment as its distance from now."""
    now, kept = clock.now(), []
    for one, value in zip(CONNECTIONS.c, row, strict=True):
        if value is not None and isinstance(one.type, UtcDateTime):
            value = round((value - now) / timedelta(minutes=5))
        kept.append(value is not None if isinstance(one.type, EncryptedText) else repr(value))
    return tuple(kept)


def _content(served: Served) -> str:
    """The served companies, every record of them."""
    digest = hashlib.sha256()
    for name in ("company", "record", "tombstone", "counter", "setting", "attachment"):
        for row in served.store.connection().execute(f"SELECT * FROM {name}"):  # noqa: S608  in the order it was filled
            digest.update(repr(row).encode())
    return digest.hexdigest()


def _calls(served: Served) -> dict[str, dict[str, int]]:
    derived = ("coreplus", "core")
    return {realm: {kind: number for kind, number in kinds.items() if kind not in derived}
            for realm, kinds in served.sandbox.counters.snapshot().items()}  # fmt: skip


def _grant(connection_id: int) -> tuple[Any, ...]:
    query = select(*(CONNECTIONS.c[name] for name in GRANT)).where(CONNECTIONS.c.id == connection_id)
    row = tuple(db.session.execute(query).one())
    db.session.remove()
    return row


def _put_back(image: Image, connection_id: int, served: Served) -> None:
    granted = dict(zip(GRANT, _grant(connection_id), strict=True))
    image.put_back()
    with db.engine.begin() as connection:
        connection.execute(update(CONNECTIONS).where(CONNECTIONS.c.id == connection_id).values(granted))
    for realm, kinds in image.calls.items():
        for kind, number in kinds.items():
            served.sandbox.counters.add(realm, kind, number)


def _take() -> Callable[[], None]:
    return _take_file() if db.engine.dialect.name == "sqlite" else _take_schema(f"image_{next(_numbers)}")


def _take_file() -> Callable[[], None]:
    """SQLite: the whole file, page by page."""
    kept = sqlite3.connect(":memory:", check_same_thread=False)
    with _file() as file:
        file.backup(kept)

    def put_back() -> None:
        with _file() as file:
            kept.backup(file)

    return put_back


@contextmanager
def _file() -> Iterator[sqlite3.Connection]:
    borrowed = db.engine.raw_connection()
    try:
        yield cast(sqlite3.Connection, borrowed.driver_connection)
    finally:
        borrowed.close()


def _take_schema(kept: str) -> Callable[[], None]:
    """PostgreSQL: a copy of each table with rows, in a schema of its own; no trigger fires on the way back."""
    names = list(db.metadata.tables)
    deeds = [f"DROP SCHEMA IF EXISTS {kept} CASCADE", f"CREATE SCHEMA {kept}"]
    with db.engine.begin() as connection:
        counts = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in names)  # noqa: S608
        filled = list(connection.exec_driver_sql(counts).scalars())
        deeds += [f"CREATE TABLE {kept}.{name} AS TABLE public.{name}" for name in filled]
        connection.exec_driver_sql("; ".join(deeds))
        sequences = connection.exec_driver_sql(
            "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"
        ).all()
    back = ["SET LOCAL session_replication_role = replica", f"DELETE FROM {CONNECTIONS.name}"]  # noqa: S608
    back += [f"INSERT INTO public.{name} TABLE {kept}.{name}" for name in filled]
    back += [f"SELECT setval('public.{name}', {last})" for name, last in sequences]

    def put_back() -> None:
        with db.engine.begin() as connection:
            connection.exec_driver_sql("; ".join(back))

    return put_back
