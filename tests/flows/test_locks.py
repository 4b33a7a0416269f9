"""Who waits for whom in PostgreSQL. SQLite has one writer at a time and nothing to show here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import event, insert, select, text

from crm import clock
from crm.db import db, table_of
from crm.models import Connection, Contact, Customer, Item, Link, Match, Product, Receipt, SalesDocument, SyncLogEntry
from crm.services import matches
from crm.services.sync.items.kind import Items
from crm.services.sync.merge.comparing import Linked, look
from crm.services.sync.mirror.stored import as_stored
from crm.services.sync.outbox.kinds import OUTGOING
from crm.services.sync.receipts import taking as receipts
from crm.services.sync.sales import leaving
from crm.services.sync.work import Batch, books_of
from sandbox import Served, serving
from tests.engine_rows import add
from tests.flows.sending import PERSON, new_contacts, writable
from tests.quickbooks import quickbooks  # noqa: F401
from tests.services.test_sync_matching import customer


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=30, companies=1) as served:
        yield served


@pytest.fixture
def connection(app: Flask, quickbooks: Served) -> Connection:  # noqa: F811
    if db.engine.dialect.name != "postgresql":
        pytest.skip("rows are locked one by one in PostgreSQL only")
    return writable(quickbooks)


def refer_to(contact_id: int, connection_id: int) -> None:
    """As the answer about an invoice does in its log line; fails where it would have to wait."""
    with db.engine.connect() as other:
        other.execute(text("SET LOCAL lock_timeout = '300ms'"))
        other.execute(insert(table_of(SyncLogEntry)).values(
            connection_id=connection_id, at=clock.now(), level="info", event="sent", kind="invoice",
            contact_id=contact_id, message="Created", details={}, outcome="done",
        ))  # fmt: skip
        other.rollback()


def is_held(contact_id: int) -> bool:
    """Whether somebody who would change the contact has to wait."""
    with db.engine.connect() as other:
        row = select(Contact.id).where(Contact.id == contact_id)
        return other.execute(row.with_for_update(key_share=True, skip_locked=True)).first() is None


def test_who_refers_to_a_contact_does_not_wait_for_who_sends_it(connection: Connection) -> None:
    [contact_id] = new_contacts("Ada Stone")
    OUTGOING["customer"].hold(db.session(), [contact_id])
    assert is_held(contact_id)
    refer_to(contact_id, connection.id)
    db.session.rollback()


def test_who_refers_to_a_contact_does_not_wait_for_who_merges_it(connection: Connection) -> None:
    [contact_id] = new_contacts("Ada Stone")
    books = books_of(connection)
    look(db.session(), [Linked(contact_id, "1", {}, True)], books)
    assert is_held(contact_id)
    refer_to(contact_id, books.id)
    db.session.rollback()


def test_who_refers_to_a_contact_does_not_wait_for_who_decides_its_match(connection: Connection) -> None:
    [contact_id] = new_contacts("Ada Stone")
    now = clock.now()
    customer_id = add(Customer(connection_id=connection.id, remote_id="9001", root_remote_id="9001", full_path="Ada S.",
                               display_name="Ada S.", match_state="review", seen_at=now,
                               record=as_stored(customer(9001, "Ada S."))))  # fmt: skip
    match_id = add(Match(connection_id=connection.id, customer_id=customer_id, contact_id=contact_id, state="proposed",
                         score=60, rank=1, evidence=[], decided_at=now))  # fmt: skip
    matches.confirm(match_id, actor=PERSON, now=now)
    db.session.flush()
    assert is_held(contact_id)
    refer_to(contact_id, connection.id)
    db.session.rollback()


@pytest.mark.parametrize("kind", ["item", "payment", "invoice"])
def test_what_is_gone_there_locks_our_object_before_its_link(connection: Connection, kind: str) -> None:
    now, books = clock.now(), books_of(connection)
    times = {"created_at": now, "updated_at": now}
    row = {
        "item": lambda: Product(name="Pump", sort_name="pump", type="service", active=True, members=[], **times),
        "payment": lambda: Receipt(connection_id=books.id, contact_id=new_contacts("Ada Stone")[0], amount=5,
                                   date=now.date(), currency="USD", created_by="Kim", **times),
        "invoice": lambda: SalesDocument(kind="invoice", connection_id=books.id, state="open", **times),
    }[kind]()  # fmt: skip
    table, local_id = row.__tablename__, add(row)
    add(Link(connection_id=books.id, kind=kind, local_id=local_id, remote_id="9001", linked_at=now, synced_at=now))
    if kind == "item":
        add(Item(connection_id=books.id, remote_id="9001", name="Pump", type="Service", record={}, seen_at=now))
    db.session.remove()
    said: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *call: said.append(call[2]))
    gone(Batch(db.session(), books, now, trigger="webhook"), kind)
    db.session.flush()
    texts = [sql.replace("\n", " ") for sql in said]
    held = [at for at, sql in enumerate(texts)
            if f"UPDATE {table} " in sql or (f"FROM {table} " in sql and "FOR UPDATE" in sql)]  # fmt: skip
    linked = [at for at, sql in enumerate(texts) if "UPDATE links " in sql]
    assert held and linked and held[0] < linked[0]
    db.session.rollback()


def gone(batch: Batch, kind: str) -> None:
    if kind == "item":
        Items().gone(batch, list(batch.session.scalars(select(Item).where(Item.remote_id == "9001"))))
    elif kind == "payment":
        receipts.gone(batch, ["9001"])
    else:
        leaving.gone(batch, kind, ["9001"])
