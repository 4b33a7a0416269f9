"""search in contacts by any part of a word

SQLite keeps a full-text table of trigrams beside `contacts`, fed by triggers; PostgreSQL an index of trigrams. Both are
left out where the server cannot have them (an old SQLite, a PostgreSQL without pg_trgm): then searching is slower, and
finds the same. A later migration that rebuilds `contacts` on SQLite must make the triggers anew.

Revision ID: 0002
Revises: 0001
"""

import sqlite3

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQLITE = (
    "CREATE VIRTUAL TABLE contact_search USING fts5("
    "search_text, content='contacts', content_rowid='id', tokenize='trigram case_sensitive 1', columnsize=0)",
    "CREATE TRIGGER contact_search_added AFTER INSERT ON contacts BEGIN"
    " INSERT INTO contact_search(rowid, search_text) VALUES (new.id, new.search_text); END",
    "CREATE TRIGGER contact_search_removed AFTER DELETE ON contacts BEGIN"
    " INSERT INTO contact_search(contact_search, rowid, search_text) VALUES ('delete', old.id, old.search_text); END",
    "CREATE TRIGGER contact_search_changed AFTER UPDATE OF search_text ON contacts"
    " WHEN old.search_text IS NOT new.search_text BEGIN"
    " INSERT INTO contact_search(contact_search, rowid, search_text) VALUES ('delete', old.id, old.search_text);"
    " INSERT INTO contact_search(rowid, search_text) VALUES (new.id, new.search_text); END",
    "INSERT INTO contact_search(contact_search) VALUES ('rebuild')",
)

POSTGRESQL = (
    # Only a role that may create extensions gets the index; the same role may add it later by hand.
    "DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS pg_trgm;"
    " EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'pg_trgm is not available: %', SQLERRM; END $$",
    "DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm') THEN"
    " CREATE INDEX ix_contacts_search_text ON contacts USING gin (search_text gin_trgm_ops); END IF; END $$",
)


def upgrade():
    connection = op.get_bind()
    sqlite = SQLITE if _has_trigrams() else ()
    statements = POSTGRESQL if connection.dialect.name == "postgresql" else sqlite
    for statement in statements:
        connection.execute(sa.text(statement))


def downgrade():
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("DROP INDEX IF EXISTS ix_contacts_search_text"))
        return
    for trigger in ("added", "removed", "changed"):
        connection.execute(sa.text(f"DROP TRIGGER IF EXISTS contact_search_{trigger}"))
    connection.execute(sa.text("DROP TABLE IF EXISTS contact_search"))


def _has_trigrams() -> bool:
    """Whether this SQLite was built with FTS5 and knows its trigram tokenizer (3.34 and later)."""
    probe = sqlite3.connect(":memory:")
    try:
        probe.execute("CREATE VIRTUAL TABLE probe USING fts5(text, tokenize='trigram case_sensitive 1')")
    except sqlite3.OperationalError:
        return False
    finally:
        probe.close()
    return True
