"""Where the simulated companies live: one SQLite file, one row per record, its JSON text beside indexed columns.

``Store.writing(realm_id)`` opens the one exclusive transaction in which rules change a company; ``Store.reading``
gives a view for reads. Both hand out ``Books``, which gets, puts and finds records of one company and keeps the
columns, tombstones and queued notices that belong to them. It knows no business rule: see ``sandbox.rules``.
Amount columns hold whole cents, so sums made by SQLite are exact. Bulk loading: ``Books.put_many``.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sandbox import exact
from sandbox.entities import ENTITIES, WITHOUT_NOTICE
from sandbox.schema import TABLES
from sandbox.times import parse, sortable, stamp


def cents(amount: Any) -> int:
    """An amount as whole cents; None counts as nothing."""
    return int((Decimal(amount or 0) * 100).to_integral_value())


def envelope(body: dict, *, id: str, created: datetime, updated: datetime | None = None, token: int = 0) -> dict:
    """``body`` with the members every record carries (domain, sparse, Id, SyncToken, MetaData). For bulk loading."""
    meta = {"CreateTime": stamp(created), "LastUpdatedTime": stamp(updated or created)}
    own = {"domain": "QBO", "sparse": False, "Id": id, "SyncToken": str(token), "MetaData": meta}
    return {**body, **own}


class Store:
    """All companies of one sandbox. Safe to share between threads; one process per file."""

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = threading.RLock()
        self._local = threading.local()
        self._open: set[sqlite3.Connection] = set()
        self.connection().executescript(TABLES)

    def connection(self) -> sqlite3.Connection:
        """This thread's connection, in autocommit mode."""
        found = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(self.path, timeout=60, isolation_level=None, check_same_thread=False)
            found.execute("PRAGMA journal_mode=WAL")
            found.execute("PRAGMA synchronous=OFF")  # a simulator may lose its last second with the machine
            found.execute("PRAGMA cache_size=-8000")
            self._local.connection = found
            self._open.add(found)
        return found

    def release(self) -> None:
        """Close this thread's connection, as the thread ends."""
        found = getattr(self._local, "connection", None)
        if found is not None:
            self._open.discard(found)
            found.close()
            del self._local.connection

    def close(self) -> None:
        while self._open:
            self._open.pop().close()
        self._local = threading.local()

    @contextmanager
    def exclusive(self) -> Iterator[sqlite3.Connection]:
        """One write transaction for the whole file, committed at the end, rolled back on any exception."""
        with self._writer:
            connection = self.connection()
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def writing(self, realm_id: str) -> Iterator["Books"]:
        """The books of one company, open for change; all or nothing. May be nested in the same thread."""
        with self.exclusive() as connection:
            yield Books(connection, realm_id)

    def reading(self, realm_id: str) -> "Books":
        """The books of one company, for reading only."""
        return Books(self.connection(), realm_id)

    def companies(self) -> list[tuple[str, str]]:
        """(realm id, company name) of every company, oldest realm first."""
        return self.connection().execute("SELECT realm, name FROM company ORDER BY rowid").fetchall()

    def add_company(self, realm_id: str, name: str) -> None:
        with self.exclusive() as connection:
            connection.execute("INSERT OR REPLACE INTO company (realm, name) VALUES (?, ?)", (realm_id, name))

    def clear(self) -> None:
        """Forget every company, token and queued notice."""
        with self.exclusive() as connection:
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall():
                connection.execute(f"DELETE FROM {table}")


