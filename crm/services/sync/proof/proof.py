"""The proof: ours and the books' own figures held against each other, to the cent, and kept with date and figures.

A proof is a row worked on in steps (`proof_steps`, `proof_confirm`): a worker claims it by compare-and-set on
`available_at`, renews its hold with every page, and settles only while `attempts` is its own. It reads the books and
writes nothing there. Pages and the API call `start`, the schedule `start_due` and `ring_due`; `run` is the workers'.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select, update

from crm.bell import ring
from crm.db import changed, db, end_reading, transaction
from crm.domain.delivery import MOST_TRIES, Next, delay, next_step
from crm.domain.directions import EVERYTHING
from crm.domain.errors import NotFound, ProviderError, Refused
from crm.domain.proof import LIVE, MONEY_KINDS
from crm.domain.runs import LIVE as IMPORTING
from crm.models import Connection, Proof, SyncRun
from crm.providers.accounting.base import Accounting
from crm.queries.sync_settings import current
from crm.services import notices
from crm.services.audit import SYSTEM, Actor
from crm.services.sync.proof.confirm import confirm
from crm.services.sync.proof.steps import aging, count, customers, documents
from crm.services.sync.proof.verdict import FAILED, conclude, note_pause
from crm.services.sync.proof.work import Hold, LostHold, Reading, Wait
from crm.services.sync.work import books_of

log = logging.getLogger(__name__)

TASK = "crm.tasks.proofs.run"
HOUR = time(3)
"""Of the night in the company's zone: few people work then, and an import of the day before is through."""
OUR_TRIES = 3
STEPS: dict[str, Callable[[Hold, Reading], Wait]] = {
    "count": count, "customer": customers, "aging": aging, "document": documents, "confirm": confirm,
}  # fmt: skip
OpenBooks = Callable[..., AbstractContextManager[Accounting]]
NOT_READ = "Import customers, invoices, payments and credit memos first: a proof compares what was imported."


# --- asking ---------------------------------------------------------------------------------------------------


def start(connection_id: int, *, trigger: str, actor: Actor, now: datetime, thorough: bool = False) -> Proof:
    """A queued proof, and a ring of the bell; one that is under way is answered again.

    `thorough` compares every document even where all sums agree. Raises NotFound, and Refused where there is nothing to
    compare yet, while an import is under way, or when the connection does not work.
    """
    connection = db.session.get(Connection, connection_id, with_for_update=True, populate_existing=True)
    if connection is None:
        raise NotFound("There is no such connection.")
    live = select(Proof).where(Proof.connection_id == connection_id, Proof.state.in_(LIVE))
    found = db.session.scalar(live.order_by(Proof.id).limit(1))
    if found is not None:
        return found
    problem = _not_now(connection)
    if problem:
        raise Refused(problem)
    proof = Proof(
        connection_id=connection_id, trigger=trigger, requested_by=actor.label, state="queued", step=next(iter(STEPS)),
        available_at=now, currency=connection.currency, created_at=now, figures=[],
        progress={"thorough": thorough},
    )  # fmt: skip
    db.session.add(proof)
    db.session.flush()
    ring(TASK, proof.id)
    return proof


def _not_now(connection: Connection) -> str:
    if not connection.live:
        return f"{connection.company_name or 'This company'} is not connected at present. Reconnect it first."
    if not all(connection.read_at.get(kind) for kind in ("customer", *MONEY_KINDS)):
        return NOT_READ
    importing = select(SyncRun.id).where(SyncRun.connection_id == connection.id, SyncRun.state.in_(IMPORTING)).limit(1)
    if db.session.scalar(importing) is not None:
        return "An import is under way, so the figures are on the move. Start the proof when it is through."
    return ""


def start_due(*, now: datetime) -> list[int]:
    """Start the nightly proof of every company whose night has come; an import or a pause is waited for: during it
    differences say nothing."""
    started = []
    for connection in db.session.scalars(select(Connection).where(Connection.state == "connected")).all():
        due = _night(connection.time_zone, now)
        since = select(Proof.id).where(Proof.connection_id == connection.id, Proof.trigger == "schedule",
                                       Proof.created_at >= due)  # fmt: skip
        if db.session.scalar(since.limit(1)) is None and not _not_now(connection) and not _paused(connection):
            started.append(start(connection.id, trigger="schedule", actor=SYSTEM, now=now).id)
    return started


