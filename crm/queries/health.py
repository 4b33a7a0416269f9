"""Whether database, broker and migrations are as the code needs them. Says what is wrong, never with what secret."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from celery import Celery
from sqlalchemy import text

from crm.db import db

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def checks(celery: Celery) -> dict[str, str]:
    """Name of check -> "ok" or the kind of failure."""
    return {"database": _database(), "migrations": _migrations(), "broker": _broker(celery)}


def _database() -> str:
    try:
        db.session.execute(text("SELECT 1"))
    except Exception as problem:  # any failure is the answer here
        db.session.rollback()
        return f"failed: {type(problem).__name__}"
    return "ok"


def _migrations() -> str:
    script = Config()
    script.set_main_option("script_location", str(MIGRATIONS))
    head = ScriptDirectory.from_config(script).get_current_head()
    try:
        current = MigrationContext.configure(db.session.connection()).get_current_revision()
    except Exception as problem:  # the database check says more
        db.session.rollback()
        return f"failed: {type(problem).__name__}"
    return (
        "ok"
        if current == head
        else f"database is at {current or 'nothing'}, code needs {head}: run flask --app wsgi db upgrade"
    )


def _broker(celery: Celery) -> str:
    try:
        with celery.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
    except Exception as problem:  # any failure is the answer here
        return f"failed: {type(problem).__name__}"
    return "ok"
