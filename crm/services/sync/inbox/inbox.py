"""The inbox: webhook deliveries as they arrived, split into events that say what to read.

`receive` stores a signed body in one insert and answers nobody's question about it. `split` reads what was stored:
each event gets one row, however often it is told, and the company it names is found by its fingerprint. What nobody
here knows is kept as `ignored` with the reason, so that a later replay can take it up. Acting on events is `intake`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Text, insert, select, type_coerce, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from crm import config, encryption
from crm.bell import ring, ring_soon
from crm.db import changed, db, end_reading, table_of, transaction
from crm.domain.connections import DISCONNECTED
from crm.models import Connection, Delivery, Sweep
from crm.providers.accounting import registry
from crm.providers.accounting.base import Notification, Parsed
from crm.services import grants, notices
from crm.services.sync.inbox import event_rows
from crm.services.sync.inbox.event_rows import plain
from crm.services.sync.mirror.bulk import upsert
from crm.services.sync.mirror.kinds import INCOMING

log = logging.getLogger(__name__)

MOST_BYTES = 1024 * 1024
LEASE = timedelta(minutes=2)
HEARD_EVERY = timedelta(seconds=5)
"""How exactly it is known when the last webhook of a company came."""
PAGE = 6
"""Deliveries split in one transaction, up to some six hundred events: a longer one would keep the database's processors
from those who wait for an answer."""
BREATH = 0.25
"""Seconds at most, and never longer than the page before took: between two pages while more waits, so that splitting
takes half of the time and answering has the other."""
SPLIT, TAKE_IN = "crm.tasks.inbox.split", "crm.tasks.inbox.take_in"
SILENT = "webhooks_silent"
"""Topic of the notice that webhooks stopped coming."""
_splitting = threading.Lock()
DELIVERIES = table_of(Delivery)


# --- receiving ------------------------------------------------------------------------------------------------


def verifier_token(provider: str) -> str:
    """What deliveries of this provider are signed with; empty where it was never set."""
    return {"quickbooks": config.current().quickbooks_webhook_verifier_token}.get(provider, "")


def is_authentic(provider: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether the signature fits. Header names are lower case."""
    return registry.webhooks(provider).verify(body, headers, secret=verifier_token(provider))


def receive(provider: str, body: bytes, headers: Mapping[str, str], *, now: datetime) -> int:
    """Keep a delivery whose signature was checked, unread; answers its id. One insert and a ring of the bell."""
    kept = {name: headers[name][:200] for name in registry.webhooks(provider).headers if name in headers}
    row = {
        "provider": provider, "received_at": now, "state": "received", "available_at": now, "size": len(body),
        "body": body.decode("utf-8", "backslashreplace"), "headers": kept, "form": "", "counts": {}, "error": "",
    }  # fmt: skip
    ring_soon(SPLIT)
    return int(db.session.execute(insert(DELIVERIES).returning(DELIVERIES.c.id), row).scalar_one())


# --- splitting ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Read:
    """A claimed delivery and what stands in it."""

    id: int
    provider: str
    received_at: datetime
    parsed: Parsed | None
    problem: str = ""
    counts: dict[str, int] = field(default_factory=dict)


def split(*, clock: Callable[[], datetime]) -> int:
    """Turn received deliveries into events, several at a time, until none is due. Answers how many were dealt with.

    One thread of a process does it; a second one would only make those wait who post.
    """
    if not _splitting.acquire(blocking=False):
        return 0
    try:
        return sum(_pages(clock))
    finally:
        _splitting.release()


def _pages(clock: Callable[[], datetime]) -> Iterator[int]:
    """While deliveries come faster than they are split, nothing is read: who posts is answered first, and many events
    about one object become one read. The schedule (`intake.ring_due`) sees to it that this ends."""
    waiting: set[int] = set()
    while True:
        lease, rows = _claim(clock())
        began = time.monotonic()
        if rows:
            waiting |= _store_safely([_read(row) for row in rows], lease, clock)
        if len(rows) < PAGE:
            _ring_for(waiting)
            waiting = set()
        if not rows:
            return
        yield len(rows)
        if len(rows) == PAGE:
            time.sleep(min(time.monotonic() - began, BREATH))


