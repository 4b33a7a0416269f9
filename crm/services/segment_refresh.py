"""Who is in the live segments, kept true: as contacts change, as days pass, as rules change.

Triggers note in `contact_changes` whose segments are due, whatever wrote. `refresh_changed` takes notes in the very
transaction that looks at these contacts again, so that a killed worker loses none; where very many wait, and once in
each of the company's days, all contacts are looked at instead (`refresh_day`). Who decides is `queries/segment_sql`;
here only what differs is written, each with a line in `segment_changes`. A segment is locked while it is written,
always in order of ids, so that two refreshes give the same as one. One that fails says so in words, is tried again
later, and stops no other. Static segments are never touched. Called by `tasks/segments`, and for one segment by
`services/segments`.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    CursorResult,
    Integer,
    Select,
    column,
    delete,
    false,
    func,
    insert,
    literal,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from crm.db import UtcDateTime, db, end_reading, table_of, transaction
from crm.domain import segments as rules
from crm.domain.days import company_day
from crm.domain.errors import NotFound, TradebookError
from crm.models import ContactChange, Segment, SegmentChange, SegmentMember, SyncRun
from crm.queries import segment_sql
from crm.services import places, rfm
from crm.services.sales_documents import company

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
SEGMENTS, MEMBERS, CHANGES, NOTED = (table_of(one) for one in (Segment, SegmentMember, SegmentChange, ContactChange))
LIVE = (Segment.kind == "live", Segment.archived_at.is_(None))
BATCH = 1000
"""Notes taken in one transaction: some tenths of a second in which nobody else writes on SQLite."""
FLOOD = 20_000
"""From so many notes on it is cheaper to look at all contacts."""
PAUSE = timedelta(minutes=2)
"""While notes go on coming in floods, as in a large import, all contacts are looked at no more often than this."""
AGAIN = timedelta(minutes=10)
"""After this a segment that failed is tried again."""


class Refreshed(NamedTuple):
    """How many contacts came into a segment and left it."""

    came: int
    left: int


def refresh(session: Session, segment_id: int, *, cause: str, now: datetime) -> Refreshed:
    """Look at all contacts for one live segment, in the open transaction.

    `cause`: as in `SegmentChange`. Of a static segment nothing is written.

    Raises NotFound, Invalid for rules that cannot be read, and what the database raises.
    """
    began = time.monotonic()
    [segment] = _locked(session, Segment.id == segment_id) or [None]
    if segment is None:
        raise NotFound("There is no such segment. The link may be old or not complete.")
    if segment.kind != "live":
        return Refreshed(0, 0)
    came, left = _write(session, segment, cause=cause, today=_today(now), now=now)
    count = session.scalar(select(func.count()).select_from(MEMBERS).where(MEMBERS.c.segment_id == segment_id)) or 0
    took = round((time.monotonic() - began) * 1000)
    _set(session, segment_id, members=count, refreshed_at=now, refresh_ms=took, due_at=None, error="")
    return Refreshed(came, left)


def refresh_changed(*, clock: Clock) -> int:
    """Look again at the contacts that changed; answers how many notes were taken. None waiting writes nothing."""
    waiting = _waiting()
    taken = 0
    if waiting > FLOOD:
        taken = _take_flood(clock)
    else:
        while waiting > 0 and (batch := _take_batch(clock)):
            taken, waiting = taken + batch, waiting - batch
    due = _due(clock())
    if due:
        _refresh_each(due, "facts", clock=clock)
    return taken


def refresh_day(*, clock: Clock) -> int:
    """Once in each of the company's days: places, fifths and every live segment; answers how many segments that were.

    What was noted is looked at first, so that it is told by its own cause. Fifths wait for an import that is under way:
    of a half-read company they say nothing. Segments are looked at again whenever fifths are new.
    """
    refresh_changed(clock=clock)
    now, zone = clock(), _zone()
    today = company_day(now, zone)
    seen = db.session.execute(select(Segment.id, Segment.refreshed_at).where(*LIVE).order_by(Segment.id)).all()
    old = [id_ for id_, at in seen if at is None or company_day(at, zone) != today]  # also where a clock went wrong
    unranked = rfm.as_of(db.session()) != today and not _importing()
    end_reading()
    if unranked:
        places.settle_all(clock=clock)
        with transaction() as session:
            others = [id_ for id_, _ in seen if id_ not in old] if rfm.refresh(session, today=today) else []
            for id_ in others:
                _set(session, id_, due_at=now)  # kept with the fifths, so that a killed worker forgets none
        old += others
    _refresh_each(sorted(old), "day", clock=clock)
    return len(old)


def refresh_all(*, clock: Clock, cause: str = "day") -> int:
    """The same for every live segment, whatever the day: what a person asks for, and what is measured."""
    ids = list(db.session.scalars(select(Segment.id).where(*LIVE).order_by(Segment.id)))
    end_reading()
    places.settle_all(clock=clock)
    with transaction() as session:
        rfm.refresh(session, today=_today(clock()))
    _refresh_each(ids, cause, clock=clock)
    return len(ids)


# --- what waits -----------------------------------------------------------------------------------------------


def _waiting() -> int:
    """Notes that wait, counted a little further than a flood."""
    few = select(ContactChange.id).limit(FLOOD + 1).subquery()
    count = db.session.scalar(select(func.count()).select_from(few)) or 0
    end_reading()
    return count


def _due(now: datetime) -> list[int]:
    ids = list(db.session.scalars(select(Segment.id).where(*LIVE, Segment.due_at <= now).order_by(Segment.id)))
    end_reading()
    return ids


def _take_batch(clock: Clock) -> int:
    """The oldest notes and what follows from them, kept together or not at all."""
    with transaction() as session:
        now = clock()
        segments = _locked(session, *LIVE)
        oldest = select(NOTED.c.id).order_by(NOTED.c.id).limit(BATCH).scalar_subquery()
        noted = list(session.scalars(delete(NOTED).where(NOTED.c.id.in_(oldest)).returning(NOTED.c.contact_id)))
        ids = sorted(set(noted))
        if not ids:
            return 0
        _forget(session, places.settle(session, ids))
        well = [segment for segment in segments if not segment.error]  # one that failed is looked at whole
        _refresh_parts(session, well, _these(ids), today=_today(now), now=now)
        return len(noted)


def _take_flood(clock: Clock) -> int:
    """All notes go, and every segment is due: so it is stored in one."""
    with transaction() as session:
        now = clock()
        for segment in _locked(session, *LIVE):
            after = segment.refreshed_at + PAUSE if segment.refreshed_at else now
            _set(session, segment.id, due_at=max(now, after) if not segment.error else segment.due_at)
        return _count(session, delete(NOTED))


def _forget(session: Session, contact_ids: Sequence[int]) -> None:
    """Notes our own writing made: these contacts are looked at right now."""
    if contact_ids:
        session.execute(delete(NOTED).where(NOTED.c.contact_id.in_(_these(contact_ids))))


# --- one segment ----------------------------------------------------------------------------------------------


def _refresh_parts(
    session: Session, segments: Sequence[Any], scope: Select[Any], *, today: date, now: datetime
) -> None:
    """Only the contacts of `scope`. All segments at once; where one fails, each by itself, so that what fails is
    undone alone and that segment is looked at whole soon."""
    try:
        with session.begin_nested():
            _write_parts(session, segments, scope, today=today, now=now)
        return
    except Exception as problem:
        log.warning("segments are looked at one by one, because one failed", exc_info=problem)
    for segment in segments:
        try:
            with session.begin_nested():
                _write_parts(session, [segment], scope, today=today, now=now)
        except Exception as problem:
            _failed(session, segment.id, problem, now=now)


def _write_parts(session: Session, segments: Sequence[Any], scope: Select[Any], *, today: date, now: datetime) -> None:
    """Who of the scope is in is read, one statement for each segment, and what differs is written: mostly nothing."""
    currency = segment_sql.home_currency()
    held: dict[int, set[int]] = {segment.id: set() for segment in segments}
    query = select(MEMBERS.c.segment_id, MEMBERS.c.contact_id).where(MEMBERS.c.contact_id.in_(scope))
    for segment_id, contact_id in session.execute(query):
        if segment_id in held:
            held[segment_id].add(contact_id)
    for segment in segments:
        tree, before = rules.read(segment.rules), held[segment.id]
        wanted = set(session.scalars(segment_sql.members(tree, today=today, scope=scope, currency=currency)))
        if wanted != before:
            _write_part(session, segment, sorted(wanted - before), sorted(before - wanted), now=now)


def _write_part(session: Session, segment: Any, came: list[int], left: list[int], *, now: datetime) -> None:
    told = {"segment_id": segment.id, "at": now, "version": segment.version, "cause": "facts"}
    changes = [{**told, "contact_id": id_, "entered": entered} for ids, entered in ((came, True), (left, False))
               for id_ in ids]  # fmt: skip
    session.execute(insert(CHANGES), changes)
    if came:
        session.execute(insert(MEMBERS), [{"segment_id": segment.id, "contact_id": id_, "since": now} for id_ in came])
    if left:
        mine = MEMBERS.c.segment_id == segment.id
        session.execute(delete(MEMBERS).where(mine, MEMBERS.c.contact_id.in_(_these(left))))
    _set(session, segment.id, members=SEGMENTS.c.members + len(came) - len(left))


def _refresh_each(segment_ids: Sequence[int], cause: str, *, clock: Clock) -> None:
    """Each in a transaction of its own, so that others may write in between."""
    if segment_ids and cause == "facts":
        places.settle_all(clock=clock)
    for segment_id in segment_ids:
        try:
            with transaction() as session:
                if _locked(session, *LIVE, Segment.id == segment_id):
                    refresh(session, segment_id, cause=cause, now=clock())
        except Exception as problem:
            with transaction() as session:
                _failed(session, segment_id, problem, now=clock())


def _failed(session: Session, segment_id: int, problem: Exception, *, now: datetime) -> None:
    log.error("segment %s could not be refreshed", segment_id, exc_info=problem)
    # Only our own errors speak for themselves: those of a database may hold what is in it.
    words = str(problem) if isinstance(problem, TradebookError) else f"Something failed ({type(problem).__name__})."
    _set(session, segment_id, error=words[:500], due_at=now + AGAIN)


def _write(session: Session, segment: Any, *, cause: str, today: date, now: datetime) -> tuple[int, int]:
    """Who came and who left of all contacts, as rows: they may be very many, so none is read. The wanted members are
    worked out once; what differs is written from it."""
    wanted = segment_sql.members(rules.read(segment.rules), today=today).cte("wanted")
    [contact] = wanted.c
    mine = MEMBERS.c.segment_id == segment.id
    held = select(MEMBERS.c.contact_id).where(mine)
    came = select(contact.label("contact_id")).except_(held).subquery()
    left = held.except_(select(contact)).subquery()
    differing = union_all(
        select(came.c[0].label("contact_id"), true().label("entered")), select(left.c[0], false())
    ).subquery()
    last = select(func.max(CHANGES.c.id))
    mark = session.scalar(last) or 0
    told = select(literal(segment.id, Integer), differing.c.contact_id, literal(now, UtcDateTime),
                  differing.c.entered, literal(segment.version, Integer), literal(cause))  # fmt: skip
    names = ("segment_id", "contact_id", "at", "entered", "version", "cause")
    session.execute(insert(CHANGES).from_select(names, told))
    if (session.scalar(last) or 0) == mark:  # asked, because of such a statement SQLite does not tell how many it wrote
        return 0, 0
    fresh = (CHANGES.c.segment_id == segment.id, CHANGES.c.id > mark)
    entered = select(CHANGES.c.segment_id, CHANGES.c.contact_id, CHANGES.c.at).where(*fresh, CHANGES.c.entered)
    gone = select(CHANGES.c.contact_id).where(*fresh, CHANGES.c.entered.is_(False))
    count = _count(session, insert(MEMBERS).from_select(("segment_id", "contact_id", "since"), entered))
    return count, _count(session, delete(MEMBERS).where(mine, MEMBERS.c.contact_id.in_(gone)))


def _locked(session: Session, *where: Any) -> Sequence[Any]:
    """These segments as they stand now, held until the end of the transaction, in the order everybody takes them."""
    wanted = select(SEGMENTS).where(*where).order_by(SEGMENTS.c.id)
    return session.execute(wanted.with_for_update(key_share=True)).all()


def _set(session: Session, segment_id: int, **values: Any) -> None:
    """Without counting as a change of the segment by a person."""
    session.execute(update(SEGMENTS).where(SEGMENTS.c.id == segment_id).values(values))


def _these(contact_ids: Sequence[int]) -> Select[Any]:
    """Contacts by number, as a sub-select of one value: its text is the same for few and many."""
    if db.engine.dialect.name == "sqlite":
        return select(func.json_each(json.dumps(list(contact_ids))).table_valued(column("value", Integer)).c.value)
    return select(func.unnest(literal(list(contact_ids), ARRAY(Integer))).column_valued("value"))


def _count(session: Session, statement: Any) -> int:
    """How many rows it wrote; of an INSERT that is only told where it is asked to be kept."""
    result = session.execute(statement, execution_options={"preserve_rowcount": True})
    return cast("CursorResult[Any]", result).rowcount


def _importing() -> bool:
    query = select(SyncRun.id).where(SyncRun.state == "running").order_by(SyncRun.id).limit(1)
    return db.session.scalar(query) is not None


def _zone() -> str:
    found = company()
    return found.time_zone if found is not None else ""


def _today(now: datetime) -> date:
    return company_day(now, _zone())
