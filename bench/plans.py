"""Part: plans of a large company: of its import before contacts are touched, and of what would be written to it.

`import` reads the company with its plan first, makes that plan and carries it out whole. `write` edits one contact in
ten, adds unlinked ones, lets one field in twenty differ without ever having been agreed on, and makes the first plan of
all of it. Both answer seconds and processor seconds by stage. Nothing of it calls the company but the reading.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import func, insert, select, update

from bench.child import answer, peak_mb
from crm import clock, create_app
from crm.db import db, transaction
from crm.models import Contact, Link, Plan, PlanLine, SyncRun
from crm.services import sync
from crm.services.audit import SYSTEM
from crm.services.sync.plans import plans
from crm.services.sync.plans.plans import Choice

STRANGERS = 0.1
"""Contacts of type customer nobody knows there, for each link."""


def work(deed: str, connection_id: int) -> dict[str, Any]:
    """`deed` is `import` or `write`."""
    with create_app().app_context():
        at_rest = peak_mb()
        told = planned_import(connection_id) if deed == "import" else written(connection_id)
        return {**told, "at_rest_mb": round(at_rest, 1)}


def planned_import(connection_id: int) -> dict[str, Any]:
    with transaction():
        run_id = sync.start_run(
            connection_id, resources=["customer"], trigger="command", actor=SYSTEM, now=clock.now(), plan_first=True
        ).id

    def read() -> None:
        while db.session.get_one(SyncRun, run_id, populate_existing=True).live:
            sync.run(run_id, clock=clock.now)

    stages = {"read": timed(read)}
    plan_id = db.session.scalars(select(Plan.id).order_by(Plan.id.desc())).first() or 0
    stages["make"] = timed(lambda: through(plan_id, "making"))
    told = counted(plan_id)
    with transaction():
        plans.approve(plan_id, Choice("all"), actor=SYSTEM, now=clock.now())
    stages["carry"] = timed(lambda: through(plan_id, "carrying_out"))
    db.session.rollback()
    return {"stages": stages, **told, "links": db.session.scalar(select(func.count()).select_from(Link))}


def written(connection_id: int) -> dict[str, Any]:
    disturb(connection_id)
    with transaction():
        plan_id = plans.ask(connection_id, actor=SYSTEM, now=clock.now()).id
    return {"stages": {"make": timed(lambda: through(plan_id, "making"))}, **counted(plan_id)}


def disturb(connection_id: int) -> None:
    """What a company finds that kept two lists for years."""
    with transaction() as session:
        links = session.execute(select(Link.id, Link.local_id, Link.base).order_by(Link.local_id)).all()
        ids = [link.local_id for link in links]
        for start in range(0, len(ids), 5000):
            part = ids[start : start + 5000]
            session.execute(update(Contact).where(Contact.id.in_(part[::10])).values(website="ours.example"))
            session.execute(update(Contact).where(Contact.id.in_(part[::20])).values(company_name="Our own words"))
        for link in links[::20]:
            base = {name: text for name, text in link.base.items() if name != "company_name"}
            session.execute(update(Link).where(Link.id == link.id).values(base=base))
        now, number = clock.now(), int(len(ids) * STRANGERS)
        rows = [
            {"display_name": f"Stranger {place}", "sort_name": f"stranger {place}", "type": "customer",
             "search_text": f"stranger {place}", "created_at": now, "updated_at": now}
            for place in range(number)
        ]  # fmt: skip
        if rows:
            session.execute(insert(Contact), rows)


def through(plan_id: int, state: str) -> None:
    while db.session.get_one(Plan, plan_id, populate_existing=True).state == state:
        with transaction():
            db.session.execute(update(Plan).where(Plan.id == plan_id).values(available_at=clock.now()))
        plans.run(plan_id, clock=clock.now)


def counted(plan_id: int) -> dict[str, Any]:
    plan = db.session.get_one(Plan, plan_id, populate_existing=True)
    if plan.state not in ("ready", "done"):
        raise RuntimeError(f"plan {plan_id} is {plan.state}: {plan.error}")
    lines = db.session.scalar(select(func.count()).where(PlanLine.plan_id == plan_id))
    return {"records": plan.done, "lines": lines, "counts": dict(plan.counts)}


def timed(deed: Callable[[], None]) -> dict[str, float]:
    began, cpu = time.monotonic(), time.process_time()
    deed()
    return {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - cpu}


if __name__ == "__main__":
    answer(work)
