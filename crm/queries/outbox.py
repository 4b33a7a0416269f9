"""The outbox as its pages show it: lists by state, causes that wait for a person, and one entry with all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, func, or_, select

from crm.db import db
from crm.domain.contacts import search_terms
from crm.domain.errors import NotFound
from crm.domain.log_filters import LARGEST_ID, days
from crm.domain.outbox_words import TABS
from crm.domain.refusals import REFUSALS
from crm.models import Connection, Link, OutboxEntry, SyncLogEntry
from crm.queries import outbox_names

SIZE = 50
COUNTED = ("pending", "frozen", "parked", "skipped")
"""States that are counted for their tabs; what is done grows without end and is not."""
MOST = 10_000
"""Rows are counted so far at most; a list that holds more says so."""
HOSTS = {"production": "https://app.qbo.intuit.com/app", "sandbox": "https://app.sandbox.qbo.intuit.com/app"}
THERE = {
    "customer": "customerdetail?nameId=", "invoice": "invoice?txnId=", "payment": "recvpayment?txnId=",
    "vendor": "vendordetail?nameId=", "bill": "bill?txnId=",
}  # fmt: skip
"""Kind -> its page there, but for the id. Intuit documents none of them: they are what its own pages show and others
link to, so pages that use them say so. Kinds whose address nobody has seen to work have no link."""
SORTS: Mapping[str, Any] = {
    "changed": OutboxEntry.id,
    "name": outbox_names.SORT,
    "cause": OutboxEntry.cause,
    "due": OutboxEntry.available_at,
    "attempts": OutboxEntry.attempts,
    "settled": OutboxEntry.settled_at,
}


@dataclass(frozen=True, slots=True)
class OutboxFilters:
    """`tab` is a key of `outbox_words.TABS`; empty text means any. Days are UTC, as in 2026-11-21."""

    tab: str = "waiting"
    q: str = ""
    kind: str = ""
    cause: str = ""
    trigger: str = ""
    since: str = ""
    until: str = ""
    sort: str = ""


@dataclass(frozen=True, slots=True)
class EntryRow:
    entry: OutboxEntry
    name: str
    """Of what it is about; empty where that is gone."""
    contact_id: int | None
    """Whose it is."""
    company: str
    connection_state: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class EntryPage:
    rows: Sequence[EntryRow]
    number: int
    size: int
    total: int
    more: bool
    """Whether there are more than `total`."""


NONE = EntryPage([], 1, SIZE, 0, more=False)
"""What stands on the page where the filters cannot be read."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Entries of one company that are parked for one reason."""

    connection_id: int
    key: str
    title: str
    sentence: str
    number: int
    oldest: datetime | None


def page(filters: OutboxFilters, *, number: int = 1) -> EntryPage:
    """One page. Raises Invalid for filters that cannot be read."""
    query = _found(filters)
    counted = query.with_only_columns(OutboxEntry.id, maintain_column_froms=True).limit(MOST + 1)
    total = db.session.scalar(select(func.count()).select_from(counted.subquery())) or 0
    rows = db.session.execute(_sorted(query, filters).limit(SIZE).offset((number - 1) * SIZE))
    return EntryPage([_row(row) for row in rows], number, SIZE, min(total, MOST), total > MOST)


def each(filters: OutboxFilters) -> Iterator[EntryRow]:
    """Every entry of the list in its order, streamed."""
    for row in db.session.execute(_sorted(_found(filters), filters).execution_options(yield_per=500)):
        yield _row(row)


def newest(
    filters: OutboxFilters, *, before: int | None, limit: int, state: str = "", connection_id: int | None = None,
    contact_id: int | None = None,
) -> Sequence[EntryRow]:  # fmt: skip
    """The newest first, in one state or in any, whatever the tab: what a program walks through. May raise Invalid."""
    query = _narrowed(_select(), filters)
    if before is not None:
        query = query.where(OutboxEntry.id < before)
    if state:
        query = query.where(OutboxEntry.state == state)
    if connection_id is not None:
        query = query.where(OutboxEntry.connection_id == connection_id)
    if contact_id is not None:
        query = query.where(outbox_names.of_contact(contact_id))
    return [_row(row) for row in db.session.execute(query.order_by(OutboxEntry.id.desc()).limit(limit))]


