"""The sync log over everything: searched, filtered, newest first, downloaded; stays fast at millions of lines.

Pages go by the id of the last line seen, so a page costs the same wherever it is, and nothing is counted. Filters that
few lines fit have an index of those alone. Words are looked for in the newest lines only, unless dates say where.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select

from crm.db import db
from crm.domain.contacts import search_terms
from crm.domain.errors import NotFound
from crm.domain.log_filters import DIRECTIONS, LEVELS, LogFilters, day, days, known
from crm.models import Connection, Contact, Link, OutboxEntry, SyncLogEntry
from crm.queries import contact_search

SIZE = 50
SEARCHED = 200_000
"""So many of the newest lines are looked through for words; further back only between dates."""
MOST_CONTACTS = 200


@dataclass(frozen=True, slots=True)
class LogRow:
    entry: SyncLogEntry
    contact: str
    """Name of the contact it is about; empty where it is about none."""
    company: str


@dataclass(frozen=True, slots=True)
class LogPage:
    rows: Sequence[LogRow]
    older: int | None
    """Lines before this id are the next page; None on the last."""
    bounded: bool
    """Whether older lines were not looked through."""


NONE = LogPage([], None, bounded=False)
"""What stands on the page where the filters cannot be read."""


def page(filters: LogFilters, *, before: int | None = None, size: int = SIZE) -> LogPage:
    """Lines that fit, newest first, with an id below `before`. Raises Invalid for a date that is none."""
    conditions, bounded = _conditions(filters)
    if before is not None:
        conditions.append(SyncLogEntry.id < before)
    rows = db.session.execute(_select().where(*conditions).order_by(SyncLogEntry.id.desc()).limit(size + 1)).all()
    found = [LogRow(*row) for row in rows[:size]]
    return LogPage(found, found[-1].entry.id if len(rows) > size else None, bounded)


def each(filters: LogFilters) -> Iterator[LogRow]:
    """Every line that fits, newest first, streamed."""
    conditions, _ = _conditions(filters)
    query = _select().where(*conditions).order_by(SyncLogEntry.id.desc()).execution_options(yield_per=500)
    for row in db.session.execute(query):
        yield LogRow(*row)


def check(filters: LogFilters) -> None:
    """Raises Invalid for filters that cannot be read or fit nothing; a page and a download say so first."""
    days(filters.since, filters.until)
    for name, choices in (("direction", DIRECTIONS), ("level", LEVELS)):
        known(name, getattr(filters, name), dict(choices))


def one(entry_id: int) -> LogRow:
    """Raises NotFound."""
    row = db.session.execute(_select().where(SyncLogEntry.id == entry_id)).first()
    if row is None:
        raise NotFound("There is no such line in the sync log. Old lines are deleted after some time.")
    return LogRow(*row)


def same_object(entry: SyncLogEntry, *, limit: int = 8) -> Sequence[SyncLogEntry]:
    """What else the log says of the same object, newest first."""
    about = _about(entry)
    if not about:
        return []
    query = select(SyncLogEntry).where(or_(*about), SyncLogEntry.id != entry.id)
    return db.session.scalars(query.order_by(SyncLogEntry.id.desc()).limit(limit)).all()


def outbox_entries(entry: SyncLogEntry, *, limit: int = 3) -> Sequence[OutboxEntry]:
    """The outbox entry a line names, or those that a line about an outgoing change may belong to, newest first."""
    named = db.session.get(OutboxEntry, entry.details["entry_id"]) if "entry_id" in entry.details else None
    if named is not None:
        return [named]
    if entry.direction != "out" or entry.contact_id is None or entry.kind not in ("", "customer"):
        return []
    query = select(OutboxEntry).where(
        OutboxEntry.kind == "customer", OutboxEntry.local_id == entry.contact_id,
        OutboxEntry.connection_id == entry.connection_id, OutboxEntry.created_at <= entry.at,
        or_(OutboxEntry.settled_at.is_(None), OutboxEntry.settled_at >= entry.at - timedelta(seconds=1)),
    )  # fmt: skip
    return db.session.scalars(query.order_by(OutboxEntry.id.desc()).limit(limit)).all()


def object_of(entry: SyncLogEntry) -> int | None:
    """Id of our own object of the line's kind; None where nobody knows of one. Of a contact the line says it itself."""
    if entry.kind == "customer":
        return entry.contact_id
    named = entry.details.get("local_id")
    if isinstance(named, int):
        return named
    mine = (Link.connection_id == entry.connection_id, Link.kind == entry.kind, Link.remote_id == entry.remote_id)
    return db.session.scalar(select(Link.local_id).where(*mine, Link.remote_id != ""))


