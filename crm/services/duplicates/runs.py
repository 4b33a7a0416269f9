"""The search for duplicates over everything: first contacts, then customers, page by page, one transaction each.

Started by a person, a command or the schedule (`start`, `start_due`); worked on by the task (`advance`). What is made
or changed is noted at once (`noting`); a run finds what that cannot see: records of before, two made at the same
moment, customers that left the books, and stakes as they are now. A worker takes the row by lease and goes on at its
cursor; one that was killed has stored a page whole or not at all, and doing a page twice changes nothing. Where
identity keys stand in an older form than today's, a run writes all of them anew before it looks.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from crm.bell import ring
from crm.db import changed, db, end_reading, transaction
from crm.domain.errors import NotFound, Refused
from crm.domain.identity import KEYS_FORM
from crm.domain.matching import Settings
from crm.models import MatchRun
from crm.queries import match_settings
from crm.services import identity_keys
from crm.services.audit import SYSTEM, Actor
from crm.services.duplicates.keeping import keep, stored_from
from crm.services.duplicates.looking import Looking
from crm.services.duplicates.subjects import SORTS, next_ids, next_owners, number_of

log = logging.getLogger(__name__)

TASK = "crm.tasks.duplicates.run"
KEYS = "_keys"
STEPS = (*(sort + KEYS for sort in SORTS), *SORTS)
LIVE = ("queued", "running", "cancelling")
PAGE = 500
LEASE = timedelta(minutes=3)
"""Longer than a page takes; a worker that died is replaced after this time."""
SLICE = timedelta(minutes=10)
"""Then the worker lets go, so that a long search does not keep others waiting; the bell is rung at once."""
EVERY = timedelta(hours=24)
FAILED = "Something went wrong on our side; the log says what. What was found so far is kept. Start it again."


class _Lost(Exception):
    """Another worker has the run by now, or it is over; what this one was about to write is rolled back."""


# --- asking ---------------------------------------------------------------------------------------------------


def start(*, actor: Actor, now: datetime) -> MatchRun:
    """A queued run, and a ring of the bell; one that is under way is answered again."""
    live = select(MatchRun).where(MatchRun.state.in_(LIVE)).order_by(MatchRun.id).limit(1)
    run: MatchRun | None = db.session.scalar(live)
    if run is None:
        session = db.session()
        total = sum(number_of(session, sort) for sort in SORTS)
        run = MatchRun(state="queued", step=_first_step(session), total=total, keys_form=KEYS_FORM,
                       requested_by=actor.label[:254], created_at=now)  # fmt: skip
        session.add(run)
        session.flush()
        ring(TASK, run.id)
    return run


def start_anew(*, actor: Actor, now: datetime) -> MatchRun:
    """The settings are others by now: a run that is under way begins again with them, so that all is decided by one
    version; else a new one starts."""
    live = select(MatchRun).where(MatchRun.state.in_(LIVE)).order_by(MatchRun.id).limit(1).with_for_update()
    run: MatchRun | None = db.session.scalar(live.execution_options(populate_existing=True))
    if run is None:
        return start(actor=actor, now=now)
    run.step, run.keys_form = _first_step(db.session()), KEYS_FORM
    run.cursor, run.done, run.counts, run.settings_version = 0, 0, {}, None
    return run


def _first_step(session: Session) -> str:
    """The keys themselves, unless a search has seen to their form."""
    written = select(MatchRun.id).where(MatchRun.state == "done", MatchRun.keys_form == KEYS_FORM).limit(1)
    return STEPS[0] if session.scalar(written) is None else SORTS[0]


def cancel(run_id: int, *, now: datetime) -> MatchRun:
    """Ask a live run to stop: at once where nobody is at work, else after the page at hand. What was found stays."""
    run = db.session.get(MatchRun, run_id, with_for_update=True, populate_existing=True)
    if run is None:
        raise NotFound("There is no such search.")
    if run.state not in LIVE:
        raise Refused("This search has already ended; there is nothing to cancel.")
    if run.lease_until is not None and run.lease_until > now:
        run.state = "cancelling"
    else:
        _end(run, "cancelled", now)
    return run


def standing(run_id: int) -> MatchRun:
    """The run as it is stored now. Raises NotFound."""
    end_reading()
    run = db.session.get(MatchRun, run_id)
    if run is None:
        raise NotFound("There is no such search.")
    return run


def start_due(*, now: datetime) -> MatchRun | None:
    """Search again what was last searched more than EVERY ago, with keys of another form, or never; nothing where there
    is nothing to compare."""
    last = db.session.scalar(select(func.max(MatchRun.created_at)).where(MatchRun.keys_form == KEYS_FORM))
    if last is not None and last > now - EVERY:
        return None
    session = db.session()
    if not any(number_of(session, sort) > 1 for sort in SORTS):
        return None
    return start(actor=SYSTEM, now=now)


def ring_due(*, now: datetime) -> list[int]:
    """Ring for runs whose bell was not heard or whose worker died. Answers their ids."""
    free = or_(MatchRun.lease_until.is_(None), MatchRun.lease_until <= now)
    ids = list(db.session.scalars(select(MatchRun.id).where(MatchRun.state.in_(LIVE), free).order_by(MatchRun.id)))
    for run_id in ids:
        ring(TASK, run_id)
    return ids


# --- working --------------------------------------------------------------------------------------------------


def advance(run_id: int, *, clock: Callable[[], datetime]) -> None:
    """Do the pages that are left, until the end, a cancel, or the end of the time slice.

    Does nothing if another worker holds the run. While the database is away the run stays where it is, and the lease
    says when it is tried again; anything else unexpected ends it with a sentence, and is raised.
    """
    attempt = _claim(run_id, clock())
    if attempt is None:
        return
    until = clock() + SLICE
    try:
        while _page(run_id, attempt, clock=clock):
            db.session.expunge_all()  # memory stays flat however many records there are
            if clock() >= until:
                _let_go(run_id, attempt)
                return
    except _Lost as lost:
        log.info("%s", lost)
    except OperationalError as trouble:
        log.warning("search %s: the database is away (%s)", run_id, type(trouble.orig).__name__)
    except Exception:
        with transaction() as session:
            _end(_held(session, run_id, attempt), "failed", clock(), FAILED)
        raise


def _claim(run_id: int, now: datetime) -> int | None:
    """One compare-and-set, so that two never work on the same run; the number of the attempt is the holder's mark."""
    free = or_(MatchRun.lease_until.is_(None), MatchRun.lease_until <= now)
    with transaction() as session:
        mine = update(MatchRun).where(MatchRun.id == run_id, MatchRun.state.in_(LIVE), free)
        if not changed(mine.values(attempts=MatchRun.attempts + 1, lease_until=now + LEASE)):
            return None
        run = session.get_one(MatchRun, run_id, populate_existing=True)
        if run.state == "queued":
            run.state = "running"
        return int(run.attempts)


