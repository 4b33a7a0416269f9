"""Part: what became of the deliveries of a burst: waits until all are split and all events settled, and says when."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import func, select

from bench.child import answer
from crm import create_app
from crm.db import db, end_reading
from crm.models import Delivery, InboxEvent


def work(most_seconds: float) -> dict[str, Any]:
    """Moments are seconds since 1970; None where it did not come to an end within `most_seconds`."""
    with create_app().app_context():
        until = time.time() + most_seconds
        split, settled = _wait(until), None
        if split:
            settled = _wait(until, settled=True)
        return {
            "split_at": _latest(InboxEvent.created_at) if split else None,
            "settled_at": _latest(InboxEvent.settled_at) if settled else None,
            "deliveries": _by_state(Delivery), "events": _by_state(InboxEvent),
            "outcomes": dict(_grouped(InboxEvent.outcome)),
        }  # fmt: skip


def _wait(until: float, *, settled: bool = False) -> bool:
    """Whether nothing waits any more. Asked seldom: it shares the machine with those it waits for."""
    which: Any = InboxEvent.state == "pending" if settled else Delivery.state == "received"
    model: Any = InboxEvent if settled else Delivery
    while db.session.scalars(select(model.id).where(which).limit(1)).first():
        end_reading()
        if time.time() > until:
            return False
        time.sleep(0.5)
    end_reading()
    return True


def _latest(column: Any) -> float | None:
    moment = db.session.scalar(select(func.max(column)))
    return moment.timestamp() if moment else None


def _by_state(model: Any) -> dict[str, int]:
    return dict(_grouped(model.state))


def _grouped(column: Any) -> list[tuple[str, int]]:
    return [(name, number) for name, number in db.session.execute(select(column, func.count()).group_by(column))]


if __name__ == "__main__":
    answer(work)
