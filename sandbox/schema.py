"""The tables of the sandbox's SQLite file. Used by ``sandbox.store`` alone.

One row per record: its JSON text beside the columns that queries, name checks and balances need. Amount columns hold
whole cents. ``tombstone`` remembers deletions for change data capture, ``answered`` the answers by request id,
``notice`` what webhooks have still to tell, ``setting`` a company's switches, ``mail`` each document mailed,
``attachment`` the bytes of uploaded files.
"""

TABLES = """
CREATE TABLE IF NOT EXISTS company (realm TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS record (
    realm TEXT NOT NULL, entity TEXT NOT NULL, id INTEGER NOT NULL, active INTEGER NOT NULL DEFAULT 1,
    updated TEXT NOT NULL, namespace TEXT, name_key TEXT, parent INTEGER, customer INTEGER, doc_number TEXT,
    txn_date TEXT, open_cents INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS record_id ON record (realm, entity, id);
CREATE INDEX IF NOT EXISTS record_listing ON record (realm, entity, active, id);
CREATE INDEX IF NOT EXISTS record_alphabet ON record (realm, entity, name_key, id, active);
CREATE INDEX IF NOT EXISTS record_dated ON record (realm, entity, txn_date, id);
CREATE INDEX IF NOT EXISTS record_name ON record (realm, namespace, name_key) WHERE name_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS record_updated ON record (realm, entity, updated, id);
CREATE INDEX IF NOT EXISTS record_customer ON record (realm, customer, entity, open_cents)
    WHERE customer IS NOT NULL;
CREATE INDEX IF NOT EXISTS record_parent ON record (realm, entity, parent) WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS record_number ON record (realm, entity, doc_number) WHERE doc_number IS NOT NULL;
CREATE TABLE IF NOT EXISTS tombstone (
    realm TEXT NOT NULL, entity TEXT NOT NULL, id INTEGER NOT NULL, at TEXT NOT NULL, stamp TEXT NOT NULL,
    PRIMARY KEY (realm, entity, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (
    realm TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (realm, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setting (
    realm TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (realm, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mail (
    number INTEGER PRIMARY KEY, realm TEXT NOT NULL, entity TEXT NOT NULL, id TEXT NOT NULL, address TEXT NOT NULL,
    at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attachment (
    realm TEXT NOT NULL, id INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY (realm, id));
CREATE TABLE IF NOT EXISTS answered (
    realm TEXT NOT NULL, request_id TEXT NOT NULL, item TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (realm, request_id, item)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notice (
    number INTEGER PRIMARY KEY, realm TEXT NOT NULL, entity TEXT NOT NULL, id TEXT NOT NULL, verb TEXT NOT NULL,
    at TEXT NOT NULL, other_id TEXT, attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS grant_ (
    key TEXT PRIMARY KEY, realm TEXT NOT NULL, scope TEXT NOT NULL, issued REAL NOT NULL, hard_expiry REAL NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS token (
    value TEXT PRIMARY KEY, kind TEXT NOT NULL, grant_key TEXT NOT NULL, issued REAL NOT NULL, expires REAL NOT NULL,
    data TEXT NOT NULL DEFAULT '{}');
CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