def _ring_for(connection_ids: Iterable[int]) -> None:
    with transaction():
        for connection_id in sorted(connection_ids):
            ring(TAKE_IN, connection_id)


def _claim(now: datetime) -> tuple[datetime, Sequence[Any]]:
    lease = now + LEASE
    due = (Delivery.state == "received", Delivery.available_at <= now)
    body = type_coerce(DELIVERIES.c.body, Text).label("body")
    end_reading()
    first = select(Delivery.id).where(*due).order_by(Delivery.id).limit(PAGE)
    if not db.session.scalars(first.limit(1)).all():
        return lease, []
    with transaction() as session:
        rows = session.execute(
            update(DELIVERIES)
            .where(DELIVERIES.c.id.in_(first), *due)
            .values(available_at=lease)
            .returning(DELIVERIES.c.id, DELIVERIES.c.provider, DELIVERIES.c.received_at, body)
        ).all()
    return lease, sorted(rows, key=lambda row: row.id)


def _read(row: Any) -> Read:
    read = Read(row.id, row.provider, row.received_at, None)
    try:
        text = encryption.keyring().decrypt(row.body, place="deliveries.body") if row.body else ""
        read.parsed = registry.webhooks(row.provider).parse(text.encode())
    except (ValueError, encryption.CannotDecrypt) as problem:
        read.problem = str(problem) or type(problem).__name__
    return read


def _store_safely(reads: Sequence[Read], lease: datetime, clock: Callable[[], datetime]) -> set[int]:
    """One delivery that cannot be stored must not keep the others: then each by itself, and it with its reason.
    Answers the companies of which something is to be read."""
    try:
        with transaction() as session:
            return _store(session, reads, lease, clock())
    except OperationalError:
        raise  # the database's trouble, not the delivery's: the lease lapses, and it is tried again
    except Exception as error:
        if len(reads) > 1:
            return {id_ for read in reads for id_ in _store_safely([read], lease, clock)}
        log.exception("delivery %s cannot be split", reads[0].id)
        reads[0].parsed, reads[0].problem = None, f"It could not be split ({type(error).__name__}); see the log."
        with transaction() as session:
            return _store(session, reads, lease, clock())


def _store(session: Session, reads: Sequence[Read], lease: datetime, now: datetime) -> set[int]:
    held = set(session.scalars(
        select(Delivery.id)
        .where(Delivery.id.in_([read.id for read in reads]), Delivery.state == "received",
               Delivery.available_at == lease)
        .with_for_update()
    ))  # fmt: skip
    reads = [read for read in reads if read.id in held]  # the others were split by whoever found our lease lapsed
    companies = _companies(session, reads)
    rows: dict[str, dict[str, Any]] = {}
    for read in reads:
        for notification in read.parsed.notifications if read.parsed else ():
            row = _row(read, notification, companies.get(notification.realm_id), now)
            _count(read, "events")
            if row["event_key"] in rows:
                _count(read, "repeated")
            rows.setdefault(row["event_key"], row)
    new = event_rows.insert(session, rows)
    _count_new(reads, rows, new)
    for read in reads:
        session.execute(update(DELIVERIES).where(DELIVERIES.c.id == read.id).values(_settled(read)))
    _heard(session, reads, companies, now=now)
    return {rows[key]["connection_id"] for key in new if rows[key]["state"] == "pending"}


def _count(read: Read, name: str) -> None:
    read.counts[name] = read.counts.get(name, 0) + 1


