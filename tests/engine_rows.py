"""Rows of the engine for tests of its pages: a company, entries, deliveries, lines of the log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from crm import clock
from crm.db import db, transaction
from crm.models import Connection, Delivery, InboxEvent, OutboxEntry, Sweep, SyncLogEntry
from tests.factories import ContactFactory

REALM = "9341452000012345"


def company(**values: Any) -> int:
    """A connected company that may be written to and was read."""
    now = clock.now()
    read = dict.fromkeys(("customer", "invoice", "payment", "credit_memo"), now.isoformat())
    given = {"provider": "quickbooks", "realm_id": REALM, "realm_fingerprint": "print", "company_name": "Bedrock",
             "country": "US", "currency": "USD", "state": "connected", "connected_at": now, "read_only": False,
             "read_at": read}  # fmt: skip
    return add(Connection(**given | values))


def contact(name: str = "Amy Fox", **values: Any) -> int:
    with transaction():
        return ContactFactory(display_name=name, sort_name=name.lower(), search_text=f" {name.lower()} ", **values).id


def entry(connection_id: int, local_id: int, state: str = "pending", **values: Any) -> int:
    now = clock.now()
    given = {"kind": "customer", "operation": "update", "fields": {}, "changes": {}, "available_at": now,
             "created_at": now, "updated_at": now, "actor": "kim@example.com", "trigger": "change"}  # fmt: skip
    return add(OutboxEntry(connection_id=connection_id, local_id=local_id, state=state, **given | values))


def line(connection_id: int, message: str = "Customer read.", **values: Any) -> int:
    given = {"at": clock.now(), "event": "record_taken", "level": "info"}
    return add(SyncLogEntry(connection_id=connection_id, message=message, **given | values))


def delivery(**values: Any) -> int:
    now = clock.now()
    body = f'[{{"specversion":"1.0","id":"e1","intuitaccountid":"{REALM}","intuitentityid":"58",' \
           f'"type":"qbo.customer.updated.v1","time":"2026-11-20T10:00:00Z"}}]'  # fmt: skip
    given = {"provider": "quickbooks", "received_at": now, "available_at": now, "state": "split", "body": body,
             "size": len(body), "form": "cloudevents", "counts": {"events": 1, "new": 1},
             "headers": {"intuit-t-id": "t-1"}}  # fmt: skip
    return add(Delivery(**given | values))


def event(connection_id: int | None, delivery_id: int | None, **values: Any) -> int:
    now = clock.now()
    given = {"event_key": f"key-{clock.now().timestamp()}-{values}"[:128], "source": "webhook", "kind": "customer",
             "entity": "customer", "remote_id": "58", "verb": "updated", "state": "done", "available_at": now,
             "created_at": now, "settled_at": now}  # fmt: skip
    return add(InboxEvent(connection_id=connection_id, delivery_id=delivery_id, **given | values))


def sweep(connection_id: int, **values: Any) -> None:
    with transaction() as session:
        given = {"available_at": clock.now(), "swept_at": clock.now()}
        session.add(Sweep(connection_id=connection_id, **given | values))
    db.session.remove()


def add(row: Any) -> int:
    with transaction() as session:
        session.add(row)
        session.flush()
        id_: int = row.id
    db.session.remove()
    return id_


def ago(**span: float) -> Any:
    return clock.now() - timedelta(**span)
