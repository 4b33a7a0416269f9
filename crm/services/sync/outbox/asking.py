"""Contacts that shall become customers in the books, because a person or a program said so. Leads never leave else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain.errors import NotFound, Refused
from crm.models import Connection, Contact, Link
from crm.queries import households
from crm.services import audit
from crm.services.audit import Actor
from crm.services.identity_keys import chunks
from crm.services.sync.outbox import outbox
from crm.services.sync.outbox.outbox import Wish


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking to create contacts in the books."""

    noted: int
    linked: int
    """They are customers there already."""
    review: int
    """A match waits for a decision: it may be a customer already."""
    archived: int
    members: int = 0
    """They belong to the customer of another contact."""


def ask_create(
    session: Session,
    contact_ids: Sequence[int],
    connection_id: int,
    *,
    actor: Actor,
    now: datetime,
    trigger: str = "person",
    names: Mapping[int, str] | None = None,
) -> Asked:
    """These contacts shall become customers in the books. Those that are, or may be, already are left out, and those
    that belong to another contact's household. `names`: contact -> another name than its own to create it under."""
    connection = session.get(Connection, connection_id)
    if connection is None:
        raise NotFound("There is no such connection.")
    if connection.state == "disconnected":
        raise Refused("This company is disconnected. Connect it again first.")
    wishes: dict[int, Wish] = {}
    linked, counts = set[int](), {"linked": 0, "review": 0, "archived": 0, "members": 0}
    for part in chunks(sorted(set(contact_ids)), 1000):
        mine = (Link.connection_id == connection_id, Link.kind == "customer", Link.local_id.in_(part))
        linked |= set(session.scalars(select(Link.local_id).where(*mine)))
        members = households.payers(part)
        for row in session.execute(
            select(Contact.id, Contact.archived_at, Contact.link_state).where(Contact.id.in_(part))
        ):
            left = "linked" if row.id in linked else "archived" if row.archived_at else None
            left = left or ("members" if row.id in members else None)
            left = left or ("review" if row.link_state == "review" else None)
            if left:
                counts[left] += 1
            else:
                name = (names or {}).get(row.id, "")
                wishes[row.id] = Wish("create", options={"display_name": name} if name else {})
    outbox.note_many(session, connection_id, "customer", wishes, trigger=trigger, actor=actor, now=now)
    if wishes:
        audit.record("outbox_create_asked", actor=actor, now=now, subject=f"connection:{connection_id}",
                     summary=f"{len(wishes):,} to be created in {connection.company_name or 'QuickBooks'}.",
                     details={"contacts": sorted(wishes)[:100]})  # fmt: skip
    return Asked(len(wishes), **counts)
