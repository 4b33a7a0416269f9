"""After the trouble: time passes, everything that waits is done, a sweep looks for what was missed."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select, update

from crm import clock
from crm.bell import ring
from crm.db import db, transaction
from crm.domain import plans as plan_states
from crm.domain.runs import LIVE
from crm.models import Connection, Delivery, InboxEvent, OutboxEntry, Plan, Proof, Sweep, SyncRun
from tools.chaos import waits
from tools.chaos.edits import persist
from tools.chaos.world import World

TOKEN_LIFE = timedelta(hours=1)
PATIENCE = 240
"""Seconds until everything that waits must be done, once nothing goes wrong any more."""
TELL_AFTER = 20
"""Seconds of waiting after which it is told what waits and why; told again as often."""


RUNG = (
    "crm.tasks.outbox.tend", "crm.tasks.inbox.ring_due", "crm.tasks.inbox.decide_newcomers", "crm.tasks.sync.sweep",
    "crm.tasks.plans.sweep", "crm.tasks.proofs.tend",
)  # fmt: skip
"""What the schedule rings for by itself, every quarter or half of a minute."""
RING_EVERY = 2


class NeverQuiet(RuntimeError):
    """Something still waits though nothing is in its way: itself a violation."""


def settle(world: World, connection_id: int, put_right: Callable[[], list[str]], *, hurry: bool) -> None:
    """Until nothing waits; then a sweep; then again until nothing waits. Raises NeverQuiet.

    `put_right` takes back what people did to keep things waiting; it answers what is not right yet. `hurry` rings
    every other second for what beat rings within the minute.
    """
    started = time.monotonic()
    workers = [name for name in world.programs if name not in ("company", "web")]
    for name in workers:
        world.kill(name)  # whoever held a lease is gone, so that time may pass for everything that waits
    time_passes()
    world.empty_broker()
    world.wait("web")
    world.ask("POST", "/webhooks/flush")
    _until(put_right, connection_id, looks=1, hurry=hurry)
    until_nothing_waits(connection_id, hurry=hurry)
    sweep_now(connection_id)
    until_nothing_waits(connection_id, hurry=hurry)
    print(f"  at rest {time.monotonic() - started:.0f} s after the trouble", flush=True)


def time_passes() -> None:
    """Every pause and every lease has ended, also that of whoever was renewing the sign-in."""

    def write() -> None:
        now = clock.now()
        with transaction() as session:
            due = ((OutboxEntry, ("pending", "frozen")), (InboxEvent, ("pending",)), (Delivery, ("received",)),
                   (Plan, plan_states.LIVE), (Proof, waits.PROOFS))  # fmt: skip
            for model, states in due:
                session.execute(update(model).where(model.state.in_(states)).values(available_at=now))
            session.execute(update(SyncRun).where(SyncRun.state.in_(LIVE)).values(lease_until=now))
            session.execute(update(Connection).values(held_until=None, refresh_leased_until=None))

    persist(write)


def sweep_now(connection_id: int) -> None:
    """Due at once, and rung for: the schedule itself would get to it within a minute."""

    def write() -> None:
        with transaction() as session:
            session.execute(update(Sweep).where(Sweep.connection_id == connection_id).values(available_at=clock.now()))
            ring("crm.tasks.inbox.sweep_changes", connection_id)

    began = clock.now()
    persist(write)

    def swept() -> list[str]:
        at = db.session.scalar(select(Sweep.swept_at).where(Sweep.connection_id == connection_id))
        return [] if at is not None and at >= began else ["the company has not been swept since the trouble"]

    _until(swept, connection_id, looks=1, hurry=False)


def until_nothing_waits(connection_id: int, *, hurry: bool) -> None:
    _until(lambda: waits.waiting(connection_id, clock.now()), connection_id, looks=3, hurry=hurry)


def _until(left: Callable[[], list[str]], connection_id: int, *, looks: int, hurry: bool) -> None:
    """Until nothing is left at so many looks in a row. What takes long is told while it does."""
    started, calm, next_told, next_rung = time.monotonic(), 0, TELL_AFTER, 0.0
    while calm < looks:
        db.session.remove()
        rows = left()
        calm = 0 if rows else calm + 1
        waited = time.monotonic() - started
        if rows and hurry and waited >= next_rung:
            next_rung = waited + RING_EVERY
            persist(_ring_all)
        if rows and waited > next_told:
            next_told += TELL_AFTER
            report = f"after {waited:.0f} s without trouble there still waits:\n{waits.told(connection_id, rows)}"
            print(f"  {report}", flush=True)
            if waited > PATIENCE:
                raise NeverQuiet(report)
        time.sleep(0.5)


def _ring_all() -> None:
    with transaction():
        for task in RUNG:
            ring(task)


def expect_done(run_id: int) -> None:
    db.session.remove()
    run = db.session.get_one(SyncRun, run_id)
    if run.state != "done":
        raise RuntimeError(f"the first import ended as {run.state}: {run.error}")
