"""When something last happened with a contact: a note, an edit by a person, or a document or payment in the books.

An import, a link or being created is no activity: a contact with none of the above has no date at all. Kept in
`contacts.last_activity_at` so that lists sort and filter by it. A person's note or edit moves it at once (services/
contacts); here it is computed anew for many contacts, after their documents came in, left or changed hands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.db import table_of
from crm.models import Contact, Document, Payment, TimelineEntry
from crm.services.sync.mirror.bulk import update_by_id

BY_PEOPLE = ("changed", "noted")
"""What the timeline calls an edit and a note."""


def refresh(session: Session, contact_ids: Sequence[int], *, now: datetime) -> None:
    """Set the last activity of these contacts, where it is another than what stands there."""
    found = _by_people(session, contact_ids)
    for contact_id, moment in _in_books(session, contact_ids, now=now):
        found[contact_id] = max(moment, found.get(contact_id, moment))
    known = session.execute(select(Contact.id, Contact.last_activity_at).where(Contact.id.in_(contact_ids))).all()
    moved = [{"id": id_, "last_activity_at": found.get(id_)} for id_, old in known if found.get(id_) != old]
    update_by_id(session, table_of(Contact), moved)
    changed = {row["id"] for row in moved}
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, Contact) and loaded.id in changed:
            session.expire(loaded, ["last_activity_at"])


def _by_people(session: Session, contact_ids: Sequence[int]) -> dict[int, datetime]:
    entry = TimelineEntry
    query = (
        select(entry.contact_id, func.max(entry.at, type_=entry.at.type))
        .where(entry.contact_id.in_(contact_ids), entry.source == "person", entry.verb.in_(BY_PEOPLE))
        .group_by(entry.contact_id)
    )
    return {contact_id: at for contact_id, at in session.execute(query)}


def _in_books(session: Session, contact_ids: Sequence[int], *, now: datetime) -> list[tuple[int, datetime]]:
    """(contact, the day of its last document or payment); a day to come counts as now."""
    found = []
    tables: tuple[Any, ...] = (Document, Payment)
    for table in tables:
        query = (
            select(table.contact_id, func.max(table.date))
            .where(table.contact_id.in_(contact_ids), table.void.is_(False), table.gone_at.is_(None))
            .group_by(table.contact_id)
        )
        found += [(id_, min(_moment(day), now)) for id_, day in session.execute(query) if day is not None]
    return found


def _moment(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
