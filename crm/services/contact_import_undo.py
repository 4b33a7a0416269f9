"""Taking an import back: what it made goes, what it filled is emptied, unless somebody has touched it since.

Called by `contact_imports` inside a transaction, one page of rows at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select

from crm.db import db
from crm.domain import shared_fields
from crm.domain.contacts import FIELDS
from crm.models import Contact, ContactImportRow, TimelineEntry
from crm.services import duplicates, timeline
from crm.services.audit import Actor
from crm.services.contact_parts import loaded, settle_texts
from crm.services.sync.outbox import outbox


def take_back(rows: Sequence[ContactImportRow], *, actor: Actor, now: datetime) -> tuple[int, int]:
    """(undone, kept). A contact that was touched since is kept, and its row says so; so is a field changed since."""
    made = [row for row in rows if row.outcome == "created" and row.contact_id]
    touched = _touched(made)
    gone = [row for row in made if row.contact_id not in touched]
    ids = [row.contact_id for row in gone if row.contact_id]
    for row in made:
        if row.contact_id in touched:
            row.error = "Kept: the contact was changed, noted or linked since."
    for row in gone:
        row.outcome, row.contact_id = "undone", None
    db.session.flush()
    if ids:
        db.session.execute(delete(Contact).where(Contact.id.in_(ids)), execution_options={"synchronize_session": False})
        duplicates.forget_contacts(ids, now=now)
    changed = [row for row in rows if row.outcome == "updated" and row.contact_id]
    restored = _restore(changed, actor=actor, now=now)
    return len(gone) + restored, len(made) - len(gone) + len(changed) - restored


def _restore(rows: Sequence[ContactImportRow], *, actor: Actor, now: datetime) -> int:
    """Put back what stood before, field by field, unless it was changed since; answers how many were put back whole."""
    contacts = loaded([row.contact_id for row in rows if row.contact_id])
    whole, changed = 0, dict[int, tuple[str, ...]]()
    for row in rows:
        contact, before = contacts[row.contact_id or 0], dict(row.before or {})
        shared = shared_fields.own_keys(contact, contact.points)
        lines, tags = [tuple(line) for line in before.pop("lines", [])], before.pop("tags", [])
        kept = [name for name, (_, new) in before.items() if getattr(contact, name) != new]
        for name, (old, new) in before.items():
            if getattr(contact, name) == new:
                setattr(contact, name, old)
        contact.points = [point for point in contact.points if (point.kind, point.value) not in lines]
        contact.tags = [tag for tag in contact.tags if tag.name not in tags]
        settle_texts(contact)
        contact.updated_at = now
        after = shared_fields.changed_fields(shared, shared_fields.own_keys(contact, contact.points))
        changed[contact.id] = (*changed.get(contact.id, ()), *after)
        row.error = f"Kept, changed since: {', '.join(FIELDS[name].label for name in kept)}." if kept else ""
        row.outcome = "updated" if kept else "undone"
        whole += not kept
        timeline.add(contact.id, verb="changed", summary="Import of a file undone", actor=actor, now=now)
    db.session.flush()
    duplicates.note_contacts(list(contacts), now=now)
    outbox.contacts_changed(db.session(), changed, actor=actor, now=now)
    return whole


def _touched(rows: Sequence[ContactImportRow]) -> set[int]:
    """Contacts to which anything happened besides being imported: the timeline knows, and links."""
    ids = [row.contact_id for row in rows if row.contact_id]
    told = select(TimelineEntry.contact_id).where(TimelineEntry.contact_id.in_(ids))
    more = told.group_by(TimelineEntry.contact_id).having(func.count() > 1)
    linked = select(Contact.id).where(Contact.id.in_(ids), (Contact.link_state != "none") | (Contact.version > 1))
    return {*db.session.scalars(more), *db.session.scalars(linked)}
