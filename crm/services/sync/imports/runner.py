"""The runner of an import: claims a run, works through its steps page by page, and settles it, whatever happens.

Called by the task `crm.tasks.sync.run` and by `flask sync run --wait`. Each page is: fetch (no transaction), then one
transaction that stores rows, counts and checkpoint. What a failed call leads to decides `domain/delivery`. Nothing is
written to the books.
"""

from __future__ import annotations

import logging
import random
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime, timedelta

from sqlalchemy.exc import OperationalError

from crm import clock as system_clock
from crm.bell import ring
from crm.db import end_reading, transaction
from crm.domain.delivery import MOST_TRIES, Next, delay, next_step
from crm.domain.errors import ProviderError
from crm.domain.runs import RESOURCES, all_read, came_of_words, title
from crm.models import Connection, SyncRun
from crm.providers.accounting.base import Accounting
from crm.services import notices
from crm.services.sync.imports.fetch import Fetch
from crm.services.sync.imports.steps import FINISHED, STEPS, steps_of
from crm.services.sync.work import END, Cancelled, LeaseLost, Page, Work, claim, finish, log_entry

log = logging.getLogger(__name__)

OpenBooks = Callable[..., AbstractContextManager[Accounting]]
NOTICE = "import_failed"
"""Topic of the notice to admins."""
TASK = "crm.tasks.sync.run"
SLICE = timedelta(minutes=10)
"""Then the worker lets go, so that one long import does not keep others waiting; the bell is rung at once."""
OUR_TRIES = 3
"""Unexpected errors (a database away, a defect) are tried again this often, then kept with their traceback."""


def run(
    run_id: int,
    *,
    clock: Callable[[], datetime] = system_clock.now,
    open_books: OpenBooks | None = None,
    jitter: Callable[[], float] = random.random,
) -> None:
    """Work on the run until it is done, waits, or its time slice ends. Does nothing if another worker holds it."""
    work = claim(run_id, clock=clock)
    if work is None:
        return
    stack = ExitStack()
    fetch = Fetch(work, lambda: stack.enter_context((open_books or _books())(work.books.id, clock=clock)))
    try:
        with stack:
            _through_steps(work, fetch, until=clock() + SLICE)
    except LeaseLost as lost:
        log.info("%s", lost)
    except Cancelled:
        _settle(work, "cancelled", event="run_cancelled", message="The import was cancelled; what came in stays.")
    except ProviderError as error:
        _provider_failed(work, error, jitter())
    except OperationalError as error:
        _we_failed(work, error, jitter())
    except Exception as error:
        log.exception("import run %s failed", run_id)
        _we_failed(work, error, jitter())


def _books() -> OpenBooks:
    from crm.services import connections  # it starts the first import itself, so it may import this package

    return connections.books


def _through_steps(work: Work, fetch: Fetch, *, until: datetime) -> None:
    step, cursor = _checkpoint(work)
    while step != FINISHED:
        if work.clock() >= until:
            _let_go(work)
            return
        end_reading()
        cursor = END if cursor == END else STEPS[step](work, fetch, cursor)
        if cursor == END:
            step, cursor = _next_step(work), None
    with work.page() as page:
        finish(page.run, "done", now=page.now)
        notices.settle(page.run.connection_id, NOTICE, now=page.now)
        told = all_read(page.run.counts, page.run.resources)
        words = f"The import is done: {told}." if told else "The import is done."
        page.log("run_done", words, details={"counts": page.run.counts})
        page.run.lease_until = None


def _checkpoint(work: Work) -> tuple[str, str | None]:
    with work.page() as page:
        if not page.run.step:
            _begin(page, steps_of(page.run)[0])
        return page.run.step, page.run.cursor


def _next_step(work: Work) -> str:
    with work.page() as page:
        steps, done = steps_of(page.run), page.run.step
        page.note(finished_at=page.now.isoformat())
        number = page.run.progress[done].get("done", 0)
        more = f" ({came_of_words(page.run.counts, done)})" if done in RESOURCES else ""
        page.log("step_done", f"{title(done)}: {number:,} done{more}.", kind=done)
        if done in RESOURCES:
            _was_read(page, done)
        place = steps.index(done) + 1
        _begin(page, steps[place] if place < len(steps) else FINISHED)
        return page.run.step