class Books:
    """One company's records within one transaction (or one reading view)."""

    def __init__(self, connection: sqlite3.Connection, realm_id: str):
        self.connection = connection
        self.realm = realm_id

    # -- reading

    def text(self, entity: str, id: str | int) -> str | None:
        """The stored JSON text, ready to be sent."""
        row = self.connection.execute(
            "SELECT body FROM record WHERE realm=? AND entity=? AND id=?", (self.realm, entity, int(id))
        ).fetchone()
        return row[0] if row else None

    def get(self, entity: str, id: str | int) -> dict | None:
        text = self.text(entity, id)
        return None if text is None else exact.loads(text)

    def all(self, entity: str) -> Iterator[dict]:
        """Every record of a kind, inactive ones included, by id; the books may be changed meanwhile."""
        last = -1
        while True:
            rows = self.connection.execute(
                "SELECT id, body FROM record WHERE realm=? AND entity=? AND id>? ORDER BY id LIMIT 1000",
                (self.realm, entity, last),
            ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield from (exact.loads(body) for _, body in rows)

    def count(self, entity: str) -> int:
        query = "SELECT COUNT(*) FROM record WHERE realm=? AND entity=?"
        return self.connection.execute(query, (self.realm, entity)).fetchone()[0]

    def named(self, entity: str, name: str) -> tuple[str, str] | None:
        """(entity, id) of the record that bears this name in the entity's name space, whatever its case."""
        return self.connection.execute(
            "SELECT entity, CAST(id AS TEXT) FROM record WHERE realm=? AND namespace=? AND name_key=?",
            (self.realm, ENTITIES[entity].namespace, name.casefold()),
        ).fetchone()

    def numbered(self, entity: str, doc_number: str) -> list[str]:
        """Ids of the documents of this kind that bear this number."""
        rows = self.connection.execute(
            "SELECT CAST(id AS TEXT) FROM record WHERE realm=? AND entity=? AND doc_number=?",
            (self.realm, entity, doc_number),
        )
        return [id for (id,) in rows]

    def of_customer(self, entity: str, customer_id: str | int) -> list[dict]:
        rows = self.connection.execute(
            "SELECT body FROM record WHERE realm=? AND customer=? AND entity=? ORDER BY id",
            (self.realm, int(customer_id), entity),
        )
        return [exact.loads(body) for (body,) in rows]

    def children(self, entity: str, id: str | int) -> list[dict]:
        rows = self.connection.execute(
            "SELECT body FROM record WHERE realm=? AND entity=? AND parent=? ORDER BY id", (self.realm, entity, int(id))
        )
        return [exact.loads(body) for (body,) in rows]

    def open_cents(self, customer_id: str | int) -> int:
        """What a customer owes (or a vendor is owed) by itself, in cents: open documents less what is not applied."""
        row = self.connection.execute(
            "SELECT COALESCE(SUM(open_cents), 0) FROM record WHERE realm=? AND customer=?",
            (self.realm, int(customer_id)),
        ).fetchone()
        return row[0]

    # -- writing

    def put(self, entity: str, body: dict) -> None:
        """Store a record under its Id, replacing what was there."""
        self.put_many(entity, [body])

    def put_many(self, entity: str, bodies: Iterable[dict]) -> None:
        """Store many records. Bodies must be complete (see ``envelope``); counters move past their ids."""
        highest = 0

        def rows() -> Iterator[tuple]:
            nonlocal highest
            for body in bodies:
                row = self._row(entity, body)
                highest = max(highest, row[2])
                yield row

        self.connection.executemany(
            "INSERT INTO record (realm, entity, id, active, updated, namespace, name_key, parent, customer, doc_number,"
            " txn_date, open_cents, body) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (realm, entity, id) DO UPDATE"
            " SET active=excluded.active, updated=excluded.updated, name_key=excluded.name_key,"
            " parent=excluded.parent, customer=excluded.customer, doc_number=excluded.doc_number,"
            " txn_date=excluded.txn_date, open_cents=excluded.open_cents, body=excluded.body",
            rows(),
        )
        self._at_least(ENTITIES[entity].sequence, highest)

    def _row(self, entity: str, body: dict) -> tuple:
        spec = ENTITIES[entity]
        name = body.get("FullyQualifiedName") if entity in ("Item", "Account") else None
        name = name or (body.get(spec.name_field) if spec.name_field else None)
        return (
            self.realm, entity, int(body["Id"]), int(body.get("Active", True)),
            sortable(parse(body["MetaData"]["LastUpdatedTime"])), spec.namespace if name else None,
            name.casefold() if name else None, _reference(body, "ParentRef"), _owner(body),
            body.get("DocNumber"), body.get("TxnDate"), _open(entity, body), exact.dumps(body),
        )  # fmt: skip

    def remove(self, entity: str, id: str, at: datetime) -> None:
        """Delete a transaction for good and remember that it was deleted, for change data capture."""
        key = (self.realm, entity, int(id))
        self.connection.execute("DELETE FROM record WHERE realm=? AND entity=? AND id=?", key)
        self.connection.execute("INSERT OR REPLACE INTO tombstone VALUES (?,?,?,?,?)", (*key, sortable(at), stamp(at)))

    def next_id(self, sequence: str) -> str:
        return str(self.next_ids(sequence, 1)[0])

    def next_ids(self, sequence: str, count: int) -> range:
        """Reserve ``count`` consecutive numbers of a counter: "name", "txn", "address" or an entity's name."""
        last = self.counter(sequence)
        self._at_least(sequence, last + count)
        return range(last + 1, last + count + 1)

    def counter(self, name: str) -> int:
        row = self.connection.execute(
            "SELECT value FROM counter WHERE realm=? AND name=?", (self.realm, name)
        ).fetchone()
        return row[0] if row else 0

    def set_counter(self, name: str, value: int) -> None:
        self.connection.execute("INSERT OR REPLACE INTO counter VALUES (?,?,?)", (self.realm, name, value))

    def _at_least(self, name: str, value: int) -> None:
        self.connection.execute(
            "INSERT INTO counter VALUES (?,?,?) ON CONFLICT (realm, name) DO UPDATE SET value=MAX(value, ?)",
            (self.realm, name, value, value),
        )

    # -- request ids and notices

    def answer_to(self, request_id: str, item: str = "") -> str | None:
        """The stored answer to an earlier request with this id (and batch item)."""
        row = self.connection.execute(
            "SELECT body FROM answered WHERE realm=? AND request_id=? AND item=?", (self.realm, request_id, item)
        ).fetchone()
        return row[0] if row else None

    def remember(self, request_id: str, body: str, item: str = "") -> None:
        self.connection.execute("INSERT OR IGNORE INTO answered VALUES (?,?,?,?)", (self.realm, request_id, item, body))

    def answers(self) -> Iterator[tuple[str, str, str, dict]]:
        """(request id, batch item, entity, record) of every write that was carried out under a request id."""
        rows = self.connection.execute(
            "SELECT request_id, item, body FROM answered WHERE realm=? ORDER BY request_id, item", (self.realm,)
        )
        for request_id, item, text in rows:
            body = exact.loads(text if text.startswith("{") else f"{{{text}}}")  # of a batch item only its members
            entity = next(name for name in body if name in ENTITIES)
            yield request_id, item, entity, body[entity]

    def mailed(self, entity: str, id: str, address: str, at: datetime) -> None:
        """Remember that a document went out by mail; each call is one mail."""
        self.connection.execute(
            "INSERT INTO mail (realm, entity, id, address, at) VALUES (?,?,?,?,?)",
            (self.realm, entity, id, address, at.isoformat()),
        )

    def mails(self) -> list[dict]:
        """What was mailed, oldest first: entity, id, address, at."""
        rows = self.connection.execute(
            "SELECT entity, id, address, at FROM mail WHERE realm=? ORDER BY number", (self.realm,)
        )
        return [dict(zip(("entity", "id", "address", "at"), row, strict=True)) for row in rows]

    def notify(self, entity: str, id: str, verb: str, at: datetime, other_id: str | None = None) -> None:
        """Queue a webhook notice: verb is created, updated, deleted, void, emailed or merged."""
        if entity in WITHOUT_NOTICE:
            return
        self.connection.execute(
            "INSERT INTO notice (realm, entity, id, verb, at, other_id) VALUES (?,?,?,?,?,?)",
            (self.realm, entity, id, verb, at.isoformat(), other_id),
        )


def _owner(body: dict) -> int | None:
    """The customer or vendor of a document; both take their ids from one sequence, so one column holds them."""
    return _reference(body, "CustomerRef") or _reference(body, "VendorRef")


def _reference(body: dict, prop: str) -> int | None:
    value = (body.get(prop) or {}).get("value")
    return int(value) if value else None


def _open(entity: str, body: dict) -> int:
    """A document's share in its customer's or vendor's balance, in cents."""
    if entity in ("Invoice", "Bill"):
        return cents(body.get("Balance"))
    if entity == "Payment":
        return -cents(body.get("UnappliedAmt"))
    if entity == "CreditMemo":
        return -cents(body.get("RemainingCredit"))
    if entity == "BillPayment":
        return cents(sum(Decimal(line["Amount"]) for line in body.get("Line", []))) - cents(body.get("TotalAmt"))
    return 0
