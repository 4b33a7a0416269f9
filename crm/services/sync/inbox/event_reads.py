"""What has to be read because of events: the objects themselves, and what moves with them without saying so.

| an event about | also reads |
|---|---|
| a payment, credit memo, invoice ... | what its kind says is tied to it (`mirror/document_kind`) |
| any of these | its customer, before and now, up to the top of the tree: balances moved |
| a merge | the customer that went, and every job and document that was its own |

Each object is read once, however many events name it, and objects of one kind together. No transaction is open here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.db import db, end_reading
from crm.models import Customer
from crm.services.identity_keys import chunks
from crm.services.sync.imports.fetch import Fetch
from crm.services.sync.mirror.applying import Reading, learn_names
from crm.services.sync.mirror.kinds import INCOMING, Key, mirrored

PART = 500
DEEPEST = 5
"""Levels of sub-customers."""


def read(fetch: Fetch, connection_id: int, wanted: Collection[Key], *, merged: Collection[str] = ()) -> Reading:
    """All of `wanted` and what goes with it. `merged`: customers that went into others. What is not there is missing
    in the reading. Raises what a call raises.
    """
    reading = Reading()
    first = [key for key in wanted if key[0] != "customer"]
    first += _own_documents(db.session(), connection_id, merged)
    asked = _fetch(fetch, reading, first)
    asked |= _fetch(fetch, reading, set(_tied(connection_id, reading, asked)) - asked)
    people = {("customer", remote_id) for remote_id in merged} | {key for key in wanted if key[0] == "customer"}
    moved = _customers_of(connection_id, reading, asked) | _jobs_of(connection_id, merged)
    people |= {("customer", remote_id) for remote_id in moved}
    _fetch_people(fetch, reading, connection_id, people)
    learn_names(fetch, reading)
    end_reading()
    return reading


def _fetch(fetch: Fetch, reading: Reading, keys: Iterable[Key]) -> set[Key]:
    """One call per kind (and two hundred ids)."""
    by_kind: dict[str, list[str]] = {}
    for kind, remote_id in sorted(set(keys)):
        by_kind.setdefault(kind, []).append(remote_id)
    end_reading()
    for kind, ids in by_kind.items():
        page = fetch.fetch(kind, ids)
        reading.add(page.records, page.refusals)
    return {(kind, remote_id) for kind, ids in by_kind.items() for remote_id in ids}


def _fetch_people(fetch: Fetch, reading: Reading, connection_id: int, keys: set[Key]) -> None:
    """Customers with everyone above them; parents nobody here has heard of are asked for in turn."""
    asked: set[Key] = set()
    for _ in range(DEEPEST):
        keys |= {("customer", remote_id) for remote_id in _above(connection_id, {key[1] for key in keys})}
        if not keys - asked:
            return
        asked |= _fetch(fetch, reading, keys - asked)
        keys = {("customer", record.parent_id) for record in reading.of("customer") if record.parent_id}


# --- what goes with it ----------------------------------------------------------------------------------------


def _tied(connection_id: int, reading: Reading, asked: Collection[Key]) -> Iterable[Key]:
    """What goes with these, as it stands here and as it was just read; each kind knows its own."""
    session = db.session()
    for kind in sorted({key[0] for key in asked}):
        ids = {key[1] for key in asked if key[0] == kind}
        found = INCOMING[kind].ties(session, connection_id, reading.of(kind), asked=ids)
        yield from (key for key in found if key[0] in INCOMING and key[1])


def _customers_of(connection_id: int, reading: Reading, asked: Collection[Key]) -> set[str]:
    """Whose balances these move: of those that own them, and of those that did."""
    found: set[str] = set()
    for kind, mirror in mirrored().items():
        if mirror.of_customers:
            found |= {record.customer.remote_id for record in reading.of(kind) if record.customer}
            found |= mirror.customers(db.session(), connection_id, [id_ for one, id_ in asked if one == kind])
    return found - {""}


def _above(connection_id: int, remote_ids: Collection[str]) -> set[str]:
    """Parents of these customers, and theirs, as far as they are known here."""
    found: set[str] = set()
    level = set(remote_ids)
    for _ in range(DEEPEST):
        parents: set[str] = set()
        for part in chunks(sorted(level), PART):
            where = (Customer.connection_id == connection_id, Customer.remote_id.in_(part))
            parents |= {id_ for id_ in db.session.scalars(select(Customer.parent_remote_id).where(*where)) if id_}
        level = parents - found
        found |= parents
        if not level:
            break
    return found


def _own_documents(session: Session, connection_id: int, customers: Collection[str]) -> list[Key]:
    """Documents and payments that stand here as these customers' own, not their jobs'."""
    return [
        (kind, remote_id)
        for kind, mirror in mirrored().items()
        for remote_id in mirror.owned(session, connection_id, customers)
    ]


def _jobs_of(connection_id: int, customers: Collection[str]) -> set[str]:
    """Sub-customers that stand directly under these; a merge gives them another parent."""
    where = (Customer.connection_id == connection_id, Customer.parent_remote_id.in_(list(customers)))
    return set(db.session.scalars(select(Customer.remote_id).where(*where))) if customers else set()
