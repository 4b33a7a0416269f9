"""What has to be read because of events: the objects themselves, and what moves with them without saying so.

| an event about | also reads |
|---|---|
| a payment | the documents it was and is applied to |
| a credit memo | the documents it is tied to, and the payments that used it |
| an invoice | estimates it closes; payments on it, once it is void or not there any more |
| any of these | its customer, before and now, up to the top of the tree: balances moved |
| a merge | the customer that went, and every job and document that was its own |

Each object is read once, however many events name it, and objects of one kind together. No transaction is open here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.db import db, end_reading
from crm.domain.runs import DOCUMENTS
from crm.models import Customer, Document, Payment, PaymentApplication
from crm.services.identity_keys import chunks
from crm.services.sync.applying import Key, Reading, learn_names
from crm.services.sync.fetch import Fetch

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
    """What these documents are applied to or tied to, as they stand here and as they were just read."""
    session = db.session()
    for record in reading.of("payment"):
        yield from ((part.kind, part.remote_id) for part in record.applied if part.kind in DOCUMENTS and part.remote_id)
    for kind in ("credit_memo", "invoice"):
        ties = DOCUMENTS if kind == "credit_memo" else ("estimate",)
        for record in reading.of(kind):
            yield from ((part.kind, part.remote_id) for part in record.linked if part.kind in ties and part.remote_id)
    paid = {record.origin.remote_id for record in reading.of("invoice") if not record.void}
    loose = [key for key in asked if key[0] == "credit_memo" or (key[0] == "invoice" and key[1] not in paid)]
    yield from _applications(session, connection_id, [id_ for kind, id_ in asked if kind == "payment"], loose)
    yield from _tied_before(session, connection_id, [id_ for kind, id_ in asked if kind == "credit_memo"])


def _applications(
    session: Session, connection_id: int, payments: Sequence[str], documents: Sequence[Key]
) -> Iterable[Key]:
    """Documents that these payments stand applied to, and payments that stand applied to these documents."""
    table = PaymentApplication
    mine = table.connection_id == connection_id
    for part in chunks(payments, PART):
        rows = session.execute(
            select(table.document_kind, table.document_remote_id).where(mine, table.payment_remote_id.in_(part))
        )
        yield from ((kind, id_) for kind, id_ in rows if kind in DOCUMENTS and id_)
    for kind in {key[0] for key in documents}:
        for part in chunks([key[1] for key in documents if key[0] == kind], PART):
            where = (mine, table.document_kind == kind, table.document_remote_id.in_(part))
            yield from (("payment", id_) for id_ in session.scalars(select(table.payment_remote_id).where(*where)))


def _tied_before(session: Session, connection_id: int, credit_memos: Sequence[str]) -> Iterable[Key]:
    for part in chunks(credit_memos, PART):
        mine = (Document.connection_id == connection_id, Document.kind == "credit_memo", Document.remote_id.in_(part))
        for stored in session.scalars(select(Document.record).where(*mine)):
            ties: Sequence[Mapping[str, Any]] = stored.get("linked", ())
            yield from ((tie["kind"], tie["remote_id"]) for tie in ties if tie.get("kind") in DOCUMENTS)


def _customers_of(connection_id: int, reading: Reading, asked: Collection[Key]) -> set[str]:
    """Whose balances these documents move: of those that own them, and of those that did."""
    found = {record.customer.remote_id for kind in DOCUMENTS for record in reading.of(kind) if record.customer}
    for kind in DOCUMENTS:
        model: Any = Payment if kind == "payment" else Document
        for part in chunks([id_ for one, id_ in asked if one == kind], PART):
            where = [model.connection_id == connection_id, model.remote_id.in_(part)]
            where += [Document.kind == kind] if model is Document else []
            found |= set(db.session.scalars(select(model.customer_remote_id).where(*where)))
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
    found: list[Key] = []
    for part in chunks(sorted(customers), PART):
        mine = (Document.connection_id == connection_id, Document.customer_remote_id.in_(part))
        rows = session.execute(select(Document.kind, Document.remote_id).where(*mine, Document.gone_at.is_(None)))
        found += [(kind, remote_id) for kind, remote_id in rows]
        paid = (Payment.connection_id == connection_id, Payment.customer_remote_id.in_(part))
        ids = session.scalars(select(Payment.remote_id).where(*paid, Payment.gone_at.is_(None)))
        found += [("payment", remote_id) for remote_id in ids]
    return found


def _jobs_of(connection_id: int, customers: Collection[str]) -> set[str]:
    """Sub-customers that stand directly under these; a merge gives them another parent."""
    where = (Customer.connection_id == connection_id, Customer.parent_remote_id.in_(list(customers)))
    return set(db.session.scalars(select(Customer.remote_id).where(*where))) if customers else set()