def check(filters: OutboxFilters) -> None:
    """Raises Invalid for filters that cannot be read; a download says so before it begins."""
    _dates(filters)


def tabs() -> dict[str, int | None]:
    """How many entries are in each tab; None where nobody counts."""
    query = select(OutboxEntry.state, func.count()).where(OutboxEntry.state.in_(COUNTED)).group_by(OutboxEntry.state)
    counts = {state: number for state, number in db.session.execute(query)}
    return {
        tab: sum(counts.get(state, 0) for state in states) if set(states) <= set(COUNTED) else None
        for tab, (_, states) in TABS.items()
    }


def any_at_all() -> bool:
    return db.session.scalar(select(OutboxEntry.id).limit(1)) is not None


def causes() -> Sequence[Cause]:
    """Why entries are parked, the most frequent first."""
    query = (
        select(OutboxEntry.connection_id, OutboxEntry.cause, func.count(), func.min(OutboxEntry.parked_at))
        .where(OutboxEntry.state == "parked")
        .group_by(OutboxEntry.connection_id, OutboxEntry.cause)
    )
    found = [Cause(id_, key, *_words(key), number, oldest) for id_, key, number, oldest in db.session.execute(query)]
    return sorted(found, key=lambda cause: (-cause.number, cause.title, cause.connection_id))


def one(entry_id: int) -> EntryRow:
    """Raises NotFound."""
    row = db.session.execute(_select().where(OutboxEntry.id == entry_id)).first() if entry_id <= LARGEST_ID else None
    if row is None:
        raise NotFound("There is no such entry of the outbox.")
    return _row(row)


def link_of(entry: OutboxEntry) -> Link | None:
    query = select(Link).where(
        Link.connection_id == entry.connection_id, Link.kind == entry.kind, Link.local_id == entry.local_id
    )
    return db.session.scalar(query)


def address_there(entry: OutboxEntry) -> str:
    """Where a person sees the record in the provider's own pages; empty where nobody knows."""
    environment = db.session.scalar(select(Connection.environment).where(Connection.id == entry.connection_id))
    link = link_of(entry)
    remote_id = entry.remote_id or (link.remote_id if link else "")
    host, place = HOSTS.get(environment or "", ""), THERE.get(entry.kind, "")
    return f"{host}/{place}{quote(remote_id)}" if host and place and remote_id else ""


def history(entry: OutboxEntry, *, limit: int = 50) -> Sequence[SyncLogEntry]:
    """What the sync log says of its way out, newest first."""
    where = [SyncLogEntry.connection_id == entry.connection_id, SyncLogEntry.direction == "out",
             SyncLogEntry.at >= entry.created_at]  # fmt: skip
    if entry.settled_at is not None:
        where.append(SyncLogEntry.at <= entry.settled_at + timedelta(seconds=1))
    # Two questions, since each has its index; refusals of older versions name the entry and no contact.
    ways: list[tuple[ColumnElement[bool], ...]] = [
        (SyncLogEntry.level != "info", SyncLogEntry.contact_id.is_(None),
         SyncLogEntry.details["entry_id"].as_integer() == entry.id),
    ]  # fmt: skip
    contact_id = entry.local_id if entry.kind == "customer" else one(entry.id).contact_id
    if entry.kind == "customer":
        ways.append((SyncLogEntry.contact_id == contact_id,))
    elif contact_id is not None:
        ways.append((SyncLogEntry.contact_id == contact_id, SyncLogEntry.kind == entry.kind,
                     SyncLogEntry.details["local_id"].as_integer() == entry.local_id))  # fmt: skip
    else:
        ways.append((SyncLogEntry.kind == entry.kind, SyncLogEntry.contact_id.is_(None),
                     SyncLogEntry.details["entry_id"].as_integer() == entry.id))  # fmt: skip
    found: list[SyncLogEntry] = []
    for way in ways:
        query = select(SyncLogEntry).where(*where, *way).order_by(SyncLogEntry.id.desc()).limit(limit)
        found += [line for line in db.session.scalars(query) if line.details.get("entry_id", entry.id) == entry.id]
    return sorted(found, key=lambda line: -line.id)[:limit]