def _paused(connection: Connection) -> bool:
    return current(db.session(), connection.id, EVERYTHING).paused


def _night(zone: str, now: datetime) -> datetime:
    """When the last nightly hour of the company began."""
    try:
        local = now.astimezone(ZoneInfo(zone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        local = now
    hour = datetime.combine(local.date(), HOUR, tzinfo=local.tzinfo)
    return hour if hour <= local else datetime.combine(local.date() - timedelta(days=1), HOUR, tzinfo=local.tzinfo)


def ring_due(*, now: datetime) -> list[int]:
    """Ring for proofs whose bell was not heard, whose worker died or whose retry is due."""
    ids = list(db.session.scalars(
        select(Proof.id).where(Proof.state.in_(LIVE), Proof.available_at <= now).order_by(Proof.id)
    ))  # fmt: skip
    for proof_id in ids:
        ring(TASK, proof_id)
    return ids


# --- working --------------------------------------------------------------------------------------------------


def run(
    proof_id: int,
    *,
    clock: Callable[[], datetime],
    open_books: OpenBooks | None = None,
    jitter: Callable[[], float] = random.random,
) -> None:
    """Work on the proof until it is through or has to wait. Does nothing if it is not due or somebody else holds it."""
    hold = _claim(proof_id, clock=clock)
    if hold is None:
        return
    try:
        with ExitStack() as stack:
            end_reading()
            books = stack.enter_context((open_books or _books())(hold.books.id, clock=clock))
            _through(hold, Reading(hold, books))
    except LostHold as lost:
        log.info("%s", lost)
    except ProviderError as error:
        _failed(hold, str(error), jitter(), last=next_step(error) is not Next.LATER, tries=MOST_TRIES, error=error)
    except Exception as error:
        log.exception("proof %s failed", proof_id)
        sentence = f"Something went wrong on our side ({type(error).__name__}). The log of the server has the details."
        _failed(hold, sentence, jitter(), last=False, tries=OUR_TRIES, error=error)


def _books() -> OpenBooks:
    from crm.services import connections  # it stands outside this package, which it imports itself

    return connections.books


def _claim(proof_id: int, *, clock: Callable[[], datetime]) -> Hold | None:
    now = clock()
    with transaction() as session:
        if not changed(
            update(Proof)
            .where(Proof.id == proof_id, Proof.state.in_(LIVE), Proof.available_at <= now)
            .values(attempts=Proof.attempts + 1, available_at=now + Hold.LEASE, state="running")
        ):
            return None
        proof = session.get_one(Proof, proof_id, populate_existing=True)
        if proof.as_of is None:
            proof.as_of = now
            note_pause(proof)
        connection = session.get_one(Connection, proof.connection_id, populate_existing=True)
        return Hold(proof.id, proof.attempts, books_of(connection), clock)


def _through(hold: Hold, reading: Reading) -> None:
    order = list(STEPS)
    while True:
        with hold.page() as proof:
            step = proof.step
        wait = STEPS[step](hold, reading)
        with hold.page() as proof:
            if wait:
                proof.available_at = hold.clock() + wait
                ring(TASK, proof.id, after=wait.total_seconds())
                return
            proof.failures, proof.error = 0, ""
            if step == order[-1]:
                conclude(proof, now=hold.clock())
                return
            proof.step, proof.cursor = order[order.index(step) + 1], ""
            proof.progress = {**proof.progress, "done": 0, "total": 0}


def _failed(hold: Hold, sentence: str, jitter: float, *, last: bool, tries: int, error: Exception) -> None:
    """Later, or the end."""
    try:
        with hold.page() as proof:
            now = hold.clock()
            proof.failures += 1
            proof.error = sentence
            if last or proof.failures >= tries:
                proof.state, proof.finished_at = "failed", now
                text = f"Proof {proof.id} could not be made: {sentence}"
                notices.post(FAILED, proof.connection_id, level="warning", text=text, now=now)
                return
            wait = delay(proof.failures, jitter=jitter, retry_after=getattr(error, "retry_after", None))
            proof.available_at = now + timedelta(seconds=wait)
            ring(TASK, proof.id, after=wait)
    except LostHold as lost:
        log.info("%s", lost)
