"""An import that shows its plan before it touches contacts: what it holds back, and until when.

Such a run reads the books into the mirror, compares and settles as always, and stops before its decisions are carried
out: its last step holds the undecided customers (`planned`) with their drafts and asks for a plan. The run ends; the
plan waits as long as it takes.

| a held customer | becomes |
|---|---|
| approved | linked, or a contact of its own (`import_carrying`) |
| doubtful, or inactive and owing nothing | `review` or `ignored`, with any approval |
| not approved, or the plan was discarded | stays held until a person asks for an import; others pass it over |
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, update

from crm.bell import ring
from crm.db import changed
from crm.domain.errors import Invalid
from crm.models import Customer, Plan, SyncRun
from crm.services import audit
from crm.services.audit import Actor
from crm.services.sync.imports.holding import contacts_of
from crm.services.sync.mirror.customers import undecided
from crm.services.sync.work import END, PLANNED, Page, Work

STEP = PLANNED
PURPOSE = "import"
HELD = "planned"
"""`customers.match_state` of one that a plan shows, or showed."""
TASK = "crm.tasks.plans.run"
REPLACED = "Import {} was started by {} and decides anew about what this plan showed."


def wanted(resources: Sequence[str]) -> dict[str, Any]:
    """What the progress of a run begins with that shall be planned first."""
    if "customer" not in resources:
        raise Invalid({"resources": "Only an import with customers changes contacts, so only that can be planned."})
    return {STEP: {}}


def is_planned(run: SyncRun) -> bool:
    return STEP in run.progress


def plan_id_of(run: SyncRun) -> int | None:
    """The plan it led to; None for other runs, and before it is that far."""
    found = run.progress.get(STEP, {}).get("plan_id")
    return int(found) if found else None


def held(connection_id: int) -> Select[Any]:
    return select(Customer.id).where(Customer.connection_id == connection_id, Customer.match_state == HELD)


def hold(work: Work, fetch: object, cursor: str | None) -> str:
    """The last step: hold the undecided, and have the plan made. In one go."""
    with work.page() as page:
        run, still_there = page.run, Customer.gone_at.is_(None)
        number = changed(update(Customer).where(*undecided(work.books.id), still_there).values(match_state=HELD))
        plan = Plan(
            connection_id=work.books.id, purpose=PURPOSE, scope={"run_id": run.id}, state="making", counts={},
            available_at=page.now, created_by=run.requested_by, created_at=page.now, total=number,
        )  # fmt: skip
        page.session.add(plan)
        page.session.flush()
        ring(TASK, plan.id)
        plan.total += page.session.scalar(select(func.count()).select_from(contacts_of(run.id).subquery())) or 0
        page.note(total=number, plan_id=plan.id)
        return page.reached(END, done=number)


def offer_again(page: Page) -> None:
    """Before an import compares: one that a person asked for decides about what earlier plans left as well."""
    if page.run.trigger == "schedule" or _being_carried_out(page):
        return
    mine = (Customer.connection_id == page.books.id, Customer.match_state == HELD, Customer.gone_at.is_(None))
    changed(update(Customer).where(*mine).values(match_state="new"))


def _being_carried_out(page: Page) -> bool:
    busy = (Plan.connection_id == page.books.id, Plan.purpose == PURPOSE, Plan.state == "carrying_out")
    return page.session.scalar(select(Plan.id).where(*busy).limit(1)) is not None


def replace_open(run: SyncRun, *, actor: Actor, now: datetime) -> None:
    """Plans of earlier imports that nobody approved yet give way to this run."""
    which = (Plan.connection_id == run.connection_id, Plan.purpose == PURPOSE)
    values = {"state": "discarded", "finished_at": now, "error": REPLACED.format(run.id, actor.label)}
    waiting = (Plan.state.in_(("making", "ready", "failed")), Plan.approved_at.is_(None))
    if number := changed(update(Plan).where(*which, *waiting).values(values)):
        audit.record("plan_discarded", actor=actor, now=now, subject=f"connection:{run.connection_id}",
                     summary=f"Import {run.id} took the place of {number} plan(s) of earlier imports")  # fmt: skip