def words_in_use(column: str) -> list[str]:
    """The different values of a column of few values among the newest lines: what a filter offers."""
    newest = select(getattr(SyncLogEntry, column).label("word")).order_by(SyncLogEntry.id.desc()).limit(5000).subquery()
    return sorted(word for word in db.session.scalars(select(newest.c.word).distinct()) if word)


def _about(entry: SyncLogEntry) -> list[ColumnElement[bool]]:
    about: list[ColumnElement[bool]] = []
    if entry.contact_id is not None:
        about.append(SyncLogEntry.contact_id == entry.contact_id)
    if entry.remote_id:
        there = (SyncLogEntry.remote_id == entry.remote_id, SyncLogEntry.remote_id != "")
        about.append(there[0] & there[1] & (SyncLogEntry.kind == entry.kind)
                     & (SyncLogEntry.connection_id == entry.connection_id))  # fmt: skip
    return about


def _select() -> Any:
    return (
        select(SyncLogEntry, func.coalesce(Contact.display_name, ""), Connection.company_name)
        .join(Connection, Connection.id == SyncLogEntry.connection_id)
        .outerjoin(Contact, Contact.id == SyncLogEntry.contact_id)
    )


def _conditions(filters: LogFilters) -> tuple[list[ColumnElement[bool]], bool]:
    """What a line must fulfil, and whether older lines are left out."""
    found: list[ColumnElement[bool]] = []
    for name in ("direction", "trigger", "kind", "level", "outcome", "error_code", "event"):
        if getattr(filters, name):
            found.append(getattr(SyncLogEntry, name) == getattr(filters, name))
    if filters.level and filters.level != "info":
        found.append(SyncLogEntry.level != "info")  # as the index says it
    for name in ("run_id", "contact_id", "connection_id"):
        if getattr(filters, name) is not None:
            found.append(getattr(SyncLogEntry, name) == getattr(filters, name))
    dates = _dates(filters)
    found += dates
    if not filters.q.strip():
        return found, False
    traced = _traced(filters.q.strip())
    if traced:
        return [*found, *traced], False
    found.append(_saying(filters.q.strip()))
    narrow = dates or filters.run_id is not None or filters.contact_id is not None
    newest = None if narrow else db.session.scalar(select(func.max(SyncLogEntry.id)))
    if newest is None or newest <= SEARCHED:
        return found, False
    return [*found, SyncLogEntry.id > newest - SEARCHED], True


def _dates(filters: LogFilters) -> list[ColumnElement[bool]]:
    first, last = day("since", filters.since), day("until", filters.until)
    found: list[ColumnElement[bool]] = []
    if first is not None:
        found.append(SyncLogEntry.at >= _midnight(first))
    if last is not None:
        found.append(SyncLogEntry.at < _midnight(last) + timedelta(days=1))
    return found


def _midnight(at: date) -> datetime:
    return datetime(at.year, at.month, at.day, tzinfo=UTC)


def _traced(text: str) -> list[ColumnElement[bool]]:
    """Where the text is a trace id that is known: only its own lines, however old."""
    traced = [SyncLogEntry.trace_id == text, SyncLogEntry.trace_id != ""]  # the second as the index says it
    return traced if db.session.scalar(select(SyncLogEntry.id).where(*traced).limit(1)) is not None else []


def _saying(text: str) -> ColumnElement[bool]:
    """Ids and codes that are the text, messages and contacts that hold it."""
    found = [SyncLogEntry.remote_id == text, SyncLogEntry.error_code == text,
             func.lower(SyncLogEntry.message).contains(text.lower(), autoescape=True)]  # fmt: skip
    terms = search_terms(text)
    if terms and any(map(str.isalpha, text)):
        people = select(Contact.id).where(*contact_search.matching(terms)).limit(MOST_CONTACTS)
        found.append(SyncLogEntry.contact_id.in_(people))
    return or_(*found)