def _was_read(page: Page, kind: str) -> None:
    """The mirror of this kind is as of the moment its reading began: what changed since then may have been missed."""
    connection = page.session.get_one(Connection, page.run.connection_id, populate_existing=True)
    connection.read_at = {**connection.read_at, kind: page.run.progress[kind]["started_at"]}


def _begin(page: Page, step: str) -> None:
    page.run.step, page.run.cursor = step, None
    if step != FINISHED:
        page.note(started_at=page.now.isoformat(), done=0, total=None)


def _let_go(work: Work) -> None:
    with transaction() as session:
        run = work.held(session)
        if run.state == "running":
            run.state, run.lease_until = "queued", None
        ring(TASK, work.run_id)


def _settle(work: Work, state: str, *, event: str, message: str, error: str = "") -> None:
    """The end, unless another worker has the run by now."""
    try:
        with transaction() as session:
            run, now = work.held(session), work.clock()
            finish(run, state, now=now, error=error)
            level = "error" if state == "failed" else "info"
            session.add(log_entry(run, event, message, now=now, level=level, kind=run.step))
    except LeaseLost as lost:
        log.info("%s", lost)


def _provider_failed(work: Work, error: ProviderError, jitter: float) -> None:
    """Later, a person, or the end; in every case with the provider's evidence in the log."""
    what = next_step(error)
    try:
        with transaction() as session:
            run, now = work.held(session), work.clock()
            tries = _one_more_try(run)
            session.add(log_entry(
                run, "call_failed", str(error), now=now, level="warning" if what is not Next.END else "error",
                kind=run.step, error_code=(error.cause.code or type(error).__name__)[:40],
                trace_id=error.cause.trace_id[:120],
                details={"error": type(error).__name__, "message": error.cause.message, "detail": error.cause.detail,
                         "http_status": error.cause.http_status},
            ))  # fmt: skip
            if run.state == "cancelling":
                finish(run, "cancelled", now=now)
            elif what is Next.END or (what is Next.LATER and tries > MOST_TRIES):
                _give_up(run, str(error), now=now)
            elif what is Next.PERSON:
                # Due as soon as the connection works again; the minute keeps a broken one from being asked in a loop.
                run.state, run.lease_until, run.error = "waiting", now + timedelta(minutes=1), str(error)
            else:
                wait = delay(tries, jitter=jitter, retry_after=getattr(error, "retry_after", None))
                run.state, run.lease_until, run.error = "waiting", now + timedelta(seconds=wait), str(error)
                ring(TASK, run.id, after=wait)
    except LeaseLost as lost:
        log.info("%s", lost)


def _we_failed(work: Work, error: Exception, jitter: float) -> None:
    """Our own trouble: a few more tries, then the end with the traceback kept for whoever mends it."""
    trace = "".join(traceback.format_exception(error))[-4000:]
    try:
        with transaction() as session:
            run, now = work.held(session), work.clock()
            tries = _one_more_try(run)
            text = f"{type(error).__name__} in step {run.step or 'start'}"
            session.add(log_entry(run, "run_failed", text, now=now, level="error", kind=run.step,
                                  error_code=type(error).__name__[:40], details={"traceback": trace}))  # fmt: skip
            if run.state == "cancelling":
                finish(run, "cancelled", now=now)
            elif tries >= OUR_TRIES:
                sentence = f"Something went wrong on our side ({type(error).__name__}). The sync log has the details."
                _give_up(run, sentence, now=now)
            else:
                wait = delay(tries, jitter=jitter)
                run.state, run.lease_until = "waiting", now + timedelta(seconds=wait)
                run.error = "Trouble on our side; trying again."
                ring(TASK, run.id, after=wait)
    except LeaseLost as lost:
        log.info("%s", lost)


def _give_up(run: SyncRun, error: str, *, now: datetime) -> None:
    """The run ends here, and admins hear of it until an import succeeds."""
    finish(run, "failed", now=now, error=error)
    text = f"Import {run.id} stopped: {error} What came in stays. Start the import again once the cause is mended."
    notices.post(NOTICE, run.connection_id, level="danger", text=text, now=now)


def _one_more_try(run: SyncRun) -> int:
    """Failures in a row at this place; a stored page sets it back."""
    notes = dict(run.progress.get(run.step, {}))
    notes["tries"] = notes.get("tries", 0) + 1
    run.progress = {**run.progress, run.step: notes}
    return int(notes["tries"])