def _held(session: Session, run_id: int, attempt: int) -> MatchRun:
    run = session.get(MatchRun, run_id, with_for_update=True, populate_existing=True)
    if run is None or run.attempts != attempt or run.state not in ("running", "cancelling"):
        raise _Lost(f"search {run_id} is no longer held by attempt {attempt}")
    return run


def _page(run_id: int, attempt: int, *, clock: Callable[[], datetime]) -> bool:
    """One page in one transaction; False when it was the last."""
    with transaction() as session:
        run = _held(session, run_id, attempt)
        if run.state == "cancelling":
            _end(run, "cancelled", clock())
            return False
        sort, writes = run.step.removesuffix(KEYS), run.step.endswith(KEYS)
        ids = (next_owners if writes else next_ids)(session, sort, run.cursor, PAGE)
        whole = len(ids) == PAGE
        if writes:
            _write_keys(session, sort, ids)
        else:
            found = _search(run, ids, last=ids[-1] if whole else None, now=clock())
            run.counts = dict(Counter(run.counts) + found)
            run.done += len(ids)
            run.total = max(run.total, run.done)
        run.cursor = ids[-1] if whole else 0
        run.lease_until = clock() + LEASE
        if not whole:
            _next_step(run, now=clock())
        return run.finished_at is None


def _write_keys(session: Session, sort: str, ids: list[int]) -> None:
    write = identity_keys.refresh_contacts if sort == "contact" else identity_keys.refresh_customers
    write(session, ids)


def _search(run: MatchRun, ids: list[int], *, last: int | None, now: datetime) -> Counter[str]:
    """The pairs whose first record is one of these, and what was kept of others that begin there."""
    session, sort = db.session(), run.step
    looking = Looking(session, sort, settings=_settings(session, run))
    pairs = looking.pairs_with(ids, later=True)
    found = looking.judged(pairs)
    keep(session, sort, pairs | stored_from(session, sort, run.cursor, last=last), found, now=now, anew=True)
    return Counter({"apart": len(pairs) - len(found)}) + Counter(str(scored.outcome) for scored in found.values())


def _settings(session: Session, run: MatchRun) -> Settings:
    """One version decides a whole run: the one in force when it began."""
    if run.settings_version is None:
        run.settings_version = match_settings.standing(session).version
    return match_settings.of_version(session, run.settings_version)


def _next_step(run: MatchRun, *, now: datetime) -> None:
    place = STEPS.index(run.step) + 1
    if place < len(STEPS):
        run.step, run.cursor = STEPS[place], 0
    else:
        run.total = run.done
        _end(run, "done", now)


def _end(run: MatchRun, state: str, now: datetime, error: str = "") -> None:
    run.state, run.error, run.lease_until, run.finished_at = state, error, None, now


def _let_go(run_id: int, attempt: int) -> None:
    with transaction() as session:
        run = _held(session, run_id, attempt)
        run.lease_until = None
        ring(TASK, run_id)
