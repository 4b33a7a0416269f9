"""Runs entries of the schedule, each in one place and never twice at once, and keeps what came of it.

The lock of an entry is a lease in its row of `jobs`, taken by one compare-and-set in a transaction of its own, never
held open while the work goes on; `job_pulse` extends it meanwhile, so that a killed worker's entry is free again within
a minute. Whoever lost the lease reports nothing. The work opens its own transactions. `run` is called by `tasks/jobs`
for every ring; `tend` finds what died and what a person asked for in vain; `ask`, `pause` and `resume` are people's.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import OperationalError

from crm.bell import ring
from crm.db import changed, db, end_reading, table_of, transaction
from crm.domain import jobs as rules
from crm.domain.errors import NotFound, Refused, TradebookError
from crm.domain.jobs import NOTHING, Entry, Facts
from crm.models import Job, JobRun
from crm.queries import jobs as queries
from crm.services import audit, job_pulse
from crm.services.audit import Actor
from crm.services.sync.mirror.bulk import INSERTS

log = logging.getLogger(__name__)

TASK = "crm.tasks.jobs.run"
PAUSED, BUSY, TOO_SOON, DONE = "paused", "busy", "too soon", "done"
LONGEST_ERROR = 500
JOBS = table_of(Job)


@dataclass(frozen=True, slots=True)
class Held:
    """A run that holds the lease of its entry."""

    key: str
    token: str
    run_id: int | None
    """Its line in `job_runs`, where it is worth one from the beginning."""
    started_at: datetime


def run(key: str, entry: Entry, work: Callable[[], object], *, clock: Callable[[], datetime]) -> str:
    """Do this entry's work if it may begin now; answers DONE or why it was left alone: PAUSED, BUSY, TOO_SOON.

    An error of the work is kept in words and raised again.
    """
    end_reading()
    now, facts = clock(), queries.facts().get(key)
    end_reading()
    refusal = _refusal(entry, facts or NOTHING, now)
    if refusal:
        return refusal
    with transaction():
        held = _begin(key, entry, facts, now=now)
    if held is None:
        return BUSY
    began = time.monotonic()
    try:
        with job_pulse.beating(held.key, held.token, clock=clock):
            work()
    except Exception as problem:
        _end(held, "failed", words_of(problem), took=time.monotonic() - began, clock=clock)
        raise
    _end(held, DONE, "", took=time.monotonic() - began, clock=clock)
    return DONE


def words_of(problem: Exception) -> str:
    """What people read of an error. Only our own errors speak for themselves: others may hold data or secrets."""
    if isinstance(problem, TradebookError):
        return f"{type(problem).__name__}: {problem}"[:LONGEST_ERROR]
    if isinstance(problem, OperationalError):
        return "The database was busy or away (OperationalError). The worker's log says more."
    return f"{type(problem).__name__}, an error nobody expected. The worker's log says more."


# --- one run --------------------------------------------------------------------------------------------------


def _refusal(entry: Entry, facts: Facts, now: datetime) -> str:
    """Why it does not begin, asked before anything is written: rings that find nothing to do cost one read."""
    if facts.paused_at is not None:
        return PAUSED
    if rules.is_running(facts, now):
        return BUSY
    return TOO_SOON if rules.too_soon(entry, facts, now) else ""


def _begin(key: str, entry: Entry, facts: Facts | None, *, now: datetime) -> Held | None:
    """Take the lease: of all who saw the same facts one gets it. None for the others."""
    if rules.is_running(facts or NOTHING, now):
        return None
    if facts is None:
        register((key,), now=now)
        facts = NOTHING
    token = secrets.token_hex(16)
    taken = changed(
        update(JOBS)
        .where(
            JOBS.c.key == key, JOBS.c.runs == facts.runs, JOBS.c.paused_at.is_(None),
            JOBS.c.asked_at.is_not_distinct_from(facts.asked_at),
            JOBS.c.lease_until.is_not_distinct_from(facts.lease_until),
        )
        .values(token=token, started_at=now, lease_until=now + job_pulse.LEASE, runs=JOBS.c.runs + 1, asked_at=None,
                asked_by="")
    )  # fmt: skip
    if not taken:
        return None
    if rules.is_lost(facts, now):
        _keep_lost(key, facts, now=now)
        changed(update(JOBS).where(JOBS.c.key == key).values(failures=JOBS.c.failures + 1))
    asked = facts.asked_at is not None
    if not (asked or entry.seldom):
        return Held(key, token, None, now)
    return Held(key, token, _keep(key, now, trigger="person" if asked else "schedule", asked_by=facts.asked_by), now)


def _end(held: Held, outcome: str, error: str, *, took: float, clock: Callable[[], datetime]) -> None:
    """Let go of the lease and write down what came of it; nothing where somebody else has it by now."""
    end_reading()  # what the work left open after an error
    now, took_ms = clock(), round(took * 1000)
    well: dict[str, Any] = {"good_at": now, "failures": 0} if outcome == DONE else {"failures": JOBS.c.failures + 1}
    ended = {"outcome": outcome, "finished_at": now, "took_ms": took_ms, "error": error}
    with transaction() as session:
        mine = update(JOBS).where(JOBS.c.key == held.key, JOBS.c.token == held.token)
        if not changed(mine.values(lease_until=None, token="", **ended, **well)):
            log.warning("run of %s lost its lease and reports nothing", held.key)
            return
        if held.run_id is not None:
            changed(update(JobRun).where(JobRun.id == held.run_id).values(**ended))
        elif outcome != DONE:
            _keep(held.key, held.started_at, **ended)
        if session.scalar(select(Job.asked_at).where(Job.key == held.key)) is not None:
            ring(TASK, held.key)  # asked for while this run was under way: it may have begun too early for that


def _keep(key: str, started_at: datetime, **values: Any) -> int:
    """A line of `job_runs`; answers its id."""
    row = {"trigger": "schedule", "asked_by": "", "outcome": "", "error": "", **values}
    made = db.session.execute(insert(JobRun).values(key=key, started_at=started_at, **row).returning(JobRun.id))
    return int(made.scalar_one())


LOST = "Its worker died in the middle of it, or was cut off from the database."


def _keep_lost(key: str, facts: Facts, *, now: datetime) -> None:
    """The line of a run whose worker died; those that had none until now get one."""
    ended = {"outcome": "lost", "finished_at": now, "error": LOST}
    open_ones = update(JobRun).where(JobRun.key == key, JobRun.outcome == "", JobRun.started_at == facts.started_at)
    if not changed(open_ones.values(**ended)):
        _keep(key, facts.started_at or now, **ended)


# --- looked after ---------------------------------------------------------------------------------------------


def register(keys: tuple[str, ...], *, now: datetime) -> None:
    """Make the rows of entries that have none; needs the open transaction. From now on they may be late."""
    rows = [{"key": key, "known_since": now, "paused_by": "", "asked_by": "", "token": "", "outcome": "", "error": "",
             "runs": 0, "failures": 0} for key in keys]  # fmt: skip
    if rows:
        statement = INSERTS[db.session().get_bind().dialect.name](JOBS)
        db.session.execute(statement.on_conflict_do_nothing(index_elements=["key"]), rows)


def tend(entries: Mapping[str, Entry], *, now: datetime) -> list[str]:
    """Mark runs whose worker died, and ring for them, for what a person asked for in vain, and for what rings seldom
    and ended badly. Answers the keys that were rung for. Needs the open transaction."""
    stored = queries.facts()
    register(tuple(key for key in entries if key not in stored), now=now)
    gone = [key for key, facts in stored.items() if key not in entries and not rules.is_running(facts, now)]
    if gone:
        changed(delete(JOBS).where(JOBS.c.key.in_(gone)))
    rung = []
    for key in entries:
        facts = stored.get(key, NOTHING)
        if rules.is_lost(facts, now):
            _lose(key, facts, now=now)
        elif facts.paused_at is None and facts.lease_until is None and _calls(entries[key], facts, now):
            rung.append(key)
    for key in rung:
        ring(TASK, key)
    return rung


UNHEARD = timedelta(seconds=20)
"""A bell that was heard has led to a run by then, unless all workers are busy; a second one does no harm."""


def _calls(entry: Entry, facts: Facts, now: datetime) -> bool:
    if facts.asked_at is not None:
        return now - facts.asked_at >= UNHEARD
    due = rules.again_at(entry, facts)
    return due is not None and due <= now


def _lose(key: str, facts: Facts, *, now: datetime) -> None:
    mine = update(JOBS).where(JOBS.c.key == key, JOBS.c.runs == facts.runs, JOBS.c.lease_until == facts.lease_until)
    lost = {"lease_until": None, "token": "", "outcome": "lost", "finished_at": now, "took_ms": None, "error": LOST}
    if changed(mine.values(**lost, failures=JOBS.c.failures + 1)):
        _keep_lost(key, facts, now=now)


# --- people's -------------------------------------------------------------------------------------------------


def ask(key: str, entry: Entry, *, actor: Actor, now: datetime) -> None:
    """A person wants it to run now. Raises Refused while it is paused. Needs the open transaction."""
    job = _locked(key, now)
    if job.paused_at is not None:
        raise Refused(f"“{entry.title}” is paused. Resume it, then it runs at once.")
    job.asked_at, job.asked_by = now, actor.label
    _record("job_asked", key, f"“{entry.title}” was asked for now.", actor=actor, now=now)
    ring(TASK, key)


def pause(key: str, entry: Entry, *, actor: Actor, now: datetime) -> None:
    """It does not begin again until somebody resumes it; a run under way is finished. Raises Refused."""
    job = _locked(key, now)
    if job.paused_at is not None:
        raise Refused(f"“{entry.title}” was paused already by {job.paused_by}.")
    job.paused_at, job.paused_by, job.asked_at, job.asked_by = now, actor.label, None, ""
    _record("job_paused", key, f"“{entry.title}” was paused.", actor=actor, now=now)


def resume(key: str, entry: Entry, *, actor: Actor, now: datetime) -> None:
    """It runs again, at once and then in its turn. Raises Refused."""
    job = _locked(key, now)
    if job.paused_at is None:
        raise Refused(f"“{entry.title}” is not paused any more.")
    job.paused_at, job.paused_by, job.asked_at, job.asked_by = None, "", now, actor.label
    _record("job_resumed", key, f"“{entry.title}” was resumed.", actor=actor, now=now)
    ring(TASK, key)


def _locked(key: str, now: datetime) -> Job:
    register((key,), now=now)
    job = db.session.get(Job, key, with_for_update=True, populate_existing=True)
    if job is None:
        raise NotFound("There is no such scheduled work.")
    return job


def _record(action: str, key: str, summary: str, *, actor: Actor, now: datetime) -> None:
    audit.record(action, actor=actor, now=now, subject=f"job:{key}", summary=summary)
