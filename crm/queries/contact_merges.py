"""Merges of contacts: where an absorbed contact leads, what was merged into one, and whom one may be merged with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from crm.db import db
from crm.domain.contacts import search_terms
from crm.models import Contact, ContactMerge, Duplicate, Link, TimelineEntry
from crm.queries import contact_search, contacts
from crm.queries.contacts import Row

MOST = 10
MAX_TOLD = 300
"""Of a contact's latest edits: how far back one looks for when a field was changed."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A contact that may be the same one, and why (the sentences of the evidence)."""

    row: Row
    reasons: tuple[str, ...]
    certain: bool


def into(contact_id: int) -> int | None:
    """The contact that this one went into, at the end of all merges; None where it was not merged, or is two again."""
    found = None
    while (step := live_into(found or contact_id)) is not None:
        found = step.survivor_id
    return found


def live_into(contact_id: int) -> ContactMerge | None:
    """The merge by which the contact went into another one, and that stands."""
    mine = (ContactMerge.absorbed_id == contact_id, ContactMerge.undone_at.is_(None))
    return db.session.scalar(select(ContactMerge).where(*mine).order_by(ContactMerge.id.desc()).limit(1))


def of_contact(contact_id: int) -> Sequence[ContactMerge]:
    """What was merged into the contact, newest first; those undone too."""
    query = select(ContactMerge).where(ContactMerge.survivor_id == contact_id).order_by(ContactMerge.id.desc())
    return db.session.scalars(query.options(joinedload(ContactMerge.absorbed))).all()


def newest_live(contact_id: int) -> ContactMerge | None:
    """The only one of them that can be undone now."""
    mine = (ContactMerge.survivor_id == contact_id, ContactMerge.undone_at.is_(None))
    query = select(ContactMerge).where(*mine).options(joinedload(ContactMerge.absorbed))
    return db.session.scalar(query.order_by(ContactMerge.id.desc()).limit(1))


def suggestions(contact_id: int) -> list[Suggestion]:
    """Contacts that the rules take for the same one, the most alike first."""
    pair = or_(Duplicate.one_id == contact_id, Duplicate.other_id == contact_id)
    query = select(Duplicate).where(Duplicate.sort == "contact", Duplicate.state == "proposed", pair)
    found = db.session.scalars(query.order_by(Duplicate.score.desc(), Duplicate.id).limit(MOST)).all()
    others = {one.other_id if one.one_id == contact_id else one.one_id: one for one in found}
    return [
        Suggestion(row, tuple(part["text"] for part in others[row.id].evidence), others[row.id].outcome == "same")
        for row in contacts.rows(list(others))
        if not row.archived
    ]


def search(contact_id: int, text: str) -> list[Row]:
    """Contacts in use that fit what was typed, without this one."""
    terms = search_terms(text)
    if not terms:
        return []
    here = (Contact.id != contact_id, Contact.archived_at.is_(None))
    query = select(Contact.id).where(*here, *contact_search.matching(terms))
    return contacts.rows(db.session.scalars(query.order_by(Contact.sort_name, Contact.id).limit(MOST)).all())


def keeper(contact_ids: Sequence[int]) -> int:
    """Which of two one would keep: the one linked to the books, else the older."""
    linked = select(Link.local_id).where(Link.kind == "customer", Link.local_id.in_(contact_ids), Link.state != "gone")
    known = set(db.session.scalars(linked))
    return min(contact_ids, key=lambda id_: (id_ not in known, id_))


def changed_at(contact_id: int) -> dict[str, datetime]:
    """Field -> when it was last changed, as far as the timeline tells."""
    mine = (TimelineEntry.contact_id == contact_id, TimelineEntry.verb == "changed")
    newest = (TimelineEntry.at.desc(), TimelineEntry.id.desc())
    query = select(TimelineEntry.at, TimelineEntry.changes).where(*mine).order_by(*newest).limit(MAX_TOLD)
    found: dict[str, datetime] = {}
    for at, changes in db.session.execute(query):
        for name in changes:
            found.setdefault(name, at)
    return found
