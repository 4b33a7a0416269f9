"""The database: base class, column types, and the one way to change anything.

`with transaction():` begins, commits at the end, rolls back on any exception, then runs what was
registered with `after_commit()` (bells only). It is used at entry points and in runners, never inside a
service. SQLite write transactions start with BEGIN IMMEDIATE, so that a read cannot turn into a write
that fails; waiting is the busy time-out's job.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    CursorResult,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UpdateBase,
    event,
)
from sqlalchemy.engine import Connection as DbConnection
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from crm import encryption

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


def table_of(model: type[Base]) -> Table:
    """The table behind a model, for statements over many rows at once."""
    return cast(Table, model.__table__)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC, on databases that keep the zone and on those that don't. Naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored; use crm.clock.now()")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Money(TypeDecorator[Decimal]):
    """An exact amount with up to four decimals, in the row's currency.

    PostgreSQL keeps NUMERIC(19,4). SQLite has no decimal type and would keep a float, so there it is a whole
    number of ten-thousandths: sums, comparisons and sorting stay exact on both. A float is refused.
    """

    impl = Numeric(19, 4)
    cache_ok = True
    SCALE = 10_000

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else Numeric(19, 4))

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> Decimal | int | None:
        if value is None:
            return None
        if isinstance(value, float):
            raise TypeError("money is a Decimal, never a float")
        if dialect.name != "sqlite":
            return Decimal(value)
        scaled = Decimal(value) * self.SCALE
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{value} has more than four decimals")
        return int(scaled)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return (
                (Decimal(value) / self.SCALE).quantize(Decimal("0.01"))
                if value % 100 == 0
                else (Decimal(value) / self.SCALE)
            )
        amount = Decimal(value)
        cents = amount.quantize(Decimal("0.01"))
        return cents if cents == amount else amount


class Exact(TypeDecorator[Decimal]):
    """A decimal with as many places as it was given: quantities, unit prices, percents. Not for sums or sorting."""

    impl = String(40)
    cache_ok = True

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if isinstance(value, float):
            raise TypeError("an exact number is a Decimal, never a float")
        return format(Decimal(value), "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class EncryptedText(TypeDecorator[str]):
    """Text that only the keyring can read. `place` binds the ciphertext to its column."""

    impl = Text
    cache_ok = True

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else encryption.keyring().encrypt(value, place=self.place)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else encryption.keyring().decrypt(value, place=self.place)


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})

_writing: ContextVar[bool] = ContextVar("writing", default=False)


@contextmanager
def transaction() -> Iterator[Any]:
    """Everything inside is kept together or not at all; yields the session. Cannot be nested."""
    session = db.session()
    if _writing.get():
        raise RuntimeError("transaction() is already open; services never open one themselves")
    if session.in_transaction():
        # A read may have begun one; nothing may be waiting in it.
        if session.new or session.dirty or session.deleted:
            raise RuntimeError("there are changes outside of transaction()")
        session.commit()
    bells: list[Callable[[], None]] = []
    session.info["after_commit"] = bells
    mark = _writing.set(True)
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        bells.clear()
        raise
    finally:
        _writing.reset(mark)
        session.info.pop("after_commit", None)
    for bell in bells:
        bell()


def after_commit(action: Callable[[], None]) -> None:
    """Do this once the open transaction is safely stored; forgotten when it is rolled back."""
    bells = db.session().info.get("after_commit")
    if bells is None:
        raise RuntimeError("after_commit() needs an open transaction()")
    bells.append(action)


def changed(statement: UpdateBase) -> int:
    """Run an UPDATE or DELETE in the open transaction; how many rows it touched. Rows in memory stay as they are."""
    result = db.session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount


def refuse_open_transaction() -> None:
    """Called before anything slow, such as a remote call: raises RuntimeError inside of `transaction()`."""
    if _writing.get():
        raise RuntimeError("transaction() is already open; nothing slow may happen inside one")


def end_reading() -> None:
    """Let go of the read transaction before something slow (a remote call): no lock, no old snapshot is held."""
    if not _writing.get():
        db.session.remove()


@event.listens_for(Engine, "connect")
def _prepare(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        _prepare_sqlite(connection)
    else:
        _prepare_postgresql(connection)


def _prepare_postgresql(connection: Any) -> None:
    """Without compiling expressions (JIT): for a statement of many conditions, such as figures have, that takes several
    times as long as the whole answer does without it."""
    usual, connection.autocommit = connection.autocommit, True  # or a rollback would take it back
    with connection.cursor() as cursor:  # a server may be too old to know the setting
        cursor.execute("SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'jit'")
    connection.autocommit = usual


def _prepare_sqlite(connection: sqlite3.Connection) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, below
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=15000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: DbConnection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _writing.get() else "BEGIN")
