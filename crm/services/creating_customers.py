"""One contact created in QuickBooks by hand: what it would be there, under which name, and who may be it already.

The page before it asks `offer`, from the mirror alone; `create` notes it for the outbox. Many at once go by a plan
(`sync/plans`), which asks the same questions of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from crm.db import db
from crm.domain import preflight
from crm.domain.errors import Invalid, Refused
from crm.domain.shared_fields import TITLES
from crm.models import Connection, OutboxEntry
from crm.services import contacts, customer_candidates, sync
from crm.services.audit import Actor
from crm.services.customer_candidates import Candidate
from crm.services.sync.outbox.kinds import names
from crm.services.sync.outbox.outbox import OPEN
from crm.services.sync.plans import planning
from crm.services.sync.work import books_of


@dataclass(frozen=True, slots=True)
class Offer:
    name: str
    """Under which it would be created."""
    fields: Sequence[tuple[str, str]]
    """(title, value) of everything that would be written; empty where nothing can be."""
    holders: Sequence[dict[str, Any]]
    """Who bears the name there: kind, name, active, contact."""
    free: str
    """A readable name nobody there bears."""
    candidates: Sequence[Candidate]
    """Customers it may be already, the best first."""
    why_not: str
    """Why it cannot be created as it stands; empty where it can."""


def offer(contact_id: int, connection_id: int, *, name: str, now: datetime) -> Offer:
    """What creating this contact under this name would write. Raises NotFound."""
    session, contact = db.session(), contacts.find(contact_id)
    name = " ".join(name.split())
    connection = session.get_one(Connection, connection_id)
    drawn = planning.draw(
        session, books_of(connection), "customer", [contact_id], chosen=True, now=now, names={contact_id: name}
    )[contact_id]  # fmt: skip
    holders = names.bearers(session, connection_id, [name]).get(name.lower(), [])
    free = names.free_name(session, connection_id, name, besides=set(), city=contact.city) if holders else name
    fields = [(TITLES.get(field, field), new) for field, (_, new) in drawn.changes.items()]
    found = customer_candidates.candidates([contact_id], connection_id).get(contact_id, [])
    why_not = "" if drawn.action == "create" else drawn.reason or "It is in QuickBooks already."
    if drawn.action == "create" and _is_leaving(contact_id, connection_id):
        why_not = "It waits in the outbox to be created already."
    return Offer(name, fields, holders, free, found, why_not)


def create(contact_id: int, connection_id: int, *, name: str, actor: Actor, now: datetime) -> str:
    """Have it created under this name; answers what comes next. Raises Invalid for a name, Refused with the way out."""
    contact, name = contacts.find(contact_id), " ".join(name.split())
    problem = preflight.name(name)
    if problem is not None:
        raise Invalid({"name": problem.sentence})
    found = offer(contact_id, connection_id, name=name, now=now)
    if found.holders:
        raise Invalid({"name": f"{names.told_as(found.holders[0])} “{found.free}” is free."})
    if found.why_not:
        raise Refused(found.why_not)
    other = {contact_id: name} if name != contact.display_name else {}
    asked = sync.ask_create(db.session(), [contact_id], connection_id, actor=actor, now=now, names=other)
    if not asked.noted:
        raise Refused(f"{contact.display_name} cannot be created in QuickBooks now: it was linked, archived or added"
                      " to a household meanwhile.")  # fmt: skip
    if db.session.get_one(Connection, connection_id).read_only:
        return f"“{name}” is noted. It is created once the first plan of this company was approved."
    return f"“{name}” is on its way to QuickBooks. The contact's page says when it has arrived."


def _is_leaving(contact_id: int, connection_id: int) -> bool:
    mine = (OutboxEntry.connection_id == connection_id, OutboxEntry.kind == "customer",
            OutboxEntry.local_id == contact_id, OutboxEntry.state.in_(OPEN))  # fmt: skip
    return db.session.scalar(select(OutboxEntry.id).where(*mine).limit(1)) is not None