def _count_new(reads: Sequence[Read], rows: Mapping[str, Mapping[str, Any]], new: set[str]) -> None:
    by_id = {read.id: read for read in reads}
    for key, row in rows.items():
        read = by_id[row["delivery_id"]]
        _count(read, "new" if key in new else "repeated")
        if row["state"] == "ignored":
            _count(read, "unknown_company" if row["connection_id"] is None else "unknown_kind")


def _settled(read: Read) -> dict[str, Any]:
    if read.parsed is None:
        return {"state": "unreadable", "error": read.problem, "counts": {}}
    return {"state": "split", "form": read.parsed.form, "counts": read.counts,
            "error": " ".join(read.parsed.problems)}  # fmt: skip


def _companies(session: Session, reads: Iterable[Read]) -> dict[str, Any]:
    """Company id as the events name it -> (id, state) of its connection."""
    named = {n.realm_id for read in reads if read.parsed for n in read.parsed.notifications}
    prints = {grants.fingerprint(realm_id): realm_id for realm_id in named}
    found = select(Connection.id, Connection.state, Connection.realm_fingerprint)
    rows = session.execute(found.where(Connection.realm_fingerprint.in_(list(prints))))
    return {prints[row.realm_fingerprint]: row for row in rows}


def _row(read: Read, said: Notification, company: Any, now: datetime) -> dict[str, Any]:
    ignored = _why_ignored(said, company)
    return {
        "event_key": event_rows.key_of(read.provider, said),
        "delivery_id": read.id,
        "connection_id": company.id if company else None,
        "source": "webhook",
        "kind": said.kind,
        "entity": plain(said.entity, 60),
        "remote_id": plain(said.remote_id, 40),
        "verb": plain(said.verb, 20),
        "other_remote_id": plain(said.other_remote_id, 40),
        "occurred_at": said.occurred_at,
        "state": "ignored" if ignored else "pending",
        "available_at": now,
        "message": ignored,
        "created_at": now,
        "settled_at": now if ignored else None,
    }


def _why_ignored(said: Notification, company: Any) -> str:
    if company is None:
        return "It is about a company that was never connected here."
    if company.state == DISCONNECTED:
        return "This company is disconnected here."
    if said.kind not in INCOMING:
        return f"Nothing of this kind ({plain(said.entity, 60) or 'unknown'}) is kept here."
    return ""


def _heard(session: Session, reads: Sequence[Read], companies: Mapping[str, Any], *, now: datetime) -> None:
    """Webhooks of these companies do arrive; if they had fallen silent, that is over.

    Written once in HEARD_EVERY: whoever takes events in holds that row, and splitting must not wait for it each time.
    """
    latest: dict[int, datetime] = {}
    for read in reads:
        for said in read.parsed.notifications if read.parsed else ():
            company = companies.get(said.realm_id)
            if company is not None and company.state != DISCONNECTED:
                latest[company.id] = max(read.received_at, latest.get(company.id, read.received_at))
    known = select(Sweep.connection_id, Sweep.webhook_at).where(
        Sweep.connection_id.in_(latest), Sweep.silent_since.is_(None)
    )
    for id_, at in session.execute(known):
        if at is not None and latest[id_] < at + HEARD_EVERY:
            del latest[id_]
    upsert(session, table_of(Sweep), [
        {"connection_id": id_, "available_at": now, "webhook_at": at} for id_, at in sorted(latest.items())
    ], by=("connection_id",), keep=("available_at",))  # fmt: skip
    for id_ in latest:
        if changed(
            update(Sweep).where(Sweep.connection_id == id_, Sweep.silent_since.is_not(None)).values(silent_since=None)
        ):
            notices.settle(id_, SILENT, now=now)


def ring_due(*, now: datetime) -> None:
    """Ring for deliveries whose bell was not heard or whose worker died."""
    due = select(Delivery.id).where(Delivery.state == "received", Delivery.available_at <= now).limit(1)
    if db.session.scalars(due).all():
        ring(SPLIT)
