"""Webhook deliveries as their pages show them: the list, and one with its events and what each caused.

The body is ciphertext and is read for the page of one delivery only. What it says is `services/sync/inbox/showing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from crm.db import db
from crm.domain.errors import Invalid, NotFound
from crm.domain.log_filters import LARGEST_ID, days, known
from crm.models import Connection, Contact, Delivery, InboxEvent, Sweep

SIZE = 50
EVENTS = 200
"""Events of one delivery that are shown; a delivery holds a hundred at most as a rule."""
MOST = 10_000
STATES = {"received": "Received", "split": "Understood", "unreadable": "Not readable"}
COLUMNS = (Delivery.id, Delivery.provider, Delivery.received_at, Delivery.state, Delivery.size, Delivery.form,
           Delivery.counts, Delivery.error, Delivery.replayed_at)  # fmt: skip
SORTS: Mapping[str, Any] = {"received": Delivery.id, "size": Delivery.size, "state": Delivery.state}


@dataclass(frozen=True, slots=True)
class DeliveryFilters:
    """Days are UTC, as in 2026-11-21; `q` is the id of an object in the books that an event names."""

    q: str = ""
    state: str = ""
    since: str = ""
    until: str = ""
    sort: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    id: int
    provider: str
    received_at: datetime
    state: str
    size: int
    form: str
    counts: Mapping[str, int]
    error: str
    replayed_at: datetime | None

    def number(self, name: str) -> int:
        """Of `counts`: events, new, repeated, unknown_company, unknown_kind."""
        return self.counts.get(name, 0)


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    rows: Sequence[DeliveryRow]
    number: int
    size: int
    total: int
    more: bool


NONE = DeliveryPage([], 1, SIZE, 0, False)
"""What stands on the page where the filters cannot be read."""


@dataclass(frozen=True, slots=True)
class EventRow:
    event: InboxEvent
    contact: str
    company: str
    """Empty: nobody here knows it."""


@dataclass(frozen=True, slots=True)
class Silence:
    """What is known of one company's webhooks."""

    company: str
    webhook_at: datetime | None
    silent_since: datetime | None


def page(filters: DeliveryFilters, *, number: int = 1) -> DeliveryPage:
    """One page, the newest first. Raises Invalid for filters that cannot be read."""
    where = _where(filters)
    counted = select(Delivery.id).where(*where).limit(MOST + 1)
    total = db.session.scalar(select(func.count()).select_from(counted.subquery())) or 0
    query = _sorted(select(*COLUMNS).where(*where), filters.sort)
    rows = db.session.execute(query.limit(SIZE).offset((number - 1) * SIZE))
    return DeliveryPage([DeliveryRow(*row) for row in rows], number, SIZE, min(total, MOST), total > MOST)


def each(filters: DeliveryFilters) -> Iterator[DeliveryRow]:
    """Every delivery of the list in its order, streamed."""
    query = _sorted(select(*COLUMNS).where(*_where(filters)), filters.sort)
    for row in db.session.execute(query.execution_options(yield_per=500)):
        yield DeliveryRow(*row)


def check(filters: DeliveryFilters) -> None:
    """Raises Invalid for filters that cannot be read; a download says so before it begins."""
    _where(filters)


def one(delivery_id: int) -> Delivery:
    """Raises NotFound."""
    found = db.session.get(Delivery, delivery_id) if delivery_id <= LARGEST_ID else None
    if found is None:
        raise NotFound("There is no such delivery. Old ones are deleted after some time.")
    return found


def events(delivery_id: int) -> Sequence[EventRow]:
    query = (
        select(InboxEvent, func.coalesce(Contact.display_name, ""), func.coalesce(Connection.company_name, ""))
        .outerjoin(Contact, Contact.id == InboxEvent.contact_id)
        .outerjoin(Connection, Connection.id == InboxEvent.connection_id)
        .where(InboxEvent.delivery_id == delivery_id)
        .order_by(InboxEvent.id)
        .limit(EVENTS)
    )
    return [EventRow(*row) for row in db.session.execute(query)]


def silences() -> Sequence[Silence]:
    """Of every company in use: when its last webhook came, and since when they are silent."""
    query = (
        select(Connection.company_name, Sweep.webhook_at, Sweep.silent_since)
        .outerjoin(Sweep, Sweep.connection_id == Connection.id)
        .where(Connection.state != "disconnected")
        .order_by(Connection.id)
    )
    return [Silence(name or "QuickBooks company", *rest) for name, *rest in db.session.execute(query)]


def number_between(since: str, until: str) -> int:
    """How many deliveries were received from the day `since` up to and including `until`."""
    where = _where(DeliveryFilters(since=since, until=until))
    return db.session.scalar(select(func.count()).where(*where)) or 0


def between(since: str, until: str) -> tuple[datetime, datetime]:
    """The first and the last moment of a range of days. Raises Invalid where one is missing or none."""
    for name, text in (("since", since), ("until", until)):
        if not text:
            raise Invalid({name: "Say from which day and up to which day, as in 2026-11-21."})
    first, last = days(since, until)
    assert first is not None and last is not None
    return _midnight(first), _midnight(last) + timedelta(days=1) - timedelta(microseconds=1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _where(filters: DeliveryFilters) -> list[Any]:
    known("state", filters.state, STATES)
    found: list[Any] = [Delivery.state == filters.state] if filters.state else []
    first, last = days(filters.since, filters.until)
    if first is not None:
        found.append(Delivery.received_at >= _midnight(first))
    if last is not None:
        found.append(Delivery.received_at < _midnight(last) + timedelta(days=1))
    if filters.q.strip():
        named = select(InboxEvent.delivery_id).where(
            InboxEvent.remote_id == filters.q.strip(), InboxEvent.delivery_id.is_not(None)
        )
        found.append(Delivery.id.in_(named))
    return found


def _sorted(query: Any, sort: str) -> Any:
    if sort.removeprefix("-") not in SORTS:
        sort = "-received"
    column = SORTS[sort.removeprefix("-")]
    if sort.startswith("-"):
        return query.order_by(column.desc(), Delivery.id.desc())
    return query.order_by(column, Delivery.id)
