"""Shared fixtures: a real application on a real, migrated database (SQLite, or DATABASE_URL's PostgreSQL).

Every test finds empty tables. `client` is a browser without JavaScript; `sign_in(user)` gives it a session.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import Engine, create_engine, event, text

from crm import config, create_app, encryption
from crm.db import db, transaction
from crm.domain import throttle
from crm.models import User
from crm.services import throttle_redis
from tests.factories import UserFactory
from tests.quickbooks import quickbooks, refreshes, sandbox

__all__ = ["quickbooks", "refreshes", "sandbox"]

ROOT = Path(__file__).resolve().parent.parent


UNHURRIED: dict[str, Any] = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
"""How long an example takes is the machine's affair, not the code's."""
hypothesis.settings.register_profile("same", **UNHURRIED, derandomize=True)
hypothesis.settings.register_profile("searching", **UNHURRIED)
hypothesis.settings.load_profile("same")  # what fails is the change's doing; `--hypothesis-profile searching` looks on

LONGEST_FIRST = ("tests/house/test_bench.py", "tests/flows/", "tests/e2e/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no process is alone at the end (`--no-loadscope-reorder`)."""
    rank = {start: number for number, start in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: next((rank[start] for start in rank if item.nodeid.startswith(start)), len(rank)))


@event.listens_for(Engine, "connect")
def _no_order_by_accident(connection: Any, _record: Any) -> None:
    """SQLite then gives rows without ORDER BY backwards, so that nothing rests on an order nobody asked for:
    PostgreSQL gives another one as soon as it uses a freed place again."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA reverse_unordered_selects=ON")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, str]:
    """Variables of a throw-away installation; child processes of a test can be started with them too."""
    return {
        "ENV_FILE": os.devnull,
        # What stands in a Redis is named by it, and others may run these tests on the same one at this moment.
        "SECRET_KEY": f"only for tests, not a secret {worker_id} {secrets.token_hex(8)}",
        "TOKEN_ENCRYPTION_KEYS": encryption.new_key(),
        "INSTANCE_DIR": str(tmp_path_factory.mktemp("instance")),
        "DATABASE_URL": fresh_database(os.environ.get("TEST_DATABASE_URL", ""), worker_id),
        "REDIS_URL": own_redis(os.environ.get("TEST_REDIS_URL", "")),
        "APP_URL": "http://localhost",
        "QUICKBOOKS_CLIENT_ID": "sandbox-client",
        "QUICKBOOKS_CLIENT_SECRET": "sandbox-secret",
        "QUICKBOOKS_WEBHOOK_VERIFIER_TOKEN": "sandbox-verifier",
        "ARGON2_MEMORY_KIB": "8",
        "ARGON2_ROUNDS": "1",
        "LOG_LEVEL": "WARNING",
    }


def own_redis(url: str, *, beside: int = 0) -> str:
    """A database of this worker's own on the given server, the `beside`-th after it; empty stays empty. What one test
    empties or queues never reaches another that runs at the same moment."""
    if not url:
        return ""
    base, _, number = url.rpartition("/")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw") or "0"
    return f"{base}/{(int(number) + 1 + int(worker) + beside) % 16}"


def fresh_database(server_url: str, worker_id: str) -> str:
    """An empty database of this worker's own on the PostgreSQL server; empty text means embedded SQLite."""
    if not server_url:
        return ""
    base, _, name = server_url.rpartition("/")
    name = f"{name}_{worker_id}"
    engine = create_engine(
        base.replace("postgresql://", "postgresql+psycopg://") + "/postgres", isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
        connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))  # no test outlives the server
    engine.dispose()
    return f"{base}/{name}"


class Browser(FlaskClient):
    """A client whose every request has a context, and so a database session, of its own, as on a server."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        with self.application.app_context():
            return super().open(*args, **{"buffered": True, **kwargs})


@pytest.fixture(scope="session")
def _app(environment: dict[str, str]) -> Iterator[Flask]:
    app = create_app(config.read(environment))
    app.config["TESTING"] = True
    app.test_client_class = Browser
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context():
        upgrade(directory=str(ROOT / "migrations"))
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app(_app: Flask) -> Iterator[Flask]:
    """The application with an open context and empty tables."""
    with _app.app_context():
        yield _app
        db.session.remove()
        with db.engine.begin() as connection:
            for statement in emptying():
                connection.exec_driver_sql(statement)


@cache
def emptying() -> tuple[str, ...]:
    """All tables, in one message where the database takes one. The queue that triggers fill comes last. Rows
    are numbered from 1 again on both databases: `tests.images` puts back what refers to them, and 404 is nobody's."""
    names = [table.name for table in reversed(db.metadata.sorted_tables) if table.name != "contact_changes"]
    deeds = tuple(f"DELETE FROM {name}" for name in (*names, "contact_changes"))  # noqa: S608
    if db.engine.dialect.name == "sqlite":
        return deeds
    used = "FROM pg_sequences WHERE last_value IS NOT NULL"
    return ("; ".join((*deeds, f"SELECT setval(quote_ident(sequencename)::regclass, 1, false) {used}")),)


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """Calls are admitted and counted as always, but nothing waits: tests of the throttle bring limits of their own."""
    wide = tuple(replace(window, most=10**6, background=10**6) for window in throttle.WINDOWS)
    monkeypatch.setattr(throttle, "WINDOWS", wide)
    if environment["REDIS_URL"]:  # the next test's connections bear the same ids
        forget_calls(environment["REDIS_URL"], environment["SECRET_KEY"])


def forget_calls(url: str, secret_key: str) -> int:
    """What Redis counted for connections of these tests; how many keys that were. Those of others stand beside them."""
    with redis.Redis.from_url(url) as server:
        return int(server.delete(*_counted(secret_key)))  # type: ignore[arg-type]


@cache
def _counted(secret_key: str) -> tuple[str, ...]:
    """Connections are numbered from 1 in every test, and no test has many."""
    return tuple(key for number in range(1, 100) for key in throttle_redis.keys(secret_key, number))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def make_user(app: Flask) -> Callable[..., User]:
    def make(role: str = "admin", **values: object) -> User:
        with transaction():
            return UserFactory(role=role, **values)

    return make


@pytest.fixture
def sign_in(client: FlaskClient, make_user: Callable[..., User]) -> Callable[..., User]:
    """`sign_in("rep")` or `sign_in(user)`: the client then acts as that person."""

    def sign(who: User | str = "admin") -> User:
        user = make_user(who) if isinstance(who, str) else who
        with client.session_transaction() as session:
            session["_user_id"] = user.get_id()
            session["_fresh"] = True
        return user

    return sign
