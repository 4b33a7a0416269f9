"""Helpers: a served company that is imported, somebody working in its books, and webhooks on their way to us."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select

from crm import clock
from crm.db import db
from crm.models import Connection, Document, InboxEvent, MoneyFacts
from crm.services.sync.inbox import inbox, intake
from sandbox import Served, merging
from sandbox.times import utc_now
from sandbox.webhooks import MOST, Notice, cloudevents, legacy, sign
from tests.sandbox.conftest import Api, connected


class Company:
    """The owner's side of a connected company: `api` writes to its books, `post` brings us its webhooks."""

    def __init__(self, served: Served, client: FlaskClient, connection: Connection) -> None:
        self.served, self.client, self.connection = served, client, connection
        self.api: Api = connected(served)
        self.form = "cloudevents"
        self.skip()

    def notices(self) -> list[Notice]:
        rows = self.served.store.connection().execute(
            "SELECT number, realm, entity, id, verb, at, other_id, attempts FROM notice ORDER BY number"
        )
        return [Notice(*row) for row in rows]

    def skip(self) -> None:
        """Lose what is queued."""
        with self.served.store.exclusive() as connection:
            connection.execute("DELETE FROM notice")

    def bodies(self, only: str = "") -> list[bytes]:
        """What QuickBooks would post now, about all or one of its kinds; nothing is queued any more."""
        queued, form = self.notices(), cloudevents if self.form == "cloudevents" else legacy
        queued = [notice for notice in queued if only in ("", notice.entity)]
        self.skip()
        return [json.dumps(form(queued[at : at + MOST])).encode() for at in range(0, len(queued), MOST)]

    def post(self, bodies: list[bytes]) -> None:
        for body in bodies:
            headers = {"intuit-signature": sign(body, "sandbox-verifier"), "Content-Type": "application/json"}
            assert self.client.post("/webhooks/quickbooks", data=body, headers=headers).status_code == 200
        inbox.split(clock=clock.now)

    def told(self, *, only: str = "", later: float = 0, **how: Any) -> list[InboxEvent]:
        """Everything queued arrives and is acted on; the events as they stand then."""
        self.post(self.bodies(only))
        return self.taken(later=later, **how)

    def taken(self, *, later: float = 0, **how: Any) -> list[InboxEvent]:
        intake.take_in(self.connection.id, clock=at(later), **how)
        return events()

    def merge(self, survivor: str, loser: str) -> None:
        with self.served.store.writing(self.served.realm) as books:
            merging.merge(books, survivor, loser, now=utc_now())

    def change(self, remote_id: str, **fields: Any) -> dict[str, Any]:
        body = self.api.read("Customer", remote_id)
        return self.api.write("Customer", {"Id": remote_id, "SyncToken": body["SyncToken"], "sparse": True, **fields})

    def calls(self) -> int:
        """Reads that QuickBooks counts, so far."""
        return self.served.sandbox.counters.snapshot().get(self.served.realm, {}).get("coreplus", 0)

    @contextmanager
    def counted(self) -> Iterator[list[int]]:
        """How many calls were made inside."""
        before, found = self.calls(), [0]
        yield found
        found[0] = self.calls() - before


def at(seconds: float) -> Callable[[], datetime]:
    return lambda: clock.now() + timedelta(seconds=seconds)


def events() -> list[InboxEvent]:
    db.session.remove()
    return list(db.session.scalars(select(InboxEvent).order_by(InboxEvent.id)))


def document(kind: str, remote_id: str) -> Document:
    db.session.remove()
    return db.session.scalars(select(Document).where(Document.kind == kind, Document.remote_id == remote_id)).one()


def facts(contact_id: int) -> MoneyFacts:
    db.session.remove()
    return db.session.get_one(MoneyFacts, contact_id)
