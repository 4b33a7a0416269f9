"""Records that were made, changed or archived: their keys and their pairs at once, for one or a page of them.

Whoever makes or changes contacts calls `note_contacts` in the same transaction; the import calls `note` for what it
wrote the keys of itself. The number of statements is the same for one record and for five hundred. Beside the pairs of
the records themselves, pairs of others are looked at again where the number of a key's holders begins to count
otherwise (`domain/duplicates.grade`), so that the rows do not depend on what came first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from crm.db import db
from crm.domain.duplicates import grade
from crm.models import Contact, Duplicate
from crm.services import identity_keys
from crm.services.duplicates.keeping import keep, stored_with
from crm.services.duplicates.looking import Looking, Pair
from crm.services.duplicates.subjects import ASKED
from crm.services.identity_keys import chunks

AGAIN = timedelta(minutes=2)
"""Longer than the schedule's step and any transaction that makes a contact."""
MOST = 500


def note_contact(contact_id: int, *, now: datetime) -> None:
    """`note_contacts` for one."""
    note_contacts([contact_id], now=now)


def note_contacts(contact_ids: Sequence[int], *, now: datetime) -> None:
    """Write the identity keys of these contacts anew and find their pairs. Ids that are gone do no harm."""
    session = db.session()
    lost = identity_keys.refresh_contacts(session, contact_ids)
    for ids in chunks(contact_ids, identity_keys.CHUNK):
        note(session, "contact", ids, lost=lost, now=now)


def note(session: Session, sort: str, ids: Sequence[int], *, lost: Mapping[str, int], now: datetime) -> None:
    """Find the pairs of these records, whose keys are written. `lost`: keys that some of them held before, how many."""
    if not ids:
        return
    looking = Looking(session, sort)
    held = looking.keys_of(ids)
    gained: dict[str, int] = {}
    for id_ in ids:
        for key in held[id_]:
            gained[key] = gained.get(key, 0) + 1
    pairs = looking.pairs_with(ids) | stored_with(session, sort, ids) | _of_others(looking, gained, lost)
    keep(session, sort, pairs, looking.judged(pairs), now=now)


def look_again(*, now: datetime) -> int:
    """Contacts that people or programs made just now, once more: two made at the same moment did not see each other.

    Rung by the schedule; answers how many were looked at. What imports made is looked at with whoever was typed beside
    it. Edits of the same moment are found by the daily run.
    """
    session = db.session()
    fresh = (Contact.archived_at.is_(None), Contact.created_at > now - AGAIN, Contact.source.in_(("person", "api")))
    query = select(Contact.id).where(*fresh).order_by(Contact.created_at.desc(), Contact.id.desc()).limit(MOST)
    ids = sorted(session.scalars(query))
    note(session, "contact", ids, lost={}, now=now)
    return len(ids)


def _of_others(looking: Looking, gained: Mapping[str, int], lost: Mapping[str, int]) -> set[Pair]:
    """Pairs of any records that hold a key which may count otherwise by now."""
    frequency = looking.frequency_of([*gained, *lost])
    more = [key for key, number in gained.items() if _moved(key, frequency[key] - number, frequency[key])]
    fewer = [key for key, number in lost.items() if _moved(key, frequency[key], frequency[key] + number)]
    pairs = looking.pairs_among(fewer)
    holders = {owner for owners in looking.holders([*more, *fewer]).values() for owner in owners}
    if holders:
        pairs |= stored_with(looking.session, looking.sort, holders)
    return pairs


def _moved(key: str, few: int, many: int) -> bool:
    """One holder alone is nobody's pair, so the step from none to one changes nothing."""
    return many > 1 and grade(key, few) != grade(key, many)


def forget_contacts(contact_ids: Sequence[int], *, now: datetime) -> None:
    """These contacts were deleted: nothing is kept of their keys and pairs, for SQLite gives their numbers again."""
    note_contacts(contact_ids, now=now)
    for part in chunks(sorted(contact_ids), ASKED):
        stood = or_(Duplicate.one_id.in_(part), Duplicate.other_id.in_(part))
        db.session().execute(delete(Duplicate).where(Duplicate.sort == "contact", stood))
