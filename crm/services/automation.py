"""The import firewall: contacts an import made are held from whatever acts by itself, until a person releases them.

Imports call `hold` with a page of new contacts in their transaction. `may_act` is the one question anything automatic
(reminders, sequences, messages) must ask before it does something with contacts. A release is audited.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select

from crm.db import changed, db, table_of
from crm.domain.errors import Invalid
from crm.models import AutomationHold, Contact
from crm.services import audit
from crm.services.audit import Actor
from crm.services.identity_keys import chunks

FILE, QUICKBOOKS = "file", "quickbooks"
WORDS = {FILE: "file import", QUICKBOOKS: "QuickBooks import"}
HOLDS = table_of(AutomationHold)
ASKED = 1000


def may_act(contact_ids: Iterable[int]) -> frozenset[int]:
    """Those of these contacts with which something may be done automatically: in use, and not held."""
    free: set[int] = set()
    held = select(HOLDS.c.contact_id).where(HOLDS.c.contact_id == Contact.id)
    for part in chunks(sorted(set(contact_ids)), ASKED):
        query = select(Contact.id).where(Contact.id.in_(part), Contact.archived_at.is_(None), ~held.exists())
        free |= set(db.session.scalars(query))
    return frozenset(free)


def hold(contact_ids: Sequence[int], *, source: str, source_id: int, now: datetime) -> None:
    """These contacts were just made by an import: `file` (contact_imports.id) or `quickbooks` (sync_runs.id)."""
    rows = [{"contact_id": id_, "source": source, "source_id": source_id, "held_at": now} for id_ in contact_ids]
    if rows:
        db.session.execute(insert(HOLDS), rows)


def release(contact_ids: Sequence[int], *, actor: Actor, now: datetime) -> int:
    """Automation may act on these from here on; answers how many were held."""
    if not contact_ids:
        raise Invalid({"ids": "No contact is chosen. Tick the ones you mean first."})
    number = 0
    for part in chunks(sorted(set(contact_ids)), ASKED):
        number += changed(delete(AutomationHold).where(AutomationHold.contact_id.in_(part)))
    subject = f"contact:{contact_ids[0]}" if len(contact_ids) == 1 else ""
    _record(number, "", subject, actor=actor, now=now)
    return number


def release_import(source: str, source_id: int, *, actor: Actor, now: datetime) -> int:
    """The same for all that one import made and that are still held."""
    mine = (AutomationHold.source == source, AutomationHold.source_id == source_id)
    number = changed(delete(AutomationHold).where(*mine))
    _record(number, f" of {WORDS[source]} {source_id}", "", actor=actor, now=now)
    return number


def _record(number: int, whose: str, subject: str, *, actor: Actor, now: datetime) -> None:
    if number:
        audit.record("automation_released", actor=actor, now=now, subject=subject,
                     summary=f"{number:,} contacts{whose} released: automation may act on them.")  # fmt: skip