def others_of(entry: OutboxEntry, *, limit: int = 5) -> Sequence[OutboxEntry]:
    """Other entries of the same object, newest first."""
    query = select(OutboxEntry).where(
        OutboxEntry.kind == entry.kind, OutboxEntry.local_id == entry.local_id,
        OutboxEntry.connection_id == entry.connection_id, OutboxEntry.id != entry.id,
    )  # fmt: skip
    return db.session.scalars(query.order_by(OutboxEntry.id.desc()).limit(limit)).all()


def triggers() -> list[str]:
    """Triggers among the newest entries: what a filter offers."""
    newest = select(OutboxEntry.trigger.label("word")).order_by(OutboxEntry.id.desc()).limit(2000).subquery()
    return sorted(word for word in db.session.scalars(select(newest.c.word).distinct()) if word)


def _words(cause: str) -> tuple[str, str]:
    row = REFUSALS.get(cause)
    return (row.title, row.sentence) if row else (cause.replace("_", " ").capitalize() or "Unknown", "")


def _row(row: Any) -> EntryRow:
    entry, company, state, read_only, *values = row
    name = outbox_names.name_of(entry.kind, values)
    return EntryRow(entry, name, values[0], company or "QuickBooks company", state, read_only)


def _select() -> Any:
    columns = (OutboxEntry, Connection.company_name, Connection.state, Connection.read_only, *outbox_names.COLUMNS)
    query = select(*columns).join(Connection, Connection.id == OutboxEntry.connection_id)
    return outbox_names.joined(query)


def _found(filters: OutboxFilters) -> Any:
    states = TABS.get(filters.tab, TABS["waiting"])[1]
    return _narrowed(_select().where(OutboxEntry.state.in_(states)), filters)


def _narrowed(query: Any, filters: OutboxFilters) -> Any:
    """By everything but the tab."""
    query = query.where(*_dates(filters))
    for name in ("kind", "cause", "trigger"):
        if getattr(filters, name):
            query = query.where(getattr(OutboxEntry, name) == getattr(filters, name))
    text = filters.q.strip()
    return query.where(_saying(text)) if text else query


def _saying(text: str) -> ColumnElement[bool]:
    """A remote id, a trace id or an error code that is the text, or an object or contact that holds it."""
    found: list[ColumnElement[bool]] = [
        OutboxEntry.remote_id == text, OutboxEntry.trace_id == text, OutboxEntry.error_code == text,
    ]  # fmt: skip
    terms = search_terms(text)
    if terms:
        found.append(outbox_names.saying(terms))
    return or_(*found)


def _dates(filters: OutboxFilters) -> list[ColumnElement[bool]]:
    first, last = days(filters.since, filters.until)
    found: list[ColumnElement[bool]] = []
    if first is not None:
        found.append(OutboxEntry.created_at >= _midnight(first))
    if last is not None:
        found.append(OutboxEntry.created_at < _midnight(last) + timedelta(days=1))
    return found


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _sorted(query: Any, filters: OutboxFilters) -> Any:
    """In the order asked for (`-` in front: backwards); without one, what waits longest comes first, done ones last."""
    sort = filters.sort
    if sort.removeprefix("-") not in SORTS:
        sort = "-settled" if filters.tab == "done" else "changed"
    column, backwards = SORTS[sort.removeprefix("-")], sort.startswith("-")
    if backwards:
        return query.order_by(column.desc(), OutboxEntry.id.desc())
    return query.order_by(column, OutboxEntry.id)
