"""Asking for a plan: of what would be written, of some contacts, or to take something back. `plans` decides about it.

Called inside `transaction()`; a worker makes the plan (`plan_work`). One that is being made already is answered again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from crm.bell import ring
from crm.db import db
from crm.domain.errors import Invalid, NotFound, Refused
from crm.models import Connection, Contact, OutboxEntry, Plan, SyncRun
from crm.queries import plans as queries
from crm.services.audit import Actor
from crm.services.sync.plans import import_undo, importing
from crm.services.sync.plans.plan_work import TASK

SAME = ("contact_ids", "plan_id", "entry_id", "run_id")
"""What of a scope says that two plans are about the same."""
MOST = 10_000
"""Contacts that can be chosen for one plan."""


def ask(connection_id: int, *, contact_ids: Sequence[int] | None = None, actor: Actor, now: datetime) -> Plan:
    """Have a plan made of everything, or of these contacts. The plan that is being made already is answered again."""
    connection = connection_of(connection_id)
    if connection.state == "disconnected":
        raise Refused("This company is disconnected. Connect it again before planning what to write to it.")
    if not connection.read_at.get("customer"):
        raise Refused("The customers of this company were not imported yet. Import them first: until then nobody can "
                      "tell who is in QuickBooks already.")  # fmt: skip
    ids = None if contact_ids is None else sorted(set(contact_ids))
    if ids is not None and not ids:
        raise Invalid({"ids": "No contact is chosen. Tick the ones you mean first."})
    if ids is not None and len(ids) > MOST:
        raise Invalid({"ids": f"Up to {MOST:,} contacts can be planned at once. Narrow the list, or choose fewer."})
    if ids is not None and db.session.scalar(select(func.count()).where(Contact.id.in_(ids[:500]))) == 0:
        raise NotFound("There is no such contact. The link may be old or not complete.")
    purpose = "first" if connection.read_only and ids is None else "push"
    scope = {} if ids is None else {"contact_ids": ids}
    return _begin(connection, purpose, scope, actor=actor, now=now)


def ask_undo(*, plan_id: int | None = None, entry_id: int | None = None, actor: Actor, now: datetime) -> Plan:
    """Have a plan made that takes back another plan, also one of an import, or one entry of the outbox that is done."""
    if plan_id is not None:
        plan = queries.find(plan_id)
        if plan.state not in ("done", "carrying_out"):
            raise Refused(f"Plan {plan_id} was not carried out, so there is nothing to undo.")
        if plan.purpose == importing.PURPOSE:
            return ask_unimport(plan.scope.get("run_id", 0), plan_id=plan_id, actor=actor, now=now)
        if plan.purpose == "unimport":
            raise Refused("An import that was taken back is not put back by an undo. Ask for an import: it decides "
                          "anew.")  # fmt: skip
        return _begin(connection_of(plan.connection_id), "undo", {"plan_id": plan_id}, actor=actor, now=now)
    entry = db.session.get(OutboxEntry, entry_id) if entry_id is not None else None
    if entry is None:
        raise NotFound("There is no such entry of the outbox.")
    if entry.state != "done":
        raise Refused("This was not written to QuickBooks, so there is nothing to undo there.")
    return _begin(connection_of(entry.connection_id), "undo", {"entry_id": entry.id}, actor=actor, now=now)


def ask_unimport(run_id: int, *, plan_id: int | None = None, actor: Actor, now: datetime) -> Plan:
    """Have a plan made that takes an import back here. Raises NotFound, and Refused where there is nothing to take."""
    run = db.session.get(SyncRun, run_id, populate_existing=True)
    if run is None:
        raise NotFound("There is no such import.")
    if run.live:
        raise Refused("This import is still under way. It can be taken back once it has ended.")
    if db.session.execute(import_undo.links_of(run.connection_id, run_id).limit(1)).first() is None:
        raise Refused("This import has linked and made no contact that is still linked by it: there is nothing to take "
                      "back. Fields of contacts that were linked before follow QuickBooks; change them there, or on "
                      "the contact's page.")  # fmt: skip
    scope = {"run_id": run_id} | ({} if plan_id is None else {"plan_id": plan_id})
    return _begin(connection_of(run.connection_id), "unimport", scope, actor=actor, now=now)


def _begin(connection: Connection, purpose: str, scope: dict[str, Any], *, actor: Actor, now: datetime) -> Plan:
    making = select(Plan).where(Plan.connection_id == connection.id, Plan.state == "making", Plan.purpose == purpose)
    for plan in db.session.scalars(making.order_by(Plan.id)):
        if {name: plan.scope.get(name) for name in SAME} == {
            name: scope.get(name) for name in SAME
        }:
            return plan
    plan = Plan(
        connection_id=connection.id, purpose=purpose, scope=scope, state="making", available_at=now, counts={},
        created_by=actor.name, created_at=now,
    )  # fmt: skip
    db.session.add(plan)
    db.session.flush()
    ring(TASK, plan.id)
    return plan


def connection_of(connection_id: int) -> Connection:
    """Raises NotFound."""
    connection = db.session.get(Connection, connection_id, populate_existing=True)
    if connection is None:
        raise NotFound("There is no such connection.")
    return connection
