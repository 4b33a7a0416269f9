"""After the trouble: time passes, everything that waits is done, a sweep looks for what was missed."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from crm import clock
from crm.db import db, transaction
from crm.domain.runs import LIVE
from crm.models import Connection, Customer, Delivery, InboxEvent, OutboxEntry, Sweep, SyncRun
from tools.chaos.edits import persist
from tools.chaos.world import World

TOKEN_LIFE = timedelta(hours=1)
PATIENCE = 240
"""Seconds until everything that waits must be done, once nothing goes wrong any more."""


class NeverQuiet(RuntimeError):
    """Something still waits though nothing is in its way: itself a violation."""


def settle(world: World, connection_id: int) -> None:
    """Until nothing waits; then a sweep; then again until nothing waits. Raises NeverQuiet."""
    workers = [name for name in world.programs if name not in ("company", "web")]
    for name in workers:
        world.kill(name)  # whoever held a lease is gone, so that time may pass for everything that waits
    time_passes()
    world.empty_broker()
    world.ask("POST", "/webhooks/flush")
    until_nothing_waits(connection_id)
    began = clock.now()
    sweep_now(connection_id)
    until_swept(connection_id, since=began)
    until_nothing_waits(connection_id)


def time_passes() -> None:
    """Every pause and every lease has ended."""

    def write() -> None:
        now = clock.now()
        with transaction() as session:
            for model, states in ((OutboxEntry, ("pending", "frozen")), (InboxEvent, ("pending",)),
                                  (Delivery, ("received",))):  # fmt: skip
                session.execute(update(model).where(model.state.in_(states)).values(available_at=now))
            session.execute(update(SyncRun).where(SyncRun.state.in_(LIVE)).values(lease_until=now))
            session.execute(update(Connection).values(held_until=None))

    persist(write)


def sweep_now(connection_id: int) -> None:
    def write() -> None:
        with transaction() as session:
            session.execute(update(Sweep).where(Sweep.connection_id == connection_id).values(available_at=clock.now()))

    persist(write)


def until_nothing_waits(connection_id: int) -> None:
    deadline, calm = time.monotonic() + PATIENCE, 0
    while calm < 3:
        waiting = {name: number for name, number in left(connection_id).items() if number}
        calm = 0 if waiting else calm + 1
        if waiting and time.monotonic() > deadline:
            raise NeverQuiet(f"after {PATIENCE} s without trouble there still waits: {waiting}")
        time.sleep(0.5)


def until_swept(connection_id: int, *, since: datetime) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        db.session.remove()
        sweep = db.session.get(Sweep, connection_id)
        if sweep is not None and sweep.swept_at is not None and sweep.swept_at >= since:
            return
        if time.monotonic() > deadline:
            raise NeverQuiet(f"no sweep for {PATIENCE} s: {sweep.error if sweep else 'there is none'}")
        time.sleep(0.5)


def left(connection_id: int) -> dict[str, int]:
    """What still waits, by what it is."""
    db.session.remove()
    counts = {
        "entries": select(func.count()).where(OutboxEntry.state.in_(("pending", "frozen"))),
        "deliveries": select(func.count()).where(Delivery.state == "received"),
        "events": select(func.count()).where(InboxEvent.state == "pending"),
        "runs": select(func.count()).where(SyncRun.state.in_(LIVE)),
        "undecided customers": select(func.count()).where(
            Customer.connection_id == connection_id, Customer.match_state == "new", Customer.parent_remote_id.is_(None)
        ),
    }
    return {name: db.session.scalar(query) or 0 for name, query in counts.items()}


def expect_done(run_id: int) -> None:
    db.session.remove()
    run = db.session.get_one(SyncRun, run_id)
    if run.state != "done":
        raise RuntimeError(f"the first import ended as {run.state}: {run.error}")
